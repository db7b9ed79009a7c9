package cli

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

// named gives a name that has to be given, by position or by a flag.
func named(args []string, value, flag string) (string, error) {
	switch {
	case len(args) > 0 && value != "" && value != args[0]:
		return "", usagef("--%s is %q, and %q was given too: give one of them", flag, value, args[0])
	case len(args) > 0:
		value = args[0]
	}
	if value == "" {
		return "", usagef("--%s is missing; it may also be given without its name", flag)
	}
	return value, addressable(value, flag)
}

// positional lets values be given without the names of their flags: each fills the first flag, in this order, that was
// not given by name. It is how the Skipper shell reads a line.
func positional(flags ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, value := range args {
			i := slices.IndexFunc(flags, func(flag string) bool { return !cmd.Flags().Changed(flag) })
			if i < 0 {
				return usagef("%q is one argument too many", value)
			}
			if err := cmd.Flags().Set(flags[i], value); err != nil {
				return usagef("%q is no value for --%s, which is the next one that was not given", value, flags[i])
			}
		}
		return nil
	}
}

// needed refuses a line without a value for each of the flags.
func needed(cmd *cobra.Command, flags ...string) error {
	for _, flag := range flags {
		if f := cmd.Flags().Lookup(flag); f.Value.String() == "" || !f.Changed {
			next := map[string]string{
				"package-name": "; 'skiff package list' shows the packages", "release-name": "; it may also be given without its name",
				"path": "; it may also be given without its name", "name": "; it may also be given without its name",
			}[flag]
			return usagef("--%s is missing%s", flag, next)
		}
	}
	return nil
}

// needing adds the flags that have to be given to how a command reads its arguments.
func needing(read cobra.PositionalArgs, flags ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := read(cmd, args); err != nil {
			return err
		}
		if err := needed(cmd, flags...); err != nil {
			return err
		}
		for _, flag := range []string{"release-name", "package-name"} {
			if f := cmd.Flags().Lookup(flag); f != nil {
				if err := addressable(f.Value.String(), flag); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// exclusive refuses more than one of some flags.
func exclusive(cmd *cobra.Command, flags ...string) error {
	first := ""
	for _, flag := range flags {
		switch {
		case !cmd.Flags().Changed(flag):
		case first != "":
			return usagef("--%s and --%s exclude each other: give one of them", first, flag)
		default:
			first = flag
		}
	}
	return nil
}

// kebab gives the name of a flag as we write it: --releaseName, as the Skipper shell has it, is --release-name.
func kebab(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	var out strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			out.WriteByte('-')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return pflag.NormalizedName(out.String())
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
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
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
