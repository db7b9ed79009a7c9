// Package starter holds the package that `skiff package init` makes: one that can be installed as it is, with comments
// that teach. It writes nothing.
//
//	files, err := starter.Files("demo", "/home/me/demo")
package starter

import (
	"embed"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// The names of files and folders that skip the embedding of Go, as those with a dot, must not be used here.
//
//go:embed files
var embedded embed.FS

// File is one file of the package.
type File struct {
	Path       string // from the folder of the package, with slashes
	Text       string
	Executable bool
}

// MaxName is the longest name of a package, so that platforms can make names of their own of it.
const MaxName = 40

var nameForm = regexp.MustCompile(`^[a-z](?:[a-z0-9-]*[a-z0-9])?$`)

// IsName says whether a name is good for packages and applications on every platform: lower-case letters, digits and
// dashes, from a letter to a letter or digit, at most MaxName of them.
func IsName(name string) bool { return len(name) <= MaxName && nameForm.MatchString(name) }

// Files gives the files of a package with a name, for a folder with an absolute path; by path.
func Files(name, folder string) ([]File, error) {
	application := url.URL{Scheme: "file", Path: path.Join(folder, "app", name)}
	fill := strings.NewReplacer("@name@", name, "@resource@", application.String())
	var files []File
	err := fs.WalkDir(embedded, "files", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := embedded.ReadFile(at)
		files = append(files, File{
			Path:       fill.Replace(strings.TrimPrefix(at, "files/")),
			Text:       fill.Replace(string(text)),
			Executable: strings.HasPrefix(at, "files/app/"),
		})
		return err
	})
	return files, err
}
