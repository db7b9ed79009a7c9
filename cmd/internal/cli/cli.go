// Package cli is the command line: nouns and verbs over HTTP, one file per noun. It knows the server only through
// pkg/client; what starts a server is handed in.
//
//	os.Exit(cli.Run(ctx, cli.Deps{In: os.Stdin, Out: os.Stdout, …}, os.Args[1:]))
//
// Standard output carries what was asked for, standard error carries progress and errors.
package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

const defaultURL = "http://127.0.0.1:7577"

// Deps is all that the command line needs of the world around it. Besides the streams, Env and Clock, everything may be
// left out.
type Deps struct {
	In       io.Reader
	Out, Err io.Writer
	// IsTTY says that a person watches Err and can answer through In: progress is shown in place, changes are waited for
	// unless --no-wait is given, and questions are asked.
	IsTTY  bool
	OutTTY bool       // a person reads Out: tables fit Width, times are relative, states have colours
	Width  func() int // columns of the terminal; nil or 0: as many as needed
	// Interrupts has Ctrl-C sent to a channel, instead of ending the context, until release is called; nil: it ends it.
	Interrupts func() (pressed <-chan struct{}, release func())
	Env        func(string) string
	Password   func(prompt string) (string, error) // asks for a secret without showing it; nil: nobody can be asked
	Version    string
	Clock      func() time.Time
	Archive    Archive
	// Edgegap gives how an account of a server's configuration reaches Edgegap. config is the file, empty for the usual
	// one; an empty account is the only one there is.
	Edgegap func(config, account string) (edgegap.Options, error)
	// Server starts a server and returns when ctx has ended and the server has stopped.
	Server func(ctx context.Context, options ServerOptions) error
	// Shell runs a shell until its end; nil: there is none, as in a shell.
	Shell func(ctx context.Context, d Deps, options ShellOptions) error

	// Session is what a shell keeps from one line to the next; nil: each line is on its own.
	Session *Session
	// Style is how a shell writes for people; nil: the command line's own way.
	Style *Style

	after func(time.Duration) <-chan time.Time // time.After but in tests
}

// Session is what a shell keeps from one line to the next. It runs each line in a tree of its own:
//
//	root := cli.New(cli.Deps{…, Session: session, Style: style})
//	root.SetArgs(words)
//	err := root.ExecuteContext(ctx)
type Session struct {
	// Client is asked by all lines that do not name a server. 'skipper config' replaces it. Nil: the first line that
	// needs one makes it, from the context and the environment.
	Client *client.Client
}

// cli is what all commands share.
type cli struct {
	Deps
	flags   Target // what the line says of the server
	context string // --context
	output  string // --output
}

// Run carries out one command line and gives the exit code: see ExitCode.
func Run(ctx context.Context, d Deps, args []string) int {
	root := New(d) //nolint:contextcheck // cobra hands the context to the command it runs
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	report(d.Err, cmd, err)
	return ExitCode(err)
}

// New gives the tree of commands. It is made afresh for each line, because flags keep their values.
func New(d Deps) *cobra.Command {
	if d.after == nil {
		d.after = time.After
	}
	c := &cli{Deps: d}
	root := &cobra.Command{
		Use:   "skiff",
		Short: "Release packages of applications onto platforms, and keep them releasable",
		Long:  long,
		Example: "  skiff server\n  skiff package upload ./hello-1.0.0\n" +
			"  skiff release install hello --package-name hello --wait",
		Version: d.Version,
		Args:    noSuchCommand,
		RunE: func(*cobra.Command, []string) error {
			return c.say(overview)
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return c.checkOutput() },
		SilenceErrors:     true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(d.In)
	root.SetOut(d.Out)
	root.SetErr(d.Err)
	root.SetVersionTemplate("skiff {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	c.targetFlags(root.PersistentFlags())
	root.PersistentFlags().StringVarP(&c.output, "output", "o", asTable, strings.Join(formats(), ", "))
	root.AddCommand(newServer(c), newHealth(c), newPackage(c), newRelease(c), newManifest(c), newPlatform(c), newRepo(c),
		newSkipper(c), newContext(c), newBackup(c), newRestore(c), newEdgegap(c), newCompletion(c), newDocs(c), newVersion(c))
	if d.Shell != nil {
		root.AddCommand(newShell(c))
	}
	c.completed(root)
	root.SetHelpCommand(newHelp())
	root.SetGlobalNormalizationFunc(kebab)
	return root
}

const overview = `skiff releases packages of applications onto platforms, and keeps them releasable.

To start with:
  skiff server                                               run a server on this machine
  skiff package upload ./hello-1.0.0                         give it a package
  skiff release install hello --package-name hello --wait    run the package as a release

'skiff --help' lists all commands.
`

const long = `skiff releases packages of applications onto platforms, and keeps them releasable.

Exit codes:
  0  done
  1  failed, rolled back or cancelled
  2  the command line is wrong
  3  not found
  4  conflict with the present state of things
  5  it took longer than allowed
  6  the server, or something it needs, is not reachable
  7  refused: the request is invalid, too large, not supported or not permitted`

// group gives a noun: a command that only holds others.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Example: verbs[0].Example, Args: noSuchCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verbs...)
	return cmd
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command", Example: "  skiff help release install", Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			names := []string{}
			if of, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, verb := range of.Commands() {
					if verb.IsAvailableCommand() && strings.HasPrefix(verb.Name(), part) {
						names = append(names, verb.Name()+"\t"+verb.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil {
				return usageError{err}
			}
			if err := noSuchCommand(of, rest); err != nil {
				return err
			}
			of.InitDefaultHelpFlag() // else it is not shown
			return of.Help()
		},
	}
}

// noSuchCommand refuses arguments of a command that only holds others: they are misspelt commands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	noun := cmd.CommandPath() + " "
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %q; did you mean %q?", noun+args[0], noun+near[0])
	}
	return usagef("there is no command %q", noun+args[0])
}

// asking makes the function of a command that speaks to the server.
func (c *cli) asking(
	f func(ctx context.Context, s *client.Client, args []string) error,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, done, err := c.connected()
		if err != nil {
			return err
		}
		defer done()
		return explained(cmd.Context(), s, f(cmd.Context(), s, args))
	}
}

// connected gives the server that is asked; done lets go of it.
func (c *cli) connected() (s *client.Client, done func(), err error) {
	own := c.flags == Target{} && c.context == ""
	if c.Session != nil && c.Session.Client != nil && own {
		return c.Session.Client, func() {}, nil
	}
	t, err := c.target()
	if err != nil {
		return nil, nil, err
	}
	if s, err = t.Open(c.Deps); err != nil {
		return nil, nil, err
	}
	if c.Session != nil && own {
		c.Session.Client = s
		return s, func() {}, nil
	}
	return s, s.Close, nil
}

func (c *cli) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format, args...)
	return err
}
