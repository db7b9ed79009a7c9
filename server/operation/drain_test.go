package operation_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository/postgrestest"
)

var cluster postgrestest.Cluster

// onBoth runs a test on each kind of store; url is empty for SQLite.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, url := range map[string]func(t testing.TB) string{
		"sqlite": func(testing.TB) string { return "" }, "postgres": cluster.Database,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url(t))
		})
	}
}

func at(url string) func(*parts) { return func(p *parts) { p.url = url } }

// drained is release r at version 2, while version 1 of its only application drains as the script says.
func drained(t *testing.T, url, script string) *server {
	t.Helper()
	s := start(t, t.TempDir(), newFake(t, ""), short(), at(url))
	t.Cleanup(func() { s.stop() })
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1, "+script+"}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "one", "1.0.0", "a: {x: 2, fake.drain: 0s, fake.undeploy-block: ''}", time.Minute)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
	return s
}

func (s *server) eventually(what []string) {
	s.tb.Helper()
	require.Eventually(s.tb, func() bool { return slices.Equal(s.runs(), what) }, 10*time.Second, 5*time.Millisecond)
}

func (s *server) draining() []skipper.Draining {
	s.tb.Helper()
	info, err := s.release.Status(s.tb.Context(), "r", 0)
	require.NoError(s.tb, err)
	return info.Draining
}

func TestDrain_GoesOnAfterTheUpgradeUntilItEndsByItself(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := drained(t, url, "fake.drain: 1h, fake.ends: match")
		require.Equal(t, []string{"r.a-v1", "r.a-v2"}, s.runs())
		code, description := s.status(2)
		require.Equal(t, skipper.StatusDeployed, code)
		require.Equal(t, "Upgrade complete", description)
		code, description = s.status(1)
		require.Equal(t, skipper.StatusDeleted, code)
		require.Equal(t, "Delete complete", description)
		drains := s.draining()
		require.Len(t, drains, 1)
		require.Equal(t, "r.a-v1", drains[0].DeploymentID)
		require.Equal(t, 1, drains[0].Instances)
		require.WithinDuration(t, time.Now().Add(time.Hour), drains[0].Until, time.Minute)

		_, op, err := s.upgrade("r", "one", "1.0.0", "a: {x: 3}", time.Minute)
		require.NoError(t, err)
		require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
		require.Equal(t, []string{"r.a-v1", "r.a-v3"}, s.runs(), "the next upgrade leaves it alone")
		require.NoError(t, s.fake.Open("match"))
		s.eventually([]string{"r.a-v3"})
		require.Eventually(t, func() bool { return len(s.draining()) == 0 }, 10*time.Second, 5*time.Millisecond)
		rows, err := s.store.DeploymentsOfRelease(t.Context(), "r")
		require.NoError(t, err)
		require.Len(t, rows, 1)
	})
}

func TestDrain_EndsAtItsTime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := drained(t, url, "fake.drain: 100ms")
		s.eventually([]string{"r.a-v2"})
	})
}

func TestDrain_EndsWithItsRelease(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s := drained(t, url, "fake.drain: 1h")
		require.Equal(t, []string{"r.a-v1", "r.a-v2"}, s.runs())
		_, op, err := s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
		require.NoError(t, err)
		require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
		require.Empty(t, s.runs(), "the delete waits for it")
	})
}

func TestDrain_ARollbackDrainsToo(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "one", "1.0.0", "a: {x: 2, fake.drain: 1h}", time.Minute)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
	require.Equal(t, []string{"r.a-v2"}, s.runs(), "version 1 does not drain")
	before := 1
	_, op, err = s.release.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: &before}, skipper.CommandOptions{})
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
	require.Equal(t, []string{"r.a-v2", "r.a-v3"}, s.runs())
}

// A server is killed while the removal of what does not drain is under way, and while what drained is removed: what
// drains keeps its time, and the next server ends what was begun.
func TestKill_WhileApplicationsDrain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b string
		runs []string
	}{
		"in the middle of the hand-over": {
			"fake.drain: 1h", "fake.undeploy-block: gate", []string{"r.a-v1", "r.a-v2", "r.b-v2"},
		},
		"at the end of the draining": {
			"fake.drain: 50ms, fake.undeploy-block: gate", "y: 1", []string{"r.a-v2", "r.b-v2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, url string) {
				t.Helper()
				dir, platform := t.TempDir(), filepath.Join(t.TempDir(), "platform.json")
				s := start(t, dir, newFake(t, platform), short(), at(url))
				s.upload("pair", "1.0.0", "a", "b")
				_, _, err := s.install("r", "pair", "a: {x: 1, "+c.a+"}\nb: {x: 1, "+c.b+"}")
				require.NoError(t, err)
				s.killedAt(platform, command{
					Do: "drain", URL: url,
					Values: "a: {x: 2, fake.undeploy-block: '', fake.drain: 0s}\nb: {x: 2, fake.undeploy-block: ''}",
				})
				s = start(t, dir, newFake(t, platform), short(), at(url), soonLost)
				t.Cleanup(func() { s.stop() })
				ops, err := s.store.Operations(t.Context(), skipper.OperationFilter{ReleaseName: "r"}, skipper.PageRequest{Size: 1})
				require.NoError(t, err)
				require.Equal(t, skipper.OutcomeSucceeded, s.end(ops.Items[0]).Outcome)
				s.eventually(c.runs)
				if len(c.runs) == 3 {
					require.Len(t, s.draining(), 1)
					require.WithinDuration(t, time.Now().Add(time.Hour), s.draining()[0].Until, time.Minute)
				}
			})
		})
	}
}

// soonLost has leases that run out soon: nobody frees them on PostgreSQL when a server was killed.
func soonLost(p *parts) { p.lease = time.Second }

// stay keeps a server process alive until it is killed.
func (s *server) stay(ctx context.Context) { _ = s.fake.Reached(ctx, "a gate that nobody comes to") }
