package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// check asks whether every application of the new version is deployed, those carried over included.
func (r *Rollout) check(ctx context.Context, op skipper.Operation) (Result, error) {
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	waits, err := r.notDeployed(ctx, rel)
	switch {
	case err != nil:
		return Result{}, err
	case len(waits) == 0:
		return Result{Event: machine.Healthy, Message: "all applications are deployed"}, nil
	case op.Cancel || !r.late(op):
		return Result{Event: machine.Pending, Due: r.nextLook(op), Message: sentence(waits)}, nil
	}
	err = skipper.Errorf(skipper.CodeTimeout,
		"Did not detect apps in replacing release as healthy after %d ms.", op.Plan.Timeout)
	return Result{
		Event: machine.Timeout, Message: sentence(waits), Error: failed(err, r.cause(ctx, rel.PlatformName, waits)),
	}, nil
}

// checkInstalled is check for a new release that was asked to be healthy before it counts. There is no version before
// it that runs on meanwhile, so an application that has failed for good ends it at once.
func (r *Rollout) checkInstalled(ctx context.Context, op skipper.Operation) (Result, error) {
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	waits, err := r.notDeployed(ctx, rel)
	switch {
	case err != nil:
		return Result{}, err
	case len(waits) == 0:
		res, err := r.installed(ctx, rel)
		res.Event, res.Message = machine.Healthy, "all applications are deployed"
		return res, err
	case final(waits):
		err = skipper.Errorf(skipper.CodeConflict, "Release [%s] was not installed: %s", rel.Name, sentence(waits))
		return Result{
			Event: machine.Failed, Message: sentence(waits), Error: failed(err, r.cause(ctx, rel.PlatformName, waits)),
		}, nil
	case !r.late(op):
		return Result{Event: machine.Pending, Due: r.nextLook(op), Message: sentence(waits)}, nil
	}
	err = skipper.Errorf(skipper.CodeTimeout, "Release [%s] was not installed: its applications were not healthy after %d ms.",
		rel.Name, op.Plan.Timeout)
	return Result{
		Event: machine.Timeout, Message: sentence(waits), Error: failed(err, r.cause(ctx, rel.PlatformName, waits)),
	}, nil
}

// nextLook is when applications that wait to be healthy are looked at again; at once when a cancel waits for that.
func (r *Rollout) nextLook(op skipper.Operation) time.Time {
	now := r.clock()
	if op.Cancel || op.Plan.CutOff == nil {
		return now
	}
	return r.nextCheck(now, *op.Plan.CutOff)
}

// reason tells why, where an instance says so.
func reason(a skipper.AppStatus) string {
	for _, id := range slices.Sorted(maps.Keys(a.Instances)) {
		if why := a.Instances[id].Attributes[deployer.AttributeReason]; why != "" {
			return " (" + why + ")"
		}
	}
	return ""
}

// PlatformStatus asks the platform for every application of a release that was handed over, in the order of its
// manifest. Each instance carries the three attributes that Skipper adds.
func (r *Rollout) PlatformStatus(ctx context.Context, rel skipper.Release) ([]skipper.AppStatus, error) {
	account, err := r.accounts.Named(rel.PlatformName)
	if err != nil {
		return nil, err
	}
	handles, err := r.handles(ctx, account.Name, rel.Apps)
	if err != nil {
		return nil, stored(err)
	}
	known, err := r.ask(ctx, account, handles)
	if err != nil {
		return nil, fmt.Errorf("ask platform %q: %w", account.Name, err)
	}
	out := make([]skipper.AppStatus, 0, len(rel.Apps))
	for _, a := range rel.Apps {
		status, ok := known[a.ID]
		if !ok {
			status = skipper.AppStatus{DeploymentID: a.ID, State: skipper.StateUnknown}
		}
		out = append(out, attributed(status, rel, a.App))
	}
	return out, nil
}

// status is the platform status as it is kept; nil where the platform cannot be asked now: the next round of the status
// updater brings it. Only an error of the store is one.
func (r *Rollout) status(ctx context.Context, rel skipper.Release) (*string, error) {
	apps, err := r.PlatformStatus(ctx, rel)
	if err != nil {
		if fail(ctx, err) {
			return nil, err
		}
		return nil, nil
	}
	text := skipper.PlatformStatusOf(apps)
	return &text, nil
}

// attributed copies a status and adds Skipper's attributes; the version is that of the release asked for, also where an
// application was carried over (clients.md, Data Flow item 7).
func attributed(status skipper.AppStatus, rel skipper.Release, app string) skipper.AppStatus {
	instances := make(map[string]skipper.AppInstanceStatus, len(status.Instances))
	for id, i := range status.Instances {
		attributes := map[string]string{}
		maps.Copy(attributes, i.Attributes)
		attributes["skipper.application.name"] = app
		attributes["skipper.release.name"] = rel.Name
		attributes["skipper.release.version"] = strconv.Itoa(rel.Version)
		i.Attributes = attributes
		instances[id] = i
	}
	status.Instances = instances
	return status
}

// Logs gives the output of every application of a release, by deployment id; only those whose id passes the filter.
func (r *Rollout) Logs(ctx context.Context, rel skipper.Release, limit int64, filter func(id string) bool,
) (map[string]string, error) {
	out := map[string]string{}
	account, err := r.accounts.Named(rel.PlatformName)
	if err != nil {
		return nil, err
	}
	var wanted []skipper.AppDeployment
	for _, a := range rel.Apps {
		if filter(a.ID) {
			wanted = append(wanted, a)
		}
	}
	handles, err := r.handles(ctx, account.Name, wanted)
	if err != nil {
		return nil, err
	}
	for _, h := range handles {
		text, err := account.Deployer.Logs(ctx, h, limit)
		if err != nil {
			return nil, logError(h, err)
		}
		out[h.ID] = text
	}
	return out, nil
}

func logError(h deployer.Handle, err error) error {
	if deployer.Retry(err) {
		return skipper.Errorf(skipper.CodeUnavailable, "the logs of %s cannot be read now: %w", h.ID, err)
	}
	return skipper.Errorf(skipper.CodeConflict, "the logs of %s cannot be read: %w", h.ID, err)
}
