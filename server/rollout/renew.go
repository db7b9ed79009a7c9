package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

const (
	defaultCare = time.Minute      // Config.Care
	careLimit   = time.Minute      // for a platform to look after one deployment
	careSoonest = time.Second      // two looks after a deployment are never closer
	careLatest  = 10 * time.Minute // the longest wait between failed tries
	giveWay     = 15 * time.Second // no renewal begins so long after one was cancelled, because a command came
)

// Maintained lists the accounts whose platforms look after applications.
func (r *Rollout) Maintained() []string {
	var out []string
	for _, a := range r.accounts {
		if _, ok := a.Deployer.(deployer.Maintainer); ok {
			out = append(out, a.Name)
		}
	}
	return out
}

// careOf is when the platform of an account is asked to look after a deployment that was just changed; zero: never.
func (r *Rollout) careOf(account string) time.Time {
	if !slices.Contains(r.Maintained(), account) {
		return time.Time{}
	}
	care := r.config.Care
	if care <= 0 {
		care = defaultCare
	}
	return r.clock().Add(care)
}

// careSoon has deployments looked after that were just changed.
func (r *Rollout) careSoon(account string, ids []string) []skipper.Care {
	due := r.careOf(account)
	if due.IsZero() {
		return nil
	}
	var out []skipper.Care
	for _, id := range ids {
		out = append(out, skipper.Care{DeploymentID: id, Due: due})
	}
	return out
}

// renew lets the platform look after the next deployment that was due when the operation began; after the last one the
// operation ends. One that fails does not keep the others waiting, but the operation fails.
func (r *Rollout) renew(ctx context.Context, op skipper.Operation) (Result, error) {
	due, err := r.careDue(ctx, op)
	if err != nil {
		return Result{}, err
	}
	switch {
	case op.Cancel:
		err := skipper.Errorf(skipper.CodeCancelled, "Cancelled: it made way for a command.")
		return Result{
			Event: machine.Stop, Message: err.Message, Error: operationError(err), Outcome: skipper.OutcomeCancelled,
			Care: r.postponed(due, giveWay),
		}, nil
	case len(due) == 0, r.late(op): // what is left is due first the next time
		return renewed(op, Result{Message: "the platform looked after the applications"}), nil
	}
	res, err := r.lookAfter(ctx, op, due[0])
	if err != nil {
		return Result{}, err
	}
	if len(due) > 1 {
		res.Event = machine.More
		return res, nil
	}
	if res.Error != nil {
		op.Error = res.Error
	}
	return renewed(op, res), nil
}

// renewed ends a renewal, with the error that one of its deployments had.
func renewed(op skipper.Operation, res Result) Result {
	res.Event, res.Outcome = machine.Done, skipper.OutcomeSucceeded
	if op.Error != nil {
		res.Event, res.Outcome = machine.Failed, skipper.OutcomeFailed
	}
	return res
}

// careDue gives the wanted deployments of the release that were due when the operation began, the longest due first.
func (r *Rollout) careDue(ctx context.Context, op skipper.Operation) ([]skipper.Deployment, error) {
	all, err := r.store.DeploymentsOfRelease(ctx, op.ReleaseName)
	if err != nil {
		return nil, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	all = slices.DeleteFunc(all, func(d skipper.Deployment) bool {
		return !d.Wanted || d.Account != op.Plan.Account || d.Due.IsZero() || d.Due.After(op.Created)
	})
	slices.SortStableFunc(all, func(a, b skipper.Deployment) int { return a.Due.Compare(b.Due) })
	return all, nil
}

// postponed lets deployments be due later.
func (r *Rollout) postponed(rows []skipper.Deployment, wait time.Duration) []skipper.Care {
	var out []skipper.Care
	for _, d := range rows {
		out = append(out, skipper.Care{
			DeploymentID: d.DeploymentID, Due: r.clock().Add(wait), Attempt: d.Attempt, LastError: d.LastError,
		})
	}
	return out
}

// lookAfter asks the platform once for one deployment, and says when the next time is.
func (r *Rollout) lookAfter(ctx context.Context, op skipper.Operation, d skipper.Deployment) (Result, error) {
	due, err := r.maintain(ctx, op, d)
	if err != nil && fail(ctx, err) {
		return Result{}, err
	}
	now := r.clock()
	care := skipper.Care{DeploymentID: d.DeploymentID, Due: due}
	if err == nil {
		if !due.IsZero() && due.Before(now.Add(careSoonest)) {
			care.Due = now.Add(careSoonest)
		}
		message := d.DeploymentID + " needs no care any more"
		if !care.Due.IsZero() {
			message = fmt.Sprintf("%s is looked after again at %s", d.DeploymentID, care.Due.UTC().Format(time.RFC3339))
		}
		return Result{Message: message, Care: []skipper.Care{care}}, nil
	}
	care.Attempt, care.LastError = d.Attempt+1, line(err.Error())
	wait := min(max(r.config.HealthPeriod, careSoonest)<<min(d.Attempt, 10), careLatest)
	if soonest := now.Add(wait); due.Before(soonest) {
		care.Due = soonest
	}
	refused := skipper.Errorf(skipper.CodeConflict, "The platform could not look after application [%s]: %w", d.App, err)
	return Result{
		Message: refused.Message, Care: []skipper.Care{care}, Error: failed(refused, r.refusal(ctx, op, d.App, d.DeploymentID, err)),
	}, nil
}

// maintain makes the platform call and keeps its handle, as hand does.
func (r *Rollout) maintain(ctx context.Context, op skipper.Operation, d skipper.Deployment) (time.Time, error) {
	account, err := r.accounts.Named(d.Account)
	if err != nil {
		return time.Time{}, err
	}
	platform, ok := account.Deployer.(deployer.Maintainer)
	if !ok {
		return time.Time{}, nil
	}
	req, err := r.requestOf(ctx, d)
	if err != nil {
		return time.Time{}, err
	}
	limited, cancel := context.WithTimeout(ctx, careLimit)
	defer cancel()
	free, err := r.slot(limited, d.Account)
	if err != nil {
		return time.Time{}, unanswered(ctx, limited, err)
	}
	defer free()
	save := func(h deployer.Handle) error {
		return stored(r.store.SaveHandle(ctx, op.ID, op.Token, d.Account, d.DeploymentID, h.Data, h.SpecHash))
	}
	if err := r.store.CheckToken(ctx, op.ID, op.Token); err != nil {
		return time.Time{}, stored(err)
	}
	handle, due, err := platform.Maintain(limited, req, handleOf(d), save)
	err = unanswered(ctx, limited, err)
	if errors.Is(err, skipper.ErrStale) {
		return due, err // it stopped before the effect
	}
	if saveErr := r.keep(ctx, op, d, handle); errors.Is(saveErr, skipper.ErrStale) {
		return due, errors.Join(saveErr, r.disown(ctx, d))
	} else if saveErr != nil {
		return due, saveErr
	}
	return due, err
}
