package resource_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestParseCoordinates_Reads(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]resource.Coordinates{
		"g:a:1.0":            {Group: "g", Artifact: "a", Extension: "jar", Version: "1.0"},
		"g.h:a:war:1.0":      {Group: "g.h", Artifact: "a", Extension: "war", Version: "1.0"},
		"g:a:exe:linux:1.0":  {Group: "g", Artifact: "a", Extension: "exe", Classifier: "linux", Version: "1.0"},
		"g:a::linux:1.0":     {Group: "g", Artifact: "a", Extension: "jar", Classifier: "linux", Version: "1.0"},
		"g:a:tar.gz:1.0+b~1": {Group: "g", Artifact: "a", Extension: "tar.gz", Version: "1.0+b~1"},
		"g:a:1.0-SNAPSHOT":   {Group: "g", Artifact: "a", Extension: "jar", Version: "1.0-SNAPSHOT"},
	} {
		c, err := resource.ParseCoordinates(text)
		require.NoError(t, err, text)
		require.Equal(t, want, c)
	}
	c, err := resource.ParseCoordinates("g:a::linux:1.0")
	require.NoError(t, err)
	require.Equal(t, "g:a:jar:linux:1.0", c.String())
}

func TestParseCoordinates_Refuses(t *testing.T) {
	t.Parallel()

	for text, sentence := range map[string]string{
		"":    "Bad artifact coordinates , expected format is <groupId>:<artifactId>[:<extension>[:<classifier>]]:<version>",
		"g:a": "Bad artifact coordinates g:a,", "g:a:b:c:d:e": "Bad artifact coordinates", "g a:b:1": "Bad artifact coordinates",
		"g:a:[1,2)": "version ranges are not resolved", "../g:a:1": "name of a group", "g..h:a:1": "name of a group",
		"g:../a:1": "part of a file name", "g:a:../../x": "part of a file name", "g:a:jar:c/d:1": "part of a file name",
		"g:a:..": "part of a file name", "g:a:1\x00": "part of a file name",
		"g:a:" + strings.Repeat("1", 2000): "Bad artifact coordinates",
	} {
		_, err := resource.ParseCoordinates(text)
		require.ErrorContains(t, err, sentence, text)
		require.Contains(t, []skipper.Code{skipper.CodeInvalid, skipper.CodeUnsupported}, skipper.CodeOf(err))
	}
}

func FuzzParseCoordinates(f *testing.F) {
	for _, seed := range []string{"g:a:1.0", "g.h:a:exe:linux-x86_64:1.0", "g:a:1-20260102.030405-6", "../g:a:1", "g:a:[1,)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := resource.ParseCoordinates(text)
		if err != nil {
			return
		}
		again, err := resource.ParseCoordinates(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
		for _, part := range []string{c.Group, c.Artifact, c.Extension, c.Classifier, c.Version} {
			require.NotContains(t, part, "/")
			require.NotContains(t, part, `\`)
			require.NotEqual(t, "..", part)
		}
	})
}
