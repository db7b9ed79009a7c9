package resource_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestParse_RefusesInSkippersWords(t *testing.T) {
	t.Parallel()

	for location, want := range map[string]string{
		"":                "Spec resource must not be empty",
		" ":               "Spec resource must not be empty",
		"/opt/apps/hello": "a scheme (prefix) is required",
		"hello":           "a scheme (prefix) is required",
		"1a:hello":        "a scheme (prefix) is required",
	} {
		_, err := resource.Parse(location, "1.0.0")
		require.EqualError(t, err, want, "%q", location)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
	}
}

func TestParse_KnowsTheScheme(t *testing.T) {
	t.Parallel()

	for location, scheme := range map[string]string{
		"maven://g:a:1.0": "maven", "maven:g:a:1.0": "maven", "docker:acme/log:1": "docker", "FILE:/x": "file",
		"https://example.com/a.jar": "https",
	} {
		ref, err := resource.Parse(location, "")
		require.NoError(t, err)
		require.Equal(t, scheme, ref.Scheme())
		require.Equal(t, location, ref.Location)
	}
}

func TestFile_PrefersTheJar(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"hello", "hello-1.0.0", "hello-2.0.0", "hello-2.0.0.jar", "my hello-1.0.0", "100%-1.0.0"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}

	for _, c := range []struct{ location, version, want string }{
		{"file://" + dir + "/hello", "", "hello"},
		{"file:" + dir + "/hello", "", "hello"},
		{"file://localhost" + dir + "/hello", "", "hello"},
		{"file://" + dir + "/hello", "1.0.0", "hello-1.0.0"},
		{"file://" + dir + "/hello", "2.0.0", "hello-2.0.0.jar"},
		{"file://" + dir + "/my%20hello", "1.0.0", "my hello-1.0.0"},
		{"file://" + dir + "/my hello", "1.0.0", "my hello-1.0.0"},
		{"file://" + dir + "/100%", "1.0.0", "100%-1.0.0"},
	} {
		ref, err := resource.Parse(c.location, c.version)
		require.NoError(t, err)
		got, err := resource.Resolver{}.File(t.Context(), ref)
		require.NoError(t, err, c.location)
		require.Equal(t, filepath.Join(dir, c.want), got)
	}
}

func TestFile_NamesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()

	_, err := resource.Resolver{}.File(t.Context(), resource.Ref{Location: "file://" + dir + "/ghost", Version: "9.9.9"})

	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
	require.ErrorContains(t, err, dir+"/ghost-9.9.9.jar")
	require.ErrorContains(t, err, dir+"/ghost-9.9.9")
}

func TestFile_Refuses(t *testing.T) {
	t.Parallel()

	for location, code := range map[string]skipper.Code{
		"maven://g:a:1.0": skipper.CodeUnsupported, "docker:acme/log": skipper.CodeUnsupported,
		"http://example.com/a": skipper.CodeUnsupported,
		"file://opt/apps":      skipper.CodeInvalid, "file:": skipper.CodeInvalid,
		"file://" + t.TempDir(): skipper.CodeInvalid,
	} {
		_, err := resource.Resolver{}.File(t.Context(), resource.Ref{Location: location})
		require.Equal(t, code, skipper.CodeOf(err), location)
		require.NotContains(t, err.Error(), "%!")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"file:///opt/a", "maven://g:a:1.0", "", ":", "file:%zz", "file://h/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		ref, err := resource.Parse(location, "")
		if err != nil {
			return
		}
		path, err := resource.Resolver{}.File(t.Context(), ref)
		if err == nil {
			require.True(t, filepath.IsAbs(path))
			require.True(t, strings.EqualFold(ref.Location[:5], "file:"))
		}
	})
}
