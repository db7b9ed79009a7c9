package survival

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// replicas are servers on one PostgreSQL and one scripted platform.
type replicas struct {
	t       *testing.T
	dir     string
	p       *platform
	lease   time.Duration
	servers []*server
	url     string
}

func newReplicas(t *testing.T, lease time.Duration) *replicas {
	t.Helper()
	dir := t.TempDir()
	return &replicas{t: t, dir: dir, p: fakePlatform(t, dir), lease: lease, url: cluster.Database(t)}
}

// add starts one more server; its failpoints are passed only while its arm is there.
func (r *replicas) add(instructions ...string) *server {
	r.t.Helper()
	name := fmt.Sprintf("server%d", len(r.servers))
	all := append([]string{r.p.faults, "arm:" + r.arm(len(r.servers)), "trace:" + r.trace(len(r.servers))}, instructions...)
	s := serve(r.t, filepath.Join(r.dir, name), quick(settings{
		faults: strings.Join(all, ";"), "DATABASE_URL": r.url, "OPERATION_LEASE": r.lease.String(),
	}))
	r.servers = append(r.servers, s)
	return s
}

func (r *replicas) arm(n int) string   { return filepath.Join(r.dir, fmt.Sprintf("arm%d", n)) }
func (r *replicas) trace(n int) string { return filepath.Join(r.dir, fmt.Sprintf("trace%d", n)) }

func (r *replicas) armed(n int) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(r.arm(n), nil, 0o600))
}

// Three servers share the work, and what each of them was asked for is done by whoever is free.
func TestServers_ShareTheWork(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 2*time.Second)
	for n := range 3 {
		r.add()
		r.armed(n)
	}
	newUser(t, r.servers[0], r.p, "").prepared(t, nil)
	clients := []*client.Client{r.servers[0].client(), r.servers[1].client(), r.servers[2].client()}
	var turn atomic.Int64
	w := newWorkload(t, r.p, releasesOf(9), 11, func() *client.Client { return clients[turn.Add(1)%3] })
	w.run(within(t, patience), 8)
	w.check(r.servers[1])
	for n := range 3 {
		text, err := os.ReadFile(r.trace(n))
		require.NoError(t, err)
		require.Contains(t, string(text), "platform.Deploy.before", "server %d did nothing", n)
	}
	t.Log(w.summary())
}

// taken gives an upgrade to the first server, which is alone until it stops there by a signal of its own; then two others
// start.
func (r *replicas) taken(stopped func() bool) (release string, at time.Time) {
	r.t.Helper()
	release = "taken"
	u := newUser(r.t, r.servers[0], r.p, release)
	u.prepared(r.t, nil)
	require.NoError(r.t, u.install(r.p.good[0]))
	r.armed(0)
	done := make(chan struct{})
	go func() { // it may never be answered
		defer close(done)
		_ = u.upgrade(r.p.good[1], 20*time.Second)
	}()
	r.t.Cleanup(func() { <-done })
	require.True(r.t, wait(patience, stopped), "the server does not stop")
	at = time.Now()
	r.add()
	r.add()
	return release, at
}

// takeover says how long it took until another server ended what the first one had begun.
func (r *replicas) takeover(release string, began time.Time) time.Duration {
	r.t.Helper()
	u := newUser(r.t, r.servers[1], r.p, release)
	var op skipper.Operation
	require.True(r.t, u.until(func(now skipper.Operation) bool {
		op = now
		return ended(now) && now.Kind == skipper.KindUpgrade
	}), "nobody takes over")
	require.Equal(r.t, skipper.OutcomeSucceeded, op.Outcome, "%+v", op.Error)
	var found seen
	require.True(r.t, wait(patience, func() bool {
		return equalKeys(u.named(r.t, &found), only(r.p.running(r.t), release))
	}))
	require.True(r.t, found.stands(2))
	return op.Ended.Sub(began)
}

// only gives the deployments of one release.
func only(running map[string]int, release string) map[string]int {
	out := map[string]int{}
	for id, n := range running {
		if strings.HasPrefix(id, release+".") {
			out[id] = n
		}
	}
	return out
}

func leases() map[string]time.Duration {
	return map[string]time.Duration{"a lease of 2 s": 2 * time.Second, "the default lease": 10 * time.Second}
}

// bound is the promise for the default lease of 10 s, and in proportion, with a second for the poll.
func bound(lease time.Duration) time.Duration { return lease*3/2 + time.Second }

func TestServers_AKilledOwnerIsReplaced(t *testing.T) {
	t.Parallel()
	for name, lease := range leases() {
		for _, at := range []string{"platform.Deploy.before", "platform.Deploy.after", "store.Advance.before"} {
			t.Run(name+"/"+at, func(t *testing.T) {
				t.Parallel()
				if lease > 2*time.Second || at != "platform.Deploy.after" {
					full(t)
				}
				r := newReplicas(t, lease)
				r.add("kill:" + at + "#1")
				took := r.takeover(r.taken(func() bool { return !r.servers[0].alive() }))
				require.Less(t, took, bound(lease))
				t.Logf("taken over and ended after %s", took.Round(time.Millisecond))
			})
		}
	}
}

// A server that is frozen for longer than its lease finds its operation ended by another, and the release moved on. It
// changes nothing any more: no row, and nothing on the platform that stays.
func TestServers_AFrozenOwnerChangesNothing(t *testing.T) {
	t.Parallel()
	for name, lease := range leases() {
		for _, at := range []string{
			"platform.Deploy.before#1", "platform.Deploy.after#1", "save.before#1", "save.after#1",
			"platform.Undeploy.before#1", "platform.Undeploy.after#1", "store.Advance.before#2", "store.WantDeployment.before#1",
		} {
			if lease > 2*time.Second && !strings.HasPrefix(at, "platform.Deploy.before") && at != "save.after#1" {
				continue // the long wait shows the same
			}
			t.Run(name+"/"+at, func(t *testing.T) {
				t.Parallel()
				if lease > 2*time.Second || at != "save.after#1" {
					full(t)
				}
				r := newReplicas(t, lease)
				r.add("stop:" + at)
				release, at := r.taken(func() bool { return r.servers[0].frozen() })
				took := r.takeover(release, at)
				require.Less(t, took, bound(lease))
				u := newUser(t, r.servers[1], r.p, release)
				_, _, err := u.c.Delete(u.ctx, release, false)
				require.NoError(t, err)
				before := r.rows(release)
				r.servers[0].signal(syscall.SIGCONT)
				require.True(t, wait(patience, func() bool { return r.servers[0].client().Ready(within(t, patience)) == nil }))
				// It does what it will do at once; an effect that was in flight is found and removed within a minute.
				settled := wait(2*time.Second, func() bool { return len(only(r.p.running(t), release)) > 0 })
				require.True(t, wait(2*patience, func() bool { return len(only(r.p.running(t), release)) == 0 }),
					"a stale server left %v", r.p.running(t))
				require.Equal(t, before, r.rows(release))
				require.True(t, r.servers[0].alive(), "it goes on serving")
				t.Logf("taken over and ended after %s; an effect in flight: %t", took.Round(time.Millisecond), settled)
			})
		}
	}
}

// A server that is frozen while it undoes an install wakes when the name is used again: the new applications have other
// ids than those that it is about to remove.
func TestServers_AFrozenOwnerDoesNotHarmTheNextRelease(t *testing.T) {
	t.Parallel()
	full(t)
	r := newReplicas(t, 2*time.Second)
	r.add("stop:platform.Undeploy.before#1")
	u := newUser(t, r.servers[0], r.p, "again")
	u.prepared(t, nil)
	r.armed(0)
	done := make(chan struct{})
	go func() { // it may never be answered
		defer close(done)
		_ = u.install(target{"pair", "1.0.0", "b: {fake.deploy-error: invalid}"})
	}()
	t.Cleanup(func() { <-done })
	require.True(t, wait(patience, r.servers[0].frozen), "the server does not stop")
	r.add()
	next := newUser(t, r.servers[1], r.p, "again")
	require.True(t, next.until(ended), "nobody takes over")
	require.NoError(t, next.install(r.p.good[0]))
	before := r.p.running(t)
	require.Len(t, before, 2)
	r.servers[0].signal(syscall.SIGCONT)
	<-done // the frozen request is answered, so what was in flight is over
	require.True(t, wait(patience, func() bool { return r.servers[0].client().Ready(within(t, patience)) == nil }))
	require.Equal(t, before, r.p.running(t))
}

// frozen says whether the process is stopped.
func (p *server) frozen() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && strings.HasPrefix(rest, "T")
}

// rows is what the store has of a release, without what changes by being asked for.
func (r *replicas) rows(release string) []string {
	r.t.Helper()
	u := newUser(r.t, r.servers[1], r.p, release)
	var found seen
	u.named(r.t, &found)
	var out []string
	for _, version := range slices.Sorted(maps.Keys(found.status)) {
		out = append(out, fmt.Sprint(version, found.status[version]))
	}
	ops, err := u.c.Operations(u.ctx, release)
	require.NoError(r.t, err)
	for _, op := range ops {
		events, err := u.c.Events(u.ctx, op.ID)
		require.NoError(r.t, err)
		out = append(out, fmt.Sprint(op.ID, op.Kind, op.Outcome, op.State, op.Updated, len(events)))
	}
	return out
}
