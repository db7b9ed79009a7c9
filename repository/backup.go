package repository

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/pressly/goose/v3"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Files are what deployers keep on this host beside the store. A backup carries them, so that a restored server knows
// again what runs here. Names are paths with slashes, relative to the data folder.
type Files interface {
	// List names the files there are.
	List() ([]string, error)
	// Read gives a file; an error that is fs.ErrNotExist when it went since it was listed.
	Read(name string) ([]byte, error)
	// Write puts a file in place, at once and for good. CodeInvalid for a name that List never gives.
	Write(name string, content []byte) error
}

// Progress is told what is being done and how many rows of it are done, many times a second. It must be quick.
type Progress func(what string, rows int64)

// tellEvery is after how many rows progress is told.
const tellEvery = 64

// Backup writes all that a store keeps, as it is at one moment, in the form that Restore reads into either database.
// It changes nothing and may run while servers work. version is that of this program. CodeInvalid when there is no
// store, CodeConflict when a newer skiff made it.
func Backup(ctx context.Context, config Config, files Files, version string, w io.Writer, tell Progress,
) (skipper.Backup, error) {
	b := &backup{store: &Store{dialect: sqliteDialect(), clock: config.Clock}, out: newArchiveWriter(outside{w}), tell: tell}
	db, err := b.open(config)
	if err == nil {
		defer func() { _ = db.Close() }() // it was only read
		err = b.run(ctx, db, files, version)
	}
	return b.summary, b.store.fail(err, "back up")
}

// outside is where the backup goes; its errors are none of the database's.
type outside struct{ io.Writer }

// Write writes.
func (o outside) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil {
		err = skipper.Errorf(skipper.CodeUnavailable, "the backup cannot be written: %w", err)
	}
	return n, err
}

type backup struct {
	store   *Store // for its dialect only
	out     *archiveWriter
	tell    Progress
	tx      *sql.Tx
	summary skipper.Backup
}

// open opens the database as one more reader, which neither locks nor migrates it.
func (b *backup) open(config Config) (*sql.DB, error) {
	if config.URL != "" {
		b.store.dialect = postgresDialect()
		s, err := openPostgres(config)
		if err != nil {
			return nil, err
		}
		return s.writer.DB()
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, unusable(err)
	}
	file := filepath.Join(dir, "skiff.db")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, skipper.Errorf(skipper.CodeInvalid,
			"there is no database in %s; name the server's data directory with --data-dir", dir)
	}
	return sql.Open("sqlite", sqliteDSN(file, "mode=rw&_pragma=query_only(1)"))
}

func (b *backup) run(ctx context.Context, db *sql.DB, files Files, version string) (err error) {
	// One snapshot for all tables: SQLite's readers always have one.
	options := &sql.TxOptions{ReadOnly: true}
	if b.store.dialect.goose == goose.DialectPostgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	if b.tx, err = db.BeginTx(ctx, options); err != nil {
		return err
	}
	defer func() { _ = b.tx.Rollback() }() // it was only read
	if err := b.begin(ctx, version); err != nil {
		return err
	}
	tables, err := shapeOf(ctx, b.summary.SchemaVersion)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := b.table(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	// After the snapshot: a file may know more than the store, never less.
	if err := b.files(files); err != nil {
		return err
	}
	end, err := b.out.end()
	b.summary.Tables, b.summary.Files = end.Tables, end.Files
	return err
}

// begin writes the first line.
func (b *backup) begin(ctx context.Context, version string) error {
	b.summary = skipper.Backup{
		Format: archiveFormat, SkiffVersion: version, Created: b.store.now(),
	}
	newest, err := newestSchema()
	if err != nil {
		return err
	}
	if err := b.tx.QueryRowContext(ctx, currentSchema).Scan(&b.summary.SchemaVersion); err != nil {
		if code, _ := b.store.dialect.code(err); code != "" || ctx.Err() != nil {
			return err
		}
		return skipper.Errorf(skipper.CodeInvalid, "the database holds no store of skiff: %w", errors.New(err.Error()))
	}
	if b.summary.SchemaVersion > newest {
		return newerSchema("the database", b.summary.SchemaVersion, newest)
	}
	if err := b.tx.QueryRowContext(ctx, "SELECT id FROM installation").Scan(&b.summary.Installation); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return skipper.Errorf(skipper.CodeInvalid, "the database is empty: no server has used it yet")
		}
		return err
	}
	return b.out.lines.Encode(header{
		Format: archiveFormat, SchemaVersion: b.summary.SchemaVersion, Installation: b.summary.Installation,
		SkiffVersion: version, Created: b.summary.Created,
	})
}

const currentSchema = "SELECT MAX(version_id) FROM goose_db_version"

func newerSchema(what string, has, known int64) error {
	return skipper.Errorf(skipper.CodeConflict,
		"%s has schema version %d and this skiff knows %d at most; use the newer skiff", what, has, known)
}

// table writes one table, row by row.
func (b *backup) table(ctx context.Context, t tableShape) error {
	b.tell(t.name, 0)
	next, err := b.store.nextNumber(ctx, b.tx, t)
	if err != nil {
		return err
	}
	if err := b.out.begin(t, next); err != nil {
		return err
	}
	//nolint:gosec // the names are those of the migrations
	rows, err := b.tx.QueryContext(ctx, "SELECT "+quoted(t.names())+" FROM "+quoted([]string{t.name}))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what matters is rows.Err
	values, into := make([]lent, len(t.columns)), make([]any, len(t.columns))
	for i := range values {
		into[i] = &values[i]
	}
	for n := int64(1); rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := b.row(t, values); err != nil {
			return err
		}
		if n%tellEvery == 0 {
			b.tell(t.name, n)
		}
	}
	return rows.Err()
}

// lent is a value that is good until the next row is read: a blob is not copied once more.
type lent struct{ value any }

// Scan is for database/sql.
func (l *lent) Scan(value any) error {
	l.value = value
	return nil
}

// row writes one row, whichever types a driver gives.
func (b *backup) row(t tableShape, values []lent) error {
	row, blobs := make([]any, len(values)), [][]byte(nil)
	for i, v := range values {
		data, isBytes := v.value.([]byte)
		switch {
		case v.value == nil:
		case t.columns[i].kind == kindBlob && isBytes:
			size := int64(len(data))
			row[i], blobs = special{Blob: &size}, append(blobs, data)
		default:
			row[i] = portable(v.value)
		}
	}
	return b.out.row(row, blobs)
}

// portable gives a value that is no blob as both databases can have it.
func portable(value any) any {
	switch v := value.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case string:
		if !utf8.ValidString(v) { // JSON would change it
			text := base64.StdEncoding.EncodeToString([]byte(v))
			return special{Text: &text}
		}
	}
	return value
}

func (b *backup) files(files Files) error {
	b.tell("files", 0)
	names, err := files.List()
	if err != nil {
		return unusable(err)
	}
	for _, name := range names {
		content, err := files.Read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return unusable(err)
		}
		if err := b.out.file(name, content); err != nil {
			return err
		}
	}
	return nil
}

// quoted lists names for SQL. They are those of the migrations.
func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// nextNumber gives the number that the next row of a table gets, which may be greater than what its rows have; 0 for a
// table that does not count.
func (s *Store) nextNumber(ctx context.Context, tx *sql.Tx, t tableShape) (next int64, err error) {
	if t.serial == "" {
		return 0, nil
	}
	if s.dialect.goose != goose.DialectPostgres {
		err = tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0) + 1 FROM sqlite_sequence WHERE name = ?", t.name).Scan(&next)
		return next, err
	}
	var sequence string
	err = tx.QueryRowContext(ctx, "SELECT pg_get_serial_sequence($1, $2)", t.name, t.serial).Scan(&sequence)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT last_value + is_called::int FROM "+sequence).Scan(&next)
	return next, err
}
