package operation

import (
	"context"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// ReadStore is what reading operations needs.
type ReadStore interface {
	Operation(ctx context.Context, id string) (skipper.Operation, error)
	Operations(ctx context.Context, releaseName string, page skipper.PageRequest) (skipper.Page[skipper.Operation], error)
	OperationEvents(ctx context.Context, id string, after int64) ([]skipper.OperationEvent, error)
	RunningOperations(ctx context.Context, releaseNames []string) (map[string]skipper.Operation, error)
	ReleaseNames(ctx context.Context, page skipper.PageRequest) (skipper.Page[string], error)
	LatestRelease(ctx context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error)
}

// Reader shows operations, and the machine that walks them.
type Reader struct{ store ReadStore }

// NewReader makes a reader.
func NewReader(store ReadStore) *Reader { return &Reader{store: store} }

// Operation gives one operation; CodeNotFound when there is none of that id.
func (r *Reader) Operation(ctx context.Context, id string) (skipper.Operation, error) {
	return r.store.Operation(ctx, id)
}

// Operations gives a page of the operations of a release, or of all, the newest first.
func (r *Reader) Operations(ctx context.Context, releaseName string, page skipper.PageRequest,
) (skipper.Page[skipper.Operation], error) {
	return r.store.Operations(ctx, releaseName, page)
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
