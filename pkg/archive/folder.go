package archive

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// readFolder reads all files below a folder, except those that are left out.
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
		case name != "." && entry.IsDir() && isLeftOut(name):
			return fs.SkipDir
		case entry.IsDir() || isLeftOut(name):
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

// isLeftOut tells a file or folder that is no part of the package, by its path: hidden ones, backups of editors, what
// desktops leave behind. A zip beside package.yml is the package itself, packed before.
func isLeftOut(name string) bool {
	base := path.Base(name)
	switch {
	case strings.HasPrefix(base, "."), strings.HasSuffix(base, "~"):
		return true
	case strings.HasPrefix(base, "#") && strings.HasSuffix(base, "#"):
		return true
	case !strings.Contains(name, "/") && path.Ext(name) == ".zip":
		return true
	}
	switch path.Ext(base) {
	case ".bak", ".orig", ".rej", ".swp", ".swo", ".swx":
		return true
	}
	return base == "Thumbs.db" || base == "desktop.ini" || base == "__MACOSX"
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
