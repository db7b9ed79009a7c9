package repository

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// acceptedEvent is the first event of every operation.
const acceptedEvent = "accepted"

// raceTries is how often a command that lost a race looks at what the winner left.
const raceTries = 3

// Accept begins an operation: in one transaction it writes the operation under the id given by the caller, its first
// event and, unless nil, the release version it makes. It refuses with CodeConflict wrapping skipper.ErrRepeated when
// its idempotency key names another operation, with CodeBusy while another operation runs on the release or waits for
// it, with CodeConflict wrapping skipper.ErrChanged when the newest version of the release is not latest (0: none), and
// with CodeNotFound when the package of the release is gone.
func (s *Store) Accept(
	ctx context.Context, op skipper.Operation, release *skipper.Release, latest int,
) (skipper.Operation, skipper.Release, error) {
	accepted, made, err := s.accept(ctx, op, release, latest)
	for try := 1; try < raceTries && errors.Is(err, gorm.ErrDuplicatedKey); try++ {
		// Another command for the release, or the same one, won the race. What it left tells which answer is due.
		accepted, made, err = s.accept(ctx, op, release, latest)
	}
	return accepted, made, s.fail(err, "accept operation %q", op.ID)
}

func (s *Store) accept(
	ctx context.Context, op skipper.Operation, release *skipper.Release, latest int,
) (skipper.Operation, skipper.Release, error) {
	row := s.newOperation(op)
	var made releaseRow
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := refuseRepeated(ctx, tx, op.IdempotencyKey); err != nil {
			return err
		}
		if err := refuseBusy(ctx, tx, op); err != nil {
			// It may be the same request that keeps the release busy, and came in between.
			return cmp.Or(refuseRepeated(ctx, tx, op.IdempotencyKey), err)
		}
		// The operation first: its unique index makes others wait, so that what is checked below stays true.
		if err := gorm.G[operationRow](tx).Create(ctx, &row); err != nil {
			return err
		}
		if err := checkLatest(ctx, tx, op.ReleaseName, latest); err != nil {
			return err
		}
		if release != nil {
			made = newReleaseRow(*release)
			made.ID, made.ObjectVersion = 0, firstVersion
			if err := insertRelease(ctx, tx, &made); err != nil {
				return err
			}
		}
		return insertEvent(ctx, tx, row.ID, skipper.OperationEvent{
			Time: moment(row.Created), From: skipper.StateInitial, Event: acceptedEvent, To: op.State,
		})
	})
	if release == nil {
		return row.domain(), skipper.Release{}, err
	}
	return row.domain(), made.domain(), err
}

// newOperation is an operation that nobody works on yet.
func (s *Store) newOperation(op skipper.Operation) operationRow {
	row := newOperationRow(op)
	if row.Created == 0 {
		row.Created = micros(s.now())
	}
	row.Updated = row.Created
	row.Outcome, row.Ended = skipper.OutcomeRunning, nil
	row.LeaseOwner, row.LeaseUntil, row.Token = "", 0, 0
	return row
}

// refuseRepeated refuses a key that is taken.
func refuseRepeated(ctx context.Context, tx *gorm.DB, key string) error {
	if key == "" {
		return nil
	}
	row, err := gorm.G[operationRow](tx).Select("id").Where("idempotency_key = ?", key).Take(ctx)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	e := skipper.Errorf(skipper.CodeConflict, "the Idempotency-Key names operation %s: %w", row.ID, skipper.ErrRepeated)
	e.OperationID = row.ID
	return e
}

func refuseBusy(ctx context.Context, tx *gorm.DB, op skipper.Operation) error {
	first, err := unfinished(ctx, tx, []string{op.ReleaseName}, 1)
	if err != nil || len(first) == 0 {
		return err
	}
	return skipper.Busy(commandOf(op.Kind), first[0].ID)
}

// commandOf gives the event of the machine that begins an operation of a kind.
func commandOf(kind skipper.Kind) string { return strings.ToUpper(string(kind)) }

// unfinished gives what runs on releases and what is queued there, each release's in the order of turns; at most limit
// of each of both.
func unfinished(ctx context.Context, db *gorm.DB, releaseNames []string, limit int) ([]operationRow, error) {
	shown := gorm.G[operationRow](db).Select(shownOperation)
	running, err := shown.Where("release_name IN ? AND outcome = 'running'", releaseNames).Limit(limit).Find(ctx)
	if err != nil {
		return nil, err
	}
	queued, err := shown.Where("release_name IN ? AND outcome = 'queued'", releaseNames).
		Order("release_name, created, id").Limit(limit).Find(ctx)
	return append(running, queued...), err
}

func checkLatest(ctx context.Context, tx *gorm.DB, name string, latest int) error {
	var newest int
	err := gorm.G[releaseRow](tx).Select("COALESCE(MAX(version), 0)").Where("name = ?", name).Scan(ctx, &newest)
	if err == nil && newest != latest {
		return skipper.Errorf(skipper.CodeConflict, "release %q stands at version %d and not at %d: %w",
			name, newest, latest, skipper.ErrChanged)
	}
	return err
}

// insertRelease holds the package meanwhile: it cannot be deleted without its release being seen.
func insertRelease(ctx context.Context, tx *gorm.DB, row *releaseRow) error {
	_, err := gorm.G[packageRow](tx, forShare()).Select("id").Where("id = ?", row.PackageID).Take(ctx)
	if err != nil {
		return instead(err, noPackage(row.PackageID))
	}
	return gorm.G[releaseRow](tx).Create(ctx, row)
}

func insertEvent(ctx context.Context, tx *gorm.DB, operationID string, event skipper.OperationEvent) error {
	row := newEventRow(event)
	row.ID, row.OperationID = 0, operationID
	return gorm.G[eventRow](tx).Create(ctx, &row)
}

// Operation gives the operation of an id, without its request; CodeNotFound.
func (s *Store) Operation(ctx context.Context, id string) (skipper.Operation, error) {
	return s.load(ctx, id, shownOperation)
}

// OperationWithRequest is Operation with the request; nil where none is kept.
func (s *Store) OperationWithRequest(ctx context.Context, id string) (skipper.Operation, error) {
	return s.load(ctx, id, wholeOperation)
}

func (s *Store) load(ctx context.Context, id, columns string) (skipper.Operation, error) {
	row, err := gorm.G[operationRow](s.reader).Select(columns).Where("id = ?", id).Take(ctx)
	return row.domain(), s.fail(instead(err, noOperation(id)), "load operation %q", id)
}

func noOperation(id string) *skipper.Error {
	return skipper.Errorf(skipper.CodeNotFound, "there is no operation with id %q", id)
}

// OperationByKey gives the operation, with its request, that an idempotency key names; nil when there is none.
func (s *Store) OperationByKey(ctx context.Context, key string) (*skipper.Operation, error) {
	row, err := gorm.G[operationRow](s.reader).Select(wholeOperation).Where("idempotency_key = ?", key).Take(ctx)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	op := row.domain()
	return &op, s.fail(err, "look for the operation of an idempotency key")
}

// RunningOperation gives the operation that runs on a release; nil when none does.
func (s *Store) RunningOperation(ctx context.Context, releaseName string) (*skipper.Operation, error) {
	running, err := s.RunningOperations(ctx, []string{releaseName})
	op, found := running[releaseName]
	if !found {
		return nil, err
	}
	return &op, nil
}

// RunningOperations gives the operations that run on some releases, by release name.
func (s *Store) RunningOperations(ctx context.Context, releaseNames []string) (map[string]skipper.Operation, error) {
	rows, err := gorm.G[operationRow](s.reader).Select(shownOperation).
		Where("release_name IN ? AND outcome = 'running'", releaseNames).Find(ctx)
	running := make(map[string]skipper.Operation, len(rows))
	for _, r := range rows {
		running[r.ReleaseName] = r.domain()
	}
	return running, s.fail(err, "load running operations")
}

// Unfinished gives the operations that run on some releases and those that are queued there: the running ones first,
// then each release's queue in the order of turns; at most limit of each of both.
func (s *Store) Unfinished(ctx context.Context, releaseNames []string, limit int) ([]skipper.Operation, error) {
	rows, err := unfinished(ctx, s.reader.WithContext(ctx), releaseNames, limit)
	return each(rows), s.fail(err, "load unfinished operations")
}

// Operations lists the operations that a filter chooses: the newest first unless sorted.
func (s *Store) Operations(
	ctx context.Context, filter skipper.OperationFilter, request skipper.PageRequest,
) (skipper.Page[skipper.Operation], error) {
	matching := gorm.G[operationRow](s.reader).Select(shownOperation).Scopes()
	if filter.ReleaseName != "" {
		matching = matching.Where("release_name = ?", filter.ReleaseName)
	}
	if len(filter.Kinds) > 0 {
		matching = matching.Where("kind IN ?", filter.Kinds)
	}
	outcomes := filter.Outcomes
	if len(filter.States) > 0 {
		matching = matching.Where("state IN ?", filter.States)
		if len(outcomes) == 0 && !slices.Contains(filter.States, skipper.StateInitial) {
			// There is no index by state; those that have not ended are few.
			outcomes = []skipper.Outcome{skipper.OutcomeQueued, skipper.OutcomeRunning}
		}
	}
	if len(outcomes) > 0 {
		matching = matching.Where("outcome IN ?", outcomes)
	}
	page, err := list(ctx, matching, request, operationColumns(), "created DESC, id DESC")
	return page, s.fail(err, "list operations")
}

// OperationEvents gives the events of an operation after one of them (0: all), in their order.
func (s *Store) OperationEvents(ctx context.Context, id string, afterEventID int64) ([]skipper.OperationEvent, error) {
	rows, err := gorm.G[eventRow](s.reader).Where("operation_id = ? AND id > ?", id, afterEventID).Order("id").Find(ctx)
	return each(rows), s.fail(err, "load the events of operation %q", id)
}

// Advance writes all that one step of an operation changes, or nothing: skipper.ErrStale when the token is not the
// operation's or the operation has ended, CodeReleaseNotFound when a release version that changes is not there, and
// skipper.ErrChanged when a cancel was requested that the step did not know of: it has to be decided anew, so that a
// cancel that was accepted is never overrun.
func (s *Store) Advance(ctx context.Context, token int64, a skipper.Advance) error {
	op := a.Operation
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := s.writeStep(tx, token, a); err != nil {
			return err
		}
		for _, change := range a.Release {
			if err := changeRelease(ctx, tx, change); err != nil {
				return err
			}
		}
		if err := s.want(tx, op.Plan.Account, false, a.Unwant); err != nil {
			return err
		}
		if err := s.want(tx, op.Plan.Account, true, a.Rewant); err != nil {
			return err
		}
		if err := s.retire(tx, op.Plan.Account, a.Retire); err != nil {
			return err
		}
		if err := s.care(tx, op.Plan.Account, a.Care); err != nil {
			return err
		}
		if a.Event == nil {
			return nil
		}
		event := *a.Event
		if event.Time.IsZero() {
			event.Time = s.now()
		}
		return insertEvent(ctx, tx, op.ID, event)
	})
	return s.fail(err, "advance operation %q", op.ID)
}

// writeStep writes the operation's own row.
func (s *Store) writeStep(tx *gorm.DB, token int64, a skipper.Advance) error {
	row := newOperationRow(a.Operation)
	row.Updated = micros(s.now())
	columns := []string{"state", "outcome", "plan", "deadline", "due", "attempt", "error", "ended", "updated"}
	if a.Park || !a.Operation.Running() {
		row.LeaseOwner, row.LeaseUntil = "", 0
		columns = append(columns, "lease_owner", "lease_until")
	}
	done := tx.Select(columns).Where("id = ? AND token = ? AND outcome = 'running' AND cancel_requested = ?",
		row.ID, token, a.Operation.Cancel).Updates(&row)
	if done.Error != nil || done.RowsAffected > 0 {
		return done.Error
	}
	var ours int64
	if err := tx.Model(&operationRow{}).Where("id = ? AND token = ? AND outcome = 'running'", row.ID, token).
		Count(&ours).Error; err != nil {
		return err
	}
	if ours > 0 {
		return skipper.Errorf(skipper.CodeConflict, "operation %q is to be cancelled: %w", row.ID, skipper.ErrChanged)
	}
	return stale(row.ID)
}

func changeRelease(ctx context.Context, tx *gorm.DB, c skipper.ReleaseChange) error {
	const version = "name = ? AND version = ?"
	if c.Remove {
		return ignore(gorm.G[releaseRow](tx).Where(version, c.Name, c.Version).Delete(ctx))
	}
	set, err := changedColumns(c)
	if err != nil {
		return err
	}
	found, err := update[releaseRow](tx, set, version, c.Name, c.Version)
	if err == nil && found == 0 {
		return skipper.ReleaseNotFound(c.Name, c.Version)
	}
	return err
}

// want says of deployments whether they are to be there, and that they do not retire. Each is due now: to be removed, or
// to be looked after.
func (s *Store) want(tx *gorm.DB, account string, wanted bool, deploymentIDs []string) error {
	if len(deploymentIDs) == 0 {
		return nil
	}
	now := micros(s.now())
	return ignore(update[deploymentRow](tx, map[string]any{
		"wanted": wanted, "due": now, "attempt": 0, "last_error": "", "retire_until": nil, "updated": now,
	}, "account = ? AND deployment_id IN ?", account, deploymentIDs))
}
