package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// GiveUp is what a step comes to that could not be done until its deadline, for a reason that is not a platform's: a
// defect, or a row that cannot be read. No state is kept for ever; what has to go is marked, so that it stays an open
// compensation. A release version that is not there, whatever took it away, does not change that.
func (r *Rollout) GiveUp(ctx context.Context, op skipper.Operation, why error) (Result, error) {
	res, err := r.giveUp(ctx, op, why)
	if err != nil {
		return res, err
	}
	var there []skipper.ReleaseChange
	for _, change := range res.Release {
		_, found, err := r.version(ctx, change.Name, change.Version)
		if err != nil {
			return Result{}, err
		}
		if found {
			there = append(there, change)
		}
	}
	res.Release = there
	return res, nil
}

// version gives a release version, and whether it is there.
func (r *Rollout) version(ctx context.Context, name string, version int) (skipper.Release, bool, error) {
	rel, err := r.store.Release(ctx, name, version)
	if skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
		return rel, false, nil
	} else if err != nil {
		return rel, false, fmt.Errorf("load release %q: %w", name, err)
	}
	return rel, true, nil
}

func (r *Rollout) giveUp(ctx context.Context, op skipper.Operation, why error) (Result, error) {
	res := Result{
		Event: machine.Failed, Message: skipper.MessageOf(why), Error: operationError(why), Outcome: skipper.OutcomeFailed,
	}
	res.Error = original(op, res)
	target := skipper.ReleaseChange{Name: op.ReleaseName, Version: op.TargetVersion}
	switch op.State {
	case skipper.StateCompensate:
		target.Remove = true
		res.Release = []skipper.ReleaseChange{target}
		return r.unwantTarget(ctx, op, res)
	case skipper.StateRollbackStart, skipper.StateUpgradeCancel:
		target.Remove = op.Plan.Install
		target.Status, target.Description = skipper.StatusFailed, res.Message
		res.Release = []skipper.ReleaseChange{target}
		return r.unwantTarget(ctx, op, res)
	case skipper.StateUpgradeDelete:
		return r.giveUpReplaced(ctx, op, res)
	case skipper.StateDelete:
		all, err := r.store.DeploymentsOfRelease(ctx, op.ReleaseName)
		if err != nil {
			return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
		}
		for _, d := range all { // of the version that stands, carried over to it, and what drains: nothing may stay
			res.Unwant = append(res.Unwant, d.DeploymentID)
		}
		target.Status, target.Description = skipper.StatusDeleted, "Delete complete"
		res.Release = []skipper.ReleaseChange{target}
	case skipper.StateRenew:
		due, err := r.careDue(ctx, op)
		if err != nil {
			return Result{}, err
		}
		res.Care = r.postponed(due, defaultCare)
	case skipper.StateInitial, skipper.StateQueued, skipper.StateInstall, skipper.StateInstallWait, skipper.StateUpgradeStart, skipper.StateUpgradeDeploy,
		skipper.StateUpgradeWait, skipper.StateUpgradeCheck, skipper.StateUpgradeSucceed, skipper.StateUpgradeFailed,
		skipper.StateScale:
	}
	return res, nil
}

// giveUpReplaced lets the new version of an upgrade stand, although it is not known whether the replaced applications
// are gone.
func (r *Rollout) giveUpReplaced(ctx context.Context, op skipper.Operation, res Result) (Result, error) {
	source, found, err := r.version(ctx, op.ReleaseName, op.SourceVersion)
	if err != nil {
		return Result{}, err
	}
	target, stands, err := r.version(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, err
	}
	rows, err := r.rowsOf(ctx, op, replaced(op, source))
	if err == nil && !found { // what it made and the new version does not name
		rows, err = r.store.DeploymentsOf(ctx, op.ReleaseName, op.SourceVersion)
		rows = slices.DeleteFunc(rows, func(d skipper.Deployment) bool {
			return slices.Contains(ids(target.Apps), d.DeploymentID)
		})
	}
	if err != nil {
		return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	marked, err := r.leave(ctx, rows)
	if err != nil {
		return Result{}, err
	}
	res.Unwant, res.Retire = marked.Unwant, marked.Retire
	if stands {
		change, err := r.stands(ctx, op)
		if err != nil {
			return Result{}, err
		}
		res.Release = append(res.Release, change)
	}
	res.Release = append(res.Release, skipper.ReleaseChange{
		Name: op.ReleaseName, Version: op.SourceVersion, Status: skipper.StatusFailed, Description: notRemoved,
	})
	return res, nil
}

func (r *Rollout) unwantTarget(ctx context.Context, op skipper.Operation, res Result) (Result, error) {
	rows, err := r.store.DeploymentsOf(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	for _, d := range rows {
		res.Unwant = append(res.Unwant, d.DeploymentID)
	}
	return res, nil
}

func ids(apps []skipper.AppDeployment) []string {
	out := make([]string, 0, len(apps))
	for _, a := range apps {
		out = append(out, a.ID)
	}
	return out
}
