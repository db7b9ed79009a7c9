package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/templates/starter"
)

func newPackageInit(c *cli) *cobra.Command {
	var name, dir string
	cmd := &cobra.Command{
		Use:   "init [NAME]",
		Short: "Make a new package in a new folder",
		Long: "Make a new package in a new folder. It can be installed as it is: its application is a script that says\n" +
			"hello and stays. Comments in its files say what to change. Nothing that is there is touched.",
		Example: "  skiff package init demo\n  skiff package init demo --dir packages/demo",
		Args:    needing(positional("name"), "name"),
		RunE: func(*cobra.Command, []string) error {
			return c.initPackage(name, orElse(dir, name))
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the package")
	cmd.Flags().StringVar(&dir, "dir", "", "folder to make (default: one with the name of the package)")
	return cmd
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func (c *cli) initPackage(name, dir string) error {
	if !starter.IsName(name) {
		return skipper.Errorf(skipper.CodeInvalid, "%q is no name for a package: use lower-case letters, digits and dashes, "+
			"at most %d, from a letter to a letter or digit", name, starter.MaxName)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return failuref("cannot find the folder %s: %w", dir, err)
	}
	files, err := starter.Files(name, absolute)
	if err != nil {
		return err
	}
	if err := makeFolder(dir, files); err != nil {
		return err
	}
	made := struct {
		Name  string   `json:"name"`
		Dir   string   `json:"dir"`
		Files []string `json:"files"`
	}{Name: name, Dir: dir}
	for _, file := range files {
		made.Files = append(made.Files, file.Path)
	}
	return c.show(made, func() error {
		return c.say("Made package %s in %s: %s\n\nLook at it:\n  skiff package lint %[2]s\n  skiff package render %[2]s\n"+
			"Run it:\n  skiff package upload %[2]s\n  skiff release install %[1]s --package-name %[1]s --wait\n",
			name, dir, strings.Join(made.Files, ", "))
	})
}

// makeFolder writes files to a new folder; what it began it takes away again when it cannot end it.
func makeFolder(dir string, files []starter.File) error {
	const folderMode, fileMode, programMode = 0o755, 0o644, 0o755 // less what the user's umask takes away
	if err := os.MkdirAll(filepath.Dir(dir), folderMode); err != nil {
		return failuref("cannot make the folder of %s: %w", dir, err)
	}
	err := os.Mkdir(dir, folderMode)
	if errors.Is(err, fs.ErrExist) {
		return skipper.Errorf(skipper.CodeConflict, "%s is there already; choose another name, or another folder with --dir", dir)
	} else if err != nil {
		return failuref("cannot make the folder: %w", err)
	}
	for _, file := range files {
		at := filepath.Join(dir, filepath.FromSlash(file.Path))
		mode := os.FileMode(fileMode)
		if file.Executable {
			mode = programMode
		}
		err := os.MkdirAll(filepath.Dir(at), folderMode)
		if err == nil {
			err = os.WriteFile(at, []byte(file.Text), mode)
		}
		if err != nil {
			return failure{errors.Join(err, os.RemoveAll(dir))}
		}
	}
	return nil
}
