package operation

import (
	"context"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// ReadStore is what reading operations needs.
type ReadStore interface {
	Operation(ctx context.Context, id string) (skipper.Operation, error)
	Operations(ctx context.Context, filter skipper.OperationFilter, page skipper.PageRequest,
	) (skipper.Page[skipper.Operation], error)
	Unfinished(ctx context.Context, releaseNames []string, limit int) ([]skipper.Operation, error)
	OperationEvents(ctx context.Context, id string, after int64) ([]skipper.OperationEvent, error)
	RunningOperations(ctx context.Context, releaseNames []string) (map[string]skipper.Operation, error)
	ReleaseNames(ctx context.Context, page skipper.PageRequest) (skipper.Page[string], error)
	LatestRelease(ctx context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error)
}

// Reader shows operations, and the machine that walks them.
type Reader struct {
	// Doing says what takes long in the step that an operation is at, as a download, when this server works on it; nil:
	// nobody says.
	Doing func(operationID string) string

	store ReadStore
	clock func() time.Time
}

// NewReader makes a reader.
func NewReader(store ReadStore, clock func() time.Time) *Reader {
	return &Reader{store: store, clock: clock}
}

// Operation gives one operation; CodeNotFound when there is none of that id.
func (r *Reader) Operation(ctx context.Context, id string) (skipper.Operation, error) {
	return r.store.Operation(ctx, id)
}

// Detail gives one operation with its steps so far, and what it waits for; CodeNotFound.
func (r *Reader) Detail(ctx context.Context, id string) (skipper.OperationDetail, error) {
	op, err := r.store.Operation(ctx, id)
	if err != nil {
		return skipper.OperationDetail{}, err
	}
	events, err := r.store.OperationEvents(ctx, id, 0)
	if err != nil {
		return skipper.OperationDetail{}, err
	}
	d := skipper.OperationDetail{Operation: op, Steps: skipper.Steps(events)}
	if len(events) > 0 && op.Unfinished() {
		d.WaitsFor = events[len(events)-1].Message
	}
	if op.Running() && !op.Due.After(r.clock()) {
		d.WaitsFor = "" // it is worked on
		if r.Doing != nil {
			d.WaitsFor = r.Doing(id)
		}
	}
	if op.Outcome != skipper.OutcomeQueued {
		return d, nil
	}
	all, err := r.store.Unfinished(ctx, []string{op.ReleaseName}, maxAhead)
	if err != nil {
		return d, err
	}
	for _, other := range all {
		if other.ID == op.ID {
			break
		}
		d.Behind = other.ID
		d.WaitsFor = "operation " + other.ID + " (" + string(other.Kind) + "), which is " + string(other.Outcome)
	}
	return d, nil
}

// maxAhead is how many operations of a queue are looked at.
const maxAhead = 1000

// Operations gives a page of the operations that a filter chooses, the newest first unless sorted.
func (r *Reader) Operations(ctx context.Context, filter skipper.OperationFilter, page skipper.PageRequest,
) (skipper.Page[skipper.Operation], error) {
	return r.store.Operations(ctx, filter, page)
}

// Busy tells which of some releases have an operation that has not ended; a renewal makes way and does not count.
func (r *Reader) Busy(ctx context.Context, names []string) (map[string]bool, error) {
	all, err := r.store.Unfinished(ctx, names, maxAhead)
	busy := map[string]bool{}
	for _, op := range all {
		if op.Kind != skipper.KindRenew {
			busy[op.ReleaseName] = true
		}
	}
	return busy, err
}

// Events gives the steps of an operation that came after an event id, in order.
func (r *Reader) Events(ctx context.Context, id string, after int64) ([]skipper.OperationEvent, error) {
	return r.store.OperationEvents(ctx, id, after)
}

// Running gives the running operation of each release that has one, by release name.
func (r *Reader) Running(ctx context.Context, names []string) (map[string]skipper.Operation, error) {
	return r.store.RunningOperations(ctx, names)
}

// Start gives the first state of a kind of operation.
func (e *Engine) Start(ctx context.Context, kind skipper.Kind) (skipper.State, error) {
	return machine.Start(ctx, kind)
}

// Cancellable lists the states in which a cancel is accepted.
func (e *Engine) Cancellable() []skipper.State { return machine.Cancellable() }
