package templates

import (
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Inspector renders the templates of a package one by one and goes on where Render stops, so that all that is wrong is
// found. The limits are those of Render, for all its templates together.
type Inspector struct {
	renderer renderer
	top      View
}

// View is what the templates of a package or of a dependency see.
type View struct{ values *dict }

// NewInspector prepares for the templates of a package, with its own values under those of the request (skipper-core.md
// 7.1), not checked against its schema. Errors are those of Render.
func NewInspector(p skipper.Package, overrides string) (*Inspector, error) {
	values, err := modelOf(p, overrides, func(skipper.Package, *yamlx.Map) error { return nil })
	if err != nil {
		return nil, err
	}
	root, err := newDict(values)
	if err != nil {
		return nil, locate(err, p, overrides)
	}
	return &Inspector{top: View{root}}, nil
}

// View is what the templates of the package itself see.
func (i *Inspector) View() View { return i.top }

// Of is what the templates of a dependency see, by its name; nothing when there is no such section.
func (v View) Of(dependency string) View { return View{v.values.sub(dependency)} }

// Inspection is what one template has in it and comes to, for whoever has to explain it.
type Inspection struct {
	Tags []Tag  // in the order of the template
	Text string // rendered, with the name of a variable where it has no value

	data   string
	values *dict
}

// Tag is a variable or a section of a template.
type Tag struct {
	Name    string
	Line    int
	Section bool
	Missing bool // a variable that was to be written and has no value
}

// Inspect renders one template. Errors are those of Render: it cannot be read, or it comes to too much.
func (i *Inspector) Inspect(data string, in View) (Inspection, error) {
	segments, err := parse(data)
	if err != nil {
		return Inspection{}, err
	}
	i.renderer.missing = map[variable]bool{}
	start := i.renderer.out.Len()
	if err := i.renderer.parsed(segments, in.values); err != nil {
		return Inspection{}, err
	}
	found := Inspection{Text: i.renderer.out.String()[start:], data: data, values: in.values}
	i.tags(segments, &found)
	return found, nil
}

func (i *Inspector) tags(segments []segment, found *Inspection) {
	for _, s := range segments {
		switch s.kind {
		case variableSegment, rawSegment:
			missing := i.renderer.missing[variable{s.name, s.line}]
			found.Tags = append(found.Tags, Tag{Name: s.name, Line: s.line, Missing: missing})
		case sectionSegment, invertedSegment:
			found.Tags = append(found.Tags, Tag{Name: s.name, Line: s.line, Section: true})
			i.tags(s.body, found)
		case textSegment, silentSegment:
		}
	}
}

// Line is the line of the template that a line of Text comes from, both from 1.
func (i Inspection) Line(line int) int {
	return traceLine(i.data, i.values, i.Text, line-1).line
}
