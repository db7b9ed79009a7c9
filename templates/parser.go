package templates

import (
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// The limits of one template.
const (
	maxTemplate = 1 << 20
	maxNesting  = 64
)

// segment is a piece of a template.
type segment struct {
	kind segmentKind
	line int
	name string    // of variables and sections
	body []segment // of sections
	text string    // of text
	cut  bool      // text that was trimmed at its start, so that it begins a line
}

type segmentKind byte

const (
	textSegment segmentKind = iota
	variableSegment
	rawSegment // a variable that is not escaped
	sectionSegment
	invertedSegment
	silentSegment // a comment or a change of delimiters
)

// parser reads jmustache's dialect, quirks included: what is not closed is text, for one.
type parser struct {
	rest       []rune
	line       int
	start, end []rune // delimiters
	text       []rune
	state      parserState
	open       []segment // sections, innermost last; the first is the template itself
}

type parserState byte

const (
	inText parserState = iota
	inStart
	inTag
	inEnd
)

// parseTemplate reads a template; the error names the line, not the template.
func parseTemplate(data string) ([]segment, error) {
	if len(data) > maxTemplate {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the template is larger than %d bytes", maxTemplate)
	}
	p := &parser{rest: []rune(data), line: 1, start: []rune("{{"), end: []rune("}}"), open: []segment{{}}}
	for len(p.rest) > 0 {
		c := p.next()
		if err := p.char(c); err != nil {
			return nil, err
		}
		if c == '\n' {
			p.line++
		}
	}
	if len(p.open) > 1 {
		unclosed := p.open[len(p.open)-1]
		return nil, lineError(unclosed.line, "section {{#%s}} is not closed; add {{/%s}}", unclosed.name, unclosed.name)
	}
	p.unfinished()
	p.addText()
	return trim(p.open[0].body, true), nil
}

func lineError(line int, format string, args ...any) error {
	return skipper.Errorf(skipper.CodeInvalid, "line %d: "+format, append([]any{line}, args...)...)
}

func (p *parser) next() rune {
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

// unfinished makes text of a tag that the template's end cut off.
func (p *parser) unfinished() {
	switch p.state {
	case inStart:
		p.text = append(p.text, p.start[0])
	case inTag:
		p.restoreStart()
	case inEnd:
		p.restoreStart()
		p.text = append(p.text, p.end[0])
	case inText:
	}
}

func (p *parser) restoreStart() {
	p.text = append(append([]rune{}, p.start...), p.text...)
}

func (p *parser) char(c rune) error {
	switch p.state {
	case inText:
		p.textChar(c)
	case inStart:
		if c == p.start[1] {
			p.addText()
			p.state = inTag
			return nil
		}
		p.text = append(p.text, p.start[0])
		p.textChar(c)
	case inTag:
		return p.tagChar(c)
	case inEnd:
		if c == p.end[1] {
			p.state = inText
			return p.tag()
		}
		p.text = append(p.text, p.end[0])
		return p.tagChar(c)
	}
	return nil
}

func (p *parser) textChar(c rune) {
	switch {
	case c != p.start[0]:
		p.text = append(p.text, c)
		p.state = inText
	case len(p.start) == 1:
		p.addText()
		p.state = inTag
	default:
		p.state = inStart
	}
}

func (p *parser) tagChar(c rune) error {
	switch {
	case c == p.end[0] && len(p.end) == 1:
		p.state = inText
		return p.tag()
	case c == p.end[0]:
		p.state = inEnd
	case c == p.start[0] && len(p.text) > 0 && p.text[0] != '!':
		// A new start inside of a tag: what was read so far was text.
		p.restoreStart()
		p.addText()
		p.state = inStart
		if len(p.start) == 1 {
			p.state = inTag
		}
	default:
		p.text = append(p.text, c)
		p.state = inTag
	}
	return nil
}

func (p *parser) addText() {
	if len(p.text) > 0 {
		text := string(p.text)
		p.add(segment{kind: textSegment, line: max(1, p.line-strings.Count(text, "\n")), text: text})
		p.text = nil
	}
}

func (p *parser) add(s segment) {
	top := &p.open[len(p.open)-1]
	top.body = append(top.body, s)
}

// tag takes in a whole tag.
func (p *parser) tag() error {
	content := string(p.text)
	p.text = nil
	if strings.HasPrefix(content, "=") {
		return p.delimiters(content)
	}
	if strings.HasPrefix(content, "{") && string(p.start) == "{{" && string(p.end) == "}}" {
		if len(p.rest) == 0 || p.next() != '}' {
			return lineError(p.line, "{{%s}} must end with }}}", content)
		}
		content = "&" + content[1:]
	}
	content = trimSpace(content)
	if content == "" {
		return lineError(p.line, "a tag is empty; put a name into {{}}")
	}
	if strings.ContainsAny(content, "\r\n") && content[0] != '!' {
		return lineError(p.line, "the name of a tag contains a line break: {{%s}}", content)
	}
	return p.named(content, trimSpace(content[1:]))
}

func (p *parser) named(content, name string) error {
	switch content[0] {
	case '!':
		p.add(segment{kind: silentSegment})
	case '>':
		return lineError(p.line, "partials are not supported: {{>%s}}", name)
	case '&':
		p.add(segment{kind: rawSegment, line: p.line, name: name})
	case '#', '^':
		return p.openSection(content[0], name)
	case '/':
		return p.closeSection(name)
	default:
		p.add(segment{kind: variableSegment, line: p.line, name: content})
	}
	return nil
}

func (p *parser) openSection(sign byte, name string) error {
	if len(p.open) > maxNesting {
		return lineError(p.line, "sections are nested deeper than %d", maxNesting)
	}
	kind := sectionSegment
	if sign == '^' {
		kind = invertedSegment
	}
	p.open = append(p.open, segment{kind: kind, line: p.line, name: name})
	return nil
}

func (p *parser) closeSection(name string) error {
	closed := p.open[len(p.open)-1]
	switch {
	case len(p.open) == 1:
		return lineError(p.line, "{{/%s}} closes a section that is not open", name)
	case closed.name != name:
		return lineError(p.line, "{{/%s}} closes section {{#%s}} of line %d", name, closed.name, closed.line)
	}
	p.open = p.open[:len(p.open)-1]
	closed.body = trim(closed.body, false)
	p.add(closed)
	return nil
}

// delimiters takes in {{=<% %>=}}.
func (p *parser) delimiters(content string) error {
	parts := strings.Split(content[1:max(1, len(content)-1)], " ")
	if len(parts) == 2 {
		start, end := []rune(parts[0]), []rune(parts[1])
		if n, m := len(start), len(end); n >= 1 && n <= 2 && m >= 1 && m <= 2 {
			p.start, p.end = start, end
			p.add(segment{kind: silentSegment})
			return nil
		}
	}
	return lineError(p.line, "{{%s}} must be of the form {{=1 2=}} or {{=12 34=}}", content)
}

// trim takes away the lines on which a tag stands alone, which is what makes loops leave no blank lines behind.
// Before and after a template there are blank lines in thought.
func trim(segments []segment, top bool) []segment {
	for i := range segments {
		var before, after *segment
		if i > 0 {
			before = &segments[i-1]
		}
		if i < len(segments)-1 {
			after = &segments[i+1]
		}
		first := top && i == 1
		beforeBlank := before == nil && top || before != nil && before.endsBlank(first)
		afterBlank := after == nil && top || after != nil && after.startsBlank()
		switch s := &segments[i]; s.kind {
		case silentSegment:
			if beforeBlank && afterBlank {
				before.trimEnd(first)
				after.trimStart()
			}
		case sectionSegment, invertedSegment:
			s.trimAround(before, after, beforeBlank, afterBlank, first)
		case textSegment, variableSegment, rawSegment:
		}
	}
	return segments
}

func (s *segment) trimAround(before, after *segment, beforeBlank, afterBlank, first bool) {
	if len(s.body) == 0 {
		return
	}
	head, tail := &s.body[0], &s.body[len(s.body)-1]
	if beforeBlank && head.startsBlank() {
		before.trimEnd(first)
		head.trimStart()
	}
	if afterBlank && tail.endsBlank(false) {
		tail.trimEnd(false)
		after.trimStart()
	}
}

const blanks = " \t\v\f\r"

// startsBlank says that a text has only blanks up to its first line break.
func (s *segment) startsBlank() bool {
	return s.kind == textSegment && strings.HasPrefix(strings.TrimLeft(s.text, blanks), "\n")
}

// endsBlank says that a text has only blanks behind its last line break, or, as the first of a template, only blanks.
func (s *segment) endsBlank(first bool) bool {
	if s.kind != textSegment {
		return false
	}
	rest := strings.TrimRight(s.text, blanks)
	return strings.HasSuffix(rest, "\n") || rest == "" && (first || s.cut)
}

func (s *segment) trimStart() {
	if s != nil && s.startsBlank() {
		s.text = s.text[strings.IndexByte(s.text, '\n')+1:]
		s.line++
		s.cut = true
	}
}

func (s *segment) trimEnd(first bool) {
	if s != nil && s.endsBlank(first) {
		s.text = s.text[:strings.LastIndexByte(s.text, '\n')+1]
	}
}

func trimSpace(name string) string {
	return strings.TrimFunc(name, func(c rune) bool { return c <= ' ' })
}
