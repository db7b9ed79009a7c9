package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// fakeArchive writes a text as a backup, and reads one.
type fakeArchive struct {
	text    string
	failure error
	pass    func() // time
	got     string
	config  string
	dataDir *string
}

func (a *fakeArchive) Backup(_ context.Context, config string, dataDir *string, to io.Writer, tell func(string, int64),
) (skipper.Backup, error) {
	a.config, a.dataDir = config, dataDir
	tell("blobs", 0)
	a.pass()
	tell("releases", 64)
	if _, err := io.WriteString(to, a.text); err != nil {
		return skipper.Backup{}, err
	}
	return a.summary(), a.failure
}

func (a *fakeArchive) Restore(_ context.Context, config string, dataDir *string, from io.ReadSeeker,
	tell func(string, int64),
) (skipper.Backup, error) {
	a.config, a.dataDir = config, dataDir
	for range 2 { // it is read twice
		b, err := io.ReadAll(from)
		if err != nil {
			return skipper.Backup{}, err
		}
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return skipper.Backup{}, err
		}
		a.got += string(b)
	}
	tell("check releases", 64)
	a.pass()
	return a.summary(), a.failure
}

func (a *fakeArchive) summary() skipper.Backup {
	return skipper.Backup{Installation: "i-1", Tables: map[string]int64{"releases": 3, "operations": 2, "packages": 1}}
}

func archiveSetup(t *testing.T) (*bundle, *fakeArchive, string) {
	t.Helper()
	b := setup(t, nil)
	a := &fakeArchive{text: "backup", pass: func() {}}
	b.deps.Archive = a
	return b, a, t.TempDir()
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := []string{}
	for _, e := range found {
		out = append(out, e.Name())
	}
	return out
}

func TestBackup_MakesAFileForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	b, a, dir := archiveSetup(t)
	file := filepath.Join(dir, "b.gz")
	require.NoError(t, os.WriteFile(file, []byte("the one of yesterday"), 0o666))
	require.Zero(t, b.run(t.Context(), "backup", file), b.err.String())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "backup", string(text))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, []string{"b.gz"}, entries(t, dir))
	require.Equal(t, "backed up 3 release versions, 2 operations and 1 packages of installation i-1 (6 bytes)\n", b.out.String())
	require.Empty(t, b.err.String())
	require.Nil(t, a.dataDir)

	require.Zero(t, b.run(t.Context(), "backup", file, "--data-dir", "d", "--config", "c"))
	require.Equal(t, "d", *a.dataDir)
	require.Equal(t, "c", a.config)
}

func TestBackup_ThatFailsLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	b, a, dir := archiveSetup(t)
	a.failure = skipper.Errorf(skipper.CodeUnavailable, "the database is gone")
	file := filepath.Join(dir, "b.gz")
	require.Equal(t, 6, b.run(t.Context(), "backup", file))
	require.Empty(t, entries(t, dir))
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	require.Equal(t, 6, b.run(t.Context(), "backup", file))
	require.Equal(t, []string{"b.gz"}, entries(t, dir))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
	require.Contains(t, b.err.String(), "error: the database is gone")
}

func TestBackup_ToWhatIsNoFile(t *testing.T) {
	t.Parallel()
	b, _, dir := archiveSetup(t)
	require.Equal(t, 2, b.run(t.Context(), "backup", dir))
	require.Equal(t, 6, b.run(t.Context(), "backup", filepath.Join(dir, "nope", "b.gz")))
	require.Equal(t, 2, b.run(t.Context(), "backup"))
	require.Equal(t, 2, b.run(t.Context(), "backup", "a", "b"))
	require.Equal(t, 2, b.run(t.Context(), "restore", filepath.Join(dir, "nope")))
	require.Empty(t, entries(t, dir))
	require.Empty(t, b.out.String())
}

func TestBackup_ToStandardOutput(t *testing.T) {
	t.Parallel()
	b, _, _ := archiveSetup(t)
	require.Zero(t, b.run(t.Context(), "backup", "-", "-o", "json"))
	require.Equal(t, "backup", b.out.String(), "nothing else")
	var summary struct {
		File  string
		Bytes int64
		skipper.Backup
	}
	require.NoError(t, json.Unmarshal(b.err.Bytes(), &summary))
	require.Equal(t, "-", summary.File)
	require.EqualValues(t, 6, summary.Bytes)
	require.Equal(t, "i-1", summary.Installation)
}

func TestRestore_ReadsAFileOrStandardInput(t *testing.T) {
	t.Parallel()
	b, a, dir := archiveSetup(t)
	file := filepath.Join(dir, "b.gz")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))
	require.Zero(t, b.run(t.Context(), "restore", file))
	require.Equal(t, "texttext", a.got)
	require.Equal(t, "restored 3 release versions, 2 operations and 1 packages of installation i-1 (4 bytes)\n", b.out.String())
	b.deps.In = strings.NewReader("piped")
	require.Zero(t, b.run(t.Context(), "restore", "-"))
	require.Equal(t, "texttextpipedpiped", a.got)
	a.failure = skipper.Errorf(skipper.CodeConflict, "the database is not empty")
	require.Equal(t, 4, b.run(t.Context(), "restore", file))
}

func TestBackup_TellsOfProgressOnlyWhenItTakesLong(t *testing.T) {
	t.Parallel()
	b, a, dir := archiveSetup(t)
	now := time.Unix(0, 0)
	b.deps.Clock = func() time.Time { return now }
	a.pass = func() { now = now.Add(2 * time.Second) }
	require.Zero(t, b.run(t.Context(), "backup", filepath.Join(dir, "b.gz")))
	require.Equal(t, "  2s  releases\n", b.err.String())
	b.err.Reset()
	b.deps.IsTTY = true
	require.Zero(t, b.run(t.Context(), "backup", filepath.Join(dir, "b.gz")))
	require.Equal(t, "  2s  releases                 64\n", b.err.String())
}
