package cli

import (
	"fmt"
	"io"
	"time"
)

// progress tells a person what is waited for and since when: in place on a terminal, else one line for each change.
type progress struct {
	out     io.Writer
	inPlace bool
	last    string
}

func (p *progress) show(text string, elapsed time.Duration) {
	line := fmt.Sprintf("%4s  %s", elapsed.Round(time.Second), text)
	switch {
	case p.inPlace && p.last == text:
		p.write("\r\x1b[K" + line)
	case p.inPlace && p.last != "":
		p.write("\n" + line)
	case p.inPlace:
		p.write(line)
	case p.last != text:
		p.write(line + "\n")
	}
	p.last = text
}

// end leaves the cursor at the start of a line.
func (p *progress) end() {
	if p.inPlace && p.last != "" {
		p.write("\n")
	}
}

// write ignores that nobody can read it: what is waited for matters more.
func (p *progress) write(s string) { _, _ = io.WriteString(p.out, s) }
