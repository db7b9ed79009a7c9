// Package resource turns the resource of a manifest into what a platform can run: a local file or an image reference.
// It knows nothing of platforms.
//
//	ref, err := resource.Parse("maven://com.example:hello", "1.1.0")
//	path, err := resource.New(resource.Config{Dir: dir, Logger: log}).File(ctx, ref)
//	image, err := resource.ParseImage(ref)
//
// A file: resource is used where it is. What is downloaded, from a web server or from a Maven repository, runs from a
// cache of files that are never changed; artifacts are kept in Maven's local repository as well, which is shared with
// Maven. No message holds credentials.
package resource

import (
	"net/url"
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
	return strings.ToLower(strings.TrimSuffix(scheme.FindString(r.Location), ":"))
}

var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// String gives the location and the version for people, without credentials.
func (r Ref) String() string {
	if r.Version == "" {
		return Redact(r.Location)
	}
	return Redact(r.Location) + ", version " + r.Version
}

// digest is what may stand after the @ of an image.
var digest = regexp.MustCompile(`^sha\d+:`)

// Redact takes what may be a credential out of an address: the user before the host, the query, and a fragment that is
// no digest.
func Redact(address string) string {
	scheme := (Ref{Location: address}).Scheme()
	if scheme == "docker" || scheme == "maven" {
		if i := strings.LastIndex(address, "@"); i >= 0 && !digest.MatchString(address[i+1:]) {
			return scheme + ":…" + address[i:]
		}
		return address
	}
	if scheme == "file" {
		return address // ?, # and @ stand in names of files
	}
	before, fragment, hasFragment := strings.Cut(address, "#")
	before, _, hasQuery := strings.Cut(before, "?")
	if u, err := url.Parse(before); err == nil && u.User != nil {
		u.User = nil
		before = u.String()
	} else if i := strings.LastIndex(before, "@"); err != nil && i >= 0 {
		before = scheme + "://…" + before[i:]
	}
	if hasQuery {
		before += "?…"
	}
	if hasFragment && strings.HasPrefix(fragment, "sha256=") {
		before += "#" + fragment
	} else if hasFragment {
		before += "#…"
	}
	return before
}
