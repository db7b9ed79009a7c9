package repository

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Compensations gives deployments that have to go and that no running operation works on, at most limit of them, by
// account and id.
func (s *Store) Compensations(ctx context.Context, limit int) ([]skipper.Deployment, error) {
	rows, err := gorm.G[deploymentRow](s.reader).Where("NOT wanted").Where(noRunningOperation).
		Order("account, deployment_id").Limit(limit).Find(ctx)
	return each(rows), s.fail(err, "load open compensations")
}

// CompensateOrphan writes down that a deployment which was found on its platform has to go: an open compensation, due
// now. CodeConflict when it is known by now, CodeBusy while an operation runs on its release, which may be about to
// take it over.
func (s *Store) CompensateOrphan(ctx context.Context, d skipper.Deployment) error {
	d.Wanted, d.Due = false, s.now()
	err := s.write(ctx, func(tx *gorm.DB) error { return s.insertOrphan(ctx, tx, d) })
	return s.fail(err, "remove orphan %q", d.DeploymentID)
}

// AdoptOrphan makes a deployment which was found on its platform one of a release version, and writes down all
// applications of that version as they are from now on. CodeConflict when the deployment is known by now, CodeBusy while
// an operation runs on the release, and CodeConflict wrapping skipper.ErrChanged when the version is not the deployed
// one any more, or was changed since it was read.
func (s *Store) AdoptOrphan(ctx context.Context, d skipper.Deployment, rel skipper.Release) error {
	d.Wanted = true
	err := s.write(ctx, func(tx *gorm.DB) error {
		row, err := gorm.G[releaseRow](tx, forUpdate()).Where("name = ? AND status <> ?", rel.Name, skipper.StatusFailed).
			Order("version DESC").Take(ctx)
		if err != nil {
			return instead(err, skipper.ReleaseNotFound(rel.Name, 0))
		}
		if row.ID != rel.ID || row.ObjectVersion != rel.ObjectVersion || row.Status != skipper.StatusDeployed {
			return skipper.Errorf(skipper.CodeConflict, "release %q version %d: %w", rel.Name, rel.Version, skipper.ErrChanged)
		}
		if err := s.insertOrphan(ctx, tx, d); err != nil {
			return err
		}
		return changeRelease(ctx, tx, skipper.ReleaseChange{Name: rel.Name, Version: rel.Version, Apps: rel.Apps})
	})
	return s.fail(err, "adopt orphan %q", d.DeploymentID)
}

func (s *Store) insertOrphan(ctx context.Context, tx *gorm.DB, d skipper.Deployment) error {
	running, err := gorm.G[operationRow](tx).Select("id").
		Where("release_name = ? AND outcome = 'running'", d.ReleaseName).Find(ctx)
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return &skipper.Error{
			Code: skipper.CodeBusy, OperationID: running[0].ID,
			Message: "an operation runs on release " + d.ReleaseName + "; try again after its end",
		}
	}
	row := newDeploymentRow(d)
	row.Handle, row.Created, row.Updated = nil, micros(s.now()), micros(s.now())
	done := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if done.Error == nil && done.RowsAffected == 0 {
		return skipper.Errorf(skipper.CodeConflict, "deployment %q on %q is none any more", d.DeploymentID, d.Account)
	}
	return done.Error
}
