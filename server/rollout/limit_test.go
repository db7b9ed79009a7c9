package rollout_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// mute is a platform that never answers.
type mute struct{ *deployertest.Fake }

func (m mute) Deploy(ctx context.Context, _ deployer.Request, _ *deployer.Handle, _ func(deployer.Handle) error,
) (deployer.Handle, error) {
	<-ctx.Done()
	return deployer.Handle{}, ctx.Err()
}

func (m mute) Undeploy(ctx context.Context, _ deployer.Owner, _ deployer.Handle) error {
	<-ctx.Done()
	return ctx.Err()
}

func (m mute) Scale(ctx context.Context, _ deployer.Request, h deployer.Handle, _ int, _ func(deployer.Handle) error,
) (deployer.Handle, error) {
	<-ctx.Done()
	return h, ctx.Err()
}

func (m mute) Status(ctx context.Context, _ []deployer.Handle) (map[string]skipper.AppStatus, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A call that is never answered ends with its state: the operation takes the exit, and does not wait for ever.
func TestStep_EndsThoughThePlatformNeverAnswers(t *testing.T) {
	t.Parallel()
	two := 2
	for state, c := range map[skipper.State]struct {
		kind skipper.Kind
		want machine.Event
	}{
		skipper.StateInstall:       {skipper.KindInstall, machine.Failed},
		skipper.StateInstallWait:   {skipper.KindInstall, machine.Timeout},
		skipper.StateCompensate:    {skipper.KindInstall, machine.Done},
		skipper.StateUpgradeDeploy: {skipper.KindUpgrade, machine.Failed},
		skipper.StateUpgradeCheck:  {skipper.KindUpgrade, machine.Timeout},
		skipper.StateUpgradeDelete: {skipper.KindUpgrade, machine.Done},
		skipper.StateUpgradeCancel: {skipper.KindUpgrade, machine.Done},
		skipper.StateDelete:        {skipper.KindDelete, machine.Done},
		skipper.StateScale:         {skipper.KindScale, machine.Failed},
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.installed(1, app("a", "", ""))
			b.installed(2, app("a", "x: 1", ""))
			if state == skipper.StateInstall || state == skipper.StateUpgradeDeploy {
				b.store.releases[1].Apps = nil // it is handed over once more
				delete(b.store.rows, "r.a-v2")
			}
			b.config.Overrun, b.config.Ask = 20*time.Millisecond, 20*time.Millisecond
			b.on(mute{b.fake.Fake})
			op := b.operation(c.kind, state, 2)
			op.Plan.Apps, op.Plan.Scale = []string{"a"}, []skipper.ScaleRequestItem{{Name: "a", Count: &two}}
			op.Deadline = b.now // it has just come
			limited, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			res, err := b.Step(limited, op)
			if err == nil && res.Event == machine.More { // what has to go is written down first
				b.store.apply(res)
				res, err = b.Step(limited, op)
			}
			require.NoError(t, err)
			require.Equal(t, c.want, res.Event, res.Message)
			require.Contains(t, res.Message+deref(res.Error), "did not answer in time")
		})
	}
}

func deref(e *skipper.OperationError) string {
	if e == nil {
		return ""
	}
	return e.Message
}
