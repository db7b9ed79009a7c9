package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// disownPoll is how often it is looked whether others have settled what came too late.
const disownPoll = 200 * time.Millisecond

// disown is for an effect that came about after the lease was lost, because this server was frozen in the middle of the
// call: others have gone on, and what they removed may be there again. Where nothing knows of the deployment any more it
// becomes an open compensation; while an operation runs on the release, that one may know it or be about to forget it.
func (r *Rollout) disown(ctx context.Context, d skipper.Deployment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Disown)
	defer cancel()
	poll := time.NewTicker(disownPoll)
	defer poll.Stop()
	for {
		settled, err := r.disowned(ctx, d)
		if settled {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func (r *Rollout) disowned(ctx context.Context, d skipper.Deployment) (settled bool, err error) {
	running, err := r.store.RunningOperation(ctx, d.ReleaseName)
	if err != nil || running != nil {
		return false, err
	}
	rows, err := r.store.Deployments(ctx, d.Account, []string{d.DeploymentID})
	switch {
	case err != nil:
		return false, err
	case len(rows) > 0 && rows[0].Wanted:
		return true, nil // it stands
	case len(rows) > 0:
		return false, nil // it is being removed, perhaps from before it was there again
	}
	err = r.store.CompensateOrphan(ctx, d)
	return err == nil, err
}
