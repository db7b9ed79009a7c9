package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

// newSkipper has what the Skipper shell calls so: the server itself.
func newSkipper(c *cli) *cobra.Command {
	return group("skipper", "See and choose the server, in Skipper's words", newInfo(c), newConfig(c))
}

func newInfo(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "info",
		Short:   "Show name and version of the server",
		Example: "  skiff skipper info",
		Args:    positional(),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			about, err := s.About(ctx)
			if err != nil {
				return err
			}
			return c.show(about, func() error { return c.say("%s v%s\n", about.Name, about.Version) })
		}),
	}
}

func newConfig(c *cli) *cobra.Command {
	var t Target
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Choose the server to ask from now on",
		Long: "Choose the server to ask from now on: in a shell until its end, else as the context 'default', which is used at\n" +
			"once. 'skiff context' can do more.",
		Example: "  skiff skipper config --uri http://127.0.0.1:7577/api",
		Args:    positional("uri", "username", "password", "credentials-provider-command", "skip-ssl-validation"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Session == nil && t.Password != "" {
				return usagef("--password can be seen by others here; leave it out to be asked for it, or use " +
					"'skiff context add' with --password-stdin")
			}
			return c.config(cmd.Context(), t)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.URL, "uri", defaultURL+"/api", "URL of the server, with or without /api")
	f.StringVar(&t.Username, "username", "", "user for basic authentication")
	f.StringVar(&t.Password, "password", "", "password of the user, in a shell only")
	f.StringVar(&t.Command, "credentials-provider-command", "", "program that prints the Authorization header")
	f.BoolVar(&t.SkipSSLValidation, "skip-ssl-validation", false, "accept any certificate")
	return cmd
}

func (c *cli) config(ctx context.Context, t Target) error {
	if t.Username != "" && t.Password == "" && t.Command == "" && c.Password != nil {
		var err error
		if t.Password, err = c.Password("Password: "); err != nil {
			return err
		}
	}
	s, err := t.Open(c.Deps)
	if err != nil {
		return err
	}
	_, err = s.About(ctx)
	if c.Session != nil {
		c.Session.Client = s // also when it gives no answer: nobody wants what follows to go to another one
	} else {
		s.Close()
	}
	if err != nil {
		return err
	}
	if c.Session == nil {
		err = c.changeContexts(func(all *contexts) error {
			const name = "default"
			*all = all.with(namedTarget{name, t})
			all.Current = name
			return nil
		})
	}
	if err != nil {
		return err
	}
	return c.say("Successfully targeted %s\n", withoutPassword(t.URL))
}
