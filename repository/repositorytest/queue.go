package repositorytest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func queueTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Queue_KeepsEveryField":                          testQueueKeepsEveryField,
		"Queue_RefusesAKeyThatIsTaken":                   testQueueRepeated,
		"Queue_RefusesWhenTooManyWait":                   testQueueFull,
		"Queue_WhatWaitsMakesTheReleaseBusy":             testQueueBusy,
		"Queue_SupersedingCancelsWhatRunsAndWaits":       testQueueSupersede,
		"ClaimQueued_OneAfterTheOther":                   testClaimInTurn,
		"ClaimQueued_NotAgainBeforeTheClaimIsOver":       testClaimHolds,
		"ClaimQueued_AtTheDeadlineWhateverRuns":          testClaimAtDeadline,
		"ClaimQueued_LeavesAccountsElsewhereToOthers":    testClaimElsewhere,
		"Lease_LeavesAccountsElsewhereToOthers":          testLeaseElsewhere,
		"Compensations_OfAccountsElsewhereAreLeft":       testCompensationsElsewhere,
		"Deadline_OfAQueuedOperationCanBeNextDue":        testQueueNextDue,
		"FreeLeases_AlsoFreesClaimsOfQueuedOperations":   testFreeClaims,
		"Unfinished_RunningFirstThenTheQueueInItsOrder":  testUnfinished,
		"DeferQueued_TriesAgainLater":                    testDeferQueued,
		"EndQueued_EndsWithItsErrorOrAsSuccessWithoutIt": testEndQueued,
	}
}

// queued keeps an operation that waits for its turn, until in ten minutes.
func (b *bundle) queued(t *testing.T, id, name string, kind skipper.Kind) skipper.Operation {
	t.Helper()
	op, err := b.Queue(t.Context(), b.waiting(id, name, kind), false)
	require.NoError(t, err)
	return op
}

func (b *bundle) waiting(id, name string, kind skipper.Kind) skipper.Operation {
	return skipper.Operation{
		ID: id, Kind: kind, ReleaseName: name, Account: "default", Created: b.clock.Now(), Due: b.clock.Now(),
		Deadline: b.clock.Now().Add(10 * time.Minute), Request: json.RawMessage(`{"kind":"` + string(kind) + `"}`),
	}
}

// begin has an operation accepted that makes no version.
func (b *bundle) begin(t *testing.T, kind skipper.Kind, name string, latest int) skipper.Operation {
	t.Helper()
	op, _, err := b.Accept(t.Context(), b.operation(kind, name, latest), nil, latest)
	require.NoError(t, err)
	return op
}

// turn claims all that can begin now, for a minute.
func (b *bundle) turn(t *testing.T, elsewhere ...string) []string {
	t.Helper()
	now := b.clock.Now()
	ops, err := b.ClaimQueued(t.Context(), now, now.Add(time.Minute), 100, elsewhere)
	require.NoError(t, err)
	return idsOf(ops)
}

func testQueueKeepsEveryField(t *testing.T, b *bundle) {
	op := b.waiting("q", "log", skipper.KindUpgrade)
	op.IdempotencyKey = "key"
	op.Outcome, op.State, op.Token = skipper.OutcomeSucceeded, skipper.StateInitial, 3 // not the caller's to say
	queued, err := b.Queue(t.Context(), op, false)
	require.NoError(t, err)
	want := op
	want.Updated, want.Outcome, want.State, want.Token = op.Created, skipper.OutcomeQueued, skipper.StateQueued, 0
	want.Retriable = true
	requireEqual(t, want, queued)
	got, err := b.OperationWithRequest(t.Context(), "q")
	require.NoError(t, err)
	requireEqual(t, want, got)
	claimed, err := b.ClaimQueued(t.Context(), b.clock.Now(), b.clock.Now().Add(time.Second), 1, nil)
	require.NoError(t, err)
	want.Due = b.clock.Now().Add(time.Second)
	requireEqual(t, []skipper.Operation{want}, claimed)
	events, err := b.OperationEvents(t.Context(), "q", 0)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]skipper.OperationEvent{{
		OperationID: "q", Time: op.Created, From: skipper.StateInitial, Event: "queued", To: skipper.StateQueued,
	}}, events, cmpopts.IgnoreFields(skipper.OperationEvent{}, "ID")))
}

func testQueueRepeated(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	op := b.waiting("first", "log", skipper.KindUpgrade)
	op.IdempotencyKey = "key"
	_, err := b.Queue(t.Context(), op, false)
	require.NoError(t, err)
	again := b.waiting("second", "other", skipper.KindUpgrade)
	again.IdempotencyKey = "key"
	_, err = b.Queue(t.Context(), again, true)
	require.ErrorIs(t, err, skipper.ErrRepeated)
	requireCode(t, skipper.CodeConflict, err)
	release := b.release("third", 1, p)
	install := b.operation(skipper.KindInstall, "third", 1)
	install.IdempotencyKey = "key"
	_, _, err = b.Accept(t.Context(), install, &release, 0)
	require.ErrorIs(t, err, skipper.ErrRepeated)
	_, err = b.Release(t.Context(), "third", 1)
	requireCode(t, skipper.CodeReleaseNotFound, err)
	require.NoError(t, b.EndQueued(t.Context(), "first", nil))
	_, _, err = b.Accept(t.Context(), install, &release, 0)
	require.ErrorIs(t, err, skipper.ErrRepeated, "also after it ended")
}

func testQueueFull(t *testing.T, b *bundle) {
	for i := range 100 {
		b.queued(t, fmt.Sprintf("q-%d", i), "log", skipper.KindScale)
	}
	_, err := b.Queue(t.Context(), b.waiting("one too many", "log", skipper.KindScale), false)
	requireCode(t, skipper.CodeConflict, err)
	require.ErrorContains(t, err, `100 operations wait for release "log"`)
	b.queued(t, "other", "other", skipper.KindScale)
	_, err = b.Queue(t.Context(), b.waiting("instead", "log", skipper.KindScale), true)
	require.NoError(t, err)
}

func testQueueBusy(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	first := b.queued(t, "q-1", "log", skipper.KindInstall)
	b.queued(t, "q-2", "log", skipper.KindInstall)
	release := b.release("log", 1, p)
	op := b.operation(skipper.KindInstall, "log", 1)
	_, _, err := b.Accept(t.Context(), op, &release, 0)
	requireEqual(t, skipper.Busy("INSTALL", first.ID), err)
	running, err := b.RunningOperation(t.Context(), "log")
	require.NoError(t, err)
	require.Nil(t, running)
}

func testQueueSupersede(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	running, _ := b.accept(t, "log", 1, p)
	other, _ := b.accept(t, "other", 1, p)
	b.queued(t, "q-1", "log", skipper.KindUpgrade)
	b.queued(t, "q-other", "other", skipper.KindUpgrade)
	now := b.clock.advance(time.Second)
	_, err := b.Queue(t.Context(), b.waiting("q-2", "log", skipper.KindDelete), true)
	require.NoError(t, err)

	gone, err := b.Operation(t.Context(), "q-1")
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeCancelled, gone.Outcome)
	require.Equal(t, skipper.StateInitial, gone.State)
	require.Equal(t, &now, gone.Ended)
	requireEqual(t, &skipper.OperationError{
		Code: skipper.CodeCancelled, Message: "Operation q-2 superseded it before it began.",
	}, gone.Error)
	stopping, err := b.Operation(t.Context(), running.ID)
	require.NoError(t, err)
	require.True(t, stopping.Cancel)
	require.Equal(t, now, stopping.Due)
	spared, err := b.Unfinished(t.Context(), []string{"other"}, 10)
	require.NoError(t, err)
	require.Equal(t, []string{other.ID, "q-other"}, idsOf(spared))
	require.False(t, spared[0].Cancel)
}

func testClaimInTurn(t *testing.T, b *bundle) {
	running, _ := b.accept(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil))
	b.queued(t, "q-b", "log", skipper.KindUpgrade)
	b.clock.advance(time.Second)
	b.queued(t, "q-a", "log", skipper.KindScale)
	b.queued(t, "free", "other", skipper.KindInstall)
	require.Equal(t, []string{"free"}, b.turn(t))
	b.end(t, running)
	require.Equal(t, []string{"q-b"}, b.turn(t), "first come, first served")
	_, err := b.CancelOperation(t.Context(), "q-b")
	require.NoError(t, err)
	require.Equal(t, []string{"q-a"}, b.turn(t))
}

func testClaimHolds(t *testing.T, b *bundle) {
	b.queued(t, "q-1", "log", skipper.KindInstall)
	b.queued(t, "q-2", "log", skipper.KindUpgrade)
	require.Equal(t, []string{"q-1"}, b.turn(t))
	require.Empty(t, b.turn(t), "who claimed it may still begin it, and the next one waits for it")
	b.clock.advance(time.Minute)
	require.Equal(t, []string{"q-1"}, b.turn(t), "who claimed it is dead")
}

func testClaimAtDeadline(t *testing.T, b *bundle) {
	b.accept(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil))
	b.queued(t, "q-1", "log", skipper.KindUpgrade)
	b.clock.advance(10*time.Minute - time.Microsecond)
	require.Empty(t, b.turn(t))
	b.clock.advance(time.Microsecond)
	require.Equal(t, []string{"q-1"}, b.turn(t, "default"), "any server may end it")
}

func testClaimElsewhere(t *testing.T, b *bundle) {
	b.queued(t, "q-1", "log", skipper.KindInstall)
	unknown := b.waiting("q-2", "other", skipper.KindInstall)
	unknown.Account = ""
	_, err := b.Queue(t.Context(), unknown, false)
	require.NoError(t, err)
	require.Equal(t, []string{"q-2"}, b.turn(t, "default", "second"))
	_, found, err := b.NextDue(t.Context(), b.clock.Now(), nil)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, []string{"q-1"}, b.turn(t, "second"))
}

func testLeaseElsewhere(t *testing.T, b *bundle) {
	op, _ := b.accept(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil))
	now := b.clock.Now()
	none, err := b.Lease(t.Context(), "server", now, now.Add(time.Minute), 10, []string{"default"})
	require.NoError(t, err)
	require.Empty(t, none)
	_, found, err := b.NextDue(t.Context(), now, []string{"default"})
	require.NoError(t, err)
	require.False(t, found)
	one, err := b.Lease(t.Context(), "server", now, now.Add(time.Minute), 10, []string{"another"})
	require.NoError(t, err)
	require.Equal(t, []string{op.ID}, idsOf(one))
}

func testCompensationsElsewhere(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.log-v1")
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Unwant: []string{"log.log-v1"}}))
	b.end(t, op)
	now := b.clock.Now()
	none, err := b.ClaimCompensations(t.Context(), now, now.Add(time.Minute), 10, []string{"default"})
	require.NoError(t, err)
	require.Empty(t, none)
	_, found, err := b.NextDue(t.Context(), now, []string{"default"})
	require.NoError(t, err)
	require.False(t, found)
	one, err := b.ClaimCompensations(t.Context(), now, now.Add(time.Minute), 10, []string{"another"})
	require.NoError(t, err)
	require.Equal(t, []string{"log.log-v1"}, deploymentIDs(one))
}

func testQueueNextDue(t *testing.T, b *bundle) {
	start := b.clock.Now()
	next := func(elsewhere ...string) time.Time {
		t.Helper()
		at, found, err := b.NextDue(t.Context(), start, elsewhere)
		require.NoError(t, err)
		require.True(t, found)
		return at
	}
	running := b.leased(t, "log") // for a minute
	op := b.waiting("q", "log", skipper.KindUpgrade)
	op.Deadline = start.Add(30 * time.Second)
	_, err := b.Queue(t.Context(), op, false)
	require.NoError(t, err)
	require.Equal(t, op.Deadline, next(), "it cannot begin before")
	b.end(t, running)
	require.Equal(t, start, next(), "it is its turn")
	require.Equal(t, op.Deadline, next("default"), "but not here")
	require.NoError(t, b.DeferQueued(t.Context(), "q", start.Add(time.Second), 1, ""))
	require.Equal(t, start.Add(time.Second), next())
	require.NoError(t, b.DeferQueued(t.Context(), "q", start.Add(time.Minute), 1, ""))
	require.Equal(t, start.Add(time.Minute), next(), "a claim that outlasts the deadline is waited for")
}

func testFreeClaims(t *testing.T, b *bundle) {
	b.queued(t, "q", "log", skipper.KindInstall)
	require.Equal(t, []string{"q"}, b.turn(t))
	require.Empty(t, b.turn(t))
	require.NoError(t, b.FreeLeases(t.Context()))
	require.Equal(t, []string{"q"}, b.turn(t))
}

func testUnfinished(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "ended", 1, p, skipper.StatusDeployed)
	b.queued(t, "z", "log", skipper.KindUpgrade)
	b.clock.advance(time.Second)
	b.queued(t, "a", "log", skipper.KindUpgrade)
	b.queued(t, "b", "other", skipper.KindUpgrade)
	op := b.waiting("z", "log", skipper.KindUpgrade)
	op.State, op.TargetVersion = skipper.StateInstall, 1
	release := b.release("log", 1, p)
	_, _, err := b.Begin(t.Context(), op, &release, 0)
	require.NoError(t, err)
	b.queued(t, "c", "log", skipper.KindUpgrade)
	got, err := b.Unfinished(t.Context(), []string{"log", "other", "ended", "none"}, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"z", "a", "c", "b"}, idsOf(got))
	got, err = b.Unfinished(t.Context(), []string{"log"}, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"z", "a"}, idsOf(got))
	got, err = b.Unfinished(t.Context(), nil, 1)
	require.NoError(t, err)
	require.Empty(t, got)
}

func testDeferQueued(t *testing.T, b *bundle) {
	b.queued(t, "q", "log", skipper.KindInstall)
	require.NoError(t, b.DeferQueued(t.Context(), "q", b.clock.Now().Add(time.Second), 3, "the platform is away"))
	require.Empty(t, b.turn(t))
	b.clock.advance(time.Second)
	require.Equal(t, []string{"q"}, b.turn(t))
	op, err := b.Operation(t.Context(), "q")
	require.NoError(t, err)
	require.Equal(t, 3, op.Attempt)
	events, err := b.OperationEvents(t.Context(), "q", 0)
	require.NoError(t, err)
	require.Equal(t, "the platform is away", events[1].Message)
	require.NoError(t, b.DeferQueued(t.Context(), "q", b.clock.Now(), 3, ""))
	again, err := b.OperationEvents(t.Context(), "q", 0)
	require.NoError(t, err)
	require.Len(t, again, 2, "without a message there is nothing to tell")
	require.NoError(t, b.EndQueued(t.Context(), "q", nil))
	requireStale(t, b.DeferQueued(t.Context(), "q", b.clock.Now(), 3, ""))
}

func testEndQueued(t *testing.T, b *bundle) {
	b.queued(t, "failed", "log", skipper.KindInstall)
	b.queued(t, "done", "log", skipper.KindScale)
	now := b.clock.advance(time.Second)
	require.NoError(t, b.EndQueued(t.Context(), "failed", skipper.Errorf(skipper.CodeConflict, "no")))
	require.NoError(t, b.EndQueued(t.Context(), "done", nil))
	for id, want := range map[string]struct {
		outcome skipper.Outcome
		err     *skipper.OperationError
		event   string
	}{
		"failed": {skipper.OutcomeFailed, &skipper.OperationError{Code: skipper.CodeConflict, Message: "no"}, "FAILED"},
		"done":   {skipper.OutcomeSucceeded, nil, "DONE"},
	} {
		got, err := b.OperationWithRequest(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want.outcome, got.Outcome)
		requireEqual(t, want.err, got.Error)
		require.Equal(t, &now, got.Ended)
		require.NotNil(t, got.Request, "it can be tried again")
		require.Equal(t, "log", got.ReleaseName)
		events, err := b.OperationEvents(t.Context(), id, 0)
		require.NoError(t, err)
		require.Equal(t, want.event, events[len(events)-1].Event)
		requireStale(t, b.EndQueued(t.Context(), id, nil))
	}
}
