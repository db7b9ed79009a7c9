package repositorytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func upkeepTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Retire_LeavesAnOpenCompensationThatKnowsUntilWhen": testRetire,
		"Retire_EndsWhenItHasToGoOrIsWantedAgain":           testRetireEnds,
		"Care_SaysWhenAWantedDeploymentIsDue":               testCare,
		"UpkeepDue_OfDeployedReleasesThatAreIdle":           testUpkeepDue,
		"AcceptRenewal_OnlyOnAnIdleDeployedRelease":         testAcceptRenewal,
		"AcceptRenewal_KeepsTheNewestOnes":                  testForgetRenewals,
		"DeploymentsOfRelease_OfAllItsVersions":             testDeploymentsOfRelease,
		"Concluded_WhenNothingCanClaimIt":                   testConcluded,
		"Lease_TellsWhatWasTakenOver":                       testTakenOver,
	}
}

// retired is a release with one deployment that retires for an hour; its operation has ended.
func (b *bundle) retired(t *testing.T) (skipper.Deployment, skipper.Operation) {
	t.Helper()
	op := b.leased(t, "log")
	d := b.wantDeployment(t, op, "log.log-v1")
	until := b.clock.Now().Add(time.Hour)
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
		Operation: op, Retire: []skipper.Retirement{{DeploymentID: d.DeploymentID, Until: until}},
	}))
	d.Wanted, d.RetireUntil, d.Due, d.Updated = false, &until, b.clock.Now(), b.clock.Now()
	return d, op
}

func testRetire(t *testing.T, b *bundle) {
	want, op := b.retired(t)
	got, err := b.Deployment(t.Context(), "default", "log.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)
	require.Empty(t, b.claim(t, 10), "its operation runs")

	b.end(t, op)
	open, err := b.Compensations(t.Context(), 10)
	require.NoError(t, err)
	requireEqual(t, []skipper.Deployment{want}, open)
	want.Due = b.clock.Now().Add(time.Minute)
	requireEqual(t, []skipper.Deployment{want}, b.claim(t, 10))
	due := b.clock.Now().Add(5 * time.Second)
	require.NoError(t, b.DeferCompensation(t.Context(), "default", "log.log-v1", due, 0, ""))
	got, err = b.Deployment(t.Context(), "default", "log.log-v1")
	require.NoError(t, err)
	want.Due = due
	requireEqual(t, want, got)
	require.NoError(t, b.EndCompensation(t.Context(), "default", "log.log-v1"))
	_, err = b.Deployment(t.Context(), "default", "log.log-v1")
	requireCode(t, skipper.CodeNotFound, err)
}

func testRetireEnds(t *testing.T, b *bundle) {
	want, op := b.retired(t)
	want.RetireUntil = nil
	b.clock.advance(time.Second)
	want.Due, want.Updated = b.clock.Now(), b.clock.Now()
	for _, a := range []skipper.Advance{
		{Operation: op, Unwant: []string{"log.log-v1"}}, {Operation: op, Rewant: []string{"log.log-v1"}},
	} {
		want.Wanted = a.Rewant != nil
		require.NoError(t, b.Advance(t.Context(), op.Token, a))
		got, err := b.Deployment(t.Context(), "default", "log.log-v1")
		require.NoError(t, err)
		requireEqual(t, want, got)
	}
}

func testCare(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	want := b.wantDeployment(t, op, "log.log-v1")
	going := b.wantDeployment(t, op, "log.going-v1")
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Unwant: []string{going.DeploymentID}}))
	want.Due, want.Attempt, want.LastError = b.clock.Now().Add(time.Hour), 3, "no"
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Care: []skipper.Care{
		{DeploymentID: want.DeploymentID, Due: want.Due, Attempt: 3, LastError: "no"},
		{DeploymentID: going.DeploymentID, Due: want.Due},
		{DeploymentID: "none", Due: want.Due},
	}}))
	got, err := b.DeploymentsOf(t.Context(), "log", 1)
	require.NoError(t, err)
	going.Wanted, going.Due = false, b.clock.Now()
	requireEqual(t, []skipper.Deployment{going, want}, got)

	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
		Operation: op, Care: []skipper.Care{{DeploymentID: want.DeploymentID}},
	}))
	kept, err := b.Deployment(t.Context(), "default", want.DeploymentID)
	require.NoError(t, err)
	want.Due, want.Attempt, want.LastError = time.Time{}, 0, ""
	requireEqual(t, want, kept)
}

// cared is a deployed release with a deployment that is due after a time; 0: never.
func (b *bundle) cared(t *testing.T, name string, after time.Duration) {
	t.Helper()
	op := b.leased(t, name)
	d := skipper.Deployment{
		Account: "default", DeploymentID: name + ".log-v1", ReleaseName: name, ReleaseVersion: 1, App: "log",
	}
	if after > 0 {
		d.Due = b.clock.Now().Add(after)
	}
	_, err := b.WantDeployment(t.Context(), op.ID, op.Token, d)
	require.NoError(t, err)
	b.end(t, op, skipper.ReleaseChange{Name: name, Version: 1, Status: skipper.StatusDeployed})
}

func (b *bundle) upkeep(t *testing.T, limit int, accounts ...string) []string {
	t.Helper()
	due, err := b.UpkeepDue(t.Context(), b.clock.Now(), accounts, limit)
	require.NoError(t, err)
	out := []string{}
	for _, u := range due {
		require.Equal(t, "default", u.Account)
		require.Equal(t, 1, u.Version)
		out = append(out, u.ReleaseName)
	}
	return out
}

func testUpkeepDue(t *testing.T, b *bundle) {
	for i, name := range []string{"c", "b", "a"} {
		b.cared(t, name, time.Minute+time.Duration(i)*time.Second)
	}
	b.cared(t, "never", 0)
	b.cared(t, "later", time.Hour)
	require.Empty(t, b.upkeep(t, 10, "default"), "nothing is due")
	b.clock.advance(2 * time.Minute)
	require.Equal(t, []string{"c", "b", "a"}, b.upkeep(t, 10, "other", "default"))
	require.Equal(t, []string{"c", "b"}, b.upkeep(t, 2, "default"))
	require.Empty(t, b.upkeep(t, 10, "other"))
	require.Empty(t, b.upkeep(t, 10))

	b.begin(t, skipper.KindScale, "c", 1)
	b.queued(t, "waits", "b", skipper.KindScale)
	require.Equal(t, []string{"a"}, b.upkeep(t, 10, "default"), "on the others an operation runs or waits")
	b.end(t, b.begin(t, skipper.KindDelete, "a", 1), skipper.ReleaseChange{Name: "a", Version: 1, Status: skipper.StatusDeleted})
	require.Empty(t, b.upkeep(t, 10, "default"), "it is not deployed any more")
}

func testAcceptRenewal(t *testing.T, b *bundle) {
	ctx := t.Context()
	b.cared(t, "log", time.Minute)
	op := b.operation(skipper.KindRenew, "log", 1)
	op.State = skipper.StateRenew
	got, err := b.AcceptRenewal(ctx, op)
	require.NoError(t, err)
	require.True(t, got.Running())
	kept, err := b.Operation(ctx, op.ID)
	require.NoError(t, err)
	requireEqual(t, got, kept)
	events, err := b.OperationEvents(ctx, op.ID, 0)
	require.NoError(t, err)
	require.Len(t, events, 1)

	other := op
	other.ID = "other"
	_, err = b.AcceptRenewal(ctx, other)
	requireCode(t, skipper.CodeBusy, err)
	_, _, err = b.Accept(ctx, b.operation(skipper.KindScale, "log", 1), nil, 1)
	requireCode(t, skipper.CodeBusy, err)
	b.end(t, got)
	b.queued(t, "waits", "log", skipper.KindScale)
	_, err = b.AcceptRenewal(ctx, other)
	requireCode(t, skipper.CodeBusy, err)

	b.cared(t, "new", time.Minute)
	wrong := b.operation(skipper.KindRenew, "new", 2)
	_, err = b.AcceptRenewal(ctx, wrong)
	requireCode(t, skipper.CodeConflict, err)
	require.ErrorIs(t, err, skipper.ErrChanged)
	_, err = b.Operation(ctx, wrong.ID)
	requireCode(t, skipper.CodeNotFound, err)
}

// They come for ever: a release that is renewed every minute must not fill the database.
func testForgetRenewals(t *testing.T, b *bundle) {
	ctx := t.Context()
	b.cared(t, "log", time.Minute)
	b.cared(t, "other", time.Minute)
	renew := func(name string, n int) string {
		op := b.operation(skipper.KindRenew, name, 1)
		op.ID, op.State = fmt.Sprintf("%s-%d", name, n), skipper.StateRenew
		op, err := b.AcceptRenewal(ctx, op)
		require.NoError(t, err)
		b.end(t, op)
		b.clock.advance(time.Minute)
		return op.ID
	}
	kept := renew("other", 0)
	const many = 30
	for n := range many {
		renew("log", n)
	}
	all, err := b.Operations(ctx, skipper.OperationFilter{ReleaseName: "log"}, pageOf(0, 100))
	require.NoError(t, err)
	require.Less(t, len(all.Items), many)
	require.Equal(t, "log-29", all.Items[0].ID)
	require.Equal(t, skipper.KindInstall, all.Items[len(all.Items)-1].Kind, "only renewals are forgotten")
	events, err := b.OperationEvents(ctx, "log-0", 0)
	require.NoError(t, err)
	require.Empty(t, events)
	_, err = b.Operation(ctx, kept)
	require.NoError(t, err)
}

func testDeploymentsOfRelease(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	for _, d := range []skipper.Deployment{
		{DeploymentID: "b", ReleaseName: "log", ReleaseVersion: 2},
		{DeploymentID: "a", ReleaseName: "log", ReleaseVersion: 2},
		{DeploymentID: "c", ReleaseName: "log", ReleaseVersion: 1},
		{DeploymentID: "d", ReleaseName: "other", ReleaseVersion: 1},
	} {
		d.Account = "default"
		_, err := b.WantDeployment(t.Context(), op.ID, op.Token, d)
		require.NoError(t, err)
	}
	got, err := b.DeploymentsOfRelease(t.Context(), "log")
	require.NoError(t, err)
	require.Equal(t, []string{"c", "a", "b"}, deploymentIDs(got))
}

func testConcluded(t *testing.T, b *bundle) {
	concluded := func(name string, version int) bool {
		t.Helper()
		yes, err := b.Concluded(t.Context(), name, version, b.clock.Now())
		require.NoError(t, err)
		return yes
	}
	op := b.leased(t, "log")
	require.False(t, concluded("log", 1), "its operation runs")
	b.end(t, op)
	require.True(t, concluded("log", 1))
	require.False(t, concluded("log", 2), "it was not made here")
	b.released(t, "stands", 1, b.addPackage(t, "stands", "1.0.0", nil), skipper.StatusDeployed)
	require.False(t, concluded("stands", 1), "it may be adopted")
	require.False(t, concluded("other", 1))
	b.queued(t, "waits", "log", skipper.KindUpgrade)
	require.False(t, concluded("log", 1))
}

func testTakenOver(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	require.False(t, op.TakenOver, "nobody had it")
	require.NoError(t, b.Yield(t.Context(), op.ID, op.Token))
	lease := func() skipper.Operation {
		now := b.clock.Now()
		ops, err := b.Lease(t.Context(), "server-2", now, now.Add(time.Minute), 10, nil)
		require.NoError(t, err)
		require.Len(t, ops, 1)
		return ops[0]
	}
	require.False(t, lease().TakenOver, "it was given back")
	b.clock.advance(time.Hour)
	require.True(t, lease().TakenOver, "the lease ran out")
	kept, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	require.False(t, kept.TakenOver)
}
