package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

func newPlatform(c *cli) *cobra.Command {
	return group("platform", "See where releases can be deployed to", newPlatformList(c))
}

func newPlatformList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the platform accounts",
		Example: "  skiff platform list",
		Args:    positional(),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			platforms, err := s.Platforms(ctx)
			if err != nil {
				return err
			}
			return c.show(platforms, func() error {
				rows := []table.Row{}
				for _, p := range platforms {
					rows = append(rows, table.Row{p.Name, p.Type, p.Description})
				}
				return c.table(table.Row{"Name", "Type", "Description"}, rows)
			})
		}),
	}
}
