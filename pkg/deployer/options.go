package deployer

import (
	"encoding/json"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// ParseOptions reads a table of deployment properties, one a line:
//
//	name | type | default | description | short description, when it is another
//
// Types S, I, B and L are Java's String, Integer, Boolean and Long; ~ is none; a default is JSON.
func ParseOptions(prefix, table string) []skipper.Option {
	var options []skipper.Option
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) < 4 {
			continue
		}
		short := cells[3]
		if len(cells) > 4 {
			short = cells[4]
		}
		name := cells[0][strings.LastIndexByte(cells[0], '.')+1:]
		none := []any{}
		options = append(options, skipper.Option{
			ID: prefix + cells[0], Name: name, Type: optionType(cells[1]), DefaultValue: optionDefault(cells[2]),
			Description: optionText(cells[3]), ShortDescription: optionText(short),
			Hints: skipper.OptionHints{KeyHints: none, KeyProviders: none, ValueHints: none, ValueProviders: none},
		})
	}
	return options
}

func optionType(cell string) *string {
	if name, ok := map[string]string{"S": "String", "I": "Integer", "B": "Boolean", "L": "Long"}[cell]; ok {
		cell = "java.lang." + name
	}
	return optionText(cell)
}

func optionText(cell string) *string {
	if cell == "~" {
		return nil
	}
	return &cell
}

func optionDefault(cell string) any {
	var value any
	if cell == "~" || json.Unmarshal([]byte(cell), &value) != nil {
		return nil
	}
	return value
}
