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
	for state, want := range map[skipper.State]machine.Event{
		skipper.StateInstall:       machine.Failed,
		skipper.StateInstallWait:   machine.Timeout,
		skipper.StateCompensate:    machine.Done,
		skipper.StateUpgradeDeploy: machine.Failed,
		skipper.StateUpgradeCheck:  machine.Timeout,
		skipper.StateUpgradeDelete: machine.Done,
		skipper.StateUpgradeCancel: machine.Done,
		skipper.StateDelete:        machine.Done,
		skipper.StateScale:         machine.Failed,
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.installed(1, app("a", "", ""))
			b.config.Overrun, b.config.Ask = 20*time.Millisecond, 20*time.Millisecond
			b.on(mute{b.fake.Fake})
			kind, target := skipper.KindDelete, 1
			switch state {
			case skipper.StateUpgradeDeploy, skipper.StateUpgradeCheck, skipper.StateUpgradeDelete, skipper.StateUpgradeCancel:
				kind, target = skipper.KindUpgrade, 2
				b.version(2, skipper.StatusUnknown, app("a", "x: 1", ""))
				b.store.releases[1].Apps = b.store.releases[0].Apps
			case skipper.StateInstall:
				b.version(3, skipper.StatusUnknown, app("a", "", ""))
				kind, target = skipper.KindInstall, 3
			}
			op := b.operation(kind, state, target)
			op.Plan.Apps, op.Plan.Scale = []string{"a"}, []skipper.ScaleRequestItem{{Name: "a", Count: &two}}
			if state == skipper.StateUpgradeCancel {
				b.store.rows["r.a-v2"] = skipper.Deployment{
					Account: "default", DeploymentID: "r.a-v2", ReleaseName: "r", ReleaseVersion: 2, App: "a",
				}
			}
			if state == skipper.StateUpgradeDeploy {
				b.store.releases[1].Apps = nil
			}
			op.Deadline = b.now // it has just come
			limited, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			res, err := b.Step(limited, op)
			if err == nil && res.Event == machine.More { // what has to go is written down first
				b.store.apply(res)
				res, err = b.Step(limited, op)
			}
			require.NoError(t, err)
			require.Equal(t, want, res.Event, res.Message)
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
