package repository

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Restore brings a backup into an empty database, be it of the other kind than that which was backed up, and migrates
// it. All of the backup is read and checked before anything is written, and written in one transaction. Leases are not
// held any more; the id of the installation is that of the backup, so what runs is known by its owner marks.
//
// CodeInvalid for what is no backup or a damaged one, CodeConflict when the database is not empty, when a server uses
// the data folder, or when a newer skiff made the backup.
func Restore(ctx context.Context, config Config, files Files, from io.ReadSeeker, tell Progress,
) (skipper.Backup, error) {
	s := &Store{dialect: sqliteDialect(), clock: config.Clock}
	r := &restore{tell: tell, files: files, from: from}
	if err := r.check(ctx); err != nil {
		return r.summary, s.fail(err, "read the backup")
	}
	s, err := openEmpty(config)
	if err != nil {
		return r.summary, err
	}
	err = r.run(ctx, s)
	return r.summary, errors.Join(s.fail(err, "restore"), s.Close())
}

// openEmpty opens the database and takes the data folder, but migrates nothing.
func openEmpty(config Config) (*Store, error) {
	if config.URL != "" {
		return openPostgres(config)
	}
	return openSQLite(config)
}

type restore struct {
	tell    Progress
	files   Files
	from    io.ReadSeeker
	tables  []tableShape
	summary skipper.Backup
}

// check reads all of the backup.
func (r *restore) check(ctx context.Context) error {
	newest, err := newestSchema()
	if err != nil {
		return err
	}
	a, err := newArchiveReader(r.from)
	if err != nil {
		return err
	}
	h := a.header
	r.summary = skipper.Backup{
		Format: h.Format, SchemaVersion: h.SchemaVersion, Installation: h.Installation,
		SkiffVersion: h.SkiffVersion, Created: h.Created,
	}
	if h.SchemaVersion > newest {
		return newerSchema("the backup", h.SchemaVersion, newest)
	}
	if r.tables, err = shapeOf(ctx, h.SchemaVersion); err != nil {
		return err
	}
	what := ""
	if err := r.read(ctx, a, sink{
		begin: func(t tableShape, _ int64) error { what = "check " + t.name; return nil },
		row:   func(n int64, _ []any) error { r.told(what, n); return nil },
		file:  func(string, []byte) error { return nil },
	}); err != nil {
		return err
	}
	r.summary.Tables, r.summary.Files = a.count.Tables, a.count.Files
	return nil
}

func (r *restore) told(what string, n int64) {
	if n%tellEvery == 1 {
		r.tell(what, n)
	}
}

// sink takes what is in a backup, in its order.
type sink struct {
	begin func(t tableShape, next int64) error
	row   func(n int64, values []any) error
	file  func(name string, content []byte) error
}

// read gives all of a backup to a sink. Every table of the schema must be in it, with all its columns.
func (r *restore) read(ctx context.Context, a *archiveReader, to sink) error {
	missing := map[string]tableShape{}
	for _, t := range r.tables {
		missing[t.name] = t
	}
	var now tableShape
	for {
		p, row, err := a.next()
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return err
		case row != nil:
			values, err := a.values(row, now.columns)
			if err != nil {
				return err
			}
			if err := to.row(a.count.Tables[now.name], values); err != nil {
				return err
			}
		case p.Table != "":
			if now, err = arranged(missing, p); err != nil {
				return err
			}
			delete(missing, p.Table)
			if err := to.begin(now, p.Next); err != nil {
				return err
			}
		case p.File != "":
			now = tableShape{}
			content, err := a.bytes(nil, p.Size, fileLimit)
			if err != nil {
				return err
			}
			if err := to.file(p.File, content); err != nil {
				return err
			}
		default:
			if len(missing) > 0 {
				return damaged("%d tables are missing", len(missing))
			}
			return nil
		}
	}
}

// arranged gives a table with its columns in the order in which the backup has them.
func arranged(missing map[string]tableShape, p part) (tableShape, error) {
	t, found := missing[p.Table]
	if !found || len(p.Columns) != len(t.columns) {
		return t, damaged("table %q is not one of schema, or has other columns", p.Table)
	}
	kinds := map[string]kind{}
	for _, c := range t.columns {
		kinds[c.name] = c.kind
	}
	t.columns = nil
	for _, name := range p.Columns {
		if kinds[name] == "" {
			return t, damaged("table %s has no column %q", p.Table, name)
		}
		t.columns = append(t.columns, columnShape{name: name, kind: kinds[name]})
		delete(kinds, name)
	}
	return t, nil
}

// run writes the backup that was checked.
func (r *restore) run(ctx context.Context, s *Store) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if err := r.prepare(ctx, s); err != nil {
		return err
	}
	if _, err := r.from.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the backup again: %w", err)
	}
	a, err := newArchiveReader(r.from)
	if err != nil {
		return err
	}
	a.keep = true
	db, err := s.writer.DB()
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	if err := r.stillEmpty(ctx, s, tx); err != nil {
		return err
	}
	l := &loader{restore: r, store: s, tx: tx}
	if err := r.read(ctx, a, sink{
		begin: func(t tableShape, next int64) error { return l.begin(ctx, t, next) },
		row:   func(n int64, values []any) error { return l.row(ctx, n, values) },
		file:  r.files.Write,
	}); err != nil {
		return fmt.Errorf("table %s: %w", l.table.name, err)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	r.tell("migrate", 0)
	if err := s.migrate(ctx); err != nil {
		return err
	}
	// A backup of an older schema had no place for it.
	return s.writer.WithContext(ctx).
		Exec("UPDATE installation SET restored = ? WHERE restored IS NULL", micros(s.now())).Error
}

// prepare brings an empty database to the schema of the backup.
func (r *restore) prepare(ctx context.Context, s *Store) error {
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if current > r.summary.SchemaVersion {
		return notEmpty("it has a newer schema than the backup")
	}
	_, err = provider.UpTo(ctx, r.summary.SchemaVersion)
	return err
}

func notEmpty(why string) error {
	return skipper.Errorf(skipper.CodeConflict, "the database is not empty (%s); "+
		"restore into a new one: another data directory, or another PostgreSQL database", why)
}

// stillEmpty sees to it that the tables are empty and, on PostgreSQL, that no server that starts just now fills or
// migrates them before the transaction has ended.
func (r *restore) stillEmpty(ctx context.Context, s *Store, tx *sql.Tx) error {
	if s.dialect.goose == goose.DialectPostgres {
		if _, err := tx.ExecContext(ctx,
			"LOCK TABLE goose_db_version, installation IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	var version int64
	if err := tx.QueryRowContext(ctx, currentSchema).Scan(&version); err != nil {
		return err
	}
	if version != r.summary.SchemaVersion {
		return notEmpty("a server migrated it meanwhile")
	}
	for _, t := range r.tables {
		var rows int64
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quoted([]string{t.name})).Scan(&rows); err != nil {
			return err
		}
		if rows > 0 {
			return notEmpty(t.name + " has " + strconv.FormatInt(rows, 10) + " rows")
		}
	}
	return nil
}

// loader writes rows.
type loader struct {
	*restore

	store  *Store
	tx     *sql.Tx
	table  tableShape
	insert *sql.Stmt
	bools  map[string]bool // columns that want true or false
}

func (l *loader) begin(ctx context.Context, t tableShape, next int64) (err error) {
	l.table, l.bools = t, map[string]bool{}
	marks := make([]string, len(t.columns))
	for i := range marks {
		marks[i] = "?"
	}
	if l.store.dialect.goose == goose.DialectPostgres {
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(i+1)
		}
		if l.bools, err = booleans(ctx, l.tx, t); err != nil {
			return err
		}
	}
	if next > 0 && t.serial != "" {
		if err := l.store.startAt(ctx, l.tx, t, next); err != nil {
			return err
		}
	}
	if l.insert != nil {
		_ = l.insert.Close() // it did its work
	}
	//nolint:gosec // the names are those of the migrations
	l.insert, err = l.tx.PrepareContext(ctx, "INSERT INTO "+quoted([]string{t.name})+" ("+quoted(t.names())+
		") VALUES ("+strings.Join(marks, ", ")+")")
	return err
}

func (l *loader) row(ctx context.Context, n int64, values []any) error {
	for i, c := range l.table.columns {
		// Whoever held a lease does not know this database.
		switch c.name {
		case "lease_owner":
			values[i] = ""
		case "lease_until":
			values[i] = 0
		case "restored":
			values[i] = micros(l.store.now())
		}
		if number, ok := values[i].(int64); ok && l.bools[c.name] {
			values[i] = number != 0
		}
	}
	l.told(l.table.name, n)
	_, err := l.insert.ExecContext(ctx, values...)
	return err
}

// booleans finds the columns of a PostgreSQL table that are no numbers.
func booleans(ctx context.Context, tx *sql.Tx, t tableShape) (map[string]bool, error) {
	rows, err := tx.QueryContext(ctx, `SELECT attname FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND atttypid = 'boolean'::regtype`, t.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what matters is rows.Err
	found := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found[name] = true
	}
	return found, rows.Err()
}

// startAt says which number the next row of a table gets.
func (s *Store) startAt(ctx context.Context, tx *sql.Tx, t tableShape, next int64) error {
	if s.dialect.goose == goose.DialectPostgres {
		_, err := tx.ExecContext(ctx, "SELECT setval(pg_get_serial_sequence($1, $2), $3, false)", t.name, t.serial, next)
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM sqlite_sequence WHERE name = ?", t.name)
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", t.name, next-1)
	}
	return err
}
