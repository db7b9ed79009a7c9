package repository

import (
	"context"
	"encoding/json"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	oneDeployment      = "account = ? AND deployment_id = ?"
	unwantedDeployment = oneDeployment + " AND NOT wanted"
)

// WantDeployment writes the intent to have a deployment, before the platform is asked for it. One of the same release
// version that is there already is given back as it is; CodeConflict when another release version has its id, and when
// it has to go.
// skipper.ErrStale when the operation is not held with the token.
func (s *Store) WantDeployment(
	ctx context.Context, operationID string, token int64, d skipper.Deployment,
) (skipper.Deployment, error) {
	row := newDeploymentRow(d)
	row.Wanted, row.Created, row.Updated = true, micros(s.now()), micros(s.now())
	var kept deploymentRow
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := checkHeld(ctx, tx, operationID, token); err != nil {
			return err
		}
		if err := gorm.G[deploymentRow](tx, clause.OnConflict{DoNothing: true}).Create(ctx, &row); err != nil {
			return err
		}
		var err error
		kept, err = gorm.G[deploymentRow](tx).Where(oneDeployment, d.Account, d.DeploymentID).Take(ctx)
		if err == nil && (kept.ReleaseName != d.ReleaseName || kept.ReleaseVersion != d.ReleaseVersion) {
			return skipper.Errorf(skipper.CodeConflict, "deployment %q on %q belongs to release %q version %d",
				d.DeploymentID, d.Account, kept.ReleaseName, kept.ReleaseVersion)
		} else if err == nil && !kept.Wanted {
			return skipper.Errorf(skipper.CodeConflict, "deployment %q on %q is being removed", d.DeploymentID, d.Account)
		}
		return err
	})
	if err != nil {
		return skipper.Deployment{}, s.fail(err, "want deployment %q", d.DeploymentID)
	}
	return kept.domain(), nil
}

// SaveHandle keeps what a deployer has to remember of a deployment; CodeNotFound, skipper.ErrStale.
func (s *Store) SaveHandle(
	ctx context.Context, operationID string, token int64, account, deploymentID string,
	handle json.RawMessage, specHash string,
) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := checkHeld(ctx, tx, operationID, token); err != nil {
			return err
		}
		found, err := update[deploymentRow](tx, map[string]any{
			"handle": textOf(handle), "spec_hash": specHash, "updated": micros(s.now()),
		}, oneDeployment, account, deploymentID)
		if err == nil && found == 0 {
			return noDeployment(account, deploymentID)
		}
		return err
	})
	return s.fail(err, "keep the handle of deployment %q", deploymentID)
}

func noDeployment(account, deploymentID string) *skipper.Error {
	return skipper.Errorf(skipper.CodeNotFound, "there is no deployment %q on %q", deploymentID, account)
}

// ForgetDeployment drops a deployment of which nothing is left on the platform, and its ports. One that is not there is
// forgotten already. skipper.ErrStale.
func (s *Store) ForgetDeployment(
	ctx context.Context, operationID string, token int64, account, deploymentID string,
) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := checkHeld(ctx, tx, operationID, token); err != nil {
			return err
		}
		return forget(ctx, tx, oneDeployment, account, deploymentID)
	})
	return s.fail(err, "forget deployment %q", deploymentID)
}

// forget drops the deployment that matches, and its ports if it was there.
func forget(ctx context.Context, tx *gorm.DB, where, account, deploymentID string) error {
	found, err := gorm.G[deploymentRow](tx).Where(where, account, deploymentID).Delete(ctx)
	if err != nil || found == 0 {
		return err
	}
	return releasePortsOf(ctx, tx, deploymentID)
}

// Deployment gives one deployment; CodeNotFound.
func (s *Store) Deployment(ctx context.Context, account, deploymentID string) (skipper.Deployment, error) {
	row, err := gorm.G[deploymentRow](s.reader).Where(oneDeployment, account, deploymentID).Take(ctx)
	return row.domain(), s.fail(instead(err, noDeployment(account, deploymentID)), "load deployment %q", deploymentID)
}

// Deployments gives the deployments of an account that have one of the ids, by id.
func (s *Store) Deployments(ctx context.Context, account string, ids []string) ([]skipper.Deployment, error) {
	rows, err := gorm.G[deploymentRow](s.reader).
		Where("account = ? AND deployment_id IN ?", account, ids).Order("deployment_id").Find(ctx)
	return each(rows), s.fail(err, "load deployments")
}

// DeploymentsOf gives what a release version made and is not forgotten yet, the oldest first.
func (s *Store) DeploymentsOf(ctx context.Context, releaseName string, version int) ([]skipper.Deployment, error) {
	rows, err := gorm.G[deploymentRow](s.reader).
		Where("release_name = ? AND release_version = ?", releaseName, version).
		Order("created, deployment_id").Find(ctx)
	return each(rows), s.fail(err, "load the deployments of release %q %d", releaseName, version)
}

// ClaimCompensations gives deployments that have to go, are due, and that no running operation works on; at most limit
// of them, those that wait longest first. They are not due again until a moment: no two callers get the same. Those on
// one of the accounts elsewhere are left to others.
func (s *Store) ClaimCompensations(ctx context.Context, now, until time.Time, limit int, elsewhere []string,
) ([]skipper.Deployment, error) {
	var rows []deploymentRow
	err := s.write(ctx, func(tx *gorm.DB) (err error) {
		open := gorm.G[deploymentRow](tx, skipLocked()).
			Where("NOT wanted AND due <= ?", micros(now)).Where(noRunningOperation)
		if len(elsewhere) > 0 {
			open = open.Where("account NOT IN ?", elsewhere)
		}
		rows, err = open.Order("due, account, deployment_id").Limit(limit).Find(ctx)
		for i := range rows {
			rows[i].Due = micros(until)
			if err == nil {
				_, err = update[deploymentRow](tx, map[string]any{"due": rows[i].Due},
					oneDeployment, rows[i].Account, rows[i].DeploymentID)
			}
		}
		return err
	})
	if err != nil {
		return nil, s.fail(err, "claim compensations")
	}
	return each(rows), nil
}

// DeferCompensation notes that a deployment could not be removed, and when to try again.
func (s *Store) DeferCompensation(
	ctx context.Context, account, deploymentID string, due time.Time, attempt int, lastError string,
) error {
	err := ignore(update[deploymentRow](s.writer.WithContext(ctx), map[string]any{
		"due": micros(due), "attempt": attempt, "last_error": lastError, "updated": micros(s.now()),
	}, unwantedDeployment, account, deploymentID))
	return s.fail(err, "defer the removal of deployment %q", deploymentID)
}

// EndCompensation drops a deployment that had to go and is gone, and its ports. One that is wanted stays.
func (s *Store) EndCompensation(ctx context.Context, account, deploymentID string) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		return forget(ctx, tx, unwantedDeployment, account, deploymentID)
	})
	return s.fail(err, "end the removal of deployment %q", deploymentID)
}
