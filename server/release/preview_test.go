package release_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestPreview_TellsWhatWouldBeDoneAndDoesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	request := func(values string) skipper.InstallRequest {
		return skipper.InstallRequest{
			PackageIdentifier: &skipper.PackageIdentifier{PackageName: "pair"},
			InstallProperties: &skipper.InstallProperties{
				ReleaseName: "r", PlatformName: "default", ConfigValues: &skipper.ConfigValues{Raw: &values},
			},
		}
	}
	p, err := b.Preview(t.Context(), request(""))
	require.NoError(t, err)
	require.Equal(t, skipper.PreviewInstall, p.Action)
	require.Equal(t, 1, p.Version)
	require.Equal(t, "pair 1.0.0", p.PackageName+" "+p.PackageVersion)
	require.Contains(t, p.Diff, "+ application ping\n")
	_, err = b.Status(t.Context(), "r", 0)
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err), "nothing was made")

	b.install("")
	p, err = b.Preview(t.Context(), request(""))
	require.NoError(t, err)
	require.Equal(t, skipper.PreviewNone, p.Action)
	require.Equal(t, 1, p.Version)
	require.Empty(t, p.Diff)

	p, err = b.Preview(t.Context(), request(bigPong))
	require.NoError(t, err)
	require.Equal(t, skipper.PreviewUpgrade, p.Action)
	require.Equal(t, 2, p.Version)
	require.Contains(t, p.Diff, "~ application pong\n")
	require.Contains(t, p.Diff, "big")
	require.NotContains(t, p.Diff, "application ping")

	elsewhere := request("")
	elsewhere.InstallProperties.PlatformName = "b-second"
	_, err = b.Preview(t.Context(), elsewhere)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err))
	require.ErrorContains(t, err, "cannot move to b-second")

	for _, wrong := range []skipper.InstallRequest{
		{},
		{InstallProperties: &skipper.InstallProperties{ReleaseName: "r", PlatformName: "default"}},
		{PackageIdentifier: &skipper.PackageIdentifier{PackageName: "pair"}, InstallProperties: &skipper.InstallProperties{
			ReleaseName: "a/b", PlatformName: "default",
		}},
	} {
		_, err = b.Preview(t.Context(), wrong)
		require.Contains(t, []skipper.Code{skipper.CodeInvalid, skipper.CodeConflict}, skipper.CodeOf(err))
	}
}
