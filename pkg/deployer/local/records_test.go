package local_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestRecords_AreTheRecordsAndTheHostAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names, err := local.Records{DataDir: dir}.List()
	require.NoError(t, err)
	require.Empty(t, names)
	record := "local/" + strings.Repeat("0a", 16) + ".json"
	for _, name := range []string{"local/host", record, record + ".new", "local/other", "skiff.db"} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(name), 0o600))
	}
	from := local.Records{DataDir: dir}
	names, err = from.List()
	require.NoError(t, err)
	require.Equal(t, []string{record, "local/host"}, names)

	to := local.Records{DataDir: filepath.Join(t.TempDir(), "new")}
	for _, name := range names {
		content, err := from.Read(name)
		require.NoError(t, err)
		require.NoError(t, to.Write(name, content))
		again, err := to.Read(name)
		require.NoError(t, err)
		require.Equal(t, name, string(again))
	}
	_, err = from.Read("local/" + strings.Repeat("00", 16) + ".json")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestRecords_AHostKeepsItsID(t *testing.T) {
	t.Parallel()
	r := local.Records{DataDir: t.TempDir()}
	require.NoError(t, r.Write("local/host", []byte("mine")))
	require.NoError(t, r.Write("local/host", []byte("of the backup")))
	id, err := r.Read("local/host")
	require.NoError(t, err)
	require.Equal(t, "mine", string(id))
}

func TestRecords_NothingElseIsWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	for _, name := range []string{
		"", "host", "/local/host", "../local/host", "local/../../x", "local/host/x", "skiff.db",
		"local/" + strings.Repeat("0a", 16) + ".json/../x", "local/" + strings.Repeat("0a", 16) + ".json\n",
	} {
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(local.Records{DataDir: dir}.Write(name, nil)), name)
		require.NoDirExists(t, dir)
	}
}
