package cli

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// atMost refuses more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("%q is one argument too many", args[n])
		}
		return nil
	}
}

// optional gives a value that may be given by position or by a flag.
func optional(args []string, value, flag string) (string, error) {
	switch {
	case len(args) == 0:
		return value, nil
	case value != "" && value != args[0]:
		return "", usagef("--%s is %q, and %q was given too: give one of them", flag, value, args[0])
	default:
		return args[0], nil
	}
}

// required gives a value that has to be given, by position or by a flag.
func required(args []string, value, flag string) (string, error) {
	value, err := optional(args, value, flag)
	if err == nil && value == "" {
		return "", usagef("--%s is missing; it may also be given without its name", flag)
	}
	return value, err
}

// named gives the name of a release or package, which has to be given.
func named(args []string, value, flag string) (string, error) {
	name, err := required(args, value, flag)
	if err != nil {
		return "", err
	}
	return name, addressable(name, flag)
}

// addressable refuses names that no URL can hold, and that nothing can have therefore.
func addressable(name, flag string) error {
	if name == "." || name == ".." || strings.Contains(name, "/") {
		return usagef("--%s is %q: use a name that is not \".\" or \"..\" and has no slash", flag, name)
	}
	return nil
}

// flagError names the flag that is wrong, and leaves out what the parser of its value says: it speaks to programmers.
func flagError(cmd *cobra.Command, err error) error {
	sentence := err.Error()
	if _, name, ok := strings.Cut(sentence, "unknown flag: --"); ok {
		return unknownFlag(cmd, "--", name)
	}
	if _, letters, ok := strings.Cut(sentence, "unknown shorthand flag: "); ok {
		_, letters, _ = strings.Cut(letters, " in -")
		return unknownFlag(cmd, "-", letters)
	}
	if before, _, ok := strings.Cut(sentence, `" flag: `); ok {
		sentence = before + `"`
	}
	return usagef("%s", sentence)
}

func unknownFlag(cmd *cobra.Command, dashes, given string) error {
	given, _, _ = strings.Cut(given, "=")
	near := slices.MinFunc(flags(cmd), func(a, b string) int {
		return cmp.Compare(distance(given, a), distance(given, b))
	})
	if distance(given, near) > max(2, len(given)/3) {
		return usagef("there is no flag %s%s", dashes, given)
	}
	return usagef("there is no flag %s%s; did you mean --%s?", dashes, given, near)
}

// flags gives the names of a command's flags; there is always --help.
func flags(cmd *cobra.Command) []string {
	names := []string{}
	for line := range strings.Lines(cmd.Flags().FlagUsages()) {
		if _, rest, ok := strings.Cut(line, "--"); ok {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	return names
}

// distance counts the letters that are to be changed, added or left out to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
