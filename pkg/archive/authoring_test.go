package archive

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// folder writes files in the order they are given, with a mode and a time.
func folder(tb testing.TB, mode os.FileMode, at time.Time, files ...file) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.name))
		require.NoError(tb, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(tb, os.WriteFile(name, []byte(f.content), mode))
		require.NoError(tb, os.Chtimes(name, at, at))
	}
	return dir
}

func authored() []file {
	return []file{
		{name: "package.yml", content: hello},
		{name: "values.yml", content: "a: 1\n"},
		{name: "values.schema.json", content: `{"type": "object"}`},
		{name: "templates/hello.yml", content: "b: {{a}}\n"},
		{name: "packages/dep/package.yml", content: "name: dep\nversion: 1.0.0\n"},
		{name: "packages/dep/values.schema.json", content: "true"},
		{name: "README.md", content: "ü\n"},
	}
}

// The digest is written down: another version of Go, or of this program, must not change it.
const authoredDigest = "30bc2a7977a610efab94c6a5f15e3f8492eb1b6e1b4824ba18a0151acfdf71c3"

func TestWrite_GivesTheSameBytesWhateverTheFileSystemDoes(t *testing.T) {
	t.Parallel()
	files := authored()
	one, err := Write(folder(t, 0o600, time.Unix(1, 0), files...))
	require.NoError(t, err)
	slices.Reverse(files)
	two, err := Write(folder(t, 0o755, time.Unix(1_700_000_000, 0), files...))
	require.NoError(t, err)
	require.Equal(t, one, two)
	digest := sha256.Sum256(one)
	require.Equal(t, authoredDigest, hex.EncodeToString(digest[:]))
}

func TestWrite_MakesWhatOthersCanRead(t *testing.T) {
	t.Parallel()
	packed, err := Write(folder(t, 0o600, time.Unix(1, 0), authored()...))
	require.NoError(t, err)
	reader, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	for _, f := range reader.File {
		require.Equal(t, zip.Store, f.Method)
		require.Zero(t, f.Flags&8, "Java's streams do not take sizes that follow what is stored")
		require.Equal(t, "1980-01-01", f.Modified.UTC().Format(time.DateOnly))
	}
}

func TestWrite_LeavesOutWhatIsNoPart(t *testing.T) {
	t.Parallel()
	plain := folder(t, 0o600, time.Unix(1, 0), authored()...)
	want, err := Write(plain)
	require.NoError(t, err)
	littered := folder(t, 0o600, time.Unix(1, 0), append(authored(),
		file{name: ".git/config"}, file{name: ".DS_Store"}, file{name: "templates/.hello.yml.swp"},
		file{name: "templates/hello.yml~"}, file{name: "templates/#hello.yml#"}, file{name: "values.yml.bak"},
		file{name: "values.yml.orig"}, file{name: "package.yml.rej"}, file{name: "values.swo"}, file{name: "Thumbs.db"},
		file{name: "packages/desktop.ini"}, file{name: "hello-1.0.0.zip"}, file{name: "__MACOSX/._x"},
	)...)
	require.NoError(t, os.Symlink("nowhere", filepath.Join(littered, ".#values.yml")))
	got, err := Write(littered)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestRead_KeepsTheSchema(t *testing.T) {
	t.Parallel()
	packed, err := Write(folder(t, 0o600, time.Unix(1, 0), authored()...))
	require.NoError(t, err)
	p, err := Read(packed, "hello-1.0.0")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]skipper.FileHolder{
		{Name: "values.schema.json", Bytes: []byte(`{"type": "object"}`)},
	}, p.FileHolders))
	require.Equal(t, `{"type": "object"}`, string(p.Schema()))
	require.Equal(t, "true", string(p.Dependencies[0].Schema()))
	require.Nil(t, skipper.Package{}.Schema())
}

func TestOpen_GivesTheFilesOfAFolderAndOfItsZip(t *testing.T) {
	t.Parallel()
	dir := folder(t, 0o600, time.Unix(1, 0), authored()...)
	fromFolder, err := OpenFolder(dir)
	require.NoError(t, err)
	require.Equal(t, dir, fromFolder.Root)
	packed, err := Write(dir)
	require.NoError(t, err)
	fromZip, err := Open(packed)
	require.NoError(t, err)
	require.Equal(t, "hello-1.0.0", fromZip.Root)
	require.Empty(t, cmp.Diff(fromFolder.Files, fromZip.Files))
	one, err := fromFolder.Package()
	require.NoError(t, err)
	two, err := fromZip.Package()
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(one, two))
	_, err = Open([]byte("no zip"))
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
}
