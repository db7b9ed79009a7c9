package shell

import (
	"io"
	"time"

	"github.com/skiff-project/skiff/cmd/internal/cli"
)

// otherwiseWide is how wide the Skipper shell takes a terminal whose width it does not know.
const otherwiseWide = 80

// style makes the command line write as the Skipper shell does. Dates are in the time zone of the clock.
func style(width func() int, clock func() time.Time) *cli.Style {
	return &cli.Style{
		Table: func(out io.Writer, header []string, rows [][]string) error {
			columns := otherwiseWide
			if width != nil && width() > 0 {
				columns = width()
			}
			_, err := io.WriteString(out, draw(header, rows, columns))
			return err
		},
		Time: func(t time.Time) string { return t.In(clock().Location()).Format("Mon Jan 02 15:04:05 MST 2006") },
	}
}
