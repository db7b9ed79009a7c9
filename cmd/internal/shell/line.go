package shell

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is one word of a line.
type word struct {
	text   string
	quoted bool // some of it stood in quotes: it is a value, whatever it begins with
	start  int  // where it begins in the line, in bytes
}

// isOption tells whether a word names an option.
func (w word) isOption() bool { return !w.quoted && len(w.text) > 2 && strings.HasPrefix(w.text, "--") }

// lexed is a line taken apart.
type lexed struct {
	words []word
	quote rune // the quote that is still open at the end; 0 for none
	inner bool // the end of the line is inside the last word, or right behind it
}

// lex takes a line apart at its blanks. Quotes, double or single, keep blanks together wherever they stand in a word; a
// backslash takes the meaning of the character behind it, in quotes too.
func lex(line string) lexed {
	var l lexed
	var w word
	var text strings.Builder
	escaped := false
	for i, r := range line {
		blank := unicode.IsSpace(r) && l.quote == 0 && !escaped
		if !blank && !l.inner {
			w, l.inner = word{start: i}, true
			text.Reset()
		}
		switch {
		case escaped:
			escaped = false
			text.WriteString(char(line, i, r))
		case r == '\\':
			escaped = true
		case blank:
			if l.inner {
				w.text, l.inner = text.String(), false
				l.words = append(l.words, w)
			}
		case l.quote != 0 && r == l.quote:
			l.quote = 0
		case l.quote == 0 && (r == '"' || r == '\''):
			l.quote, w.quoted = r, true
		default:
			text.WriteString(char(line, i, r))
		}
	}
	if l.inner {
		w.text = text.String()
		l.words = append(l.words, w)
	}
	return l
}

// char gives a character as it stands in the line: bytes that are no UTF-8 stay as they are.
func char(line string, i int, r rune) string {
	if r == utf8.RuneError {
		_, size := utf8.DecodeRuneInString(line[i:])
		return line[i : i+size]
	}
	return string(r)
}

// quoted writes a word so that lex gives it back.
func quoted(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '\'' || r == '\\'
	}) && !strings.HasPrefix(text, "--") {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// continued tells whether a line goes on with the next one, and gives it without the backslash that says so.
func continued(line string) (string, bool) {
	end := strings.TrimRight(line, " \t\r")
	slashes := len(end) - len(strings.TrimRight(end, `\`))
	if slashes%2 == 0 { // each takes the meaning of the next
		return line, false
	}
	return end[:len(end)-1], true
}

// isNothing tells whether a line has nothing to run: it is blank or a comment.
func isNothing(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "//")
}
