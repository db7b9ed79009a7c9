package repository_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

func TestBlobs_NobodyHasGoOnSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testBlobs(t, repository.Config{Dir: dir}, "sqlite", filepath.Join(dir, "skiff.db"))
}

func TestBlobs_NobodyHasGoOnPostgres(t *testing.T) {
	t.Parallel()
	url := cluster.Database(t)
	testBlobs(t, repository.Config{URL: url}, "pgx", url)
}

// testBlobs looks into the database, because a file that nobody has shows nowhere else.
func testBlobs(t *testing.T, config repository.Config, driver, dsn string) {
	t.Helper()
	ctx := t.Context()
	store, err := openStore(t, config)
	require.NoError(t, err)
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	requireBlobs := func(want int) {
		t.Helper()
		var got int
		require.NoError(t, db.QueryRowContext(ctx, "SELECT COUNT(*) FROM blobs").Scan(&got))
		require.Equal(t, want, got)
	}
	local, _, err := store.EnsureRepository(ctx, skipper.Repository{Name: "local"})
	require.NoError(t, err)
	var ids []int64
	for _, name := range []string{"one", "two"} {
		p, err := store.AddPackage(ctx, skipper.PackageMetadata{Name: name, RepositoryID: &local.ID}, []byte("shared"))
		require.NoError(t, err)
		ids = append(ids, p.ID)
	}
	requireBlobs(1)
	require.NoError(t, store.SetPackageFile(ctx, ids[0], []byte("own")))
	requireBlobs(2)
	require.NoError(t, store.SetPackageFile(ctx, ids[0], []byte("shared")))
	requireBlobs(1)
	for i, name := range []string{"one", "two"} {
		err := store.DeletePackages(ctx, name, func([]skipper.PackageMetadata, []skipper.PackageUse) error { return nil })
		require.NoError(t, err)
		requireBlobs(1 - i)
	}
}
