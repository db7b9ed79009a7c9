package rollout

import (
	"context"
	"fmt"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// scale sets the instance counts of a release. Counts are absolute, so a repeated step does no harm.
func (r *Rollout) scale(ctx context.Context, op skipper.Operation) (Result, error) {
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	var named []string
	for _, app := range rel.Apps {
		if _, ok := scaled(op, app.App); ok {
			named = append(named, app.ID)
		}
	}
	care := r.careSoon(op.Plan.Account, named)
	if op.Cancel {
		err := skipper.Errorf(skipper.CodeCancelled,
			"Cancelled: counts that the platform accepted already stay; the release can be scaled again.")
		return Result{
			Event: machine.Stop, Message: err.Message, Error: operationError(err), Outcome: skipper.OutcomeCancelled, Care: care,
		}, nil
	}
	for _, app := range rel.Apps {
		item, ok := scaled(op, app.App)
		if !ok {
			continue
		}
		err := r.scaleOne(ctx, op, app.ID, item)
		switch {
		case err != nil && fail(ctx, err):
			return Result{}, err
		case err != nil && deployer.Retry(err) && !r.late(op):
			return Result{Event: machine.Retry, Message: fmt.Sprintf("%s: %v", app.App, err)}, nil
		case err != nil:
			refused := skipper.Errorf(skipper.CodeConflict, "Could not scale application [%s]: %w", app.App, err)
			return Result{
				Event: machine.Failed, Message: refused.Message, Outcome: skipper.OutcomeFailed,
				Care:  care,
				Error: failed(refused, r.refusal(ctx, op, app.App, app.ID, err)),
			}, nil
		}
	}
	return Result{
		Event: machine.Done, Outcome: skipper.OutcomeSucceeded, Message: "the platform accepted the counts",
		Care: care,
	}, nil
}

func scaled(op skipper.Operation, app string) (skipper.ScaleRequestItem, bool) {
	for _, item := range op.Plan.Scale {
		if item.Name == app && item.Count != nil {
			return item, true
		}
	}
	return skipper.ScaleRequestItem{}, false
}

func (r *Rollout) scaleOne(ctx context.Context, op skipper.Operation, id string, item skipper.ScaleRequestItem) error {
	account, err := r.accounts.Named(op.Plan.Account)
	if err != nil {
		return deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	rows, err := r.store.Deployments(ctx, account.Name, []string{id})
	if err != nil {
		return stored(err)
	}
	if len(rows) == 0 {
		return deployer.Errorf(deployer.ErrNotFound, "nothing of %s is on the platform", id)
	}
	req, err := r.requestOf(ctx, rows[0])
	if err != nil {
		return err
	}
	limited, cancel := r.limited(ctx, op)
	defer cancel()
	free, err := r.slot(limited, account.Name)
	if err != nil {
		return unanswered(ctx, limited, err)
	}
	defer free()
	save := func(h deployer.Handle) error {
		return stored(r.store.SaveHandle(ctx, op.ID, op.Token, account.Name, id, h.Data, h.SpecHash))
	}
	if err := r.store.CheckToken(ctx, op.ID, op.Token); err != nil {
		return stored(err)
	}
	handing, end := r.handing(limited, op)
	handle, err := account.Deployer.Scale(handing, req, handleOf(rows[0]), *item.Count, save)
	err = unanswered(ctx, handing, err)
	end()
	if saveErr := r.keep(ctx, op, rows[0], handle); saveErr != nil {
		return saveErr
	}
	return err
}

// requestOf gives the request a deployment was made from; a carried-over application was made by an earlier version.
func (r *Rollout) requestOf(ctx context.Context, d skipper.Deployment) (deployer.Request, error) {
	rel, err := r.store.Release(ctx, d.ReleaseName, d.ReleaseVersion)
	if err != nil {
		return deployer.Request{}, stored(err)
	}
	if rel.Manifest != nil {
		apps, _, err := manifest.Parse(rel.Manifest.Data)
		if err != nil {
			return deployer.Request{}, deployer.Errorf(deployer.ErrInvalid, "%w", err)
		}
		for _, app := range apps {
			if app.Name == d.App {
				return r.Request(rel, app)
			}
		}
	}
	return deployer.Request{}, deployer.Errorf(deployer.ErrNotFound, "version %d has no application %s", rel.Version, d.App)
}
