package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	defaultPatience = 5 * time.Minute
	maxTimeout      = 30 * 24 * time.Hour // as the server has it
	seeStatus       = "'skiff release status %[1]s' shows how it is\n"
)

// changeOptions are the options of the commands that make a version of a release; each uses those that mean something
// to it.
type changeOptions struct {
	releaseName, packageName, packageVersion, platformName, file string

	version int
	force   bool
	apps    []string
	wait    bool
	timeout time.Duration
}

func (o *changeOptions) packageFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.packageName, "package-name", "", "name of the package (required)")
	cmd.Flags().StringVar(&o.packageVersion, "package-version", "", "version of the package (default the newest)")
	cmd.Flags().StringVar(&o.file, "file", "", "YAML file of values; - reads standard input")
}

func (o *changeOptions) healthFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until the operation has ended")
	o.timeoutFlag(cmd, 0, "how long the new applications may take to become healthy, as 60s (default: the server's)")
}

// timeoutFlag adds a time, which is checked where it is given: without it, 0 may stand for the server's own.
func (o *changeOptions) timeoutFlag(cmd *cobra.Command, otherwise time.Duration, usage string) {
	const flag = "timeout"
	cmd.Flags().DurationVar(&o.timeout, flag, otherwise, usage)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case !cmd.Flags().Changed(flag):
			return nil
		case o.timeout <= 0:
			return usagef("--timeout is %s: use a time above 0, as 60s", o.timeout)
		case o.timeout > maxTimeout:
			return usagef("--timeout is %s: use at most 720h, which is 30 days", o.timeout)
		}
		return nil
	}
}

// read takes the arguments in.
func (o *changeOptions) read(args []string) error {
	name, err := named(args, o.releaseName, "release-name")
	if err != nil {
		return err
	}
	o.releaseName = name
	return nil
}

func (o *changeOptions) identifier() (*skipper.PackageIdentifier, error) {
	if o.packageName == "" {
		return nil, usagef("--package-name is missing: name the package; 'skiff package list' shows them")
	}
	return &skipper.PackageIdentifier{PackageName: o.packageName, PackageVersion: o.packageVersion}, nil
}

// milliseconds gives the timeout as the server takes it; nil leaves it to the server.
func (o *changeOptions) milliseconds() *int64 {
	if o.timeout == 0 {
		return nil
	}
	ms := max(1, o.timeout.Milliseconds())
	return &ms
}

// values reads the file of values; nil without one.
func (c *cli) values(file string) (*skipper.ConfigValues, error) {
	var b []byte
	var err error
	switch file {
	case "":
		return nil, nil
	case "-":
		b, err = io.ReadAll(c.In)
	default:
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, usagef("--file cannot be read: %w", err)
	}
	raw := string(b)
	return &skipper.ConfigValues{Raw: &raw}, nil
}

func newReleaseInstall(c *cli) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "install [RELEASE] --package-name PACKAGE",
		Short: "Install a package as a release",
		Long: "Install a package as a release. It answers when the platform accepted the applications; with --wait, when\n" +
			"all of them run and are healthy.",
		Example: "  skiff release install hello --package-name hello --wait\n" +
			"  skiff release install hello --package-name hello --package-version 1.0.0 --file values.yml --wait --timeout 60s",
		Args: atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			if err := o.read(args); err != nil {
				return err
			}
			return c.install(ctx, s, o)
		}),
	}
	releaseName(cmd, &o.releaseName)
	o.packageFlags(cmd)
	cmd.Flags().StringVar(&o.platformName, "platform-name", "default", "platform account to install on")
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until all applications run and are healthy")
	o.timeoutFlag(cmd, defaultPatience, "how long --wait waits, as 60s")
	return cmd
}

func (c *cli) install(ctx context.Context, s *client.Client, o changeOptions) error {
	identifier, err := o.identifier()
	if err != nil {
		return err
	}
	values, err := c.values(o.file)
	if err != nil {
		return err
	}
	var release skipper.Release
	err = c.handOver(ctx, s, o.wait, "install", o.releaseName, func(ctx context.Context) (err error) {
		release, _, err = s.Install(ctx, skipper.InstallRequest{
			PackageIdentifier: identifier,
			InstallProperties: &skipper.InstallProperties{
				ReleaseName: o.releaseName, ConfigValues: values, PlatformName: o.platformName,
			},
		})
		return err
	})
	if err != nil {
		return err
	}
	if !o.wait {
		return c.changed(release, "%s was handed to its platform as version %d; "+seeStatus)
	}
	err = c.wait(ctx, watch{
		what: "install of " + release.Name, name: release.Name,
		stands: fmt.Sprintf("release %s is installed as version %d", release.Name, release.Version),
		limit:  func() time.Duration { return o.timeout },
		look:   func(ctx context.Context) (string, error) { return unhealthy(ctx, s, release) },
	})
	if err != nil {
		return err
	}
	return c.settled(ctx, s, release, "%s runs. Now at version %d\n")
}

func newReleaseUpgrade(c *cli) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "upgrade [RELEASE] --package-name PACKAGE",
		Short: "Upgrade a release to another version of its package, or to other values",
		Long: "Upgrade a release to another version of its package, or to other values. The new applications must become\n" +
			"healthy within --timeout; else they are removed, and the version before keeps running. It answers when the\n" +
			"new applications were handed to the platform; with --wait, when the upgrade has ended, either way.",
		Example: "  skiff release upgrade hello --package-name hello --package-version 1.1.0 --wait --timeout 60s\n" +
			"  skiff release upgrade hello --package-name hello --file values.yml --force --app-names hello",
		Args: atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			if err := o.read(args); err != nil {
				return err
			}
			return c.upgrade(ctx, s, o)
		}),
	}
	releaseName(cmd, &o.releaseName)
	o.packageFlags(cmd)
	o.healthFlags(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "upgrade although nothing changed")
	cmd.Flags().StringSliceVar(&o.apps, "app-names", nil, "with --force: replace only these applications, as a,b")
	return cmd
}

func (c *cli) upgrade(ctx context.Context, s *client.Client, o changeOptions) error {
	if len(o.apps) > 0 && !o.force {
		return usagef("--app-names has a meaning only with --force: add it")
	}
	identifier, err := o.identifier()
	if err != nil {
		return err
	}
	values, err := c.values(o.file)
	if err != nil {
		return err
	}
	var release skipper.Release
	var operation string
	err = c.handOver(ctx, s, o.wait, "upgrade", o.releaseName, func(ctx context.Context) (err error) {
		release, operation, err = s.Upgrade(ctx, skipper.UpgradeRequest{
			PackageIdentifier: identifier,
			UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: o.releaseName, ConfigValues: values},
			Timeout:           o.milliseconds(), Force: o.force, AppNames: append([]string{}, o.apps...),
		})
		return err
	})
	if err != nil {
		return err
	}
	return c.replaced(ctx, s, release, operation, o.wait, "upgrade", "upgraded")
}

func newReleaseRollback(c *cli) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "rollback [RELEASE]",
		Short: "Bring an earlier version of a release back, as a new version",
		Long: "Bring an earlier version of a release back, as a new version. It works as an upgrade does; a deleted\n" +
			"release is installed again.",
		Example: "  skiff release rollback hello --wait\n" +
			"  skiff release rollback hello --release-version 1 --wait --timeout 60s",
		Args: atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			if err := o.read(args); err != nil {
				return err
			}
			var release skipper.Release
			var operation string
			err := c.handOver(ctx, s, o.wait, "rollback", o.releaseName, func(ctx context.Context) (err error) {
				release, operation, err = s.Rollback(ctx, skipper.RollbackRequest{
					ReleaseName: o.releaseName, Version: &o.version, Timeout: o.milliseconds(),
				})
				return err
			})
			if err != nil {
				return err
			}
			return c.replaced(ctx, s, release, operation, o.wait, "rollback", "rolled back")
		}),
	}
	releaseName(cmd, &o.releaseName)
	cmd.Flags().IntVar(&o.version, "release-version", 0, "version to go back to; 0 is the one before")
	o.healthFlags(cmd)
	return cmd
}

// replaced says what became of an upgrade or rollback, after its end if that is waited for.
func (c *cli) replaced(
	ctx context.Context, s *client.Client, release skipper.Release, operation string, wait bool, verb, done string,
) error {
	if !wait {
		return c.changed(release, "%s is being "+done+". Its new version is %d; "+seeStatus)
	}
	if err := c.follow(ctx, s, verb+" of "+release.Name, release, operation); err != nil {
		return err
	}
	return c.settled(ctx, s, release, "%s has been "+done+". Now at version %d\n")
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
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			name, err := named(args, name, "release-name")
			if err != nil {
				return err
			}
			accepted, err := s.Cancel(ctx, name)
			switch {
			case err != nil:
				return err
			case !accepted:
				return notCancelled(ctx, s, name)
			}
			return c.show(skipper.CancelResponse{Accepted: true}, func() error {
				return c.say("Cancel request for release %s sent\n", name)
			})
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

func newReleaseDelete(c *cli) *cobra.Command {
	var name string
	var withPackage bool
	cmd := &cobra.Command{
		Use:     "delete [RELEASE]",
		Short:   "Remove the applications of a release; its history stays",
		Example: "  skiff release delete hello\n  skiff release delete hello --delete-package",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			name, err := named(args, name, "release-name")
			if err != nil {
				return err
			}
			release, operation, err := s.Delete(ctx, name, withPackage)
			if err != nil {
				return err
			}
			const sentence = "%s has been deleted. It was at version %d\n"
			if release.Info.Status.StatusCode == skipper.StatusDeleted {
				return c.changed(release, sentence)
			}
			if err := c.follow(ctx, s, "delete of "+name, release, operation); err != nil {
				return err
			}
			return c.settled(ctx, s, release, sentence)
		}),
	}
	releaseName(cmd, &name)
	cmd.Flags().BoolVar(&withPackage, "delete-package", false, "also delete all versions of its package")
	return cmd
}

// changed shows a release as a command gave it; sentence takes its name and version.
func (c *cli) changed(release skipper.Release, sentence string) error {
	if release.Info.Status.StatusCode == skipper.StatusFailed {
		return failuref("version %d of %s failed: %s", release.Version, release.Name, release.Info.Description)
	}
	return c.show(release, func() error { return c.say(sentence, release.Name, release.Version) })
}

// settled shows a release as it is after its operation.
func (c *cli) settled(ctx context.Context, s *client.Client, release skipper.Release, sentence string) error {
	info, err := s.Status(ctx, release.Name, release.Version)
	if err != nil {
		return err
	}
	release.Info = info
	return c.changed(release, sentence)
}
