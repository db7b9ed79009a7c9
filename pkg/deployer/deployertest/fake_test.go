package deployertest_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func request(app string) deployer.Request {
	return deployer.Request{
		Owner: deployer.Owner{Installation: "here", Account: "default", Release: "demo", Version: 1, App: app},
		Name:  app + "-v1", Group: "demo", Count: 1, Properties: map[string]string{}, Deployment: map[string]string{},
	}
}

func fake(file string, clock func() time.Time) *deployertest.Fake {
	return deployertest.NewFake(deployertest.FakeConfig{
		Account: "default", Installation: "here", File: file, Clock: clock,
	})
}

func harness(f *deployertest.Fake, again func() deployer.Deployer) deployertest.Harness {
	return deployertest.Harness{
		Deployer: f, Again: again, Request: request, LogLine: "started",
		Slow:      func(r *deployer.Request) { r.Properties["fake.healthy-after"] = "never" },
		ExitCode:  "3",
		Failing:   func(r *deployer.Request) { r.Deployment["fake.fail"], r.Deployment["fake.exit-code"] = "true", "3" },
		FailingAt: func(r *deployer.Request, index int) { r.Properties["fake.fail"] = fmt.Sprint(index) },
		Seen: func(_ context.Context, h deployer.Handle) (map[string]string, error) {
			l, err := f.Ledger()
			return l.Deployments[h.ID].Properties, err
		},
		Left: func() ([]string, error) {
			l, err := f.Ledger()
			var left []string
			for _, id := range slices.Sorted(maps.Keys(l.Deployments)) {
				left = append(left, slices.Repeat([]string{id}, l.Deployments[id].Count)...)
			}
			return left, err
		},
	}
}

func TestFake_KeepsTheContract(t *testing.T) {
	t.Parallel()

	deployertest.Run(t, func(*testing.T) deployertest.Harness {
		f := fake("", time.Now)
		return harness(f, func() deployer.Deployer { return f })
	})
}

func TestFake_KeepsTheContractInAFile(t *testing.T) {
	t.Parallel()

	deployertest.Run(t, func(t *testing.T) deployertest.Harness {
		file := filepath.Join(t.TempDir(), "platform.json")
		return harness(fake(file, time.Now), func() deployer.Deployer { return fake(file, time.Now) })
	})
}

func nothing(deployer.Handle) error { return nil }

func TestFake_Errors(t *testing.T) {
	t.Parallel()

	for kind, want := range map[string]error{
		"invalid": deployer.ErrInvalid, "exists": deployer.ErrExists, "quota": deployer.ErrQuota, "denied": deployer.ErrDenied,
		"unsupported": deployer.ErrUnsupported, "unavailable": deployer.ErrUnavailable, "not-found": deployer.ErrNotFound,
		"rate-limited": deployer.ErrRateLimited, "ambiguous": deployer.ErrAmbiguous,
	} {
		for suffix, there := range map[string]int{"": 0, "-done": 1} {
			f, r := fake("", time.Now), request("log")
			r.Properties["fake.deploy-error"] = kind + suffix
			_, err := f.Deploy(t.Context(), r, nil, nothing)
			require.ErrorIs(t, err, want)
			ledger, err := f.Ledger()
			require.NoError(t, err)
			require.Len(t, ledger.Deployments, there, kind+suffix)
		}
	}
}

func TestFake_TheFirstCallsFail(t *testing.T) {
	t.Parallel()
	f, r := fake("", time.Now), request("log")
	r.Properties["fake.deploy-errors"], r.Properties["fake.undeploy-errors"] = "2", "1"

	for range 2 {
		_, err := f.Deploy(t.Context(), r, nil, nothing)
		require.ErrorIs(t, err, deployer.ErrUnavailable)
	}
	h, err := f.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	require.ErrorIs(t, f.Undeploy(t.Context(), r.Owner, h), deployer.ErrUnavailable)
	require.NoError(t, f.Undeploy(t.Context(), r.Owner, h))

	ledger, err := f.Ledger()
	require.NoError(t, err)
	require.Len(t, ledger.Calls, 5)
	require.True(t, ledger.Calls[4].Ended)
	require.Equal(t, "scripted: unavailable", ledger.Calls[0].Error)
	require.Empty(t, ledger.Deployments)
	require.Empty(t, ledger.Violations)
}

func TestFake_FollowsTheClock(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	began := time.Now()
	f := fake("", func() time.Time { return began.Add(time.Duration(passed.Load())) })
	r := request("log")
	r.Properties["fake.healthy-after"], r.Properties["fake.fail-after"], r.Properties["fake.gone-after"] = "3s", "10s", "2s"
	h, err := f.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	after := func(d time.Duration, want skipper.DeploymentState) {
		t.Helper()
		passed.Store(int64(d))
		all, err := f.Status(t.Context(), []deployer.Handle{h})
		require.NoError(t, err)
		require.Equal(t, want, all[h.ID].State)
	}

	after(2*time.Second, skipper.StateDeploying)
	after(3*time.Second, skipper.StateDeployed)
	after(10*time.Second, skipper.StateFailed)
	require.NoError(t, f.Undeploy(t.Context(), r.Owner, h))
	after(11*time.Second, skipper.StateFailed)
	after(12*time.Second, skipper.StateUnknown)
}

func TestFake_GatesWorkAcrossFakes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "platform.json")
	server, outside, r := fake(file, time.Now), fake(file, time.Now), request("log")
	r.Properties["fake.block"], r.Properties["fake.block-after"] = "before", "after"
	ended := make(chan error, 1)
	go func() {
		_, err := server.Deploy(t.Context(), r, nil, nothing)
		ended <- err
	}()
	there := func() int {
		ledger, err := outside.Ledger()
		require.NoError(t, err)
		return len(ledger.Deployments)
	}

	require.NoError(t, outside.Reached(t.Context(), "before"))
	require.Equal(t, 0, there())
	require.NoError(t, outside.Open("before"))
	require.NoError(t, outside.Reached(t.Context(), "after"))
	require.Equal(t, 1, there())
	require.Empty(t, ended)
	_, err := server.Deploy(t.Context(), request("log"), nil, nothing)
	require.ErrorIs(t, err, deployer.ErrExists)
	require.NoError(t, outside.Open("after"))
	require.NoError(t, <-ended)

	ledger, err := outside.Ledger()
	require.NoError(t, err)
	require.Equal(t, []string{"deploy of demo.log-v1 while deploy runs"}, ledger.Violations)
}

func TestFake_OfTwoAccountsOnOnePlatform(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "platform.json")
	for _, account := range []string{"default", "far"} {
		f := deployertest.NewFake(deployertest.FakeConfig{
			Account: account, Installation: "here", File: file, Clock: time.Now,
		})
		r := request("log-" + account)
		r.Owner.Account = account
		_, err := f.Deploy(t.Context(), r, nil, nothing)
		require.NoError(t, err)
		found, err := f.Discover(t.Context(), deployer.Owner{Installation: "here"})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, account, found[0].Owner.Account)
	}
}

func TestFake_LogsOfTheScript(t *testing.T) {
	t.Parallel()
	f, r := fake("", time.Now), request("log")
	r.Properties["fake.log"] = "one\ntwo\n"
	h, err := f.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	for limit, want := range map[int64]string{
		1 << 20: "stdout:\ndemo.log-v1-0 started\none\ntwo\n", 8: "stdout:\none\ntwo\n", 7: "stdout:\ntwo\n", 3: "",
	} {
		got, err := f.Logs(t.Context(), h, limit)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestFake_LooksAfterWhatIsThere(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f, r := fake("", func() time.Time { return now }), request("log")
	r.Properties["fake.maintain-after"], r.Properties["fake.maintain-errors"] = "3s", "1"
	saved := 0
	maintain := func() (time.Time, error) {
		id, err := f.ID(r)
		require.NoError(t, err)
		h, due, err := f.Maintain(t.Context(), r, deployer.Handle{ID: id}, func(deployer.Handle) error { saved++; return nil })
		require.Equal(t, id, h.ID)
		return due, err
	}
	due, err := maintain()
	require.NoError(t, err)
	require.Zero(t, due, "nothing of it is there")
	_, err = f.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	due, err = maintain()
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	require.Equal(t, now.Add(3*time.Second), due)
	require.Zero(t, saved)
	due, err = maintain()
	require.NoError(t, err)
	require.Equal(t, now.Add(3*time.Second), due)
	require.Equal(t, 1, saved)
	delete(r.Properties, "fake.maintain-after")
	due, err = maintain()
	require.NoError(t, err)
	require.Zero(t, due)
	l, err := f.Ledger()
	require.NoError(t, err)
	require.Equal(t, []string{"deploy", "maintain", "maintain", "maintain"}, []string{
		l.Calls[0].Verb, l.Calls[1].Verb, l.Calls[2].Verb, l.Calls[3].Verb,
	})
}

func TestFake_DrainsAndEndsAsScripted(t *testing.T) {
	t.Parallel()
	f, r := fake("", time.Now), request("log")
	require.Zero(t, f.Drain(r))
	r.Properties["fake.drain"], r.Properties["fake.ends"] = "30s", "match"
	require.Equal(t, 30*time.Second, f.Drain(r))
	h, err := f.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	state := func() skipper.DeploymentState {
		all, err := f.Status(t.Context(), []deployer.Handle{h})
		require.NoError(t, err)
		return all[h.ID].State
	}
	require.Equal(t, skipper.StateDeployed, state())
	require.NoError(t, f.Open("match"))
	require.Equal(t, skipper.StateUndeployed, state())
}
