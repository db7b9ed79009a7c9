package cli

import (
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const contextLong = `A context is a server under a name, with who asks it and how it is known. They stand in a file for its owner alone:
$SKIFF_CONTEXTS, else skiff/contexts.yml below $XDG_CONFIG_HOME or ~/.config.

Which server is asked, and as whom, is what the line says, else the environment, else the context in use:
  --server URL                          SKIFF_URL
  --context NAME                        SKIFF_CONTEXT
  --username NAME                       SKIFF_USERNAME, with SKIFF_PASSWORD
                                        SKIFF_TOKEN
  --credentials-provider-command CMD    SKIFF_CREDENTIALS_PROVIDER_COMMAND
  --ca-cert FILE                        SKIFF_CA_CERT
  --client-cert FILE, --client-key FILE SKIFF_CLIENT_CERT, SKIFF_CLIENT_KEY
  --skip-ssl-validation                 SKIFF_SKIP_SSL_VALIDATION
Another server than that of the context gets none of its credentials, unless --server and --context stand on one line.
HTTP_PROXY, HTTPS_PROXY and NO_PROXY count. No secret can be given on the line, where others would see it: they come from a terminal, from standard input, from files
or from a program that prints the Authorization header.`

// targetFlags are those that every command has. All but the first two are for those who need them: context --help.
func (c *cli) targetFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.flags.URL, "server", "",
		"URL of the server, with or without /api (default: the context's, else "+defaultURL+")")
	flags.StringVar(&c.context, "context", "", "name of the server in 'skiff context list'; a --server beside it gets its credentials")
	flags.StringVar(&c.flags.Username, "username", "", "user for basic authentication")
	flags.StringVar(&c.flags.Command, "credentials-provider-command", "", "program that prints the Authorization header")
	flags.StringVar(&c.flags.CACert, "ca-cert", "", "file of certificates of authorities to believe")
	flags.StringVar(&c.flags.ClientCert, "client-cert", "", "certificate to show")
	flags.StringVar(&c.flags.ClientKey, "client-key", "", "key of the certificate to show")
	flags.BoolVar(&c.flags.SkipSSLValidation, "skip-ssl-validation", false, "accept any certificate")
	for _, name := range []string{
		"username", "credentials-provider-command", "ca-cert", "client-cert", "client-key", "skip-ssl-validation",
	} {
		_ = flags.MarkHidden(name) // it is there
	}
}

func newContext(c *cli) *cobra.Command {
	cmd := group("context", "Keep several servers under names, with who asks them", newContextList(c), newContextUse(c),
		newContextAdd(c), newContextShow(c), newContextRemove(c))
	cmd.Long = contextLong
	return cmd
}

// shownTarget is a context without its secrets.
type shownTarget struct {
	namedTarget
	Current bool `json:"current"`
}

func shown(t namedTarget, current string) shownTarget {
	const hidden = "******"
	if t.Password != "" {
		t.Password = hidden
	}
	if t.Token != "" {
		t.Token = hidden
	}
	t.URL = withoutPassword(t.URL)
	return shownTarget{t, t.Name == current}
}

// withoutPassword hides the password that a URL may hold.
func withoutPassword(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if ok {
		scheme += "://"
	} else {
		scheme, rest = "", url
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return url
	}
	user, _, _ := strings.Cut(rest[:at], ":")
	return scheme + user + ":******" + rest[at:]
}

// who says as whom a server is asked.
func (t Target) who() string {
	switch {
	case t.Command != "":
		return "credentials of a program"
	case t.Token != "" || t.TokenFile != "":
		return "a token"
	}
	return t.Username
}

func newContextList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the contexts; * marks the one in use",
		Example: "  skiff context list\n  skiff context list -o name",
		Args:    positional(),
		RunE: func(*cobra.Command, []string) error {
			all, err := c.readContexts()
			if err != nil {
				return err
			}
			values, rows := []shownTarget{}, []table.Row{}
			for _, t := range all.Contexts {
				v := shown(t, all.Current)
				values = append(values, v)
				mark := ""
				if v.Current {
					mark = "*"
				}
				rows = append(rows, table.Row{mark, v.Name, v.URL, v.who()})
			}
			return c.show(values, func() error { return c.table(table.Row{"Current", "Name", "URL", "As"}, rows) })
		},
	}
}

func newContextUse(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "use [NAME]",
		Short:   "Ask the server of a context from now on",
		Example: "  skiff context use production",
		Args:    needing(positional("name"), "name"),
		RunE: func(*cobra.Command, []string) error {
			return c.changeContexts(func(all *contexts) error {
				t, err := all.find(name)
				if err != nil {
					return err
				}
				all.Current = name
				return c.say("Using %s, the server at %s\n", name, withoutPassword(t.URL))
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the context")
	return cmd
}

func (c *cli) changeContexts(change func(*contexts) error) error {
	all, err := c.readContexts()
	if err == nil {
		err = change(&all)
	}
	if err != nil {
		return err
	}
	return c.writeContexts(all)
}

func newContextAdd(c *cli) *cobra.Command {
	var t namedTarget
	var password, token bool
	cmd := &cobra.Command{
		Use:   "add [NAME [URL]]",
		Short: "Add a server under a name, or change it",
		Long: "Add a server under a name, or change it: all that is known of that name is replaced. The first one is used at\n" +
			"once. With --username a password is asked for on a terminal; --password-stdin and --token-stdin read a secret from\n" +
			"standard input.",
		Example: "  skiff context add local http://127.0.0.1:7577\n" +
			"  skiff context add production https://skiff.example --username ops\n" +
			"  printf %s \"$TOKEN\" | skiff context add ci https://skiff.example --token-stdin --ca-cert ca.pem",
		Args: needing(positional("name", "url"), "name", "url"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := exclusive(cmd, "password-stdin", "password-file", "token-stdin", "token-file", "credentials-provider-command")
			if err != nil {
				return err
			}
			secret, err := c.secret(t, password, token)
			if err != nil {
				return err
			}
			if token {
				t.Token = secret
			} else {
				t.Password = secret
			}
			return c.addContext(t)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.Name, "name", "", "name of the context")
	f.StringVar(&t.URL, "url", "", "URL of the server, with or without /api")
	f.StringVar(&t.Username, "username", "", "user for basic authentication")
	f.BoolVar(&password, "password-stdin", false, "read the password of the user from standard input")
	f.StringVar(&t.PasswordFile, "password-file", "", "file that holds the password; it is read each time")
	f.BoolVar(&token, "token-stdin", false, "read a bearer token from standard input")
	f.StringVar(&t.TokenFile, "token-file", "", "file that holds a bearer token; it is read each time")
	f.StringVar(&t.Command, "credentials-provider-command", "", "program that prints the Authorization header")
	f.StringVar(&t.CACert, "ca-cert", "", "file of certificates of authorities to believe, besides the system's")
	f.StringVar(&t.ClientCert, "client-cert", "", "certificate to show")
	f.StringVar(&t.ClientKey, "client-key", "", "key of the certificate to show")
	f.BoolVar(&t.SkipSSLValidation, "skip-ssl-validation", false, "accept any certificate: anybody can be that server")
	return cmd
}

// secret reads the secret of a context that is added: from standard input, or from who sits at the terminal.
func (c *cli) secret(t namedTarget, password, token bool) (string, error) {
	switch {
	case password && t.Username == "":
		return "", usagef("--password-stdin: a password may be specified only together with --username")
	case password || token:
		text, err := io.ReadAll(io.LimitReader(c.In, 64<<10))
		if err != nil {
			return "", usagef("the secret cannot be read from standard input: %w", err)
		}
		secret := strings.TrimRight(string(text), "\r\n")
		if secret == "" {
			return "", usagef("standard input holds no secret")
		}
		return secret, nil
	case t.Username == "" || t.PasswordFile != "" || t.Token != "" || t.TokenFile != "" || t.Command != "":
		return "", nil
	case c.Password == nil:
		return "", usagef("--username needs a password: give it with --password-stdin or --password-file")
	}
	return c.Password("Password: ")
}

func (c *cli) addContext(t namedTarget) error {
	for _, file := range []*string{&t.PasswordFile, &t.TokenFile, &t.CACert, &t.ClientCert, &t.ClientKey} {
		if *file == "" {
			continue
		}
		absolute, err := filepath.Abs(*file) // it is read from any folder
		if err != nil {
			return unusable(*file, err)
		}
		*file = absolute
	}
	s, err := t.Open(Deps{})
	if err != nil {
		return err
	}
	s.Close()
	return c.changeContexts(func(all *contexts) error {
		*all = all.with(t)
		all.Current = orElse(all.Current, t.Name)
		return c.show(shown(t, all.Current), func() error {
			return c.say("Added context %s, the server at %s\n", t.Name, withoutPassword(t.URL))
		})
	})
}

func newContextShow(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "show [NAME]",
		Short:   "Show a context, or the one in use, without its secrets",
		Example: "  skiff context show\n  skiff context show production -o yaml",
		Args:    positional("name"),
		RunE: func(*cobra.Command, []string) error {
			all, err := c.readContexts()
			if err != nil {
				return err
			}
			if name = orElse(name, orElse(c.context, orElse(c.Env(envContext), all.Current))); name == "" {
				return skipper.Errorf(skipper.CodeNotFound, "no context is in use; 'skiff context add' adds one")
			}
			t, err := all.find(name)
			if err != nil {
				return err
			}
			v := shown(namedTarget{name, t}, all.Current)
			return c.show(v, func() error {
				return c.pairs(table.Row{"Name", v.Name}, table.Row{"URL", v.URL}, table.Row{"As", v.who()},
					table.Row{"CA certificate", v.CACert}, table.Row{"Client certificate", v.ClientCert},
					table.Row{"Skip SSL validation", v.SkipSSLValidation})
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the context")
	return cmd
}

func newContextRemove(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "remove [NAME]",
		Short:   "Forget a context",
		Example: "  skiff context remove production",
		Args:    needing(positional("name"), "name"),
		RunE: func(*cobra.Command, []string) error {
			return c.changeContexts(func(all *contexts) error {
				if _, err := all.find(name); err != nil {
					return err
				}
				all.Contexts = slices.DeleteFunc(all.Contexts, func(t namedTarget) bool { return t.Name == name })
				if all.Current == name {
					all.Current = ""
				}
				return c.say("Removed context %s\n", name)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the context")
	return cmd
}
