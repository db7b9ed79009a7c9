package yamlx

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// scalar writes a scalar in the style it asks for, or in the next one that can hold it.
func (e *emitter) scalar(n *node, key bool) {
	chosen := doubleQuoted
	if n.style != doubleQuoted {
		chosen = e.style(n, analyze(n.text), key)
	}
	if !(chosen == plain || n.tag == string(tagStr)) {
		e.indicator(n.tag, true, false, false)
	}
	indent := e.indent
	e.increaseIndent(true, false)
	split := !key && e.width != noWidth
	switch chosen {
	case plain:
		e.plain(n.text, split)
	case singleQuoted:
		e.single(n.text, split)
	case literal:
		e.literal(n.text)
	case doubleQuoted:
		e.double(n.text, split)
	}
	e.indent = indent
}

func (e *emitter) style(n *node, a analysis, key bool) style {
	if n.style == plain && n.tag == string(resolve(n.text)) && !(key && (n.text == "" || a.multiline)) &&
		(e.flow > 0 && a.flowPlain || e.flow == 0 && a.blockPlain) {
		return plain
	}
	if n.style == literal && e.flow == 0 && !key && a.block {
		return literal
	}
	if n.style == plain && a.single && !(key && a.multiline) {
		return singleQuoted
	}
	return doubleQuoted
}

// analysis says which styles can hold a text.
type analysis struct {
	multiline, flowPlain, blockPlain, single, block bool
}

func analyze(text string) analysis {
	if text == "" {
		return analysis{blockPlain: true, single: true}
	}
	flowIndicators, blockIndicators := indicators(text)
	s := spacing(text)
	special := s.spaceBreak || hasSpecial(text)
	edges := s.leading || s.trailingSpace || s.trailingBreak || isZeroPadded(text)
	return analysis{
		multiline:  s.lineBreaks,
		flowPlain:  !edges && !s.breakSpace && !special && !s.lineBreaks && !flowIndicators,
		blockPlain: !edges && !s.breakSpace && !special && !blockIndicators,
		single:     !s.breakSpace && !special,
		block:      !s.trailingSpace && !special,
	}
}

// indicators says whether a text has characters that mean something in brackets, or everywhere.
func indicators(text string) (flow, block bool) {
	if strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...") {
		return true, true
	}
	chars := []rune(text)
	preceded := true
	followed := len(chars) == 1 || isBlank(chars[1]) || isLineBreak(chars[1])
	for i, c := range chars {
		switch {
		case i == 0 && strings.ContainsRune("#,[]{}&*!|>'\"%@`", c), c == '-' && i == 0 && followed, c == '#' && preceded:
			flow, block = true, true
		case c == ':', c == '?' && i == 0:
			flow = true
			block = block || followed
		case strings.ContainsRune(",?[]{}", c):
			flow = true
		}
		preceded = isBlank(c) || isLineBreak(c)
		followed = i+2 >= len(chars) || isBlank(chars[i+2]) || isLineBreak(c)
	}
	return flow, block
}

// spaces is where blanks and line breaks stand in a text.
type spaces struct {
	lineBreaks, leading, trailingSpace, trailingBreak, breakSpace, spaceBreak bool
}

func spacing(text string) (s spaces) {
	chars := []rune(text)
	first, last := chars[0], chars[len(chars)-1]
	s.leading = first == ' ' || isLineBreak(first)
	s.trailingSpace = last == ' '
	s.trailingBreak = isLineBreak(last)
	var previous rune
	for _, c := range chars {
		s.lineBreaks = s.lineBreaks || isLineBreak(c)
		s.breakSpace = s.breakSpace || c == ' ' && isLineBreak(previous)
		s.spaceBreak = s.spaceBreak || isLineBreak(c) && previous == ' '
		previous = c
	}
	return s
}

// hasSpecial says whether a text has characters that only double quotes hold.
func hasSpecial(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool {
		return c == '\t' || c == '\r' || c == '\ufeff' || !isPrintable(c)
	})
}

// isZeroPadded says that a text is digits after a zero: other readers take it for a number.
func isZeroPadded(text string) bool {
	return len(text) > 1 && text[0] == '0' && strings.Trim(text, "0123456789_") == ""
}

func isBlank(c rune) bool { return c == ' ' || c == '\t' || c == 0 }

// isLineBreak says what YAML 1.1 breaks lines at when it writes.
func isLineBreak(c rune) bool {
	return c == '\n' || c == '\u0085' || c == '\u2028' || c == '\u2029'
}

// run is a piece of a text of one sort: spaces, line breaks, or anything else.
type run struct {
	text string
	sort rune // ' ', '\n' or 0
}

func runs(text string) []run {
	sortOf := func(c rune) rune {
		switch {
		case c == ' ':
			return ' '
		case isLineBreak(c):
			return '\n'
		default:
			return 0
		}
	}
	var all []run
	start, current := 0, rune(-1)
	for i, c := range text {
		if s := sortOf(c); s != current {
			if current >= 0 {
				all = append(all, run{text[start:i], current})
			}
			start, current = i, s
		}
	}
	return append(all, run{text[start:], current})
}

func (e *emitter) breaks(text string) {
	for _, c := range text {
		e.lineBreak(string(c))
	}
}

func (e *emitter) plain(text string, split bool) {
	if text == "" {
		return
	}
	if !e.whitespace {
		e.write(" ")
	}
	e.whitespace, e.indention = false, false
	for _, r := range runs(text) {
		switch {
		case r.sort == ' ' && len(r.text) == 1 && e.column > e.width && split:
			e.writeIndent()
			e.whitespace, e.indention = false, false
		case r.sort == '\n':
			e.foldedBreaks(r.text)
			e.whitespace, e.indention = false, false
		default:
			e.write(r.text)
		}
	}
}

// foldedBreaks writes line breaks where a single one would be read as a space.
func (e *emitter) foldedBreaks(text string) {
	if text[0] == '\n' {
		e.lineBreak("\n")
	}
	e.breaks(text)
	e.writeIndent()
}

func (e *emitter) single(text string, split bool) {
	e.indicator("'", true, false, false)
	all := runs(text)
	for i, r := range all {
		inner := i > 0 && i < len(all)-1
		switch {
		case r.sort == ' ' && len(r.text) == 1 && e.column > e.width && split && inner:
			e.writeIndent()
		case r.sort == '\n':
			e.foldedBreaks(r.text)
		default:
			e.write(strings.ReplaceAll(r.text, "'", "''"))
		}
	}
	e.indicator("'", false, false, false)
}

func (e *emitter) literal(text string) {
	e.indicator("|"+blockHints(text), true, false, false)
	e.lineBreak("\n")
	all := runs(text)
	atStart := true
	for _, r := range all {
		if r.sort == '\n' {
			e.breaks(r.text)
			atStart = true
			continue
		}
		if atStart {
			e.writeIndent()
		}
		atStart = false
		e.out.WriteString(r.text) // lines of a literal are not measured
	}
	if !atStart {
		e.lineBreak("\n")
	}
}

func blockHints(text string) string {
	chars := []rune(text)
	hints := ""
	if chars[0] == ' ' || isLineBreak(chars[0]) {
		hints = fmt.Sprint(indentStep)
	}
	switch {
	case !isLineBreak(chars[len(chars)-1]):
		hints += "-"
	case len(chars) == 1 || isLineBreak(chars[len(chars)-2]):
		hints += "+"
	}
	return hints
}

// double writes text in double quotes, folded at spaces and behind escapes when it may be.
func (e *emitter) double(text string, split bool) {
	e.indicator(`"`, true, false, false)
	if !split {
		e.escaped(text)
		e.indicator(`"`, false, false, false)
		return
	}
	chars := []rune(text)
	pending := strings.Builder{} // seen and not written: a fold may come before it is
	flush := func() {
		e.write(pending.String())
		pending.Reset()
	}
	for i, c := range chars {
		escaped := escape(c)
		if escaped != "" {
			flush()
			e.write(escaped)
		}
		inner := i > 0 && i < len(chars)-1
		if inner && (c == ' ' || escaped != "") && e.column+units(pending.String()) > e.width {
			flush()
			e.write(`\`)
			e.writeIndent()
			e.whitespace, e.indention = false, false
			if escaped == "" || chars[i+1] == ' ' { // a space that starts a line would be lost
				e.write(`\`)
			}
		}
		if escaped == "" {
			pending.WriteRune(c)
		}
	}
	flush()
	e.indicator(`"`, false, false, false)
}

// escaped writes text that is not folded.
func (e *emitter) escaped(text string) {
	start := 0
	for i, c := range text {
		if c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			continue
		}
		if replaced := escape(c); replaced != "" && replaced != string(c) {
			e.write(text[start:i])
			e.write(replaced)
			start = i + utf8.RuneLen(c)
		}
	}
	e.write(text[start:])
}

// escape gives how a character is written in double quotes; empty when it stands for itself and may be gathered.
func escape(c rune) string {
	const replaced = "\x00\a\b\t\n\v\f\r\x1b\"\\\u0085\u00a0\u2028\u2029"
	names := []rune(`0abtnvfre"\N_LP`)
	i := 0
	for _, r := range replaced {
		if r == c {
			return `\` + string(names[i])
		}
		i++
	}
	switch {
	case c >= 0x20 && c <= 0x7e:
		return ""
	case isPrintable(c):
		return string(c)
	case c <= 0xff:
		return fmt.Sprintf(`\x%02x`, c)
	case c <= 0xffff:
		return fmt.Sprintf(`\u%04x`, c)
	default:
		return fmt.Sprintf(`\U%08x`, c)
	}
}
