// Package resource turns the resource of a manifest into what a platform can run: a local file or an image reference.
// It knows nothing of platforms.
//
//	ref, err := resource.Parse("file:///opt/apps/hello", "1.1.0")
//	path, err := resource.Resolver{}.File(ctx, ref)
package resource

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Ref names a resource: where it is, and in which version.
type Ref struct {
	Location string // as spec.resource, with its scheme
	Version  string // as spec.version; may be empty
}

// Parse checks the resource and the version of a manifest. CodeInvalid, in Skipper's words, when the resource is empty
// or has no scheme.
func Parse(location, version string) (Ref, error) {
	if strings.TrimSpace(location) == "" {
		return Ref{}, skipper.Errorf(skipper.CodeInvalid, "Spec resource must not be empty")
	}
	ref := Ref{Location: location, Version: version}
	if ref.Scheme() == "" {
		return Ref{}, skipper.Errorf(skipper.CodeInvalid, "a scheme (prefix) is required")
	}
	return ref, nil
}

// Scheme is what stands before the first colon of the location, in lower case: file, maven, docker, http or https.
func (r Ref) Scheme() string {
	scheme := regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`).FindString(r.Location)
	return strings.ToLower(strings.TrimSuffix(scheme, ":"))
}

// String gives the location and the version for people.
func (r Ref) String() string {
	if r.Version == "" {
		return r.Location
	}
	return r.Location + ", version " + r.Version
}

// Resolver finds the files that resources name. Its zero value is ready, and safe for concurrent use.
type Resolver struct{}

// File gives the absolute path of the local file a resource names. With a version that is <location>-<version>.jar,
// or <location>-<version> where only that exists; without one, the location itself.
// CodeNotFound names the file that is not there; CodeUnsupported a scheme that has no files here.
func (Resolver) File(ctx context.Context, r Ref) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
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
	if r.Scheme() != "file" {
		return "", skipper.Errorf(skipper.CodeUnsupported,
			"resources with the scheme %s: are not supported by this platform yet; use file:", r.Scheme())
	}
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
