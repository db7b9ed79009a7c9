package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func newRelease(c *cli) *cobra.Command {
	return group("release", "Install, look at, upgrade, roll back and delete releases",
		newReleaseInstall(c), newReleaseList(c), newReleaseStatus(c), newReleaseHistory(c), newReleaseManifest(c),
		newReleaseLogs(c), newReleaseUpgrade(c), newReleaseRollback(c), newReleaseCancel(c), newReleaseDelete(c), newReleaseOrphans(c))
}

// releaseName adds the flag of a release's name.
func releaseName(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "release-name", "", "name of the release")
}

// releaseVersion adds the flag of a version to look at.
func releaseVersion(cmd *cobra.Command, version *int) {
	cmd.Flags().IntVar(version, "release-version", 0, "version of the release; 0 is the newest")
}

func newReleaseList(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "list [PART-OF-NAME]",
		Short:   "List what is deployed or failed, all or with a part in its name",
		Example: "  skiff release list\n  skiff release list hel -o json",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			part, err := optional(args, name, "release-name")
			if err == nil {
				err = addressable(part, "release-name")
			}
			if err != nil {
				return err
			}
			releases, err := s.Listed(ctx, part)
			if err != nil {
				return err
			}
			return c.show(releases, func() error { return c.listReleases(releases) })
		}),
	}
	cmd.Flags().StringVar(&name, "release-name", "", "part of a release name, in any case")
	return cmd
}

func (c *cli) listReleases(releases []skipper.Release) error {
	rows := []table.Row{}
	for _, r := range releases {
		rows = append(rows, table.Row{
			r.Name, r.Version, moment(r.Info.LastDeployed), r.Info.Status.StatusCode, r.Pkg.Metadata.Name,
			r.Pkg.Metadata.Version, r.PlatformName, platformStatus(r.Info.Status),
		})
	}
	return c.table(table.Row{
		"Name", "Version", "Last updated", "Status", "Package Name", "Package Version", "Platform Name", "Platform Status",
	}, rows)
}

func newReleaseStatus(c *cli) *cobra.Command {
	var name string
	var version int
	cmd := &cobra.Command{
		Use:     "status [RELEASE]",
		Short:   "Show how a release and each instance of its applications are",
		Example: "  skiff release status hello\n  skiff release status hello --release-version 1",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			name, err := named(args, name, "release-name")
			if err != nil {
				return err
			}
			info, err := s.Status(ctx, name, version)
			if err != nil {
				return err
			}
			return c.show(info, func() error { return c.showStatus(name, info) })
		}),
	}
	releaseName(cmd, &name)
	releaseVersion(cmd, &version)
	return cmd
}

func (c *cli) showStatus(name string, info skipper.Info) error {
	err := c.say("Release:        %s\nLast deployed:  %s\nStatus:         %s\nDescription:    %s\n",
		name, moment(info.LastDeployed), info.Status.StatusCode, info.Description)
	for _, d := range info.Draining {
		if err == nil {
			err = c.say("Draining:       %s of version %d, %s, until %s at the latest\n", d.DeploymentID, d.Version,
				running(d.Instances), moment(skipper.At(d.Until)))
		}
	}
	apps := info.Status.AppStatuses()
	if err != nil || len(apps) == 0 {
		return err
	}
	rows := []table.Row{}
	for _, app := range apps {
		if len(app.Instances) == 0 {
			rows = append(rows, table.Row{app.DeploymentID, "-", app.State, "", "", ""})
		}
		for _, id := range slices.Sorted(maps.Keys(app.Instances)) {
			i := app.Instances[id]
			rows = append(rows, table.Row{
				app.DeploymentID, id, i.State, where(i.Attributes), i.Attributes["pid"], why(i.Attributes),
			})
		}
	}
	if err := c.say("\n"); err != nil {
		return err
	}
	return c.table(table.Row{"Application", "Instance", "State", "URL", "PID", "Reason"}, rows)
}

// running says how many instances of an application that drains have not ended.
func running(instances int) string {
	switch instances {
	case -1:
		return "the platform cannot be asked"
	case 1:
		return "1 instance runs"
	}
	return strconv.Itoa(instances) + " instances run"
}

// where says how an instance is reached.
func where(attributes map[string]string) string {
	if url := attributes["url"]; url != "" {
		return url
	}
	if port := attributes["port"]; port != "" {
		return ":" + port
	}
	return ""
}

// why says why an instance is not well; empty where the platform does not tell.
func why(attributes map[string]string) string {
	reason, code := attributes["reason"], attributes["exitCode"]
	switch {
	case code == "" || strings.Contains(reason, code):
		return reason
	case reason == "":
		return "exit code " + code
	default:
		return reason + ", exit code " + code
	}
}

func newReleaseHistory(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "history [RELEASE]",
		Short:   "Show all versions of a release, newest first",
		Example: "  skiff release history hello",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			name, err := named(args, name, "release-name")
			if err != nil {
				return err
			}
			versions, err := s.History(ctx, name)
			// The server also finds releases that only contain the name.
			versions = slices.DeleteFunc(versions, func(r skipper.Release) bool { return r.Name != name })
			if err == nil && len(versions) == 0 {
				err = skipper.ReleaseNotFound(name, 0)
			}
			if err != nil {
				return err
			}
			return c.show(versions, func() error { return c.showHistory(versions) })
		}),
	}
	releaseName(cmd, &name)
	return cmd
}

func (c *cli) showHistory(versions []skipper.Release) error {
	rows := []table.Row{}
	for _, r := range versions {
		rows = append(rows, table.Row{
			r.Version, moment(r.Info.LastDeployed), r.Info.Status.StatusCode, r.Pkg.Metadata.Name, r.Pkg.Metadata.Version,
			r.Info.Description,
		})
	}
	return c.table(table.Row{"Version", "Last updated", "Status", "Package Name", "Package Version", "Description"}, rows)
}

func newReleaseManifest(c *cli) *cobra.Command {
	var name string
	var version int
	cmd := &cobra.Command{
		Use:     "manifest [RELEASE]",
		Short:   "Print the manifest of a release: what its package rendered to",
		Example: "  skiff release manifest hello\n  skiff release manifest hello --release-version 1",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			name, err := named(args, name, "release-name")
			if err != nil {
				return err
			}
			manifest, err := s.Manifest(ctx, name, version)
			if err != nil {
				return err
			}
			return c.show(manifest, func() error { return c.say("%s\n", strings.TrimSuffix(manifest.Data, "\n")) })
		}),
	}
	releaseName(cmd, &name)
	releaseVersion(cmd, &version)
	return cmd
}
