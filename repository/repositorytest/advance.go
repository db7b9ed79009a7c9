package repositorytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func advanceTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Advance_WritesTheStepAndKeepsTheLease":    testAdvanceStep,
		"Advance_ParkAndEndGiveTheLeaseBack":       testAdvancePark,
		"Advance_ChangesReleases":                  testAdvanceReleases,
		"Advance_CountsObjectVersions":             testAdvanceObjectVersion,
		"Advance_UnwantsDeployments":               testAdvanceUnwant,
		"Advance_WithAnOldTokenChangesNothing":     testAdvanceStale,
		"Advance_IsAtomic":                         testAdvanceAtomic,
		"Advance_OfAnEndedOperationChangesNothing": testAdvanceEnded,
	}
}

func testAdvanceStep(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	now := b.clock.advance(time.Second)
	want := op
	want.State, want.Attempt = skipper.StateUpgradeWait, 3
	want.Plan.Timeout, want.Plan.Apps = 99, []string{"log"}
	want.Deadline, want.Due = now.Add(time.Hour), now.Add(5*time.Second)
	want.Error = &skipper.OperationError{Code: skipper.CodeTimeout, Message: "too late"}
	asked := want // with changes that are not a step's to make
	asked.Kind, asked.ReleaseName, asked.Created, asked.LeaseOwner = skipper.KindScale, "other", now, "other"
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: asked}))
	want.Updated = now
	got, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	requireEqual(t, want, got)

	want.Error, want.Attempt = nil, 0
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: want}))
	got, err = b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	requireEqual(t, want, got)
}

func testAdvancePark(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Park: true}))
	parked, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	require.Empty(t, parked.LeaseOwner)
	require.True(t, parked.LeaseUntil.IsZero())
	require.Equal(t, op.Token, parked.Token)

	leased, err := b.Lease(t.Context(), "server-2", b.clock.Now(), b.clock.Now().Add(time.Minute), 1, nil)
	require.NoError(t, err)
	require.Len(t, leased, 1)
	op = leased[0]
	ended := b.clock.advance(time.Second)
	op.State, op.Outcome, op.Ended = skipper.StateInitial, skipper.OutcomeCancelled, &ended
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op}))
	op.LeaseOwner, op.LeaseUntil, op.Updated = "", time.Time{}, ended
	got, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	requireEqual(t, op, got)
}

func testAdvanceReleases(t *testing.T, b *bundle) {
	p := b.addPackage(t, "package", "1.0.0", nil)
	b.released(t, "log", 1, p, skipper.StatusDeployed)
	one := b.released(t, "log", 2, p, skipper.StatusDeployed)
	require.NoError(t, b.SetPlatformStatus(t.Context(), one.ID, "[]"))
	op, two := b.accept(t, "log", 3, p)
	change := func(changes ...skipper.ReleaseChange) {
		t.Helper()
		require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Release: changes}))
	}
	expect := func(want skipper.Release) {
		t.Helper()
		got, err := b.ReleaseByID(t.Context(), want.ID)
		require.NoError(t, err)
		requireEqual(t, want, got)
	}

	change(skipper.ReleaseChange{Name: "log", Version: 2, Status: skipper.StatusDeleted},
		skipper.ReleaseChange{
			Name: "log", Version: 3, Status: skipper.StatusDeployed, Description: "Install complete",
			PlatformStatus: new(`[1]`), Apps: []skipper.AppDeployment{{App: "log", ID: "log.log-v3"}},
		})
	one.Info.Status = skipper.Status{StatusCode: skipper.StatusDeleted}
	one.ObjectVersion++
	expect(one)
	two.Info.Status = skipper.Status{StatusCode: skipper.StatusDeployed, PlatformStatus: new(`[1]`)}
	two.Info.Description, two.Apps = "Install complete", []skipper.AppDeployment{{App: "log", ID: "log.log-v3"}}
	two.ObjectVersion++
	expect(two)

	change(skipper.ReleaseChange{Name: "log", Version: 3, Description: "Only this"})
	two.Info.Description = "Only this"
	two.ObjectVersion++
	expect(two)
	change(skipper.ReleaseChange{Name: "log", Version: 3, Apps: []skipper.AppDeployment{}})
	two.Apps = []skipper.AppDeployment{}
	two.ObjectVersion++
	expect(two)

	change(skipper.ReleaseChange{Name: "log", Version: 3, Remove: true, Status: skipper.StatusFailed})
	_, err := b.ReleaseByID(t.Context(), two.ID)
	requireCode(t, skipper.CodeNotFound, err)
	change(skipper.ReleaseChange{Name: "log", Version: 3, Remove: true})
	expect(one)
}

// testAdvanceObjectVersion: a release that is made has object version 0, and no two contents share one.
func testAdvanceObjectVersion(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	seen := []int64{}
	note := func() {
		t.Helper()
		release, err := b.Release(t.Context(), "log", 1)
		require.NoError(t, err)
		seen = append(seen, release.ObjectVersion)
	}
	note()
	for _, change := range []skipper.ReleaseChange{
		{Apps: []skipper.AppDeployment{{App: "log", ID: "log.log-v1"}}},
		{Description: "Still underway"},
		{Status: skipper.StatusDeployed},
		{Description: "Install complete"},
		{Status: skipper.StatusDeleted},
	} {
		change.Name, change.Version = "log", 1
		require.NoError(t, b.Advance(t.Context(), op.Token,
			skipper.Advance{Operation: op, Release: []skipper.ReleaseChange{change}}))
		note()
	}
	require.Equal(t, []int64{-1, -2, -3, 0, 1, 2}, seen)
}

func testAdvanceUnwant(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	kept := b.wantDeployment(t, op, "log.a-v1")
	gone := b.wantDeployment(t, op, "log.b-v1")
	now := b.clock.advance(time.Second)
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
		Operation: op, Unwant: []string{"log.b-v1", "log.none-v1"},
	}))
	gone.Wanted, gone.Due, gone.Updated = false, now, now
	got, err := b.DeploymentsOf(t.Context(), "log", 1)
	require.NoError(t, err)
	requireEqual(t, []skipper.Deployment{kept, gone}, got)
}

// everything is what an Advance may touch.
func (b *bundle) everything(t *testing.T, op skipper.Operation) []any {
	t.Helper()
	ctx := t.Context()
	kept, err := b.Operation(ctx, op.ID)
	require.NoError(t, err)
	events, err := b.OperationEvents(ctx, op.ID, 0)
	require.NoError(t, err)
	releases, err := b.ReleaseHistory(ctx, "")
	require.NoError(t, err)
	deployments, err := b.DeploymentsOf(ctx, op.ReleaseName, op.TargetVersion)
	require.NoError(t, err)
	return []any{kept, events, releases, deployments}
}

func fullAdvance(op skipper.Operation, changes ...skipper.ReleaseChange) skipper.Advance {
	op.State, op.Attempt = skipper.StateCompensate, 9
	return skipper.Advance{
		Operation: op, Park: true,
		Event: &skipper.OperationEvent{Event: "DONE", From: skipper.StateInstall, To: skipper.StateCompensate},
		Release: append([]skipper.ReleaseChange{
			{Name: op.ReleaseName, Version: op.TargetVersion, Status: skipper.StatusFailed},
		}, changes...),
		Unwant: []string{"log.log-v1"},
	}
}

func testAdvanceStale(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.log-v1")
	late := b.clock.advance(time.Hour)
	stolen, err := b.Lease(t.Context(), "server-2", late, late.Add(time.Minute), 1, nil)
	require.NoError(t, err)
	require.Len(t, stolen, 1)
	before := b.everything(t, op)
	requireStale(t, b.Advance(t.Context(), op.Token, fullAdvance(op)))
	requireStale(t, b.Advance(t.Context(), op.Token+2, fullAdvance(op)))
	requireEqual(t, before, b.everything(t, op))
	require.NoError(t, b.Advance(t.Context(), stolen[0].Token, fullAdvance(op)), "the token decides, not the row given")
}

func testAdvanceAtomic(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.log-v1")
	before := b.everything(t, op)
	b.clock.advance(time.Second)
	err := b.Advance(t.Context(), op.Token,
		fullAdvance(op, skipper.ReleaseChange{Name: "log", Version: 77, Status: skipper.StatusDeployed}))
	requireCode(t, skipper.CodeReleaseNotFound, err)
	requireEqual(t, before, b.everything(t, op))
	require.NoError(t, b.Advance(t.Context(), op.Token, fullAdvance(op)))
}

func testAdvanceEnded(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.log-v1")
	b.end(t, op)
	before := b.everything(t, op)
	requireStale(t, b.Advance(t.Context(), op.Token, fullAdvance(op)))
	requireEqual(t, before, b.everything(t, op))
}
