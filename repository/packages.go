package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// AddPackage adds a package with its file; without one (nil) when it is fetched later. CodeConflict when its repository
// has that name and version already, CodeNotFound when there is no such repository.
func (s *Store) AddPackage(
	ctx context.Context, p skipper.PackageMetadata, zip []byte,
) (skipper.PackageMetadata, error) {
	if p.RepositoryID == nil {
		return p, skipper.Errorf(skipper.CodeInvalid, "package %q %s names no package repository", p.Name, p.Version)
	}
	row := newPackageRow(p)
	row.ID = 0
	err := s.write(ctx, func(tx *gorm.DB) error {
		done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if done.Error == nil && done.RowsAffected == 0 {
			return skipper.Errorf(skipper.CodeConflict, "package %q %s is in its repository already", p.Name, p.Version)
		}
		if done.Error != nil || zip == nil {
			return done.Error
		}
		return attach(tx, row.ID, zip)
	})
	return row.domain(), s.fail(err, "add package %q %s", p.Name, p.Version)
}

// Packages lists packages, by id unless sorted.
func (s *Store) Packages(
	ctx context.Context, request skipper.PageRequest,
) (skipper.Page[skipper.PackageMetadata], error) {
	page, err := list(ctx, gorm.G[packageRow](s.reader).Scopes(), request, packageColumns(), "id")
	return page, s.fail(err, "list packages")
}

// Package gives the package of an id; CodeNotFound.
func (s *Store) Package(ctx context.Context, id int64) (skipper.PackageMetadata, error) {
	row, err := gorm.G[packageRow](s.reader).Where("id = ?", id).Take(ctx)
	return row.domain(), s.fail(instead(err, noPackage(id)), "load package %d", id)
}

func noPackage(id int64) *skipper.Error {
	return skipper.Errorf(skipper.CodeNotFound, "there is no package with id %d", id)
}

// PackagesNamed gives all versions of a name, by id.
func (s *Store) PackagesNamed(ctx context.Context, name string) ([]skipper.PackageMetadata, error) {
	rows, err := gorm.G[packageRow](s.reader).Where("name = ?", name).Order("id").Find(ctx)
	return each(rows), s.fail(err, "load packages %q", name)
}

// PackagesContaining gives the packages with a part in their name, whatever the case, by id.
func (s *Store) PackagesContaining(ctx context.Context, part string) ([]skipper.PackageMetadata, error) {
	rows, err := gorm.G[packageRow](s.reader).Where(s.dialect.contains, part).Order("id").Find(ctx)
	return each(rows), s.fail(err, "search packages for %q", part)
}

// PackageFile gives the zip of a package; CodeNotFound when there is no such package or no zip of it.
func (s *Store) PackageFile(ctx context.Context, id int64) ([]byte, error) {
	row, err := gorm.G[blobRow](s.reader).
		Where("digest = (SELECT blob_digest FROM packages WHERE id = ?)", id).Take(ctx)
	missing := skipper.Errorf(skipper.CodeNotFound, "no file is kept of the package with id %d", id)
	return row.Data, s.fail(instead(err, missing), "load the file of package %d", id)
}

// PublishedPackages gives the packages of local repositories that have a file, by name and id. Their SHA256 is that of
// the file, whatever they say of themselves.
func (s *Store) PublishedPackages(ctx context.Context) ([]skipper.PackageMetadata, error) {
	rows, err := gorm.G[packageRow](s.reader).Where("blob_digest IS NOT NULL").
		Where("repository_id IN (SELECT id FROM repositories WHERE local = ?)", true).Order("name, id").Find(ctx)
	for i := range rows {
		rows[i].SHA256 = rows[i].BlobDigest
	}
	return each(rows), s.fail(err, "list published packages")
}

// SetPackageFile keeps a zip for a package, instead of one it may have; CodeNotFound.
func (s *Store) SetPackageFile(ctx context.Context, id int64, zip []byte) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		row, err := gorm.G[packageRow](tx, forUpdate()).Where("id = ?", id).Take(ctx)
		if err != nil {
			return instead(err, noPackage(id))
		}
		if err := attach(tx, id, zip); err != nil {
			return err
		}
		return dropBlobs(ctx, tx, []packageRow{row})
	})
	return s.fail(err, "keep the file of package %d", id)
}

// attach keeps a zip once, however many packages have it. Its row is locked even when it is there already, so that
// nobody takes it for unused. The package row is locked before: all who lock both do it in that order.
func attach(tx *gorm.DB, id int64, zip []byte) error {
	digest := sha256.Sum256(zip)
	blob := blobRow{Digest: hex.EncodeToString(digest[:]), Data: zip}
	if blob.Data == nil {
		blob.Data = []byte{}
	}
	lockPresent := clause.OnConflict{
		Columns: []clause.Column{{Name: "digest"}}, DoUpdates: clause.AssignmentColumns([]string{"digest"}),
	}
	if err := tx.Clauses(lockPresent).Create(&blob).Error; err != nil {
		return err
	}
	return ignore(update[packageRow](tx, map[string]any{"blob_digest": blob.Digest}, "id = ?", id))
}

// DeletePackages deletes all packages of a name with their files, if check allows it. check is told of all of them,
// and of the releases made from each: for each release name the newest version that is not FAILED. Nothing of that can
// change before the deletion. check must not call the store; its error is given back as it is, and then nothing is
// deleted.
func (s *Store) DeletePackages(
	ctx context.Context, name string, check func(packages []skipper.PackageMetadata, uses []skipper.PackageUse) error,
) error {
	var refused error
	err := s.write(ctx, func(tx *gorm.DB) error {
		packages, err := gorm.G[packageRow](tx, forUpdate()).Where("name = ?", name).Order("id").Find(ctx)
		if err != nil {
			return err
		}
		uses, err := usesOf(ctx, tx, packages)
		if err != nil {
			return err
		}
		if refused = check(each(packages), uses); refused != nil {
			return refused
		}
		if _, err := gorm.G[packageRow](tx).Where("name = ?", name).Delete(ctx); err != nil {
			return err
		}
		return dropBlobs(ctx, tx, packages)
	})
	if refused != nil {
		return refused
	}
	return s.fail(err, "delete packages %q", name)
}

func usesOf(ctx context.Context, tx *gorm.DB, packages []packageRow) ([]skipper.PackageUse, error) {
	ids := make([]int64, 0, len(packages))
	for _, p := range packages {
		ids = append(ids, p.ID)
	}
	rows, err := gorm.G[useRow](tx).Where("package_id IN ?", ids).Where(`(package_id, name, version) IN (
		SELECT package_id, name, MAX(version) FROM releases WHERE package_id IN ? AND status <> 'FAILED'
		GROUP BY package_id, name)`, ids).Order("package_id, name").Find(ctx)
	return each(rows), err
}

// dropBlobs deletes the files of packages that no package has any more. They are locked first and judged by a statement
// of its own, which sees what others committed while it waited for the lock.
func dropBlobs(ctx context.Context, tx *gorm.DB, packages []packageRow) error {
	var digests []string
	for _, p := range packages {
		if p.BlobDigest != nil {
			digests = append(digests, *p.BlobDigest)
		}
	}
	slices.Sort(digests)
	locked, err := gorm.G[blobRow](tx, forUpdate()).Select("digest").
		Where("digest IN ?", digests).Order("digest").Find(ctx)
	if err != nil || len(locked) == 0 {
		return err
	}
	return ignore(gorm.G[blobRow](tx).Where("digest IN ?", digests).
		Where("NOT EXISTS (SELECT 1 FROM packages WHERE packages.blob_digest = blobs.digest)").Delete(ctx))
}
