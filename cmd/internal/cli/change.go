package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const seeStatus = "'skiff release status %[1]s' shows how it is\n"

// changeOptions are the options of the commands that change a release; each uses those that mean something to it.
type changeOptions struct {
	releaseName, packageName, packageVersion, platformName string

	values  valueOptions
	version int
	force   bool
	apps    []string
	wait    waitOptions
}

func (o *changeOptions) packageFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.packageName, "package-name", "", "name of the package")
	cmd.Flags().StringVar(&o.packageVersion, "package-version", "", "version of the package (default the newest)")
	o.values.flags(cmd)
}

func (o *changeOptions) identifier() *skipper.PackageIdentifier {
	return &skipper.PackageIdentifier{PackageName: o.packageName, PackageVersion: o.packageVersion}
}

const (
	installLong = "Install a package as a release. It answers when the platform accepted the applications; with --wait, when\n" +
		"all of them run and are healthy, or the platform says that one failed."
	upgradeLong = "Upgrade a release to another version of its package, or to other values. The new applications must become\n" +
		"healthy within --timeout; else they are removed, and the version before keeps running. It answers when the\n" +
		"new applications were handed to the platform; with --wait, when the upgrade has ended, either way."
)

// newPackageInstall is Skipper's way to say what newReleaseInstall does: the values by position begin with the package.
func newPackageInstall(c *cli) *cobra.Command {
	cmd := newInstall(c, "install [PACKAGE [VERSION]] --release-name RELEASE",
		"package-name", "package-version", "file", "properties", "release-name", "platform-name")
	cmd.Example = "  skiff package install hello --release-name hello --wait\n" +
		"  skiff package install hello 1.0.0 --release-name hello --properties spec.count=2"
	return cmd
}

func newReleaseInstall(c *cli) *cobra.Command {
	cmd := newInstall(c, "install [RELEASE] --package-name PACKAGE",
		"release-name", "package-name", "package-version", "file", "properties", "platform-name")
	cmd.Example = "  skiff release install hello --package-name hello --wait\n" +
		"  skiff release install hello --package-name hello --package-version 1.0.0 --file values.yml --wait --timeout 60s"
	return cmd
}

func newInstall(c *cli, use string, positions ...string) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   use,
		Short: "Install a package as a release",
		Long:  installLong,
		Args:  needing(positional(positions...), "release-name", "package-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			values, err := c.given(o.values)
			if err != nil {
				return err
			}
			return c.install(ctx, s, o, values)
		}),
	}
	releaseName(cmd, &o.releaseName)
	o.packageFlags(cmd)
	cmd.Flags().StringVar(&o.platformName, "platform-name", "default", "platform account to install on")
	o.wait.flags(cmd, defaultPatience, "how long --wait waits, as 60s")
	return cmd
}

func (c *cli) install(ctx context.Context, s *client.Client, o changeOptions, values *skipper.ConfigValues) error {
	return c.command(ctx, s, change{
		name: o.releaseName, verb: "install", wait: o.wait,
		begun: "%s was handed to its platform as version %d; " + seeStatus,
		done:  "Released %s. Now at version v%d.\n",
		send: func(ctx context.Context, options skipper.CommandOptions) (skipper.Release, string, error) {
			return s.Install(ctx, skipper.InstallRequest{
				PackageIdentifier: o.identifier(),
				InstallProperties: &skipper.InstallProperties{
					ReleaseName: o.releaseName, ConfigValues: values, PlatformName: o.platformName,
				},
			}, options)
		},
	})
}

func newReleaseUpgrade(c *cli) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "upgrade [RELEASE [PACKAGE [VERSION]]]",
		Short: "Upgrade a release to another version of its package, or to other values",
		Long:  upgradeLong,
		Example: "  skiff release upgrade hello --package-name hello --package-version 1.1.0 --wait --timeout 60s\n" +
			"  skiff release upgrade hello --package-name hello --file values.yml --force --app-names hello",
		Args: needing(positional("release-name", "package-name", "package-version", "file", "timeout-expression",
			"properties", "force", "app-names"), "release-name", "package-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			if len(o.apps) > 0 && !o.force {
				return usagef("--app-names can be used only with --force: add it")
			}
			values, err := c.given(o.values)
			if err != nil {
				return err
			}
			return c.upgrade(ctx, s, o, values)
		}),
	}
	releaseName(cmd, &o.releaseName)
	o.packageFlags(cmd)
	o.wait.healthFlags(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "upgrade although nothing changed")
	cmd.Flags().StringSliceVar(&o.apps, "app-names", nil, "with --force: replace only these applications, as a,b")
	return cmd
}

func (c *cli) upgrade(ctx context.Context, s *client.Client, o changeOptions, values *skipper.ConfigValues) error {
	return c.command(ctx, s, change{
		name: o.releaseName, verb: "upgrade", wait: o.wait,
		begun: "%s is being upgraded. Its new version is %d; " + seeStatus,
		done:  "%s has been upgraded.  Now at version v%d.\n",
		send: func(ctx context.Context, options skipper.CommandOptions) (skipper.Release, string, error) {
			return s.Upgrade(ctx, skipper.UpgradeRequest{
				PackageIdentifier: o.identifier(),
				UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: o.releaseName, ConfigValues: values},
				Timeout:           o.wait.milliseconds(), Force: o.force, AppNames: append([]string{}, o.apps...),
			}, options)
		},
	})
}

func newReleaseRollback(c *cli) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "rollback [RELEASE [VERSION]]",
		Short: "Bring an earlier version of a release back, as a new version",
		Long: "Bring an earlier version of a release back, as a new version. It works as an upgrade does; a deleted\n" +
			"release is installed again.",
		Example: "  skiff release rollback hello --wait\n" +
			"  skiff release rollback hello --release-version 1 --wait --timeout 60s",
		Args: needing(positional("release-name", "release-version", "timeout-expression"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			return c.command(ctx, s, change{
				name: o.releaseName, verb: "rollback", wait: o.wait,
				begun: "%s is being rolled back. Its new version is %d; " + seeStatus,
				done:  "%s has been rolled back.  Now at version v%d.\n",
				send: func(ctx context.Context, options skipper.CommandOptions) (skipper.Release, string, error) {
					return s.Rollback(ctx, skipper.RollbackRequest{
						ReleaseName: o.releaseName, Version: &o.version, Timeout: o.wait.milliseconds(),
					}, options)
				},
			})
		}),
	}
	releaseName(cmd, &o.releaseName)
	cmd.Flags().IntVar(&o.version, "release-version", 0, "version to go back to; 0 is the one before")
	o.wait.healthFlags(cmd)
	return cmd
}

func newReleaseDelete(c *cli) *cobra.Command {
	var o changeOptions
	var withPackage bool
	cmd := &cobra.Command{
		Use:     "delete [RELEASE]",
		Short:   "Remove the applications of a release; its history stays",
		Example: "  skiff release delete hello\n  skiff release delete hello --delete-package",
		Args:    needing(positional("release-name", "delete-package"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			return c.command(ctx, s, change{
				name: o.releaseName, verb: "delete", wait: o.wait,
				begun: "%s is being deleted; it is at version %d; " + seeStatus,
				done:  "%s has been deleted.\n",
				send: func(ctx context.Context, options skipper.CommandOptions) (skipper.Release, string, error) {
					return s.Delete(ctx, o.releaseName, withPackage, options)
				},
			})
		}),
	}
	releaseName(cmd, &o.releaseName)
	cmd.Flags().BoolVar(&withPackage, "delete-package", false, "also delete all versions of its package")
	o.wait.commandFlags(cmd)
	return cmd
}

func newReleaseScale(c *cli) *cobra.Command {
	var o changeOptions
	var counts []string
	cmd := &cobra.Command{
		Use:     "scale [RELEASE] --count APPLICATION=N",
		Short:   "Set how many instances of applications run",
		Example: "  skiff release scale hello --count hello=3\n  skiff release scale duo --count left=2 --count right=0",
		Args:    needing(positional("release-name"), "release-name", "count"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			request, err := scaling(counts)
			if err != nil {
				return err
			}
			return c.command(ctx, s, change{
				name: o.releaseName, verb: "scale", wait: o.wait,
				begun: "%s is being scaled; it is at version %d; " + seeStatus,
				done:  "%s has been scaled.\n",
				send: func(ctx context.Context, options skipper.CommandOptions) (skipper.Release, string, error) {
					return s.Scale(ctx, o.releaseName, request, options)
				},
			})
		}),
	}
	releaseName(cmd, &o.releaseName)
	cmd.Flags().StringArrayVar(&counts, "count", nil, "instances of an application, as hello=3; may be repeated")
	o.wait.commandFlags(cmd)
	return cmd
}

func scaling(counts []string) (skipper.ScaleRequest, error) {
	var request skipper.ScaleRequest
	for _, text := range counts {
		app, count, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(count)
		if !ok || app == "" || err != nil || n < 0 {
			return request, usagef("--count is %q: use APPLICATION=N, as hello=3", text)
		}
		request.Scale = append(request.Scale, skipper.ScaleRequestItem{
			Name: app, Count: &n, Properties: map[string]string{},
		})
	}
	return request, nil
}

func newReleaseCancel(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "cancel [RELEASE]",
		Short: "Cancel the install, upgrade or rollback that runs on a release",
		Long: "Cancel the install, upgrade or rollback that runs on a release: while applications are handed to the\n" +
			"platform, and while an upgrade waits for healthy ones. What is new is removed; the version before an upgrade\n" +
			"keeps running. Deletes, and upgrades that remove the replaced applications already, go on to their end.",
		Example: "  skiff release cancel hello",
		Args:    needing(positional("release-name"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			accepted, err := s.Cancel(ctx, name)
			switch {
			case err != nil:
				return err
			case !accepted && c.Style != nil:
				return skipper.Errorf(skipper.CodeConflict, "Cancel request for release %s not accepted", name)
			case !accepted:
				return notCancelled(ctx, s, name)
			}
			sent := struct {
				Name     string `json:"name"`
				Accepted bool   `json:"accepted"`
			}{name, true}
			return c.show(sent, func() error { return c.say("Cancel request for release %s sent\n", name) })
		}),
	}
	releaseName(cmd, &name)
	return cmd
}

// notCancelled says why: the server does not tell a release with nothing to cancel from one that is not there.
func notCancelled(ctx context.Context, s *client.Client, name string) error {
	if _, err := s.Status(ctx, name, 0); skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
		return err
	}
	return skipper.Errorf(skipper.CodeConflict, "nothing runs on release %s that can be cancelled; "+
		"'skiff release status %s' shows how it is", name, name)
}
