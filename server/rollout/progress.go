package rollout

import (
	"context"
	"time"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Doing says what takes long in the step of an operation that this server works on, as a download; empty for nothing.
func (r *Rollout) Doing(operationID string) string {
	text, _ := r.doing.Load(operationID)
	s, _ := text.(string)
	return s
}

// cancelLook is how often an operation that downloads looks whether it is to be cancelled.
const cancelLook = time.Second

// handing gives the context of a platform call that hands over applications. It ends when a cancel was asked for: a
// download may take longer than anybody wants to wait. end comes after the call.
func (r *Rollout) handing(ctx context.Context, op skipper.Operation) (handing context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	looked := r.clock()
	handing = resource.WithProgress(ctx, func(p resource.Progress) {
		r.doing.Store(op.ID, p.String())
		now := r.clock()
		if now.Sub(looked) < cancelLook {
			return
		}
		looked = now
		running, err := r.store.RunningOperation(ctx, op.ReleaseName)
		if err == nil && running != nil && running.ID == op.ID && running.Cancel {
			cancel(errCancelled)
		}
	})
	return handing, func() {
		cancel(nil)
		r.doing.Delete(op.ID)
	}
}

// errCancelled is why a platform call ended early.
var errCancelled = skipper.Errorf(skipper.CodeCancelled, "a cancel was asked for")
