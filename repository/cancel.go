package repository

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// RequestCancel marks the operation that runs on a release as to be cancelled and makes it due now, if it is in one of
// the states; it gives the operation, or nil when there was none.
func (s *Store) RequestCancel(
	ctx context.Context, releaseName string, states []skipper.State,
) (*skipper.Operation, error) {
	var cancelled *skipper.Operation
	err := s.write(ctx, func(tx *gorm.DB) error {
		row, err := gorm.G[operationRow](tx, forUpdate()).Select(shownOperation).
			Where("release_name = ? AND outcome = 'running' AND state IN ?", releaseName, states).Take(ctx)
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		op, err := s.cancelRunning(tx, row)
		cancelled = &op
		return err
	})
	if err != nil {
		return nil, s.fail(err, "cancel what runs on release %q", releaseName)
	}
	return cancelled, nil
}

// cancelRunning marks a row that the transaction holds.
func (s *Store) cancelRunning(tx *gorm.DB, row operationRow) (skipper.Operation, error) {
	row.CancelRequested, row.Due, row.Updated = true, micros(s.now()), micros(s.now())
	return row.domain(), ignore(update[operationRow](tx,
		map[string]any{"cancel_requested": true, "due": row.Due, "updated": row.Updated}, "id = ?", row.ID))
}

// CancelOperation cancels one operation, whatever its state: one that is queued ends at once, one that runs is marked
// and made due now, as often as it is asked for. It gives the operation as it stands then; CodeNotFound, and
// CodeConflict when it has ended.
func (s *Store) CancelOperation(ctx context.Context, id string) (skipper.Operation, error) {
	var op skipper.Operation
	err := s.write(ctx, func(tx *gorm.DB) error {
		row, err := gorm.G[operationRow](tx, forUpdate()).Select(shownOperation).Where("id = ?", id).Take(ctx)
		if err != nil {
			return instead(err, noOperation(id))
		}
		switch row.Outcome {
		case skipper.OutcomeRunning:
			op, err = s.cancelRunning(tx, row)
		case skipper.OutcomeQueued:
			op, err = s.endQueued(ctx, tx, row, skipper.OutcomeCancelled, cancelledEvent, skipper.Errorf(skipper.CodeCancelled,
				"It was cancelled before it began."))
		default:
			err = skipper.Errorf(skipper.CodeConflict, "operation %q has ended already: %s", id, row.Outcome)
		}
		return err
	})
	return op, s.fail(err, "cancel operation %q", id)
}
