package rollout

import (
	"context"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// A platform that never answers must not keep an operation: no call outlives the deadline of its state by more than
// Config.Overrun, and no question takes longer than Config.Ask.
const (
	defaultOverrun = 10 * time.Second
	defaultAsk     = 20 * time.Second
)

// limited bounds the changing platform call of a step, and the wait for its turn.
func (r *Rollout) limited(ctx context.Context, op skipper.Operation) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(0, op.Deadline.Sub(r.clock()))+r.config.Overrun)
}

// unanswered makes a call that its limit ended an error of the platform, which may have done what it was asked for; the
// step itself goes on.
func unanswered(ctx, limited context.Context, err error) error {
	if err == nil || limited.Err() == nil || fail(ctx, err) {
		return err
	}
	return deployer.Errorf(deployer.ErrAmbiguous, "the platform did not answer in time: %w", err)
}

// ask asks for the status of deployments, by id.
func (r *Rollout) ask(ctx context.Context, account deployer.Account, handles []deployer.Handle,
) (map[string]skipper.AppStatus, error) {
	limited, cancel := context.WithTimeout(ctx, r.config.Ask)
	defer cancel()
	all, err := account.Deployer.Status(limited, handles)
	return all, unanswered(ctx, limited, err)
}
