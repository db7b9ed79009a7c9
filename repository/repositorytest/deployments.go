package repositorytest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func deploymentTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"WantDeployment_WritesTheIntentOnce":          testWantDeployment,
		"WantDeployment_RefusesAnIDOfAnother":         testWantDeploymentConflict,
		"SaveHandle_KeepsItByteByByte":                testSaveHandle,
		"ForgetDeployment_TakesItsPortsAlong":         testForgetDeployment,
		"Deployments_FencedWritesWithAnOldToken":      testDeploymentsStale,
		"Deployments_ByID_And_ByRelease":              testDeploymentLists,
		"ClaimCompensations_SkipsWhatIsWorkedOn":      testClaimCompensations,
		"ClaimCompensations_LimitsAndClaims":          testClaimLimit,
		"FreeLeases_AlsoFreesClaimsOfCompensations":   testFreeCompensations,
		"Compensation_DeferAndEndLeaveTheWantedAlone": testCompensationOfWanted,
	}
}

func testWantDeployment(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	asked := skipper.Deployment{
		Account: "default", DeploymentID: "log.log-v1", ReleaseName: "log", ReleaseVersion: 1, App: "log", SpecHash: "abc",
	}
	want := asked
	want.Wanted, want.Created, want.Updated = true, b.clock.Now(), b.clock.Now()
	got, err := b.WantDeployment(t.Context(), op.ID, op.Token, asked)
	require.NoError(t, err)
	requireEqual(t, want, got)
	got, err = b.Deployment(t.Context(), "default", "log.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)

	require.NoError(t, b.SaveHandle(t.Context(), op.ID, op.Token, "default", "log.log-v1", json.RawMessage(`{}`), "abc"))
	b.clock.advance(time.Second)
	asked.SpecHash = "changed"
	got, err = b.WantDeployment(t.Context(), op.ID, op.Token, asked)
	require.NoError(t, err)
	want.Handle = json.RawMessage(`{}`)
	requireEqual(t, want, got)

	asked.Account = "another"
	_, err = b.WantDeployment(t.Context(), op.ID, op.Token, asked)
	require.NoError(t, err, "ids are unique in their account")
}

func testWantDeploymentConflict(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	want := b.wantDeployment(t, op, "log.log-v1")
	for _, other := range []skipper.Deployment{
		{Account: "default", DeploymentID: "log.log-v1", ReleaseName: "log", ReleaseVersion: 2},
		{Account: "default", DeploymentID: "log.log-v1", ReleaseName: "other", ReleaseVersion: 1},
	} {
		_, err := b.WantDeployment(t.Context(), op.ID, op.Token, other)
		requireCode(t, skipper.CodeConflict, err)
	}
	got, err := b.Deployment(t.Context(), "default", "log.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)
}

func testSaveHandle(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	want := b.wantDeployment(t, op, "log.log-v1")
	for _, handle := range []json.RawMessage{json.RawMessage(`{"b": 1,  "a":"☃"}`), nil} {
		want.Updated = b.clock.advance(time.Second)
		want.Handle, want.SpecHash = handle, "def"
		require.NoError(t, b.SaveHandle(t.Context(), op.ID, op.Token, "default", "log.log-v1", handle, "def"))
		got, err := b.Deployment(t.Context(), "default", "log.log-v1")
		require.NoError(t, err)
		requireEqual(t, want, got)
	}
	requireCode(t, skipper.CodeNotFound, b.SaveHandle(t.Context(), op.ID, op.Token, "default", "none", nil, ""))
	requireCode(t, skipper.CodeNotFound, b.SaveHandle(t.Context(), op.ID, op.Token, "other", "log.log-v1", nil, ""))
}

func testForgetDeployment(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.a-v1")
	kept := b.wantDeployment(t, op, "log.a-v10")
	b.reserve(t, "host", 1, "log.a-v1", true)
	b.reserve(t, "host", 2, "log.a-v1/0", true)
	b.reserve(t, "other", 1, "log.a-v1/1", true)
	b.reserve(t, "host", 3, "log.a-v10", true)
	b.reserve(t, "host", 4, "log.a-v1-b", true)

	require.NoError(t, b.ForgetDeployment(ctx, op.ID, op.Token, "default", "log.a-v1"))
	require.NoError(t, b.ForgetDeployment(ctx, op.ID, op.Token, "default", "log.a-v1"))
	_, err := b.Deployment(ctx, "default", "log.a-v1")
	requireCode(t, skipper.CodeNotFound, err)
	rest, err := b.DeploymentsOf(ctx, "log", 1)
	require.NoError(t, err)
	requireEqual(t, []skipper.Deployment{kept}, rest)
	b.reserve(t, "host", 1, "another", true)
	b.reserve(t, "host", 2, "another", true)
	b.reserve(t, "other", 1, "another", true)
	b.reserve(t, "host", 3, "another", false)
	b.reserve(t, "host", 4, "another", false)
}

func testDeploymentsStale(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	want := b.wantDeployment(t, op, "log.log-v1")
	b.clock.advance(time.Second)
	for _, token := range []int64{op.Token - 1, op.Token + 1} {
		_, err := b.WantDeployment(ctx, op.ID, token, skipper.Deployment{
			Account: "default", DeploymentID: "log.new-v1", ReleaseName: "log", ReleaseVersion: 1,
		})
		requireStale(t, err)
		requireStale(t, b.SaveHandle(ctx, op.ID, token, "default", "log.log-v1", json.RawMessage(`{}`), "def"))
		requireStale(t, b.ForgetDeployment(ctx, op.ID, token, "default", "log.log-v1"))
	}
	b.end(t, op)
	requireStale(t, b.ForgetDeployment(ctx, op.ID, op.Token, "default", "log.log-v1"))
	got, err := b.DeploymentsOf(ctx, "log", 1)
	require.NoError(t, err)
	requireEqual(t, []skipper.Deployment{want}, got)
}

func testDeploymentLists(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	for _, id := range []string{"c", "a", "b"} {
		b.wantDeployment(t, op, id)
		b.clock.advance(time.Microsecond)
	}
	_, err := b.WantDeployment(ctx, op.ID, op.Token, skipper.Deployment{Account: "other", DeploymentID: "a"})
	require.NoError(t, err)
	_, err = b.WantDeployment(ctx, op.ID, op.Token, skipper.Deployment{
		Account: "default", DeploymentID: "d", ReleaseName: "log", ReleaseVersion: 2,
	})
	require.NoError(t, err)

	byID, err := b.Deployments(ctx, "default", []string{"b", "none", "a"})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, deploymentIDs(byID))
	byID, err = b.Deployments(ctx, "default", nil)
	require.NoError(t, err)
	requireEqual(t, []skipper.Deployment{}, byID)
	byRelease, err := b.DeploymentsOf(ctx, "log", 1)
	require.NoError(t, err)
	require.Equal(t, []string{"c", "a", "b"}, deploymentIDs(byRelease))
	_, err = b.Deployment(ctx, "default", "none")
	requireCode(t, skipper.CodeNotFound, err)
}

func (b *bundle) claim(t *testing.T, limit int) []skipper.Deployment {
	t.Helper()
	now := b.clock.Now()
	claimed, err := b.ClaimCompensations(t.Context(), now, now.Add(time.Minute), limit, nil)
	require.NoError(t, err)
	return claimed
}

func testClaimCompensations(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.kept-v1")
	want := b.wantDeployment(t, op, "log.log-v1")
	require.NoError(t, b.Advance(ctx, op.Token, skipper.Advance{Operation: op, Unwant: []string{"log.log-v1"}}))
	require.Empty(t, b.claim(t, 10), "its operation runs")

	b.end(t, op)
	want.Wanted, want.Due = false, b.clock.Now().Add(time.Minute)
	requireEqual(t, []skipper.Deployment{want}, b.claim(t, 10))
	require.Empty(t, b.claim(t, 10), "it is claimed")

	b.clock.advance(time.Minute)
	require.Len(t, b.claim(t, 10), 1, "the claim ran out")
	due := b.clock.Now().Add(time.Hour)
	require.NoError(t, b.DeferCompensation(ctx, "default", "log.log-v1", due, 2, "still there"))
	got, err := b.Deployment(ctx, "default", "log.log-v1")
	require.NoError(t, err)
	want.Due, want.Attempt, want.LastError, want.Updated = due, 2, "still there", b.clock.Now()
	requireEqual(t, want, got)
	b.clock.advance(time.Hour - time.Microsecond)
	require.Empty(t, b.claim(t, 10))
	b.clock.advance(time.Microsecond)
	require.Len(t, b.claim(t, 10), 1)

	b.reserve(t, "host", 1, "log.log-v1", true)
	require.NoError(t, b.EndCompensation(ctx, "default", "log.log-v1"))
	_, err = b.Deployment(ctx, "default", "log.log-v1")
	requireCode(t, skipper.CodeNotFound, err)
	b.reserve(t, "host", 1, "another", true)
}

func testFreeCompensations(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "a")
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Unwant: []string{"a"}}))
	b.end(t, op)
	require.Len(t, b.claim(t, 10), 1)
	require.Empty(t, b.claim(t, 10))
	require.NoError(t, b.FreeLeases(t.Context()))
	require.Len(t, b.claim(t, 10), 1)
}

func testClaimLimit(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	for _, id := range []string{"c", "b", "a"} {
		b.wantDeployment(t, op, id)
		require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Unwant: []string{id}}))
		b.clock.advance(time.Second)
	}
	b.end(t, op)
	require.Equal(t, []string{"c", "b"}, deploymentIDs(b.claim(t, 2)))
	require.Equal(t, []string{"a"}, deploymentIDs(b.claim(t, 2)))
}

func testCompensationOfWanted(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	want := b.wantDeployment(t, op, "log.log-v1")
	b.reserve(t, "host", 1, "log.log-v1", true)
	require.NoError(t, b.DeferCompensation(ctx, "default", "log.log-v1", b.clock.Now(), 2, "no"))
	require.NoError(t, b.EndCompensation(ctx, "default", "log.log-v1"))
	got, err := b.Deployment(ctx, "default", "log.log-v1")
	require.NoError(t, err)
	requireEqual(t, want, got)
	b.reserve(t, "host", 1, "another", false)
}
