package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	width "github.com/jedib0t/go-pretty/v6/text"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Style is another way to write for people than the command line's own: that of the Skipper shell. With it answers also
// have Skipper's words and columns, whoever reads them.
type Style struct {
	// Table writes rows below a header; without a header they are names and values. Cells may have several lines.
	Table func(out io.Writer, header []string, rows [][]string) error
	// Time writes a moment.
	Time func(time.Time) string
}

// cell writes a value of a table. Times are relative for people, and RFC 3339 for programs and wherever it matters.
func (c *cli) cell(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case *skipper.Time:
		if v == nil {
			return ""
		}
		return c.moment(v.Time)
	default:
		return fmt.Sprint(v)
	}
}

func (c *cli) moment(t time.Time) string {
	switch {
	case c.Style != nil:
		return c.Style.Time(t)
	case c.OutTTY && c.output != asWide:
		return ago(c.Clock().Sub(t))
	default:
		return t.UTC().Format(time.RFC3339)
	}
}

// ago says how long something is ago, in its largest unit.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	future := d < 0
	if future {
		d = -d
	}
	var n int
	var unit string
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		n, unit = int(d/time.Second), "second"
	case d < time.Hour:
		n, unit = int(d/time.Minute), "minute"
	case d < day:
		n, unit = int(d/time.Hour), "hour"
	default:
		n, unit = int(d/day), "day"
	}
	if future {
		return "in " + counted(n, unit)
	}
	return counted(n, unit) + " ago"
}

// The colours. Each goes with a word that says the same.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	plain  = "\x1b[0m"
)

// colours says whether text on a terminal may be coloured, see https://no-color.org.
func (c *cli) colours() bool { return c.Env("NO_COLOR") == "" && c.Env("TERM") != "dumb" }

// colour gives a text the colour of the state it stands for.
func (c *cli) colour(value any, written string) string {
	if !c.colours() || written == "" {
		return written
	}
	var paint string
	switch value {
	case skipper.StatusDeployed, skipper.StateDeployed, skipper.OutcomeSucceeded:
		paint = green
	case skipper.StatusFailed, skipper.StateFailed, skipper.StateError, skipper.OutcomeFailed, skipper.OutcomeRolledBack:
		paint = red
	case skipper.StatusUnknown, skipper.StateDeploying, skipper.StatePartial, skipper.OutcomeRunning:
		paint = yellow
	default:
		return written
	}
	return paint + written + plain
}

func (c *cli) coloured(row table.Row) table.Row {
	out := make(table.Row, 0, len(row))
	for _, value := range row {
		out = append(out, c.colour(value, c.cell(value)))
	}
	return out
}

// wrap breaks lines at blanks, and inside of words that are too long.
func wrap(line string, most int) string { return width.WrapSoft(line, most) }

func longestLine(s string) int { return width.LongestLineLen(s) }

// moment writes a time where none is relative, in UTC so that it agrees with the log of the server.
func moment(t *skipper.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// instanceStates writes the state of each instance, or of the application when it has none.
func instanceStates(app skipper.AppStatus) string {
	states := []string{}
	for _, id := range slices.Sorted(maps.Keys(app.Instances)) {
		states = append(states, id+"="+string(app.Instances[id].State))
	}
	if len(states) == 0 {
		return string(app.State)
	}
	return strings.Join(states, "\n")
}

// platformStatus writes a line for each application: [DEPLOYMENT ID], State = [INSTANCE=STATE], as Skipper does.
func platformStatus(status skipper.Status) string {
	lines := []string{}
	for _, app := range status.AppStatuses() {
		lines = append(lines, fmt.Sprintf("[%s], State = [%s]", app.DeploymentID, instanceStates(app)))
	}
	return strings.Join(lines, "\n")
}
