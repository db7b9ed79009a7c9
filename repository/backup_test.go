package repository_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

// memoryFiles are a deployer's files.
type memoryFiles map[string]string

func (f memoryFiles) List() ([]string, error) { return slices.Sorted(maps.Keys(f)), nil }

func (f memoryFiles) Read(name string) ([]byte, error) {
	content, found := f[name]
	if !found || content == "gone" {
		return nil, fs.ErrNotExist
	}
	return []byte(content), nil
}

func (f memoryFiles) Write(name string, content []byte) error {
	if strings.HasPrefix(name, "..") {
		return skipper.Errorf(skipper.CodeInvalid, "%q is no file of ours", name)
	}
	f[name] = string(content)
	return nil
}

func quiet(c repository.Config) repository.Config {
	c.Clock, c.Logger = time.Now, slog.New(slog.DiscardHandler)
	return c
}

func backUp(t *testing.T, c repository.Config, files memoryFiles) ([]byte, skipper.Backup) {
	t.Helper()
	out := &bytes.Buffer{}
	done, err := repository.Backup(t.Context(), quiet(c), files, "1.2.3", out, func(string, int64) {})
	require.NoError(t, err)
	return out.Bytes(), done
}

func tryRestore(t *testing.T, backup []byte, c repository.Config, files memoryFiles) (skipper.Backup, error) {
	t.Helper()
	return repository.Restore(t.Context(), quiet(c), files, bytes.NewReader(backup), func(string, int64) {})
}

func restored(t *testing.T, backup []byte, c repository.Config) skipper.Backup {
	t.Helper()
	done, err := tryRestore(t, backup, c, memoryFiles{})
	require.NoError(t, err)
	return done
}

// place is an empty database that a test can look into.
type place struct {
	config repository.Config
	driver string
	dsn    string
}

func sqlitePlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	return place{repository.Config{Dir: dir}, "sqlite", filepath.Join(dir, "skiff.db")}
}

func postgresPlace(t *testing.T) place {
	t.Helper()
	url := cluster.Database(t)
	name := databaseName(t, url)
	cluster.Exec(t, "DROP DATABASE "+name)
	cluster.Exec(t, "CREATE DATABASE "+name)
	return place{repository.Config{URL: url}, "pgx", url}
}

// places makes an empty database of each kind.
func places() map[string]func(t *testing.T) place {
	return map[string]func(t *testing.T) place{"sqlite": sqlitePlace, "postgres": postgresPlace}
}

func (p place) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(p.driver, p.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func column[V any](t *testing.T, db *sql.DB, query string, args ...any) []V {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	out := []V{}
	for rows.Next() {
		var value V
		require.NoError(t, rows.Scan(&value))
		out = append(out, value)
	}
	require.NoError(t, rows.Err())
	return out
}

// tables lists what is in the database itself, so that a table which the backup does not know is seen.
func (p place) tables(t *testing.T, db *sql.DB) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`
	if p.driver == "pgx" {
		query = `SELECT relname::text FROM pg_class
			WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%'`
	}
	return slices.Sorted(slices.Values(column[string](t, db, query)))
}

// contents gives all rows of all tables, each a text.
func (p place) contents(t *testing.T) map[string][]string {
	t.Helper()
	db := p.open(t)
	out := map[string][]string{}
	for _, table := range p.tables(t, db) {
		out[table] = rowsOf(t, db, table)
	}
	return out
}

func rowsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	out := []string{}
	for rows.Next() {
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(any)
		}
		require.NoError(t, rows.Scan(values...))
		var parts []string
		for i, name := range names {
			if name == "restored" { // tells of the database, not of what is in it
				continue
			}
			parts = append(parts, fmt.Sprintf("%s=%v", name, plain(*values[i].(*any)))) //nolint:errcheck // made above
		}
		slices.Sort(parts) // a column that was added later stands elsewhere
		out = append(out, strings.Join(parts, " "))
	}
	require.NoError(t, rows.Err())
	slices.Sort(out)
	return out
}

func plain(value any) any {
	switch v := value.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case []byte:
		return fmt.Sprintf("%x", v)
	}
	return value
}

// fill puts two rows into every table of an SQLite database, whatever tables and columns there are.
func fill(t *testing.T, db *sql.DB, tables []string) {
	t.Helper()
	exec := func(query string, args ...any) {
		_, err := db.ExecContext(t.Context(), query, args...)
		require.NoError(t, err, query)
	}
	db.SetMaxOpenConns(1) // the pragma is the connection's
	exec("PRAGMA foreign_keys = OFF")
	for _, table := range tables {
		if table == "installation" {
			continue // it has its one row
		}
		names := column[string](t, db, "SELECT name FROM pragma_table_info(?)", table)
		kinds := column[string](t, db, "SELECT type FROM pragma_table_info(?)", table)
		refers := column[string](t, db, `SELECT "from" FROM pragma_foreign_key_list(?)`, table)
		for row := range 2 {
			var values, marks []any
			for i, name := range names {
				values, marks = append(values, sample(kinds[i], name, row, slices.Contains(refers, name))), append(marks, "?")
			}
			exec(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "),
				strings.Join(strings.Fields(strings.Repeat("? ", len(marks))), ", ")), values...)
		}
	}
	require.Empty(t, column[string](t, db, `SELECT "table" FROM pragma_foreign_key_check`))
}

// sample is a value that differs from row to row. What refers to another table is the key of its row there: keys are
// 1 and 0, or the texts of a digest or an id.
func sample(kind, name string, row int, refers bool) any {
	switch {
	case kind == "INTEGER":
		return 1 - row // also good where PostgreSQL has true and false
	case kind == "BLOB":
		return bytes.Repeat([]byte{byte(row), 0xff, '\n'}, 20_000)
	case refers || name == "id" || name == "digest":
		return fmt.Sprintf("key %d", row)
	}
	return fmt.Sprintf("{%q:\n \"%d größe <&>\"}", name, row) // JSON, because migrations read some of it
}

func freed(contents map[string][]string) map[string][]string {
	out := map[string][]string{}
	for table, rows := range contents {
		for _, row := range rows {
			var parts []string
			for part := range strings.SplitSeq(row, " lease_") {
				switch {
				case strings.HasPrefix(part, "owner="):
					part = "owner="
				case strings.HasPrefix(part, "until="):
					_, rest, _ := strings.Cut(part, " ")
					part = "until=0 " + rest
				}
				parts = append(parts, part)
			}
			out[table] = append(out[table], strings.Join(parts, " lease_"))
		}
		slices.Sort(out[table])
	}
	return out
}

// A table or a column of a later migration needs no change of the backup: this test fails when one is not carried.
func TestBackup_CarriesEveryTableIntoEitherDatabaseAndBack(t *testing.T) {
	t.Parallel()
	first := sqlitePlace(t)
	store, err := openStore(t, first.config)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	db := first.open(t)
	tables := first.tables(t, db)
	require.NotEmpty(t, tables)
	fill(t, db, tables)
	want := freed(first.contents(t))
	for table, rows := range want {
		require.NotEmpty(t, rows, table)
	}
	backup, done := backUp(t, first.config, nil)
	require.Len(t, done.Tables, len(tables))
	require.EqualValues(t, 2, done.Tables["blobs"])

	sqlite, postgres := sqlitePlace(t), postgresPlace(t)
	for _, p := range []place{sqlite, postgres} {
		require.Equal(t, done, restored(t, backup, p.config))
		require.Empty(t, cmp.Diff(want, p.contents(t)))
	}
	again, _ := backUp(t, postgres.config, nil)
	for _, p := range []place{sqlitePlace(t), postgresPlace(t)} {
		restored(t, again, p.config)
		require.Empty(t, cmp.Diff(want, p.contents(t)))
	}
}

// odd has what texts and blobs can be at their worst.
func TestBackup_KeepsEveryByte(t *testing.T) {
	t.Parallel()
	from, to := sqlitePlace(t), sqlitePlace(t)
	store, err := openStore(t, from.config)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	db := from.open(t)
	for i, size := range []int{0, 1, 2, 48<<10 - 1, 48 << 10, 48<<10 + 1, 1_000_000} {
		_, err := db.ExecContext(t.Context(), "INSERT INTO blobs VALUES (?, ?)", fmt.Sprint(i), bytes.Repeat([]byte{byte(i)}, size))
		require.NoError(t, err)
	}
	for i, text := range []string{"", "a\x00b", "\xff\xfe", "{\"blob\":1}", "null", strings.Repeat("long ", 100_000)} {
		_, err := db.ExecContext(t.Context(), "INSERT INTO ports (host, port, owner) VALUES (?, ?, ?)", text, i, text)
		require.NoError(t, err)
	}
	for _, number := range []int64{-1 << 63, 1<<63 - 1, 1<<53 + 1} {
		_, err := db.ExecContext(t.Context(), "INSERT INTO ports (host, port, owner) VALUES ('n', ?, '')", number)
		require.NoError(t, err)
	}
	backup, _ := backUp(t, from.config, nil)
	restored(t, backup, to.config)
	require.Equal(t, from.contents(t), to.contents(t))
}

// inhabited is a store with a package, a release whose operation is leased, and what others keep beside it.
func inhabited(t *testing.T, p place) (*repository.Store, skipper.Operation) {
	t.Helper()
	ctx := t.Context()
	store, err := openStore(t, p.config)
	require.NoError(t, err)
	local, _, err := store.EnsureRepository(ctx, skipper.Repository{Name: "local", Local: true})
	require.NoError(t, err)
	var pkg skipper.PackageMetadata
	for _, name := range []string{"log", "gone"} {
		pkg, err = store.AddPackage(ctx, skipper.PackageMetadata{Name: name, Version: "1", RepositoryID: &local.ID}, []byte(name))
		require.NoError(t, err)
	}
	require.NoError(t, store.DeletePackages(ctx, "gone", func([]skipper.PackageMetadata, []skipper.PackageUse) error {
		return nil
	}))
	pkg.ID--
	op := accept(t, store, "log", pkg)
	ops, err := store.Lease(ctx, "server-1", op.Created, op.Created.Add(time.Hour), 10, nil)
	require.NoError(t, err)
	require.Len(t, ops, 1)
	_, err = store.WantDeployment(ctx, op.ID, ops[0].Token, skipper.Deployment{
		Account: "default", DeploymentID: "log.log-v1", ReleaseName: "log", ReleaseVersion: 1, App: "log",
	})
	require.NoError(t, err)
	return store, ops[0]
}

func inhabitedSQLite(t *testing.T) place {
	t.Helper()
	p := sqlitePlace(t)
	inhabited(t, p)
	return p
}

func accept(t *testing.T, store *repository.Store, name string, p skipper.PackageMetadata) skipper.Operation {
	t.Helper()
	op, _, err := store.Accept(t.Context(), skipper.Operation{
		ID: "install-" + name, Kind: skipper.KindInstall, ReleaseName: name, TargetVersion: 1, State: skipper.StateInstall,
	}, &skipper.Release{Name: name, Version: 1, PackageID: p.ID, PlatformName: "default"}, 0)
	require.NoError(t, err)
	return op
}

func TestRestore_TheStoreGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for from, source := range places() {
		for to, target := range places() {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				origin := source(t)
				store, held := inhabited(t, origin)
				installation, err := store.Installation(ctx)
				require.NoError(t, err)
				backup, done := backUp(t, origin.config, memoryFiles{"local/host": "h", "local/b": "", "vanished": "gone"})
				require.Equal(t, installation, done.Installation)
				require.Equal(t, 2, done.Files)

				p, files := target(t), memoryFiles{}
				got, err := tryRestore(t, backup, p.config, files)
				require.NoError(t, err)
				require.Equal(t, done, got)
				require.Equal(t, memoryFiles{"local/host": "h", "local/b": ""}, files)

				again, err := openStore(t, p.config)
				require.NoError(t, err)
				same, err := again.Installation(ctx)
				require.NoError(t, err)
				require.Equal(t, installation, same)
				ops, err := again.Lease(ctx, "server-2", held.Created, held.Created.Add(time.Second), 10, nil)
				require.NoError(t, err)
				require.Len(t, ops, 1, "the lease is free at once")
				require.Greater(t, ops[0].Token, held.Token)
				rows, err := again.DeploymentsOf(ctx, "log", 1)
				require.NoError(t, err)
				require.Len(t, rows, 1)
				require.True(t, rows[0].Wanted)

				local, _, err := again.EnsureRepository(ctx, skipper.Repository{Name: "local"})
				require.NoError(t, err)
				p3, err := again.AddPackage(ctx, skipper.PackageMetadata{Name: "new", Version: "1", RepositoryID: &local.ID}, nil)
				require.NoError(t, err)
				require.EqualValues(t, 3, p3.ID, "the number of a package that is gone is not given again")
			})
		}
	}
}

// A backup taken while others write is as the store was at one moment.
func TestBackup_IsOfOneMomentWhileTheServerWorks(t *testing.T) {
	t.Parallel()
	for name, source := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := source(t)
			store, _ := inhabited(t, origin)
			stop := make(chan struct{})
			var work sync.WaitGroup
			defer work.Wait()
			for worker := range 3 {
				work.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
							accept(t, store, fmt.Sprintf("r%d-%d", worker, n), skipper.PackageMetadata{ID: 1})
						}
					}
				})
			}
			out := &bytes.Buffer{}
			for range 5 {
				out.Reset()
				_, err := repository.Backup(t.Context(), quiet(origin.config), memoryFiles{}, "", out, func(string, int64) {})
				require.NoError(t, err)
			}
			close(stop)

			to := sqlitePlace(t)
			done := restored(t, out.Bytes(), to.config)
			require.Greater(t, done.Tables["releases"], int64(1))
			require.Equal(t, done.Tables["releases"], done.Tables["operations"])
			require.Equal(t, done.Tables["releases"], done.Tables["operation_events"])
			require.Empty(t, column[string](t, to.open(t), `SELECT release_name FROM operations WHERE release_name NOT IN
				(SELECT name FROM releases)`))
		})
	}
}

func TestRestore_OfAnOlderSchemaIsMigrated(t *testing.T) {
	t.Parallel()
	from := sqlitePlace(t)
	require.NoError(t, os.WriteFile(from.dsn, nil, 0o600))
	db := from.open(t)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations/sqlite"),
		goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), 1)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "INSERT INTO installation (singleton, id, created) VALUES (1, 'old', 0)")
	require.NoError(t, err)
	tables := from.tables(t, db)
	fill(t, db, tables)
	backup, done := backUp(t, from.config, nil)
	require.EqualValues(t, 1, done.SchemaVersion)
	require.Equal(t, "old", done.Installation)

	for name, target := range places() {
		to := target(t)
		restored(t, backup, to.config)
		sources := provider.ListSources()
		require.Equal(t, []int64{sources[len(sources)-1].Version},
			column[int64](t, to.open(t), "SELECT MAX(version_id) FROM goose_db_version"), name)
		for _, table := range tables {
			require.NotEmpty(t, to.contents(t)[table], "%s on %s", table, name)
		}
		_, err = openStore(t, to.config)
		require.NoError(t, err)
	}
}

func TestRestore_RefusesATargetThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	backup, _ := backUp(t, from.config, nil)
	for name, target := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := target(t)
			other, err := openStore(t, to.config)
			require.NoError(t, err)
			require.NoError(t, other.Close())
			before := to.contents(t)
			_, err = tryRestore(t, backup, to.config, nil)
			require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "not empty")
			require.Equal(t, before, to.contents(t))
		})
	}
}

func TestRestore_CanBeRepeatedAfterItFailed(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	backup, _ := backUp(t, from.config, memoryFiles{"../evil": "x"})
	good, _ := backUp(t, from.config, nil)
	for name, target := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := target(t)
			_, err := tryRestore(t, backup, to.config, memoryFiles{})
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
			for table, rows := range to.contents(t) {
				require.Empty(t, rows, table)
			}
			restored(t, good, to.config)
		})
	}
}

func TestRestore_RefusesAFolderThatAServerUses(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	backup, _ := backUp(t, from.config, nil)
	_, err := tryRestore(t, backup, from.config, nil)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "used by another server")
}

// A file that was cut off, changed or is something else is refused before anything is made.
func TestRestore_RefusesWhatIsNoWholeBackup(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	good, _ := backUp(t, from.config, memoryFiles{"local/host": "h"})
	text := unzip(t, good)
	cases := map[string][]byte{
		"nothing": nil, "another file": []byte("PK\x03\x04"), "another zip": zipped(t, "hello\n"), "no lines": zipped(t, ""),
		"another JSON":  zipped(t, `{"a":1}`+"\n"),
		"more after it": append(slices.Clone(good), good...), "bytes after it": append(slices.Clone(good), 0),
		"a line more": zipped(t, text+"\n"), "a row more": zipped(t, text+"[1]\n"),
		"a row less":         zipped(t, strings.Replace(text, "\n[1,", "\n[2,", 1)),
		"a table less":       zipped(t, strings.Replace(text, `{"table":"ports"`, `{"table":"sports"`, 1)),
		"a table twice":      zipped(t, strings.Replace(text, `{"table":"ports"`, `{"table":"blobs"`, 1)),
		"another column":     zipped(t, strings.Replace(text, `"digest"`, `"digits"`, 1)),
		"a row before":       zipped(t, strings.Replace(text, "\n", "\n[1]\n", 1)),
		"a text as number":   zipped(t, strings.Replace(text, "\n[1,", "\n[\"1\",", 1)),
		"a great blob":       zipped(t, strings.Replace(text, `{"blob":3}`, `{"blob":30000000000}`, 1)),
		"a blob below 0":     zipped(t, strings.Replace(text, `{"blob":3}`, `{"blob":-3}`, 1)),
		"no base64":          zipped(t, strings.Replace(text, `"bG9n"`, `"????"`, 1)),
		"a great blob, less": zipped(t, strings.Replace(text, `{"blob":3}`, `{"blob":300}`, 1)),
	}
	for n := range 40 {
		cases[fmt.Sprintf("cut %d", n)] = good[:len(good)*n/40]
		changed := slices.Clone(good)
		changed[11+(len(good)-11)*n/40] ^= 0x10
		cases[fmt.Sprintf("changed %d", n)] = changed
		cases[fmt.Sprintf("lines cut %d", n)] = zipped(t, text[:len(text)*n/40])
	}
	for name, backup := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new")
			_, err := tryRestore(t, backup, repository.Config{Dir: dir}, nil)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
			require.Contains(t, err.Error(), "backup")
			require.NoDirExists(t, dir)
		})
	}
}

func TestRestore_RefusesANewerBackup(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	good, _ := backUp(t, from.config, nil)
	text := unzip(t, good)
	dir := filepath.Join(t.TempDir(), "new")
	newer := func(old, changed string) error {
		require.Contains(t, text, old)
		_, err := tryRestore(t, zipped(t, strings.Replace(text, old, changed, 1)), repository.Config{Dir: dir}, nil)
		require.Error(t, err)
		require.NoDirExists(t, dir)
		return err
	}
	require.ErrorContains(t, newer(`"schemaVersion":`, `"schemaVersion":99`), "use the newer skiff")
	require.ErrorContains(t, newer(`"skiffBackup":1`, `"skiffBackup":2`), "format 2")
}

func TestBackup_OfADatabaseThatIsNone(t *testing.T) {
	t.Parallel()
	attempt := func(c repository.Config) error {
		_, err := repository.Backup(t.Context(), quiet(c), memoryFiles{}, "", io.Discard, func(string, int64) {})
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
		return err
	}
	dir := t.TempDir()
	require.ErrorContains(t, attempt(repository.Config{Dir: dir}), "--data-dir")
	require.NoFileExists(t, filepath.Join(dir, "skiff.db"), "looking made none")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "skiff.db"), nil, 0o600))
	require.ErrorContains(t, attempt(repository.Config{Dir: dir}), "no store of skiff")
	require.ErrorContains(t, attempt(postgresPlace(t).config), "no store of skiff")

	newer, db := sqliteFile(t)
	_, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	require.NoError(t, err)
	_, err = repository.Backup(t.Context(), quiet(repository.Config{Dir: newer}), memoryFiles{}, "", io.Discard, nil)
	require.ErrorContains(t, err, "99999")
}

// What others keep in the same PostgreSQL database, as the Skipper that was here before, is none of ours.
func TestBackup_LeavesTablesOfOthersAlone(t *testing.T) {
	t.Parallel()
	from, to := postgresPlace(t), postgresPlace(t)
	inhabited(t, from)
	for _, p := range []place{from, to} {
		_, err := p.open(t).ExecContext(t.Context(), "CREATE TABLE skipper_release (id BIGINT); INSERT INTO skipper_release VALUES (7)")
		require.NoError(t, err)
	}
	backup, done := backUp(t, from.config, nil)
	require.NotContains(t, done.Tables, "skipper_release")
	restored(t, backup, to.config)
	require.Equal(t, []string{"id=7"}, to.contents(t)["skipper_release"])
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestBackup_ThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	_, err := repository.Backup(t.Context(), quiet(from.config), memoryFiles{}, "", full{}, func(string, int64) {})
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "no space left")
}

func TestBackup_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	from := inhabitedSQLite(t)
	backup, _ := backUp(t, from.config, nil)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := repository.Backup(ctx, quiet(from.config), memoryFiles{}, "", io.Discard, func(string, int64) { cancel() })
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(err), "%v", err)
	to := sqlitePlace(t)
	ctx, cancel = context.WithCancel(t.Context())
	_, err = repository.Restore(ctx, quiet(to.config), memoryFiles{}, bytes.NewReader(backup), func(what string, _ int64) {
		if what == "operations" {
			cancel()
		}
	})
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(err), "%v", err)
	for table, rows := range to.contents(t) {
		require.Empty(t, rows, table)
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	out := &bytes.Buffer{}
	w := gzip.NewWriter(out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func unzip(t *testing.T, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}
