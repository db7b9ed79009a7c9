package cli

import (
	"github.com/spf13/cobra"
)

func newVersion(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  skiff version",
		Args:    positional(),
		RunE: func(*cobra.Command, []string) error {
			return c.show(map[string]string{"version": c.Version}, func() error { return c.say("skiff %s\n", c.Version) })
		},
	}
}
