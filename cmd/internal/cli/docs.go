package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newDocs(c *cli) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "docs [DIR]",
		Short: "Write the manual of all commands: man pages and Markdown",
		Long: "Write the manual of all commands: man pages into man1 of a folder, Markdown into markdown. What is there of the\n" +
			"same name is replaced. SOURCE_DATE_EPOCH, in seconds since 1970, is the date of the man pages.",
		Example: "  skiff docs ./manual\n  MANPATH=$PWD/manual man skiff-release-install",
		Args:    needing(positional("dir"), "dir"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.docs(cmd.Root(), dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write to")
	return cmd
}

func (c *cli) docs(root *cobra.Command, dir string) error {
	manual, markdown := filepath.Join(dir, "man1"), filepath.Join(dir, "markdown")
	for _, folder := range []string{manual, markdown} {
		if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // it is no secret
			return unusable(dir, err)
		}
	}
	root.DisableAutoGenTag = true // it has the date of today
	header := &doc.GenManHeader{Section: "1", Source: "skiff " + c.Version, Manual: "skiff"}
	if c.Env("SOURCE_DATE_EPOCH") == "" {
		now := c.Clock()
		header.Date = &now
	}
	err := doc.GenManTree(root, header, manual)
	if err == nil {
		err = doc.GenMarkdownTree(root, markdown)
	}
	if err != nil {
		return unusable(dir, err)
	}
	written := struct {
		Man      string `json:"man"`
		Markdown string `json:"markdown"`
	}{manual, markdown}
	return c.show(written, func() error { return c.say("Wrote man pages to %s and Markdown to %s\n", manual, markdown) })
}
