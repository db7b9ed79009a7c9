package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// leave marks what an upgrade replaced: what drains retires, the rest has to go. What is marked already stays as it is;
// with nothing to mark the result has no event.
func (r *Rollout) leave(ctx context.Context, rows []skipper.Deployment) (Result, error) {
	var res Result
	var said []string
	for _, d := range rows {
		if !d.Wanted {
			continue
		}
		drain, err := r.drain(ctx, d)
		if err != nil {
			return Result{}, err
		}
		res.Event = machine.More
		if drain <= 0 {
			res.Unwant = append(res.Unwant, d.DeploymentID)
			said = append(said, d.DeploymentID+" must go")
			continue
		}
		until := r.clock().Add(drain)
		res.Retire = append(res.Retire, skipper.Retirement{DeploymentID: d.DeploymentID, Until: until})
		said = append(said, fmt.Sprintf("%s may go on until %s", d.DeploymentID, until.UTC().Format(time.RFC3339)))
	}
	res.Message = strings.Join(said, ", ")
	return res, nil
}

// drain is how long a replaced deployment may go on, as the request says that it was made from; 0 where nothing says so.
func (r *Rollout) drain(ctx context.Context, d skipper.Deployment) (time.Duration, error) {
	account, err := r.accounts.Named(d.Account)
	if err != nil {
		return 0, nil //nolint:nilerr // an account that is configured no more says nothing
	}
	platform, ok := account.Deployer.(deployer.Drainer)
	if !ok {
		return 0, nil
	}
	req, err := r.requestOf(ctx, d)
	switch {
	case err == nil:
		return platform.Drain(req), nil
	case skipper.CodeOf(err) == skipper.CodeReleaseNotFound, !fail(ctx, err):
		return 0, nil // what cannot be read cannot say
	}
	return 0, err
}

func retires(d skipper.Deployment) bool { return d.RetireUntil != nil }

// endDraining is for a delete: what still drains of the release has to go with it. It is written down together with its
// names, so that the delete waits for it. The result has no event when nothing is to be written.
func (r *Rollout) endDraining(ctx context.Context, op skipper.Operation, own []skipper.Deployment) (Result, error) {
	if op.Plan.Retiring != nil {
		return Result{}, nil
	}
	all, err := r.store.DeploymentsOfRelease(ctx, op.ReleaseName)
	if err != nil {
		return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	plan := op.Plan
	for _, d := range all {
		if retires(d) && d.Account == op.Plan.Account {
			plan.Retiring = append(plan.Retiring, d.DeploymentID)
		}
	}
	if plan.Retiring == nil {
		return Result{}, nil
	}
	res := Result{Event: machine.More, Plan: &plan, Unwant: slices.Clone(plan.Retiring)}
	for _, d := range own {
		if d.Wanted {
			res.Unwant = append(res.Unwant, d.DeploymentID)
		}
	}
	res.Message = strings.Join(res.Unwant, ", ") + " must go"
	return res, nil
}

// Compensate removes one deployment that no operation works on, and forgets it when it is gone. One that still drains is
// left alone: then it gives when to look at it again. skipper.ErrStale when another server has ended it, while this one was
// frozen.
func (r *Rollout) Compensate(ctx context.Context, d skipper.Deployment, forget func() error) (time.Time, error) {
	if retires(d) && r.clock().Before(*d.RetireUntil) {
		status, err := r.statusOf(ctx, d)
		if err != nil {
			return time.Time{}, err
		}
		if !ended(status) {
			return earlier(r.clock().Add(r.config.HealthPeriod), *d.RetireUntil), nil
		}
	}
	return time.Time{}, r.removeOne(ctx, d, func() error { return r.stillOpen(ctx, d) }, forget)
}

// stillOpen is asked right before the platform call, as the token of an operation is.
func (r *Rollout) stillOpen(ctx context.Context, d skipper.Deployment) error {
	rows, err := r.store.Deployments(ctx, d.Account, []string{d.DeploymentID})
	switch {
	case err != nil:
		return fmt.Errorf("load deployment %s: %w", d.DeploymentID, err)
	case len(rows) == 0 || rows[0].Wanted:
		return skipper.Errorf(skipper.CodeConflict, "deployment %q has not to go any more: %w", d.DeploymentID, skipper.ErrStale)
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (r *Rollout) statusOf(ctx context.Context, d skipper.Deployment) (skipper.AppStatus, error) {
	account, err := r.accounts.Named(d.Account)
	if err != nil {
		return skipper.AppStatus{}, err
	}
	all, err := r.ask(ctx, account, []deployer.Handle{handleOf(d)})
	return all[d.DeploymentID], err
}

// ended says that nothing of a deployment goes on. One whose instances are not known has not ended.
func ended(status skipper.AppStatus) bool {
	known := len(status.Instances) > 0 || status.State == skipper.StateUnknown || status.State == skipper.StateUndeployed
	return known && running(status) == 0
}

// running counts the instances that have not ended.
func running(status skipper.AppStatus) int {
	n := 0
	for _, i := range status.Instances {
		gone := i.State == skipper.StateUndeployed || i.State == skipper.StateUnknown
		if !gone && (i.State != skipper.StateFailed || i.Attributes[deployer.AttributeFinal] != "true") {
			n++
		}
	}
	return n
}

// Draining gives what still drains of a release, the oldest version first.
func (r *Rollout) Draining(ctx context.Context, releaseName string) ([]skipper.Draining, error) {
	all, err := r.store.DeploymentsOfRelease(ctx, releaseName)
	if err != nil {
		return nil, fmt.Errorf("load deployments of release %q: %w", releaseName, err)
	}
	var out []skipper.Draining
	for _, d := range all {
		if !retires(d) {
			continue
		}
		one := skipper.Draining{
			App: d.App, DeploymentID: d.DeploymentID, Version: d.ReleaseVersion, Instances: -1, Until: *d.RetireUntil,
		}
		if status, err := r.statusOf(ctx, d); err == nil {
			one.Instances = running(status)
		}
		out = append(out, one)
	}
	return out, nil
}
