package repository

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// held is the condition of every fenced write: the operation runs, and the token is the one of its last lease.
const held = "id = ? AND token = ? AND outcome = 'running'"

// noRunningOperation is the condition of an open compensation beside being unwanted.
const noRunningOperation = `NOT EXISTS (SELECT 1 FROM operations
	WHERE operations.release_name = deployments.release_name AND operations.outcome = 'running')`

// Lease gives an owner operations that run, are due and are free, at most limit of them, those that wait longest first.
// Each is the owner's until a moment and has a new token: writes with an older one change nothing from now on.
// No two callers get the same operation. Those on one of the accounts elsewhere are left to others. One whose lease ran
// out is marked as taken over.
func (s *Store) Lease(ctx context.Context, owner string, now, until time.Time, limit int, elsewhere []string,
) ([]skipper.Operation, error) {
	var rows []operationRow
	err := s.write(ctx, func(tx *gorm.DB) (err error) {
		free := gorm.G[operationRow](tx, skipLocked()).Select(shownOperation).
			Where("outcome = 'running' AND due <= ?", micros(now)).
			Where("lease_owner = '' OR lease_until <= ?", micros(now))
		if len(elsewhere) > 0 {
			free = free.Where("account NOT IN ?", elsewhere)
		}
		rows, err = free.Order("due, id").Limit(limit).Find(ctx)
		ids := make([]string, 0, len(rows))
		for i := range rows {
			rows[i].TakenOver = rows[i].LeaseOwner != ""
			rows[i].LeaseOwner, rows[i].LeaseUntil = owner, micros(until)
			rows[i].Token++
			ids = append(ids, rows[i].ID)
		}
		if err != nil || len(ids) == 0 {
			return err
		}
		return ignore(update[operationRow](tx, map[string]any{
			"lease_owner": owner, "lease_until": micros(until), "token": gorm.Expr("token + 1"),
		}, "id IN ?", ids))
	})
	if err != nil {
		return nil, s.fail(err, "lease operations")
	}
	return each(rows), nil
}

// Renew makes a lease last longer; skipper.ErrStale when it is not held any more.
func (s *Store) Renew(ctx context.Context, id string, token int64, until time.Time) error {
	return s.fenced(ctx, id, token, map[string]any{"lease_until": micros(until)})
}

// Yield gives a lease back; the operation stays due as it was. skipper.ErrStale when it is not held any more.
func (s *Store) Yield(ctx context.Context, id string, token int64) error {
	return s.fenced(ctx, id, token, map[string]any{"lease_owner": "", "lease_until": 0})
}

func (s *Store) fenced(ctx context.Context, id string, token int64, set map[string]any) error {
	found, err := update[operationRow](s.writer.WithContext(ctx), set, held+" AND lease_owner <> ''", id, token)
	if err == nil && found == 0 {
		return stale(id)
	}
	return s.fail(err, "keep the lease on operation %q", id)
}

// CheckToken says skipper.ErrStale when another server leased the operation since, or it has ended.
func (s *Store) CheckToken(ctx context.Context, id string, token int64) error {
	found, err := gorm.G[operationRow](s.reader).Where(held, id, token).Count(ctx, "*")
	if err == nil && found == 0 {
		return stale(id)
	}
	return s.fail(err, "check the lease on operation %q", id)
}

// checkHeld is CheckToken within a transaction: until its end nobody else can lease the operation.
func checkHeld(ctx context.Context, tx *gorm.DB, id string, token int64) error {
	_, err := gorm.G[operationRow](tx, forUpdate()).Select("id").Where(held, id, token).Take(ctx)
	return instead(err, stale(id))
}

// FreeLeases ends all leases, and claims of queued operations and of compensations: those are due now, whatever they
// waited for. It is for a server that is alone on the store and has just started.
func (s *Store) FreeLeases(ctx context.Context) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		now := micros(s.now())
		if err := ignore(update[operationRow](tx, map[string]any{"due": now}, "outcome = 'queued' AND due > ?", now)); err != nil {
			return err
		}
		if err := ignore(update[deploymentRow](tx, map[string]any{"due": now}, "NOT wanted AND due > ?", now)); err != nil {
			return err
		}
		return ignore(update[operationRow](tx, map[string]any{"lease_owner": "", "lease_until": 0},
			"outcome = 'running' AND lease_owner <> ''"))
	})
	return s.fail(err, "free the leases")
}

// NextDue gives the earliest moment, not before now, at which Lease, ClaimQueued or ClaimCompensations finds something
// with the same accounts elsewhere if nothing else happens; false when they never do.
func (s *Store) NextDue(ctx context.Context, now time.Time, elsewhere []string) (time.Time, bool, error) {
	here, args := "TRUE", []any{}
	if len(elsewhere) > 0 {
		here, args = "account NOT IN ?", []any{elsewhere, elsewhere, elsewhere}
	}
	var next *int64
	err := s.reader.WithContext(ctx).Raw(`SELECT MIN(due) FROM (
		SELECT MIN(CASE WHEN lease_owner = '' OR lease_until < due THEN due ELSE lease_until END) AS due
			FROM operations WHERE outcome = 'running' AND `+here+`
		UNION ALL SELECT MIN(CASE WHEN deadline < due OR (`+itsTurn+` AND `+here+`) THEN due ELSE deadline END)
			FROM operations WHERE outcome = 'queued'
		UNION ALL SELECT MIN(due) FROM deployments WHERE NOT wanted AND `+here+` AND `+noRunningOperation+`) AS moments`,
		args...).Scan(&next).Error
	if err != nil || next == nil {
		return time.Time{}, false, s.fail(err, "find what is due next")
	}
	return moment(max(*next, micros(now))), true, nil
}
