package operation

import (
	"context"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// What a server asks that finds its effect came about after its lease was lost. In the model no two servers are alive at
// once, so none ever does.

func (w *world) RunningOperation(context.Context, string) (running *skipper.Operation, err error) {
	err = w.read("running", func() error {
		if w.op.Running() {
			op := w.op
			running = &op
		}
		return nil
	})
	return running, err
}

func (w *world) CompensateOrphan(_ context.Context, d skipper.Deployment) error {
	return w.write("orphan "+d.DeploymentID, func() error {
		d.Wanted = false
		w.rows[d.DeploymentID] = &d
		return nil
	})
}
