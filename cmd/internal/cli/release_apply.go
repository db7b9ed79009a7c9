package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
	"github.com/skiff-project/skiff/templates"
)

// declared is a release as a file declares it.
type declared struct {
	name, packageName, packageVersion, platform string

	values *yamlx.Map
}

func newReleaseApply(c *cli) *cobra.Command {
	var file, version string
	var dryRun bool
	var values valueFlags
	var wait waitOptions
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Bring a release to what a file declares: install it, upgrade it, or leave it",
		Long: `Bring a release to what a file declares. It is installed when it is not there, upgraded when something changes, and
left alone otherwise; all three are success. --dry-run shows what would change and does nothing. It waits for the end
unless --no-wait is given. FILE has these keys:
  name: hello          # of the release
  package: hello
  version: 1.1.0       # of the package; optional: the newest
  platform: default    # account; optional
  values:              # optional
    greeting: Hello
--values, --set and --set-string count more than the values of the file. An upgrade lays the values over those of the
version before, as 'release upgrade' does; without any it has the defaults of the package.

` + setHelp,
		Example: "  skiff release apply -f release.yml --dry-run\n" +
			"  skiff release apply -f release.yml --version 1.1.0 --set greeting=Hi --idempotency-key \"$CI_JOB_ID\"",
		Args: needing(positional("file"), "file"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			d, err := c.declaration(file, values)
			if err != nil {
				return err
			}
			d.packageVersion = orElse(version, d.packageVersion)
			return c.apply(ctx, s, d, wait, dryRun)
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "YAML file that declares the release; - reads standard input")
	cmd.Flags().StringVar(&version, "version", "", "version of the package, instead of the file's")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and do nothing")
	values.add(cmd)
	wait.healthFlags(cmd)
	return cmd
}

// declaration reads the file of a release, with the values of the line over its own.
func (c *cli) declaration(file string, over valueFlags) (declared, error) {
	text, err := c.readFile(file, "--file")
	if err != nil {
		return declared{}, usagef("%w", err)
	}
	m, err := yamlx.ParseMap(text)
	if err != nil {
		return declared{}, usagef("--file %s: %w", file, err)
	}
	d := declared{platform: "default", values: yamlx.NewMap()}
	texts := map[string]*string{
		"name": &d.name, "package": &d.packageName, "version": &d.packageVersion, "platform": &d.platform,
	}
	for _, e := range m.Entries() {
		key := yamlx.Text(e.Key)
		if key == "values" {
			values, ok := e.Value.(*yamlx.Map)
			if !ok && e.Value != nil {
				return declared{}, usagef("--file %s: values must be a map, found %s", file, yamlx.Describe(e.Value))
			}
			if ok {
				d.values = values
			}
			continue
		}
		to, ok := texts[key]
		if !ok {
			return declared{}, usagef("--file %s: there is no key %q; use name, package, version, platform and values", file, key)
		}
		if *to, ok = e.Value.(string); !ok {
			return declared{}, usagef("--file %s: %s must be a text, found %s: put it in quotes", file, key, yamlx.Describe(e.Value))
		}
	}
	for _, key := range []string{"name", "package", "platform"} {
		if *texts[key] == "" {
			return declared{}, usagef("--file %s: the key %s is missing", file, key)
		}
	}
	return c.overlaid(d, over)
}

func (c *cli) overlaid(d declared, over valueFlags) (declared, error) {
	text, err := c.merged(over)
	if err != nil {
		return d, usagef("%w", err) // as for --file
	}
	if text == "" {
		return d, nil
	}
	values, err := yamlx.ParseMap(text)
	if err == nil {
		d.values, err = templates.Merge(d.values, values)
	}
	if err != nil {
		return d, usagef("--values: %w", err)
	}
	return d, nil
}

func (c *cli) apply(ctx context.Context, s *client.Client, d declared, wait waitOptions, dryRun bool) error {
	o := changeOptions{
		releaseName: d.name, packageName: d.packageName, packageVersion: d.packageVersion, platformName: d.platform, wait: wait,
	}
	var values *skipper.ConfigValues
	if d.values.Len() > 0 {
		raw := yamlx.Plain(d.values)
		values = &skipper.ConfigValues{Raw: &raw}
	}
	p, err := s.Preview(ctx, skipper.InstallRequest{
		PackageIdentifier: o.identifier(),
		InstallProperties: &skipper.InstallProperties{ReleaseName: d.name, ConfigValues: values, PlatformName: d.platform},
	})
	if err != nil {
		return err
	}
	if dryRun {
		return c.show(p, func() error { return c.say("%s\n%s", foreseen(p), p.Diff) })
	}
	o.packageVersion = p.PackageVersion // as it was foreseen, also when a newer one comes meanwhile
	o.wait.wait = !o.wait.noWait
	switch p.Action {
	case skipper.PreviewInstall:
		if o.wait.timeout == 0 {
			o.wait.timeout = defaultPatience
		}
		return c.install(ctx, s, o, values)
	case skipper.PreviewUpgrade:
		err := c.upgrade(ctx, s, o, values)
		if skipper.CodeOf(err) != skipper.CodeReleaseUpgrade {
			return err
		}
		p.Action = skipper.PreviewNone // somebody else was faster
	case skipper.PreviewNone:
	}
	return c.show(p, func() error { return c.say("%s\n", foreseen(p)) })
}

// foreseen says what applying comes to.
func foreseen(p skipper.Preview) string {
	what := fmt.Sprintf("version %d, with package %s %s on %s", p.Version, p.PackageName, p.PackageVersion, p.PlatformName)
	switch p.Action {
	case skipper.PreviewInstall:
		return p.Name + " would be installed as " + what + "."
	case skipper.PreviewUpgrade:
		return p.Name + " would be upgraded to " + what + "."
	case skipper.PreviewNone:
	}
	return strings.TrimSpace(p.Name + " is up to date: " + what + ".")
}
