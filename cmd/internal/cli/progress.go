package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	width "github.com/jedib0t/go-pretty/v6/text"
)

// progress tells a person what is waited for and since when: in place on a terminal, with a line for each application;
// else one line for each change.
type progress struct {
	out     io.Writer
	inPlace bool
	width   int // columns of the terminal; 0: unknown
	clock   func() time.Time
	colour  func(value any, written string) string

	last  string               // what was told last
	line  string               // and when, as it was written
	lines int                  // that stand in place below the first one
	since map[string]time.Time // since when an application is as it is
}

func (c *cli) progress() *progress {
	p := &progress{out: c.Err, inPlace: c.IsTTY, clock: c.Clock, colour: c.colour}
	if c.Width != nil {
		p.width = c.Width()
	}
	return p
}

func (p *progress) show(prefix string, seen sight, elapsed time.Duration) {
	if !p.inPlace {
		text := prefix + seen.text()
		if text != p.last {
			p.write(fmt.Sprintf("%4s  %s\n", elapsed.Round(time.Second), text))
		}
		p.last = text
		return
	}
	p.block(prefix+seen.pending, seen.apps, elapsed)
}

// block writes over the lines of the time before. What is done stays above when something else is waited for.
func (p *progress) block(head string, apps []appSight, elapsed time.Duration) {
	var out strings.Builder
	switch {
	case p.last == head:
		p.back(&out)
	case p.last != "":
		p.back(&out)
		out.WriteString(p.line + "\n")
	}
	p.last, p.line = head, p.cut(fmt.Sprintf("%4s  %s", elapsed.Round(time.Second), head))
	out.WriteString(p.line)
	p.lines = 0
	since := map[string]time.Time{}
	for _, app := range apps {
		key := app.id + " " + string(app.state)
		began, ok := p.since[key]
		if !ok {
			began = p.clock()
		}
		since[key] = began
		text := fmt.Sprintf("      %-30s  %s  %s", app.id, p.colour(app.state, fmt.Sprintf("%-10s", app.state)),
			p.clock().Sub(began).Round(time.Second))
		if app.why != "" {
			text += "  " + app.why
		}
		out.WriteString("\n" + p.cut(text))
		p.lines++
	}
	p.since = since
	p.write(out.String())
}

// cut keeps a line in one line of the terminal.
func (p *progress) cut(line string) string {
	if p.width < 2 {
		return line
	}
	return width.Trim(line, p.width-1)
}

// back moves to the first of the lines in place and clears them.
func (p *progress) back(out *strings.Builder) {
	out.WriteString("\r")
	if p.lines > 0 {
		fmt.Fprintf(out, "\x1b[%dA", p.lines)
	}
	out.WriteString("\x1b[J")
}

// end leaves the cursor at the start of a line.
func (p *progress) end() {
	if p.inPlace && p.last != "" {
		p.write("\n")
	}
	p.last, p.lines = "", 0
}

// write ignores that nobody can read it: what is waited for matters more.
func (p *progress) write(s string) { _, _ = io.WriteString(p.out, s) }
