package yamlx

import (
	"strings"
	"unicode/utf8"
)

// maxSimpleKey is how far behind its start, in characters, the colon of a key may stand.
const maxSimpleKey = 1024

// scanner cuts a text into tokens, as SnakeYAML's scanner does. It reads each character once, in time that grows with
// the text alone, and looks ahead no further than a key may be long.
type scanner struct {
	text   string // valid UTF-8 without control characters
	at     int    // offset of the next character, in bytes
	index  int    // the same in characters
	line   int    // from 1
	column int    // in characters; a byte order mark takes no place

	queue []token // found and not taken; those before head are
	head  int
	taken int

	flow       int   // depth of brackets
	indent     int   // column of the innermost block, -1 outside of any
	indents    []int // those around it
	keyAllowed bool  // a key may begin here
	keys       []simpleKey
	done       bool
	err        *Error // the first one
}

// simpleKey is where a token stands that becomes a key if a colon follows. There is at most one in each bracket.
type simpleKey struct {
	possible, required  bool
	number              int // of the token, counted from the first of the text
	index, line, column int
}

func newScanner(text string) *scanner {
	return &scanner{text: text, line: 1, indent: -1, keyAllowed: true, keys: make([]simpleKey, 1)}
}

// peek gives the next token.
func (s *scanner) peek() token {
	for s.wantsMore() {
		s.fetch()
	}
	if s.err != nil {
		return token{kind: tokenBad, line: s.err.Line}
	}
	return s.queue[s.head]
}

// take gives the next token and goes on behind it. The last one stays.
func (s *scanner) take() token {
	t := s.peek()
	if t.kind == tokenBad || t.kind == tokenEnd {
		return t
	}
	s.head++
	s.taken++
	if s.head == len(s.queue) {
		s.queue, s.head = s.queue[:0], 0
	}
	return t
}

func (s *scanner) wantsMore() bool {
	switch {
	case s.err != nil || s.done:
		return false
	case s.head == len(s.queue):
		return true
	}
	s.dropStaleKeys()
	for _, key := range s.keys[:s.flow+1] {
		if key.possible {
			return key.number == s.taken // the token may still turn out to be a key
		}
	}
	return false
}

func (s *scanner) fail(line int, format string, args ...any) {
	if s.err == nil {
		s.err = errorf(line, format, args...)
	}
}

// add puts a token of the present line at the end of the queue.
func (s *scanner) add(t token) {
	t.line = s.line
	s.queue = append(s.queue, t)
}

// insert puts a token before one that is in the queue already, given by its number.
func (s *scanner) insert(number int, t token) {
	place := s.head + number - s.taken
	s.queue = append(s.queue, token{})
	copy(s.queue[place+1:], s.queue[place:])
	s.queue[place] = t
}

// char gives the next character; 0 at the end.
func (s *scanner) char() rune { return s.charAt(s.at) }

// charAt gives the character at an offset; 0 at the end.
func (s *scanner) charAt(at int) rune {
	if at >= len(s.text) {
		return 0
	}
	if c := s.text[at]; c < utf8.RuneSelf {
		return rune(c)
	}
	c, _ := utf8.DecodeRuneInString(s.text[at:])
	return c
}

// forward goes on by a number of bytes, which hold whole characters and no line break, and gives them.
func (s *scanner) forward(n int) string {
	passed := s.text[s.at : s.at+n]
	s.at += n
	count := n
	if !isASCII(passed) {
		count = utf8.RuneCountInString(passed)
		s.column -= strings.Count(passed, "\ufeff")
	}
	s.index += count
	s.column += count
	return passed
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lineBreak goes on behind a line break and gives what it is read as; empty when there is none.
func (s *scanner) lineBreak() string {
	read := "\n"
	switch c := s.char(); c {
	case '\r':
		if s.charAt(s.at+1) == '\n' {
			s.at++
			s.index++
		}
		s.at++
	case '\n':
		s.at++
	case '\u0085':
		s.at += 2
	case '\u2028', '\u2029':
		read = string(c)
		s.at += 3
	default:
		return ""
	}
	s.index++
	s.line++
	s.column = 0
	return read
}

// endsLine says that a character is a line break, or the end.
func endsLine(c rune) bool {
	return c == '\n' || c == '\r' || c == 0 || c == '\u0085' || c == '\u2028' || c == '\u2029'
}

// endsWord says that a character is a blank, a line break, or the end.
func endsWord(c rune) bool { return c == ' ' || c == '\t' || endsLine(c) }

// spaces goes on behind spaces.
func (s *scanner) spaces() {
	n := 0
	for s.at+n < len(s.text) && s.text[s.at+n] == ' ' {
		n++
	}
	s.at += n
	s.index += n
	s.column += n
}

// comment goes on to the end of a line if a comment stands here.
func (s *scanner) comment() {
	if s.char() == '#' {
		s.forward(s.lengthToLineEnd())
	}
}

// lengthToLineEnd is how many bytes the line still has.
func (s *scanner) lengthToLineEnd() int {
	at := s.at
	for at < len(s.text) {
		if c := s.text[at]; c < utf8.RuneSelf {
			if c == '\n' || c == '\r' {
				break
			}
			at++
			continue
		}
		c, size := utf8.DecodeRuneInString(s.text[at:])
		if endsLine(c) {
			break
		}
		at += size
	}
	return at - s.at
}

// skip goes to the next token: over spaces, comments and line breaks. Tabs are no spaces.
func (s *scanner) skip() {
	for {
		s.spaces()
		s.comment()
		if s.lineBreak() == "" {
			return
		}
		if s.flow == 0 {
			s.keyAllowed = true
		}
	}
}

// fetch finds the next token, and those that it shows to be before it.
func (s *scanner) fetch() {
	s.skip()
	s.dropStaleKeys()
	s.unwind(s.column)
	if s.err != nil || s.indicator(s.char()) {
		return
	}
	switch c := s.char(); {
	case s.startsPlain(c):
		s.saveKey()
		s.keyAllowed = false
		s.plain()
	case c == '\t':
		s.fail(s.line, "a tab cannot set off a value; use spaces")
	default:
		s.fail(s.line, "the character %q cannot start a value; put the value in quotes", c)
	}
}

// indicator takes in a token that one character announces.
func (s *scanner) indicator(c rune) bool {
	next := s.charAt(s.at + 1) // right for every character looked at below, which take one byte
	switch c {
	case 0:
		s.end()
	case '%':
		return s.column == 0 && s.directive()
	case '-':
		return s.documentMark("---", tokenDocumentStart) || endsWord(next) && s.entry()
	case '.':
		return s.documentMark("...", tokenDocumentEnd)
	case '[':
		s.open(tokenFlowSequenceStart)
	case '{':
		s.open(tokenFlowMappingStart)
	case ']':
		s.close(tokenFlowSequenceEnd)
	case '}':
		s.close(tokenFlowMappingEnd)
	case ',':
		s.keyAllowed = true
		s.removeKey()
		s.single(tokenComma)
	case '?':
		return (s.flow > 0 || endsWord(next)) && s.explicitKey()
	case ':':
		return (s.flow > 0 || endsWord(next)) && s.value()
	case '*':
		s.named(tokenAlias)
	case '&':
		s.named(tokenAnchor)
	case '!':
		s.saveKey()
		s.keyAllowed = false
		s.tag()
	case '|', '>':
		if s.flow > 0 {
			return false
		}
		s.keyAllowed = true
		s.removeKey()
		s.block(c == '>')
	case '\'', '"':
		s.saveKey()
		s.keyAllowed = false
		s.quoted(byte(c))
	default:
		return false
	}
	return true
}

// startsPlain says that a text without quotes begins with a character.
func (s *scanner) startsPlain(c rune) bool {
	if !endsWord(c) && !strings.ContainsRune("-?:,[]{}#&*!|>'\"%@`", c) {
		return true
	}
	return (c == '-' || s.flow == 0 && (c == '?' || c == ':')) && !endsWord(s.charAt(s.at+1))
}

// single takes in a token of one character.
func (s *scanner) single(kind tokenKind) bool {
	s.add(token{kind: kind})
	s.forward(1)
	return true
}

func (s *scanner) end() {
	s.unwind(-1)
	s.removeKey()
	s.keyAllowed, s.done = false, true
	s.add(token{kind: tokenEnd})
}

// isDocumentMark says that a line begins with --- or the like.
func (s *scanner) isDocumentMark(mark string) bool {
	return s.column == 0 && strings.HasPrefix(s.text[s.at:], mark) && endsWord(s.charAt(s.at+3))
}

func (s *scanner) documentMark(mark string, kind tokenKind) bool {
	if !s.isDocumentMark(mark) {
		return false
	}
	s.unwind(-1)
	s.removeKey()
	s.keyAllowed = false
	s.add(token{kind: kind})
	s.forward(3)
	return true
}

func (s *scanner) open(kind tokenKind) {
	s.saveKey()
	if s.flow++; len(s.keys) <= s.flow {
		s.keys = append(s.keys, simpleKey{})
	}
	s.keys[s.flow] = simpleKey{}
	s.keyAllowed = true
	s.single(kind)
}

func (s *scanner) close(kind tokenKind) {
	s.removeKey()
	s.flow = max(0, s.flow-1) // what was never opened is found by the composer
	s.keyAllowed = false
	s.single(kind)
}

func (s *scanner) entry() bool {
	if s.flow == 0 {
		if !s.keyAllowed {
			s.fail(s.line, "an item of a list cannot stand here; put '-' on a line of its own")
			return true
		}
		s.nest(s.column, tokenSequenceStart)
	}
	s.keyAllowed = true
	s.removeKey()
	return s.single(tokenEntry)
}

func (s *scanner) explicitKey() bool {
	if s.flow == 0 {
		if !s.keyAllowed {
			s.fail(s.line, "a key cannot stand here; put '?' on a line of its own")
			return true
		}
		s.nest(s.column, tokenMappingStart)
	}
	s.keyAllowed = s.flow == 0
	s.removeKey()
	return s.single(tokenKey)
}

// value takes in a colon: what stands before it on the line was a key.
func (s *scanner) value() bool {
	key := s.keys[s.flow]
	s.keys[s.flow].possible = false
	switch {
	case key.possible:
		s.insert(key.number, token{kind: tokenKey, line: key.line})
		if s.flow == 0 && s.deeper(key.column) {
			s.insert(key.number, token{kind: tokenMappingStart, line: key.line})
		}
		s.keyAllowed = false
	case s.flow > 0:
		s.keyAllowed = false
	case !s.keyAllowed:
		s.fail(s.line, "a second ':' makes no key here; put the value in quotes, or the key on a line of its own")
		return true
	default:
		s.nest(s.column, tokenMappingStart)
		s.keyAllowed = true
	}
	return s.single(tokenValue)
}

// nest begins a block when this is deeper than the one around.
func (s *scanner) nest(column int, kind tokenKind) {
	if s.deeper(column) {
		s.add(token{kind: kind})
	}
}

func (s *scanner) deeper(column int) bool {
	if s.indent >= column {
		return false
	}
	s.indents = append(s.indents, s.indent)
	s.indent = column
	return true
}

// unwind ends the blocks that are deeper than a column. In brackets columns mean nothing.
func (s *scanner) unwind(column int) {
	if s.flow > 0 {
		return
	}
	for s.indent > column {
		s.indent = s.indents[len(s.indents)-1]
		s.indents = s.indents[:len(s.indents)-1]
		s.add(token{kind: tokenBlockEnd})
	}
}

// saveKey remembers that the next token may be a key.
func (s *scanner) saveKey() {
	required := s.flow == 0 && s.indent == s.column
	if !s.keyAllowed {
		if required {
			s.fail(s.line, "a key must be the first on its line")
		}
		return
	}
	s.removeKey()
	s.keys[s.flow] = simpleKey{
		possible: true, required: required, number: s.taken + len(s.queue) - s.head,
		index: s.index, line: s.line, column: s.column,
	}
}

// removeKey gives up the key of the present bracket.
func (s *scanner) removeKey() {
	s.giveUp(&s.keys[s.flow])
}

// dropStaleKeys gives up the keys whose colon would come too late: on another line, or too far behind.
func (s *scanner) dropStaleKeys() {
	for i := range s.keys[:s.flow+1] {
		if key := &s.keys[i]; key.possible && (key.line != s.line || s.index-key.index > maxSimpleKey) {
			s.giveUp(key)
		}
	}
}

func (s *scanner) giveUp(key *simpleKey) {
	if key.possible && key.required {
		s.fail(key.line, "a key is expected here, and no ':' follows it on its line")
	}
	key.possible = false
}
