package hal

import (
	"strconv"
	"unicode/utf8"
)

// format lays compact JSON out anew: strings escaped as Jackson escapes them and, when asked for, pretty printed as its
// DefaultPrettyPrinter does. Only objects indent; the elements of an array stand on one line with their brackets.
func format(compact []byte, pretty bool) []byte {
	f := formatter{in: compact, out: make([]byte, 0, len(compact)+len(compact)/4), pretty: pretty}
	for f.pos < len(f.in) {
		f.token()
	}
	return f.out
}

type formatter struct {
	in, out []byte
	pos     int
	open    []byte // the brackets that are open
	indent  int    // how many of them are braces
	pretty  bool
}

func (f *formatter) token() {
	c := f.in[f.pos]
	if c == '"' {
		f.str()
		return
	}
	f.pos++
	if !f.pretty {
		f.out = append(f.out, c)
		return
	}
	switch c {
	case '{', '[':
		f.opening(c)
	case '}', ']':
		f.closing(c)
	case ':':
		f.out = append(f.out, " : "...)
	case ',':
		f.out = append(f.out, ',')
		f.space()
	default:
		f.out = append(f.out, c)
	}
}

// opening writes an opening bracket; an empty object or array is written whole.
func (f *formatter) opening(c byte) {
	f.out = append(f.out, c)
	if next := f.in[f.pos]; next == '}' || next == ']' {
		f.out = append(f.out, ' ', next)
		f.pos++
		return
	}
	f.open = append(f.open, c)
	if c == '{' {
		f.indent++
	}
	f.space()
}

func (f *formatter) closing(c byte) {
	if c == '}' {
		f.indent--
	}
	f.space()
	f.open = f.open[:len(f.open)-1]
	f.out = append(f.out, c)
}

// space parts the elements of the innermost bracket: by a blank in an array, by a new line in an object.
func (f *formatter) space() {
	if f.open[len(f.open)-1] == '[' {
		f.out = append(f.out, ' ')
		return
	}
	f.out = append(f.out, '\n')
	for range f.indent {
		f.out = append(f.out, "  "...)
	}
}

// str copies one string. encoding/json writes some characters as \uXXXX that Jackson writes as they are, and control
// characters with lower-case digits where Jackson has upper-case ones.
func (f *formatter) str() {
	f.out = append(f.out, '"')
	for f.pos++; f.in[f.pos] != '"'; f.pos++ {
		if f.in[f.pos] != '\\' {
			f.out = append(f.out, f.in[f.pos])
			continue
		}
		f.pos++
		if f.in[f.pos] == 'u' {
			f.unicode()
			continue
		}
		f.out = append(f.out, '\\', f.in[f.pos])
	}
	f.out = append(f.out, '"')
	f.pos++
}

func (f *formatter) unicode() {
	digits := string(f.in[f.pos+1 : f.pos+5])
	f.pos += 4
	code, err := strconv.ParseUint(digits, 16, 16)
	switch {
	case err != nil || !utf8.ValidRune(rune(code)): // half of a surrogate pair stays escaped
		f.out = append(f.out, '\\', 'u')
		f.out = append(f.out, digits...)
	case code < 0x20:
		const hex = "0123456789ABCDEF"
		f.out = append(f.out, '\\', 'u', '0', '0', hex[code>>4], hex[code&15])
	case code == '"' || code == '\\':
		f.out = append(f.out, '\\', byte(code))
	default:
		f.out = utf8.AppendRune(f.out, rune(code))
	}
}
