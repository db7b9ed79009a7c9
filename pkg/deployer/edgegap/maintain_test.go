package edgegap_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	deploy "github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// maintain calls Maintain whenever it wants to be called, for a while.
func (a *account) maintain(d *deploy.Deployer, r deployer.Request, h deployer.Handle, d2 time.Duration) deployer.Handle {
	a.Helper()
	end := a.clock.Now().Add(d2)
	for {
		next, due, err := d.Maintain(a.Context(), r, h, a.save)
		require.True(a, err == nil || deployer.Retry(err), "%v", err)
		h = next
		a.handles[h.ID] = h
		if due.IsZero() || due.After(end) {
			a.clock.pass(end.Sub(a.clock.Now()))
			return h
		}
		a.clock.pass(max(due.Sub(a.clock.Now()), time.Millisecond))
	}
}

func running(s skipper.AppStatus) []string {
	var out []string
	for _, i := range s.Instances {
		if i.State == skipper.StateDeployed {
			out = append(out, i.Attributes["guid"])
		}
	}
	slices.Sort(out)
	return out
}

func TestMaintain_RenewsInstancesBeforeTheirEnd(t *testing.T) {
	t.Parallel()
	for name, chaos := range map[string]edgegaptest.Chaos{"": {}, "with faults": {Rate: 0.1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, edgegaptest.Options{Seed: 3})
			d, r := a.deployer(), a.request("log")
			r.Count = 3
			r.Deployment[prefix+"recycle"] = "true"
			h := a.deploy(d, r)
			first := a.until(d, h, skipper.StateDeployed)
			expires, err := time.Parse(time.RFC3339, first.Instances["arena.log-v1-0"].Attributes["expires-at"])
			require.NoError(t, err)
			require.WithinDuration(t, a.clock.Now().Add(24*time.Hour), expires, time.Minute)
			a.fake.SetChaos(chaos)

			h = a.maintain(d, r, h, 23*time.Hour+40*time.Minute)
			require.Equal(t, running(first), running(a.status(d, h)), "not before it is time")
			h = a.maintain(d, r, h, 7*time.Minute)
			now := running(a.status(d, h))
			require.Len(t, now, 3)
			for _, old := range running(first) {
				require.NotContains(t, now, old)
			}
			h = a.maintain(d, r, h, 3*24*time.Hour)
			a.fake.SetChaos(edgegaptest.Chaos{})
			require.Len(t, a.until(d, h, skipper.StateDeployed).Instances, 3)
			require.Len(t, a.live(), 3)
			a.remove(d, r, h)
			require.Empty(t, a.live())
		})
	}
}

func TestMaintain_KeepsTheOldOneUntilTheNewOneIsReady(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"recycle"] = "true"
	h := a.deploy(d, r)
	first := running(a.until(d, h, skipper.StateDeployed))
	a.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FatePullError})
	h = a.maintain(d, r, h, 23*time.Hour+45*time.Minute+time.Second)

	for range 3 { // killed after each step, also before the successor's id could be kept
		require.Equal(t, first, running(a.status(d, h)))
		_, _, err := a.deployer().Maintain(t.Context(), r, a.handles[h.ID], a.save)
		require.NoError(t, err)
		h = a.handles[h.ID]
		a.clock.pass(time.Second)
	}

	h = a.maintain(a.deployer(), r, h, 5*time.Minute)
	require.NotEqual(t, first, running(a.status(d, h)))
	require.Len(t, a.live(), 1)
}

func TestMaintain_ReplacesWhatEndedUnaskedButNotForEver(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	r.Count = 2
	r.Deployment[prefix+"max-restarts"] = "3"
	h := a.deploy(d, r)
	a.until(d, h, skipper.StateDeployed)
	other := a.live()[1]

	for n := range 3 {
		ended := a.live()
		a.stopped(slices.DeleteFunc(ended, func(id string) bool { return id == other })[0])
		a.until(d, h, skipper.StateDeploying)
		h = a.maintain(d, r, h, 2*time.Minute)
		require.Len(t, running(a.until(d, h, skipper.StateDeployed)), 2, "replacement %d", n)
	}
	a.stopped(slices.DeleteFunc(a.live(), func(id string) bool { return id == other })[0])
	h = a.maintain(d, r, h, 30*time.Minute)

	status := a.status(d, h)
	require.Equal(t, skipper.StatePartial, status.State)
	require.Equal(t, []string{other}, running(status))
	for _, i := range status.Instances {
		if i.State == skipper.StateFailed {
			require.Contains(t, i.Attributes[deployer.AttributeReason], "3 replacements within an hour")
			require.Equal(t, "true", i.Attributes[deployer.AttributeFinal])
		}
	}
}

func TestMaintain_GivesUpWhatDoesNotBecomeReady(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateUnknownState, After: 20 * time.Minute})
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	h = a.maintain(d, r, h, 4*time.Minute)
	require.Equal(t, skipper.StateDeploying, a.status(d, h).State)

	h = a.maintain(d, r, h, 2*time.Minute)

	status := a.status(d, h)
	require.Equal(t, skipper.StateFailed, status.State)
	require.Contains(t, status.Instances["arena.log-v1-0"].Attributes[deployer.AttributeReason], "not ready after 5m0s")
	require.Empty(t, a.live(), "it was asked to stop")
	a.clock.pass(time.Hour)
	a.remove(d, r, h)
}

func TestMaintain_SavesBeforeItActs(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	a.until(d, h, skipper.StateDeployed)
	h = a.maintain(d, r, h, time.Minute)
	a.stopped(a.live()[0])
	refused := errors.New("the store is read-only")

	_, due, err := d.Maintain(t.Context(), r, h, func(deployer.Handle) error { return refused })

	require.ErrorIs(t, err, refused)
	require.True(t, due.After(a.clock.Now()))
	require.Empty(t, a.live())
	require.Len(t, a.fake.Started(), 1)
}

func TestMaintain_LeavesAloneWhatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	a.until(d, h, skipper.StateDeployed)

	_, due, err := d.Maintain(t.Context(), r, deployer.Handle{ID: h.ID}, a.save)
	require.NoError(t, err)
	require.True(t, due.IsZero())

	a.remove(d, r, h)
	_, due, err = d.Maintain(t.Context(), r, h, a.save)
	require.NoError(t, err)
	require.True(t, due.IsZero())
	require.Empty(t, a.live())
}

func TestStatus_TellsWhyAnInstanceEnded(t *testing.T) {
	t.Parallel()
	const day = 24*time.Hour + time.Minute
	for name, c := range map[string]struct {
		properties map[string]string
		by         func(a *account)
		want       skipper.DeploymentState
		reason     string
	}{
		"of age": {nil, func(a *account) { a.clock.pass(day) }, skipper.StateFailed, "longest life of 1440 minutes"},
		"of age, complete": {
			map[string]string{"on-exit": "complete"}, func(a *account) { a.clock.pass(day) }, skipper.StateUndeployed, "1440 minutes",
		},
		"by itself": {nil, func(a *account) { a.stopped(a.live()[0]) }, skipper.StateDeploying, "a replacement is due"},
		"by itself, complete": {
			map[string]string{"restart-policy": "never"},
			func(a *account) { a.stopped(a.live()[0]) },
			skipper.StateUndeployed, "ended by itself",
		},
		"by itself, drained": {
			map[string]string{"upgrade-strategy": "drain", "on-exit": "replace"},
			func(a *account) { a.stopped(a.live()[0]) },
			skipper.StateUndeployed, "ended by itself",
		},
		"by itself, no replacements": {
			map[string]string{"max-restarts": "0"},
			func(a *account) { a.stopped(a.live()[0]) }, skipper.StateFailed,
			"replaced 0 times",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, edgegaptest.Options{})
			r := a.request("log")
			for key, value := range c.properties {
				r.Deployment[prefix+key] = value
			}
			d := a.deployer()
			h := a.deploy(d, r)
			a.until(d, h, skipper.StateDeployed)

			c.by(a)

			for _, d := range []*deploy.Deployer{d, a.deployer()} {
				i := a.until(d, h, c.want).Instances["arena.log-v1-0"]
				require.Contains(t, i.Attributes[deployer.AttributeReason], c.reason)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	require.Zero(t, d.Drain(r))
	r.Deployment[prefix+"upgrade-strategy"] = "drain"
	require.Equal(t, 24*time.Hour, d.Drain(r))
	r.Deployment[prefix+"max-duration-minutes"] = "60"
	require.Equal(t, time.Hour, d.Drain(r))
	r.Deployment[prefix+"drain-seconds"] = "90"
	require.Equal(t, 90*time.Second, d.Drain(r))
}
