package release_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestOptions_BadOnesAreRefusedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	for message, o := range map[string]skipper.CommandOptions{
		`onConflict is "wait"; fail, queue or supersede is due`:                         {OnConflict: "wait"},
		"Idempotency-Key has 201 bytes; at most 200 are possible":                       {IdempotencyKey: strings.Repeat("k", 201)},
		"Idempotency-Key must hold printable ASCII characters only; a UUID serves well": {IdempotencyKey: "ü"},
		"timeout is -1; milliseconds from 0 to 2592000000 are due":                      {Timeout: new(int64(-1))},
	} {
		_, _, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""), o)
		requireError(t, err, skipper.CodeInvalid, message)
	}
	require.Empty(t, b.versions())
}

func TestHealthGate_StandsInThePlan(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	for i, o := range []skipper.CommandOptions{{HealthGate: true}, {HealthGate: true, Timeout: new(int64(1500))}, {Timeout: new(int64(9))}} {
		want := []skipper.Plan{
			{Account: "default", HealthGate: true, Timeout: (5 * time.Minute).Milliseconds()},
			{Account: "default", HealthGate: true, Timeout: 1500},
			{Account: "default"},
		}[i]
		_, _, err := b.Install(t.Context(), installRequest("r"+string(rune('0'+i)), "pair", "1.0.0", ""), o)
		require.NoError(t, err)
		op, _ := b.ops.last()
		require.Equal(t, want, op.Plan)
	}
	b.install("")
	b.delete()
	_, _, err := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(1)},
		skipper.CommandOptions{HealthGate: true})
	require.NoError(t, err)
	op, _ := b.ops.last()
	require.True(t, op.Plan.HealthGate, "a rollback that installs waits, too")
}

func TestIdempotencyKey_TheSameRequestHasTheSameAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	key := skipper.CommandOptions{IdempotencyKey: "key"}
	first, op, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", "a: 1"), key)
	require.NoError(t, err)
	b.ops.wait = b.store.Operation // it has ended
	again, same, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", "a: 1"), key)
	require.NoError(t, err)
	require.Equal(t, op.ID, same.ID)
	require.Equal(t, first, again)
	key.OnConflict = skipper.ConflictQueue
	_, same, err = b.Install(t.Context(), installRequest("r", "pair", "1.0.0", "a: 1"), key)
	require.NoError(t, err, "how it is queued is no part of the request")
	require.Equal(t, op.ID, same.ID)

	for name, request := range map[string]skipper.InstallRequest{
		"values":  installRequest("r", "pair", "1.0.0", "a: 2"),
		"release": installRequest("s", "pair", "1.0.0", "a: 1"),
	} {
		_, _, err = b.Install(t.Context(), request, key)
		requireError(t, err, skipper.CodeConflict, "the Idempotency-Key was sent before with another request, whose operation is "+
			op.ID+"; use a key of its own for each request")
		known, ok := errors.AsType[*skipper.Error](err)
		require.True(t, ok)
		require.Equal(t, op.ID, known.OperationID, name)
	}
	_, _, err = b.Delete(t.Context(), "r", false, key)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "another command")
	_, _, err = b.Install(t.Context(), installRequest("r", "pair", "1.0.0", "a: 1"), skipper.CommandOptions{
		IdempotencyKey: "key", HealthGate: true,
	})
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "a gate is a part of the request")
}

func TestIdempotencyKey_AFailureIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.ops.end = func(op skipper.Operation) skipper.Advance {
		op.Outcome = skipper.OutcomeFailed
		op.Error = &skipper.OperationError{Code: skipper.CodeConflict, Message: "no room"}
		return skipper.Advance{Operation: op, Release: []skipper.ReleaseChange{{Name: "r", Version: 1, Remove: true}}}
	}
	key := skipper.CommandOptions{IdempotencyKey: "key"}
	_, op, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""), key)
	requireError(t, err, skipper.CodeConflict, "no room")
	b.ops.wait = b.store.Operation
	_, same, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""), key)
	requireError(t, err, skipper.CodeConflict, "no room")
	require.Equal(t, op.ID, same.ID)
}

// What is refused before there is an operation leaves the key free: nothing happened.
func TestIdempotencyKey_OfARefusedRequestStaysFree(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := skipper.CommandOptions{IdempotencyKey: "key"}
	_, _, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""), key)
	require.Error(t, err, "there is no such package yet")
	b.pair("1.0.0")
	_, _, err = b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""), key)
	require.NoError(t, err)
}

func TestBusy_EveryCommandCanBeQueuedAndIsPlannedLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	running := b.busy(skipper.KindUpgrade, skipper.StateUpgradeWait)
	o := skipper.CommandOptions{OnConflict: skipper.ConflictQueue}
	run := func(name string, kind skipper.Kind, command func() (skipper.Release, skipper.Operation, error)) skipper.Operation {
		rel, op, err := command()
		require.NoError(t, err, name)
		require.Equal(t, skipper.Release{}, rel, name)
		require.Equal(t, kind, op.Kind, name)
		require.Equal(t, skipper.OutcomeQueued, op.Outcome, name)
		require.Equal(t, "default", op.Account, name)
		require.Equal(t, b.now.Add(10*time.Minute), op.Deadline, name)
		return op
	}
	ctx := t.Context()
	run("install", skipper.KindInstall, func() (skipper.Release, skipper.Operation, error) {
		return b.Install(ctx, installRequest("r", "pair", "1.0.0", ""), o)
	})
	run("rollback", skipper.KindRollback, func() (skipper.Release, skipper.Operation, error) {
		return b.Rollback(ctx, skipper.RollbackRequest{ReleaseName: "r", Version: new(1)}, o)
	})
	scale := run("scale", skipper.KindScale, func() (skipper.Release, skipper.Operation, error) {
		return b.Scale(ctx, "r", skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{{Name: "ping", Count: new(2)}}}, o)
	})
	upgrade := run("upgrade", skipper.KindUpgrade, func() (skipper.Release, skipper.Operation, error) {
		return b.Upgrade(ctx, upgradeRequest("r", "pair", "1.0.0", bigPing), o)
	})
	deleted := run("delete", skipper.KindDelete, func() (skipper.Release, skipper.Operation, error) {
		return b.Delete(ctx, "r", false, o)
	})
	_, _, err := b.Delete(ctx, "r", false)
	requireError(t, err, skipper.CodeBusy, "Statemachine is not in state ready to do DELETE")

	begin := func(op skipper.Operation) error {
		whole, err := b.store.OperationWithRequest(ctx, op.ID)
		require.NoError(t, err)
		return b.Begin(ctx, whole)
	}
	require.Equal(t, skipper.CodeBusy, skipper.CodeOf(begin(upgrade)))
	ended := running
	now := b.now
	ended.State, ended.Outcome, ended.Ended = skipper.StateInitial, skipper.OutcomeSucceeded, &now
	require.NoError(t, b.store.Advance(ctx, ended.Token, skipper.Advance{Operation: ended}))
	require.NoError(t, begin(upgrade))
	op, err := b.store.Operation(ctx, upgrade.ID)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeRunning, op.Outcome)
	require.Equal(t, skipper.StateUpgradeStart, op.State)
	require.Equal(t, []string{"ping"}, op.Plan.Apps)
	require.Equal(t, 2, op.TargetVersion)
	require.ErrorIs(t, begin(upgrade), skipper.ErrStale)
	require.Equal(t, skipper.CodeBusy, skipper.CodeOf(begin(deleted)))

	// A scale of a release of which nothing runs has nothing to do.
	_, err = b.ops.finish(ctx, op)
	require.NoError(t, err)
	require.NoError(t, begin(deleted))
	_, err = b.ops.finish(ctx, deleted)
	require.NoError(t, err)
	require.NoError(t, begin(scale))
	op, err = b.store.Operation(ctx, scale.ID)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
}

func TestBegin_WithoutAReadableRequestSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.Begin(t.Context(), skipper.Operation{ID: "q", Request: []byte(`{"explode": true}`)})
	requireError(t, err, skipper.CodeConflict,
		"this server does not know the request that was kept; a newer one made it: give the command again")
}

func TestRetry_WithoutAKeptRequestIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	old := b.busy(skipper.KindUpgrade, skipper.StateUpgradeWait)
	now := b.now
	old.State, old.Outcome, old.Ended = skipper.StateInitial, skipper.OutcomeFailed, &now
	require.NoError(t, b.store.Advance(t.Context(), old.Token, skipper.Advance{Operation: old}))
	_, err := b.RetryOperation(t.Context(), old.ID, skipper.CommandOptions{})
	requireError(t, err, skipper.CodeConflict,
		`the request of operation "runs" was not kept, because an older skiff made it; give the command again`)
}

func TestInstall_OfABusyNameNamesTheOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	running := b.busy(skipper.KindUpgrade, skipper.StateUpgradeWait)
	_, _, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""))
	requireError(t, err, skipper.CodeConflict, "Release with the name [r] already exists and it is not deleted.")
	known, ok := errors.AsType[*skipper.Error](err)
	require.True(t, ok)
	require.Equal(t, running.ID, known.OperationID)
}
