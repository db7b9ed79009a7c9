package shell

import (
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// frame is how the Skipper shell draws a table: a double outline, a double line under the header, single lines between
// columns, none between rows, no padding.
var frame = table.BoxStyle{
	TopLeft: "╔", TopSeparator: "╤", TopRight: "╗",
	Left: "║", MiddleVertical: "│", Right: "║",
	LeftSeparator: "╠", MiddleSeparator: "╪", RightSeparator: "╣",
	BottomLeft: "╚", BottomSeparator: "╧", BottomRight: "╝",
	MiddleHorizontal: "═",
}

// draw writes a table as the Skipper shell does, and an empty line behind it. It is at most width wide, unless a word
// is wider than its column may be. A nil header gives a table without one.
func draw(header []string, rows [][]string, width int) string {
	rows = harmless(rows)
	all := rows
	if header != nil {
		all = append([][]string{header}, rows...)
	}
	widths := columnWidths(all, width)
	t := table.NewWriter()
	style := table.StyleDefault
	style.Box = frame
	style.Format.Header = text.FormatDefault
	style.Options.SeparateHeader = len(rows) > 0
	t.SetStyle(style)
	configs := make([]table.ColumnConfig, len(widths))
	for i, w := range widths {
		configs[i] = table.ColumnConfig{
			Number: i + 1, WidthMin: w, WidthMax: w, WidthMaxEnforcer: func(s string, _ int) string { return s },
			Align: text.AlignLeft, AlignHeader: text.AlignLeft, VAlign: text.VAlignTop, VAlignHeader: text.VAlignMiddle,
		}
	}
	t.SetColumnConfigs(configs)
	if header != nil {
		t.AppendHeader(cells(header, widths, centred))
	}
	for _, row := range rows {
		t.AppendRow(cells(row, widths, func(line string, _ int) string { return line }))
	}
	return t.Render() + "\n\n"
}

// cells breaks the lines of cells to their widths and places each.
func cells(row []string, widths []int, place func(line string, width int) string) table.Row {
	out := table.Row{}
	for i, cell := range row {
		lines := []string{}
		for line := range strings.SplitSeq(cell, "\n") {
			for _, part := range wrap(line, widths[i]) {
				lines = append(lines, place(part, widths[i]))
			}
		}
		out = append(out, strings.Join(lines, "\n"))
	}
	return out
}

// centred puts a line in the middle; the odd blank goes to the right.
func centred(line string, width int) string {
	return strings.Repeat(" ", (width-text.StringWidth(line))/2) + line
}

// harmless leaves out what would move the cursor or change colours: a server's texts are not trusted.
func harmless(rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = make([]string, len(row))
		for j, cell := range row {
			out[i][j] = strings.Map(func(r rune) rune {
				if r != '\n' && unicode.IsControl(r) {
					return ' '
				}
				return r
			}, cell)
		}
	}
	return out
}

// columnWidths shares the width of the terminal as the Skipper shell does: when not all columns get what their longest
// line needs, each gets its longest word and a part of the rest, in proportion to what it lacks.
func columnWidths(rows [][]string, width int) []int {
	least, most := make([]int, len(rows[0])), make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			for line := range strings.SplitSeq(cell, "\n") {
				most[i] = max(most[i], text.StringWidth(line))
				for word := range strings.SplitSeq(line, " ") {
					least[i] = max(least[i], text.StringWidth(word))
				}
			}
		}
	}
	rest, wanted := width-len(least)-1, 0
	for i := range least {
		rest -= least[i]
		wanted += most[i] - least[i]
	}
	if wanted <= rest {
		return most
	}
	for i := range least {
		least[i] += (most[i] - least[i]) * max(0, rest) / wanted
	}
	return least
}

// wrap breaks a line at blanks.
func wrap(line string, width int) []string {
	if text.StringWidth(line) <= width {
		return []string{line}
	}
	var lines []string
	last := ""
	for i, word := range strings.Split(line, " ") {
		switch longer := last + " " + word; {
		case i == 0:
			last = word
		case text.StringWidth(longer) <= width:
			last = longer
		default:
			lines, last = append(lines, last), word
		}
	}
	return append(lines, last)
}
