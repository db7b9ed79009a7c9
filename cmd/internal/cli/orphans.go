package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func newReleaseOrphans(c *cli) *cobra.Command {
	var adopt, remove, yes bool
	cmd := &cobra.Command{
		Use:   "orphans [DEPLOYMENT-ID…]",
		Short: "Show, adopt or remove applications that belong to no release",
		Long: "Show applications that run on a platform, carry the mark of the server and belong to no release, as after the\n" +
			"server's data was restored from a backup; those that were replaced and drain; and those that are being removed.\n" +
			"--adopt gives them back to the releases they were made for, where these still want them; --remove removes them.\n" +
			"Without ids it is all of them.",
		Example: "  skiff release orphans\n  skiff release orphans hello.hello-v1 --adopt\n  skiff release orphans --remove --yes",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case adopt && remove:
				return usagef("--adopt and --remove exclude each other: give one of them")
			case len(args) > 0 && !adopt && !remove:
				return usagef("%q has a meaning only with --adopt or --remove: add one of them", args[0])
			}
			return nil
		},
		RunE: c.asking(func(ctx context.Context, s *client.Client, ids []string) error {
			found, err := s.Orphans(ctx)
			if err != nil {
				return err
			}
			if !adopt && !remove {
				return c.showOrphans(found)
			}
			request, err := chosen(found, ids)
			switch {
			case err != nil:
				return err
			case len(request.Orphans) == 0:
				return c.showOrphans(skipper.Orphans{Problems: found.Problems})
			case adopt:
				found, err = s.AdoptOrphans(ctx, request)
			default:
				if err := c.confirmRemoval(request, yes); err != nil {
					return err
				}
				found, err = s.RemoveOrphans(ctx, request)
			}
			if err != nil {
				return err
			}
			return refusedOrphans(found, c.showOrphans(found))
		}),
	}
	cmd.Flags().BoolVar(&adopt, "adopt", false, "give them back to the releases they were made for")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove them from their platforms")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --remove: do not ask")
	return cmd
}

// chosen are the orphans with the ids, or all.
func chosen(found skipper.Orphans, ids []string) (skipper.OrphanRequest, error) {
	var out skipper.OrphanRequest
	seen := map[string]bool{}
	for _, o := range found.Items {
		if o.Kind == skipper.OrphanFound && (len(ids) == 0 || slices.Contains(ids, o.DeploymentID)) {
			out.Orphans = append(out.Orphans, skipper.OrphanRef{Account: o.Account, DeploymentID: o.DeploymentID})
			seen[o.DeploymentID] = true
		}
	}
	for _, id := range ids {
		if !seen[id] {
			return out, skipper.Errorf(skipper.CodeConflict, "%s is no orphan; 'skiff release orphans' shows them", id)
		}
	}
	return out, nil
}

// confirmRemoval asks whoever sits at the terminal; without one --yes is due.
func (c *cli) confirmRemoval(r skipper.OrphanRequest, yes bool) error {
	if yes {
		return nil
	}
	if !c.IsTTY {
		return usagef("--remove takes applications off their platforms: add --yes to do so without being asked")
	}
	for _, o := range r.Orphans {
		if _, err := fmt.Fprintf(c.Err, "%s on %s\n", o.DeploymentID, o.Account); err != nil {
			return err
		}
	}
	agreed, err := c.agreed("Remove %d?", len(r.Orphans))
	if err == nil && !agreed {
		err = skipper.Errorf(skipper.CodeCancelled, "nothing was removed")
	}
	return err
}

func (c *cli) showOrphans(found skipper.Orphans) error {
	for _, problem := range found.Problems {
		if _, err := fmt.Fprintf(c.Err, "warning: %s\n", problem); err != nil {
			return err
		}
	}
	if found.Items == nil {
		found.Items = []skipper.Orphan{}
	}
	return c.show(found.Items, func() error {
		if len(found.Items) == 0 {
			return c.say("No orphans were found\n")
		}
		rows := []table.Row{}
		for _, o := range found.Items {
			message := o.Message
			if o.Until != nil {
				message = strings.TrimSuffix("until "+moment(skipper.At(*o.Until))+" at the latest; "+message, "; ")
			}
			rows = append(rows, table.Row{
				o.Kind, o.Account, o.DeploymentID, o.ReleaseName, o.Version, o.App, skipper.At(o.Since), message,
			})
		}
		return c.table(table.Row{"Kind", "Account", "Deployment", "Release", "Version", "App", "Since", "Message"}, rows)
	})
}

// refusedOrphans is a conflict when one could not be adopted or removed: it is an orphan still.
func refusedOrphans(found skipper.Orphans, err error) error {
	left := 0
	for _, o := range found.Items {
		if o.Kind == skipper.OrphanFound {
			left++
		}
	}
	if err != nil || left == 0 {
		return err
	}
	return skipper.Errorf(skipper.CodeConflict, "%d of %d are orphans still; the column Message says why", left, len(found.Items))
}
