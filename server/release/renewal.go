package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// renewal gives the renewal that keeps a release busy; nil when an error says something else.
func (s *Service) renewal(ctx context.Context, err error) (*skipper.Operation, error) {
	busy, ok := errors.AsType[*skipper.Error](err)
	if !ok || busy.Code != skipper.CodeBusy || busy.OperationID == "" {
		return nil, nil
	}
	op, err := s.store.OperationWithRequest(ctx, busy.OperationID)
	if err != nil {
		if skipper.CodeOf(err) == skipper.CodeNotFound {
			return nil, nil
		}
		return nil, fmt.Errorf("look for what keeps the release busy: %w", err)
	}
	if op.Kind != skipper.KindRenew {
		return nil, nil
	}
	return &op, nil
}

// makeWay is for a command that was refused because a renewal runs, which the server itself began: it cancels that and
// waits for its end, which comes with the end of the platform call under way. It says whether the command may try again.
func (s *Service) makeWay(ctx context.Context, refusal error) (bool, error) {
	op, err := s.renewal(ctx, refusal)
	if err != nil || op == nil {
		return false, err
	}
	if op.Unfinished() {
		if _, err := s.store.CancelOperation(ctx, op.ID); err != nil && skipper.CodeOf(err) != skipper.CodeConflict {
			return false, fmt.Errorf("cancel what keeps the release busy: %w", err)
		}
		s.ops.Wake()
	}
	wait, cancel := context.WithTimeout(ctx, s.config.WaitLimit)
	defer cancel()
	if _, err := s.ops.Wait(wait, op.ID, untilEnd); err != nil {
		if ctx.Err() == nil && wait.Err() != nil {
			return false, refusal
		}
		return false, err
	}
	return true, nil
}
