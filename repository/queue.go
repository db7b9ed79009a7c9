package repository

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Events of operations that are queued; those of the machine follow when they begin.
const (
	queuedEvent    = "queued"
	cancelledEvent = "CANCEL"
	retryEvent     = "RETRY"
)

// maxQueued is how many operations may wait for one release.
const maxQueued = 100

// itsTurn is the condition of a queued operation that can begin: nothing runs on its release and nothing waits there
// longer.
const itsTurn = `NOT EXISTS (SELECT 1 FROM operations other
		WHERE other.release_name = operations.release_name AND other.outcome = 'running')
	AND NOT EXISTS (SELECT 1 FROM operations other
		WHERE other.release_name = operations.release_name AND other.outcome = 'queued'
		AND (other.created, other.id) < (operations.created, operations.id))`

// Queue keeps an operation that begins when it is its turn, under the id given by the caller, until its deadline. With
// supersede all else is cancelled that is queued on the release or runs there. It refuses with CodeConflict wrapping
// skipper.ErrRepeated as Accept does, and with CodeConflict when too many wait for the release already.
func (s *Store) Queue(ctx context.Context, op skipper.Operation, supersede bool) (skipper.Operation, error) {
	queued, err := s.queue(ctx, op, supersede)
	for try := 1; try < raceTries && errors.Is(err, gorm.ErrDuplicatedKey); try++ {
		queued, err = s.queue(ctx, op, supersede)
	}
	return queued, s.fail(err, "queue operation %q", op.ID)
}

func (s *Store) queue(ctx context.Context, op skipper.Operation, supersede bool) (skipper.Operation, error) {
	row := s.newOperation(op)
	row.State, row.Outcome = skipper.StateQueued, skipper.OutcomeQueued
	err := s.write(ctx, func(tx *gorm.DB) error {
		// One at a time joins the queue of a release, so that of two that supersede each other one stays.
		if err := s.dialect.serialize(tx, op.ReleaseName); err != nil {
			return err
		}
		if err := refuseRepeated(ctx, tx, op.IdempotencyKey); err != nil {
			return err
		}
		if supersede {
			if err := s.supersede(ctx, tx, op); err != nil {
				return err
			}
		}
		waiting, err := gorm.G[operationRow](tx).
			Where("release_name = ? AND outcome = 'queued'", op.ReleaseName).Count(ctx, "*")
		if err == nil && waiting >= maxQueued {
			return skipper.Errorf(skipper.CodeConflict,
				"%d operations wait for release %q already; try again when some of them have ended", waiting, op.ReleaseName)
		}
		if err != nil {
			return err
		}
		if err := gorm.G[operationRow](tx).Create(ctx, &row); err != nil {
			return err
		}
		return insertEvent(ctx, tx, row.ID, skipper.OperationEvent{
			Time: moment(row.Created), From: skipper.StateInitial, Event: queuedEvent, To: skipper.StateQueued,
		})
	})
	return row.domain(), err
}

// supersede cancels what is queued on the release of an operation, then what runs there: what was queued cannot begin in
// between.
func (s *Store) supersede(ctx context.Context, tx *gorm.DB, op skipper.Operation) error {
	shown := gorm.G[operationRow](tx, forUpdate()).Select(shownOperation)
	queued, err := shown.Where("release_name = ? AND outcome = 'queued'", op.ReleaseName).Order("created, id").Find(ctx)
	if err != nil {
		return err
	}
	for _, row := range queued {
		why := skipper.Errorf(skipper.CodeCancelled, "Operation %s superseded it before it began.", op.ID)
		if _, err := s.endQueued(ctx, tx, row, skipper.OutcomeCancelled, cancelledEvent, why); err != nil {
			return err
		}
	}
	running, err := shown.Where("release_name = ? AND outcome = 'running'", op.ReleaseName).Find(ctx)
	for _, row := range running {
		if err == nil {
			_, err = s.cancelRunning(tx, row)
		}
	}
	return err
}

// endQueued ends a queued operation whose row the transaction holds; a nil error is a success.
func (s *Store) endQueued(ctx context.Context, tx *gorm.DB, row operationRow, outcome skipper.Outcome, event string,
	why *skipper.Error,
) (skipper.Operation, error) {
	now := micros(s.now())
	row.State, row.Outcome, row.Ended, row.Updated = skipper.StateInitial, outcome, &now, now
	message := ""
	if why != nil {
		row.Error = &skipper.OperationError{Code: why.Code, Message: why.Message}
		message = why.Message
	}
	columns := []string{"state", "outcome", "error", "ended", "updated"}
	done := tx.Select(columns).Where("id = ? AND outcome = 'queued'", row.ID).Updates(&row)
	if done.Error == nil && done.RowsAffected == 0 {
		return skipper.Operation{}, stale(row.ID)
	}
	if done.Error != nil {
		return skipper.Operation{}, done.Error
	}
	return row.domain(), insertEvent(ctx, tx, row.ID, skipper.OperationEvent{
		Time: moment(now), From: skipper.StateQueued, Event: event, To: skipper.StateInitial, Message: message,
	})
}

// ClaimQueued gives queued operations, with their requests, that are due and whose turn it is, or whose deadline has
// come; at most limit of them, those that wait longest first. They are not due again until a moment: nobody else gets
// them before, should the caller die. Those expected on one of the accounts elsewhere are left to others until their
// deadline.
func (s *Store) ClaimQueued(ctx context.Context, now, until time.Time, limit int, elsewhere []string,
) ([]skipper.Operation, error) {
	var rows []operationRow
	err := s.write(ctx, func(tx *gorm.DB) (err error) {
		begins, args := itsTurn, []any{micros(now)}
		if len(elsewhere) > 0 {
			begins, args = begins+" AND account NOT IN ?", append(args, elsewhere)
		}
		rows, err = gorm.G[operationRow](tx, skipLocked()).Select(wholeOperation).
			Where("outcome = 'queued' AND due <= ?", micros(now)).
			Where("deadline <= ? OR ("+begins+")", args...).
			Order("created, id").Limit(limit).Find(ctx)
		ids := make([]string, 0, len(rows))
		for i := range rows {
			rows[i].Due = micros(until)
			ids = append(ids, rows[i].ID)
		}
		if err != nil || len(ids) == 0 {
			return err
		}
		return ignore(update[operationRow](tx, map[string]any{"due": micros(until)}, "id IN ?", ids))
	})
	if err != nil {
		return nil, s.fail(err, "claim queued operations")
	}
	return each(rows), nil
}

// Begin turns a queued operation into a running one, and makes the release version of its plan, as Accept would: in one
// transaction, or not at all. skipper.ErrStale when it is not queued any more: another server began it, or it was
// cancelled. CodeBusy, skipper.ErrChanged and CodeNotFound as Accept gives them.
func (s *Store) Begin(ctx context.Context, op skipper.Operation, release *skipper.Release, latest int,
) (skipper.Operation, skipper.Release, error) {
	row := newOperationRow(op)
	row.Updated = micros(s.now())
	var made releaseRow
	err := s.write(ctx, func(tx *gorm.DB) error {
		row.Outcome = skipper.OutcomeRunning
		columns := []string{
			"source_version", "target_version", "state", "outcome", "plan", "account", "deadline", "due", "attempt", "updated",
		}
		done := tx.Select(columns).Where("id = ? AND outcome = 'queued'", row.ID).Updates(&row)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 {
			return stale(row.ID)
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
			Time: moment(row.Updated), From: skipper.StateQueued, Event: commandOf(op.Kind), To: op.State,
		})
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		err = s.overtaken(ctx, op)
	}
	if err != nil {
		return skipper.Operation{}, skipper.Release{}, s.fail(err, "begin operation %q", op.ID)
	}
	if release == nil {
		return row.domain(), skipper.Release{}, nil
	}
	return row.domain(), made.domain(), nil
}

// overtaken says why an operation could not begin: another one runs, or ran meanwhile.
func (s *Store) overtaken(ctx context.Context, op skipper.Operation) error {
	running, err := s.RunningOperation(ctx, op.ReleaseName)
	if err != nil {
		return err
	}
	if running != nil {
		return skipper.Busy(commandOf(op.Kind), running.ID)
	}
	return skipper.Errorf(skipper.CodeConflict, "release %q: %w", op.ReleaseName, skipper.ErrChanged)
}

// DeferQueued lets a queued operation that could not begin be tried again at a moment; a message that is not empty says
// why and becomes an event. skipper.ErrStale when it is not queued any more.
func (s *Store) DeferQueued(ctx context.Context, id string, due time.Time, attempt int, message string) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		found, err := update[operationRow](tx, map[string]any{
			"due": micros(due), "attempt": attempt, "updated": micros(s.now()),
		}, "id = ? AND outcome = 'queued'", id)
		if err == nil && found == 0 {
			return stale(id)
		}
		if err != nil || message == "" {
			return err
		}
		return insertEvent(ctx, tx, id, skipper.OperationEvent{
			Time: s.now(), From: skipper.StateQueued, Event: retryEvent, To: skipper.StateQueued, Message: message,
		})
	})
	return s.fail(err, "defer operation %q", id)
}

// EndQueued ends a queued operation that does not begin; without an error it has succeeded, because there was nothing to
// do. skipper.ErrStale when it is not queued any more.
func (s *Store) EndQueued(ctx context.Context, id string, why *skipper.Error) error {
	err := s.write(ctx, func(tx *gorm.DB) error {
		outcome, event := skipper.OutcomeFailed, "FAILED"
		if why == nil {
			outcome, event = skipper.OutcomeSucceeded, "DONE"
		}
		_, err := s.endQueued(ctx, tx, operationRow{ID: id}, outcome, event, why)
		return err
	})
	return s.fail(err, "end operation %q", id)
}
