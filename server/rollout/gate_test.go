package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
	"github.com/skiff-project/skiff/server/rollout"
)

// gated is a bundle with a health-gated install whose applications were handed over.
func gated(t *testing.T, documents ...string) (*bundle, skipper.Operation) {
	t.Helper()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, documents...)
	op := b.operation(skipper.KindInstall, skipper.StateInstall, 1)
	op.Plan.HealthGate, op.Plan.Timeout = true, 12_000
	var res rollout.Result
	for range documents {
		res = b.step(op)
		b.store.apply(res)
	}
	require.Equal(t, machine.Wait, res.Event)
	require.Equal(t, b.now.Add(5*time.Second), res.Due, "the first look is one period later")
	require.Empty(t, res.Outcome)
	require.Len(t, res.Release, 1)
	require.Empty(t, res.Release[0].Status, "it is UNKNOWN until it is healthy")
	require.Len(t, res.Release[0].Apps, len(documents))
	require.Equal(t, b.now.Add(12*time.Second), *res.Plan.CutOff)
	op.Plan, op.State = *res.Plan, skipper.StateInstallWait
	op.Deadline = b.Deadline(op, op.State)
	require.Equal(t, *op.Plan.CutOff, op.Deadline)
	return b, op
}

func TestGate_OpensWhenAllIsHealthy(t *testing.T) {
	t.Parallel()
	b, op := gated(t, app("ping", "fake.healthy-after: 7s", ""), app("pong", "", ""))
	b.now = b.now.Add(5 * time.Second)
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event)
	require.Equal(t, "r.ping-v1 is deploying", res.Message)
	require.Equal(t, b.now.Add(5*time.Second), res.Due)

	b.now = b.now.Add(5 * time.Second)
	res = b.step(op)
	require.Equal(t, machine.Healthy, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Len(t, res.Release, 1)
	require.Equal(t, skipper.StatusDeployed, res.Release[0].Status)
	require.Equal(t, "Install complete", res.Release[0].Description)
	require.Contains(t, *res.Release[0].PlatformStatus, `"state":"deployed"`)
	require.Equal(t, []string{"deploy r.ping-v1", "deploy r.pong-v1"}, b.calls())
}

func TestGate_TheLastLookIsAtTheCutOff(t *testing.T) {
	t.Parallel()
	b, op := gated(t, app("ping", "fake.healthy-after: never", ""))
	b.now = b.now.Add(10 * time.Second)
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event)
	require.Equal(t, *op.Plan.CutOff, res.Due)

	b.now = res.Due
	res = b.step(op)
	require.Equal(t, machine.Timeout, res.Event)
	require.Equal(t, &skipper.OperationError{
		Code: skipper.CodeTimeout, Message: "Release [r] was not installed: its applications were not healthy after 12000 ms.",
		Cause: &skipper.Cause{
			App: "ping", Instance: "r.ping-v1-0", Reason: "it is deploying", Log: []string{"stdout:", "r.ping-v1-0 started"},
		},
	}, res.Error)
	b.removedBy(op, res, skipper.OutcomeFailed)
}

// removedBy follows the operation through its compensation: nothing is left, and the name is free.
func (b *bundle) removedBy(op skipper.Operation, res rollout.Result, want skipper.Outcome) {
	b.t.Helper()
	next, err := machine.Next(b.t.Context(), op.State, res.Event)
	require.NoError(b.t, err)
	require.Equal(b.t, skipper.StateCompensate, next)
	op.State, op.Error, op.Deadline = next, res.Error, b.Deadline(op, next)
	res = b.step(op)
	require.Equal(b.t, machine.More, res.Event)
	b.store.apply(res)
	res = b.step(op)
	require.Equal(b.t, machine.Done, res.Event)
	require.Equal(b.t, want, res.Outcome)
	require.Empty(b.t, cmp.Diff([]skipper.ReleaseChange{{Name: "r", Version: 1, Remove: true}}, res.Release))
	require.Empty(b.t, b.runs())
	require.Empty(b.t, b.store.ids())
}

func TestGate_WhatFailedForGoodEndsItAtOnce(t *testing.T) {
	t.Parallel()
	b, op := gated(t, app("ping", "fake.healthy-after: never", ""),
		app("pong", "fake.fail: true, fake.reason: exited with code 3, fake.exit-code: 3", ""))
	res := b.step(op)
	require.Equal(t, machine.Failed, res.Event)
	require.Equal(t, &skipper.OperationError{
		Code: skipper.CodeConflict,
		Message: "Release [r] was not installed: r.ping-v1 is deploying; " +
			"r.pong-v1 is failed (exited with code 3)",
		Cause: &skipper.Cause{
			App: "pong", Instance: "r.pong-v1-0", Reason: "exited with code 3", ExitCode: new(3),
			Log: []string{"stdout:", "r.pong-v1-0 started"},
		},
	}, res.Error)
	b.removedBy(op, res, skipper.OutcomeFailed)
}

func TestGate_WaitsForWhatMayRecover(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"a failure that is not final": app("ping", "fake.fail: true, fake.recovers: true", ""),
		"one instance of two":         app("ping", "fake.fail: 0", "spring.cloud.deployer.count: 2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, op := gated(t, document)
			require.Equal(t, machine.Pending, b.step(op).Event)
			b.now = op.Deadline
			require.Equal(t, machine.Timeout, b.step(op).Event)
		})
	}
}

func TestGate_OfAPlatformThatCannotBeAskedWaits(t *testing.T) {
	t.Parallel()
	b, op := gated(t, app("ping", "", ""), app("pong", "", ""))
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "no route")
	res := b.step(op)
	require.Equal(t, machine.Pending, res.Event)
	require.Equal(t, `the platform could not be asked: ask platform "default": no route`, res.Message, "said once for both")
	b.now = op.Deadline
	require.Equal(t, machine.Timeout, b.step(op).Event)
	for _, method := range []string{"release", "deployments"} {
		b.store.broken = method
		_, err := b.Step(t.Context(), op)
		require.ErrorIs(t, err, errBroken, "a store that is gone is no verdict")
	}
}

func TestGate_IsCancelledAtAnyMoment(t *testing.T) {
	t.Parallel()
	b, op := gated(t, app("ping", "fake.healthy-after: never", ""))
	b.now = b.now.Add(1500 * time.Millisecond)
	op.Cancel = true
	res := b.step(op)
	require.Equal(t, machine.Cancel, res.Event)
	require.Equal(t, "Cancelled after 1500 ms.", res.Error.Message)
	op.Cancel = false
	b.removedBy(op, res, skipper.OutcomeCancelled)
}

func TestGate_OfNoApplicationsIsOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown)
	op := b.operation(skipper.KindInstall, skipper.StateInstall, 1)
	op.Plan.HealthGate, op.Plan.Timeout = true, 12_000
	require.Equal(t, machine.Wait, b.step(op).Event)
	op.State = skipper.StateInstallWait
	require.Equal(t, machine.Healthy, b.step(op).Event)
}
