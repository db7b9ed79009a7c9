package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// cancel leaves a state by its cancel event.
func (r *Rollout) cancel(op skipper.Operation, event machine.Event) Result {
	waited := int64(0)
	if op.Plan.HandedOver != nil {
		waited = r.clock().Sub(*op.Plan.HandedOver).Milliseconds()
	}
	err := skipper.Errorf(skipper.CodeCancelled, "Cancelled after %d ms.", waited)
	return Result{Event: event, Message: "a cancel was asked for", Error: operationError(err)}
}

// compensate removes what a failed install left, and then its release version.
func (r *Rollout) compensate(ctx context.Context, op skipper.Operation) (Result, error) {
	rows, err := r.store.DeploymentsOf(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	res, err := r.removeAll(ctx, op, rows)
	if err != nil || res.Event != machine.Done {
		return res, err
	}
	res.Outcome, res.Error = failure(op, skipper.OutcomeFailed), original(op, res)
	res.Release = []skipper.ReleaseChange{{Name: op.ReleaseName, Version: op.TargetVersion, Remove: true}}
	return res, nil
}

// failure is cancelled for an operation that was cancelled, otherwise what is given.
func failure(op skipper.Operation, otherwise skipper.Outcome) skipper.Outcome {
	if op.Error != nil && op.Error.Code == skipper.CodeCancelled {
		return skipper.OutcomeCancelled
	}
	return otherwise
}

// original is the error an operation ends with: why it failed at first, which says more than that its traces could not
// be removed; those are an open compensation.
func original(op skipper.Operation, res Result) *skipper.OperationError {
	if op.Error != nil {
		return nil // it stays
	}
	return res.Error
}

// cancelTarget removes the new applications of an upgrade; the version before still stands.
func (r *Rollout) cancelTarget(ctx context.Context, op skipper.Operation) (Result, error) {
	rows, err := r.store.DeploymentsOf(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	res, err := r.removeAll(ctx, op, rows)
	if err != nil || res.Event != machine.Done {
		return res, err
	}
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	res.Outcome, res.Error = failure(op, skipper.OutcomeRolledBack), original(op, res)
	if rel.Info.Status.StatusCode != skipper.StatusFailed { // a failed deploy said why already
		change := skipper.ReleaseChange{Name: rel.Name, Version: rel.Version, Status: skipper.StatusFailed}
		if op.Error != nil {
			change.Description = op.Error.Message
		}
		res.Release = []skipper.ReleaseChange{change}
	}
	return res, nil
}

// accept is the point of no return: from here on the replaced applications of the source have to go. The new version is
// DEPLOYED when they are gone, together with the end of the operation: who waits for it may give the next command.
func accept(op skipper.Operation) Result {
	return Result{
		Event: machine.UpgradeAccept, Message: fmt.Sprintf("version %d stands from now on", op.TargetVersion),
	}
}

// stands is the change that makes the new version of an upgrade the one that stands.
func (r *Rollout) stands(ctx context.Context, op skipper.Operation) (skipper.ReleaseChange, error) {
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return skipper.ReleaseChange{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	change := skipper.ReleaseChange{
		Name: rel.Name, Version: rel.Version, Status: skipper.StatusDeployed, Description: "Upgrade complete",
	}
	if op.Kind == skipper.KindRollback {
		change.Description = "Rollback complete"
	}
	change.PlatformStatus, err = r.status(ctx, rel)
	return change, err
}

// replaced lists the applications of the source that an upgrade replaces or drops. An upgrade of a deleted release
// replaces nothing: nothing of it runs.
func replaced(op skipper.Operation, source skipper.Release) []skipper.AppDeployment {
	var out []skipper.AppDeployment
	for _, a := range source.Apps {
		if slices.Contains(op.Plan.Apps, a.App) || slices.Contains(op.Plan.Drop, a.App) {
			out = append(out, a)
		}
	}
	return out
}

// notRemoved is Skipper's description of a source whose applications could not be removed.
const notRemoved = "Could not delete existing application, manual intervention needed.  Sorry it didn't work out."

// removeSource removes the replaced applications; then the source is deleted and the upgrade has succeeded. Those that
// drain are left alone: they are open compensations with a time of their own.
func (r *Rollout) removeSource(ctx context.Context, op skipper.Operation) (Result, error) {
	source, err := r.store.Release(ctx, op.ReleaseName, op.SourceVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load source of operation %s: %w", op.ID, err)
	}
	rows, err := r.rowsOf(ctx, op, replaced(op, source))
	if err != nil {
		return Result{}, err
	}
	res, err := r.leave(ctx, rows)
	if err != nil || res.Event != "" {
		return res, err
	}
	res, err = r.removeAll(ctx, op, slices.DeleteFunc(rows, retires))
	if err != nil || res.Event != machine.Done {
		return res, err
	}
	change := skipper.ReleaseChange{
		Name: source.Name, Version: source.Version, Status: skipper.StatusDeleted, Description: "Delete complete",
	}
	// Recorded: also a source that was deleted before counts as one that could not be deleted.
	if res.Error != nil || source.Info.Status.StatusCode == skipper.StatusDeleted {
		change.Status = skipper.StatusFailed
		change.Description = notRemoved
	}
	target, err := r.stands(ctx, op)
	if err != nil {
		return Result{}, err
	}
	// The new version stands whatever is left of the old one: that is an open compensation.
	res.Outcome, res.Error = skipper.OutcomeSucceeded, nil
	res.Release = []skipper.ReleaseChange{target, change}
	return res, nil
}

// remove deletes a release, and what still drains of its earlier versions.
func (r *Rollout) remove(ctx context.Context, op skipper.Operation) (Result, error) {
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	rows, err := r.rowsOf(ctx, op, rel.Apps)
	if err != nil {
		return Result{}, err
	}
	if op.Cancel && len(rows) > 0 {
		return stopRemoval(rows), nil
	}
	res, err := r.endDraining(ctx, op, rows)
	if err != nil || res.Event != "" {
		return res, err
	}
	drained, err := r.store.Deployments(ctx, op.Plan.Account, op.Plan.Retiring)
	if err != nil {
		return Result{}, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	res, err = r.removeAll(ctx, op, append(rows, drained...))
	if err != nil || res.Event != machine.Done {
		return res, err
	}
	if op.Plan.Package != "" {
		if err := r.packages(ctx, op.Plan.Package, op.ReleaseName); err != nil {
			res.Message += "; the package stays: " + skipper.MessageOf(err)
		}
	}
	// As in Skipper the release is deleted also when something is left; that is an open compensation.
	res.Outcome, res.Error = skipper.OutcomeSucceeded, nil
	res.Release = []skipper.ReleaseChange{{
		Name: rel.Name, Version: rel.Version, Status: skipper.StatusDeleted, Description: "Delete complete",
	}}
	return res, nil
}

// stopRemoval is what a cancel of a delete comes to: what is gone is gone, and the rest stays with the release, which is
// as it was and can be deleted again.
func stopRemoval(rows []skipper.Deployment) Result {
	left := make([]string, 0, len(rows))
	for _, d := range rows {
		left = append(left, d.DeploymentID)
	}
	err := skipper.Errorf(skipper.CodeCancelled,
		"Cancelled before all was removed: %s stay; the release can be deleted again.", strings.Join(left, ", "))
	return Result{
		Event: machine.Stop, Message: err.Message, Error: operationError(err), Outcome: skipper.OutcomeCancelled, Rewant: left,
	}
}

func (r *Rollout) rowsOf(ctx context.Context, op skipper.Operation, apps []skipper.AppDeployment,
) ([]skipper.Deployment, error) {
	rows, err := r.store.Deployments(ctx, op.Plan.Account, ids(apps))
	if err != nil {
		return nil, fmt.Errorf("load deployments of operation %s: %w", op.ID, err)
	}
	return rows, nil
}

// removeAll removes deployments from their platform and forgets those that are gone. The result is MORE when that they
// have to go must be written first, DONE when none is left or the deadline came (then with an error that names what is
// left: it is an open compensation from then on), else RETRY.
func (r *Rollout) removeAll(ctx context.Context, op skipper.Operation, rows []skipper.Deployment) (Result, error) {
	mark := Result{Event: machine.More}
	for _, d := range rows {
		if d.Wanted {
			mark.Unwant = append(mark.Unwant, d.DeploymentID)
		}
	}
	if mark.Unwant != nil {
		mark.Message = strings.Join(mark.Unwant, ", ") + " must go"
		return mark, nil
	}
	limited, cancel := r.limited(ctx, op)
	defer cancel()
	left := make([]error, len(rows))
	var group sync.WaitGroup
	for i, d := range rows {
		group.Go(func() {
			left[i] = unanswered(ctx, limited, r.removeOne(limited, d,
				func() error { return stored(r.store.CheckToken(ctx, op.ID, op.Token)) },
				func() error { return stored(r.store.ForgetDeployment(ctx, op.ID, op.Token, d.Account, d.DeploymentID)) }))
		})
	}
	group.Wait()
	var why []string
	for i, err := range left {
		if err != nil && fail(ctx, err) {
			return Result{}, err
		} else if err != nil {
			why = append(why, fmt.Sprintf("%s: %v", rows[i].DeploymentID, err))
		}
	}
	switch {
	case len(why) == 0:
		return Result{Event: machine.Done, Message: "nothing is left to remove"}, nil
	case !r.late(op):
		return Result{Event: machine.Retry, Message: strings.Join(why, "; ")}, nil
	}
	message := strings.Join(why, "; ")
	err := skipper.Errorf(skipper.CodeUnavailable, "not removed yet, and retried until it is: %s", message)
	return Result{Event: machine.Done, Message: err.Message, Error: operationError(err)}, nil
}

// removeOne removes one deployment and forgets it when the platform has nothing of it any more.
func (r *Rollout) removeOne(ctx context.Context, d skipper.Deployment, check, forget func() error) error {
	account, err := r.accounts.Named(d.Account)
	if err != nil {
		return err
	}
	free, err := r.slot(ctx, d.Account)
	if err != nil {
		return err
	}
	defer free()
	if err := check(); err != nil {
		return err
	}
	if err := account.Deployer.Undeploy(ctx, r.ownerOf(d), handleOf(d)); err != nil {
		return err
	}
	status, err := account.Deployer.Status(ctx, []deployer.Handle{handleOf(d)})
	if err != nil {
		return err
	}
	if s := status[d.DeploymentID]; s.State != skipper.StateUnknown {
		return deployer.Errorf(deployer.ErrUnavailable, "it is still %s", s.State)
	}
	return forget()
}
