package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
)

func newManifest(c *cli) *cobra.Command {
	return group("manifest", "See what the package of a release rendered to", newManifestGet(c, "manifest get"))
}

// newManifestGet is a command of two names: that of Skipper, and that which stands with its release.
func newManifestGet(c *cli, called string) *cobra.Command {
	var name string
	var version int
	use := called[strings.LastIndex(called, " ")+1:]
	cmd := &cobra.Command{
		Use:     use + " [RELEASE [VERSION]]",
		Short:   "Print the manifest of a release: what its package rendered to",
		Example: "  skiff " + called + " hello\n  skiff " + called + " hello --release-version 1",
		Args:    needing(positional("release-name", "release-version"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
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
