package survival

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// workload gives commands about some releases, one after another for each, all releases at once. What they are follows
// from the seed and from what was acknowledged.
type workload struct {
	t        *testing.T
	p        *platform
	server   func() *client.Client // to which the next command goes
	releases []string
	seed     uint64

	mu      sync.Mutex
	done    []acknowledged
	refused map[skipper.Code]int
}

// acknowledged is a command that was answered with 2xx.
type acknowledged struct {
	kind    skipper.Kind
	release string
	version int
}

func newWorkload(t *testing.T, p *platform, releases []string, seed uint64, server func() *client.Client) *workload {
	t.Helper()
	return &workload{t: t, p: p, releases: releases, seed: seed, server: server, refused: map[skipper.Code]int{}}
}

// releasesOf gives n names, none of which is part of another.
func releasesOf(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("release-%02d", i))
	}
	return out
}

// run gives n commands for each release, or fewer when the context ends.
func (w *workload) run(ctx context.Context, n int) {
	var group sync.WaitGroup
	for i, release := range w.releases {
		dice := rand.New(rand.NewPCG(w.seed, uint64(i)))
		group.Go(func() {
			for range n {
				if ctx.Err() == nil {
					w.command(ctx, release, dice)
				}
			}
		})
	}
	group.Wait()
}

func (w *workload) command(ctx context.Context, release string, dice *rand.Rand) {
	// What stands in the way of a command is refused, and that is fine.
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	u := &user{ctx: limited, c: w.server(), p: w.p, release: release}
	values := fmt.Sprintf("a: {x: %d}\nb: {x: %d}", dice.IntN(3), dice.IntN(3))
	x, roll, count := target{"pair", "1.0.0", values}, dice.IntN(100), dice.IntN(4)
	switch {
	case roll < 10 || !w.lives(release) && roll < 90:
		w.note(skipper.KindInstall, release)(u.installed(x))
	case roll < 50:
		w.note(skipper.KindUpgrade, release)(u.upgraded(x, 2*time.Second))
		u.settled()
	case roll < 65:
		w.note(skipper.KindUpgrade, release)(u.upgraded(u.p.never, 500*time.Millisecond))
		_, _ = u.c.Cancel(u.ctx, release)
		u.settled()
	case roll < 77:
		rel, _, err := u.c.Rollback(u.ctx, skipper.RollbackRequest{
			ReleaseName: release, Version: new(0), Timeout: new(int64(2000)),
		})
		w.note(skipper.KindRollback, release)(rel, err)
		u.settled()
	case roll < 88:
		rel, _, err := u.c.Scale(u.ctx, release, skipper.ScaleRequest{
			Scale: []skipper.ScaleRequestItem{{Name: "a", Count: &count}},
		})
		w.note(skipper.KindScale, release)(rel, err)
	default:
		rel, _, err := u.c.Delete(u.ctx, release, false)
		w.note(skipper.KindDelete, release)(rel, err)
	}
}

func (w *workload) note(kind skipper.Kind, release string) func(skipper.Release, error) {
	return func(rel skipper.Release, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.refused[skipper.CodeOf(err)]++
			if skipper.CodeOf(err) == skipper.CodeUnavailable {
				w.t.Log(kind, release, err)
			}
			return
		}
		w.done = append(w.done, acknowledged{kind, release, rel.Version})
	}
}

// lives says whether something of a release was acknowledged last that was no delete.
func (w *workload) lives(release string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range slices.Backward(w.done) {
		if a.release == release {
			return a.kind != skipper.KindDelete
		}
	}
	return false
}

// settled waits a while for the end of what runs; whatever comes of it.
func (u *user) settled() {
	wait(8*time.Second, func() bool {
		ops, err := u.c.Operations(u.ctx, u.release)
		return u.ctx.Err() != nil || err == nil && len(ops) > 0 && ended(ops[0])
	})
}

// check waits until all is over and holds what is found to the promise.
func (w *workload) check(s *server) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(w.t, w.done, "nothing was acknowledged: %v", w.refused)
	status := map[string]map[int]skipper.StatusCode{}
	for _, name := range w.releases {
		u := newUser(w.t, s, w.p, name)
		var ops []skipper.Operation
		require.True(w.t, wait(patience, func() bool {
			var err error
			ops, err = u.c.Operations(u.ctx, name)
			return err == nil && !slices.ContainsFunc(ops, func(op skipper.Operation) bool { return !ended(op) })
		}), "stuck: %s", operationsText(ops))
	}
	var named map[string]bool
	var running map[string]int
	same := wait(2*patience, func() bool {
		named = map[string]bool{}
		for _, name := range w.releases {
			var found seen
			for id := range newUser(w.t, s, w.p, name).named(w.t, &found) {
				named[id] = true
			}
			status[name] = found.status
		}
		running = w.p.running(w.t)
		return equalKeys(named, running)
	})
	require.True(w.t, same, "named %v\nrunning %v", named, running)
	for _, a := range w.done {
		code, there := status[a.release][a.version]
		require.True(w.t, there, "%+v was acknowledged and is not there: %v", a, status[a.release])
		newest := 0
		for v := range status[a.release] {
			newest = max(newest, v)
		}
		if a.kind == skipper.KindDelete && newest == a.version {
			require.Equal(w.t, skipper.StatusDeleted, code, "%+v", a)
		}
	}
}

func operationsText(ops []skipper.Operation) string {
	out := ""
	for _, op := range ops {
		out += fmt.Sprintf("%s %s of %s in %s, deadline %s\n", op.Outcome, op.Kind, op.ReleaseName, op.State, op.Deadline)
	}
	return out
}

func (w *workload) summary() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	by := map[skipper.Kind]int{}
	for _, a := range w.done {
		by[a.kind]++
	}
	return fmt.Sprintf("acknowledged %v, refused %v", by, w.refused)
}
