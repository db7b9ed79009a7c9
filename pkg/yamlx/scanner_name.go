package yamlx

import (
	"net/url"
	"strings"
)

// named takes in an anchor or an alias. Its name may have nearly any character, as in the reference: an unquoted &lt;X
// is the anchor lt;X.
func (s *scanner) named(kind tokenKind) {
	s.saveKey()
	s.keyAllowed = false
	t := token{kind: kind, line: s.line}
	sign := s.forward(1)
	t.text = s.forward(s.lengthUntil(func(c rune) bool { return endsWord(c) || strings.ContainsRune(":,[]{}/.*&", c) }))
	next := s.char()
	switch {
	case t.text == "":
		s.fail(s.line, "%s must have a name behind it; a value that begins with it needs quotes", sign)
	case !endsWord(next) && !strings.ContainsRune("?:,]}%@`", next):
		s.fail(s.line, "the name behind %s cannot have the character %q; a value that begins with %s needs quotes",
			sign, next, sign)
	default:
		s.queue = append(s.queue, t)
	}
}

// tag takes in a tag: !<uri>, !suffix, !handle!suffix, or ! alone.
func (s *scanner) tag() {
	t := token{kind: tokenTag, line: s.line}
	next := s.charAt(s.at + 1)
	switch {
	case next == '<':
		s.forward(2)
		t.text = s.uri()
		if s.err == nil && s.char() != '>' {
			s.fail(s.line, "a tag that begins with !< must end with >")
			return
		}
		s.forward(min(1, len(s.text)-s.at))
	case endsWord(next):
		t.text = s.forward(1)
	default:
		t.handle = "!"
		word := s.text[s.at+1:][:s.wordEnd(s.at+1)]
		if strings.Contains(word, "!") {
			t.handle = s.handle()
		} else {
			s.forward(1)
		}
		t.text = s.uri()
	}
	if c := s.char(); s.err == nil && c != ' ' && !endsLine(c) {
		s.fail(s.line, "the character %q cannot stand in a tag; a value that begins with ! needs quotes", c)
	}
	s.queue = append(s.queue, t)
}

// wordEnd is how many bytes there are from an offset to a space or the end of the line.
func (s *scanner) wordEnd(from int) int {
	n := strings.IndexFunc(s.text[from:], func(c rune) bool { return c == ' ' || endsLine(c) })
	if n < 0 {
		return len(s.text) - from
	}
	return n
}

// handle takes in !, !! or !name!.
func (s *scanner) handle() string {
	n := 1
	if s.charAt(s.at+1) != ' ' {
		for s.at+n < len(s.text) && isWord(s.text[s.at+n]) {
			n++
		}
		if s.charAt(s.at+n) != '!' {
			s.fail(s.line, "the handle of a tag must end with !; a value that begins with ! needs quotes")
			return ""
		}
		n++
	}
	return s.forward(n)
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}

// uri takes in the characters that a tag may have; %41 stands for A.
func (s *scanner) uri() string {
	n := 0
	for s.at+n < len(s.text) && (isWord(s.text[s.at+n]) || strings.IndexByte(";/?:@&=+$,.!~*'()[]%", s.text[s.at+n]) >= 0) {
		n++
	}
	text := s.forward(n)
	unescaped, err := url.PathUnescape(text)
	if n == 0 || err != nil {
		s.fail(s.line, "what stands behind ! is no tag; a value that begins with ! needs quotes")
		return ""
	}
	return unescaped
}

// directive takes in a line such as %YAML 1.1 or %TAG !x! tag:example.com,2000:.
func (s *scanner) directive() bool {
	s.unwind(-1)
	s.removeKey()
	s.keyAllowed = false
	t := token{kind: tokenDirective, line: s.line}
	line := s.forward(s.lengthToLineEnd())
	if comment := strings.Index(line, " #"); comment >= 0 {
		line = line[:comment]
	}
	fields := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' })
	t.handle, t.text = fields[0], strings.Join(fields[1:], " ")
	s.queue = append(s.queue, t)
	return true
}
