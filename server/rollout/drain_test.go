package rollout_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

const drains = "fake.drain: 30s, fake.ends: match"

// replacing is an upgrade whose new version stands from now on: a was kept, b replaced and c dropped. The properties are
// those of b and c.
func replacing(t *testing.T, properties string) (*bundle, skipper.Operation) {
	t.Helper()
	b := setup(t)
	b.installed(1, app("a", "", ""), app("b", properties, ""), app("c", properties, ""))
	b.version(2, skipper.StatusUnknown, app("a", "", ""), app("b", "x: 2", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDeploy, 2)
	op.Plan.Apps, op.Plan.Drop = []string{"b"}, []string{"c"}
	res := b.step(op)
	require.Equal(t, machine.Done, res.Event)
	b.store.apply(res)
	op.Plan, op.State = *res.Plan, skipper.StateUpgradeDelete
	b.store.log = nil
	return b, op
}

func TestDrain_WhatIsReplacedRetiresAndTheOperationEnds(t *testing.T) {
	t.Parallel()
	b, op := replacing(t, drains)
	before := len(b.calls())
	res := b.step(op)
	require.Equal(t, machine.More, res.Event)
	require.Empty(t, res.Unwant)
	until := b.now.Add(30 * time.Second)
	require.Empty(t, cmp.Diff([]skipper.Retirement{{DeploymentID: "r.b-v1", Until: until}, {DeploymentID: "r.c-v1", Until: until}},
		res.Retire))
	require.Contains(t, res.Message, "r.b-v1 may go on until 2026-11-22T22:50:27Z")
	require.Empty(t, res.Outcome, "it is written before anything counts on it")
	b.store.apply(res)

	b.now = b.now.Add(time.Second) // a server that comes back does not give it more time
	res = b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Empty(t, res.Retire)
	require.Equal(t, skipper.StatusDeployed, res.Release[0].Status)
	require.Equal(t, skipper.StatusDeleted, res.Release[1].Status)
	require.Equal(t, "Delete complete", res.Release[1].Description)
	require.Len(t, b.calls(), before)
	require.Equal(t, []string{"r.a-v1", "r.b-v1", "r.b-v2", "r.c-v1"}, b.runs())
	require.Equal(t, until, *b.store.rows["r.b-v1"].RetireUntil)
}

// Each application says for itself whether it drains, as the version says that made it.
func TestDrain_TheOthersAreRemoved(t *testing.T) {
	t.Parallel()
	b, op := replacing(t, "")
	rel := &b.store.releases[0]
	rel.Manifest.Data = app("a", "", "") + app("b", drains, "") + app("c", "", "")
	res := b.step(op)
	require.Equal(t, []string{"r.c-v1"}, res.Unwant)
	require.Len(t, res.Retire, 1)
	b.store.apply(res)
	res = b.step(op)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Equal(t, []string{"r.a-v1", "r.b-v1", "r.b-v2"}, b.runs())
}

func TestDrain_WhatCannotSayIsRemoved(t *testing.T) {
	t.Parallel()
	b, op := replacing(t, drains)
	b.store.releases[0].Manifest.Data = "not: [a manifest"
	res := b.step(op)
	require.Equal(t, []string{"r.b-v1", "r.c-v1"}, res.Unwant)
	require.Empty(t, res.Retire)
}

func TestDrain_WaitsForTheStore(t *testing.T) {
	t.Parallel()
	b, op := replacing(t, drains)
	b.store.broken = "release"
	_, err := b.Step(t.Context(), op)
	require.ErrorIs(t, err, errBroken, "a store that is gone must not end a match")
}

func TestDrain_AlsoWhenTheRemovalIsGivenUp(t *testing.T) {
	t.Parallel()
	b, op := replacing(t, drains)
	b.store.apply(b.step(op))
	res, err := b.GiveUp(t.Context(), op, errors.New("a defect"))
	require.NoError(t, err)
	require.Empty(t, res.Unwant, "it retires already")

	b, op = replacing(t, drains)
	res, err = b.GiveUp(t.Context(), op, errors.New("a defect"))
	require.NoError(t, err)
	require.Empty(t, res.Unwant)
	require.Len(t, res.Retire, 2)
}

// retiring is b of version 1, which drains until in 30 seconds.
func retiring(t *testing.T, properties string) (*bundle, func() (time.Time, error)) {
	t.Helper()
	b, op := replacing(t, properties)
	b.store.apply(b.step(op))
	require.Equal(t, skipper.OutcomeSucceeded, b.step(op).Outcome)
	return b, func() (time.Time, error) {
		return b.Compensate(t.Context(), b.store.rows["r.b-v1"], func() error {
			delete(b.store.rows, "r.b-v1")
			return nil
		})
	}
}

func TestDrain_IsLeftAloneUntilItHasEnded(t *testing.T) {
	t.Parallel()
	b, compensate := retiring(t, drains)
	began := len(b.calls())
	again, err := compensate()
	require.NoError(t, err)
	require.Equal(t, b.now.Add(config().HealthPeriod), again)
	b.now = b.now.Add(28 * time.Second)
	again, err = compensate()
	require.NoError(t, err)
	require.Equal(t, b.now.Add(2*time.Second), again, "not after its time")
	require.Len(t, b.calls(), began)
	require.Contains(t, b.runs(), "r.b-v1")

	require.NoError(t, b.fake.Open("match"))
	again, err = compensate()
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, []string{"undeploy r.b-v1"}, b.calls()[began:])
	require.NotContains(t, b.store.ids(), "r.b-v1")
}

func TestDrain_EndsAtItsTime(t *testing.T) {
	t.Parallel()
	b, compensate := retiring(t, drains)
	b.now = b.now.Add(30 * time.Second)
	again, err := compensate()
	require.NoError(t, err)
	require.Zero(t, again)
	require.NotContains(t, b.runs(), "r.b-v1")
	require.NotContains(t, b.store.ids(), "r.b-v1")
}

func TestDrain_APlatformThatCannotBeAskedEndsNothing(t *testing.T) {
	t.Parallel()
	b, compensate := retiring(t, drains)
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "no route")
	_, err := compensate()
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	require.Contains(t, b.runs(), "r.b-v1")
	b.fake.status = nil
	b.fake.nothing = skipper.StateError
	again, err := compensate()
	require.NoError(t, err)
	require.NotZero(t, again, "it does not know")

	_, compensate = retiring(t, drains+", fake.fail: true, fake.recovers: true")
	again, err = compensate()
	require.NoError(t, err)
	require.NotZero(t, again, "its platform starts it again")

	b, compensate = retiring(t, drains+", fake.fail: true")
	again, err = compensate()
	require.NoError(t, err)
	require.Zero(t, again, "it has failed for good")
	require.NotContains(t, b.runs(), "r.b-v1")
}

func TestDraining_TellsWhatGoesOn(t *testing.T) {
	t.Parallel()
	b, _ := retiring(t, drains+", fake.x: y")
	until := b.now.Add(30 * time.Second)
	all, err := b.Draining(t.Context(), "r")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]skipper.Draining{
		{App: "b", DeploymentID: "r.b-v1", Version: 1, Instances: 1, Until: until},
		{App: "c", DeploymentID: "r.c-v1", Version: 1, Instances: 1, Until: until},
	}, all))
	require.NoError(t, b.fake.Open("match"))
	all, err = b.Draining(t.Context(), "r")
	require.NoError(t, err)
	require.Equal(t, 0, all[0].Instances)
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "no route")
	all, err = b.Draining(t.Context(), "r")
	require.NoError(t, err)
	require.Equal(t, -1, all[0].Instances)
	all, err = b.Draining(t.Context(), "other")
	require.NoError(t, err)
	require.Nil(t, all)
	b.store.broken = "deploymentsOfRelease"
	_, err = b.Draining(t.Context(), "r")
	require.ErrorIs(t, err, errBroken)
}

func TestDelete_EndsTheDrainingAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := retiring(t, drains)
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 2)
	rel := &b.store.releases[1]
	require.Len(t, rel.Apps, 2)
	before := len(b.calls())

	res := b.step(op)
	require.Equal(t, machine.More, res.Event)
	require.ElementsMatch(t, []string{"r.a-v1", "r.b-v2", "r.b-v1", "r.c-v1"}, res.Unwant)
	require.Equal(t, []string{"r.b-v1", "r.c-v1"}, res.Plan.Retiring)
	require.Len(t, b.calls(), before)
	b.store.apply(res)
	op.Plan = *res.Plan

	undeploy := b.fake.Fake.Undeploy
	b.fake.undeploy = func(h deployer.Handle) error {
		if h.ID == "r.c-v1" {
			return deployer.Errorf(deployer.ErrUnavailable, "it is stubborn")
		}
		return undeploy(t.Context(), deployer.Owner{}, h)
	}
	res = b.step(op)
	require.Equal(t, machine.Retry, res.Event, "it waits for what drained as for its own")
	b.fake.undeploy = nil
	res = b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Empty(t, b.runs())
	require.Empty(t, b.store.ids())
}

func TestDelete_ThatIsCancelledDoesNotBringBackWhatDrained(t *testing.T) {
	t.Parallel()
	b, _ := retiring(t, drains)
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 2)
	res := b.step(op)
	b.store.apply(res)
	op.Plan, op.Cancel = *res.Plan, true
	res = b.step(op)
	require.Equal(t, machine.Stop, res.Event)
	require.ElementsMatch(t, []string{"r.a-v1", "r.b-v2"}, res.Rewant)
}

func TestDelete_ThatIsGivenUpEndsTheDraining(t *testing.T) {
	t.Parallel()
	b, _ := retiring(t, drains)
	res, err := b.GiveUp(t.Context(), b.operation(skipper.KindDelete, skipper.StateDelete, 2), errors.New("a defect"))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"r.a-v1", "r.b-v2", "r.b-v1", "r.c-v1"}, res.Unwant)
}

// A server that was frozen after it had claimed a compensation does not touch what another one has ended.
func TestCompensate_LeavesWhatHasNotToGoAnyMore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *fakeStore, d skipper.Deployment){
		"it is gone":   func(s *fakeStore, d skipper.Deployment) { delete(s.rows, d.DeploymentID) },
		"it is wanted": func(s *fakeStore, d skipper.Deployment) { d.Wanted = true; s.rows[d.DeploymentID] = d },
		"it has to go": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.installed(1, app("a", "", ""))
			d := b.store.rows["r.a-v1"]
			d.Wanted = false
			b.store.rows[d.DeploymentID] = d
			if change != nil {
				change(b.store, d)
			}
			_, err := b.Compensate(t.Context(), d, func() error { return nil })
			if change == nil {
				require.NoError(t, err)
				require.Empty(t, b.runs())
				return
			}
			require.ErrorIs(t, err, skipper.ErrStale)
			require.Equal(t, []string{"r.a-v1"}, b.runs())
		})
	}
}
