package repository

import (
	"context"
	"embed"
	"io/fs"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// migrations has the schema of each dialect. They are only ever added to, with the same numbers in both folders.
//
//go:embed migrations
var migrations embed.FS

// migrate brings the schema to the newest version. A newer one than this program knows is refused, because an older
// program would not keep what the newer one promised.
func (s *Store) migrate(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return s.fail(err, "read the migrations")
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return s.fail(err, "read the version of the schema")
	}
	if current > target {
		return skipper.Errorf(skipper.CodeConflict,
			"the database has schema version %d and this skiff knows %d at most; use the newer skiff", current, target)
	}
	_, err = provider.Up(ctx)
	return s.fail(err, "migrate the database")
}

func (s *Store) migrator() (*goose.Provider, error) {
	folder := "migrations/sqlite"
	if s.dialect.goose == goose.DialectPostgres {
		folder = "migrations/postgres"
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	options, err := s.dialect.options()
	if err != nil {
		return nil, err
	}
	pool, err := s.writer.DB()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.dialect.goose, pool, files,
		append(options, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))...)
}

type installationRow struct {
	Singleton int `gorm:"primaryKey;autoIncrement:false"`
	ID        string
	Created   int64
}

// TableName is for gorm.
func (installationRow) TableName() string { return "installation" }

// install gives the store its id, once and for ever.
func (s *Store) install(ctx context.Context) error {
	if _, err := s.Installation(ctx); skipper.CodeOf(err) != skipper.CodeNotFound {
		return err
	}
	row := installationRow{Singleton: 1, ID: uuid.NewString(), Created: micros(s.now())}
	err := gorm.G[installationRow](s.writer, clause.OnConflict{DoNothing: true}).Create(ctx, &row)
	return s.fail(err, "name the installation")
}

// Installation gives the id of this installation, a UUID made when the store was first migrated.
func (s *Store) Installation(ctx context.Context) (string, error) {
	row, err := gorm.G[installationRow](s.reader).Take(ctx)
	return row.ID, s.fail(err, "load the id of the installation")
}
