package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

// newSkipper has what the Skipper shell calls so: the server itself.
func newSkipper(c *cli) *cobra.Command {
	return group("skipper", "See which server is asked", newInfo(c))
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
