package cli

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

// The formats of --output. A table is for whoever reads it: fitted to a terminal, tab-separated in a pipe.
const (
	asTable = "table"
	asWide  = "wide" // all columns, none of them cut
	asJSON  = "json"
	asYAML  = "yaml"
	asName  = "name" // only the field name of each
)

func formats() []string { return []string{asTable, asWide, asJSON, asYAML, asName} }

func (c *cli) checkOutput() error {
	if slices.Contains(formats(), c.output) {
		return nil
	}
	return usagef("--output is %q: use %s", c.output, strings.Join(formats(), ", "))
}

// show writes a value in the format that was asked for; people writes it for people. The fields of JSON and YAML are
// those of the REST API.
func (c *cli) show(value any, people func() error) error {
	switch c.output {
	case asJSON:
		return writeJSON(c.Out, value)
	case asYAML:
		text, err := yamlOf(value)
		if err != nil {
			return err
		}
		return c.say("%s", text)
	case asName:
		return c.showNames(value)
	}
	return people()
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// yamlOf writes what JSON would have, as YAML: JSON is a part of it.
func yamlOf(value any) (string, error) {
	var text strings.Builder
	if err := writeJSON(&text, value); err != nil {
		return "", err
	}
	parsed, err := yamlx.ParseOne(text.String())
	if err != nil {
		return "", failuref("the answer cannot be written as YAML: %w; use -o json", err)
	}
	return yamlx.Plain(parsed), nil
}

// showNames writes the field name of a value, or of each in a list, once.
func (c *cli) showNames(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	type named struct {
		Name string `json:"name"`
	}
	items := []named{}
	if json.Unmarshal(text, &items) != nil {
		var one named
		if json.Unmarshal(text, &one) != nil || one.Name == "" {
			return usagef("--output name: this command shows nothing that has a name; use json")
		}
		items = append(items, one)
	}
	seen := map[string]bool{}
	for _, item := range items {
		if item.Name == "" {
			return usagef("--output name: this command shows nothing that has a name; use json")
		}
		if seen[item.Name] {
			continue
		}
		seen[item.Name] = true
		if err := c.say("%s\n", item.Name); err != nil {
			return err
		}
	}
	return nil
}

// table writes rows below a header. Cells are texts, numbers, states, which have a colour on a terminal, and times.
func (c *cli) table(header table.Row, rows []table.Row) error {
	if c.Style != nil {
		return c.Style.Table(c.Out, c.texts(header), c.textRows(rows))
	}
	if !c.OutTTY {
		return c.tabSeparated(append([]table.Row{header}, rows...))
	}
	t := table.NewWriter()
	t.AppendHeader(header)
	for _, row := range rows {
		t.AppendRow(c.coloured(row))
	}
	t.SuppressTrailingSpaces()
	style := table.StyleDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", columnGap
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = 0
	t.SetStyle(style)
	t.SetColumnConfigs(c.fitted(header, rows))
	return c.say("%s\n", t.Render())
}

// pairs writes rows of a name and a value.
func (c *cli) pairs(rows ...table.Row) error {
	if c.Style != nil {
		return c.Style.Table(c.Out, nil, c.textRows(rows))
	}
	width := 0
	for _, row := range rows {
		width = max(width, len(c.cell(row[0])))
	}
	for _, row := range rows {
		name, value := c.cell(row[0])+":", c.cell(row[1])
		if c.OutTTY {
			value = c.colour(row[1], value)
		}
		value = strings.ReplaceAll(value, "\n", "\n"+strings.Repeat(" ", width+3))
		if err := c.say("%-*s  %s\n", width+1, name, value); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) tabSeparated(rows []table.Row) error {
	var out strings.Builder
	flat := strings.NewReplacer("\t", " ", "\r", "", "\n", ", ")
	for _, row := range rows {
		for i, text := range c.texts(row) {
			if i > 0 {
				out.WriteByte('\t')
			}
			out.WriteString(flat.Replace(text))
		}
		out.WriteByte('\n')
	}
	return c.say("%s", out.String())
}

func (c *cli) textRows(rows []table.Row) [][]string {
	out := make([][]string, 0, len(rows))
	for _, row := range rows {
		out = append(out, c.texts(row))
	}
	return out
}

func (c *cli) texts(row table.Row) []string {
	out := make([]string, 0, len(row))
	for _, value := range row {
		out = append(out, c.cell(value))
	}
	return out
}

const (
	columnGap   = "  "
	leastColumn = 8
)

// fitted narrows the widest columns until all fit the terminal; their cells are wrapped at blanks.
func (c *cli) fitted(header table.Row, rows []table.Row) []table.ColumnConfig {
	room := 0
	if c.Width != nil && c.output != asWide {
		room = c.Width() - len(header)*len(columnGap)
	}
	widths := make([]int, len(header))
	for _, row := range append([]table.Row{header}, rows...) {
		for i, text := range c.texts(row) {
			widths[i] = max(widths[i], longestLine(text))
		}
	}
	if room <= 0 || sum(widths) <= room {
		return nil
	}
	for sum(widths) > room {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= leastColumn {
			break // it is no terminal for so many columns
		}
		widths[widest]--
	}
	configs := make([]table.ColumnConfig, 0, len(widths))
	for i, width := range widths {
		configs = append(configs, table.ColumnConfig{Number: i + 1, WidthMax: width, WidthMaxEnforcer: wrap})
	}
	return configs
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
