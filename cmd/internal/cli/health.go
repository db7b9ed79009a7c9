package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

const healthPatience = 5 * time.Second

func newHealth(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask whether the server is ready for work",
		Long: "Ask whether the server is ready for work: exit code 0 when it is, 1 when it is not or gives no answer\n" +
			"within 5 seconds. Made to be the health check of a container.",
		Example: "  skiff health\n  skiff health --server http://skiff.example:7577",
		Args:    positional(),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			ctx, cancel := context.WithTimeout(ctx, healthPatience)
			defer cancel()
			if err := s.Ready(ctx); err != nil {
				return failure{err}
			}
			return c.show(map[string]string{"status": "UP"}, func() error {
				return c.say("the server at %s is ready\n", s.URL())
			})
		}),
	}
}
