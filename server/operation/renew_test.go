package operation_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/operation"
	"github.com/skiff-project/skiff/server/rollout"
)

// caring is short, with a first look soon after the hand-over.
func caring() rollout.Config {
	c := short()
	c.Care = 10 * time.Millisecond
	return c
}

// cared is release r, whose only application is looked after as the script says.
func cared(t *testing.T, url, script string) *server {
	t.Helper()
	s := start(t, t.TempDir(), newFake(t, ""), caring(), at(url))
	t.Cleanup(func() { s.stop() })
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1, "+script+"}")
	require.NoError(t, err)
	return s
}

func (s *server) looks() int {
	s.tb.Helper()
	l, err := s.fake.Ledger()
	require.NoError(s.tb, err)
	require.Empty(s.tb, l.Violations)
	n := 0
	for _, c := range l.Calls {
		if c.Verb == "maintain" {
			n++
		}
	}
	return n
}

func (s *server) renewals(outcomes ...skipper.Outcome) []skipper.Operation {
	s.tb.Helper()
	page, err := s.store.Operations(s.tb.Context(), skipper.OperationFilter{
		ReleaseName: "r", Kinds: []skipper.Kind{skipper.KindRenew}, Outcomes: outcomes,
	}, skipper.PageRequest{Size: 100})
	require.NoError(s.tb, err)
	return page.Items
}

func TestRenew_BeginsByItselfWheneverThePlatformWants(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := cared(t, url, "fake.maintain-after: 10ms")
		before, err := s.store.Release(t.Context(), "r", 1)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return s.looks() >= 3 && len(s.renewals(skipper.OutcomeSucceeded)) >= 3 },
			10*time.Second, 5*time.Millisecond)
		for _, op := range s.renewals(skipper.OutcomeSucceeded) {
			require.Equal(t, 1, op.TargetVersion)
			require.Equal(t, []string{"accepted", "DONE"}, s.eventsOf(op))
		}
		after, err := s.store.Release(t.Context(), "r", 1)
		require.NoError(t, err)
		require.Equal(t, before.ObjectVersion, after.ObjectVersion, "the release is as it was")
	})
}

func TestRenew_OnceWhenThePlatformWantsNoMore(t *testing.T) {
	t.Parallel()
	s := cared(t, "", "")
	require.Eventually(t, func() bool { return len(s.renewals(skipper.OutcomeSucceeded)) == 1 }, 10*time.Second, 5*time.Millisecond)
	d, err := s.store.Deployment(t.Context(), "default", "r.a-v1")
	require.NoError(t, err)
	require.Zero(t, d.Due)
	require.NotNil(t, d.Handle)
}

func TestRenew_FailuresAreOperationsThatFailed(t *testing.T) {
	t.Parallel()
	s := cared(t, "", "fake.maintain-after: 10ms, fake.maintain-errors: 1, fake.maintain-error: quota")
	require.Eventually(t, func() bool { return len(s.renewals(skipper.OutcomeSucceeded)) > 0 }, 10*time.Second, 5*time.Millisecond)
	failed := s.renewals(skipper.OutcomeFailed)
	require.Len(t, failed, 1)
	require.Equal(t, "a", failed[0].Error.Cause.App)
	require.False(t, failed[0].Retriable, "it is tried again anyhow")
	code, _ := s.status(1)
	require.Equal(t, skipper.StatusDeployed, code)
}

// Commands are never refused because of a renewal: it makes way when its platform call has ended.
func TestRenew_MakesWayForCommands(t *testing.T) {
	t.Parallel()
	two := 2
	for name, command := range map[string]func(s *server, o skipper.CommandOptions) (skipper.Operation, error){
		"upgrade": func(s *server, o skipper.CommandOptions) (skipper.Operation, error) {
			_, op, err := s.upgradeWith("r", "one", "1.0.0", "a: {x: 2}", time.Minute, o)
			return op, err
		},
		"scale": func(s *server, o skipper.CommandOptions) (skipper.Operation, error) {
			_, op, err := s.release.Scale(s.tb.Context(), "r",
				skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{{Name: "a", Count: &two}}}, o)
			return op, err
		},
		"delete": func(s *server, o skipper.CommandOptions) (skipper.Operation, error) {
			_, op, err := s.release.Delete(s.tb.Context(), "r", false, o)
			return op, err
		},
	} {
		for _, how := range []skipper.OnConflict{skipper.ConflictFail, skipper.ConflictQueue, skipper.ConflictSupersede} {
			t.Run(name+" "+string(how), func(t *testing.T) {
				t.Parallel()
				s := cared(t, "", "fake.maintain-after: 1h, fake.maintain-block: gate")
				require.NoError(t, s.fake.Reached(t.Context(), "gate"))
				renewal := s.renewals(skipper.OutcomeRunning)
				require.Len(t, renewal, 1)
				busy, err := operation.NewReader(s.store, time.Now).Busy(t.Context(), []string{"r"})
				require.NoError(t, err)
				require.Empty(t, busy)
				type answer struct {
					op  skipper.Operation
					err error
				}
				done := make(chan answer, 1)
				go func() {
					op, err := command(s, skipper.CommandOptions{OnConflict: how})
					done <- answer{op, err}
				}()
				require.Eventually(t, func() bool { return s.renewals(skipper.OutcomeRunning)[0].Cancel }, 10*time.Second, time.Millisecond)
				require.Empty(t, done, "it waits for the end of the call")
				require.NoError(t, s.fake.Open("gate"))
				got := <-done
				require.NoError(t, got.err)
				require.Equal(t, skipper.OutcomeSucceeded, s.end(got.op).Outcome)
				ended := s.end(renewal[0])
				require.Equal(t, skipper.OutcomeCancelled, ended.Outcome)
				require.False(t, ended.Ended.After(got.op.Created))
			})
		}
	}
}

// A cancel of what runs on a release is for what somebody asked for.
func TestRenew_IsNoCommandThatCouldBeCancelledByName(t *testing.T) {
	t.Parallel()
	s := cared(t, "", "fake.maintain-block: gate")
	require.NoError(t, s.fake.Reached(t.Context(), "gate"))
	answer, _, err := s.release.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.False(t, answer.Accepted)
	op, err := s.release.CancelOperation(t.Context(), s.renewals()[0].ID)
	require.NoError(t, err)
	require.NoError(t, s.fake.Open("gate"))
	require.False(t, s.end(op).Unfinished())
}

func TestTwoEngines_RenewOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := cared(t, url, "fake.maintain-after: 5ms")
		other := operation.New(s.store, s.roll, operation.Config{Owner: "other", Poll: time.Millisecond}, time.Now,
			slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); other.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
		require.Eventually(t, func() bool { return s.looks() >= 4 }, 20*time.Second, 5*time.Millisecond)
	})
}

// A server is killed in the middle of a renewal: the next one ends it, and it goes on.
func TestKill_InTheMiddleOfARenewal(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		dir, platform := t.TempDir(), filepath.Join(t.TempDir(), "platform.json")
		s := start(t, dir, newFake(t, platform), short(), at(url))
		s.upload("one", "1.0.0", "a")
		s.killedAt(platform, command{
			Do: "renew", URL: url, Values: "a: {fake.maintain-after: 10ms, fake.maintain-block: gate}",
		})
		s = start(t, dir, newFake(t, platform), caring(), at(url), soonLost)
		t.Cleanup(func() { s.stop() })
		renewals := s.renewals()
		require.Len(t, renewals, 1)
		require.Equal(t, skipper.OutcomeSucceeded, s.end(renewals[0]).Outcome)
		require.Eventually(t, func() bool { return s.looks() >= 3 }, 10*time.Second, 5*time.Millisecond)
		require.Equal(t, []string{"r.a-v1"}, s.runs())
	})
}
