package cli

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/archive"
)

const sample = "../../../testdata/packages/hello-1.0.0"

func TestPackageUpload_FolderOrZip(t *testing.T) {
	t.Parallel()
	zip, err := archive.Write(sample)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "whatever.zip")
	require.NoError(t, os.WriteFile(file, zip, 0o600))
	for name, args := range map[string][]string{
		"folder":            {"package", "upload", sample},
		"zip, other option": {"package", "upload", "--path", file, "--repo-name", "local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, answers{"POST /api/package/upload": {`!201{"name": "hello", "version": "1.0.0"}`}})
			require.Equal(t, 0, b.run(t.Context(), args...), b.err.String())
			require.Equal(t, "Package uploaded successfully:[hello:1.0.0]\n", b.out.String())
			var sent map[string]string
			require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(b.bodies[0], "POST /api/package/upload ")), &sent))
			want := map[string]string{
				"name": "hello", "repoName": "local", "version": "1.0.0", "extension": "zip",
				"packageFileAsBytes": base64.StdEncoding.EncodeToString(zip),
			}
			require.Empty(t, cmp.Diff(want, sent))
		})
	}
}

func TestPackageUpload_RefusesWhatIsNoPackage(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large.zip")
	require.NoError(t, os.WriteFile(large, nil, 0o600))
	require.NoError(t, os.Truncate(large, archive.MaxPacked+1))
	for path, sentence := range map[string]string{
		t.TempDir():       "error: pack ",
		"package_test.go": "error: read package package_test.go: ",
		large:             "has more than the 67108864 bytes a package may have",
	} {
		b := setup(t, nil)
		require.Equal(t, 7, b.run(t.Context(), "package", "upload", path), b.err.String())
		require.Contains(t, b.err.String(), sentence)
		require.Empty(t, b.bodies, "nothing was sent")
	}
}
