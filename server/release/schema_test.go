package release_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	sizes = `{"properties": {"spec": {"properties": {"applicationProperties":
		{"properties": {"size": {"enum": ["small", "big"]}}}}}}}`
	huge    = "spec: {applicationProperties: {size: huge}}"
	notHuge = `the values do not fit values.schema.json of package sized: spec.applicationProperties.size must be "small" or "big"`
)

func (b *bundle) sized(version string, more map[string]string) {
	b.t.Helper()
	files := map[string]string{"values.yml": defaults, "templates/t.yml": deployerApp("ping", version)}
	maps.Copy(files, more)
	b.upload("sized", version, files)
}

func TestSchema_IsEnforcedByInstallUpgradeAndRollback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sized("1.0.0", nil)
	b.sized("1.1.0", map[string]string{skipper.SchemaFile: sizes})

	_, _, err := b.Install(t.Context(), installRequest("r", "sized", "1.1.0", huge))
	requireError(t, err, skipper.CodeConflict, notHuge)
	_, err = b.store.LatestRelease(t.Context(), "r")
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err), "nothing was accepted")

	_, _, err = b.Install(t.Context(), installRequest("r", "sized", "1.0.0", huge))
	require.NoError(t, err, "a package without a schema takes all")
	_, _, err = b.Upgrade(t.Context(), upgradeRequest("r", "sized", "1.1.0", ""))
	require.NoError(t, err, "an upgrade without values has none")
	rel, _, err := b.Upgrade(t.Context(), upgradeRequest("r", "sized", "1.1.0", "spec: {applicationProperties: {size: big}}"))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]skipper.FileHolder{{Name: skipper.SchemaFile, Bytes: []byte(sizes)}}, rel.Pkg.FileHolders))
	_, _, err = b.Upgrade(t.Context(), upgradeRequest("r", "sized", "1.1.0", huge))
	requireError(t, err, skipper.CodeConflict, notHuge)
	require.Equal(t, []skipper.StatusCode{skipper.StatusDeleted, skipper.StatusDeleted, skipper.StatusDeployed}, b.versions())
}

func TestSchema_MeetsTheValuesOfTheReleaseToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sized("1.0.0", nil)
	b.sized("1.1.0", map[string]string{skipper.SchemaFile: sizes})
	_, _, err := b.Install(t.Context(), installRequest("r", "sized", "1.0.0", huge))
	require.NoError(t, err)
	_, _, err = b.Upgrade(t.Context(), upgradeRequest("r", "sized", "1.1.0", "other: 1"))
	requireError(t, err, skipper.CodeConflict, notHuge)

	back := 1
	_, _, err = b.Upgrade(t.Context(), upgradeRequest("r", "sized", "1.1.0", ""))
	require.NoError(t, err)
	_, _, err = b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: &back})
	require.NoError(t, err, "1.0.0 has no schema")
}
