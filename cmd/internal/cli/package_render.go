package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/templates"
)

func newPackageRender(c *cli) *cobra.Command {
	var path string
	var values valueFlags
	cmd := &cobra.Command{
		Use:   "render [DIR|ZIP]",
		Short: "Show the manifest that a package renders to, without a server",
		Long: "Show the manifest that a package renders to, without a server: the same text that an install with the same\n" +
			"values has. Files of --values are merged in their order, then --set and --set-string in theirs.\n\n" + setHelp,
		Example: "  skiff package render ./hello-1.0.0\n" +
			"  skiff package render hello-1.0.0.zip --values values.yml --values prod.yml --set version=1.1.0",
		Args: needing(positional("path"), "path"),
		RunE: func(*cobra.Command, []string) error {
			text, err := c.merged(values)
			if err != nil {
				return err
			}
			manifest, err := rendered(path, text)
			if err != nil {
				return badPackage(err)
			}
			return c.show(map[string]string{"manifest": manifest}, func() error { return c.say("%s", manifest) })
		},
	}
	cmd.Flags().StringVar(&path, "path", "", "folder or zip of the package")
	values.add(cmd)
	return cmd
}

// badPackage says that a package is no good, which is exit code 1 and one sentence whatever is wrong with it, also when it
// is not there.
func badPackage(err error) error {
	if usage, ok := errors.AsType[usageError](err); ok {
		err = usage.error
	}
	return failure{err}
}

func rendered(path, values string) (string, error) {
	content, _, err := opened(path)
	if err != nil {
		return "", err
	}
	p, err := content.Package()
	if err != nil {
		return "", err
	}
	manifest, err := templates.Render(p, values)
	if err == nil && strings.TrimSpace(manifest) == "" {
		return "", failuref("package %s has no templates, so that it renders to nothing", p.Metadata.Name)
	}
	return manifest, err
}
