package handler

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// charsetOf gives the charset a request says its body has, in lower case; empty when it says none.
func charsetOf(r *http.Request) string {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return strings.ToLower(params["charset"])
}

func latin1(r *http.Request) bool {
	return slices.Contains([]string{"iso-8859-1", "latin1", "iso8859-1"}, charsetOf(r))
}

// knownCharset says whether a body can be read. JSON is UTF-8; old clients also send ISO-8859-1.
func knownCharset(r *http.Request) bool {
	return latin1(r) || slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, charsetOf(r))
}

// utf8Reader reads text as UTF-8, and refuses what is none: encoding/json would put other characters in its place.
type utf8Reader struct {
	from   io.Reader
	latin1 bool
	ready  []byte // whole characters, not given out yet
	rest   []byte // the beginning of a character
	err    error
}

var errNotUTF8 = errors.New("the text is not UTF-8; name its charset in Content-Type")

// Read gives whole characters.
func (u *utf8Reader) Read(p []byte) (int, error) {
	for len(u.ready) == 0 && u.err == nil {
		u.fill()
	}
	if len(u.ready) == 0 {
		return 0, u.err
	}
	n := copy(p, u.ready)
	u.ready = u.ready[n:]
	return n, nil
}

func (u *utf8Reader) fill() {
	buffer := make([]byte, 32<<10)
	n, err := u.from.Read(buffer)
	u.err = err
	if u.latin1 {
		for _, b := range buffer[:n] {
			u.ready = utf8.AppendRune(u.ready, rune(b))
		}
		return
	}
	text := slices.Concat(u.rest, buffer[:n])
	whole := len(text)
	if err == nil {
		whole -= begun(text)
	}
	if !utf8.Valid(text[:whole]) {
		u.ready, u.err = nil, errNotUTF8
		return
	}
	u.ready, u.rest = text[:whole], slices.Clone(text[whole:])
}

// begun counts the bytes at the end of a text that begin a character whose rest is still to come.
func begun(text []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if start := len(text) - back; utf8.RuneStart(text[start]) {
			if utf8.FullRune(text[start:]) {
				return 0
			}
			return back
		}
	}
	return 0
}
