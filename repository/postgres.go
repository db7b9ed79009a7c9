package repository

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	postgresConnections = 16
	postgresIdle        = 5 * time.Minute
)

func postgresDialect() dialect {
	return dialect{
		goose:     goose.DialectPostgres,
		serialize: serializePostgres,
		contains:  "strpos(lower(name), lower(?)) > 0",
		code:      postgresCode,
		options:   postgresMigrationLock,
	}
}

// postgresMigrationLock lets one of several starting servers migrate and the others wait for it, for five minutes.
func postgresMigrationLock() ([]goose.ProviderOption, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return []goose.ProviderOption{goose.WithSessionLocker(locker)}, nil
}

func serializePostgres(tx *gorm.DB, name string) error {
	return tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name).Error
}

// openPostgres prepares a pool; nothing is connected yet.
func openPostgres(config Config) (*Store, error) {
	parsed, err := pgx.ParseConfig(config.URL)
	if err != nil || !strings.HasPrefix(config.URL, "postgres://") && !strings.HasPrefix(config.URL, "postgresql://") {
		// pgx's error repeats the URL, and with it perhaps the password
		return nil, skipper.Errorf(skipper.CodeInvalid,
			"database.url must look like postgres://user:password@host:5432/name; leave it empty for SQLite")
	}
	s := &Store{dialect: postgresDialect(), clock: config.Clock, unlock: func() error { return nil }}
	pool := stdlib.OpenDB(*parsed)
	size(pool, postgresConnections)
	pool.SetConnMaxIdleTime(postgresIdle)
	s.writer, err = openGorm(postgres.New(postgres.Config{Conn: pool}), config.Logger)
	if err != nil {
		return nil, errors.Join(s.fail(err, "open the database"), pool.Close())
	}
	s.reader = s.writer
	return s, nil
}

func postgresCode(err error) (skipper.Code, string) {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return sqlState(e.Code)
	}
	if lostConnection(err) {
		return skipper.CodeUnavailable, "the database cannot be reached now; try again"
	}
	return "", ""
}

// sqlState reads PostgreSQL's error codes: two letters of class, three of what it is.
func sqlState(state string) (skipper.Code, string) {
	switch {
	case state == "40001", state == "40P01", state == "55P03":
		return skipper.CodeUnavailable, "the database is locked; try again"
	case state == "22021":
		return skipper.CodeInvalid, "it has a text that is not UTF-8 or has a zero character"
	case state == "54000":
		return skipper.CodeTooLarge, "it has a name that is too long"
	case state == "25006", state == "55000", state == "3D000", strings.HasPrefix(state, "08"),
		strings.HasPrefix(state, "28"), strings.HasPrefix(state, "53"), strings.HasPrefix(state, "57P"):
		return skipper.CodeUnavailable, "the database does not serve us now"
	}
	return "", ""
}

func lostConnection(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}
