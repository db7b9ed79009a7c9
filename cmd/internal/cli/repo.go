package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

func newRepo(c *cli) *cobra.Command {
	return group("repo", "See where packages come from", newRepoList(c))
}

func newRepoList(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the package repositories",
		Long: "List the package repositories. Packages can be uploaded to local ones; of a package that stands in several\n" +
			"the one in the repository with the highest order is taken.",
		Example: "  skiff repo list",
		Args:    positional(),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			repositories, err := s.Repositories(ctx)
			if err != nil {
				return err
			}
			return c.show(repositories, func() error {
				rows := []table.Row{}
				for _, r := range repositories {
					rows = append(rows, table.Row{r.Name, r.URL, r.Local, order(r.RepoOrder)})
				}
				return c.table(table.Row{"Name", "URL", "Local", "Order"}, rows)
			})
		}),
	}
}

// order gives a cell: nothing for nil.
func order(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}
