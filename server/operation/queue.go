package operation

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// QueueStore keeps operations that wait for their turn.
type QueueStore interface {
	ClaimQueued(ctx context.Context, now, until time.Time, limit int, elsewhere []string) ([]skipper.Operation, error)
	DeferQueued(ctx context.Context, id string, due time.Time, attempt int, message string) error
	EndQueued(ctx context.Context, id string, why *skipper.Error) error
}

// queue begins the operations whose turn it is, each in a goroutine of its own, and ends those that waited too long.
// Should two servers plan the same operation, because one of them lost its claim: one turns the row into a running one,
// and the other changes nothing.
func (e *Engine) queue(ctx context.Context) error {
	if e.config.Begin == nil {
		return nil
	}
	now := e.clock()
	asking, asked := e.asking(ctx)
	defer asked()
	ops, err := e.store.ClaimQueued(asking, now, now.Add(e.config.Lease), leaseBatch, e.config.Elsewhere())
	for _, op := range ops {
		e.walkers.Go(func() { e.begin(ctx, op) })
	}
	return err
}

// begin lets one queued operation begin. What the plan answers ends it, but for what may pass: a release that is busy
// after all, and something that cannot be reached now. A server that stops leaves it queued.
func (e *Engine) begin(ctx context.Context, op skipper.Operation) {
	log := e.log.With("operation", op.ID, "kind", op.Kind, "release", op.ReleaseName)
	now := e.clock()
	var err error
	if now.Before(op.Deadline) {
		err = e.plan(ctx, op, op.Deadline.Sub(now))
	} else {
		err = skipper.Errorf(skipper.CodeTimeout, "It could not begin within %s: release %q was busy; "+
			"give the command again, or raise operation.queue-timeout", op.Deadline.Sub(op.Created), op.ReleaseName)
	}
	if ctx.Err() != nil {
		return
	}
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	switch code := skipper.CodeOf(err); {
	case err == nil:
		log.InfoContext(ctx, "a queued operation begins")
	case errors.Is(err, skipper.ErrStale):
		return // another server began it, or it was cancelled
	case code == skipper.CodeBusy:
		err = e.store.DeferQueued(write, op.ID, e.clock(), op.Attempt, "")
	case (code == skipper.CodeUnavailable || code == skipper.CodeTimeout) && e.clock().Before(op.Deadline):
		due := e.clock().Add(e.backoff(op.Attempt+1, e.config.RetryLimit))
		if due.After(op.Deadline) {
			due = op.Deadline
		}
		err = e.store.DeferQueued(write, op.ID, due, op.Attempt+1, skipper.MessageOf(err))
	default:
		log.WarnContext(ctx, "a queued operation does not begin", "error", err)
		err = e.store.EndQueued(write, op.ID, &skipper.Error{Code: code, Message: skipper.MessageOf(err)})
	}
	if err != nil && !errors.Is(err, skipper.ErrStale) {
		log.ErrorContext(ctx, "what became of a queued operation cannot be written; it is tried again", "error", err)
		return
	}
	e.announce(op.ID)
	e.Wake()
}

// plan calls Begin, and keeps the claim on the row meanwhile. A panic is an internal error like any other.
func (e *Engine) plan(ctx context.Context, op skipper.Operation, limit time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	var holder sync.WaitGroup
	defer holder.Wait()
	defer cancel()
	holder.Go(func() { e.hold(ctx, op) })
	defer func() {
		if p := recover(); p != nil {
			e.log.ErrorContext(ctx, "planning an operation panicked", "operation", op.ID, "panic", p,
				"stack", string(debug.Stack()))
			err = skipper.Errorf(skipper.CodeInternal, "planning operation %s panicked", op.ID)
		}
	}()
	return e.config.Begin(ctx, op)
}

// hold renews a claim until the context ends or the operation is not queued any more.
func (e *Engine) hold(ctx context.Context, op skipper.Operation) {
	ticker := time.NewTicker(e.config.Lease * 3 / 10)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := e.store.DeferQueued(ctx, op.ID, e.clock().Add(e.config.Lease), op.Attempt, "")
		if errors.Is(err, skipper.ErrStale) {
			return
		}
	}
}
