package release_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestStatus_KeepsWhatThePlatformSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.platforms.instances = map[string]int{"ping": 2}
	before, err := b.store.Release(t.Context(), "r", 1)
	require.NoError(t, err)
	info, err := b.Status(t.Context(), "r", 0)
	require.NoError(t, err)
	statuses := info.Status.AppStatuses()
	require.Len(t, statuses, 2)
	require.Len(t, statuses[0].Instances, 2)
	kept, err := b.store.Release(t.Context(), "r", 1)
	require.NoError(t, err)
	require.Equal(t, *info.Status.PlatformStatus, *kept.Info.Status.PlatformStatus, "lists show it next")
	require.Equal(t, before.ObjectVersion, kept.ObjectVersion, "an observation is no change")

	b.platforms.err = skipper.Errorf(skipper.CodeUnavailable, "gone")
	again, err := b.Status(t.Context(), "r", 1)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(info, again), "what the platform said last")
}

func TestStatus_OfVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.upgrade(bigPing)
	asked := b.platforms.count()
	info, err := b.Status(t.Context(), "r", 1)
	require.NoError(t, err)
	require.Equal(t, skipper.StatusDeleted, info.Status.StatusCode)
	require.Nil(t, info.Status.PlatformStatus)
	require.Equal(t, asked, b.platforms.count(), "nothing of it runs")
	info, err = b.Status(t.Context(), "r", 0)
	require.NoError(t, err)
	require.Equal(t, skipper.StatusDeployed, info.Status.StatusCode)

	_, err = b.Status(t.Context(), "r", 9)
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [r] and version [9] doesn't exist")
	_, err = b.Status(t.Context(), "nope", 0)
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [nope] doesn't exist")
}

func TestStatus_BeforeAnythingWasHandedOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.failedUpgrade(bigPing)
	asked := b.platforms.count()
	info, err := b.Status(t.Context(), "r", 0)
	require.NoError(t, err)
	require.Equal(t, skipper.StatusFailed, info.Status.StatusCode)
	require.Equal(t, asked, b.platforms.count())
}

func TestStatusesAndStates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.delete()
	_, _, err := b.Install(t.Context(), installRequest("s", "pair", "1.0.0", ""))
	require.NoError(t, err)
	infos, err := b.Statuses(t.Context(), []string{"r", "s", "nope"})
	require.NoError(t, err)
	require.Len(t, infos, 2)
	require.Equal(t, skipper.StatusDeleted, infos["r"].Status.StatusCode)
	require.Len(t, infos["s"].Status.AppStatuses(), 2)
	states, err := b.States(t.Context(), []string{"r", "s", "nope"})
	require.NoError(t, err)
	require.Equal(t, map[string]map[string]skipper.DeploymentState{
		"r": {}, "s": {"s.ping": skipper.StateDeployed, "s.pong": skipper.StateDeployed},
	}, states)
}

func TestManifest_OfVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.upgrade(bigPing)
	first, err := b.Manifest(t.Context(), "r", 1)
	require.NoError(t, err)
	require.NotContains(t, first.Data, "big")
	newest, err := b.Manifest(t.Context(), "r", 0)
	require.NoError(t, err)
	require.Contains(t, newest.Data, "big")
	_, err = b.Manifest(t.Context(), "r", 9)
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [r] and version [9] doesn't exist")
	_, err = b.Manifest(t.Context(), "nope", 0)
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [nope] doesn't exist")
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	logs, err := b.Logs(t.Context(), "r", "")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"r.ping": "lo", "r.pong": "lo"}, logs.Logs)
	logs, err = b.Logs(t.Context(), "r", "R.PONG")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"r.pong": "lo"}, logs.Logs)
	b.delete()
	logs, err = b.Logs(t.Context(), "r", "")
	require.NoError(t, err)
	require.Equal(t, map[string]string{}, logs.Logs)
	_, err = b.Logs(t.Context(), "nope", "")
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))
}

func TestListedAndHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.upgrade(bigPing)
	b.failedUpgrade(bigPong)
	versions := func(releases []skipper.Release, err error) []int {
		require.NoError(t, err)
		out := []int{}
		for _, rel := range releases {
			out = append(out, rel.Version)
		}
		return out
	}
	require.Equal(t, []int{2, 3}, versions(b.Listed(t.Context(), "R")))
	require.Equal(t, []int{3, 2, 1}, versions(b.History(t.Context(), "")))
	require.Empty(t, versions(b.Listed(t.Context(), "nope")))
}

func names(t *testing.T, page skipper.Page[skipper.Platform], err error) []string {
	t.Helper()
	require.NoError(t, err)
	require.Equal(t, 3, page.Total)
	out := []string{}
	for _, p := range page.Items {
		out = append(out, p.Name)
	}
	return out
}

func TestPlatforms_PagesAndSorts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	by := func(property string, descending bool) []skipper.Sort {
		return []skipper.Sort{{Property: property, Descending: descending}}
	}
	configured, sorted := []string{"default", "b-second", "a-third"}, []string{"a-third", "b-second", "default"}
	for name, test := range map[string]struct {
		page skipper.PageRequest
		want []string
	}{
		"as configured":     {skipper.PageRequest{Size: 20}, configured},
		"first page":        {skipper.PageRequest{Size: 2}, []string{"default", "b-second"}},
		"last page":         {skipper.PageRequest{Page: 1, Size: 2}, []string{"a-third"}},
		"behind the last":   {skipper.PageRequest{Page: 2, Size: 2}, []string{}},
		"far behind":        {skipper.PageRequest{Page: math.MaxInt32, Size: 1000}, []string{}},
		"by name":           {skipper.PageRequest{Size: 20, Sort: by("name", false)}, sorted},
		"by name, last":     {skipper.PageRequest{Size: 1, Sort: by("name", true)}, []string{"default"}},
		"by description":    {skipper.PageRequest{Size: 20, Sort: by("description", true)}, configured},
		"by the same types": {skipper.PageRequest{Size: 20, Sort: by("type", true)}, configured},
		"by type, then name": {
			skipper.PageRequest{Size: 20, Sort: append(by("type", false), by("name", false)...)},
			sorted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := b.Platforms(t.Context(), test.page)
			require.Equal(t, test.want, names(t, page, err))
		})
	}
}

func TestPlatform_ByIDAndName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	byName, err := b.PlatformByName(t.Context(), "b-second")
	require.NoError(t, err)
	require.Equal(t, "b-second", byName.Name)
	require.Equal(t, "fake", byName.Type)
	byID, err := b.Platform(t.Context(), byName.ID)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(byName, byID))
	_, err = b.Platform(t.Context(), "nope")
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
	_, err = b.PlatformByName(t.Context(), "nope")
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
}
