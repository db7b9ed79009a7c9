package edgegap

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/resource"
)

// image is where a container's image is, as Edgegap asks for it.
type image struct{ host, path, tag string }

func (i image) String() string { return i.host + "/" + i.path + ":" + i.tag }

var (
	imageTag  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	imageHost = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?$`)
)

// parseImage reads docker:[host[:port]/]path[:tag]; the version of the manifest is the tag where the resource has none.
func parseImage(ref resource.Ref, allowLatest bool) (image, error) {
	if scheme := ref.Scheme(); scheme != "docker" {
		return image{}, deployer.Errorf(deployer.ErrUnsupported,
			"resources with the scheme %s: cannot run on Edgegap; use docker: and an image", scheme)
	}
	named, err := resource.ParseImage(ref)
	if err != nil {
		return image{}, err
	}
	i := image{host: named.Registry, path: named.Repository, tag: named.Tag}
	switch {
	case named.Digest != "":
		return image{}, fmt.Errorf("resource %s names an image by digest, which Edgegap cannot do; use a tag", ref)
	case !imageHost.MatchString(i.host) || !strings.ContainsAny(i.host, ".:") && i.host != "localhost":
		return image{}, fmt.Errorf("resource %s is not the name of an image; use docker:host/path:tag", ref)
	case (i.tag == "" || i.tag == "latest") && !allowLatest:
		return image{}, fmt.Errorf(
			"resource %s has no tag of its own, and Edgegap caches images by tag; give one, or set %sallow-latest=true",
			ref, prefix)
	case i.tag == "":
		i.tag = "latest"
	}
	return i, nil
}
