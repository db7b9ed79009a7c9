package yamlx

import (
	"math"
	"strings"
	"unicode/utf16"
)

const (
	noWidth      = math.MaxInt
	indentStep   = 2
	simpleLength = 128 // a key as long as this, tag and anchor counted, is written with a question mark
)

// emitter writes nodes byte for byte as SnakeYAML's emitter does.
type emitter struct {
	out        strings.Builder
	width      int // text is folded behind it
	indent     int // -1 outside of any node
	flow       int // depth of brackets
	column     int // in UTF-16 units
	whitespace bool
	indention  bool // only indentation and indicators stand on the line
	limit      int  // in bytes; behind it nothing more is written
}

func (e *emitter) document(root *node, first bool) {
	if !first {
		e.writeIndent()
		e.indicator("---", true, false, false)
	}
	e.node(root, false, false)
	e.writeIndent()
}

// node writes a node; inMapping says that it is a key or a value, key that it is a key on one line.
func (e *emitter) node(n *node, inMapping, key bool) {
	if e.out.Len() > e.limit {
		return
	}
	if n.written {
		e.indicator("*"+n.anchor, true, false, false)
		return
	}
	if n.anchor != "" {
		e.indicator("&"+n.anchor, true, false, false)
	}
	n.written = true
	if n.kind == scalarKind {
		e.scalar(n, key)
		return
	}
	if n.tag == "!!set" {
		e.indicator(n.tag, true, false, false)
	}
	flow := e.flow > 0 || n.flow || len(n.items) == 0
	indent := e.indent
	switch {
	case n.kind == sequenceKind && flow:
		e.flowSequence(n)
	case n.kind == sequenceKind:
		e.increaseIndent(false, inMapping && !e.indention)
		e.blockSequence(n)
		e.indent = indent
	case flow:
		e.flowMapping(n)
	default:
		e.increaseIndent(false, false)
		e.blockMapping(n)
		e.indent = indent
	}
}

func (e *emitter) blockSequence(n *node) {
	for _, item := range n.items {
		e.writeIndent()
		e.indicator("-", true, false, true)
		e.node(item, false, false)
	}
}

func (e *emitter) blockMapping(n *node) {
	for i := 0; i < len(n.items); i += 2 {
		e.writeIndent()
		if e.isSimple(n.items[i]) {
			e.node(n.items[i], true, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, true)
			e.node(n.items[i], true, false)
			e.writeIndent()
			e.indicator(":", true, false, true)
		}
		e.node(n.items[i+1], true, false)
	}
}

// open starts brackets and gives the indentation to go back to.
func (e *emitter) open(bracket string) int {
	indent := e.indent
	e.indicator(bracket, true, true, false)
	e.flow++
	e.increaseIndent(true, false)
	e.writeIndent()
	return indent
}

func (e *emitter) flowSequence(n *node) {
	indent := e.open("[")
	for i, item := range n.items {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		e.writeIndent()
		e.node(item, false, false)
	}
	e.indent = indent
	e.flow--
	if len(n.items) > 0 {
		e.writeIndent()
	}
	e.indicator("]", false, false, false)
	if len(n.items) > 0 {
		e.writeIndent()
	}
}

func (e *emitter) flowMapping(n *node) {
	indent := e.open("{")
	for i := 0; i < len(n.items); i += 2 {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		e.writeIndent()
		if e.isSimple(n.items[i]) {
			e.node(n.items[i], true, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, false)
			e.node(n.items[i], true, false)
			e.writeIndent()
			e.indicator(":", true, false, false)
		}
		e.node(n.items[i+1], true, false)
	}
	e.indent = indent
	e.flow--
	if len(n.items) > 0 {
		e.writeIndent()
	}
	e.indicator("}", false, false, false)
}

// isSimple says whether a key stands on one line before its colon. The reference takes an empty list or map for one and
// writes what nobody can read: they are set over two lines.
func (e *emitter) isSimple(key *node) bool {
	if key.written {
		return true // an alias
	}
	return key.kind == scalarKind && key.text != "" && !strings.ContainsFunc(key.text, isLineBreak) &&
		len(key.tag)+units(key.text) < simpleLength
}

func (e *emitter) increaseIndent(flow, indentless bool) {
	switch {
	case e.indent >= 0 && !indentless:
		e.indent += indentStep
	case e.indent >= 0:
	case flow:
		e.indent = indentStep
	default:
		e.indent = 0
	}
}

func (e *emitter) indicator(text string, needWhitespace, whitespace, indention bool) {
	if !e.whitespace && needWhitespace {
		e.write(" ")
	}
	e.whitespace = whitespace
	e.indention = e.indention && indention
	e.write(text)
}

// writeIndent goes to the indentation, on a new line where something else stands on this one.
func (e *emitter) writeIndent() {
	indent := max(e.indent, 0)
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.lineBreak("\n")
	}
	if e.column < indent {
		e.whitespace = true
		e.write(strings.Repeat(" ", indent-e.column))
	}
}

func (e *emitter) lineBreak(text string) {
	e.out.WriteString(text)
	e.whitespace, e.indention, e.column = true, true, 0
}

func (e *emitter) write(text string) {
	e.out.WriteString(text)
	e.column += units(text)
}

// units is the length of a text as Java counts it.
func units(text string) int {
	if isASCII(text) {
		return len(text)
	}
	n := 0
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
