package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// handedOver is a bundle with version 2 handed over: b is new, with properties of its own, a is carried over.
func handedOver(t *testing.T, properties string) (*bundle, skipper.Operation) {
	t.Helper()
	b := setup(t)
	b.installed(1, app("b", "", ""), app("a", "", ""))
	b.version(2, skipper.StatusUnknown, app("b", properties, ""), app("a", "", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDeploy, 2)
	op.Plan.Apps = []string{"b"}
	res := b.step(op)
	require.Equal(t, machine.Done, res.Event)
	b.store.apply(res)
	op.Plan, op.State = *res.Plan, skipper.StateUpgradeCheck
	op.Deadline = *op.Plan.CutOff
	b.store.log = nil
	return b, op
}

func TestPlatformStatus_AttributesAndOrder(t *testing.T) {
	t.Parallel()
	b, _ := handedOver(t, "")
	rel, err := b.store.Release(t.Context(), "r", 2)
	require.NoError(t, err)
	rel.Apps = append(rel.Apps, skipper.AppDeployment{App: "z", ID: "r.z-v1"})
	got, err := b.PlatformStatus(t.Context(), rel)
	require.NoError(t, err)
	instance := func(id, application string) map[string]skipper.AppInstanceStatus {
		return map[string]skipper.AppInstanceStatus{id + "-0": {
			ID: id + "-0", State: skipper.StateDeployed, Attributes: map[string]string{
				"guid": id + "-0", "skipper.application.name": application, "skipper.release.name": "r",
				"skipper.release.version": "2",
			},
		}}
	}
	require.Empty(t, cmp.Diff([]skipper.AppStatus{
		{DeploymentID: "r.b-v2", State: skipper.StateDeployed, Instances: instance("r.b-v2", "b")},
		{DeploymentID: "r.a-v1", State: skipper.StateDeployed, Instances: instance("r.a-v1", "a")},
		{DeploymentID: "r.z-v1", State: skipper.StateUnknown, Instances: map[string]skipper.AppInstanceStatus{}},
	}, got), "in the order of the manifest; the version is that of the release asked for")
}

func TestPlatformStatus_Errors(t *testing.T) {
	t.Parallel()
	b, _ := handedOver(t, "")
	rel, err := b.store.Release(t.Context(), "r", 2)
	require.NoError(t, err)
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "gone")
	_, err = b.PlatformStatus(t.Context(), rel)
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	b.store.broken = "deployments"
	_, err = b.PlatformStatus(t.Context(), rel)
	require.ErrorIs(t, err, errBroken)
	rel.PlatformName = "nope"
	_, err = b.PlatformStatus(t.Context(), rel)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err))
}

func TestCheck_Healthy(t *testing.T) {
	t.Parallel()
	b, op := handedOver(t, "")
	require.Equal(t, machine.Healthy, b.step(op).Event)
	b.now = op.Deadline.Add(time.Hour)
	require.Equal(t, machine.Healthy, b.step(op).Event, "late, and healthy all the same")
}

func TestCheck_PendingThenTimeout(t *testing.T) {
	t.Parallel()
	b, op := handedOver(t, "fake.healthy-after: never")
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event)
	require.Equal(t, "r.b-v2 is deploying", res.Message)
	require.Equal(t, b.now.Add(5*time.Second), res.Due)
	require.Nil(t, res.Error)

	b.now = op.Deadline
	res = b.step(op)
	require.Equal(t, machine.Timeout, res.Event)
	require.Equal(t, &skipper.OperationError{
		Code: skipper.CodeTimeout, Message: "Did not detect apps in replacing release as healthy after 60000 ms.",
		Cause: &skipper.Cause{
			App: "b", Instance: "r.b-v2-0", Reason: "it is deploying", Log: []string{"stdout:", "r.b-v2-0 started"},
		},
	}, res.Error)
}

func TestCheck_LooksAtWhatWasCarriedOverToo(t *testing.T) {
	t.Parallel()
	b, op := handedOver(t, "")
	require.NoError(t, b.fake.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: "r.a-v1"}))
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event)
	require.Equal(t, "r.a-v1 is unknown", res.Message)
}

func TestCheck_OfAPlatformThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	b, op := handedOver(t, "")
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "no route")
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event)
	require.Contains(t, res.Message, "no route")
	b.now = op.Deadline
	res = b.step(op)
	require.Equal(t, machine.Timeout, res.Event)
	require.Equal(t, "b", res.Error.Cause.App, "the first of the manifest stands for all")
	require.Contains(t, res.Error.Cause.Reason, "no route")
	require.Empty(t, res.Error.Cause.Log)
	b.store.broken = "deployments"
	_, err := b.Step(t.Context(), op)
	require.ErrorIs(t, err, errBroken, "a store that is gone is no verdict")
}

func TestCheck_WithACancelGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	b, op := handedOver(t, "fake.healthy-after: never")
	op.Cancel = true
	b.now = op.Deadline.Add(time.Second)
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event, "the cancel is acted on, not the deadline")
	require.Equal(t, b.now, res.Due)
}

func TestCancel_LeavesByTheEventOfTheState(t *testing.T) {
	t.Parallel()
	b, op := handedOver(t, "")
	op.Cancel = true
	b.now = b.now.Add(1234 * time.Millisecond)
	for state, event := range map[skipper.State]machine.Event{
		skipper.StateInstall: machine.Cancel, skipper.StateUpgradeStart: machine.UpgradeCancel,
		skipper.StateUpgradeDeploy: machine.UpgradeCancel, skipper.StateUpgradeWait: machine.UpgradeCancel,
		skipper.StateUpgradeSucceed: machine.UpgradeCancel,
	} {
		op.State = state
		res := b.step(op)
		require.Equal(t, event, res.Event, state)
		require.Equal(t, &skipper.OperationError{Code: skipper.CodeCancelled, Message: "Cancelled after 1234 ms."}, res.Error)
	}
	op.State, op.Plan.HandedOver = skipper.StateInstall, nil
	require.Equal(t, "Cancelled after 0 ms.", b.step(op).Error.Message)
}

func TestAccept_ChangesNothingYetAndTheEndMakesTheNewVersionStand(t *testing.T) {
	t.Parallel()
	for kind, description := range map[skipper.Kind]string{
		skipper.KindUpgrade: "Upgrade complete", skipper.KindRollback: "Rollback complete",
	} {
		b, op := handedOver(t, "")
		op.Kind, op.State = kind, skipper.StateUpgradeSucceed
		res := b.step(op)
		require.Equal(t, machine.UpgradeAccept, res.Event)
		require.Empty(t, res.Outcome)
		require.Empty(t, res.Release)

		op.State = skipper.StateUpgradeDelete
		b.store.apply(b.step(op))
		res = b.step(op)
		require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
		require.Equal(t, 2, res.Release[0].Version)
		require.Equal(t, skipper.StatusDeployed, res.Release[0].Status)
		require.Equal(t, description, res.Release[0].Description)
		require.Contains(t, *res.Release[0].PlatformStatus, "r.b-v2")
	}
}

func TestPlainSteps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for state, event := range map[skipper.State]machine.Event{
		skipper.StateUpgradeStart: machine.Done, skipper.StateUpgradeWait: machine.Tick,
		skipper.StateUpgradeFailed: machine.Done, skipper.StateRollbackStart: machine.Upgrade,
	} {
		require.Equal(t, event, b.step(b.operation(skipper.KindRollback, state, 2)).Event, state)
	}
	op := b.operation(skipper.KindRollback, skipper.StateRollbackStart, 2)
	op.Plan.Install = true
	require.Equal(t, machine.Install, b.step(op).Event)
	op.State = skipper.StateInitial
	_, err := b.Step(t.Context(), op)
	require.Equal(t, skipper.CodeInternal, skipper.CodeOf(err))
	require.Empty(t, b.store.seen())
}

func TestDeadline_OfEachState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDeploy, 2)
	deploy, undo, cutOff := b.now.Add(2*time.Minute), b.now.Add(time.Minute), b.now.Add(time.Hour)
	op.Plan.CutOff = &cutOff
	for state, want := range map[skipper.State]time.Time{
		skipper.StateInstall: deploy, skipper.StateRollbackStart: deploy, skipper.StateUpgradeStart: deploy,
		skipper.StateUpgradeDeploy: deploy, skipper.StateScale: deploy,
		skipper.StateUpgradeWait: cutOff, skipper.StateUpgradeCheck: cutOff, skipper.StateUpgradeSucceed: cutOff,
		skipper.StateUpgradeFailed: cutOff,
		skipper.StateCompensate:    undo, skipper.StateUpgradeDelete: undo, skipper.StateUpgradeCancel: undo,
		skipper.StateDelete: undo,
	} {
		require.Equal(t, want, b.Deadline(op, state), state)
	}
	op.Plan.CutOff = nil
	require.Equal(t, undo, b.Deadline(op, skipper.StateUpgradeFailed), "it failed before anything was handed over")
}

func TestLogs_OfDeployments(t *testing.T) {
	t.Parallel()
	b, _ := handedOver(t, "")
	rel, err := b.store.Release(t.Context(), "r", 2)
	require.NoError(t, err)
	logs, err := b.Logs(t.Context(), rel, 1000, func(string) bool { return true })
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"r.a-v1": "stdout:\nr.a-v1-0 started\n", "r.b-v2": "stdout:\nr.b-v2-0 started\n",
	}, logs)
	logs, err = b.Logs(t.Context(), rel, 1000, func(id string) bool { return id == "r.a-v1" })
	require.NoError(t, err)
	require.Len(t, logs, 1)
	all := func(string) bool { return true }
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "gone")
	rel.PlatformName = "nope"
	_, err = b.Logs(t.Context(), rel, 1000, all)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err))
}

func TestLogs_Errors(t *testing.T) {
	t.Parallel()
	for kind, code := range map[string]skipper.Code{
		"unavailable": skipper.CodeUnavailable, "unsupported": skipper.CodeConflict,
	} {
		b, _ := handedOver(t, "fake.logs-error: "+kind)
		rel, err := b.store.Release(t.Context(), "r", 2)
		require.NoError(t, err)
		_, err = b.Logs(t.Context(), rel, 1000, func(id string) bool { return id == "r.b-v2" })
		require.Equal(t, code, skipper.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "r.b-v2")
	}
}
