// Package rollout does the steps of operations: it deploys, checks and removes the applications of a release.
//
// A step is idempotent: it may be run again after any crash, by this server or another. It commits the intent before
// it asks a platform (Store.WantDeployment), lets the deployer save its handle before the effect, and looks at what is
// there before it acts. What a step comes to is a Result; the operation package writes it, in one transaction.
package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// Store is what rollout needs kept. Methods with an operation id and a token refuse with skipper.ErrStale when the
// lease was lost.
type Store interface {
	Release(ctx context.Context, name string, version int) (skipper.Release, error)
	CheckToken(ctx context.Context, operationID string, token int64) error
	WantDeployment(ctx context.Context, operationID string, token int64, d skipper.Deployment) (skipper.Deployment, error)
	SaveHandle(ctx context.Context, operationID string, token int64, account, deploymentID string,
		handle json.RawMessage, specHash string) error
	ForgetDeployment(ctx context.Context, operationID string, token int64, account, deploymentID string) error
	Deployments(ctx context.Context, account string, ids []string) ([]skipper.Deployment, error)
	DeploymentsOf(ctx context.Context, releaseName string, version int) ([]skipper.Deployment, error)
	DeploymentsOfRelease(ctx context.Context, releaseName string) ([]skipper.Deployment, error)
	RunningOperation(ctx context.Context, releaseName string) (*skipper.Operation, error)
	CompensateOrphan(ctx context.Context, d skipper.Deployment) error
}

// Config says how long things may take.
type Config struct {
	Installation  string        // id of this installation, part of every owner mark
	HealthPeriod  time.Duration // between two health checks
	DeployTimeout time.Duration // for a platform to accept all applications of a release
	UndoTimeout   time.Duration // for applications to be gone; what is left then becomes an open compensation
	Parallel      int           // changing platform calls at once, per account
	// Care is the time from the last change of a deployment until its platform is first asked to look after it; 0: 1 min.
	Care   time.Duration
	Disown time.Duration // 10 s: an effect that came about after the lease was lost is followed up so long
	// Overrun is how long a platform call may go on past the deadline of the state it is made in; 10 s.
	Overrun time.Duration
	Ask     time.Duration // 20 s: for a platform to tell the status of applications
}

// Rollout does steps on the accounts of a server.
type Rollout struct {
	store    Store
	accounts deployer.Accounts
	config   Config
	clock    func() time.Time
	slots    map[string]chan struct{} // by account
	packages func(ctx context.Context, name, exceptRelease string) error
	doing    sync.Map // what an operation does right now, for people, by operation id
}

// New makes a Rollout. deletePackage removes a package with all its versions, not counting uses by one release.
func New(store Store, accounts deployer.Accounts, config Config, clock func() time.Time,
	deletePackage func(ctx context.Context, name, exceptRelease string) error,
) *Rollout {
	config.Disown = cmp.Or(config.Disown, 10*time.Second)
	config.Overrun, config.Ask = cmp.Or(config.Overrun, defaultOverrun), cmp.Or(config.Ask, defaultAsk)
	slots := map[string]chan struct{}{}
	for _, a := range accounts {
		slots[a.Name] = make(chan struct{}, max(1, config.Parallel))
	}
	return &Rollout{
		store: store, accounts: accounts, config: config, clock: clock, slots: slots, packages: deletePackage,
	}
}

// Result is what a step came to, and all that has to be written with it.
type Result struct {
	Event   machine.Event
	Message string                  // what was seen, for people
	Plan    *skipper.Plan           // when not nil: the plan from now on
	Due     time.Time               // zero: the next state is worked on at once
	Error   *skipper.OperationError // when not nil: why the operation fails
	Outcome skipper.Outcome         // when the operation ends with this step
	Release []skipper.ReleaseChange
	Unwant  []string // deployments that have to go from now on
	Rewant  []string // deployments that stay after all
	Retire  []skipper.Retirement
	Care    []skipper.Care
}

// Step does the present step of an operation. It gives an error only when the store fails or the lease is lost; what a
// platform answers is a Result.
func (r *Rollout) Step(ctx context.Context, op skipper.Operation) (Result, error) {
	if event, ok := machine.CancelEvent(op.State); ok && op.Cancel {
		return r.cancel(op, event), nil
	}
	switch op.State {
	case skipper.StateInstall:
		return r.install(ctx, op)
	case skipper.StateInstallWait:
		return r.checkInstalled(ctx, op)
	case skipper.StateCompensate:
		return r.compensate(ctx, op)
	case skipper.StateRollbackStart:
		return startRollback(op), nil
	case skipper.StateUpgradeStart:
		return Result{Event: machine.Done, Message: "the new applications are handed over next"}, nil
	case skipper.StateUpgradeDeploy:
		return r.deployTarget(ctx, op)
	case skipper.StateUpgradeWait:
		return Result{Event: machine.Tick}, nil
	case skipper.StateUpgradeCheck:
		return r.check(ctx, op)
	case skipper.StateUpgradeSucceed:
		return accept(op), nil
	case skipper.StateUpgradeFailed:
		return Result{Event: machine.Done, Message: "the new applications are removed next"}, nil
	case skipper.StateUpgradeDelete:
		return r.removeSource(ctx, op)
	case skipper.StateUpgradeCancel:
		return r.cancelTarget(ctx, op)
	case skipper.StateDelete:
		return r.remove(ctx, op)
	case skipper.StateScale:
		return r.scale(ctx, op)
	case skipper.StateRenew:
		return r.renew(ctx, op)
	case skipper.StateInitial, skipper.StateQueued:
	}
	return Result{}, skipper.Errorf(skipper.CodeInternal, "operation %s runs in state %q", op.ID, op.State)
}

// Deadline gives the time by which the exit of a state is taken, for an operation that enters it now.
func (r *Rollout) Deadline(op skipper.Operation, state skipper.State) time.Time {
	now := r.clock()
	switch state {
	case skipper.StateInstall, skipper.StateRollbackStart, skipper.StateUpgradeStart, skipper.StateUpgradeDeploy,
		skipper.StateScale, skipper.StateRenew:
		return now.Add(r.config.DeployTimeout)
	case skipper.StateInstallWait, skipper.StateUpgradeWait, skipper.StateUpgradeCheck, skipper.StateUpgradeSucceed,
		skipper.StateUpgradeFailed:
		if op.Plan.CutOff != nil {
			return *op.Plan.CutOff
		}
	case skipper.StateCompensate, skipper.StateUpgradeDelete, skipper.StateUpgradeCancel, skipper.StateDelete,
		skipper.StateInitial, skipper.StateQueued:
	}
	return now.Add(r.config.UndoTimeout)
}

// startRollback turns a rollback into what it was planned as.
func startRollback(op skipper.Operation) Result {
	if op.Plan.Install {
		return Result{Event: machine.Install, Message: "the release is deleted: the rollback installs it"}
	}
	return Result{Event: machine.Upgrade, Message: "the rollback upgrades to the earlier package and values"}
}

func operationError(err error) *skipper.OperationError {
	return &skipper.OperationError{Code: skipper.CodeOf(err), Message: skipper.MessageOf(err)}
}

// late says whether the present state is past its deadline.
func (r *Rollout) late(op skipper.Operation) bool { return !r.clock().Before(op.Deadline) }

// target loads the version that is made, with the applications of its manifest.
func (r *Rollout) target(ctx context.Context, op skipper.Operation) (skipper.Release, []manifest.Application, error) {
	rel, err := r.store.Release(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return rel, nil, fmt.Errorf("load target of operation %s: %w", op.ID, err)
	}
	if rel.Manifest == nil {
		return rel, nil, nil
	}
	apps, _, err := manifest.Parse(rel.Manifest.Data)
	if err != nil {
		return rel, nil, fmt.Errorf("read manifest of %s version %d: %w", rel.Name, rel.Version, err)
	}
	return rel, apps, nil
}

// deployed tells which applications of a release were handed over already, by application name.
func deployed(rel skipper.Release) map[string]string {
	out := make(map[string]string, len(rel.Apps))
	for _, a := range rel.Apps {
		out[a.App] = a.ID
	}
	return out
}

// handles gives the handles of an operation's account for deployment ids; ids without a row are left out.
func (r *Rollout) handles(ctx context.Context, account string, apps []skipper.AppDeployment) ([]deployer.Handle, error) {
	rows, err := r.store.Deployments(ctx, account, ids(apps))
	if err != nil {
		return nil, fmt.Errorf("load deployments: %w", err)
	}
	out := make([]deployer.Handle, 0, len(rows))
	for _, d := range rows {
		out = append(out, handleOf(d))
	}
	return out, nil
}

func handleOf(d skipper.Deployment) deployer.Handle {
	return deployer.Handle{ID: d.DeploymentID, SpecHash: d.SpecHash, Data: d.Handle}
}

func (r *Rollout) ownerOf(d skipper.Deployment) deployer.Owner {
	return deployer.Owner{
		Installation: r.config.Installation, Account: d.Account,
		Release: d.ReleaseName, Version: d.ReleaseVersion, App: d.App,
	}
}

// slot takes one of the account's places for changing calls, and gives the function that frees it.
func (r *Rollout) slot(ctx context.Context, account string) (func(), error) {
	slot := r.slots[account]
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fail says whether an error is one of the server itself (store gone, lease lost, server stopping), which ends the
// step without a result, and not one of a platform.
func fail(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, skipper.ErrStale) || errors.Is(err, errStore)
}

// errStore marks what the store answered inside a platform call.
var errStore = errors.New("store")

func names(apps []skipper.AppDeployment) string {
	return strings.Join(slices.Sorted(slices.Values(ids(apps))), ", ")
}
