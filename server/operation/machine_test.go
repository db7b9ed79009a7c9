package operation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
	"github.com/skiff-project/skiff/server/operation"
)

// TestReader_ShowsTheTable holds what is shown against the table that the engine runs on.
func TestReader_ShowsTheTable(t *testing.T) {
	t.Parallel()
	r := operation.NewReader(nil, time.Now)
	names := map[string]bool{}
	for _, n := range append(r.Actions(), r.Guards()...) {
		require.NotEmpty(t, n.Description)
		require.False(t, names[n.Name], "%s twice", n.Name)
		names[n.Name] = true
	}
	var shown []machine.Transition
	used, asked := map[string]bool{}, map[skipper.State]bool{}
	for _, tr := range r.Transitions() {
		shown = append(shown, machine.Transition{From: tr.Source, Event: machine.Event(tr.Event), To: tr.Target})
		asked[tr.Source] = true
		for _, name := range []*string{tr.Guard, tr.Action} {
			if name != nil {
				require.True(t, names[*name], *name)
				used[*name] = true
			}
		}
	}
	require.ElementsMatch(t, machine.Table(), shown)
	require.Equal(t, names, used)
	require.Empty(t, cmp.Diff(shown, transitionsOf(r)), "their order is always the same")

	states := r.States()
	require.Equal(t, skipper.MachineState{Name: skipper.StateInitial, Initial: true}, states[0])
	require.Len(t, states, len(asked))
	for _, s := range states[1:] {
		require.True(t, asked[s.Name])
		require.False(t, s.Initial)
	}
}

func transitionsOf(r *operation.Reader) []machine.Transition {
	var out []machine.Transition
	for _, tr := range r.Transitions() {
		out = append(out, machine.Transition{From: tr.Source, Event: machine.Event(tr.Event), To: tr.Target})
	}
	return out
}

// twoReleases is a store with the releases busy, on which an upgrade runs, and idle.
type twoReleases struct {
	operation.ReadStore
	err error
}

func (s twoReleases) ReleaseNames(context.Context, skipper.PageRequest) (skipper.Page[string], error) {
	return skipper.Page[string]{Items: []string{"busy", "idle"}, Total: 7}, s.err
}

func (s twoReleases) RunningOperations(_ context.Context, names []string) (map[string]skipper.Operation, error) {
	running := map[string]skipper.Operation{}
	for _, name := range names {
		if name == "busy" {
			running[name] = skipper.Operation{State: skipper.StateUpgradeWait}
		}
	}
	return running, s.err
}

func (s twoReleases) LatestRelease(_ context.Context, name string, _ ...skipper.StatusCode) (skipper.Release, error) {
	if name == "nope" {
		return skipper.Release{}, skipper.ReleaseNotFound(name, 0)
	}
	return skipper.Release{Name: name}, nil
}

func TestReader_Machines(t *testing.T) {
	t.Parallel()
	r := operation.NewReader(twoReleases{}, time.Now)
	page, err := r.Machines(t.Context(), skipper.PageRequest{Size: 2})
	require.NoError(t, err)
	busy := skipper.Machine{MachineID: "busy", State: skipper.StateUpgradeWait}
	idle := skipper.Machine{MachineID: "idle", State: skipper.StateInitial}
	require.Equal(t, skipper.Page[skipper.Machine]{Items: []skipper.Machine{busy, idle}, Total: 7}, page)

	for name, want := range map[string]skipper.Machine{"busy": busy, "idle": idle} {
		got, err := r.Machine(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = r.Machine(t.Context(), "nope")
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))

	gone := errors.New("gone")
	r = operation.NewReader(twoReleases{err: gone}, time.Now)
	_, err = r.Machines(t.Context(), skipper.PageRequest{Size: 2})
	require.ErrorIs(t, err, gone)
	_, err = r.Machine(t.Context(), "busy")
	require.ErrorIs(t, err, gone)
}
