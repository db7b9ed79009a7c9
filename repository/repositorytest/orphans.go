package repositorytest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func orphanTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"CompensateOrphan_IsAnOpenCompensation":          testCompensateOrphan,
		"CompensateOrphan_RefusesWhatIsKnownOrBusy":      testCompensateOrphanRefused,
		"CompensateOrphan_KeepsItsVersionFromBeingTaken": testCompensateOrphanVersion,
		"AdoptOrphan_BelongsToItsRelease":                testAdoptOrphan,
		"AdoptOrphan_RefusesAVersionThatChanged":         testAdoptOrphanRefused,
		"Compensations_AreThoseNobodyWorksOn":            testCompensations,
		"WantDeployment_RefusesWhatHasToGo":              testWantUnwanted,
	}
}

func orphan(release string, version int) skipper.Deployment {
	return skipper.Deployment{
		Account: "default", DeploymentID: release + ".log-v1", ReleaseName: release, ReleaseVersion: version, App: "log",
		SpecHash: "abc",
	}
}

func testCompensateOrphan(t *testing.T, b *bundle) {
	ctx := t.Context()
	want := orphan("gone", 1)
	require.NoError(t, b.CompensateOrphan(ctx, want))
	want.Due, want.Created, want.Updated = b.clock.Now(), b.clock.Now(), b.clock.Now()
	got, err := b.Deployment(ctx, "default", "gone.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)
	open, err := b.Compensations(ctx, 10)
	require.NoError(t, err)
	requireEqual(t, []skipper.Deployment{want}, open)

	require.Equal(t, []string{"gone.log-v1"}, deploymentIDs(b.claim(t, 10)))
	require.NoError(t, b.EndCompensation(ctx, "default", "gone.log-v1"))
	open, err = b.Compensations(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, open)
}

func testCompensateOrphanRefused(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	want := b.wantDeployment(t, op, "log.log-v1")
	err := b.CompensateOrphan(ctx, orphan("log", 7))
	requireCode(t, skipper.CodeBusy, err)
	require.ErrorContains(t, err, "an operation runs on release log")

	b.end(t, op)
	requireCode(t, skipper.CodeConflict, b.CompensateOrphan(ctx, orphan("log", 1)))
	got, err := b.Deployment(ctx, "default", "log.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)
}

// The id of an orphan that has to go must not be given to a new deployment.
func testCompensateOrphanVersion(t *testing.T, b *bundle) {
	require.NoError(t, b.CompensateOrphan(t.Context(), orphan("log", 4)))
	next, err := b.NextVersion(t.Context(), "log")
	require.NoError(t, err)
	require.Equal(t, 5, next)
}

// deployedRelease is a release whose install has ended.
func (b *bundle) deployedRelease(t *testing.T, name string) skipper.Release {
	t.Helper()
	return b.released(t, name, 1, b.addPackage(t, name, "1.0.0", nil), skipper.StatusDeployed)
}

func testAdoptOrphan(t *testing.T, b *bundle) {
	ctx := t.Context()
	rel := b.deployedRelease(t, "log")
	rel.Apps = []skipper.AppDeployment{{App: "log", ID: "log.log-v1"}}
	want := orphan("log", 1)
	require.NoError(t, b.AdoptOrphan(ctx, want, rel))

	want.Wanted, want.Created, want.Updated = true, b.clock.Now(), b.clock.Now()
	got, err := b.Deployment(ctx, "default", "log.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)
	after, err := b.Release(ctx, "log", 1)
	require.NoError(t, err)
	require.Equal(t, rel.Apps, after.Apps)
	require.Equal(t, skipper.StatusDeployed, after.Info.Status.StatusCode)
	require.Empty(t, b.claim(t, 10))
	requireCode(t, skipper.CodeConflict, b.AdoptOrphan(ctx, want, after))
}

func testAdoptOrphanRefused(t *testing.T, b *bundle) {
	ctx := t.Context()
	rel := b.deployedRelease(t, "log")
	stale := rel
	stale.ObjectVersion--
	err := b.AdoptOrphan(ctx, orphan("log", 1), stale)
	requireCode(t, skipper.CodeConflict, err)
	require.ErrorIs(t, err, skipper.ErrChanged)
	requireCode(t, skipper.CodeReleaseNotFound, b.AdoptOrphan(ctx, orphan("none", 1), skipper.Release{Name: "none", Version: 1}))

	op, _ := b.accept(t, "log", 2, rel.Pkg.Metadata)
	require.ErrorIs(t, b.AdoptOrphan(ctx, orphan("log", 1), rel), skipper.ErrChanged, "version 2 is the newest")
	b.end(t, op, skipper.ReleaseChange{Name: "log", Version: 2, Status: skipper.StatusFailed})
	require.NoError(t, b.AdoptOrphan(ctx, orphan("log", 1), rel), "version 2 failed: version 1 stands")

	busy := b.deployedRelease(t, "other")
	_, _, err = b.Accept(ctx, b.operation(skipper.KindDelete, "other", 1), nil, 1)
	require.NoError(t, err)
	requireCode(t, skipper.CodeBusy, b.AdoptOrphan(ctx, orphan("other", 1), busy))
	_, err = b.Deployment(ctx, "default", "other.log-v1")
	requireCode(t, skipper.CodeNotFound, err)
}

func testCompensations(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.kept-v1")
	b.wantDeployment(t, op, "log.log-v1")
	require.NoError(t, b.Advance(ctx, op.Token, skipper.Advance{Operation: op, Unwant: []string{"log.log-v1"}}))
	require.NoError(t, b.CompensateOrphan(ctx, orphan("gone", 1)))
	ids := func(limit int) []string {
		open, err := b.Compensations(ctx, limit)
		require.NoError(t, err)
		return deploymentIDs(open)
	}
	require.Equal(t, []string{"gone.log-v1"}, ids(10), "the operation of the other one runs")
	b.end(t, op)
	require.Equal(t, []string{"gone.log-v1", "log.log-v1"}, ids(10))
	require.Equal(t, []string{"gone.log-v1"}, ids(1))
}

// A removal that is under way would take a deployment away that counts on its id.
func testWantUnwanted(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	d := b.wantDeployment(t, op, "log.log-v1")
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Unwant: []string{"log.log-v1"}}))
	_, err := b.WantDeployment(t.Context(), op.ID, op.Token, d)
	requireCode(t, skipper.CodeConflict, err)
}
