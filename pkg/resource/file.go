package resource

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// localFile finds the file of a file: resource. It is used where it is.
func localFile(r Ref) (string, error) {
	base, err := r.path()
	if err != nil {
		return "", err
	}
	candidates := []string{base}
	if r.Version != "" {
		candidates = []string{base + "-" + r.Version + ".jar", base + "-" + r.Version}
	}
	for _, file := range candidates {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", skipper.Errorf(skipper.CodeInvalid, "resource %s cannot be read: %w", r, err)
		}
		if !info.Mode().IsRegular() {
			return "", skipper.Errorf(skipper.CodeInvalid, "resource %s: %s is not a file", r, file)
		}
		return file, nil
	}
	return "", skipper.Errorf(skipper.CodeNotFound, "there is no file %s", strings.Join(candidates, " and no file "))
}

// path is the path of a file: location; file:relative, file:/absolute and file:///absolute are understood.
func (r Ref) path() (string, error) {
	path := r.Location[len("file:"):]
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if host != "" && host != "localhost" {
			return "", skipper.Errorf(skipper.CodeInvalid,
				"resource %s names the host %s; a local file is written file:///%s", r, host, rest)
		}
		path = strings.TrimPrefix(rest, host)
	}
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	if path == "" {
		return "", skipper.Errorf(skipper.CodeInvalid, "resource %s names no file", r)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", skipper.Errorf(skipper.CodeInvalid, "resource %s: %w", r, err)
	}
	return absolute, nil
}
