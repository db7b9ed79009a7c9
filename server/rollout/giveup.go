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
// compensation.
func (r *Rollout) GiveUp(ctx context.Context, op skipper.Operation, why error) (Result, error) {
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
		source, err := r.store.Release(ctx, op.ReleaseName, op.SourceVersion)
		if err != nil {
			return Result{}, fmt.Errorf("load source of operation %s: %w", op.ID, err)
		}
		target, err := r.stands(ctx, op)
		if err != nil {
			return Result{}, err
		}
		rows, err := r.rowsOf(ctx, op, replaced(op, source))
		if err != nil {
			return Result{}, err
		}
		marked, err := r.leave(ctx, rows)
		if err != nil {
			return Result{}, err
		}
		res.Unwant, res.Retire = marked.Unwant, marked.Retire
		res.Release = []skipper.ReleaseChange{target, {
			Name: source.Name, Version: source.Version, Status: skipper.StatusFailed, Description: notRemoved,
		}}
	case skipper.StateDelete:
		rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
		if err != nil {
			return Result{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
		}
		all, err := r.store.DeploymentsOfRelease(ctx, op.ReleaseName)
		if err != nil {
			return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
		}
		res.Unwant = ids(rel.Apps)
		for _, d := range slices.DeleteFunc(all, func(d skipper.Deployment) bool { return !retires(d) }) {
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
