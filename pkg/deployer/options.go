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
// Types S, I, B and L are Java's String, Integer, Boolean and Long; ~ is none; a default is JSON. A name that is followed
// by !deprecated is.
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
		id, deprecated := strings.CutSuffix(cells[0], " !deprecated")
		none := []any{}
		option := skipper.Option{
			ID: prefix + id, Name: id[strings.LastIndexByte(id, '.')+1:], Type: optionType(cells[1]), DefaultValue: optionDefault(cells[2]),
			Description: optionText(cells[3]), ShortDescription: optionText(short),
			Hints: skipper.OptionHints{KeyHints: none, KeyProviders: none, ValueHints: none, ValueProviders: none},
		}
		if deprecated {
			option.Deprecated, option.Deprecation = true, deprecation{Level: "WARNING"}
		}
		options = append(options, option)
	}
	return options
}

// deprecation is what Spring's metadata say of an option that should not be used any more.
type deprecation struct {
	Level       string  `json:"level"`
	Reason      *string `json:"reason"`
	ShortReason *string `json:"shortReason"`
	Replacement *string `json:"replacement"`
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
