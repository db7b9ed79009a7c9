package shell

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// positions are the options of the Skipper shell's commands in the order in which values without a name fill them.
var positions = map[string][]string{
	"manifest get":     {"release-name", "release-version"},
	"package delete":   {"package-name"},
	"package install":  {"package-name", "package-version", "file", "properties", "release-name", "platform-name"},
	"package list":     {"name", "details"},
	"package upload":   {"path", "repo-name"},
	"release cancel":   {"release-name"},
	"release delete":   {"release-name"},
	"release history":  {"release-name"},
	"release list":     {"release-name"},
	"release rollback": {"release-name", "release-version"},
	"release status":   {"release-name", "release-version"},
	"release upgrade":  {"release-name", "package-name", "package-version", "file"},
	"script":           {"file"},
	"history":          {"file"},
}

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
	given, waits := options(cmd, words[used:])
	if waits != nil && (!strings.HasPrefix(last, "--") || open) {
		return s.values(ctx, waits.Name, last, given)
	}
	if strings.HasPrefix(last, "--") && !open {
		return unused(cmd, given)
	}
	for _, name := range positions[path(cmd)] {
		if _, ok := given[name]; !ok {
			if out := s.values(ctx, name, last, given); len(out) > 0 {
				return out
			}
			break
		}
	}
	if last == "" {
		return unused(cmd, given)
	}
	return nil
}

func (s *session) values(ctx context.Context, option, last string, given map[string]string) []string {
	if option == "file" || option == "path" {
		return files(last)
	}
	return s.names.of(ctx, option, given)
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

// options gives the options of a line with their values; waits is the one whose value comes next.
func options(cmd *cobra.Command, line []word) (given map[string]string, waits *pflag.Flag) {
	given = map[string]string{}
	unnamed := []string{}
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
			waits = flag
		default:
			i = next
			value = line[i].text
		}
		given[flag.Name] = value
	}
	for _, name := range positions[path(cmd)] {
		if _, ok := given[name]; !ok && len(unnamed) > 0 {
			given[name], unnamed = unnamed[0], unnamed[1:]
		}
	}
	return given, waits
}

func isTruth(text string) bool { return text == "true" || text == "false" }

// unused gives the options of a command that a line does not have, spelled as in the Skipper shell.
func unused(cmd *cobra.Command, given map[string]string) []string {
	out := []string{}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := given[f.Name]; !ok && !f.Hidden && f.Name != "help" {
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
