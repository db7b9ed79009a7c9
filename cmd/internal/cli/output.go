package cli

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// show writes a value as JSON when that was asked for, else what people writes.
func (c *cli) show(value any, people func() error) error {
	if c.output == "json" {
		return writeJSON(c.Out, value)
	}
	return people()
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table writes columns without lines around them, so that the output is easy to read and to cut.
func (c *cli) table(header table.Row, rows []table.Row) error {
	t := table.NewWriter()
	t.AppendHeader(header)
	t.AppendRows(rows)
	t.SuppressTrailingSpaces()
	style := table.StyleDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = 0
	t.SetStyle(style)
	return c.say("%s\n", t.Render())
}

// moment writes a time for people, in UTC so that it agrees with the log of the server.
func moment(t *skipper.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// platformStatus writes a line for each application.
func platformStatus(status skipper.Status) string {
	var lines strings.Builder
	for i, app := range status.AppStatuses() {
		if i > 0 {
			lines.WriteString("\n")
		}
		lines.WriteString(app.DeploymentID + ": " + string(app.State))
	}
	return lines.String()
}
