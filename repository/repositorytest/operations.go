package repositorytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func operationTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Operation_NotThere": func(t *testing.T, b *bundle) {
			_, err := b.Operation(t.Context(), "none")
			requireCode(t, skipper.CodeNotFound, err)
			events, err := b.OperationEvents(t.Context(), "none", 0)
			require.NoError(t, err)
			requireEqual(t, []skipper.OperationEvent{}, events)
		},
		"RunningOperation_IsNilWhenNoneRuns": func(t *testing.T, b *bundle) {
			p := b.addPackage(t, "log", "1.0.0", nil)
			none, err := b.RunningOperation(t.Context(), "log")
			require.NoError(t, err)
			require.Nil(t, none)
			op, _ := b.accept(t, "log", 1, p)
			running, err := b.RunningOperation(t.Context(), "log")
			require.NoError(t, err)
			requireEqual(t, &op, running)
			b.end(t, op)
			none, err = b.RunningOperation(t.Context(), "log")
			require.NoError(t, err)
			require.Nil(t, none)
		},
		"RunningOperations_ByReleaseName": func(t *testing.T, b *bundle) {
			p := b.addPackage(t, "log", "1.0.0", nil)
			one, _ := b.accept(t, "one", 1, p)
			two, _ := b.accept(t, "two", 1, p)
			b.released(t, "ended", 1, p, skipper.StatusDeployed)
			b.accept(t, "not asked for", 1, p)
			running, err := b.RunningOperations(t.Context(), []string{"one", "two", "ended", "none"})
			require.NoError(t, err)
			requireEqual(t, map[string]skipper.Operation{"one": one, "two": two}, running)
			running, err = b.RunningOperations(t.Context(), nil)
			require.NoError(t, err)
			require.Empty(t, running)
		},
		"Operations_TheNewestFirst":     testOperationsList,
		"Operations_ThatAFilterChooses": testOperationsFilter,
		"OperationByKey_NotThere": func(t *testing.T, b *bundle) {
			b.accept(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil)) // without a key
			for _, key := range []string{"", "none"} {
				op, err := b.OperationByKey(t.Context(), key)
				require.NoError(t, err)
				require.Nil(t, op)
			}
		},
		"OperationEvents_AfterOne":      testOperationEvents,
		"RequestCancel_InSomeStates":    testRequestCancel,
		"RequestCancel_DuringAStep":     testRequestCancelDuringAStep,
		"RequestCancel_NothingToCancel": testRequestCancelNothing,
	}
}

func testOperationsList(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "log", 1, p, skipper.StatusDeployed)
	b.clock.advance(time.Second)
	b.released(t, "time", 1, p, skipper.StatusDeployed)
	b.clock.advance(time.Second)
	b.accept(t, "log", 2, p)
	const log1, log2, time1 = "install-log-1", "install-log-2", "install-time-1"
	for _, c := range []struct {
		release string
		request skipper.PageRequest
		total   int
		want    []string
	}{
		{"", pageOf(0, 20), 3, []string{log2, time1, log1}},
		{"log", pageOf(0, 20), 2, []string{log2, log1}},
		{"none", pageOf(0, 20), 0, []string{}},
		{"", pageOf(1, 2), 3, []string{log1}},
		{"", pageOf(0, 20, skipper.Sort{Property: "created"}), 3, []string{log1, time1, log2}},
		{"log", pageOf(0, 1, skipper.Sort{Property: "targetVersion"}), 2, []string{log1}},
		{"", pageOf(0, 20, skipper.Sort{Property: "ended"}), 3, []string{log1, time1, log2}},
		{"", pageOf(0, 20, skipper.Sort{Property: "ended", Descending: true}), 3, []string{log2, time1, log1}},
		{"", pageOf(0, 20, skipper.Sort{Property: "unknown"}), 3, []string{log2, time1, log1}},
	} {
		page, err := b.Operations(t.Context(), skipper.OperationFilter{ReleaseName: c.release}, c.request)
		require.NoError(t, err)
		require.Equal(t, c.total, page.Total)
		require.Equal(t, c.want, idsOf(page.Items), "%q %+v", c.release, c.request)
	}
}

func testOperationsFilter(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "log", 1, p, skipper.StatusDeployed) // install-log-1, succeeded
	b.clock.advance(time.Second)
	b.begin(t, skipper.KindScale, "log", 1)
	b.queued(t, "delete-log", "log", skipper.KindDelete)
	b.clock.advance(time.Second)
	b.accept(t, "time", 1, p)
	const installed, scaled, deleted, other = "install-log-1", "scale-log-1", "delete-log", "install-time-1"
	for name, c := range map[string]struct {
		filter skipper.OperationFilter
		want   []string
	}{
		"kind":            {skipper.OperationFilter{Kinds: []skipper.Kind{skipper.KindInstall}}, []string{other, installed}},
		"kinds":           {skipper.OperationFilter{Kinds: []skipper.Kind{"scale", "delete"}}, []string{scaled, deleted}},
		"outcome":         {skipper.OperationFilter{Outcomes: []skipper.Outcome{"succeeded"}}, []string{installed}},
		"outcomes":        {skipper.OperationFilter{Outcomes: []skipper.Outcome{"queued", "running"}}, []string{other, scaled, deleted}},
		"state":           {skipper.OperationFilter{States: []skipper.State{skipper.StateQueued}}, []string{deleted}},
		"state at rest":   {skipper.OperationFilter{States: []skipper.State{skipper.StateInitial}}, []string{installed}},
		"states":          {skipper.OperationFilter{States: []skipper.State{"INITIAL", "QUEUED"}}, []string{deleted, installed}},
		"state, outcome":  {skipper.OperationFilter{States: []skipper.State{"QUEUED"}, Outcomes: []skipper.Outcome{"running"}}, []string{}},
		"release, kind":   {skipper.OperationFilter{ReleaseName: "log", Kinds: []skipper.Kind{"install"}}, []string{installed}},
		"release, nobody": {skipper.OperationFilter{ReleaseName: "log", Outcomes: []skipper.Outcome{"failed"}}, []string{}},
	} {
		page, err := b.Operations(t.Context(), c.filter, pageOf(0, 20))
		require.NoError(t, err)
		require.Equal(t, c.want, idsOf(page.Items), name)
		require.Equal(t, len(c.want), page.Total, name)
		if len(c.want) > 1 {
			page, err = b.Operations(t.Context(), c.filter, pageOf(1, 1))
			require.NoError(t, err)
			require.Equal(t, c.want[1:2], idsOf(page.Items), name)
		}
	}
}

func testOperationEvents(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	for _, what := range []string{"PENDING", "DONE"} {
		require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Event: &skipper.OperationEvent{
			ID: 4711, OperationID: "another", // not the caller's to say
			Time: b.clock.Now(), From: op.State, Event: what, To: op.State, Message: "seen",
		}}))
	}
	all, err := b.OperationEvents(t.Context(), op.ID, 0)
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, what := range []string{"accepted", "PENDING", "DONE"} {
		require.Equal(t, what, all[i].Event)
		require.Equal(t, op.ID, all[i].OperationID)
	}
	require.Equal(t, skipper.OperationEvent{
		ID: all[2].ID, OperationID: op.ID, Time: b.clock.Now(), From: op.State, Event: "DONE", To: op.State, Message: "seen",
	}, all[2])
	later, err := b.OperationEvents(t.Context(), op.ID, all[0].ID)
	require.NoError(t, err)
	requireEqual(t, all[1:], later)
}

func testRequestCancel(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	op.State, op.Due = skipper.StateUpgradeWait, b.clock.Now().Add(time.Hour)
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Park: true}))
	now := b.clock.advance(time.Second)

	got, err := b.RequestCancel(t.Context(), "log", []skipper.State{skipper.StateUpgradeStart})
	require.NoError(t, err)
	require.Nil(t, got)
	got, err = b.RequestCancel(t.Context(), "log", []skipper.State{skipper.StateUpgradeWait, skipper.StateUpgradeStart})
	require.NoError(t, err)
	require.NotNil(t, got)
	require.True(t, got.Cancel)
	require.Equal(t, now, got.Due)
	kept, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	requireEqual(t, *got, kept)
	leased, err := b.Lease(t.Context(), "server-2", now, now.Add(time.Minute), 1, nil)
	require.NoError(t, err)
	require.Equal(t, []string{op.ID}, idsOf(leased))
}

func testRequestCancelDuringAStep(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.log-v1")
	_, err := b.RequestCancel(t.Context(), "log", []skipper.State{skipper.StateInstall})
	require.NoError(t, err)

	before := b.everything(t, op)
	err = b.Advance(t.Context(), op.Token, fullAdvance(op))
	require.ErrorIs(t, err, skipper.ErrChanged, "a step that did not know of the cancel must not overrun it")
	require.NotErrorIs(t, err, skipper.ErrStale)
	requireCode(t, skipper.CodeConflict, err)
	requireEqual(t, before, b.everything(t, op))

	op.Cancel, op.State, op.Due = true, skipper.StateUpgradeCancel, b.clock.Now().Add(time.Minute)
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Park: true}))
	got, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	require.True(t, got.Cancel)
	require.Equal(t, skipper.StateUpgradeCancel, got.State)
	require.Equal(t, op.Due, got.Due, "a step that knew decides when it goes on")
}

func testRequestCancelNothing(t *testing.T, b *bundle) {
	b.released(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil), skipper.StatusDeployed)
	for _, name := range []string{"log", "none"} {
		got, err := b.RequestCancel(t.Context(), name, []skipper.State{skipper.StateInstall, skipper.StateInitial})
		require.NoError(t, err)
		require.Nil(t, got)
	}
	got, err := b.Operation(t.Context(), "install-log-1")
	require.NoError(t, err)
	require.False(t, got.Cancel)
}
