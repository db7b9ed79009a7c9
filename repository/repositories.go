package repository

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// EnsureRepository adds a package repository when none has its name, and says whether it did; else it gives the one
// that is there, untouched.
func (s *Store) EnsureRepository(ctx context.Context, r skipper.Repository) (skipper.Repository, bool, error) {
	row := newRepositoryRow(r)
	row.ID = 0
	insert := clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoNothing: true}
	done := s.writer.WithContext(ctx).Clauses(insert).Create(&row)
	if done.Error != nil {
		return skipper.Repository{}, false, s.fail(done.Error, "add package repository %q", r.Name)
	}
	kept, err := s.repositoryNamed(ctx, s.writer, r.Name)
	return kept, done.RowsAffected == 1, err
}

// Repositories lists package repositories, by id unless sorted.
func (s *Store) Repositories(
	ctx context.Context, request skipper.PageRequest,
) (skipper.Page[skipper.Repository], error) {
	page, err := list(ctx, gorm.G[repositoryRow](s.reader).Scopes(), request, repositoryColumns(), "id")
	return page, s.fail(err, "list package repositories")
}

// Repository gives the package repository of an id; CodeNotFound.
func (s *Store) Repository(ctx context.Context, id int64) (skipper.Repository, error) {
	row, err := gorm.G[repositoryRow](s.reader).Where("id = ?", id).Take(ctx)
	missing := skipper.Errorf(skipper.CodeNotFound, "there is no package repository with id %d", id)
	return row.domain(), s.fail(instead(err, missing), "load package repository %d", id)
}

// RepositoryByName gives the package repository of a name; CodeNotFound.
func (s *Store) RepositoryByName(ctx context.Context, name string) (skipper.Repository, error) {
	return s.repositoryNamed(ctx, s.reader, name)
}

func (s *Store) repositoryNamed(ctx context.Context, db *gorm.DB, name string) (skipper.Repository, error) {
	row, err := gorm.G[repositoryRow](db).Where("name = ?", name).Take(ctx)
	missing := skipper.Errorf(skipper.CodeNotFound, "there is no package repository named %q", name)
	return row.domain(), s.fail(instead(err, missing), "load package repository %q", name)
}
