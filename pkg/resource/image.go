package resource

import (
	"strings"

	"github.com/distribution/reference"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Image names a container image.
type Image struct {
	Registry   string // host or host:port; docker.io when the resource names none
	Repository string // path in the registry, as library/redis
	Tag        string // empty when neither the resource nor the manifest gives one
	Digest     string // as sha256:…; empty when not given
}

// String is the whole name, as docker.io/library/redis:7 or ghcr.io/acme/arena@sha256:….
func (i Image) String() string {
	s := i.Registry + "/" + i.Repository
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}

// ParseImage reads docker:[//][host[:port]/]path[:tag][@digest]. The version of the manifest is the tag, as in the
// reference. Where that appends the version to whatever is there, a resource with another tag, or with a digest and a
// version, is refused. CodeUnsupported for another scheme, CodeInvalid for what is no name of an image.
func ParseImage(r Ref) (Image, error) {
	if scheme := r.Scheme(); scheme != "docker" {
		return Image{}, skipper.Errorf(skipper.CodeUnsupported, "resource %s names no image; use docker: and an image", r)
	}
	name := strings.TrimLeft(r.Location[len("docker:"):], "/")
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return Image{}, skipper.Errorf(skipper.CodeInvalid,
			"resource %s is not the name of an image (%w); use docker:host/path:tag", r, err)
	}
	i := Image{Registry: reference.Domain(named), Repository: reference.Path(named)}
	if tagged, ok := named.(reference.Tagged); ok {
		i.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		i.Digest = digested.Digest().String()
	}
	switch {
	case r.Version == "" || r.Version == i.Tag:
		return i, nil
	case i.Digest != "":
		return Image{}, skipper.Errorf(skipper.CodeInvalid,
			"resource %s names its image by digest, so there is no room for a version; leave one of them out", r)
	case i.Tag != "":
		return Image{}, skipper.Errorf(skipper.CodeInvalid,
			"resource %s has the tag %s already, which is another version; leave one of them out", r, i.Tag)
	}
	if _, err := reference.WithTag(named, r.Version); err != nil {
		return Image{}, skipper.Errorf(skipper.CodeInvalid, "resource %s: the version is no tag that an image can have", r)
	}
	i.Tag = r.Version
	return i, nil
}
