package repository

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	modernc "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// sqliteReaders is the size of the reader pool; WAL lets them read beside the one writer.
const sqliteReaders = 4

func sqliteDialect() dialect {
	return dialect{
		goose:     goose.DialectSQLite3,
		single:    true,
		serialize: func(*gorm.DB, string) error { return nil }, // there is one writer
		contains:  "instr(lower(name), lower(?)) > 0",
		code:      sqliteCode,
		options:   func() ([]goose.ProviderOption, error) { return nil, nil },
	}
}

// openSQLite opens skiff.db in the folder of the configuration, which no other server may use at the same time.
func openSQLite(config Config) (*Store, error) {
	s := &Store{dialect: sqliteDialect(), clock: config.Clock}
	file, err := sqliteFile(config.Dir)
	if err != nil {
		return nil, unusable(err)
	}
	if s.unlock, err = lockFolder(filepath.Dir(file)); err != nil {
		return nil, err
	}
	// One writer: with more of them SQLite's unfair waiting makes the slowest writes a hundred times slower.
	// Immediate transactions: a reading one that turns to writing fails when another wrote meanwhile.
	if s.writer, err = openSQLitePool(config, file, "_txlock=immediate", 1); err != nil {
		return nil, errors.Join(s.fail(err, "open %s", file), s.unlock())
	}
	if s.reader, err = openSQLitePool(config, file, "_pragma=query_only(1)", sqliteReaders); err != nil {
		return nil, errors.Join(s.fail(err, "open %s", file), closePool(s.writer), s.unlock())
	}
	return s, nil
}

// sqliteFile makes the folder and the file for their owner alone, because configuration values may hold secrets.
func sqliteFile(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name := filepath.Join(dir, "skiff.db")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	return name, file.Close()
}

func openSQLitePool(config Config, file, option string, connections int) (*gorm.DB, error) {
	pool, err := sql.Open("sqlite", sqliteDSN(file, option))
	if err != nil {
		return nil, err
	}
	size(pool, connections)
	db, err := openGorm(sqliteDialector{&sqlite.Dialector{DriverName: "sqlite", Conn: pool}}, config.Logger)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return db, nil
}

// sqliteDSN has the pragmas, which hold per connection. synchronous FULL: what was committed survives a power cut.
func sqliteDSN(file, option string) string {
	dsn := url.URL{
		Scheme: "file", OmitHost: true, Path: file,
		RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
			"&_pragma=foreign_keys(1)&_time_format=sqlite&" + option,
	}
	return dsn.String()
}

// sqliteDialector is gorm's dialector, which knows the errors of another driver only.
type sqliteDialector struct{ *sqlite.Dialector }

// Translate gives gorm's error for a violated constraint.
func (sqliteDialector) Translate(err error) error {
	e, ok := errors.AsType[*modernc.Error](err)
	if !ok {
		return err
	}
	switch e.Code() {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return gorm.ErrDuplicatedKey
	case codes.SQLITE_CONSTRAINT_FOREIGNKEY:
		return gorm.ErrForeignKeyViolated
	case codes.SQLITE_CONSTRAINT_CHECK:
		return gorm.ErrCheckConstraintViolated
	}
	return err
}

func sqliteCode(err error) (skipper.Code, string) {
	e, ok := errors.AsType[*modernc.Error](err)
	if !ok {
		return "", ""
	}
	switch e.Code() & 0xff { // the primary code
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return skipper.CodeUnavailable, "the database is locked; try again"
	case codes.SQLITE_FULL:
		return skipper.CodeUnavailable, "the disk of the data directory is full"
	case codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM:
		return skipper.CodeUnavailable, "the data directory cannot be written or read"
	case codes.SQLITE_NOTADB, codes.SQLITE_CORRUPT:
		return skipper.CodeInvalid, "skiff.db is damaged or no database; restore it from a backup"
	case codes.SQLITE_TOOBIG:
		return skipper.CodeTooLarge, "it is too large"
	}
	return "", ""
}
