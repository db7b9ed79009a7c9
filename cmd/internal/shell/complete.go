package shell

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skiff-project/skiff/cmd/internal/cli"
)

// complete gives what the word at a position, counted in characters, may become: commands, options that are not used
// yet, and names that the server knows.
func (s *session) complete(ctx context.Context, line string, pos int) (head string, found []string, tail string) {
	runes := []rune(line)
	left := string(runes[:pos])
	tail = string(runes[pos:])
	l := lex(left)
	words, last, head := l.words, "", left
	if l.inner {
		w := words[len(words)-1]
		words, last, head = words[:len(words)-1], w.text, left[:w.start]
	}
	for _, c := range s.candidates(ctx, words, last, l.quote != 0) {
		if strings.HasPrefix(c, last) && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	for i, c := range found {
		c = written(c)
		if len(found) == 1 && !strings.HasSuffix(c, string(filepath.Separator)) && !strings.HasPrefix(tail, " ") {
			c += " "
		}
		found[i] = c
	}
	return head, found, tail
}

// written quotes a candidate where that is needed. An option is no value.
func written(c string) string {
	if strings.HasPrefix(c, "--") {
		return c
	}
	return quoted(c)
}

func (s *session) candidates(ctx context.Context, words []word, last string, open bool) []string {
	root := s.tree(s.deps) //nolint:contextcheck // cobra hands the context to the command it runs
	cmd, used := find(root, words)
	if used == len(words) && cmd.HasSubCommands() {
		return subcommands(cmd)
	}
	if cmd.HasSubCommands() {
		return nil
	}
	if cmd.Name() == "help" {
		about, n := find(root, words[1:])
		if n == len(words)-1 {
			return subcommands(about)
		}
		return nil
	}
	given, unnamed, waits := options(cmd, words[used:])
	cmd.SetContext(ctx)
	for name, value := range given {
		_ = cmd.Flags().Set(name, value) // what it cannot be says nothing of the others
	}
	_ = cmd.ValidateArgs(unnamed) // it gives them to the options that they fill; the line need not be whole
	if strings.HasPrefix(last, "--") && !open && waits == nil {
		return unused(cmd)
	}
	if waits != nil {
		return s.values(cmd, waits.Name, given, last) //nolint:contextcheck // the command has it
	}
	out := s.positional(cmd, given, unnamed, last)
	if len(out) == 0 && last == "" {
		return unused(cmd)
	}
	return out
}

// values gives what an option of a line may be.
func (s *session) values(cmd *cobra.Command, option string, given map[string]string, last string) []string {
	if slices.Contains([]string{"file", "path", "values"}, option) {
		return files(last)
	}
	return s.names.of(path(cmd)+" --"+option, given, nil, func() ([]string, bool) {
		return cli.Values(s.deps, cmd, option), false
	}).names
}

// positional gives what the next value without a name may be. What the line has already is none.
func (s *session) positional(cmd *cobra.Command, given map[string]string, unnamed []string, last string) []string {
	if cmd.ValidArgsFunction == nil {
		return nil
	}
	known := s.names.of(path(cmd), given, unnamed, func() ([]string, bool) {
		found, directive := cmd.ValidArgsFunction(cmd, unnamed, "")
		return found, directive == cobra.ShellCompDirectiveDefault
	})
	if known.files {
		return files(last)
	}
	return slices.DeleteFunc(slices.Clone(known.names), func(name string) bool {
		return slices.Contains(unnamed, name) || slices.Contains(slices.Collect(maps.Values(given)), name)
	})
}

func subcommands(cmd *cobra.Command) []string {
	out := []string{}
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			out = append(append(out, c.Name()), c.Aliases...)
		}
	}
	slices.Sort(out)
	return out
}

// options gives the options of a line with their values, and the values without a name; waits is the option whose value
// comes next.
func options(cmd *cobra.Command, line []word) (given map[string]string, unnamed []string, waits *pflag.Flag) {
	given = map[string]string{}
	for i := 0; i < len(line); i++ {
		flag := flagOf(cmd, line[i])
		if flag == nil {
			unnamed = append(unnamed, line[i].text)
			continue
		}
		_, value, inline := strings.Cut(line[i].text, "=")
		switch next := i + 1; {
		case inline, flag.NoOptDefVal != "" && (next == len(line) || !isTruth(line[next].text)):
		case next == len(line):
			return given, unnamed, flag
		default:
			i = next
			value = line[i].text
		}
		given[flag.Name] = value
	}
	return given, unnamed, nil
}

func isTruth(text string) bool { return text == "true" || text == "false" }

// unused gives the options of a command that have no value yet, spelled as in the Skipper shell.
func unused(cmd *cobra.Command) []string {
	out := []string{}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed && !f.Hidden && f.Name != "help" {
			out = append(out, camel(f.Name))
		}
	})
	return out
}

// camel spells the name of an option in camel case: --release-name is --releaseName.
func camel(option string) string {
	parts := strings.Split(strings.TrimPrefix(option, "--"), "-")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return "--" + strings.Join(parts, "")
}

// files gives the files and folders that begin as a path does, at most a hundred.
func files(last string) []string {
	dir, base := filepath.Split(last)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil
	}
	out := []string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base) || base == "" && strings.HasPrefix(e.Name(), ".") || len(out) == 100 {
			continue
		}
		name := dir + e.Name()
		if e.IsDir() {
			name += string(filepath.Separator)
		}
		out = append(out, name)
	}
	return out
}
