package templates

import (
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Values gives what the templates of a package see: its own values under those of the request (skipper-core.md 7.1), not
// checked against its schema. A dependency sees its section, which is a map.
func Values(p skipper.Package, overrides string) (*yamlx.Map, error) {
	var budget yamlx.Budget
	over, err := parseOverrides(overrides, &budget)
	if err != nil {
		return nil, err
	}
	if over == nil {
		over = yamlx.NewMap()
	}
	values, err := model(p, over, &budget)
	return values, locate(err, p, overrides)
}

// Inspection is what one template has in it and comes to, for whoever has to explain it.
type Inspection struct {
	Tags  []Tag  // in the order of the template
	Text  string // rendered, with the name of a variable where it has no value
	Lines []int  // for each line of Text, the line of the template it comes from
}

// Tag is a variable or a section of a template.
type Tag struct {
	Name    string
	Line    int
	Section bool
	Missing bool // a variable that was to be written and has no value
}

// Inspect renders one template with values and goes on where Render stops, so that all that is wrong is found. Errors are
// those of Render: a template that cannot be read, or that renders to too much.
func Inspect(data string, values *yamlx.Map) (Inspection, error) {
	segments, err := parse(data)
	if err != nil {
		return Inspection{}, err
	}
	root, err := newDict(values)
	if err != nil {
		return Inspection{}, err
	}
	i := &inspector{lines: map[*segment]int{}, missing: map[*segment]bool{}, at: []int{1}}
	source := lineFinder{rest: data, line: 1}
	i.place(segments, &source)
	if err := i.segments(segments, &scope{value: root}); err != nil {
		return Inspection{}, err
	}
	found := Inspection{Text: i.out.String(), Lines: i.at}
	i.tags(segments, &found)
	return found, nil
}

// inspector renders, and remembers where every line comes from and what was missing.
type inspector struct {
	renderer
	lines   map[*segment]int // the first line of each
	missing map[*segment]bool
	at      []int // line of the template, by line of what is rendered
}

// lineFinder finds the pieces of a template in it, one after the other: they do not know where they stand.
type lineFinder struct {
	rest string
	line int
}

func (f *lineFinder) find(text string) int {
	before, after, ok := strings.Cut(f.rest, text)
	if !ok {
		return f.line
	}
	at := f.line + strings.Count(before, "\n")
	f.rest, f.line = after, at+strings.Count(text, "\n")
	return at
}

// skipTo goes on to a line.
func (f *lineFinder) skipTo(line int) {
	for f.line < line {
		_, after, ok := strings.Cut(f.rest, "\n")
		if !ok {
			return
		}
		f.rest, f.line = after, f.line+1
	}
}

func (i *inspector) place(segments []segment, source *lineFinder) {
	for n := range segments {
		s := &segments[n]
		if s.kind == textSegment {
			i.lines[s] = source.find(s.text)
			continue
		}
		source.skipTo(s.line)
		i.lines[s] = max(s.line, source.line)
		i.place(s.body, source)
	}
}

func (i *inspector) tags(segments []segment, found *Inspection) {
	for n := range segments {
		s := &segments[n]
		switch s.kind {
		case variableSegment, rawSegment:
			found.Tags = append(found.Tags, Tag{Name: s.name, Line: s.line, Missing: i.missing[s]})
		case sectionSegment, invertedSegment:
			found.Tags = append(found.Tags, Tag{Name: s.name, Line: s.line, Section: true})
			i.tags(s.body, found)
		case textSegment, silentSegment:
		}
	}
}

// segments writes as renderer does, but for variables without a value.
func (i *inspector) segments(segments []segment, s *scope) error {
	for n := range segments {
		if err := i.step(1); err != nil {
			return err
		}
		if err := i.write(&segments[n], s); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) write(seg *segment, s *scope) error {
	start := i.out.Len()
	switch seg.kind {
	case sectionSegment:
		return i.section(seg, s)
	case invertedSegment:
		if v, err := s.find(seg.name); err != nil || isAbsent(v) {
			return i.segments(seg.body, s)
		}
		return nil
	case textSegment, variableSegment, rawSegment, silentSegment:
	}
	if err := i.segment(*seg, s); err != nil {
		i.missing[seg] = true
		i.out.WriteString(seg.name)
	}
	line, whole := i.lines[seg], i.out.String()
	if len(whole) > start && (start == 0 || whole[start-1] == '\n') {
		i.at[len(i.at)-1] = line // what begins a line tells where it is from
	}
	for range strings.Count(whole[start:], "\n") {
		if seg.kind == textSegment {
			line++
		}
		i.at = append(i.at, line)
	}
	return nil
}

func (i *inspector) section(seg *segment, s *scope) error {
	v, err := s.find(seg.name)
	if err != nil || v == nil || v == false {
		return nil //nolint:nilerr // what is not there is left out
	}
	list, ok := v.([]any)
	if !ok {
		return i.segments(seg.body, &scope{value: v, parent: s, index: s.index, first: s.first, last: s.last})
	}
	if err := i.step(len(list)); err != nil {
		return err
	}
	for n, item := range list {
		inner := &scope{value: item, parent: s, index: n + 1, first: n == 0, last: n == len(list)-1}
		if err := i.segments(seg.body, inner); err != nil {
			return err
		}
	}
	return nil
}
