package operation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server/operation"
	"github.com/skiff-project/skiff/server/rollout"
)

var queueIt = skipper.CommandOptions{OnConflict: skipper.ConflictQueue}

// busyRelease has release r, which an upgrade keeps busy until it is cancelled; more are values of that.
func (s *server) busyRelease(more ...string) skipper.Operation {
	s.tb.Helper()
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: '1'}")
	require.NoError(s.tb, err)
	_, op, err := s.upgrade("r", "one", "1.0.0", "a: {fake.healthy-after: never"+strings.Join(more, "")+"}", time.Minute)
	require.NoError(s.tb, err)
	return op
}

func (s *server) cancel(op skipper.Operation) {
	s.tb.Helper()
	_, err := s.release.CancelOperation(s.tb.Context(), op.ID)
	require.NoError(s.tb, err)
}

// healthyWith are values of applications that are healthy at once, unlike those of the upgrade that keeps r busy.
func healthyWith(x string) string { return "a: {fake.healthy-after: 0s, x: x" + x + "}" }

func (s *server) queuedUpgrade(x string) skipper.Operation {
	s.tb.Helper()
	rel, op, err := s.upgradeWith("r", "one", "1.0.0", healthyWith(x), time.Minute, queueIt)
	require.NoError(s.tb, err)
	require.Equal(s.tb, skipper.Release{}, rel)
	require.Equal(s.tb, skipper.OutcomeQueued, op.Outcome)
	return op
}

func (s *server) eventsOf(op skipper.Operation) []string {
	s.tb.Helper()
	events, err := s.store.OperationEvents(s.tb.Context(), op.ID, 0)
	require.NoError(s.tb, err)
	var out []string
	for _, e := range events {
		out = append(out, e.Event)
	}
	return out
}

func TestQueue_BeginsInTurnWhenTheReleaseIsFree(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	first := s.queuedUpgrade("2")
	second := s.queuedUpgrade("3")
	s.cancel(running)
	require.Equal(t, skipper.OutcomeCancelled, s.end(running).Outcome)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(first).Outcome)
	second = s.end(second)
	require.Equal(t, skipper.OutcomeSucceeded, second.Outcome)
	first = s.end(first)
	require.Equal(t, 3, first.TargetVersion, "planned from what stood when it began")
	require.Equal(t, 4, second.TargetVersion)
	require.False(t, second.Ended.Before(*first.Ended))
	require.Equal(t, []string{"r.a-v4"}, s.runs())
	require.Equal(t, []string{"queued", "UPGRADE"}, s.eventsOf(second)[:2])
}

func TestQueue_OnAFreeReleaseBeginsAtOnce(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	for _, how := range []skipper.OnConflict{skipper.ConflictQueue, skipper.ConflictSupersede} {
		rel, op, err := s.installWith(string(how), "one", "", skipper.CommandOptions{OnConflict: how})
		require.NoError(t, err)
		require.Equal(t, skipper.StatusDeployed, rel.Info.Status.StatusCode)
		require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
	}
}

func TestQueue_APlanThatFailsEndsTheOperationAndTheNextOneBegins(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	s.cancel(running)
	s.end(running)
	_, _, err := s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
	require.NoError(t, err)
	gate := make(chan error, 1)
	go func() {
		_, _, err := s.install("r", "one", "a: {fake.block: gate}")
		gate <- err
	}()
	require.NoError(t, s.fake.Reached(t.Context(), "gate"))
	_, taken, err := s.installWith("r", "one", "", queueIt)
	require.NoError(t, err)
	_, gone, err := s.release.Delete(t.Context(), "r", false, queueIt)
	require.NoError(t, err)
	require.NoError(t, s.fake.Open("gate"))
	require.NoError(t, <-gate)
	taken = s.end(taken)
	require.Equal(t, skipper.OutcomeFailed, taken.Outcome)
	require.Equal(t, skipper.CodeConflict, taken.Error.Code)
	require.Equal(t, "Release with the name [r] already exists and it is not deleted.", taken.Error.Message)
	require.Equal(t, []string{"queued", "FAILED"}, s.eventsOf(taken))
	require.Equal(t, skipper.OutcomeSucceeded, s.end(gone).Outcome)
	require.Empty(t, s.runs())
}

func TestQueue_SupersedeCancelsWhatRunsAndWhatWaits(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	waiting := s.queuedUpgrade("2")
	_, op, err := s.upgradeWith("r", "one", "1.0.0", healthyWith("3"), time.Minute,
		skipper.CommandOptions{OnConflict: skipper.ConflictSupersede})
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
	require.Equal(t, skipper.OutcomeCancelled, s.end(running).Outcome)
	waiting = s.end(waiting)
	require.Equal(t, skipper.OutcomeCancelled, waiting.Outcome)
	require.Contains(t, waiting.Error.Message, op.ID)
	require.Equal(t, []string{"r.a-v3"}, s.runs())
}

func TestQueue_EndsAtItsDeadlineWhileTheReleaseStaysBusy(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, ""), short(), func(p *parts) { p.queue = 50 * time.Millisecond })
	t.Cleanup(func() { s.stop() })
	running := s.busyRelease()
	op := s.end(s.queuedUpgrade("2"))
	require.Equal(t, skipper.OutcomeFailed, op.Outcome)
	require.Equal(t, skipper.CodeTimeout, op.Error.Code)
	require.Equal(t, `It could not begin within 50ms: release "r" was busy; give the command again, or raise `+
		"operation.queue-timeout", op.Error.Message)
	s.cancel(running)
	s.end(running)
}

func TestQueue_CancelledBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	op := s.queuedUpgrade("2")
	s.cancel(op)
	op = s.end(op)
	require.Equal(t, skipper.OutcomeCancelled, op.Outcome)
	s.cancel(running)
	s.end(running)
	require.Equal(t, []string{"r.a-v1"}, s.runs())
}

func TestQueue_WhatMayPassIsTriedAgainUntilTheDeadline(t *testing.T) {
	t.Parallel()
	store, err := repository.Open(t.Context(), repository.Config{
		Dir: t.TempDir(), Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	for name, c := range map[string]struct {
		err     error // nil: it panics
		outcome skipper.Outcome
		tries   int64
	}{
		"unavailable": {skipper.Errorf(skipper.CodeUnavailable, "the platform is away"), skipper.OutcomeSucceeded, 3},
		"late":        {skipper.Errorf(skipper.CodeTimeout, "the platform is slow"), skipper.OutcomeSucceeded, 3},
		"refused":     {skipper.Errorf(skipper.CodeConflict, "no"), skipper.OutcomeFailed, 1},
		"a defect":    {errors.New("a defect"), skipper.OutcomeFailed, 1},
		"a panic":     {nil, skipper.OutcomeFailed, 1},
	} {
		_, err := store.Queue(t.Context(), skipper.Operation{
			ID: name, ReleaseName: name, Kind: skipper.KindInstall, Created: time.Now(), Due: time.Now(),
			Deadline: time.Now().Add(time.Minute),
		}, false)
		require.NoError(t, err)
		var tries atomic.Int64
		engine := operation.New(store, &rollout.Rollout{}, operation.Config{
			Owner: "one", Poll: 5 * time.Millisecond, RetryBase: time.Millisecond, RetryLimit: 10 * time.Millisecond,
			Begin: func(ctx context.Context, op skipper.Operation) error {
				switch n := tries.Add(1); {
				case n == 3:
					return store.EndQueued(ctx, op.ID, nil)
				case c.err == nil:
					panic("a defect")
				}
				return c.err
			},
		}, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); engine.Run(ctx) }()
		op, err := engine.Wait(t.Context(), name, func(skipper.Operation) bool { return false })
		cancel()
		<-done
		require.NoError(t, err)
		require.Equal(t, c.outcome, op.Outcome, name)
		require.Equal(t, c.tries, tries.Load(), name)
	}
}

func TestTwoEngines_BeginAQueuedOperationOnce(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	other := operation.New(s.store, s.roll, operation.Config{
		Owner: "other", Poll: time.Millisecond, Lease: 10 * time.Second,
		Begin: func(ctx context.Context, op skipper.Operation) error { return s.release.Begin(ctx, op) },
	}, time.Now, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); other.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	running := s.busyRelease()
	var queued []skipper.Operation
	for i := range 10 {
		queued = append(queued, s.queuedUpgrade(fmt.Sprint(i)))
	}
	s.cancel(running)
	for i, op := range queued {
		op = s.end(op)
		require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
		require.Equal(t, 3+i, op.TargetVersion, "each began once, in its turn")
		begun := 0
		for _, e := range s.eventsOf(op) {
			if e == "UPGRADE" {
				begun++
			}
		}
		require.Equal(t, 1, begun)
	}
	require.Equal(t, []string{"r.a-v12"}, s.runs())
}

// A key is one operation, however often and however concurrently it comes, before and after the operation ended.
func TestIdempotencyKey_FiftyRequestsAtOnceAreOneOperation(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	for _, busy := range []bool{false, true} {
		o := skipper.CommandOptions{IdempotencyKey: fmt.Sprintf("key-%v", busy)}
		name := "r0"
		if busy {
			name, o.OnConflict = "r", skipper.ConflictQueue
		}
		const n = 50
		ids, errs := make([]string, n), make([]error, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				var op skipper.Operation
				if busy {
					_, op, errs[i] = s.upgradeWith(name, "one", "1.0.0", healthyWith("9"), time.Minute, o)
				} else {
					_, op, errs[i] = s.installWith(name, "one", "", o)
				}
				ids[i] = op.ID
			})
		}
		group.Wait()
		for i := range n {
			require.NoError(t, errs[i])
			require.Equal(t, ids[0], ids[i])
		}
		page, err := s.store.Operations(t.Context(), skipper.OperationFilter{ReleaseName: name}, skipper.PageRequest{Size: 10})
		require.NoError(t, err)
		want := 1
		if busy {
			want = 3 // the install and the upgrade before, and this one
		}
		require.Equal(t, want, page.Total)
	}
	s.cancel(running)
	s.end(running)
}

func TestCancelOperation_OfADeleteLeavesAReleaseThatCanBeDeleted(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("pair", "1.0.0", "a", "b")
	_, _, err := s.install("r", "pair", "a: {fake.undeploy-block: gate}\nb: {fake.undeploy-errors: 3}")
	require.NoError(t, err)
	answer := make(chan error, 1)
	go func() {
		_, _, err := s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
		answer <- err
	}()
	require.NoError(t, s.fake.Reached(t.Context(), "gate"))
	running, err := s.store.RunningOperation(t.Context(), "r")
	require.NoError(t, err)
	legacy, _, err := s.release.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.False(t, legacy.Accepted, "as recorded")
	s.cancel(*running)
	require.NoError(t, s.fake.Open("gate"))
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(<-answer))
	require.Equal(t, skipper.OutcomeCancelled, s.end(*running).Outcome)
	require.Equal(t, []string{"r.b-v1"}, s.runs(), "what is gone is gone, the rest stays")
	code, _ := s.status(1)
	require.Equal(t, skipper.StatusDeployed, code)
	rows, err := s.store.DeploymentsOf(t.Context(), "r", 1)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.True(t, rows[0].Wanted, "it is no open compensation")

	_, op, err := s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
	require.Empty(t, s.runs())
}

func TestCancelOperation_OfAScaleStopsIt(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {fake.scale-error: unavailable}")
	require.NoError(t, err)
	request := skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{{Name: "a", Count: new(2)}}}
	answer := make(chan error, 1)
	go func() {
		_, _, err := s.release.Scale(t.Context(), "r", request, skipper.CommandOptions{})
		answer <- err
	}()
	var running *skipper.Operation
	require.Eventually(t, func() bool {
		running, err = s.store.RunningOperation(t.Context(), "r")
		return err == nil && running != nil
	}, 10*time.Second, time.Millisecond)
	s.cancel(*running)
	require.Equal(t, skipper.OutcomeCancelled, s.end(*running).Outcome)
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(<-answer))
	code, _ := s.status(1)
	require.Equal(t, skipper.StatusDeployed, code)
}

func TestRetryOperation_RepeatsWhatFailed(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	_, err := s.release.RetryOperation(t.Context(), running.ID, skipper.CommandOptions{})
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "it has not ended")
	s.cancel(running)
	s.end(running)
	again, err := s.release.RetryOperation(t.Context(), running.ID, skipper.CommandOptions{IdempotencyKey: "again"})
	require.NoError(t, err)
	require.NotEqual(t, running.ID, again.ID)
	require.Equal(t, skipper.KindUpgrade, again.Kind)
	twice, err := s.release.RetryOperation(t.Context(), running.ID, skipper.CommandOptions{IdempotencyKey: "again"})
	require.NoError(t, err)
	require.Equal(t, again.ID, twice.ID)
	_, err = s.release.RetryOperation(t.Context(), running.ID, skipper.CommandOptions{})
	require.Equal(t, skipper.CodeBusy, skipper.CodeOf(err))
	queued, err := s.release.RetryOperation(t.Context(), running.ID, queueIt)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeQueued, queued.Outcome)
	s.cancel(queued)
	s.cancel(again)
	require.Equal(t, skipper.OutcomeCancelled, s.end(again).Outcome)

	s.upload("good", "1.0.0", "a")
	_, good, err := s.install("fine", "good", "")
	require.NoError(t, err)
	_, err = s.release.RetryOperation(t.Context(), good.ID, skipper.CommandOptions{})
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "nothing is to be repeated")
	_, err = s.release.RetryOperation(t.Context(), "none", skipper.CommandOptions{})
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
}

func TestDetail_TellsStepsAndWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	running := s.busyRelease()
	first := s.queuedUpgrade("2")
	second := s.queuedUpgrade("3")
	reader := operation.NewReader(s.store, time.Now)
	d, err := reader.Detail(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, running.ID, d.Behind)
	require.Equal(t, "operation "+running.ID+" (upgrade), which is running", d.WaitsFor)
	require.Len(t, d.Steps, 1)
	require.Equal(t, skipper.StateQueued, d.Steps[0].State)
	require.Nil(t, d.Steps[0].Ended)
	d, err = reader.Detail(t.Context(), second.ID)
	require.NoError(t, err)
	require.Equal(t, first.ID, d.Behind)
	busy, err := reader.Busy(t.Context(), []string{"r", "other"})
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"r": true}, busy)
	early := operation.NewReader(s.store, func() time.Time { return time.Time{} }) // nothing is due yet
	require.Eventually(t, func() bool {
		d, err = early.Detail(t.Context(), running.ID)
		return err == nil && d.WaitsFor != ""
	}, 10*time.Second, time.Millisecond)
	s.cancel(first)
	s.cancel(second)
	s.cancel(running)
	s.end(running)
	d, err = reader.Detail(t.Context(), running.ID)
	require.NoError(t, err)
	require.Empty(t, d.WaitsFor)
	var states []skipper.State
	for i, step := range d.Steps {
		states = append(states, step.State)
		require.NotNil(t, step.Ended)
		if i > 0 {
			require.Equal(t, d.Steps[i-1].Ended, &step.Began)
		}
	}
	require.Equal(t, skipper.StateUpgradeStart, states[0])
	require.Equal(t, skipper.StateUpgradeCancel, states[len(states)-1])
	require.LessOrEqual(t, len(states), 5, "health checks in a row are one step")
	_, err = reader.Detail(t.Context(), "none")
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
}
