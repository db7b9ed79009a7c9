package repository_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

// A query that fails is logged, its values are not: they hold what releases were given to know.
func TestLog_HoldsNoValues(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), &bytes.Buffer{}
	store, err := repository.Open(t.Context(), repository.Config{
		Dir: dir, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	db, err := sql.Open("sqlite", filepath.Join(dir, "skiff.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON packages BEGIN SELECT RAISE(FAIL, 'full'); END`)
	require.NoError(t, err)
	local, _, err := store.EnsureRepository(t.Context(), skipper.Repository{Name: "local"})
	require.NoError(t, err)

	_, err = store.AddPackage(t.Context(), skipper.PackageMetadata{
		Name: "log", Version: "1.0.0", RepositoryID: &local.ID, Description: new("a secret"),
	}, []byte("another secret"))
	require.Error(t, err)
	require.Contains(t, log.String(), "INSERT INTO")
	require.NotContains(t, log.String(), "secret")
}
