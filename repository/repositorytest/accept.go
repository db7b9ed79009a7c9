package repositorytest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func acceptTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Accept_KeepsEveryField":                   testAcceptKeepsEveryField,
		"Accept_RefusesWhileAnotherOperationRuns":  testAcceptBusy,
		"Accept_RefusesWhenTheReleaseChanged":      testAcceptChanged,
		"Accept_RefusesWithoutItsPackage":          testAcceptWithoutPackage,
		"Accept_RefusesAnIDThatIsTaken":            testAcceptTakenID,
		"Accept_WithoutAReleaseLeavesTheReleaseBe": testAcceptWithoutRelease,
	}
}

func testAcceptKeepsEveryField(t *testing.T, b *bundle) {
	created := b.clock.Now().Add(-time.Second)
	cutOff := b.clock.Now().Add(time.Hour)
	op := skipper.Operation{
		ID: "op-1", Kind: skipper.KindUpgrade, ReleaseName: "log", SourceVersion: 0, TargetVersion: 1,
		State: skipper.StateUpgradeStart,
		Plan: skipper.Plan{
			Account: "default", Apps: []string{"b", "a"}, Drop: []string{"c"}, Timeout: 5000, Install: true,
			Scale:  []skipper.ScaleRequestItem{{Name: "a", Count: new(2), Properties: map[string]string{"k": "v"}}},
			CutOff: &cutOff,
		},
		Deadline: b.clock.Now().Add(time.Minute), Due: b.clock.Now(), Created: created,
		Request: json.RawMessage(`{"a": 1}`), IdempotencyKey: "key-1",
		// not the caller's to say:
		Outcome: skipper.OutcomeFailed, LeaseOwner: "somebody", LeaseUntil: b.clock.Now(), Token: 7,
	}
	release := b.release("log", 1, b.addPackage(t, "log", "1.0.0", nil))
	accepted, made, err := b.Accept(t.Context(), op, &release, 0)
	require.NoError(t, err)
	require.Equal(t, 1, made.Version)

	want := op
	want.Updated, want.Account, want.Retriable = created, "default", true
	want.Outcome, want.LeaseOwner, want.LeaseUntil, want.Token = skipper.OutcomeRunning, "", time.Time{}, 0
	requireEqual(t, want, accepted)
	got, err := b.OperationWithRequest(t.Context(), "op-1")
	require.NoError(t, err)
	requireEqual(t, want, got)
	byKey, err := b.OperationByKey(t.Context(), "key-1")
	require.NoError(t, err)
	requireEqual(t, &want, byKey)
	want.Request = nil
	got, err = b.Operation(t.Context(), "op-1")
	require.NoError(t, err)
	requireEqual(t, want, got)

	events, err := b.OperationEvents(t.Context(), "op-1", 0)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]skipper.OperationEvent{{
		OperationID: "op-1", Time: created, From: skipper.StateInitial, Event: "accepted", To: skipper.StateUpgradeStart,
	}}, events, cmpopts.IgnoreFields(skipper.OperationEvent{}, "ID")))
}

func testAcceptBusy(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	running, _ := b.accept(t, "log", 1, p)
	for kind, event := range map[skipper.Kind]string{
		skipper.KindInstall: "INSTALL", skipper.KindUpgrade: "UPGRADE", skipper.KindRollback: "ROLLBACK",
		skipper.KindScale: "SCALE", skipper.KindDelete: "DELETE",
	} {
		release := b.release("log", 2, p)
		_, _, err := b.Accept(t.Context(), b.operation(kind, "log", 2), &release, 1)
		requireEqual(t, skipper.Busy(event, running.ID), err)
	}
	_, err := b.Release(t.Context(), "log", 2)
	requireCode(t, skipper.CodeReleaseNotFound, err)
	b.accept(t, "other", 1, p)

	b.end(t, running, skipper.ReleaseChange{Name: "log", Version: 1, Status: skipper.StatusDeployed})
	b.accept(t, "log", 2, p)
}

func testAcceptChanged(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "log", 1, p, skipper.StatusDeployed)
	for _, latest := range []int{0, 2} {
		release := b.release("log", 2, p)
		op := b.operation(skipper.KindUpgrade, "log", 2)
		_, _, err := b.Accept(t.Context(), op, &release, latest)
		require.ErrorIs(t, err, skipper.ErrChanged)
		requireCode(t, skipper.CodeConflict, err)
		_, err = b.Operation(t.Context(), op.ID)
		requireCode(t, skipper.CodeNotFound, err)
	}
	_, _, err := b.Accept(t.Context(), b.operation(skipper.KindDelete, "log", 1), nil, 1)
	require.NoError(t, err)
}

func testAcceptWithoutPackage(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	require.NoError(t, b.DeletePackages(t.Context(), "log", allow))
	release := b.release("log", 1, p)
	op := b.operation(skipper.KindInstall, "log", 1)
	_, _, err := b.Accept(t.Context(), op, &release, 0)
	requireCode(t, skipper.CodeNotFound, err)
	_, err = b.Operation(t.Context(), op.ID)
	requireCode(t, skipper.CodeNotFound, err)
	_, err = b.Release(t.Context(), "log", 1)
	requireCode(t, skipper.CodeReleaseNotFound, err)
}

func testAcceptTakenID(t *testing.T, b *bundle) {
	op, _ := b.accept(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil))
	op.ReleaseName = "other"
	_, _, err := b.Accept(t.Context(), op, nil, 0)
	requireCode(t, skipper.CodeConflict, err)
}

func testAcceptWithoutRelease(t *testing.T, b *bundle) {
	before := b.released(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil), skipper.StatusDeployed)
	_, made, err := b.Accept(t.Context(), b.operation(skipper.KindDelete, "log", 1), nil, 1)
	require.NoError(t, err)
	requireEqual(t, skipper.Release{}, made)
	after, err := b.LatestRelease(t.Context(), "log")
	require.NoError(t, err)
	requireEqual(t, before, after)
}
