package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// install hands one more application of a new release to its platform; after the last one the release stands, or its
// applications have to become healthy first.
func (r *Rollout) install(ctx context.Context, op skipper.Operation) (Result, error) {
	rel, apps, err := r.target(ctx, op)
	if err != nil {
		return Result{}, err
	}
	app, left := next(rel, apps, func(string) bool { return true })
	if left > 0 {
		res, done, err := r.deployNext(ctx, op, rel, app)
		if err != nil || res.Event != machine.More {
			return res, err
		}
		rel.Apps = done
		if left > 1 {
			return res, nil
		}
	}
	if op.Plan.HealthGate {
		return r.gated(op, rel), nil
	}
	return r.installed(ctx, rel)
}

// gated starts the clock of the health check of a new release, which stays UNKNOWN meanwhile.
func (r *Rollout) gated(op skipper.Operation, rel skipper.Release) Result {
	plan, due := r.clocked(op.Plan)
	return Result{
		Event: machine.Wait, Plan: &plan, Due: due,
		Release: []skipper.ReleaseChange{{Name: rel.Name, Version: rel.Version, Apps: rel.Apps}},
		Message: fmt.Sprintf("the platform accepted %s; they have %d ms to become healthy", names(rel.Apps), plan.Timeout),
	}
}

// clocked is a plan whose applications were handed over now, and when they are looked at first.
func (r *Rollout) clocked(plan skipper.Plan) (skipper.Plan, time.Time) {
	now := r.clock()
	cutOff := now.Add(time.Duration(plan.Timeout) * time.Millisecond)
	plan.HandedOver, plan.CutOff = &now, &cutOff
	return plan, r.nextCheck(now, cutOff)
}

func (r *Rollout) installed(ctx context.Context, rel skipper.Release) (Result, error) {
	change := skipper.ReleaseChange{
		Name: rel.Name, Version: rel.Version, Apps: rel.Apps,
		Status: skipper.StatusDeployed, Description: "Install complete",
	}
	if rel.Apps == nil {
		change.Apps = []skipper.AppDeployment{}
	}
	var err error
	if change.PlatformStatus, err = r.status(ctx, rel); err != nil {
		return Result{}, err
	}
	return Result{
		Event: machine.Done, Outcome: skipper.OutcomeSucceeded, Release: []skipper.ReleaseChange{change},
		Message: "the platform accepted " + names(change.Apps),
	}, nil
}

// deployTarget hands one more new application of an upgrade to the platform; after the last one the wait begins.
func (r *Rollout) deployTarget(ctx context.Context, op skipper.Operation) (Result, error) {
	rel, apps, err := r.target(ctx, op)
	if err != nil {
		return Result{}, err
	}
	app, left := next(rel, apps, func(name string) bool { return slices.Contains(op.Plan.Apps, name) })
	if left == 0 {
		return r.handedOver(ctx, op, rel, apps)
	}
	res, done, err := r.deployNext(ctx, op, rel, app)
	if err != nil || res.Event == machine.Retry {
		return res, err
	}
	if res.Event == machine.Failed {
		res.Release = []skipper.ReleaseChange{{
			Name: rel.Name, Version: rel.Version, Status: skipper.StatusFailed, Description: "Could not deploy app.",
		}}
		return res, nil
	}
	rel.Apps = done
	if left > 1 {
		return res, nil
	}
	return r.handedOver(ctx, op, rel, apps)
}

// handedOver notes which deployment stands for each application, those of the source that are carried over included,
// and starts the clock of the health check.
func (r *Rollout) handedOver(ctx context.Context, op skipper.Operation, rel skipper.Release, apps []manifest.Application,
) (Result, error) {
	source, err := r.store.Release(ctx, op.ReleaseName, op.SourceVersion)
	if err != nil {
		return Result{}, fmt.Errorf("load source of operation %s: %w", op.ID, err)
	}
	fresh, kept := deployed(rel), deployed(source)
	all := []skipper.AppDeployment{}
	for _, a := range apps {
		id, ok := fresh[a.Name]
		if !ok {
			id, ok = kept[a.Name]
		}
		if ok {
			all = append(all, skipper.AppDeployment{App: a.Name, ID: id})
		}
	}
	plan, due := r.clocked(op.Plan)
	return Result{
		Event: machine.Done, Plan: &plan, Due: due,
		Release: []skipper.ReleaseChange{{Name: rel.Name, Version: rel.Version, Apps: all}},
		Message: fmt.Sprintf("the platform accepted the new applications; they have %d ms to become healthy", plan.Timeout),
	}, nil
}

// nextCheck is one period from now, though not after the cut-off: that is when the last check is due.
func (r *Rollout) nextCheck(now, cutOff time.Time) time.Time {
	due := now.Add(r.config.HealthPeriod)
	if cutOff.Before(due) && now.Before(cutOff) {
		return cutOff
	}
	return due
}

// next finds the first of the applications to be deployed that was not handed over, and how many are left.
func next(rel skipper.Release, apps []manifest.Application, due func(name string) bool) (manifest.Application, int) {
	done := deployed(rel)
	var first manifest.Application
	left := 0
	for _, a := range apps {
		if _, ok := done[a.Name]; ok || !due(a.Name) {
			continue
		}
		if left == 0 {
			first = a
		}
		left++
	}
	return first, left
}

// deployNext hands one application over. The result is MORE with the grown list of deployments, RETRY or FAILED.
func (r *Rollout) deployNext(ctx context.Context, op skipper.Operation, rel skipper.Release, app manifest.Application,
) (Result, []skipper.AppDeployment, error) {
	id, err := r.deploy(ctx, op, rel, app)
	switch {
	case err != nil && fail(ctx, err):
		return Result{}, nil, err
	case err != nil && deployer.Retry(err) && !r.late(op):
		return Result{Event: machine.Retry, Message: fmt.Sprintf("%s: %v", app.Name, err)}, nil, nil
	case err != nil:
		refused := skipper.Errorf(skipper.CodeConflict,
			"Could not install application [%s] of release [%s] to platform [%s].  Error Message = [%w]",
			app.Name, rel.Name, op.Plan.Account, err)
		return Result{
			Event: machine.Failed, Message: refused.Message, Error: failed(refused, r.refusal(ctx, op, app.Name, id, err)),
		}, nil, nil
	}
	done := append(slices.Clone(rel.Apps), skipper.AppDeployment{App: app.Name, ID: id})
	return Result{
		Event: machine.More, Message: "the platform accepted " + id,
		Release: []skipper.ReleaseChange{{Name: rel.Name, Version: rel.Version, Apps: done}},
	}, done, nil
}

// deploy asks the platform for one application: intent first, then the effect, then what came of it.
func (r *Rollout) deploy(ctx context.Context, op skipper.Operation, rel skipper.Release, app manifest.Application,
) (string, error) {
	account, err := r.accounts.Named(op.Plan.Account)
	if err != nil {
		return "", deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	req, err := r.Request(rel, app)
	if err != nil {
		return "", deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	id, err := account.Deployer.ID(req)
	if err != nil {
		return "", err
	}
	row, err := r.store.WantDeployment(ctx, op.ID, op.Token, skipper.Deployment{
		Account: account.Name, DeploymentID: id, ReleaseName: rel.Name, ReleaseVersion: rel.Version, App: app.Name,
		SpecHash: deployer.SpecHash(req), Wanted: true, Due: r.careOf(account.Name),
	})
	if skipper.CodeOf(err) == skipper.CodeConflict {
		return "", deployer.Errorf(deployer.ErrExists, "%w", err)
	} else if err != nil {
		return "", stored(err)
	}
	return id, r.hand(ctx, op, account, req, row)
}

// hand makes the platform call and keeps its handle; what the deployer saved before the effect stays when it fails.
func (r *Rollout) hand(ctx context.Context, op skipper.Operation, account deployer.Account, req deployer.Request,
	row skipper.Deployment,
) error {
	limited, cancel := r.limited(ctx, op)
	defer cancel()
	free, err := r.slot(limited, account.Name)
	if err != nil {
		return unanswered(ctx, limited, err)
	}
	defer free()
	save := func(h deployer.Handle) error {
		return stored(r.store.SaveHandle(ctx, op.ID, op.Token, account.Name, row.DeploymentID, h.Data, h.SpecHash))
	}
	if err := r.store.CheckToken(ctx, op.ID, op.Token); err != nil {
		return stored(err)
	}
	var previous *deployer.Handle
	if row.Handle != nil {
		h := handleOf(row)
		previous = &h
	}
	handing, end := r.handing(limited, op)
	handle, err := account.Deployer.Deploy(handing, req, previous, save)
	err = unanswered(ctx, handing, err)
	end()
	if errors.Is(err, skipper.ErrStale) {
		return err // it stopped before the effect
	}
	if saveErr := r.keep(ctx, op, row, handle); errors.Is(saveErr, skipper.ErrStale) {
		return errors.Join(saveErr, r.disown(ctx, row))
	} else if saveErr != nil {
		return saveErr
	}
	return err
}

// keep stores what a platform call came to, also when the server stops at this moment: an effect that nobody noted would
// be brought about again.
func (r *Rollout) keep(ctx context.Context, op skipper.Operation, row skipper.Deployment, h deployer.Handle) error {
	if h.Data == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return stored(r.store.SaveHandle(ctx, op.ID, op.Token, row.Account, row.DeploymentID, h.Data, h.SpecHash))
}

// stored marks an error as one of the store.
func stored(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errStore, err)
}

// Request is what the deployer is asked for an application of a release (deployers.md 1.2).
func (r *Rollout) Request(rel skipper.Release, app manifest.Application) (deployer.Request, error) {
	ref, err := resource.Parse(app.Resource, app.Version)
	if err != nil {
		return deployer.Request{}, skipper.Errorf(skipper.CodeConflict,
			"Could not load Resource %s. Message = %s", app.Resource, skipper.MessageOf(err))
	}
	properties := app.DeploymentProperties.Map()
	if properties[deployer.GroupKey] == "" {
		properties[deployer.GroupKey] = rel.Name
	}
	properties[deployer.AppNameKey] = app.Name
	count, err := Count(properties)
	if err != nil {
		return deployer.Request{}, err
	}
	return deployer.Request{
		Owner: deployer.Owner{
			Installation: r.config.Installation, Account: rel.PlatformName,
			Release: rel.Name, Version: rel.Version, App: app.Name,
		},
		Name: app.Name + "-v" + strconv.Itoa(rel.Version), Group: properties[deployer.GroupKey],
		Properties: app.ApplicationProperties.Map(), Deployment: properties, Resource: ref,
		Count: count, Indexed: properties[deployer.IndexedKey] == "true",
	}, nil
}

// Count reads the number of instances from deployment properties; 1 when they do not say.
func Count(properties map[string]string) (int, error) {
	text := properties[deployer.CountKey]
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1000 {
		return 0, skipper.Errorf(skipper.CodeConflict,
			"%s is %q; a number of instances from 0 to 1000 is due", deployer.CountKey, text)
	}
	return n, nil
}
