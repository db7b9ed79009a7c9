package shell

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/cmd/internal/cli"
)

const builtInGroup = "Built-In Commands"

// builtIn gives the words that the shell itself knows; help is the first.
func (s *session) builtIn() []*cobra.Command {
	help := &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the commands, or what one of them does",
		Example: "  help\n  help release status",
	}
	command := help.Flags().StringP("command", "C", "", "command to explain")
	help.RunE = func(cmd *cobra.Command, args []string) error {
		return s.help(cmd.Root(), append(strings.Fields(*command), args...))
	}

	history := &cobra.Command{
		Use: "history", Short: "Show the lines of before, or write them to a file", Args: cobra.MaximumNArgs(1),
		Example: "  history\n  history --file tour.skipper",
	}
	to := history.Flags().String("file", "", "file to write the lines to")
	history.RunE = func(_ *cobra.Command, args []string) error { return s.showHistory(cmp.Or(*to, first(args))) }

	script := &cobra.Command{
		Use: "script", Short: "Run the lines of a file; a line that fails is told, and the next one runs",
		Args: cobra.MaximumNArgs(1), Example: "  script --file tour.skipper",
	}
	from := script.Flags().String("file", "", "file of lines")
	script.RunE = func(cmd *cobra.Command, args []string) error {
		file := cmp.Or(*from, first(args))
		if file == "" {
			return fmt.Errorf("--file is missing: name the file of lines")
		}
		return s.runFile(cmd.Context(), file, func(_ int, err error) error {
			s.report(err)
			return nil
		})
	}

	return []*cobra.Command{
		help,
		{
			Use: "clear", Short: "Clear the screen", Args: cobra.NoArgs, Example: "  clear",
			RunE: func(*cobra.Command, []string) error { return s.clear() },
		},
		history,
		{
			Use: "quit", Aliases: []string{"exit"}, Short: "Leave the shell", Args: cobra.NoArgs, Example: "  quit",
			RunE: func(*cobra.Command, []string) error { return errQuit },
		},
		script,
		{
			Use: "stacktrace", Short: "Show all that is known of the last error", Args: cobra.NoArgs, Example: "  stacktrace",
			RunE: func(*cobra.Command, []string) error { return s.stacktrace() },
		},
		{
			Use: "version", Short: "Show the version of this program", Args: cobra.NoArgs, Example: "  version",
			RunE: func(*cobra.Command, []string) error { return s.say("skiff %s\n", s.deps.Version) },
		},
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// titles of the groups of the help that are not called after their noun, with those of the Skipper shell first.
var titles = map[string]string{"skipper": "Config Commands", "repo": "Repository Commands"}

func (s *session) help(root *cobra.Command, words []string) error {
	if len(words) == 0 {
		return s.overview(root)
	}
	cmd := root
	for _, w := range words {
		if cmd = child(cmd, w); cmd == nil {
			return fmt.Errorf("Unknown command '%s'; 'help' lists them", strings.Join(words, " ")) //nolint:staticcheck // Skipper's
		}
	}
	return s.say("%s", explained(cmd))
}

// explained says what a command does and takes, as lines of a shell.
func explained(cmd *cobra.Command) string {
	usage, _, _ := strings.Cut(cmd.UsageString(), "\nUse \"") // how to ask for help is another thing here
	usage = strings.ReplaceAll(usage, "  "+cmd.Root().Name()+" ", "  ")
	return cmp.Or(cmd.Long, cmd.Short) + "\n\n" + strings.TrimRight(usage, "\n") + "\n"
}

// overview lists the commands by group: those of the Skipper shell in its order, then the others.
func (s *session) overview(root *cobra.Command) error {
	groups, order := map[string][]*cobra.Command{}, []string{}
	for _, c := range visible(root) {
		noun, _, nested := strings.Cut(path(c), " ")
		title := titles[noun]
		switch {
		case !nested && slices.ContainsFunc(s.builtIn(), func(b *cobra.Command) bool { return b.Name() == c.Name() }):
			title = builtInGroup
		case !nested:
			title = "Other Commands"
		case title == "":
			title = strings.ToUpper(noun[:1]) + noun[1:] + " Commands"
		}
		if groups[title] == nil {
			order = append(order, title)
		}
		groups[title] = append(groups[title], c)
	}
	known := []string{
		builtInGroup, "Config Commands", "Manifest Commands", "Package Commands", "Platform Commands", "Release Commands",
		"Repository Commands",
	}
	rank := func(title string) int {
		if i := slices.Index(known, title); i >= 0 {
			return i
		}
		return len(known)
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	var out strings.Builder
	out.WriteString("AVAILABLE COMMANDS\n")
	for _, title := range order {
		fmt.Fprintf(&out, "\n%s\n", title)
		for _, c := range groups[title] {
			names := []string{path(c)}
			for _, a := range c.Aliases {
				names = append(names, strings.TrimSuffix(path(c), c.Name())+a)
			}
			fmt.Fprintf(&out, "        %s: %s\n", strings.Join(names, ", "), c.Short)
		}
	}
	out.WriteString("\n'help COMMAND' explains one, with an example.\n")
	return s.say("%s", out.String())
}

func (s *session) showHistory(file string) error {
	lines := s.history.lines
	if file == "" {
		return s.say("[%s]\n", strings.Join(lines, ", "))
	}
	text := strings.Join(lines, "\n")
	if text != "" {
		text += "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("the history cannot be written: %w", err)
	}
	return s.say("[Wrote %d entries to %s]\n", len(lines), file)
}

// clear empties the screen, where there is one.
func (s *session) clear() error {
	if !s.deps.OutTTY || s.deps.Env("TERM") == "dumb" {
		return nil
	}
	return s.say("\x1b[H\x1b[2J")
}

// stacktrace tells of the last error what a line has no room for: its kind, its causes, the end of the log.
func (s *session) stacktrace() error {
	if s.last == nil {
		return s.say("there was no error\n")
	}
	sentence, next, details := cli.Describe(s.last)
	text := sentence + "\n"
	if command := commandOf(s.last); command != "" {
		text += "  command:     " + command + "\n"
	}
	text += fmt.Sprintf("  kind:        %s\n", kind(s.last)) + details
	if next != "" {
		text += "  what to do:  " + next + "\n"
	}
	return s.say("%s", text)
}
