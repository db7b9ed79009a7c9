package resource_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const imageDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseImage_Reads(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ location, version, want string }{
		{"docker:redis", "", "docker.io/library/redis"},
		{"docker:redis", "7", "docker.io/library/redis:7"},
		{"docker://acme/log:1.0", "1.0", "docker.io/acme/log:1.0"},
		{"docker:ghcr.io/acme/arena:v1", "", "ghcr.io/acme/arena:v1"},
		{"docker://host:5000/a/b:tag", "", "host:5000/a/b:tag"},
		{"docker:localhost/a", "2", "localhost/a:2"},
		{"docker:acme/log@" + imageDigest, "", "docker.io/acme/log@" + imageDigest},
		{"docker:acme/log:1@" + imageDigest, "1", "docker.io/acme/log:1@" + imageDigest},
	} {
		image, err := resource.ParseImage(resource.Ref{Location: c.location, Version: c.version})
		require.NoError(t, err, c.location)
		require.Equal(t, c.want, image.String())
	}
	image, err := resource.ParseImage(resource.Ref{Location: "docker:host:5000/a/b:tag"})
	require.NoError(t, err)
	require.Equal(t, resource.Image{Registry: "host:5000", Repository: "a/b", Tag: "tag"}, image)
}

func TestParseImage_Refuses(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		location, version string
		code              skipper.Code
		sentence          string
	}{
		{"docker:", "", skipper.CodeInvalid, "is not the name of an image"},
		{"docker:Acme/Log", "", skipper.CodeInvalid, "is not the name of an image"},
		{"docker:acme/log:a b", "", skipper.CodeInvalid, "is not the name of an image"},
		{"docker:acme/log@sha256:12", "", skipper.CodeInvalid, "is not the name of an image"},
		{"docker:acme/log@" + imageDigest, "1.0", skipper.CodeInvalid, "by digest"},
		{"docker:acme/log:1.0", "2.0", skipper.CodeInvalid, "has the tag 1.0 already"},
		{"docker:acme/log", "2 0", skipper.CodeInvalid, "no tag that an image can have"},
		{"file:///a", "", skipper.CodeUnsupported, "names no image"},
	} {
		_, err := resource.ParseImage(resource.Ref{Location: c.location, Version: c.version})
		require.ErrorContains(t, err, c.sentence)
		require.Equal(t, c.code, skipper.CodeOf(err))
	}
}

func FuzzParseImage(f *testing.F) {
	for _, seed := range []string{"docker:redis", "docker://host:5000/a/b:tag", "docker:a@" + imageDigest, "docker:A"} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, location, version string) {
		image, err := resource.ParseImage(resource.Ref{Location: location, Version: version})
		if err != nil {
			return
		}
		again, err := resource.ParseImage(resource.Ref{Location: "docker:" + image.String()})
		require.NoError(t, err)
		require.Equal(t, image, again)
	})
}
