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
	"github.com/skiff-project/skiff/server/rollout"
)

// removal is one of the four states that remove applications.
type removal struct {
	state   skipper.State
	prepare func(t *testing.T) (*bundle, skipper.Operation)
	goes    string // the deployment
	stays   []string
	change  skipper.ReleaseChange
	outcome skipper.Outcome
}

func removals() map[string]removal {
	installed := func(kind skipper.Kind, state skipper.State) func(t *testing.T) (*bundle, skipper.Operation) {
		return func(t *testing.T) (*bundle, skipper.Operation) {
			t.Helper()
			b := setup(t)
			b.installed(1, app("b", "", ""))
			return b, b.operation(kind, state, 1)
		}
	}
	upgraded := func(state skipper.State) func(t *testing.T) (*bundle, skipper.Operation) {
		return func(t *testing.T) (*bundle, skipper.Operation) {
			t.Helper()
			b, op := handedOver(t, "")
			op.State = state
			return b, op
		}
	}
	return map[string]removal{
		"delete": {
			skipper.StateDelete, installed(skipper.KindDelete, skipper.StateDelete), "r.b-v1",
			[]string{},
			skipper.ReleaseChange{Name: "r", Version: 1, Status: skipper.StatusDeleted, Description: "Delete complete"},
			skipper.OutcomeSucceeded,
		},
		"compensate": {
			skipper.StateCompensate, installed(skipper.KindInstall, skipper.StateCompensate), "r.b-v1",
			[]string{},
			skipper.ReleaseChange{Name: "r", Version: 1, Remove: true},
			skipper.OutcomeFailed,
		},
		"source": {
			skipper.StateUpgradeDelete, upgraded(skipper.StateUpgradeDelete), "r.b-v1",
			[]string{"r.a-v1", "r.b-v2"},
			skipper.ReleaseChange{Name: "r", Version: 1, Status: skipper.StatusDeleted, Description: "Delete complete"},
			skipper.OutcomeSucceeded,
		},
		"target": {
			skipper.StateUpgradeCancel, upgraded(skipper.StateUpgradeCancel), "r.b-v2",
			[]string{"r.a-v1", "r.b-v1"},
			skipper.ReleaseChange{Name: "r", Version: 2, Status: skipper.StatusFailed, Description: "why"},
			skipper.OutcomeRolledBack,
		},
	}
}

func eachRemoval(t *testing.T, test func(t *testing.T, r removal, b *bundle, op skipper.Operation)) {
	t.Helper()
	for name, r := range removals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, op := r.prepare(t)
			if r.outcome == skipper.OutcomeRolledBack {
				op.Error = &skipper.OperationError{Code: skipper.CodeTimeout, Message: "why"}
			}
			test(t, r, b, op)
		})
	}
}

// withoutTarget gives the changes of a result. Those of an upgrade begin with the one that makes the new version stand:
// it comes with the end of the operation, so that who waits for it may give the next command.
func withoutTarget(t *testing.T, r removal, res rollout.Result) []skipper.ReleaseChange {
	t.Helper()
	if r.state != skipper.StateUpgradeDelete {
		return res.Release
	}
	require.NotEmpty(t, res.Release)
	require.Equal(t, 2, res.Release[0].Version)
	require.Equal(t, skipper.StatusDeployed, res.Release[0].Status)
	require.Equal(t, "Upgrade complete", res.Release[0].Description)
	require.NotNil(t, res.Release[0].PlatformStatus)
	return res.Release[1:]
}

func TestRemove_MarksFirstThenRemovesAndForgets(t *testing.T) {
	t.Parallel()
	eachRemoval(t, func(t *testing.T, r removal, b *bundle, op skipper.Operation) {
		t.Helper()
		before := len(b.calls())
		res := b.step(op)
		require.Equal(t, machine.More, res.Event)
		require.Equal(t, []string{r.goes}, res.Unwant)
		require.Empty(t, res.Release)
		require.Empty(t, res.Outcome)
		require.Len(t, b.calls(), before, "the platform is asked for nothing before that is written")
		b.store.apply(res)

		res = b.step(op)
		require.Equal(t, machine.Done, res.Event)
		require.Equal(t, r.outcome, res.Outcome)
		require.Nil(t, res.Error)
		require.Empty(t, cmp.Diff([]skipper.ReleaseChange{r.change}, withoutTarget(t, r, res)))
		require.Equal(t, []string{"undeploy " + r.goes}, b.calls()[before:])
		require.Equal(t, r.stays, b.runs())
		require.Equal(t, r.stays, b.store.ids())
		require.Equal(t, []string{"check", "forget " + r.goes}, b.store.seen())
	})
}

func TestRemove_WithAnOldTokenCallsNoPlatform(t *testing.T) {
	t.Parallel()
	eachRemoval(t, func(t *testing.T, _ removal, b *bundle, op skipper.Operation) {
		t.Helper()
		b.store.apply(b.step(op))
		before := len(b.calls())
		b.store.stale = true
		_, err := b.Step(t.Context(), op)
		require.ErrorIs(t, err, skipper.ErrStale)
		require.Len(t, b.calls(), before)
	})
}

func TestRemove_WhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"check", "forget"} {
		eachRemoval(t, func(t *testing.T, _ removal, b *bundle, op skipper.Operation) {
			t.Helper()
			b.store.apply(b.step(op))
			b.store.broken = method
			_, err := b.Step(t.Context(), op)
			require.ErrorIs(t, err, errBroken)
		})
	}
}

func TestRemove_RetriesUntilTheDeadlineAndThenLeavesACompensation(t *testing.T) {
	t.Parallel()
	eachRemoval(t, func(t *testing.T, r removal, b *bundle, op skipper.Operation) {
		t.Helper()
		b.store.apply(b.step(op))
		b.fake.undeploy = func(deployer.Handle) error { return deployer.Errorf(deployer.ErrUnavailable, "no route") }
		res := b.step(op)
		require.Equal(t, machine.Retry, res.Event)
		require.Equal(t, r.goes+": no route", res.Message)
		require.Empty(t, res.Release)
		require.Empty(t, res.Outcome)

		b.now = op.Deadline
		res = b.step(op)
		require.Equal(t, machine.Done, res.Event)
		require.Equal(t, r.outcome, res.Outcome)
		changes := withoutTarget(t, r, res)
		require.Len(t, changes, 1)
		require.Contains(t, res.Message, r.goes+": no route")
		require.Contains(t, b.store.ids(), r.goes, "an open compensation")
		if r.state == skipper.StateUpgradeDelete {
			require.Equal(t, skipper.StatusFailed, changes[0].Status)
			require.Equal(t, "Could not delete existing application, manual intervention needed.  Sorry it didn't work out.",
				changes[0].Description)
		} else {
			require.Equal(t, r.change.Status, changes[0].Status)
			require.Equal(t, r.change.Remove, changes[0].Remove)
		}
		if r.outcome == skipper.OutcomeSucceeded {
			require.Nil(t, res.Error)
		}
	})
}

// Undeploy may return before all is gone: the row stays until the platform has nothing of it.
func TestRemove_WaitsUntilItIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "fake.gone-after: 3s", ""))
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 1)
	b.store.apply(b.step(op))
	res := b.step(op)
	require.Equal(t, machine.Retry, res.Event)
	require.Equal(t, "r.a-v1: it is still deployed", res.Message)
	require.Equal(t, []string{"r.a-v1"}, b.store.ids())
	b.now = b.now.Add(3 * time.Second)
	require.Equal(t, machine.Done, b.step(op).Event)
	require.Empty(t, b.store.ids())
}

func TestRemove_OfManyNamesThoseThatAreLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""), app("b", "fake.undeploy-error: denied", ""), app("c", "", ""))
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 1)
	res := b.step(op)
	require.Equal(t, []string{"r.a-v1", "r.b-v1", "r.c-v1"}, res.Unwant)
	b.store.apply(res)
	res = b.step(op)
	require.Equal(t, machine.Retry, res.Event)
	require.Equal(t, "r.b-v1: scripted: denied", res.Message)
	require.Equal(t, []string{"r.b-v1"}, b.store.ids(), "the others are gone")
}

func TestRemove_OfAStateThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""))
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 1)
	b.store.apply(b.step(op))
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "no route")
	require.Equal(t, machine.Retry, b.step(op).Event)
	require.Equal(t, []string{"r.a-v1"}, b.store.ids(), "nobody said that it is gone")
}

func TestRemove_OfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("a", "", ""))
	res := b.step(b.operation(skipper.KindInstall, skipper.StateCompensate, 1))
	require.Equal(t, machine.Done, res.Event)
	require.Empty(t, b.calls())
}

func TestCompensate_OfACancelledInstallIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("a", "", ""))
	op := b.operation(skipper.KindInstall, skipper.StateCompensate, 1)
	op.Error = &skipper.OperationError{Code: skipper.CodeCancelled, Message: "Cancelled after 0 ms."}
	require.Equal(t, skipper.OutcomeCancelled, b.step(op).Outcome)
}

func TestCancelTarget_KeepsWhatAFailedDeploySaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""))
	b.version(2, skipper.StatusFailed, app("a", "x: 1", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeCancel, 2)
	op.Error = &skipper.OperationError{Code: skipper.CodeConflict, Message: "refused"}
	res := b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeRolledBack, res.Outcome)
	require.Empty(t, res.Release)
	require.Equal(t, []string{"r.a-v1"}, b.runs())

	op.Error.Code = skipper.CodeCancelled
	require.Equal(t, skipper.OutcomeCancelled, b.step(op).Outcome)
}

// What an operation says of its failure is the failure, not that its traces could not be removed in time.
func TestRemove_TooLateKeepsWhyItFailed(t *testing.T) {
	t.Parallel()
	for _, state := range []skipper.State{skipper.StateCompensate, skipper.StateUpgradeCancel} {
		b := setup(t)
		b.installed(1, app("a", "", "fake.undeploy-error: unavailable"))
		op := b.operation(skipper.KindInstall, state, 1)
		op.Error = &skipper.OperationError{Code: skipper.CodeTimeout, Message: "why"}
		res := b.step(op)
		require.Equal(t, machine.More, res.Event)
		b.store.apply(res)
		op.Deadline = b.now
		for _, step := range []func() (rollout.Result, error){
			func() (rollout.Result, error) { return b.Step(t.Context(), op) },
			func() (rollout.Result, error) { return b.GiveUp(t.Context(), op, errBroken) },
		} {
			res, err := step()
			require.NoError(t, err)
			require.Nil(t, res.Error, "the operation keeps the error it has")
			require.NotEmpty(t, res.Message)
		}
	}
}

// Applications that the plan drops go with the replaced ones; a source that was deleted before counts as one that could
// not be deleted, as recorded.
func TestRemoveSource_DropsAndDeletedSources(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""), app("b", "", ""), app("c", "", ""))
	b.version(2, skipper.StatusDeployed, app("a", "x: 1", ""), app("b", "", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDelete, 2)
	op.Plan.Apps, op.Plan.Drop = []string{"a"}, []string{"c"}
	res := b.step(op)
	require.Equal(t, []string{"r.a-v1", "r.c-v1"}, res.Unwant)
	b.store.apply(res)
	b.store.releases[0].Info.Status.StatusCode = skipper.StatusDeleted
	res = b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Equal(t, skipper.StatusFailed, res.Release[1].Status)
	require.Equal(t, []string{"r.b-v1"}, b.runs())
}

func TestDelete_WithItsPackage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""))
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 1)
	op.Plan.Package = "pair"
	b.store.apply(b.step(op))
	require.Empty(t, b.deleted, "not before the applications are gone")
	b.refusal = skipper.Errorf(skipper.CodePackageDelete, "Active Releases [other]")
	res := b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Contains(t, res.Message, "the package stays: Active Releases [other]")
	require.Equal(t, []string{"pair except r"}, b.deleted)
}

func TestCompensate_OfWhatNoOperationWorksOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "fake.undeploy-errors: 1", ""))
	row := b.store.rows["r.a-v1"]
	row.Wanted = false
	b.store.rows["r.a-v1"] = row
	forgotten := 0
	forget := func() error { forgotten++; return nil }
	compensate := func(forget func() error) error {
		again, err := b.Compensate(t.Context(), row, forget)
		require.Zero(t, again)
		return err
	}
	require.ErrorIs(t, compensate(forget), deployer.ErrUnavailable)
	require.Zero(t, forgotten)
	require.NoError(t, compensate(forget))
	require.Equal(t, 1, forgotten)
	require.Empty(t, b.runs())
	broken := errors.New("broken")
	require.ErrorIs(t, compensate(func() error { return broken }), broken)
	row.Account = "gone"
	require.Error(t, compensate(forget), "an account that is configured no more")
	require.Equal(t, 1, forgotten)
}

func scaling(b *bundle, version int, items ...skipper.ScaleRequestItem) skipper.Operation {
	op := b.operation(skipper.KindScale, skipper.StateScale, version)
	op.Plan.Scale = items
	return op
}

func (b *bundle) count(id string) int {
	b.t.Helper()
	l, err := b.fake.Ledger()
	require.NoError(b.t, err)
	return l.Deployments[id].Count
}

func TestScale_SetsCounts(t *testing.T) {
	t.Parallel()
	b, _ := handedOver(t, "") // a of version 1 is carried over into version 2
	before := b.store.rows["r.a-v1"].SpecHash
	res := b.step(scaling(b, 2, skipper.ScaleRequestItem{Name: "a", Count: new(3)},
		skipper.ScaleRequestItem{Name: "nope", Count: new(4)}, skipper.ScaleRequestItem{Name: "b"}))
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Equal(t, 3, b.count("r.a-v1"))
	require.Equal(t, 1, b.count("r.b-v2"))
	require.Equal(t, before, b.store.rows["r.a-v1"].SpecHash, "an upgrade must not take it for changed")
	require.Equal(t, []string{"check", "save r.a-v1", "save r.a-v1"}, b.store.seen())
}

func TestScale_Errors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		late   bool
		event  machine.Event
	}{
		"transient":           {"fake.scale-error: unavailable", false, machine.Retry},
		"transient, deadline": {"fake.scale-error: unavailable", true, machine.Failed},
		"permanent":           {"fake.scale-error: unsupported", false, machine.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.installed(1, app("a", test.script, ""))
			op := scaling(b, 1, skipper.ScaleRequestItem{Name: "a", Count: new(3)})
			if test.late {
				op.Deadline = b.now
			}
			res := b.step(op)
			require.Equal(t, test.event, res.Event)
			if test.event == machine.Failed {
				require.Equal(t, skipper.OutcomeFailed, res.Outcome)
				require.Equal(t, skipper.CodeConflict, res.Error.Code)
				require.Contains(t, res.Error.Message, "Could not scale application [a]: scripted: ")
				require.Equal(t, "a", res.Error.Cause.App)
				require.Contains(t, res.Error.Cause.Reason, "scripted: ")
				require.Equal(t, []string{"stdout:", "r.a-v1-0 started"}, res.Error.Cause.Log)
			}
			require.Equal(t, 1, b.count("r.a-v1"))
		})
	}
}

func TestScale_OfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""))
	delete(b.store.rows, "r.a-v1")
	res := b.step(scaling(b, 1, skipper.ScaleRequestItem{Name: "a", Count: new(3)}))
	require.Equal(t, machine.Failed, res.Event)
	require.Contains(t, res.Error.Message, "nothing of r.a-v1 is on the platform")
}

func TestScale_WithAnOldTokenCallsNoPlatform(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""))
	b.store.stale = true
	op := scaling(b, 1, skipper.ScaleRequestItem{Name: "a", Count: new(3)})
	_, err := b.Step(t.Context(), op)
	require.ErrorIs(t, err, skipper.ErrStale)
	require.Equal(t, 1, b.count("r.a-v1"))
	for _, method := range []string{"check", "save", "deployments"} {
		b.store.stale, b.store.broken = false, method
		_, err := b.Step(t.Context(), op)
		require.ErrorIs(t, err, errBroken, method)
	}
}

var _ deployer.Deployer = (*platform)(nil)

var _ rollout.Store = (*fakeStore)(nil)
