package repository

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// kind is what a column holds, in both dialects.
type kind string

const (
	kindInteger kind = "INTEGER" // PostgreSQL also keeps true and false, as 1 and 0
	kindText    kind = "TEXT"
	kindBlob    kind = "BLOB"
)

// tableShape is a table as the migrations make it.
type tableShape struct {
	name    string
	columns []columnShape
	serial  string // the column whose numbers are never given twice; empty: none
	parents []string
}

type columnShape struct {
	name string
	kind kind
}

func (t tableShape) names() []string {
	names := make([]string, 0, len(t.columns))
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return names
}

// newestSchema is the number of the last migration.
func newestSchema() (int64, error) {
	memory, err := openMemory()
	if err != nil {
		return 0, err
	}
	defer func() { _ = closePool(memory.writer) }() // nothing is kept in it
	provider, err := memory.migrator()
	if err != nil {
		return 0, err
	}
	sources := provider.ListSources()
	return sources[len(sources)-1].Version, nil
}

// shapeOf gives the tables of a schema version, those first that others refer to. It runs the migrations in memory, so
// that whatever a later one adds is known here, and nothing that others keep in the same database is.
func shapeOf(ctx context.Context, version int64) (tables []tableShape, err error) {
	memory, err := openMemory()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closePool(memory.writer)) }()
	provider, err := memory.migrator()
	if err != nil {
		return nil, err
	}
	if _, err := provider.UpTo(ctx, version); err != nil {
		return nil, err
	}
	return readShape(memory.writer.WithContext(ctx))
}

func openMemory() (*Store, error) {
	db, err := openSQLitePool(Config{Logger: slog.New(slog.DiscardHandler)}, ":memory:", "", 1)
	if err != nil {
		return nil, err
	}
	return &Store{dialect: sqliteDialect(), writer: db, reader: db}, nil
}

func readShape(db *gorm.DB) ([]tableShape, error) {
	var found []struct{ Name, SQL string }
	if err := db.Raw(`SELECT name, sql FROM sqlite_schema
		WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'goose\_%' ESCAPE '\'
		ORDER BY name`).Scan(&found).Error; err != nil {
		return nil, err
	}
	var tables []tableShape
	for _, f := range found {
		t := tableShape{name: f.Name}
		var columns []struct {
			Name, Type string
			Pk         int
		}
		if err := db.Raw("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", t.name).
			Scan(&columns).Error; err != nil {
			return nil, err
		}
		for _, c := range columns {
			t.columns = append(t.columns, columnShape{name: c.Name, kind: kind(c.Type)})
			if c.Pk > 0 && strings.Contains(f.SQL, "AUTOINCREMENT") {
				t.serial = c.Name
			}
		}
		if err := db.Raw(`SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, t.name).
			Scan(&t.parents).Error; err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return parentsFirst(tables)
}

// parentsFirst orders tables so that each comes after those that it refers to.
func parentsFirst(tables []tableShape) ([]tableShape, error) {
	var out []tableShape
	placed := map[string]bool{}
	for len(out) < len(tables) {
		before := len(out)
		for _, t := range tables {
			open := slices.ContainsFunc(t.parents, func(p string) bool { return !placed[p] && p != t.name })
			if !placed[t.name] && !open {
				placed[t.name] = true
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, skipper.Errorf(skipper.CodeInternal, "the tables refer to each other in a circle")
		}
	}
	return out, nil
}
