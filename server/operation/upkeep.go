package operation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// UpkeepStore keeps when platforms want to look after applications.
type UpkeepStore interface {
	UpkeepDue(ctx context.Context, now time.Time, accounts []string, limit int) ([]skipper.Upkeep, error)
	AcceptRenewal(ctx context.Context, op skipper.Operation) (skipper.Operation, error)
}

// upkeep begins a renewal for each release that is due and idle. Should two servers do so at once, one of them begins.
func (e *Engine) upkeep(ctx context.Context) error {
	accounts, elsewhere := e.steps.Maintained(), e.config.Elsewhere()
	accounts = slices.DeleteFunc(accounts, func(name string) bool { return slices.Contains(elsewhere, name) })
	if len(accounts) == 0 {
		return nil
	}
	now := e.clock()
	ctx, asked := e.asking(ctx)
	defer asked()
	due, err := e.store.UpkeepDue(ctx, now, accounts, leaseBatch)
	if err != nil {
		return err
	}
	for _, u := range due {
		err := e.renewal(ctx, u, now)
		code := skipper.CodeOf(err)
		if err != nil && code != skipper.CodeBusy && code != skipper.CodeConflict { // else something else began
			return err
		}
	}
	return nil
}

func (e *Engine) renewal(ctx context.Context, u skipper.Upkeep, now time.Time) error {
	state, err := machine.Start(ctx, skipper.KindRenew)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return errors.Join(skipper.Errorf(skipper.CodeInternal, "make an operation id"), err)
	}
	op := skipper.Operation{
		ID: id.String(), Kind: skipper.KindRenew, ReleaseName: u.ReleaseName, SourceVersion: u.Version,
		TargetVersion: u.Version, State: state, Outcome: skipper.OutcomeRunning, Account: u.Account,
		Plan: skipper.Plan{Account: u.Account}, Created: now, Updated: now, Due: now,
	}
	op.Deadline = e.steps.Deadline(op, state)
	_, err = e.store.AcceptRenewal(ctx, op)
	return err
}
