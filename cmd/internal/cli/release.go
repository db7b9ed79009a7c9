package cli

import (
	"context"
	"fmt"
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
		newReleaseInstall(c), newReleaseApply(c), newReleaseList(c), newReleaseStatus(c), newReleaseHistory(c), newManifestGet(c, "release manifest"),
		newReleaseLogs(c), newReleaseUpgrade(c), newReleaseRollback(c), newReleaseScale(c), newReleaseCancel(c),
		newReleaseWatch(c), newReleaseDelete(c), newReleaseOrphans(c))
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
		Example: "  skiff release list\n  skiff release list hel -o json\n  skiff release list -o name",
		Args:    needing(positional("release-name")),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			releases, err := s.Listed(ctx, name)
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
			r.Name, r.Version, r.Info.LastDeployed, r.Info.Status.StatusCode, r.Pkg.Metadata.Name,
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
		Use:     "status [RELEASE [VERSION]]",
		Short:   "Show how a release and each instance of its applications are",
		Example: "  skiff release status hello\n  skiff release status hello --release-version 1",
		Args:    needing(positional("release-name", "release-version"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			info, err := s.Status(ctx, name, version)
			if c.Style != nil && skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
				return c.say("Release with name '%s' not found\n", name)
			}
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
	if c.Style != nil {
		return c.pairs(table.Row{"Last Deployed", info.FirstDeployed}, table.Row{"Status", info.Status.StatusCode},
			table.Row{"Platform Status", strings.TrimSuffix(sentence(info.Status)+"\n"+platformStatus(info.Status), "\n")})
	}
	rows := []table.Row{
		{"Release", name},
		{"Last deployed", info.LastDeployed},
		{"Status", info.Status.StatusCode},
		{"Description", info.Description},
		{"Platform status", sentence(info.Status)},
	}
	for _, d := range info.Draining {
		rows = append(rows, table.Row{"Draining", fmt.Sprintf("%s of version %d, %s, until %s at the latest",
			d.DeploymentID, d.Version, running(d.Instances), moment(skipper.At(d.Until)))})
	}
	if err := c.pairs(rows...); err != nil {
		return err
	}
	apps := info.Status.AppStatuses()
	if len(apps) == 0 {
		return nil
	}
	rows = []table.Row{}
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

// sentence says how the applications of a release are together, in the words of Skipper's client.
func sentence(status skipper.Status) string {
	apps := status.AppStatuses()
	count := map[skipper.DeploymentState]int{}
	for _, app := range apps {
		count[app.State]++
	}
	switch {
	case len(apps) == 0 && status.StatusCode == skipper.StatusDeleted, // which Skipper's client calls an error
		len(apps) == 1 && count[skipper.StateUnknown]+count[skipper.StateUndeployed] == 1:
		return "The applications are known to the system, but is not currently deployed."
	case len(apps) == 0, count[skipper.StateError] > 0:
		return "A system error occurred trying to determine platform status."
	case count[skipper.StateFailed] > 0:
		return "All apps have failed deployment."
	case count[skipper.StateDeployed] == len(apps):
		return "All applications have been successfully deployed."
	default:
		return "The applications are being deployed."
	}
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
		Args:    needing(positional("release-name"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			versions, err := s.History(ctx, name)
			if err != nil {
				return err
			}
			if c.Style == nil { // the server, and Skipper's shell, also find releases that only contain the name
				versions = slices.DeleteFunc(versions, func(r skipper.Release) bool { return r.Name != name })
			}
			if len(versions) == 0 && c.Style == nil {
				return skipper.ReleaseNotFound(name, 0)
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
			r.Version, r.Info.LastDeployed, r.Info.Status.StatusCode, r.Pkg.Metadata.Name, r.Pkg.Metadata.Version,
			r.Info.Description,
		})
	}
	return c.table(table.Row{"Version", "Last updated", "Status", "Package Name", "Package Version", "Description"}, rows)
}
