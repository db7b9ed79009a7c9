package cli

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

// completionPatience is how long somebody who pressed Tab may be kept waiting for names from the server.
const completionPatience = time.Second

func newCompletion(c *cli) *cobra.Command {
	var shell string
	shells := map[string]func(*cobra.Command) error{
		"bash": func(root *cobra.Command) error { return root.GenBashCompletionV2(c.Out, true) },
		"fish": func(root *cobra.Command) error { return root.GenFishCompletion(c.Out, true) },
		"zsh":  func(root *cobra.Command) error { return root.GenZshCompletion(c.Out) },
	}
	cmd := &cobra.Command{
		Use:   "completion [SHELL]",
		Short: "Print the script that completes this command line in bash, fish or zsh",
		Long: "Print the script that completes this command line in bash, fish or zsh: commands, flags and, asked of the\n" +
			"server, the names of releases, packages, platforms and their versions. A server that gives no answer within a\n" +
			"second completes nothing. bash needs the package bash-completion.",
		Example: "  source <(skiff completion bash)\n" +
			"  skiff completion zsh > \"${fpath[1]}/_skiff\"\n" +
			"  skiff completion fish > ~/.config/fish/completions/skiff.fish",
		Args: needing(positional("shell"), "shell"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := shells[shell]
			if !ok {
				return usagef("there is no script for %q: use bash, fish or zsh", shell)
			}
			return write(cmd.Root())
		},
		ValidArgs: []string{"bash", "fish", "zsh"},
	}
	cmd.Flags().StringVar(&shell, "shell", "", "bash, fish or zsh")
	return cmd
}

// names gives the names that a word of a usage line, or a flag, stands for.
type names func(ctx context.Context, s *client.Client, cmd *cobra.Command, args []string) ([]string, error)

// flagNames says how the values of flags are found.
func flagNames() map[string]names {
	return map[string]names{
		"release-name": releaseNames, "release-version": versionsOfRelease, "package-name": packageNames,
		"package-version": versionsOfPackage, "platform-name": platformNames, "repo-name": repoNames,
	}
}

// Values gives the values that a flag of a command may have, where its server knows them and answers in time. It is for
// shells; for others the commands have it.
func Values(d Deps, cmd *cobra.Command, flag string) []string {
	ask, ok := flagNames()[flag]
	if !ok {
		return nil
	}
	found, _ := (&cli{Deps: d}).asked(ask)(cmd, nil, "")
	return found
}

// completed has all commands below one complete names: those of flags, and those given by position, which the usage line
// of the command names, as in status [RELEASE [VERSION]].
func (c *cli) completed(cmd *cobra.Command) {
	for flag, ask := range flagNames() {
		// cobra keeps these for ever, and a shell makes a tree for each line
		if c.Session == nil && cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, c.asked(ask)) // it is there, and has none yet
		}
	}
	words := placeholders(cmd.Use)
	if len(words) > 0 && cmd.ValidArgs == nil {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) >= len(words) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return c.complete(cmd, args, part, words[:len(args)+1])
		}
	}
	for _, verb := range cmd.Commands() {
		c.completed(verb)
	}
}

// placeholders are the words in capitals of a usage line, up to the first flag.
func placeholders(use string) []string {
	before, _, _ := strings.Cut(use, " --")
	words := []string{}
	for word := range strings.FieldsSeq(before) {
		word = strings.Trim(word, "[]…")
		if word != "" && word == strings.ToUpper(word) && !strings.HasPrefix(word, "-") {
			words = append(words, word)
		}
	}
	return words
}

func (c *cli) complete(cmd *cobra.Command, args []string, part string, words []string) ([]string, cobra.ShellCompDirective) {
	word, before := words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	noun := cmd.Parent().Name()
	var ask names
	switch {
	case strings.Contains(word, "PATH"), strings.Contains(word, "FILE"), strings.Contains(word, "DIR"):
		return nil, cobra.ShellCompDirectiveDefault
	case word == "RELEASE", noun == "release" && word == "PART-OF-NAME":
		ask = releaseNames
	case word == "PACKAGE", noun == "package" && word == "PART-OF-NAME":
		ask = packageNames
	case word == "VERSION" && before == "RELEASE":
		ask = versionsOfRelease
	case word == "VERSION" && before == "PACKAGE":
		ask = versionsOfPackage
	case noun == "context" && word == "NAME" && cmd.Name() != "add":
		return c.contextNames(), cobra.ShellCompDirectiveNoFileComp
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.asked(ask)(cmd, args, part)
}

// asked asks the server for names. Whatever hinders it, nothing is told: somebody is typing.
func (c *cli) asked(ask names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		quiet := *c
		quiet.Err, quiet.Password = io.Discard, nil
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		s, done, err := quiet.connected()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer done()
		found, err := ask(ctx, s, cmd, args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found = slices.DeleteFunc(found, func(name string) bool { return !strings.HasPrefix(name, part) })
		return slices.Compact(found), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

func (c *cli) contextNames() []string {
	all, err := c.readContexts()
	if err != nil {
		return nil
	}
	found := []string{}
	for _, t := range all.Contexts {
		found = append(found, t.Name)
	}
	return found
}

func releaseNames(ctx context.Context, s *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	releases, err := s.Listed(ctx, "")
	found := []string{}
	for _, r := range releases {
		found = append(found, r.Name)
	}
	slices.Sort(found)
	return found, err
}

func packageNames(ctx context.Context, s *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	all, err := packages(ctx, s, "")
	found := []string{}
	for _, p := range all {
		found = append(found, p.Name)
	}
	return found, err
}

func platformNames(ctx context.Context, s *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	platforms, err := s.Platforms(ctx)
	found := []string{}
	for _, p := range platforms {
		found = append(found, p.Name)
	}
	return found, err
}

func repoNames(ctx context.Context, s *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	repositories, err := s.Repositories(ctx)
	found := []string{}
	for _, r := range repositories {
		found = append(found, r.Name)
	}
	return found, err
}

// versionsOfRelease lists the versions of the release that the line names, the newest first.
func versionsOfRelease(ctx context.Context, s *client.Client, cmd *cobra.Command, args []string) ([]string, error) {
	name := onLine(cmd, args, "release-name", "RELEASE")
	history, err := s.History(ctx, name)
	found := []string{}
	for _, r := range history {
		if r.Name == name {
			found = append(found, strconv.Itoa(r.Version))
		}
	}
	return found, err
}

// versionsOfPackage lists the versions of the package that the line names.
func versionsOfPackage(ctx context.Context, s *client.Client, cmd *cobra.Command, args []string) ([]string, error) {
	name := onLine(cmd, args, "package-name", "PACKAGE")
	all, err := packages(ctx, s, name)
	found := []string{}
	for _, p := range all {
		if p.Name == name {
			found = append(found, p.Version)
		}
	}
	return found, err
}

// onLine gives what the line has for a flag, or by position for a word of the usage line.
func onLine(cmd *cobra.Command, args []string, flag, word string) string {
	if f := cmd.Flags().Lookup(flag); f != nil && f.Value.String() != "" {
		return f.Value.String()
	}
	if i := slices.Index(placeholders(cmd.Use), word); i >= 0 && i < len(args) {
		return args[i]
	}
	return ""
}
