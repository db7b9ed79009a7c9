package templates

import (
	"strings"
)

// maxCauses bounds how many variables an error names.
const maxCauses = 5

// trace finds out where one line of what a template came to is from: the template is rendered once more for it.
type trace struct {
	start, end int // of the line, in bytes of what is rendered
	line       int // of the template
	found      bool
	names      []string // of the variables that wrote something of the line
	before     string   // the last variable before the line
	beforeLine int
}

// traceLine looks for a line of a rendered text, counted from 0.
func traceLine(data string, values *dict, text string, line int) *trace {
	t := &trace{line: 1}
	for range line {
		next := strings.IndexByte(text[t.start:], '\n')
		if next < 0 {
			break
		}
		t.start += next + 1
	}
	t.end = len(text)
	if next := strings.IndexByte(text[t.start:], '\n'); next >= 0 {
		t.end = t.start + next
	}
	again := renderer{trace: t, missing: map[variable]bool{}}
	_ = again.template(data, values) // it was rendered before without an error
	return t
}

// wrote looks at what a segment wrote, from an offset on.
func (t *trace) wrote(seg segment, start int, text string) {
	end := start + len(text)
	isVariable := seg.kind != textSegment
	switch {
	case start >= t.end && t.found:
	case end < t.start || end == t.start && start < end && !isVariable:
		if isVariable {
			t.before, t.beforeLine = seg.name, seg.line
		}
		t.at(seg, text)
	default:
		if !t.found {
			t.at(seg, text[:max(0, t.start-start)])
			t.found = start < end || isVariable
		}
		if isVariable && len(t.names) < maxCauses && start <= t.end {
			t.names = append(t.names, seg.name)
		}
	}
}

// at takes the line of the template at which a segment has written something.
func (t *trace) at(seg segment, written string) {
	t.line = seg.line
	if seg.kind == textSegment {
		t.line += strings.Count(written, "\n")
	}
}

// causes names the variables of the line, or the last one before it.
func (t *trace) causes() string {
	switch {
	case len(t.names) > 0:
		return " with {{" + strings.Join(t.names, "}}, {{") + "}} filled in"
	case t.before != "":
		return ", behind {{" + t.before + "}}"
	default:
		return ""
	}
}
