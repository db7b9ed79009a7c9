// Package repository keeps what skiff must not forget: package repositories, packages, releases, operations,
// deployments and ports. By default it is an SQLite file, else a PostgreSQL database; both keep the same promises,
// which repositorytest states as tests.
//
// It knows the domain (pkg/skipper) and SQL, and nothing of rendering, platforms or HTTP. Rows are private; what goes
// in and comes out are types of the domain. Times are kept to the microsecond, in UTC.
//
//	store, err := repository.Open(ctx, repository.Config{Dir: "skiff-data", Clock: time.Now, Logger: slog.Default()})
//	defer store.Close()
//	latest, err := store.LatestRelease(ctx, "log", skipper.StatusDeployed)
//
// Errors are *skipper.Error: what is not there is CodeNotFound (CodeReleaseNotFound for releases), a duplicate is
// CodeConflict, a database that cannot be reached or is locked is CodeUnavailable, and a write with an old fencing
// token wraps skipper.ErrStale. Errors of gorm and of drivers stay inside.
//
// All methods may be called at the same time, also by several servers on one PostgreSQL.
package repository

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Config says where the store is.
type Config struct {
	URL    string           // postgres://…; empty: SQLite
	Dir    string           // SQLite: the folder of skiff.db, made when it is not there
	Clock  func() time.Time // required
	Logger *slog.Logger     // required; hears of slow and failing queries, without their values
}

// Store is a migrated database.
type Store struct {
	dialect dialect
	writer  *gorm.DB // SQLite: one connection; PostgreSQL: the same pool as reader
	reader  *gorm.DB
	clock   func() time.Time
	closed  atomic.Bool
	unlock  func() error // lets another server have the SQLite folder
}

// dialect is all in which the two databases differ.
type dialect struct {
	goose    goose.Dialect
	single   bool                                   // no other server can have the database open
	contains string                                 // condition: the name has a part, whatever the case
	code     func(error) (skipper.Code, string)     // what a driver's error means; an empty code when it says nothing
	options  func() ([]goose.ProviderOption, error) // of migrations
	// serialize lets one transaction at a time pass that names the same thing; the others wait for its end
	serialize func(tx *gorm.DB, name string) error
}

// slowQuery is how long a query may take before the log hears of it.
const slowQuery = 200 * time.Millisecond

// Open opens the store, makes it when it is not there, and migrates it. CodeInvalid for a URL that is none,
// CodeConflict when another server has the SQLite folder or a newer skiff migrated the database, CodeUnavailable when
// it cannot be reached.
func Open(ctx context.Context, config Config) (*Store, error) {
	open := openSQLite
	if config.URL != "" {
		open = openPostgres
	}
	s, err := open(config)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.install(ctx)
}

// Close lets go of the database. Calls that come later get CodeUnavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := errors.Join(closePool(s.reader), closePool(s.writer), s.unlock())
	return s.fail(err, "close the store")
}

func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	pool, err := s.writer.DB()
	if err == nil {
		err = pool.PingContext(ctx)
	}
	return s.fail(err, "reach the database")
}

// SingleServer says that no other server can be alive on this store, so that old leases may be freed at once.
func (s *Store) SingleServer() bool { return s.dialect.single }

func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// write runs fn in one transaction: all of it is kept, or nothing.
func (s *Store) write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return s.writer.WithContext(ctx).Transaction(fn)
}

// openGorm puts gorm on a pool, with none of the things it does behind one's back.
func openGorm(dialector gorm.Dialector, log *slog.Logger) (*gorm.DB, error) {
	return gorm.Open(dialector, &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		DisableAutomaticPing:   true,
		Logger: queryLog{logger.NewSlogLogger(log, logger.Config{
			SlowThreshold:             slowQuery,
			LogLevel:                  logger.Warn,
			ParameterizedQueries:      true,
			IgnoreRecordNotFoundError: true,
		})},
	})
}

// queryLog hears of failing queries, not of those that were given up because nobody waits for them any more.
type queryLog struct{ logger.Interface }

// Trace is called after each query.
func (q queryLog) Trace(ctx context.Context, begin time.Time, query func() (string, int64), err error) {
	if !errors.Is(err, context.Canceled) {
		q.Interface.Trace(ctx, begin, query, err)
	}
}

// ParamsFilter keeps values out of the log; gorm asks for it on the logger itself.
func (q queryLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	const most = 1000 // of a query with a long list, the beginning tells enough
	if len(sql) > most {
		sql = sql[:most] + " …"
	}
	return sql, nil
}

// size bounds a pool. Idle connections are kept: to make one costs more than to have it.
func size(pool *sql.DB, connections int) {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
}
