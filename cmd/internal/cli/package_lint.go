package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/cmd/internal/lint"
)

func newPackageLint(c *cli) *cobra.Command {
	var path string
	var values valueFlags
	cmd := &cobra.Command{
		Use:   "lint [DIR|ZIP]",
		Short: "Find what is wrong with a package, without a server",
		Long: "Find what is wrong with a package, without a server: its layout, package.yml, values and their schema, and\n" +
			"what every template renders to with the default values and with those given. Each problem is a line\n" +
			"FILE:LINE: MESSAGE. The exit code is 1 when there is an error; warnings alone do not count.",
		Example: "  skiff package lint ./hello-1.0.0\n  skiff package lint hello-1.0.0.zip --set appBase=file:///opt/apps -o json",
		Args:    needing(positional("path"), "path"),
		RunE: func(*cobra.Command, []string) error {
			text, err := c.merged(values)
			if err != nil {
				return err
			}
			return c.lint(path, text)
		},
	}
	cmd.Flags().StringVar(&path, "path", "", "folder or zip of the package")
	values.add(cmd)
	return cmd
}

func (c *cli) lint(path, values string) error {
	content, zipped, err := opened(path)
	if err != nil {
		return badPackage(err)
	}
	found := struct {
		Path     string         `json:"path"`
		Errors   int            `json:"errors"`
		Warnings int            `json:"warnings"`
		Problems []lint.Problem `json:"problems"`
	}{Path: path, Problems: []lint.Problem{}}
	for _, p := range lint.Check(content, lint.Options{Values: values, Zip: zipped}) {
		found.Problems = append(found.Problems, p)
		if p.Severity == lint.Error {
			found.Errors++
		} else {
			found.Warnings++
		}
	}
	root := path
	if zipped {
		root = content.Root
	}
	err = c.show(found, func() error {
		for _, p := range found.Problems {
			if err := c.say("%s\n", problemLine(root, p)); err != nil {
				return err
			}
		}
		if found.Errors > 0 {
			return nil
		}
		return c.say("%s: no errors, %s\n", path, counted(found.Warnings, "warning"))
	})
	if err == nil && found.Errors > 0 {
		return failuref("%s has %s", path, counted(found.Errors, "error"))
	}
	return err
}

func problemLine(root string, p lint.Problem) string {
	at := filepath.Join(root, filepath.FromSlash(p.File))
	if p.File == lint.Given {
		at = p.File
	}
	if p.Line > 0 {
		at += fmt.Sprintf(":%d", p.Line)
	}
	if p.Severity == lint.Warning {
		return at + ": warning: " + p.Message
	}
	return at + ": " + p.Message
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
