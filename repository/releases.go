package repository

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Release gives one version of a release; CodeReleaseNotFound.
func (s *Store) Release(ctx context.Context, name string, version int) (skipper.Release, error) {
	row, err := gorm.G[releaseRow](s.reader).Where("name = ? AND version = ?", name, version).Take(ctx)
	missing := skipper.ReleaseNotFound(name, version)
	return row.domain(), s.fail(instead(err, missing), "load release %q %d", name, version)
}

// ReleaseByID gives the release version of an id; CodeNotFound.
func (s *Store) ReleaseByID(ctx context.Context, id int64) (skipper.Release, error) {
	row, err := gorm.G[releaseRow](s.reader).Where("id = ?", id).Take(ctx)
	missing := skipper.Errorf(skipper.CodeNotFound, "there is no release with id %d", id)
	return row.domain(), s.fail(instead(err, missing), "load release %d", id)
}

// LatestRelease gives the newest version that has one of the status codes, or any when none is given;
// CodeReleaseNotFound.
func (s *Store) LatestRelease(ctx context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error) {
	// An index answers the inner query alone, however many versions there are.
	newest := gorm.G[releaseRow](s.reader).Select("MAX(version)").Where("name = ?", name)
	if len(among) > 0 {
		newest = newest.Where("status IN ?", among)
	}
	row, err := gorm.G[releaseRow](s.reader).Where("name = ? AND version = (?)", name, newest).Take(ctx)
	return row.domain(), s.fail(instead(err, skipper.ReleaseNotFound(name, 0)), "load release %q", name)
}

// ReleasesNamed gives the newest version of each release that is there, by name.
func (s *Store) ReleasesNamed(ctx context.Context, names []string) ([]skipper.Release, error) {
	rows, err := gorm.G[releaseRow](s.reader).Where(`id IN (SELECT r.id FROM
		(SELECT name, MAX(version) AS version FROM releases WHERE name IN ? GROUP BY name) newest
		JOIN releases r ON r.name = newest.name AND r.version = newest.version)`, names).Order("name").Find(ctx)
	return each(rows), s.fail(err, "load releases")
}

// ReleasesContaining gives the release versions with a part in their name, whatever the case, that have one of the
// status codes, or any when none is given; by id.
func (s *Store) ReleasesContaining(
	ctx context.Context, part string, among ...skipper.StatusCode,
) ([]skipper.Release, error) {
	found := gorm.G[releaseRow](s.reader).Where(s.dialect.contains, part)
	if len(among) > 0 {
		found = found.Where("status IN ?", among)
	}
	rows, err := found.Order("id").Find(ctx)
	return each(rows), s.fail(err, "search releases for %q", part)
}

// ReleaseHistory gives the release versions with a part in their name, whatever the case: by name, the newest first.
func (s *Store) ReleaseHistory(ctx context.Context, part string) ([]skipper.Release, error) {
	rows, err := gorm.G[releaseRow](s.reader).Where(s.dialect.contains, part).Order("name, version DESC").Find(ctx)
	return each(rows), s.fail(err, "load the history of releases with %q", part)
}

// Releases lists release versions, by id unless sorted.
func (s *Store) Releases(ctx context.Context, request skipper.PageRequest) (skipper.Page[skipper.Release], error) {
	page, err := list(ctx, gorm.G[releaseRow](s.reader).Scopes(), request, releaseColumns(), "id")
	return page, s.fail(err, "list releases")
}

// ReleaseNames lists the names of all releases, in their order; sorting otherwise is not possible.
func (s *Store) ReleaseNames(ctx context.Context, request skipper.PageRequest) (skipper.Page[string], error) {
	page := skipper.Page[string]{Items: []string{}}
	db := s.reader.WithContext(ctx)
	err := db.Raw("SELECT COUNT(DISTINCT name) FROM releases").Scan(&page.Total).Error
	if err == nil && request.Page*request.Size < page.Total {
		err = db.Raw("SELECT DISTINCT name FROM releases ORDER BY name LIMIT ? OFFSET ?",
			request.Size, request.Page*request.Size).Scan(&page.Items).Error
	}
	return page, s.fail(err, "list the names of releases")
}

// NextVersion gives the version after all that a release ever had and that left a trace: a row, or a deployment that
// could not be removed yet and whose id must not be used again. A failed install leaves neither; its version comes again,
// as in Skipper, if it was leased once only: else a server that was frozen in the middle of a platform call may still
// do something to deployments with these ids.
func (s *Store) NextVersion(ctx context.Context, name string) (int, error) {
	var highest int
	err := s.reader.WithContext(ctx).Raw(`SELECT COALESCE(MAX(version), 0) FROM (
		SELECT MAX(version) AS version FROM releases WHERE name = ?
		UNION ALL SELECT MAX(release_version) FROM deployments WHERE release_name = ?
		UNION ALL SELECT MAX(target_version) FROM operations WHERE release_name = ?
			AND token > 1 AND kind IN ('install', 'rollback') AND outcome IN ('failed', 'cancelled')) AS versions`,
		name, name, name).
		Scan(&highest).Error
	return highest + 1, s.fail(err, "number release %q", name)
}

// ReleasesToPoll gives release versions whose platform may be asked for their status: DEPLOYED or FAILED, last deployed
// since a moment, with an id above another; at most limit of them, by id.
func (s *Store) ReleasesToPoll(
	ctx context.Context, deployedSince time.Time, limit int, afterID int64,
) ([]skipper.Release, error) {
	rows, err := gorm.G[releaseRow](s.reader).
		Where("status IN ?", []skipper.StatusCode{skipper.StatusDeployed, skipper.StatusFailed}).
		Where("last_deployed >= ? AND id > ?", micros(deployedSince), afterID).
		Order("id").Limit(limit).Find(ctx)
	return each(rows), s.fail(err, "load releases to poll")
}

// SetPlatformStatus keeps what the platform said of a release version, unless that is DELETED or gone by now. It is an
// observation and no change: the object version stays.
func (s *Store) SetPlatformStatus(ctx context.Context, releaseID int64, platformStatus string) error {
	err := ignore(update[releaseRow](s.writer.WithContext(ctx), map[string]any{"platform_status": platformStatus},
		"id = ? AND status <> ?", releaseID, skipper.StatusDeleted))
	return s.fail(err, "keep the platform status of release %d", releaseID)
}
