package repository

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// keptRenewals is how many ended renewals of a release are kept beside the newest one: they come as often as a platform
// wants, for ever.
const keptRenewals = 20

// retire marks deployments as replaced: not wanted, and left alone until they have ended or their moment has come. They
// are looked at now.
func (s *Store) retire(tx *gorm.DB, account string, retirements []skipper.Retirement) error {
	now := micros(s.now())
	for _, r := range retirements {
		if err := ignore(update[deploymentRow](tx, map[string]any{
			"wanted": false, "retire_until": micros(r.Until), "due": now, "attempt": 0, "last_error": "", "updated": now,
		}, oneDeployment, account, r.DeploymentID)); err != nil {
			return err
		}
	}
	return nil
}

// care says of wanted deployments when they are due next.
func (s *Store) care(tx *gorm.DB, account string, all []skipper.Care) error {
	for _, c := range all {
		if err := ignore(update[deploymentRow](tx, map[string]any{
			"due": micros(c.Due), "attempt": c.Attempt, "last_error": c.LastError, "updated": micros(s.now()),
		}, oneDeployment+" AND wanted", account, c.DeploymentID)); err != nil {
			return err
		}
	}
	return nil
}

// DeploymentsOfRelease gives what all versions of a release made and is not forgotten yet, the oldest first.
func (s *Store) DeploymentsOfRelease(ctx context.Context, releaseName string) ([]skipper.Deployment, error) {
	rows, err := gorm.G[deploymentRow](s.reader).Where("release_name = ?", releaseName).
		Order("release_version, created, deployment_id").Find(ctx)
	return each(rows), s.fail(err, "load the deployments of release %q", releaseName)
}

// UpkeepDue gives deployed releases of some accounts of which a wanted deployment is due, and on which no operation runs
// or waits; at most limit of them, those that wait longest first.
func (s *Store) UpkeepDue(ctx context.Context, now time.Time, accounts []string, limit int) ([]skipper.Upkeep, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	var due []skipper.Upkeep
	err := s.reader.WithContext(ctx).Raw(`SELECT releases.name AS release_name, releases.version AS version,
			MIN(deployments.account) AS account
		FROM deployments JOIN releases ON releases.name = deployments.release_name AND releases.status = ?
		WHERE deployments.wanted AND deployments.due > 0 AND deployments.due <= ? AND deployments.account IN ?
			AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.release_name = deployments.release_name
				AND operations.outcome IN ('running', 'queued'))
		GROUP BY releases.name, releases.version ORDER BY MIN(deployments.due), releases.name LIMIT ?`,
		skipper.StatusDeployed, micros(now), accounts, limit).Scan(&due).Error
	return due, s.fail(err, "look for what is to be looked after")
}

// AcceptRenewal begins a renewal, under the id given by the caller, and forgets old ones of the same release. It refuses
// with CodeBusy while another operation runs on the release or waits for it, and with CodeConflict wrapping
// skipper.ErrChanged when the version is not the deployed one any more.
func (s *Store) AcceptRenewal(ctx context.Context, op skipper.Operation) (skipper.Operation, error) {
	row := s.newOperation(op)
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := refuseBusy(ctx, tx, op); err != nil {
			return err
		}
		if err := gorm.G[operationRow](tx).Create(ctx, &row); err != nil {
			return err
		}
		standing, err := gorm.G[releaseRow](tx).Where("name = ? AND version = ? AND status = ?", op.ReleaseName,
			op.TargetVersion, skipper.StatusDeployed).Count(ctx, "*")
		if err == nil && standing == 0 {
			return skipper.Errorf(skipper.CodeConflict, "release %q version %d: %w", op.ReleaseName, op.TargetVersion,
				skipper.ErrChanged)
		}
		if err != nil {
			return err
		}
		if err := forgetRenewals(tx, op.ReleaseName); err != nil {
			return err
		}
		return insertEvent(ctx, tx, row.ID, skipper.OperationEvent{
			Time: moment(row.Created), From: skipper.StateInitial, Event: acceptedEvent, To: op.State,
		})
	})
	if err != nil {
		return skipper.Operation{}, s.fail(err, "accept operation %q", op.ID)
	}
	return row.domain(), nil
}

// forgetRenewals drops all ended renewals of a release but the newest.
func forgetRenewals(tx *gorm.DB, releaseName string) error {
	var old []string
	if err := tx.Raw(`SELECT id FROM operations WHERE release_name = ? AND kind = ?
		AND outcome NOT IN ('running', 'queued') ORDER BY created DESC, id DESC LIMIT 1000 OFFSET ?`,
		releaseName, skipper.KindRenew, keptRenewals).Scan(&old).Error; err != nil || len(old) == 0 {
		return err
	}
	if err := tx.Exec("DELETE FROM operation_events WHERE operation_id IN ?", old).Error; err != nil {
		return err
	}
	return tx.Exec("DELETE FROM operations WHERE id IN ?", old).Error
}

// Concluded says whether nothing can claim a deployment of a release version any more: the version is known to have been
// made here, it is not the deployed one, nothing runs on its release or waits for it, and what is asked about began after
// this store was last restored from a backup. Before that it may be something the backup does not know of.
func (s *Store) Concluded(ctx context.Context, releaseName string, version int, began time.Time) (bool, error) {
	var concluded bool
	err := s.reader.WithContext(ctx).Raw(`SELECT
			EXISTS (SELECT 1 FROM operations WHERE release_name = ? AND target_version = ?)
			AND NOT EXISTS (SELECT 1 FROM operations WHERE release_name = ? AND outcome IN ('running', 'queued'))
			AND NOT EXISTS (SELECT 1 FROM releases WHERE name = ? AND version = ? AND status = ?)
			AND NOT EXISTS (SELECT 1 FROM installation WHERE restored >= ?)`,
		releaseName, version, releaseName, releaseName, version, skipper.StatusDeployed, micros(began)).Scan(&concluded).Error
	return concluded, s.fail(err, "look for the operations of release %q", releaseName)
}
