package repositorytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func beginTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Begin_TurnsAQueuedOperationIntoARunningOne": testBegin,
		"Begin_RefusesWhileAnotherOperationRuns":     testBeginBusy,
		"Begin_RefusesWhenTheReleaseChanged":         testBeginChanged,
		"Begin_RefusesWithoutItsPackage":             testBeginWithoutPackage,
		"Begin_RefusesWhatIsNotQueued":               testBeginNotQueued,
	}
}

// planned is a queued operation as it begins.
func (b *bundle) planned(op skipper.Operation) skipper.Operation {
	op.State, op.Plan = skipper.StateInstall, skipper.Plan{Account: "second", Timeout: 5}
	op.SourceVersion, op.TargetVersion = 0, 1
	op.Deadline, op.Due = b.clock.Now().Add(time.Minute), b.clock.Now()
	return op
}

func testBegin(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	op := b.queued(t, "q", "log", skipper.KindInstall)
	require.NoError(t, b.DeferQueued(t.Context(), "q", b.clock.Now(), 2, ""))
	now := b.clock.advance(time.Second)
	release := b.release("log", 1, p)
	begun, made, err := b.Begin(t.Context(), b.planned(op), &release, 0)
	require.NoError(t, err)
	require.Equal(t, 1, made.Version)

	got, err := b.OperationWithRequest(t.Context(), "q")
	require.NoError(t, err)
	want := b.planned(op)
	want.Outcome, want.Account, want.Updated = skipper.OutcomeRunning, "second", now
	requireEqual(t, want, got)
	requireEqual(t, want, begun)
	_, err = b.Release(t.Context(), "log", 1)
	require.NoError(t, err)
	events, err := b.OperationEvents(t.Context(), "q", 0)
	require.NoError(t, err)
	last := events[len(events)-1]
	requireEqual(t, skipper.OperationEvent{
		ID: last.ID, OperationID: "q", Time: now, From: skipper.StateQueued, Event: "INSTALL", To: skipper.StateInstall,
	}, last)
	leased, err := b.Lease(t.Context(), "server", now, now.Add(time.Minute), 1, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"q"}, idsOf(leased))
}

func testBeginBusy(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	running, _ := b.accept(t, "log", 1, p)
	op := b.queued(t, "q", "log", skipper.KindUpgrade)
	release := b.release("log", 2, p)
	_, _, err := b.Begin(t.Context(), b.planned(op), &release, 1)
	requireEqual(t, skipper.Busy("UPGRADE", running.ID), err)
	b.stillQueued(t, "q")
	_, err = b.Release(t.Context(), "log", 2)
	requireCode(t, skipper.CodeReleaseNotFound, err)
}

func testBeginChanged(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "log", 1, p, skipper.StatusDeployed)
	op := b.queued(t, "q", "log", skipper.KindUpgrade)
	for _, latest := range []int{0, 2} {
		release := b.release("log", 2, p)
		_, _, err := b.Begin(t.Context(), b.planned(op), &release, latest)
		require.ErrorIs(t, err, skipper.ErrChanged)
		b.stillQueued(t, "q")
	}
	taken := b.release("log", 1, p)
	_, _, err := b.Begin(t.Context(), b.planned(op), &taken, 1)
	require.ErrorIs(t, err, skipper.ErrChanged)
	b.stillQueued(t, "q")
}

func testBeginWithoutPackage(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	op := b.queued(t, "q", "log", skipper.KindInstall)
	require.NoError(t, b.DeletePackages(t.Context(), "log", allow))
	release := b.release("log", 1, p)
	_, _, err := b.Begin(t.Context(), b.planned(op), &release, 0)
	requireCode(t, skipper.CodeNotFound, err)
	b.stillQueued(t, "q")
}

func testBeginNotQueued(t *testing.T, b *bundle) {
	ended := b.queued(t, "ended", "log", skipper.KindInstall)
	require.NoError(t, b.EndQueued(t.Context(), "ended", nil))
	running := b.leased(t, "other")
	for _, op := range []skipper.Operation{ended, running, b.waiting("none", "log", skipper.KindInstall)} {
		_, _, err := b.Begin(t.Context(), b.planned(op), nil, 0)
		requireStale(t, err)
	}
}

func (b *bundle) stillQueued(t *testing.T, id string) {
	t.Helper()
	op, err := b.Operation(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeQueued, op.Outcome)
	require.Equal(t, skipper.StateQueued, op.State)
	events, err := b.OperationEvents(t.Context(), id, 0)
	require.NoError(t, err)
	require.Len(t, events, 1)
}
