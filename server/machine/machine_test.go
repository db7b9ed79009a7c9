package machine_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

var update = flag.Bool("update", false, "write the golden files")

func TestTable_HasNoTwoTargetsForOneEvent(t *testing.T) {
	t.Parallel()
	seen := map[machine.Transition]bool{}
	for _, tr := range machine.Table() {
		key := machine.Transition{From: tr.From, Event: tr.Event}
		require.False(t, seen[key], "%s %s stands twice", tr.From, tr.Event)
		seen[key] = true
	}
}

func TestTable_EveryStateIsReachedAndHasAWayBackToRest(t *testing.T) {
	t.Parallel()
	forward, back := map[skipper.State][]skipper.State{}, map[skipper.State][]skipper.State{}
	states := map[skipper.State]bool{}
	for _, tr := range machine.Table() {
		forward[tr.From] = append(forward[tr.From], tr.To)
		back[tr.To] = append(back[tr.To], tr.From)
		states[tr.From], states[tr.To] = true, true
	}
	require.Len(t, walk(forward, skipper.StateInitial), len(states), "a state cannot be reached")
	require.Len(t, walk(back, skipper.StateInitial), len(states), "a state has no way back to rest")
}

func TestTable_EveryRunningStateMayBeTriedAgainAndGivenUp(t *testing.T) {
	t.Parallel()
	for _, tr := range machine.Table() {
		if tr.To == skipper.StateInitial {
			continue
		}
		again, err := machine.Next(t.Context(), tr.To, machine.Retry)
		require.NoError(t, err)
		require.Equal(t, tr.To, again)
		_, err = machine.Next(t.Context(), tr.To, machine.Failed)
		require.NoError(t, err)
	}
}

func walk(edges map[skipper.State][]skipper.State, from skipper.State) map[skipper.State]bool {
	seen := map[skipper.State]bool{}
	todo := []skipper.State{from}
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if !seen[s] {
			seen[s] = true
			todo = append(todo, edges[s]...)
		}
	}
	return seen
}

func TestNext_AnswersTheTableAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	legal := map[machine.Transition]skipper.State{}
	states, events := map[skipper.State]bool{}, map[machine.Event]bool{}
	for _, tr := range machine.Table() {
		legal[machine.Transition{From: tr.From, Event: tr.Event}] = tr.To
		states[tr.From], events[tr.Event] = true, true
	}
	for from := range states {
		for event := range events {
			to, err := machine.Next(t.Context(), from, event)
			if want, ok := legal[machine.Transition{From: from, Event: event}]; ok {
				require.NoError(t, err)
				require.Equal(t, want, to)
				continue
			}
			require.Equal(t, skipper.CodeInternal, skipper.CodeOf(err), "%s in %s", event, from)
		}
	}
}

// looplab/fsm wedges for ever when an event comes with a cancelled context; a step that was interrupted must still be
// recorded.
func TestNext_WorksUnderACancelledContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to, err := machine.Next(ctx, skipper.StateUpgradeWait, machine.Tick)
	require.NoError(t, err)
	require.Equal(t, skipper.StateUpgradeCheck, to)
}

func TestStart_KnowsEveryKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[skipper.Kind]skipper.State{
		skipper.KindInstall: skipper.StateInstall, skipper.KindUpgrade: skipper.StateUpgradeStart,
		skipper.KindRollback: skipper.StateRollbackStart, skipper.KindScale: skipper.StateScale,
		skipper.KindDelete: skipper.StateDelete, skipper.KindRenew: skipper.StateRenew,
	} {
		got, err := machine.Start(t.Context(), kind)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// What waits in the queue is begun by the command it was asked for, which leads where that leads from rest.
func TestQueued_BeginsAsFromRest(t *testing.T) {
	t.Parallel()
	for _, kind := range []skipper.Kind{
		skipper.KindInstall, skipper.KindUpgrade, skipper.KindRollback, skipper.KindScale, skipper.KindDelete,
	} {
		want, err := machine.Start(t.Context(), kind)
		require.NoError(t, err)
		got, err := machine.Next(t.Context(), skipper.StateQueued, machine.Command(kind))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// A renewal is begun by the server when nothing runs and nothing waits: it is never queued.
func TestQueued_NeverIsARenewal(t *testing.T) {
	t.Parallel()
	_, err := machine.Next(t.Context(), skipper.StateQueued, machine.Renew)
	require.Equal(t, skipper.CodeInternal, skipper.CodeOf(err))
}

func TestCancelEvent(t *testing.T) {
	t.Parallel()
	for state, want := range map[skipper.State]machine.Event{
		skipper.StateQueued: machine.Cancel, skipper.StateInstall: machine.Cancel, skipper.StateInstallWait: machine.Cancel,
		skipper.StateUpgradeStart: machine.UpgradeCancel, skipper.StateUpgradeWait: machine.UpgradeCancel,
		skipper.StateUpgradeCheck: "", skipper.StateDelete: "", skipper.StateCompensate: "", skipper.StateInitial: "",
		skipper.StateRenew: "",
	} {
		got, ok := machine.CancelEvent(state)
		require.Equal(t, want, got, state)
		require.Equal(t, want != "", ok, state)
		leads := want != "" || state == skipper.StateUpgradeCheck
		require.Equal(t, leads, slices.Contains(machine.Cancellable(), state), state)
	}
}

func TestNext_RandomWalksNeverLeaveTheTable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		state := skipper.StateInitial
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			var out []machine.Event
			for _, tr := range machine.Table() {
				if tr.From == state {
					out = append(out, tr.Event)
				}
			}
			if len(out) == 0 {
				rt.Fatalf("%s has no exit", state)
			}
			next, err := machine.Next(t.Context(), state, rapid.SampledFrom(out).Draw(rt, "event"))
			if err != nil {
				rt.Fatal(err)
			}
			state = next
		}
	})
}

func TestMermaid_IsAsDrawn(t *testing.T) {
	t.Parallel()
	got, err := machine.Mermaid()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("testdata/machine.mmd", []byte(got), 0o600))
	}
	want, err := os.ReadFile("testdata/machine.mmd")
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
