package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
)

func newEdgegapApps(e *edge) *cobra.Command {
	return group("apps", "List, show, create and delete applications",
		newEdgegapAppsList(e), newEdgegapAppsGet(e), newEdgegapAppsCreate(e), newEdgegapAppsDelete(e))
}

func newEdgegapAppsList(e *edge) *cobra.Command {
	var p pages
	cmd := e.asks(&cobra.Command{
		Use:     "list",
		Short:   "List the applications",
		Example: "  skiff edgegap apps list",
		Args:    exactly(),
	}, func(ctx context.Context, client *edgegap.Client, _ []string) error {
		apps, err := listed(e.cli, p, client.Applications(ctx), func(paging edgegap.Paging) (edgegap.Page[edgegap.Application], error) {
			return client.ListApplications(ctx, paging)
		})
		if err != nil {
			return err
		}
		return e.show(apps, func() error { return e.tableOfApps(apps...) })
	})
	p.flags(cmd)
	return cmd
}

func (c *cli) tableOfApps(apps ...edgegap.Application) error {
	rows := []table.Row{}
	for _, a := range apps {
		rows = append(rows, table.Row{a.Name, a.Active, when(a.CreatedAt), when(a.UpdatedAt)})
	}
	return c.table(table.Row{"Application", "Active", "Created", "Changed"}, rows)
}

func newEdgegapAppsGet(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "get APPLICATION",
		Short:   "Show an application",
		Example: "  skiff edgegap apps get arena",
		Args:    exactly("APPLICATION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		app, err := client.Application(ctx, args[0])
		if err != nil {
			return err
		}
		return e.show(app, func() error { return e.tableOfApps(app) })
	})
}

func newEdgegapAppsCreate(e *edge) *cobra.Command {
	var image string
	var inactive bool
	cmd := e.asks(&cobra.Command{
		Use:     "create APPLICATION",
		Short:   "Create an application, without a version",
		Example: "  skiff edgegap apps create arena\n  skiff edgegap apps create arena --image arena.png",
		Args:    exactly("APPLICATION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		spec := edgegap.ApplicationSpec{Name: args[0], Active: !inactive}
		if image != "" {
			content, err := os.ReadFile(image)
			if err != nil {
				return usagef("--image cannot be read: %w", err)
			}
			spec.Image = base64.StdEncoding.EncodeToString(content)
		}
		app, err := client.CreateApplication(ctx, spec)
		if err != nil {
			return err
		}
		return e.show(app, func() error { return e.say("Application %s was created\n", app.Name) })
	})
	cmd.Flags().StringVar(&image, "image", "", "file with its picture, at most 300 KB (default: one pixel)")
	cmd.Flags().BoolVar(&inactive, "inactive", false, "it cannot be deployed yet")
	return cmd
}

func newEdgegapAppsDelete(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "delete APPLICATION",
		Short:   "Delete an application and all its versions",
		Example: "  skiff edgegap apps delete arena",
		Args:    exactly("APPLICATION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		if err := client.DeleteApplication(ctx, args[0]); err != nil {
			return err
		}
		return e.show(map[string]string{"deleted": args[0]}, func() error {
			return e.say("Application %s was deleted, with all its versions\n", args[0])
		})
	})
}

func newEdgegapVersions(e *edge) *cobra.Command {
	return group("versions", "List, show, create and delete the versions of applications",
		newEdgegapVersionsList(e), newEdgegapVersionsGet(e), newEdgegapVersionsCreate(e), newEdgegapVersionsDelete(e))
}

func newEdgegapVersionsList(e *edge) *cobra.Command {
	var p pages
	cmd := e.asks(&cobra.Command{
		Use:     "list APPLICATION",
		Short:   "List the versions of an application",
		Example: "  skiff edgegap versions list arena",
		Args:    exactly("APPLICATION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		versions, err := listed(e.cli, p, client.Versions(ctx, args[0]),
			func(paging edgegap.Paging) (edgegap.Page[edgegap.Version], error) {
				return client.ListVersions(ctx, args[0], paging)
			})
		if err != nil {
			return err
		}
		return e.show(versions, func() error { return e.tableOfVersions(versions...) })
	})
	p.flags(cmd)
	return cmd
}

func (c *cli) tableOfVersions(versions ...edgegap.Version) error {
	rows := []table.Row{}
	for _, v := range versions {
		ports := map[string]edgegap.Port{}
		for _, p := range v.Ports {
			name := p.Name
			if name == "" {
				name = fmt.Sprint(p.Port)
			}
			ports[name] = edgegap.Port{External: p.Port, Protocol: p.Protocol}
		}
		rows = append(rows, table.Row{
			v.Name, v.Registry + "/" + v.Image + ":" + v.Tag, v.CPUUnits, v.MemoryMB, shortPorts(ports), v.MaxDurationMinutes,
			v.Active, when(v.CreatedAt),
		})
	}
	return c.table(table.Row{"Version", "Image", "CPU units", "Memory MB", "Ports", "Minutes", "Active", "Created"}, rows)
}

func newEdgegapVersionsGet(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "get APPLICATION VERSION",
		Short:   "Show a version; values of hidden variables and the registry's password are left out",
		Example: "  skiff edgegap versions get arena 1.4.0 -o json",
		Args:    exactly("APPLICATION", "VERSION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		version, err := client.Version(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return e.show(version, func() error { return e.tableOfVersions(version) })
	})
}

func newEdgegapVersionsDelete(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:   "delete APPLICATION VERSION",
		Short: "Delete a version",
		Long: "Delete a version. Edgegap does not say what becomes of its deployments: delete one that has none. A server of\n" +
			"skiff makes the versions of its releases again when it needs them.",
		Example: "  skiff edgegap versions delete arena 1.3.0",
		Args:    exactly("APPLICATION", "VERSION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		if err := client.DeleteVersion(ctx, args[0], args[1]); err != nil {
			return err
		}
		return e.show(map[string]string{"deleted": args[1]}, func() error {
			return e.say("Version %s of application %s was deleted\n", args[1], args[0])
		})
	})
}
