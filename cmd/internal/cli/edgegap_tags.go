package cli

import (
	"context"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
)

func newEdgegapTags(e *edge) *cobra.Command {
	return group("tags", "List, create, rename and delete the tags of a deployment",
		newEdgegapTagsList(e), newEdgegapTagsGet(e), newEdgegapTagsCreate(e), newEdgegapTagsRename(e), newEdgegapTagsDelete(e))
}

func newEdgegapTagsList(e *edge) *cobra.Command {
	var p pages
	cmd := e.asks(&cobra.Command{
		Use:     "list REQUEST-ID",
		Short:   "List all tags of a deployment, with those of skiff",
		Example: "  skiff edgegap tags list 6f3a1b2c4d5e",
		Args:    exactly("REQUEST-ID"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		tags, err := listed(e.cli, p, client.Tags(ctx, args[0]), func(paging edgegap.Paging) (edgegap.Page[edgegap.Tag], error) {
			return client.ListTags(ctx, args[0], paging)
		})
		if err != nil {
			return err
		}
		return e.show(tags, func() error { return e.tableOfTags(tags...) })
	})
	p.flags(cmd)
	return cmd
}

func (c *cli) tableOfTags(tags ...edgegap.Tag) error {
	rows := []table.Row{}
	for _, t := range tags {
		rows = append(rows, table.Row{t.Name, when(t.CreatedAt), when(t.UpdatedAt)})
	}
	return c.table(table.Row{"Tag", "Created", "Changed"}, rows)
}

func newEdgegapTagsGet(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "get REQUEST-ID TAG",
		Short:   "Show one tag of a deployment",
		Example: "  skiff edgegap tags get 6f3a1b2c4d5e ranked",
		Args:    exactly("REQUEST-ID", "TAG"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		tag, err := client.Tag(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return e.show(tag, func() error { return e.tableOfTags(tag) })
	})
}

func newEdgegapTagsCreate(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "create REQUEST-ID TAG",
		Short:   "Give a deployment a tag; a running container does not learn of it",
		Example: "  skiff edgegap tags create 6f3a1b2c4d5e ranked",
		Args:    exactly("REQUEST-ID", "TAG"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		tag, err := client.CreateTag(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return e.show(tag, func() error { return e.say("Tag %s was given to deployment %s\n", tag.Name, args[0]) })
	})
}

func newEdgegapTagsRename(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "rename REQUEST-ID TAG NEW-NAME",
		Short:   "Rename a tag of a deployment; a running container does not learn of it",
		Example: "  skiff edgegap tags rename 6f3a1b2c4d5e ranked casual",
		Args:    exactly("REQUEST-ID", "TAG", "NEW-NAME"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		tag, err := client.UpdateTag(ctx, args[0], args[1], args[2])
		if err != nil {
			return err
		}
		return e.show(tag, func() error { return e.say("Tag %s of deployment %s is now %s\n", args[1], args[0], tag.Name) })
	})
}

func newEdgegapTagsDelete(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:   "delete REQUEST-ID TAG",
		Short: "Take a tag from a deployment; a running container does not learn of it",
		Long: "Take a tag from a deployment; a running container does not learn of it. By the tags sk-… a server of skiff\n" +
			"finds what is its own: leave those.",
		Example: "  skiff edgegap tags delete 6f3a1b2c4d5e ranked",
		Args:    exactly("REQUEST-ID", "TAG"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		if err := client.DeleteTag(ctx, args[0], args[1]); err != nil {
			return err
		}
		return e.show(map[string]string{"deleted": args[1]}, func() error {
			return e.say("Tag %s was taken from deployment %s\n", args[1], args[0])
		})
	})
}
