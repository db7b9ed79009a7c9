package rollout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// renewing is a renewal of a release with the applications a and b, when both are due.
func renewing(t *testing.T, properties string) (*bundle, skipper.Operation) {
	t.Helper()
	b := setup(t)
	b.installed(1, app("a", properties, ""), app("b", properties, ""))
	require.Equal(t, b.now.Add(time.Minute), b.store.rows["r.a-v1"].Due, "a minute after it was handed over")
	b.now = b.now.Add(time.Minute)
	op := b.operation(skipper.KindRenew, skipper.StateRenew, 1)
	op.Created = b.now
	return b, op
}

func TestRenew_AsksForEachThatIsDue(t *testing.T) {
	t.Parallel()
	b, op := renewing(t, "fake.maintain-after: 10s")
	later := b.store.rows["r.a-v1"]
	later.DeploymentID, later.Due = "r.c-v1", b.now.Add(time.Microsecond)
	never := later
	never.DeploymentID, never.Due = "r.d-v1", time.Time{}
	going := later
	going.DeploymentID, going.Wanted, going.Due = "r.e-v1", false, b.now
	for _, d := range []skipper.Deployment{later, never, going} {
		b.store.rows[d.DeploymentID] = d
	}
	before := len(b.calls())

	res := b.step(op)
	require.Equal(t, machine.More, res.Event)
	next := b.now.Add(10 * time.Second)
	require.Empty(t, cmp.Diff([]skipper.Care{{DeploymentID: "r.a-v1", Due: next}}, res.Care))
	b.store.apply(res)
	res = b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Equal(t, []skipper.Care{{DeploymentID: "r.b-v1", Due: next}}, res.Care)
	require.Empty(t, res.Release, "neither status nor version changes")
	require.Equal(t, []string{"maintain r.a-v1", "maintain r.b-v1"}, b.calls()[before:])
	require.Equal(t, []string{"check", "save r.a-v1", "save r.a-v1", "check", "save r.b-v1", "save r.b-v1"}, b.store.seen())
	b.store.apply(res)
	res = b.step(op)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome, "nothing is left to do")
	require.Len(t, b.calls(), before+2)
}

func TestRenew_AsOftenAsThePlatformWants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want time.Duration }{
		"never": {}, "later": {time.Hour, time.Hour}, "at once": {-time.Hour, time.Second}, "too soon": {1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, op := renewing(t, "")
			at := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return b.now.Add(d)
			}
			b.fake.maintain = func(deployer.Handle) (time.Time, error) { return at(c.answer), nil }
			require.Equal(t, at(c.want), b.step(op).Care[0].Due)
		})
	}
}

// One that fails is tried again later, and later each time; the others do not wait for it.
func TestRenew_FailuresAreTriedAgainWithBackOff(t *testing.T) {
	t.Parallel()
	b, op := renewing(t, "")
	asks := time.Time{}
	b.fake.maintain = func(h deployer.Handle) (time.Time, error) {
		if h.ID == "r.b-v1" {
			return time.Time{}, nil
		}
		return asks, deployer.Errorf(deployer.ErrQuota, "no server\nis free")
	}
	res := b.step(op)
	require.Equal(t, machine.More, res.Event)
	require.Empty(t, cmp.Diff([]skipper.Care{{
		DeploymentID: "r.a-v1", Due: b.now.Add(5 * time.Second), Attempt: 1, LastError: "no server is free",
	}}, res.Care))
	require.Equal(t, "The platform could not look after application [a]: no server\nis free", res.Error.Message)
	require.Equal(t, "a", res.Error.Cause.App)
	b.store.apply(res)
	op.Error = res.Error
	res = b.step(op)
	require.Equal(t, machine.Failed, res.Event)
	require.Equal(t, skipper.OutcomeFailed, res.Outcome)
	require.Empty(t, res.Release)
	b.store.apply(res)

	fails := func() time.Duration {
		b.now = b.store.rows["r.a-v1"].Due
		op.Created, op.Error, op.Deadline = b.now, nil, b.now.Add(time.Minute)
		res := b.step(op)
		require.Equal(t, skipper.OutcomeFailed, res.Outcome)
		b.store.apply(res)
		return res.Care[0].Due.Sub(b.now)
	}
	require.Equal(t, 10*time.Second, fails())
	require.Equal(t, 20*time.Second, fails())
	for range 20 {
		fails()
	}
	require.Equal(t, 10*time.Minute, fails())
	asks = b.store.rows["r.a-v1"].Due.Add(time.Hour)
	require.Equal(t, time.Hour, fails(), "the platform knows better")
}

func TestRenew_MakesWay(t *testing.T) {
	t.Parallel()
	b, op := renewing(t, "")
	before := len(b.calls())
	op.Cancel = true
	res := b.step(op)
	require.Equal(t, machine.Stop, res.Event)
	require.Equal(t, skipper.OutcomeCancelled, res.Outcome)
	require.Len(t, b.calls(), before)
	require.Len(t, res.Care, 2)
	require.Equal(t, b.now.Add(15*time.Second), res.Care[0].Due, "the command comes first")
}

func TestRenew_EndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	b, op := renewing(t, "")
	before := len(b.calls())
	b.now = op.Deadline
	res := b.step(op)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Empty(t, res.Care)
	require.Len(t, b.calls(), before)

	res, err := b.GiveUp(t.Context(), op, errors.New("a defect"))
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeFailed, res.Outcome)
	require.Len(t, res.Care, 2)
	require.Equal(t, b.now.Add(time.Minute), res.Care[0].Due)
	require.Empty(t, res.Release)
	require.Empty(t, res.Unwant)
}

func TestRenew_WithAnOldTokenCallsNoPlatform(t *testing.T) {
	t.Parallel()
	b, op := renewing(t, "")
	before := len(b.calls())
	b.store.stale = true
	_, err := b.Step(t.Context(), op)
	require.ErrorIs(t, err, skipper.ErrStale)
	require.Len(t, b.calls(), before)
}

func TestRenew_WhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"deploymentsOfRelease", "release", "check", "save"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b, op := renewing(t, "")
			b.store.broken = method
			_, err := b.Step(t.Context(), op)
			require.ErrorIs(t, err, errBroken)
		})
	}
}

// What came about after the lease was lost is kept by who has it now, or has to go.
func TestRenew_AnEffectAfterTheLeaseWasLost(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"deleted meanwhile": true, "still there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, op := renewing(t, "")
			b.fake.maintain = func(deployer.Handle) (time.Time, error) {
				b.store.mu.Lock()
				defer b.store.mu.Unlock()
				b.store.stale = true
				if gone {
					clear(b.store.rows)
				}
				return time.Time{}, nil
			}
			_, err := b.Step(t.Context(), op)
			require.ErrorIs(t, err, skipper.ErrStale)
			require.Equal(t, gone, !b.store.rows["r.a-v1"].Wanted)
		})
	}
}

func TestScale_IsLookedAfterSoon(t *testing.T) {
	t.Parallel()
	two := 2
	for name, c := range map[string]struct {
		change  func(op *skipper.Operation)
		outcome skipper.Outcome
	}{
		"succeeds":  {func(*skipper.Operation) {}, skipper.OutcomeSucceeded},
		"cancelled": {func(op *skipper.Operation) { op.Cancel = true }, skipper.OutcomeCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := renewing(t, "")
			op := scaling(b, 1, skipper.ScaleRequestItem{Name: "b", Count: &two})
			c.change(&op)
			res := b.step(op)
			require.Equal(t, c.outcome, res.Outcome)
			require.Equal(t, []skipper.Care{{DeploymentID: "r.b-v1", Due: b.now.Add(time.Minute)}}, res.Care)
		})
	}
}

// onlyDeploys is a platform that looks after nothing.
type onlyDeploys struct{ deployer.Deployer }

func TestRenew_OfAPlatformThatLooksAfterNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, []string{"default"}, b.Maintained())
	b.on(onlyDeploys{b.fake})
	require.Empty(t, b.Maintained())
	b.installed(1, app("a", drains, ""))
	require.Zero(t, b.store.rows["r.a-v1"].Due)
	two := 2
	require.Empty(t, b.step(scaling(b, 1, skipper.ScaleRequestItem{Name: "a", Count: &two})).Care)

	b.version(2, skipper.StatusUnknown, app("a", "x: 2", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDelete, 2)
	op.Plan.Apps = []string{"a"}
	require.Equal(t, []string{"r.a-v1"}, b.step(op).Unwant, "nor does it let anything drain")
}

func TestAdopted_IsLookedAfterSoon(t *testing.T) {
	t.Parallel()
	b, _ := renewing(t, "")
	rel, err := b.store.Release(t.Context(), "r", 1)
	require.NoError(t, err)
	d := b.store.rows["r.a-v1"]
	delete(b.store.rows, "r.a-v1")
	d.Due = time.Time{}
	_, d, err = b.Adopted(context.WithoutCancel(t.Context()), rel, d)
	require.NoError(t, err)
	require.Equal(t, b.now.Add(time.Minute), d.Due)
}
