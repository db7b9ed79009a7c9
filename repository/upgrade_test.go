package repository_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

// A database that the first skiff made keeps all its rows, and its operations learn their platform account.
func TestMigrations_KeepTheRowsOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialect goose.Dialect
		driver  string
		folder  string
		where   func(t *testing.T) (repository.Config, string)
	}{
		"sqlite": {goose.DialectSQLite3, "sqlite", "migrations/sqlite", func(t *testing.T) (repository.Config, string) {
			t.Helper()
			dir := t.TempDir()
			return repository.Config{Dir: dir}, filepath.Join(dir, "skiff.db")
		}},
		"postgres": {goose.DialectPostgres, "pgx", "migrations/postgres", func(t *testing.T) (repository.Config, string) {
			t.Helper()
			url := cluster.Database(t)
			return repository.Config{URL: url}, url
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, dsn := c.where(t)
			db, err := sql.Open(c.driver, dsn)
			require.NoError(t, err)
			provider, err := goose.NewProvider(c.dialect, db, os.DirFS(c.folder), goose.WithDisableGlobalRegistry(true))
			require.NoError(t, err)
			if c.driver == "pgx" { // a database of the tests is migrated
				_, err = provider.DownTo(t.Context(), 0)
				require.NoError(t, err)
			}
			_, err = provider.UpTo(t.Context(), 1)
			require.NoError(t, err)
			firstRows(t.Context(), t, db)
			require.NoError(t, db.Close())

			s, err := openStore(t, config)
			require.NoError(t, err)
			page, err := s.Operations(t.Context(), skipper.OperationFilter{}, skipper.PageRequest{Size: 10})
			require.NoError(t, err)
			require.Len(t, page.Items, 3)
			for i, want := range []struct {
				id, account string
				outcome     skipper.Outcome
			}{{"op-3", "", "failed"}, {"op-2", "second", "running"}, {"op-1", "default", "succeeded"}} {
				got := page.Items[i]
				require.Equal(t, want.id, got.ID)
				require.Equal(t, want.account, got.Account)
				require.Equal(t, want.outcome, got.Outcome)
				require.Empty(t, got.IdempotencyKey)
				require.False(t, got.Retriable)
			}
			require.Equal(t, "second", page.Items[1].Plan.Account)
			require.Equal(t, []string{"a"}, page.Items[1].Plan.Apps)
			events, err := s.OperationEvents(t.Context(), "op-2", 0)
			require.NoError(t, err)
			require.Len(t, events, 1)
			require.Equal(t, "accepted", events[0].Event)

			leased, err := s.Lease(t.Context(), "server", time.UnixMicro(100), time.UnixMicro(200), 10, []string{"default"})
			require.NoError(t, err)
			require.Len(t, leased, 1, "what ran goes on")
			_, err = s.Queue(t.Context(), skipper.Operation{
				ID: "op-4", Kind: skipper.KindDelete, ReleaseName: "two", Request: json.RawMessage("{}"), IdempotencyKey: "key",
			}, false)
			require.NoError(t, err)
			installation, err := s.Installation(t.Context())
			require.NoError(t, err)
			require.Equal(t, "the first", installation)
		})
	}
}

func firstRows(ctx context.Context, t *testing.T, db *sql.DB) {
	t.Helper()
	operation := func(id, release, outcome, plan string, created int) string {
		return "INSERT INTO operations (id, kind, release_name, source_version, target_version, state, outcome, deadline, due," +
			" cancel_requested, attempt, created, updated, lease_owner, lease_until, token, plan) VALUES ('" + id +
			"', 'upgrade', '" + release + "', 1, 2, 'UPGRADE_WAIT_TARGET_APPS', '" + outcome + "', 9, 9, FALSE, 0, " +
			string(rune('0'+created)) + ", 5, '', 0, 1, '" + plan + "')"
	}
	for _, statement := range []string{
		"INSERT INTO installation (singleton, id, created) VALUES (1, 'the first', 1)",
		operation("op-1", "one", "succeeded", `{"account":"default","timeout":1}`, 1),
		operation("op-2", "two", "running", `{"account":"second","apps":["a"],"timeout":1}`, 2),
		operation("op-3", "one", "failed", `{}`, 3),
		"INSERT INTO operation_events (operation_id, time, from_state, event, to_state, message)" +
			" VALUES ('op-2', 2, 'INITIAL', 'accepted', 'UPGRADE_START', '')",
	} {
		_, err := db.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
	}
}
