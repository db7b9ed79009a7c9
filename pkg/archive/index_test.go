package archive

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestReadIndex_TakesValuesAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	packages, err := ReadIndex(`
apiVersion: skipper.spring.io/v1
kind: SkipperPackageMetadata
name: hello
version: 1.10
origin: null
sha256: 'null'
tags: yes, 010
sizes: [1, 2]
colour: red
--- !!org.springframework.cloud.skipper.domain.PackageMetadata
name: 010
version: 1.0.0
maintainer: ~
iconUrl:
---
`)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]skipper.PackageMetadata{
		{
			APIVersion: "skipper.spring.io/v1", Kind: "SkipperPackageMetadata", Name: "hello", Version: "1.10",
			SHA256: new("null"), Tags: new("yes, 010"),
		},
		{Name: "010", Version: "1.0.0"},
	}, packages))
	none, err := ReadIndex("")
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestReadIndex_SaysWhichDocumentIsWrong(t *testing.T) {
	t.Parallel()
	const good = "name: hello\nversion: 1.0.0\n---\n"
	for text, want := range map[string]string{
		good + "version: 1.0.0":             "after 1 packages: name \"\"",
		good + good + "name: hello":         "after 2 packages: name \"hello\" and version \"\"",
		"name: ../../etc\nversion: 1.0.0":   `name "../../etc"`,
		"name: hello\nversion: 1/../../x":   `version "1/../../x"`,
		good + "- a list":                   "after 1 packages: line 4: keys with values are expected",
		good + "name: [":                    "after 1 packages: ",
		"a: " + strings.Repeat("x", 16<<20): "exceeds the limit",
	} {
		_, err := ReadIndex(text)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, want)
	}
}

func TestWriteIndex_IsReadAsItWas(t *testing.T) {
	t.Parallel()
	full := skipper.PackageMetadata{
		APIVersion: "skipper.spring.io/v1", Kind: "SkipperPackageMetadata", Name: "hello", Version: "1.10",
		DisplayName: new("Hello: \"World\""), Description: new("two\nlines\tand 'quotes' – ü"), Maintainer: new("null"),
		Tags: new("a, b"), Origin: new("~"), PackageHomeURL: new("https://example.com/#home"),
		PackageSourceURL: new(""), IconURL: new("--- x"), SHA256: new("0123"),
	}
	packages := []skipper.PackageMetadata{full, {Name: "yes", Version: "2.0.0"}}
	got, err := ReadIndex(WriteIndex(packages))
	require.NoError(t, err)
	packages[1].APIVersion, packages[1].Kind = "", ""
	require.Empty(t, cmp.Diff(packages, got))

	full.ID, full.RepositoryID, full.RepositoryName = 7, new(int64(3)), new("local")
	require.NotContains(t, WriteIndex([]skipper.PackageMetadata{full}), "repository", "whoever reads it has one of its own")
	require.Empty(t, WriteIndex(nil))
}

func FuzzReadIndex(f *testing.F) {
	f.Add("name: hello\nversion: 1.10\n---\nname: other\nversion: 1.0.0\ntags: [a]\n")
	f.Add("--- !!x\n{name: a, version: b, sha256: ~}\n...\n---\n")
	f.Add("name: &a x\nversion: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		packages, err := ReadIndex(text)
		if err != nil {
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
			return
		}
		for i := range packages {
			packages[i].RepositoryID, packages[i].RepositoryName = nil, nil
		}
		again, err := ReadIndex(WriteIndex(packages))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(packages, again))
	})
}
