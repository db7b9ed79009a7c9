package release_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestDelete_PlansTheVersionThatStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.failedUpgrade(bigPing)
	rel, op, err := b.Delete(t.Context(), "r", false)
	require.NoError(t, err)
	require.Equal(t, 1, rel.Version)
	require.Equal(t, skipper.StatusDeleted, rel.Info.Status.StatusCode)
	require.Equal(t, skipper.KindDelete, op.Kind)
	accepted, _ := b.ops.last()
	require.Equal(t, 1, accepted.TargetVersion)
	require.Equal(t, skipper.StateDelete, accepted.State)
	require.Equal(t, skipper.Plan{Account: "default"}, accepted.Plan)
	require.Equal(t, []skipper.StatusCode{skipper.StatusDeleted, skipper.StatusFailed}, b.versions())

	_, _, err = b.Delete(t.Context(), "r", false)
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [r] doesn't exist")
	for _, withPackage := range []bool{false, true} {
		_, _, err = b.Delete(t.Context(), "nope", withPackage)
		requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [nope] doesn't exist")
	}
}

func TestDelete_WithPackageChecksFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	_, _, err := b.Install(t.Context(), installRequest("other", "pair", "1.0.0", ""))
	require.NoError(t, err)
	_, _, err = b.Delete(t.Context(), "r", true)
	requireError(t, err, skipper.CodePackageDelete,
		"Can not delete Package Metadata [pair:1.0.0] in Repository [local]. "+
			"Not all releases of this package have the status DELETED. Active Releases [other]")
	require.Len(t, b.ops.accepted, 2, "nothing was accepted")

	_, _, err = b.Delete(t.Context(), "other", false)
	require.NoError(t, err)
	_, _, err = b.Delete(t.Context(), "r", true)
	require.NoError(t, err)
	op, _ := b.ops.last()
	require.Equal(t, "pair", op.Plan.Package)
	packages, err := b.catalog.PackagesNamed(t.Context(), "pair")
	require.NoError(t, err)
	require.Len(t, packages, 1, "the operation deletes it, not the plan")
}

func TestDelete_WithPackageFromARemoteRepository(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.pair("1.0.0")
	zip, err := b.store.PackageFile(t.Context(), m.ID)
	require.NoError(t, err)
	remote, _, err := b.store.EnsureRepository(t.Context(), skipper.Repository{
		Name: "far", URL: "http://127.0.0.1:1", RepoOrder: new(9),
	})
	require.NoError(t, err)
	m.RepositoryID, m.RepositoryName = &remote.ID, &remote.Name
	_, err = b.store.AddPackage(t.Context(), m, zip)
	require.NoError(t, err)
	b.install("")
	_, _, err = b.Delete(t.Context(), "r", true)
	requireError(t, err, skipper.CodePackageDelete, "Can't delete package: pair from non-local repository")
	b.delete()
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	_, _, err := b.Cancel(t.Context(), skipper.CancelRequest{})
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
	for _, name := range []string{"nope", "r"} {
		answer, op, err := b.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: name})
		require.NoError(t, err)
		require.False(t, answer.Accepted)
		require.Nil(t, op)
	}
	running := b.busy(skipper.KindUpgrade, skipper.StateUpgradeWait)
	woken := b.ops.woken
	answer, op, err := b.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.True(t, answer.Accepted)
	require.Equal(t, running.ID, op.ID)
	require.True(t, op.Cancel)
	require.Greater(t, b.ops.woken, woken)
}

func TestCancel_OfWhatCannotBeCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.busy(skipper.KindDelete, skipper.StateDelete)
	answer, _, err := b.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.False(t, answer.Accepted)
}

func scale(name string, count *int) skipper.ScaleRequest {
	return skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{{Name: name, Count: count}}}
}

func TestScale_PlansTheVersionThatStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.failedUpgrade(bigPing)
	for _, count := range []int{0, 3, 1000} {
		req := scale("ping", &count)
		rel, op, err := b.Scale(t.Context(), "r", req)
		require.NoError(t, err)
		require.Equal(t, 1, rel.Version)
		require.Equal(t, skipper.KindScale, op.Kind)
		accepted, _ := b.ops.last()
		require.Equal(t, skipper.StateScale, accepted.State)
		require.Equal(t, skipper.Plan{Account: "default", Scale: req.Scale}, accepted.Plan)
	}
	require.Len(t, b.versions(), 2, "it makes no version")
}

func TestScale_Refusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	for _, count := range []*int{nil, new(-1), new(1001)} {
		_, _, err := b.Scale(t.Context(), "r", scale("ping", count))
		requireError(t, err, skipper.CodeConflict, "The count of application [ping] must be a number from 0 to 1000")
	}
	_, _, err := b.Scale(t.Context(), "nope", scale("ping", new(2)))
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [nope] doesn't exist")
	require.Len(t, b.ops.accepted, 1)
}

func TestScale_OfADeletedReleaseChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.delete()
	rel, op, err := b.Scale(t.Context(), "r", scale("ping", new(2)))
	require.NoError(t, err)
	require.Empty(t, op.ID)
	require.Equal(t, skipper.StatusDeleted, rel.Info.Status.StatusCode)
	require.Len(t, b.ops.accepted, 2)
}

func TestScale_ThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.ops.end = func(op skipper.Operation) skipper.Advance {
		op.Outcome, op.Error = skipper.OutcomeFailed, &skipper.OperationError{Code: skipper.CodeConflict, Message: "no room"}
		return skipper.Advance{Operation: op}
	}
	_, op, err := b.Scale(t.Context(), "r", scale("ping", new(2)))
	requireError(t, err, skipper.CodeConflict, "no room")
	require.NotEmpty(t, op.ID)
}
