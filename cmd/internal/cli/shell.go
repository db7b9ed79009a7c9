package cli

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ShellOptions are what `skiff shell` takes in.
type ShellOptions struct {
	Lines  []string // each is one whole line, or @FILE with lines; none: they come from the terminal or standard input
	Target Target   // the server that is asked
	Label  string   // names the server in the prompt; empty: the usual one
}

// skipperClient begins the names of the Skipper shell's own options.
const skipperClient = "spring.cloud.skipper.client."

func newShell(c *cli) *cobra.Command {
	var o ShellOptions
	var file string
	cmd := &cobra.Command{
		Use:   "shell [LINE | @FILE]...",
		Short: "Type commands line by line, or run a script of the Skipper shell",
		Long: "Type commands line by line, with history, completion (Tab) and 'help'; Ctrl-C drops a line or ends a command,\n" +
			"Ctrl-D leaves. The lines are those of the Skipper shell: its scripts run as they are.\n\n" +
			"Each argument is one whole line, or @FILE with lines. They, and those of --file, run up to the first that\n" +
			"fails: exit code 1. Of lines that are piped in all run, whether one fails or not: exit code 0, as on a terminal;\n" +
			"--file - reads standard input and stops. The server may be named as the Skipper shell has it, by\n" +
			"--" + skipperClient + "serverUri and the like, or SPRING_CLOUD_SKIPPER_CLIENT_SERVERURI.",
		Example: "  skiff shell\n  skiff shell --file tour.skipper\n" +
			"  skiff shell \"package search\" \"release status site\" @tour.skipper",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Lines = args
			if file != "" {
				o.Lines = append([]string{"@" + file}, args...)
			}
			var err error
			if o.Target, o.Label, err = c.shellTarget(o.Target); err != nil {
				return err
			}
			return c.Shell(cmd.Context(), c.Deps, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "file", "", "file of lines; - is standard input")
	o.Target.skipperFlags(flags)
	return cmd
}

// skipperFlags adds the Skipper shell's own options. Its names are known to those who need them.
func (t *Target) skipperFlags(flags *pflag.FlagSet) {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.StringVar(&t.URL, skipperClient+"server-uri", "", "root of the API")
	own.StringVar(&t.Username, skipperClient+"username", "", "user for basic authentication")
	own.StringVar(&t.Password, skipperClient+"password", "", "password of the user")
	own.StringVar(&t.Command, skipperClient+"credentials-provider-command", "", "program that prints the Authorization header")
	own.BoolVar(&t.SkipSSLValidation, skipperClient+"skip-ssl-validation", false, "accept any certificate")
	own.VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	flags.AddFlagSet(own)
}

// skipperEnvironment gives what SPRING_CLOUD_SKIPPER_CLIENT_… says, with and without underscores in the names.
func (c *cli) skipperEnvironment() Target {
	of := func(words ...string) string {
		const prefix = "SPRING_CLOUD_SKIPPER_CLIENT_"
		return cmp.Or(c.Env(prefix+strings.Join(words, "")), c.Env(prefix+strings.Join(words, "_")))
	}
	return Target{
		URL: of("SERVER", "URI"), Username: of("USERNAME"), Password: of("PASSWORD"),
		Command:           of("CREDENTIALS", "PROVIDER", "COMMAND"),
		SkipSSLValidation: strings.EqualFold(of("SKIP", "SSL", "VALIDATION"), "true"),
	}
}

// shellTarget gives the server of a shell: the one that is named in the Skipper shell's way, else that of the command
// line. Another server than that of the context gets none of its credentials.
func (c *cli) shellTarget(named Target) (t Target, label string, err error) {
	env := c.skipperEnvironment()
	if c.flags.URL == "" && c.context == "" {
		named.URL = orElse(named.URL, env.URL)
	}
	if named.anonymous() {
		named = named.as(env)
	}
	named.SkipSSLValidation = named.SkipSSLValidation || env.SkipSSLValidation
	if named.URL != "" {
		named.CACert, named.ClientCert, named.ClientKey = c.flags.CACert, c.flags.ClientCert, c.flags.ClientKey
		return named, named.label(), nil
	}
	if t, err = c.target(); err != nil {
		return t, "", err
	}
	if !named.anonymous() {
		t = t.as(named)
	}
	t.SkipSSLValidation = t.SkipSSLValidation || named.SkipSSLValidation
	if c.flags.URL == "" {
		label = orElse(c.context, ContextInUse(c.Deps))
	}
	return t, orElse(label, t.label()), nil
}

// label names a server that has no name; the usual one has none.
func (t Target) label() string {
	if t.URL == defaultURL {
		return ""
	}
	return hostOf(t.URL)
}

// ContextInUse names the context whose server is asked by a line that names none; empty when there is none, and when
// the environment names a server.
func ContextInUse(d Deps) string {
	if name := d.Env(envContext); name != "" || d.Env(envURL) != "" {
		return name
	}
	all, err := (&cli{Deps: d}).readContexts()
	if err != nil {
		return ""
	}
	return all.Current
}
