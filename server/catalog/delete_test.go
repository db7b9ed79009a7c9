package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestDeletePackage_GoesInAllVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.upload("hello", "1.0.0")
	b.upload("hello", "1.1.0")
	b.upload("hello-world", "1.0.0")
	require.NoError(t, b.DeletePackage(t.Context(), "hello"))
	require.Empty(t, b.versions("hello"))
	require.Equal(t, []string{"1.0.0"}, b.versions("hello-world"))
	_, err := b.store.PackageFile(t.Context(), m.ID)
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
	b.upload("hello", "1.0.0") // the name is free
}

func TestDeletePackage_ThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, err := range []error{
		b.DeletePackage(t.Context(), "nope"),
		b.DeletePackageExcept(t.Context(), "nope", "r"),
		b.CheckDeletePackage(t.Context(), "nope", "r"),
	} {
		requireError(t, err, skipper.CodeConflict, "Can not find a package named 'nope'")
	}
}

func TestDeletePackage_OfARemoteRepository(t *testing.T) {
	t.Parallel()
	b := setup(t)
	remote := b.repository("far", "http://127.0.0.1:1", false, 0)
	b.known(remote, "hello", "1.0.0")
	b.known(remote, "hello", "2.0.0")
	b.upload("hello", "3.0.0")
	requireError(t, b.DeletePackage(t.Context(), "hello"), skipper.CodePackageDelete,
		"Can not delete package [hello], associated repository [far] is remote.")
	require.Equal(t, []string{"1.0.0", "2.0.0", "3.0.0"}, b.versions("hello"))
}

func TestDeletePackage_WhileReleasesUseIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.upload("hello", "1.0.0"), b.upload("hello", "1.1.0")
	b.release("a", 1, one, skipper.StatusDeleted)
	b.release("a", 2, two, skipper.StatusDeployed)
	b.release("gone", 1, two, skipper.StatusDeleted)
	b.release("failed", 1, two, skipper.StatusDeleted)
	b.release("failed", 2, two, skipper.StatusFailed) // does not count: the version before it does
	const refusal = "Can not delete Package Metadata [hello:1.1.0] in Repository [local]. " +
		"Not all releases of this package have the status DELETED. Active Releases [a]"
	requireError(t, b.DeletePackage(t.Context(), "hello"), skipper.CodePackageDelete, refusal)
	requireError(t, b.CheckDeletePackage(t.Context(), "hello", "gone"), skipper.CodePackageDelete, refusal)
	require.Equal(t, []string{"1.0.0", "1.1.0"}, b.versions("hello"), "all versions, or none")

	b.release("b", 1, two, skipper.StatusUnknown)
	b.release("c", 1, one, skipper.StatusDeployed)
	requireError(t, b.DeletePackage(t.Context(), "hello"), skipper.CodePackageDelete,
		"Can not delete Package Metadata [hello:1.0.0] in Repository [local]. "+
			"Not all releases of this package have the status DELETED. Active Releases [c],"+
			"Can not delete Package Metadata [hello:1.1.0] in Repository [local]. "+
			"Not all releases of this package have the status DELETED. Active Releases [a,b]")
}

func TestDeletePackage_ReleasesThatAreDeletedDoNotCount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.upload("hello", "1.0.0")
	b.release("a", 1, m, skipper.StatusDeleted)
	b.release("b", 1, m, skipper.StatusFailed)
	require.NoError(t, b.DeletePackage(t.Context(), "hello"))
	require.Empty(t, b.versions("hello"))
}

func TestDeletePackageExcept_TheReleaseThatGoesWithIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.upload("hello", "1.0.0")
	b.release("a", 1, m, skipper.StatusDeployed)
	b.release("b", 1, m, skipper.StatusDeployed)
	err := b.DeletePackageExcept(t.Context(), "hello", "a")
	require.Equal(t, skipper.CodePackageDelete, skipper.CodeOf(err))
	require.ErrorContains(t, err, "Active Releases [b]")
	b.release("b", 2, m, skipper.StatusDeleted)
	require.NoError(t, b.DeletePackageExcept(t.Context(), "hello", "a"))
	require.Empty(t, b.versions("hello"))
}

func TestCheckDeletePackage_DeletesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.upload("hello", "1.0.0")
	b.release("a", 1, m, skipper.StatusDeployed)
	require.NoError(t, b.CheckDeletePackage(t.Context(), "hello", "a"))
	require.Equal(t, []string{"1.0.0"}, b.versions("hello"))
	_, err := b.store.PackageFile(t.Context(), m.ID)
	require.NoError(t, err)
}
