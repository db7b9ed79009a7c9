package yamlx

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// plain takes in a text without quotes. It may go over several lines, which become one.
func (s *scanner) plain() {
	start := token{kind: tokenScalar, plain: true, line: s.line}
	var parts strings.Builder
	spaces := ""
	for s.char() != '#' {
		n := s.plainLength()
		if n == 0 {
			break
		}
		s.keyAllowed = false
		part := s.forward(n)
		if start.text == "" {
			start.text = part // most have one part, which needs no copy
		} else {
			if parts.Len() == 0 {
				parts.WriteString(start.text)
			}
			parts.WriteString(spaces)
			parts.WriteString(part)
		}
		spaces = s.plainSpaces()
		if spaces == "" || s.flow == 0 && s.column <= s.indent {
			break
		}
	}
	if parts.Len() > 0 {
		start.text = parts.String()
	}
	s.queue = append(s.queue, start)
}

// plainLength is how many bytes belong to a plain text up to the next blank or indicator.
func (s *scanner) plainLength() int {
	at := s.at
	for at < len(s.text) {
		c, size := rune(s.text[at]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s.text[at:])
		}
		switch {
		case endsWord(c), s.flow > 0 && isFlowIndicator(c, '?'):
			return at - s.at
		case c == ':':
			if next := s.charAt(at + 1); endsWord(next) || s.flow > 0 && isFlowIndicator(next, ',') {
				return at - s.at
			}
		}
		at += size
	}
	return at - s.at
}

// isFlowIndicator says that a character means something in brackets; other is one more that does.
func isFlowIndicator(c, other rune) bool {
	return c == ',' || c == '[' || c == ']' || c == '{' || c == '}' || c == other
}

// plainSpaces goes over blanks and line breaks within a plain text and gives what they are read as; empty at its end.
func (s *scanner) plainSpaces() string {
	blanks := s.forward(s.blanks())
	first := s.lineBreak()
	if first == "" {
		return blanks
	}
	s.keyAllowed = true
	var breaks strings.Builder
	for {
		// Three dashes end the text whatever stands behind them, as in the reference.
		if strings.HasPrefix(s.text[s.at:], "---") || s.isDocumentMark("...") {
			return ""
		}
		s.spaces()
		next := s.lineBreak()
		if next == "" {
			return folded(first, breaks.String())
		}
		breaks.WriteString(next)
	}
}

// folded gives what a line break with empty lines behind it is read as: a single one is a space.
func folded(first, more string) string {
	switch {
	case first != "\n":
		return first + more
	case more == "":
		return " "
	default:
		return more
	}
}

// blanks counts spaces and tabs.
func (s *scanner) blanks() int {
	n := 0
	for s.at+n < len(s.text) && (s.text[s.at+n] == ' ' || s.text[s.at+n] == '\t') {
		n++
	}
	return n
}

// quoted takes in a text in single or double quotes.
func (s *scanner) quoted(quote byte) {
	t := token{kind: tokenScalar, line: s.line}
	s.forward(1)
	if n := s.rawLength(quote); s.closes(s.at+n, quote) {
		t.text = s.forward(n) // as most are: on one line, with nothing to replace
	} else {
		t.text = s.pieces(quote, t.line)
	}
	if s.err == nil {
		s.forward(1)
		s.queue = append(s.queue, t)
	}
}

// rawLength is how many bytes of a quoted text stand for themselves.
func (s *scanner) rawLength(quote byte) int {
	return s.lengthUntil(func(c rune) bool {
		return c == rune(quote) || c == '\\' && quote == '"' || endsLine(c)
	})
}

// wordLength is how many bytes of a quoted text stand for themselves and are not blank.
func (s *scanner) wordLength() int {
	return s.lengthUntil(func(c rune) bool { return c == '\'' || c == '"' || c == '\\' || endsWord(c) })
}

// lengthUntil is how many bytes there are up to a character.
func (s *scanner) lengthUntil(stop func(rune) bool) int {
	at := s.at
	for at < len(s.text) {
		c, size := rune(s.text[at]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s.text[at:])
		}
		if stop(c) {
			break
		}
		at += size
	}
	return at - s.at
}

// closes says that a quoted text ends at an offset.
func (s *scanner) closes(at int, quote byte) bool {
	return at < len(s.text) && s.text[at] == quote && (quote == '"' || s.charAt(at+1) != '\'')
}

// pieces reads a quoted text that is folded or has something to replace.
func (s *scanner) pieces(quote byte, opened int) string {
	var text strings.Builder
	text.WriteString(s.forward(s.wordLength()))
	for s.err == nil && !s.closes(s.at, quote) {
		switch c := s.char(); {
		case c == 0:
			s.fail(opened, "the quote %c that opens here is not closed", quote)
		case c == '\'' && quote == '\'':
			s.forward(2) // the first of two
			text.WriteByte('\'')
		case c == '\'' || c == '"' || c == '\\' && quote == '\'':
			text.WriteString(s.forward(1))
		case c == '\\':
			s.forward(1)
			s.escape(&text, opened)
		default:
			text.WriteString(s.quotedSpaces(opened))
		}
		text.WriteString(s.forward(s.wordLength()))
	}
	return text.String()
}

// quotedSpaces goes over blanks and line breaks in a quoted text and gives what they are read as.
func (s *scanner) quotedSpaces(opened int) string {
	blanks := s.forward(s.blanks())
	first := s.lineBreak()
	if first == "" {
		return blanks
	}
	return folded(first, s.quotedBreaks(opened))
}

// quotedBreaks goes over empty lines, and the blanks a line of a quoted text begins with.
func (s *scanner) quotedBreaks(opened int) string {
	var breaks strings.Builder
	for {
		if s.isDocumentMark("---") || s.isDocumentMark("...") {
			s.fail(opened, "the quote that opens here is not closed before another document begins")
			return ""
		}
		s.forward(s.blanks())
		next := s.lineBreak()
		if next == "" {
			return breaks.String()
		}
		breaks.WriteString(next)
	}
}

// escapes are the characters that a backslash may stand before, and what they mean.
var escapes = map[rune]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b", ' ': " ",
	'"': `"`, '\\': `\`, 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

// escape reads what stands behind a backslash.
func (s *scanner) escape(text *strings.Builder, opened int) {
	c := s.char()
	if replaced, ok := escapes[c]; ok {
		s.forward(1)
		text.WriteString(replaced)
		return
	}
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case digits > 0:
		s.forward(1)
		text.WriteRune(s.hex(digits))
	case s.lineBreak() != "":
		text.WriteString(s.quotedBreaks(opened))
	default:
		s.fail(s.line, "\\%c means nothing in double quotes; write \\\\ for a backslash, or use single quotes", c)
	}
}

// hex reads a character by its number. Two halves of a pair, as JSON has them, make one.
func (s *scanner) hex(digits int) rune {
	first := s.number(digits)
	if first < 0xd800 || first > 0xdfff {
		return first
	}
	if first < 0xdc00 && strings.HasPrefix(s.text[s.at:], `\u`) {
		s.forward(2)
		if second := s.number(4); second >= 0xdc00 && second <= 0xdfff {
			return 0x10000 + (first-0xd800)<<10 + (second - 0xdc00)
		}
	}
	s.fail(s.line, "\\u%04x is half of a character", first)
	return utf8.RuneError
}

func (s *scanner) number(digits int) rune {
	text := s.text[s.at:min(s.at+digits, len(s.text))]
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil || len(text) < digits || n > utf8.MaxRune {
		s.fail(s.line, "\\x, \\u and \\U need the number of a character in 2, 4 or 8 hexadecimal digits")
		return utf8.RuneError
	}
	s.forward(digits)
	return rune(n)
}

// block takes in a text behind | or >, folded for the latter.
func (s *scanner) block(fold bool) {
	t := token{kind: tokenScalar, line: s.line}
	s.forward(1)
	chomp, increment := s.blockHeader()
	if s.err != nil {
		return
	}
	indent := max(1, s.indent+1)
	var breaks string
	if increment > 0 {
		indent += increment - 1
		breaks = s.blockBreaks(indent)
	} else {
		breaks, indent = s.blockIndent(indent)
	}
	var text strings.Builder
	last := ""
	for s.column == indent && s.char() != 0 {
		text.WriteString(breaks)
		indented := s.text[s.at] == ' ' || s.text[s.at] == '\t'
		text.WriteString(s.forward(s.lengthToLineEnd()))
		last = s.lineBreak()
		breaks = s.blockBreaks(indent)
		if s.column != indent || s.char() == 0 {
			break
		}
		switch next := s.text[s.at]; {
		case !fold || last != "\n" || indented || next == ' ' || next == '\t':
			text.WriteString(last)
		case breaks == "":
			text.WriteByte(' ')
		}
	}
	if chomp != '-' {
		text.WriteString(last)
	}
	if chomp == '+' {
		text.WriteString(breaks)
	}
	t.text = text.String()
	s.queue = append(s.queue, t)
}

// blockHeader reads what may stand behind | or >: + or - for what becomes of line breaks at the end, and how many
// columns deeper the text stands; 0 when that is to be seen from the text.
func (s *scanner) blockHeader() (chomp rune, increment int) {
	for range 2 {
		switch c := s.char(); {
		case (c == '+' || c == '-') && chomp == 0:
			chomp = c
			s.forward(1)
		case c >= '1' && c <= '9' && increment == 0:
			increment = int(c - '0')
			s.forward(1)
		}
	}
	if c := s.char(); c != ' ' && !endsLine(c) {
		s.fail(s.line, "behind | or > only + or -, a digit from 1 to 9 and a comment can stand")
		return 0, 0
	}
	s.spaces()
	s.comment()
	if s.lineBreak() == "" && s.char() != 0 {
		s.fail(s.line, "the text of | or > begins on the next line")
	}
	return chomp, increment
}

// blockIndent goes to the first line that is not empty and gives the line breaks before it, and its column.
func (s *scanner) blockIndent(least int) (breaks string, indent int) {
	var b strings.Builder
	indent = least
	for {
		s.spaces()
		indent = max(indent, s.column)
		next := s.lineBreak()
		if next == "" {
			return b.String(), indent
		}
		b.WriteString(next)
	}
}

// blockBreaks goes over empty lines, and over the indentation of the line behind them.
func (s *scanner) blockBreaks(indent int) string {
	var breaks strings.Builder
	for {
		for s.column < indent && s.char() == ' ' {
			s.forward(1)
		}
		next := s.lineBreak()
		if next == "" {
			return breaks.String()
		}
		breaks.WriteString(next)
	}
}
