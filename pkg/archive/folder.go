package archive

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// readFolder reads all files below a folder, except those whose name, or whose folder's name, starts with a dot.
func readFolder(dir string) (all files, err error) {
	root, err := os.OpenRoot(dir) // no link leads out of it
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the package folder cannot be read: %w", err)
	}
	defer func() {
		if closing := root.Close(); err == nil && closing != nil {
			err = closing
		}
	}()
	all, size := files{}, int64(0)
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return skipper.Errorf(skipper.CodeInvalid, "the package folder cannot be read: %w", err)
		case name != "." && strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir() || strings.HasPrefix(entry.Name(), "."):
			return nil
		case !entry.Type().IsRegular():
			return skipper.Errorf(skipper.CodeInvalid, "%s is not a plain file; a package may hold only such",
				filepath.Join(dir, name))
		case len(all) >= MaxEntries:
			return tooLarge("%s has more than %d files", dir, MaxEntries)
		}
		content, err := readFile(root, name, MaxUnpacked-size)
		if err != nil {
			return err
		}
		if size += int64(len(content)); size > MaxUnpacked {
			return tooLarge("%s has more than %d bytes", dir, MaxUnpacked)
		}
		all[name] = content
		return nil
	})
	return all, err
}

func readFile(root *os.Root, name string, limit int64) (content []byte, err error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "%s cannot be read: %w", name, err)
	}
	content, err = io.ReadAll(io.LimitReader(file, limit+1))
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "%s cannot be read: %w", name, err)
	}
	return content, nil
}
