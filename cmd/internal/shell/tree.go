package shell

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skiff-project/skiff/cmd/internal/cli"
)

// outside are commands that make no sense in a shell.
var outside = []string{"server", "shell", "completion", "docs", "help", "version"}

// tree gives the commands of the shell, afresh for each line: those of the command line, and the built-in words.
func (s *session) tree(d cli.Deps) *cobra.Command {
	root := cli.New(d)
	for _, cmd := range root.Commands() {
		if slices.Contains(outside, cmd.Name()) {
			root.RemoveCommand(cmd)
		}
	}
	builtIn := s.builtIn()
	root.SetHelpCommand(builtIn[0])
	root.AddCommand(builtIn...)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { _, _ = io.WriteString(d.Out, explained(cmd)) })
	return root
}

// find gives the command that a line begins with, and how many words name it.
func find(root *cobra.Command, line []word) (*cobra.Command, int) {
	cmd, used := root, 0
	for used < len(line) {
		next := child(cmd, line[used].text)
		if next == nil {
			break
		}
		cmd, used = next, used+1
	}
	return cmd, used
}

func child(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// path gives the words of a command, without the program's name.
func path(cmd *cobra.Command) string {
	_, words, _ := strings.Cut(cmd.CommandPath(), " ")
	return words
}

// unknown says that a line begins with no command.
func unknown(root *cobra.Command, line string, words []word) error {
	near := ""
	best := 3
	for _, c := range visible(root) {
		given := words[:min(len(words), len(strings.Fields(path(c))))]
		if d := distance(path(c), strings.Join(texts(given), " ")); d < best {
			near, best = path(c), d
		}
	}
	if near == "" {
		return fmt.Errorf("No command found for '%s'", line) //nolint:staticcheck // the Skipper shell's sentence
	}
	return fmt.Errorf("No command found for '%s'; did you mean '%s'?", line, near) //nolint:staticcheck // as above
}

// visible gives all commands that do something, in their order.
func visible(cmd *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{}
	for _, c := range cmd.Commands() {
		switch {
		case c.Hidden:
		case c.HasSubCommands():
			out = append(out, visible(c)...)
		default:
			out = append(out, c)
		}
	}
	return out
}

func texts(words []word) []string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		out = append(out, w.text)
	}
	return out
}

// arguments gives the command line that a line of the shell stands for. An option takes the word behind it, a truth
// value only one that is true or false; of several uses the last counts.
func arguments(cmd *cobra.Command, used int, line []word) ([]string, error) {
	args := texts(line[:used])
	options := map[string]int{}
	for i := used; i < len(line); i++ {
		w := line[i]
		flag := flagOf(cmd, w)
		if flag == nil || strings.Contains(w.text, "=") {
			args = append(args, w.text)
			continue
		}
		value, given := "", i+1 < len(line) && !line[i+1].isOption()
		if given {
			value = line[i+1].text
		}
		switch {
		case flag.NoOptDefVal == "" && !given:
			return nil, fmt.Errorf("%s has no value: write it behind the name", w.text)
		case flag.NoOptDefVal == "", given && isTruth(value):
			i++
		default:
			value = flag.NoOptDefVal
		}
		arg := "--" + flag.Name + "=" + value
		if at, again := options[flag.Name]; again && !repeats(flag) {
			args[at] = arg
			continue
		}
		options[flag.Name] = len(args)
		args = append(args, arg)
	}
	return args, nil
}

// repeats tells whether each use of an option counts. A list in one value is not meant: the last one counts.
func repeats(flag *pflag.Flag) bool {
	return !slices.Contains([]string{"string", "stringSlice", "bool", "int", "duration"}, flag.Value.Type())
}

// flagOf gives the flag that a word names, in camel case or with dashes; nil when it names none.
func flagOf(cmd *cobra.Command, w word) *pflag.Flag {
	if !w.isOption() {
		return nil
	}
	name, _, _ := strings.Cut(w.text[2:], "=")
	cmd.InitDefaultHelpFlag()
	if flag := cmd.Flags().Lookup(name); flag != nil {
		return flag
	}
	return cmd.InheritedFlags().Lookup(name)
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
