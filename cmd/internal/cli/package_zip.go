package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func newPackageZip(c *cli) *cobra.Command {
	var path, out string
	cmd := &cobra.Command{
		Use:   "zip [DIR]",
		Short: "Pack the folder of a package into a zip, always the same one",
		Long: "Pack the folder of a package into NAME-VERSION.zip, and print its SHA-256 digest and its name, as sha256sum\n" +
			"does. The same files give the same bytes, whatever their times, modes and order. Hidden files, backups of\n" +
			"editors and the zips beside package.yml are left out. A file of that name is replaced.",
		Example: "  skiff package zip ./hello\n  skiff package zip ./hello -f dist/hello.zip -o json",
		Args:    needing(positional("path"), "path"),
		RunE: func(*cobra.Command, []string) error {
			return c.zip(path, out)
		},
	}
	cmd.Flags().StringVar(&path, "path", "", "folder of the package")
	cmd.Flags().StringVarP(&out, "file", "f", "", "zip to write (default: NAME-VERSION.zip in the present folder)")
	return cmd
}

func (c *cli) zip(path, out string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return usagef("%s is no folder", path)
	}
	packed, err := packed(path)
	if err != nil {
		return err
	}
	metadata, err := archive.ReadMetadata(packed)
	if err != nil {
		return err
	}
	out = orElse(out, metadata.Name+"-"+metadata.Version+".zip")
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return failuref("cannot write %s: it is a folder; name a file with --file", out)
	}
	if err := replace(out, packed); err != nil {
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err // the path is that of a file on the way
		}
		return failuref("cannot write %s: %w", out, err)
	}
	digest := sha256.Sum256(packed)
	made := struct {
		File   string `json:"file"`
		SHA256 string `json:"sha256"`
		Bytes  int    `json:"bytes"`
	}{out, hex.EncodeToString(digest[:]), len(packed)}
	return c.show(made, func() error { return c.say("%s  %s\n", made.SHA256, made.File) })
}

// replace writes a file at once: whoever reads it meanwhile sees the one before or the new one, never a part.
func replace(name string, content []byte) error {
	const mode = 0o644 // it is no secret
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// opened reads the files of a package from a folder or a zip.
func opened(path string) (content archive.Content, zipped bool, err error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		content, err = archive.OpenFolder(path)
		return content, false, err
	}
	zip, err := packed(path)
	if err != nil {
		return content, true, err
	}
	if content, err = archive.Open(zip); err != nil {
		return content, true, skipper.Errorf(skipper.CodeInvalid, "read package %s: %w", path, err)
	}
	return content, true, nil
}
