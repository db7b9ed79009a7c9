package repository_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/repository/repositorytest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	repositorytest.Run(t, func(t *testing.T) repository.Config {
		t.Helper()
		return repository.Config{Dir: t.TempDir()}
	})
}

func TestSQLite_OneServerPerFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := openStore(t, repository.Config{Dir: dir})
	require.NoError(t, err)
	require.True(t, first.SingleServer())

	_, err = openStore(t, repository.Config{Dir: dir})
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", os.Getpid()))
	require.NoError(t, first.Ping(t.Context()), "the refused one leaves it alone")

	require.NoError(t, first.Close())
	_, err = openStore(t, repository.Config{Dir: dir})
	require.NoError(t, err)
}

func TestSQLite_FilesAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "by us")
	store, err := openStore(t, repository.Config{Dir: dir})
	require.NoError(t, err)
	_, _, err = store.EnsureRepository(t.Context(), skipper.Repository{Name: "local"})
	require.NoError(t, err)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3, "the database, its journal and the lock")
	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file.Name())
	}
}

func TestSQLite_AnyFolderName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with space", "50%25", "what?x=1&_pragma=foreign_keys(0)", "a#b", "größe"} {
		dir := filepath.Join(t.TempDir(), name)
		store, err := openStore(t, repository.Config{Dir: dir})
		require.NoError(t, err, name)
		_, err = store.AddPackage(t.Context(), skipper.PackageMetadata{RepositoryID: new(int64(1))}, nil)
		require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err), "foreign keys hold in %q", name)
		require.FileExists(t, filepath.Join(dir, "skiff.db"))
	}
}

func TestSQLite_AFolderThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := openStore(t, repository.Config{Dir: filepath.Join(file, "below")})
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
}

func TestSQLite_AFileThatIsNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := []byte(strings.Repeat("this is no database\n", 1000))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "skiff.db"), garbage, 0o600))
	_, err := openStore(t, repository.Config{Dir: dir})
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "skiff.db")
	got, err := os.ReadFile(filepath.Join(dir, "skiff.db"))
	require.NoError(t, err)
	require.Equal(t, garbage, got)
	require.NoError(t, os.Remove(filepath.Join(dir, "skiff.db")))
	_, err = openStore(t, repository.Config{Dir: dir})
	require.NoError(t, err, "the lock was given back")
}

func TestOpen_RefusesAURLThatIsNotPostgres(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{
		"jdbc:postgresql://localhost/skiff", "mysql://root:s3cret@localhost/skiff", "host=localhost password=s3cret",
		"postgres://skiff:s3cret@localhost:port/skiff",
	} {
		_, err := openStore(t, repository.Config{URL: wrong})
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "database.url")
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestOpen_APostgresThatIsNotThere(t *testing.T) {
	t.Parallel()
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword("skiff", "s3cret"), Path: "/skiff",
		RawQuery: "host=" + url.QueryEscape(t.TempDir()),
	}
	_, err := openStore(t, repository.Config{URL: address.String()})
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
	require.NotContains(t, err.Error(), "s3cret")
}
