// Package operation walks operations: it leases a row, does its present step, writes what the step came to, and goes on.
//
// Nothing of an operation lives in memory only. A server that is killed leaves rows whose lease runs out; any server on
// the same store takes them over, with a greater fencing token, and repeats the step that was under way. Waiting is a
// row with a due time. Every state has a deadline and an exit, so every operation ends.
package operation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
	"github.com/skiff-project/skiff/server/rollout"
)

// Store is what the engine needs kept.
type Store interface {
	Operation(ctx context.Context, id string) (skipper.Operation, error)
	Lease(ctx context.Context, owner string, now, until time.Time, limit int, elsewhere []string,
	) ([]skipper.Operation, error)
	Renew(ctx context.Context, id string, token int64, until time.Time) error
	Advance(ctx context.Context, token int64, a skipper.Advance) error
	Yield(ctx context.Context, id string, token int64) error
	NextDue(ctx context.Context, now time.Time, elsewhere []string) (time.Time, bool, error)
	ClaimCompensations(ctx context.Context, now, until time.Time, limit int, elsewhere []string,
	) ([]skipper.Deployment, error)
	DeferCompensation(ctx context.Context, account, deploymentID string, due time.Time, attempt int, lastError string) error
	EndCompensation(ctx context.Context, account, deploymentID string) error
	QueueStore
	UpkeepStore
}

// Stepper does steps; rollout.Rollout is one.
type Stepper interface {
	Step(ctx context.Context, op skipper.Operation) (rollout.Result, error)
	Deadline(op skipper.Operation, state skipper.State) time.Time
	// Compensate removes a deployment; it gives a time when that is left alone for now and to be looked at again then.
	Compensate(ctx context.Context, d skipper.Deployment, forget func() error) (time.Time, error)
	// Maintained lists the accounts whose platforms look after applications.
	Maintained() []string
	GiveUp(ctx context.Context, op skipper.Operation, why error) (rollout.Result, error)
}

// Config is how the engine works; zero values take the defaults given.
type Config struct {
	Owner      string        // this server process; unlike any other, also of the same server before a restart
	Lease      time.Duration // 10 s; renewed after 3 tenths of it
	Poll       time.Duration // 1 s: how often the store is asked for work that nobody announced
	RetryBase  time.Duration // 200 ms: the wait after the first failed try, doubled each time
	RetryLimit time.Duration // 5 s: the longest wait between tries of a running operation
	SweepLimit time.Duration // 60 s: the longest wait between tries of an open compensation

	// Begin plans a queued operation as a command that comes now, and turns it into a running one; nil: operations that
	// are queued wait for another server. See begin for what its errors mean.
	Begin func(ctx context.Context, op skipper.Operation) error
	// Elsewhere lists the platform accounts that this server cannot reach, because they belong to another host: work on
	// them is left to others. nil: none.
	Elsewhere func() []string
	// Disturbed hears that an operation was taken over from a server, or lost to one: a platform call may have had its
	// effect too late for either. nil: nobody hears.
	Disturbed func()
}

const (
	leaseBatch = 64                     // operations taken at once
	waitPoll   = 200 * time.Millisecond // a waiting request looks into the store as often: another server may do the work
)

// Engine walks operations until it is stopped.
type Engine struct {
	store  Store
	steps  Stepper
	config Config
	clock  func() time.Time
	log    *slog.Logger

	wake    chan struct{}
	walkers sync.WaitGroup

	mu      sync.Mutex
	changed map[string]chan struct{} // by operation id: closed at its next change; kept only while somebody waits
}

// New makes an engine; Run starts it.
func New(store Store, steps Stepper, config Config, clock func() time.Time, log *slog.Logger) *Engine {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&config.Lease, 10*time.Second)
	def(&config.Poll, time.Second)
	def(&config.RetryBase, 200*time.Millisecond)
	def(&config.RetryLimit, 5*time.Second)
	def(&config.SweepLimit, time.Minute)
	if config.Elsewhere == nil {
		config.Elsewhere = func() []string { return nil }
	}
	if config.Disturbed == nil {
		config.Disturbed = func() {}
	}
	return &Engine{
		store: store, steps: steps, config: config, clock: clock, log: log,
		wake: make(chan struct{}, 1), changed: map[string]chan struct{}{},
	}
}

// Wake says that there may be work now.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run works until the context ends, then parks what is under way and returns. Steps that wait for a platform are
// interrupted: whoever comes next repeats them.
func (e *Engine) Run(ctx context.Context) {
	fault := ""
	for ctx.Err() == nil {
		err := e.upkeep(ctx)
		full, failed := e.take(ctx)
		err = errors.Join(err, failed, e.queue(ctx), e.sweep(ctx))
		fault = e.note(ctx, fault, err)
		if !full || err != nil {
			e.rest(ctx, err != nil)
		}
	}
	e.walkers.Wait()
}

// note logs what keeps the engine from working, once as long as it stays the same.
func (e *Engine) note(ctx context.Context, fault string, err error) string {
	switch {
	case ctx.Err() != nil || (err == nil && fault == ""):
		return fault
	case err == nil:
		e.log.InfoContext(ctx, "the store gives work again")
		return ""
	case err.Error() != fault:
		e.log.ErrorContext(ctx, "the store gives no work; it is asked again and again", "error", err)
	}
	return err.Error()
}

// asking bounds a question for work: a database that is gone without a word must not keep the only one who asks.
func (e *Engine) asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, e.config.Lease)
}

// take leases what is due and walks each in a goroutine of its own; it says whether there may be more.
func (e *Engine) take(ctx context.Context) (more bool, err error) {
	now := e.clock()
	asking, asked := e.asking(ctx)
	defer asked()
	ops, err := e.store.Lease(asking, e.config.Owner, now, now.Add(e.config.Lease), leaseBatch, e.config.Elsewhere())
	for _, op := range ops {
		if op.TakenOver {
			e.config.Disturbed()
		}
		e.walkers.Go(func() { e.walk(ctx, op) })
	}
	return len(ops) == leaseBatch, err
}

// rest waits until something is due, somebody wakes the engine, or the poll interval is over. After a fault it waits for
// all of the interval: a store that cannot write may well go on saying that something is due.
func (e *Engine) rest(ctx context.Context, fault bool) {
	wait := e.config.Poll
	now := e.clock()
	asking, asked := e.asking(ctx)
	due, ok, err := e.store.NextDue(asking, now, e.config.Elsewhere())
	asked()
	if err == nil && ok && !fault {
		wait = min(wait, max(due.Sub(now), time.Millisecond))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.wakes(fault):
	case <-ctx.Done():
	}
}

// wakes is the channel that ends a rest early; none after a fault.
func (e *Engine) wakes(fault bool) <-chan struct{} {
	if fault {
		return nil
	}
	return e.wake
}

// walk does steps of one leased operation until it ends, has to wait, or the lease is lost.
func (e *Engine) walk(parent context.Context, op skipper.Operation) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	log := e.log.With("operation", op.ID, "kind", op.Kind, "release", op.ReleaseName)
	var renewal sync.WaitGroup
	defer renewal.Wait()
	defer cancel()
	leased := op // op changes with each step
	renewal.Go(func() { e.renew(ctx, cancel, leased, log) })

	for {
		parked, err := e.step(ctx, op)
		switch {
		case errors.Is(err, skipper.ErrStale):
			log.WarnContext(ctx, "the lease was lost; another server goes on", "state", op.State)
			e.config.Disturbed()
			return
		case err != nil && !errors.Is(err, skipper.ErrChanged):
			e.park(parent, op, err, log)
			return
		case parked:
			return
		}
		next, err := e.store.Operation(ctx, op.ID)
		if err != nil {
			e.park(parent, op, err, log)
			return
		}
		if next.Token != leased.Token || !next.Running() {
			return // another server has it
		}
		op = next
	}
}

// park gives the lease back after a step that came to nothing, because the server stops or the store fails.
func (e *Engine) park(ctx context.Context, op skipper.Operation, err error, log *slog.Logger) {
	if ctx.Err() == nil {
		log.ErrorContext(ctx, "the operation cannot go on for now", "state", op.State, "error", err)
		return // the lease runs out in its own time, so a broken store is not asked in a loop
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := e.store.Yield(ctx, op.ID, op.Token); err != nil && !errors.Is(err, skipper.ErrStale) {
		log.WarnContext(ctx, "the lease could not be given back", "error", err)
	}
}

// renew keeps the lease until the walk is over. The walk ends while the lease still holds, when it could run out before
// the next try to renew it: from then on another server may be at work.
func (e *Engine) renew(ctx context.Context, lost context.CancelFunc, op skipper.Operation, log *slog.Logger) {
	period := e.config.Lease * 3 / 10
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	until := op.LeaseUntil
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := e.clock()
		// A renewal that hangs must not outlive the lease.
		try, cancel := context.WithTimeout(ctx, until.Sub(now)-e.config.Lease/10)
		err := e.store.Renew(try, op.ID, op.Token, now.Add(e.config.Lease))
		cancel()
		switch {
		case err == nil:
			until = now.Add(e.config.Lease)
		case errors.Is(err, skipper.ErrStale), e.clock().Add(period).After(until):
			log.WarnContext(ctx, "the lease cannot be renewed", "error", err)
			e.config.Disturbed()
			lost()
			return
		}
	}
}

// step does one step and writes it; parked says that the lease was given back or the operation has ended.
func (e *Engine) step(ctx context.Context, op skipper.Operation) (parked bool, err error) {
	res, err := e.try(ctx, op)
	if ctx.Err() != nil || errors.Is(err, skipper.ErrStale) || errors.Is(err, skipper.ErrChanged) {
		return false, errors.Join(err, ctx.Err())
	} else if err != nil {
		e.log.ErrorContext(ctx, "a step could not be done", "operation", op.ID, "state", op.State, "error", err)
		if res, err = e.cannot(ctx, op, err); err != nil {
			return false, err
		}
	}
	next, err := machine.Next(ctx, op.State, res.Event)
	if err != nil {
		return false, err
	}
	a := e.advance(op, res, next)
	// What the step did stands; the record of it must not be lost because the server stops at this moment.
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := e.store.Advance(write, op.Token, a); err != nil {
		return false, fmt.Errorf("record step: %w", err)
	}
	e.announce(op.ID)
	if !a.Operation.Running() {
		e.Wake() // the next one may wait for its turn
	}
	return a.Park || !a.Operation.Running(), nil
}

// try does the step; a panic in it is an internal error like any other.
func (e *Engine) try(ctx context.Context, op skipper.Operation) (res rollout.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.log.ErrorContext(ctx, "a step panicked", "operation", op.ID, "state", op.State, "panic", p,
				"stack", string(debug.Stack()))
			err = skipper.Errorf(skipper.CodeInternal, "step %s panicked", op.State)
		}
	}()
	return e.steps.Step(ctx, op)
}

// cannot is what a step comes to that failed for a reason of ours: tried again until the deadline, then given up, so that
// no defect keeps an operation for ever.
func (e *Engine) cannot(ctx context.Context, op skipper.Operation, why error) (rollout.Result, error) {
	if e.clock().Before(op.Deadline) {
		return rollout.Result{Event: machine.Retry, Message: skipper.MessageOf(why)}, nil
	}
	return e.steps.GiveUp(ctx, op, why)
}

// advance turns a result into what is written.
func (e *Engine) advance(op skipper.Operation, res rollout.Result, next skipper.State) skipper.Advance {
	now := e.clock()
	from := op.State
	op.State, op.Updated, op.Due = next, now, now
	if res.Plan != nil {
		op.Plan = *res.Plan
	}
	if res.Error != nil {
		op.Error = res.Error
	}
	if !res.Due.IsZero() {
		op.Due = res.Due
	}
	switch res.Event {
	case machine.Retry:
		op.Attempt++
		op.Due = now.Add(e.backoff(op.Attempt, e.config.RetryLimit))
		if op.Due.After(op.Deadline) && now.Before(op.Deadline) {
			op.Due = op.Deadline // the last try
		}
	case machine.More:
		op.Attempt = 0
	default:
		op.Attempt = 0
		op.Deadline = e.steps.Deadline(op, next)
	}
	if next == skipper.StateInitial {
		op.Outcome, op.Ended = res.Outcome, &now
	}
	return skipper.Advance{
		Operation: op, Release: res.Release, Unwant: res.Unwant, Rewant: res.Rewant, Retire: res.Retire,
		Care: res.Care, Park: op.Due.After(now),
		Event: &skipper.OperationEvent{
			OperationID: op.ID, Time: now, From: from, Event: string(res.Event), To: next, Message: res.Message,
		},
	}
}

func (e *Engine) backoff(attempt int, limit time.Duration) time.Duration {
	return min(limit, e.config.RetryBase<<min(attempt-1, 20))
}

// sweep tries to remove what ended operations left behind.
func (e *Engine) sweep(ctx context.Context) error {
	now := e.clock()
	asking, asked := e.asking(ctx)
	defer asked()
	rows, err := e.store.ClaimCompensations(asking, now, now.Add(e.config.Lease), leaseBatch, e.config.Elsewhere())
	for _, d := range rows {
		e.walkers.Go(func() { e.compensate(ctx, d) })
	}
	return err
}

func (e *Engine) compensate(ctx context.Context, d skipper.Deployment) {
	limited, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	var claim sync.WaitGroup
	claim.Go(func() { e.claim(limited, cancel, d) })
	again, err := e.steps.Compensate(limited, d, func() error {
		return e.store.EndCompensation(limited, d.Account, d.DeploymentID)
	})
	cancel()
	claim.Wait()
	if errors.Is(err, skipper.ErrStale) {
		return // another server has ended it
	}
	write, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	if err == nil && !again.IsZero() {
		if err := e.store.DeferCompensation(write, d.Account, d.DeploymentID, again, 0, ""); err != nil {
			e.log.WarnContext(ctx, "cannot defer a compensation", "deployment", d.DeploymentID, "error", err)
		}
		return
	}
	if err == nil {
		e.log.InfoContext(ctx, "removed what an operation left", "deployment", d.DeploymentID, "account", d.Account)
		return
	}
	attempt := d.Attempt + 1
	due := e.clock().Add(e.backoff(attempt, e.config.SweepLimit))
	if err := e.store.DeferCompensation(write, d.Account, d.DeploymentID, due, attempt, err.Error()); err != nil {
		e.log.WarnContext(ctx, "cannot defer a compensation", "deployment", d.DeploymentID, "error", err)
	}
	e.log.WarnContext(ctx, "cannot remove what an operation left; it is tried again", "deployment", d.DeploymentID,
		"account", d.Account, "attempt", attempt, "error", err)
}

// claim makes the claim on a compensation last as long as it is worked on, so that no two servers remove the same at
// once, and that another one goes on soon when this one dies.
func (e *Engine) claim(ctx context.Context, lost context.CancelFunc, d skipper.Deployment) {
	ticker := time.NewTicker(e.config.Lease * 3 / 10)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		try, cancel := context.WithTimeout(ctx, e.config.Lease*3/10)
		err := e.store.DeferCompensation(try, d.Account, d.DeploymentID, e.clock().Add(e.config.Lease), d.Attempt, d.LastError)
		cancel()
		if err != nil {
			lost()
			return
		}
	}
}

// Wait blocks until the operation has ended, or done says it has come far enough, and gives it as it stands then. When
// the context ends first, it gives the operation as last seen with the context's error.
func (e *Engine) Wait(ctx context.Context, id string, done func(skipper.Operation) bool) (skipper.Operation, error) {
	ticker := time.NewTicker(waitPoll)
	defer ticker.Stop()
	defer e.forget(id)
	for {
		changed := e.watch(id)
		op, err := e.store.Operation(ctx, id)
		if err != nil && ctx.Err() == nil {
			return op, fmt.Errorf("wait for operation %s: %w", id, err)
		}
		if err == nil && (!op.Unfinished() || done(op)) {
			return op, nil
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return op, ctx.Err()
		}
	}
}

func (e *Engine) watch(id string) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed[id] == nil {
		e.changed[id] = make(chan struct{})
	}
	return e.changed[id]
}

func (e *Engine) announce(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.changed[id]; c != nil {
		close(c)
		delete(e.changed, id)
	}
}

// forget wakes others who wait for the same operation; each watches anew.
func (e *Engine) forget(id string) { e.announce(id) }
