package repositorytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func leaseTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Lease_TakesWhatIsDueAndFree":          testLease,
		"Lease_LimitsTheLongestWaitingFirst":   testLeaseLimit,
		"Lease_TakesOverWhenItRanOut":          testLeaseTakeOver,
		"Renew_Yield_CheckToken_OfAStaleLease": testLeaseStale,
		"FreeLeases_EndsThemAll":               testFreeLeases,
		"NextDue":                              testNextDue,
	}
}

func testLease(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	op, _ := b.accept(t, "log", 1, p)
	b.released(t, "ended", 1, p, skipper.StatusDeployed)
	now := b.clock.Now()
	until := now.Add(10 * time.Second)

	early, err := b.Lease(t.Context(), "server-1", now.Add(-time.Microsecond), until, 10, nil)
	require.NoError(t, err)
	require.Empty(t, early)

	got, err := b.Lease(t.Context(), "server-1", now, until, 10, nil)
	require.NoError(t, err)
	op.LeaseOwner, op.LeaseUntil, op.Token = "server-1", until, 1
	requireEqual(t, []skipper.Operation{op}, got)
	kept, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	requireEqual(t, op, kept)

	again, err := b.Lease(t.Context(), "server-1", now, until, 10, nil)
	require.NoError(t, err)
	requireEqual(t, []skipper.Operation{}, again)
}

func testLeaseLimit(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	for i, name := range []string{"a", "b", "c"} {
		op := b.operation(skipper.KindInstall, name, 1)
		op.Due = op.Due.Add(-time.Duration(i) * time.Second)
		release := b.release(name, 1, p)
		_, _, err := b.Accept(t.Context(), op, &release, 0)
		require.NoError(t, err)
	}
	now := b.clock.Now()
	got, err := b.Lease(t.Context(), "server-1", now, now.Add(time.Second), 2, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"install-c-1", "install-b-1"}, idsOf(got))
	got, err = b.Lease(t.Context(), "server-2", now, now.Add(time.Second), 2, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"install-a-1"}, idsOf(got))
}

func testLeaseTakeOver(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	until := b.clock.Now().Add(time.Minute)
	got, err := b.Lease(t.Context(), "server-2", until.Add(-time.Microsecond), until.Add(time.Minute), 10, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = b.Lease(t.Context(), "server-2", until, until.Add(time.Minute), 10, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, op.Token+1, got[0].Token)

	require.NoError(t, b.Yield(t.Context(), op.ID, got[0].Token))
	kept, err := b.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	require.Equal(t, op.Due, kept.Due)
	require.Empty(t, kept.LeaseOwner)
	got, err = b.Lease(t.Context(), "server-3", b.clock.Now(), until, 10, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, op.Token+2, got[0].Token)
}

func testLeaseStale(t *testing.T, b *bundle) {
	ctx := t.Context()
	op := b.leased(t, "log")
	later := b.clock.Now().Add(time.Hour)
	require.NoError(t, b.CheckToken(ctx, op.ID, op.Token))
	require.NoError(t, b.Renew(ctx, op.ID, op.Token, later))
	kept, err := b.Operation(ctx, op.ID)
	require.NoError(t, err)
	require.Equal(t, later, kept.LeaseUntil)

	for _, c := range []struct {
		id    string
		token int64
	}{{op.ID, op.Token - 1}, {op.ID, op.Token + 1}, {"none", op.Token}} {
		requireStale(t, b.CheckToken(ctx, c.id, c.token))
		requireStale(t, b.Renew(ctx, c.id, c.token, later.Add(time.Hour)))
		requireStale(t, b.Yield(ctx, c.id, c.token))
	}
	got, err := b.Operation(ctx, op.ID)
	require.NoError(t, err)
	requireEqual(t, kept, got)

	b.end(t, op)
	requireStale(t, b.CheckToken(ctx, op.ID, op.Token))
	requireStale(t, b.Renew(ctx, op.ID, op.Token, later))
	requireStale(t, b.Yield(ctx, op.ID, op.Token))
}

func testFreeLeases(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	require.NoError(t, b.FreeLeases(t.Context()))
	requireStale(t, b.Renew(t.Context(), op.ID, op.Token, b.clock.Now().Add(time.Hour)))
	got, err := b.Lease(t.Context(), "server-2", b.clock.Now(), b.clock.Now().Add(time.Minute), 10, nil)
	require.NoError(t, err)
	require.Equal(t, []string{op.ID}, idsOf(got))
	requireStale(t, b.CheckToken(t.Context(), op.ID, op.Token))
}

func testNextDue(t *testing.T, b *bundle) {
	ctx, start := t.Context(), b.clock.Now()
	next := func(now time.Time) time.Time {
		t.Helper()
		at, found, err := b.NextDue(ctx, now, nil)
		require.NoError(t, err)
		require.True(t, found)
		return at
	}
	_, found, err := b.NextDue(ctx, start, nil)
	require.NoError(t, err)
	require.False(t, found)

	op := b.leased(t, "log")
	require.Equal(t, start.Add(time.Minute), next(start), "when the lease runs out")
	b.wantDeployment(t, op, "log.log-v1")
	op.Due = start.Add(time.Hour)
	require.NoError(t, b.Advance(ctx, op.Token, skipper.Advance{Operation: op, Unwant: []string{"log.log-v1"}}))
	require.Equal(t, start.Add(time.Hour), next(start), "a leased one that is due later")
	require.NoError(t, b.Yield(ctx, op.ID, op.Token))
	require.Equal(t, start.Add(time.Hour), next(start))
	require.Equal(t, start.Add(2*time.Hour), next(start.Add(2*time.Hour)), "not before now")

	b.end(t, op)
	require.Equal(t, start, next(start), "a compensation")
	require.NoError(t, b.DeferCompensation(ctx, "default", "log.log-v1", start.Add(time.Second), 1, "no"))
	require.Equal(t, start.Add(time.Second), next(start))
	require.NoError(t, b.EndCompensation(ctx, "default", "log.log-v1"))
	_, found, err = b.NextDue(ctx, start, nil)
	require.NoError(t, err)
	require.False(t, found)
}
