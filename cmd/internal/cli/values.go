package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/yamlx"
	"github.com/skiff-project/skiff/templates"
)

const setHelp = `--set a.b=VALUE sets one value; repeat it for others. Dots lead into maps, \. is a dot in a key. What follows
applicationProperties. or deploymentProperties. is one key, dots and all. VALUE is read as YAML reads it without quotes:
2 is a number, true a truth value, ~ is null; --set-string takes it as a text. Commas mean nothing: lists stand in files.`

// valueFlags are the values that a command line gives to a package.
type valueFlags struct {
	files       []string
	assignments []assignment
}

// assignment is one --set or --set-string.
type assignment struct {
	text    string // KEY=VALUE
	literal bool   // the value is a text, whatever it looks like
}

func (f *valueFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.files, "values", nil, "YAML `FILE` of values; - reads standard input; may be repeated")
	cmd.Flags().Var(setFlag{&f.assignments, false}, "set", "one value, as a.b=c; may be repeated")
	cmd.Flags().Var(setFlag{&f.assignments, true}, "set-string", "one value that is a text, as a.b=010; may be repeated")
}

// setFlag takes the uses of a flag in, in one order with those of the other.
type setFlag struct {
	to      *[]assignment
	literal bool
}

// Set takes one more assignment.
func (f setFlag) Set(text string) error {
	*f.to = append(*f.to, assignment{text, f.literal})
	return nil
}

// String is the default: nothing.
func (setFlag) String() string { return "" }

// Type names the value in the help.
func (setFlag) Type() string { return "KEY=VALUE" }

// merged gives the values of a command line as the text a request would have; empty without any. One file alone is
// taken as it is.
func (c *cli) merged(f valueFlags) (string, error) {
	all, text := yamlx.NewMap(), ""
	for _, file := range f.files {
		raw, err := c.readFile(file, "--values")
		if err != nil {
			return "", failuref("%w", err)
		}
		values, err := yamlx.ParseMap(raw)
		if err == nil {
			all, err = templates.Merge(all, values)
		}
		if err != nil {
			return "", failuref("--values %s: %w", file, err)
		}
		text = raw
	}
	if len(f.files) < 2 && len(f.assignments) == 0 {
		return text, nil
	}
	for _, a := range f.assignments {
		values, err := a.values()
		if err != nil {
			return "", err
		}
		if all, err = templates.Merge(all, values); err != nil {
			return "", usagef("--set %s: %w", a.text, err)
		}
	}
	return yamlx.Plain(all), nil
}

// values gives the maps in maps that an assignment stands for.
func (a assignment) values() (*yamlx.Map, error) {
	left, text, ok := strings.Cut(a.text, "=")
	path := keys(left)
	for _, key := range path {
		ok = ok && key != ""
	}
	if !ok {
		return nil, usagef("--set %s: a key and its value are due, as spec.count=2", a.text)
	}
	var value yamlx.Value = text
	if !a.literal {
		value = yamlx.Scalar(text)
	}
	var m *yamlx.Map
	for _, key := range slices.Backward(path) {
		m = yamlx.NewMap()
		m.Put(key, value)
		value = m
	}
	return m, nil
}

// keys takes a path apart at its dots. The names of properties have dots themselves: they are one key.
func keys(path string) []string {
	const dot = "\x00"
	parts := strings.Split(strings.ReplaceAll(path, `\.`, dot), ".")
	for i, part := range parts {
		if (part == "applicationProperties" || part == "deploymentProperties") && i+2 < len(parts) {
			parts = append(parts[:i+1], strings.Join(parts[i+1:], "."))
			break
		}
	}
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], dot, ".")
	}
	return parts
}
