package repositorytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func releaseTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Release_KeepsEveryField":              testReleaseKeepsEveryField,
		"Release_NotThere":                     testReleaseNotThere,
		"LatestRelease_AmongStatusCodes":       testLatestRelease,
		"ReleasesNamed_GivesTheNewestOfEach":   testReleasesNamed,
		"ReleasesContaining_And_History":       testReleaseSearch,
		"Releases_SortedAndPaged":              testReleasesSortedAndPaged,
		"ReleaseNames_EachOnceAndPaged":        testReleaseNames,
		"NextVersion_CountsLeftDeployments":    testNextVersion,
		"ReleasesToPoll":                       testReleasesToPoll,
		"SetPlatformStatus_IsAnObservation":    testSetPlatformStatus,
		"Release_TimesAreKeptToTheMicrosecond": testReleaseTimes,
	}
}

func testReleaseKeepsEveryField(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	want := skipper.Release{
		Name: "log", Version: 1, PlatformName: "default", PackageID: p.ID,
		Pkg: skipper.Package{
			Metadata:     p,
			Templates:    []skipper.Template{{Name: "log.yml", Data: "a: {{b}}\n<&>"}},
			Dependencies: []skipper.Package{{Metadata: skipper.PackageMetadata{Name: "dep", Version: "1"}}},
			ConfigValues: &skipper.ConfigValues{Raw: new("b: ☃")},
			FileHolders:  []skipper.FileHolder{{Name: "manifest.yml", Bytes: []byte{0, 255}}},
		},
		ConfigValues: skipper.ConfigValues{Raw: new("b: 1\n")},
		Manifest:     &skipper.Manifest{Data: "---\n"},
		Info: skipper.Info{
			Status:        skipper.Status{StatusCode: skipper.StatusUnknown, PlatformStatus: new("[]")},
			FirstDeployed: skipper.At(b.clock.Now()), LastDeployed: skipper.At(b.clock.Now()), Description: "Underway",
		},
		Apps: []skipper.AppDeployment{{App: "z", ID: "z-v1"}, {App: "a", ID: "a-v1"}},
	}
	_, made, err := b.Accept(t.Context(), b.operation(skipper.KindInstall, "log", 1), &want, 0)
	require.NoError(t, err)
	require.Positive(t, made.ID)
	want.ID, want.ObjectVersion = made.ID, -1
	requireEqual(t, want, made)
	got, err := b.Release(t.Context(), "log", 1)
	require.NoError(t, err)
	requireEqual(t, want, got)
	got, err = b.ReleaseByID(t.Context(), made.ID)
	require.NoError(t, err)
	requireEqual(t, want, got)

	bare := skipper.Release{Name: "bare", Version: 1, PackageID: p.ID, Pkg: skipper.Package{Metadata: p}}
	_, made, err = b.Accept(t.Context(), b.operation(skipper.KindInstall, "bare", 1), &bare, 0)
	require.NoError(t, err)
	bare.ID, bare.ObjectVersion = made.ID, -1
	got, err = b.Release(t.Context(), "bare", 1)
	require.NoError(t, err)
	requireEqual(t, bare, got)
}

func testReleaseTimes(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	r := b.release("log", 1, p)
	zone := time.FixedZone("elsewhere", 5*3600)
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, zone)
	r.Info.FirstDeployed, r.Info.LastDeployed = &skipper.Time{Time: at}, nil
	_, _, err := b.Accept(t.Context(), b.operation(skipper.KindInstall, "log", 1), &r, 0)
	require.NoError(t, err)
	got, err := b.Release(t.Context(), "log", 1)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 3, 4, 0, 6, 7, 123456000, time.UTC), got.Info.FirstDeployed.Time)
	require.Nil(t, got.Info.LastDeployed)
}

func testReleaseNotThere(t *testing.T, b *bundle) {
	b.released(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil), skipper.StatusDeployed)
	_, err := b.Release(t.Context(), "log", 2)
	requireEqual(t, skipper.ReleaseNotFound("log", 2).Error(), err.Error())
	requireCode(t, skipper.CodeReleaseNotFound, err)
	_, err = b.LatestRelease(t.Context(), "LOG")
	requireEqual(t, skipper.ReleaseNotFound("LOG", 0).Error(), err.Error())
	requireCode(t, skipper.CodeReleaseNotFound, err)
	_, err = b.ReleaseByID(t.Context(), 4711)
	requireCode(t, skipper.CodeNotFound, err)
}

func testLatestRelease(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "log", 1, p, skipper.StatusDeleted)
	b.released(t, "log", 2, p, skipper.StatusDeployed)
	b.released(t, "log", 3, p, skipper.StatusFailed)
	b.released(t, "log-b", 1, p, skipper.StatusDeployed)
	for _, c := range []struct {
		among []skipper.StatusCode
		want  int
	}{
		{nil, 3},
		{[]skipper.StatusCode{skipper.StatusDeployed}, 2},
		{[]skipper.StatusCode{skipper.StatusDeleted}, 1},
		{[]skipper.StatusCode{skipper.StatusDeleted, skipper.StatusDeployed}, 2},
		{[]skipper.StatusCode{skipper.StatusFailed, skipper.StatusDeployed}, 3},
	} {
		got, err := b.LatestRelease(t.Context(), "log", c.among...)
		require.NoError(t, err)
		require.Equal(t, c.want, got.Version, "%v", c.among)
	}
	_, err := b.LatestRelease(t.Context(), "log", skipper.StatusUnknown)
	requireCode(t, skipper.CodeReleaseNotFound, err)
}

func testReleasesNamed(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "b", 1, p, skipper.StatusDeployed)
	b.released(t, "a", 1, p, skipper.StatusDeleted)
	b.released(t, "a", 2, p, skipper.StatusFailed)
	b.released(t, "c", 1, p, skipper.StatusDeployed)
	got, err := b.ReleasesNamed(t.Context(), []string{"b", "none", "a"})
	require.NoError(t, err)
	require.Equal(t, []string{"a-2", "b-1"}, versionsOf(got))
	got, err = b.ReleasesNamed(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []string{}, versionsOf(got))
}

func testReleaseSearch(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "my-log", 1, p, skipper.StatusDeleted)
	b.released(t, "my-log", 2, p, skipper.StatusDeployed)
	b.released(t, "LOG", 1, p, skipper.StatusFailed)
	b.released(t, "a_b", 1, p, skipper.StatusDeployed)
	b.released(t, "axb", 1, p, skipper.StatusDeployed)
	live := []skipper.StatusCode{skipper.StatusDeployed, skipper.StatusFailed}
	for part, want := range map[string][]string{
		"LoG": {"my-log-2", "LOG-1"}, "_": {"a_b-1"}, "%": {}, "": {"my-log-2", "LOG-1", "a_b-1", "axb-1"},
	} {
		got, err := b.ReleasesContaining(t.Context(), part, live...)
		require.NoError(t, err)
		require.Equal(t, want, versionsOf(got), part)
	}
	got, err := b.ReleasesContaining(t.Context(), "my")
	require.NoError(t, err)
	require.Equal(t, []string{"my-log-1", "my-log-2"}, versionsOf(got))

	for part, want := range map[string][]string{
		"log": {"LOG-1", "my-log-2", "my-log-1"}, "_": {"a_b-1"}, "%": {}, "A": {"a_b-1", "axb-1"},
	} {
		got, err := b.ReleaseHistory(t.Context(), part)
		require.NoError(t, err)
		require.Equal(t, want, versionsOf(got), part)
	}
}

func testReleasesSortedAndPaged(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "b", 1, p, skipper.StatusFailed)
	b.clock.advance(time.Microsecond)
	b.released(t, "a", 1, p, skipper.StatusDeployed)
	b.clock.advance(-time.Hour)
	b.released(t, "a", 2, p, skipper.StatusDeleted)
	b.clock.advance(-time.Hour)
	b.released(t, "c", 1, p, skipper.StatusFailed)
	name, last := skipper.Sort{Property: "name"}, skipper.Sort{Property: "info.lastDeployed"}
	newest := skipper.Sort{Property: "info.lastDeployed", Descending: true}
	for _, c := range []struct {
		request skipper.PageRequest
		want    []string
	}{
		{pageOf(0, 20), []string{"b-1", "a-1", "a-2", "c-1"}},
		{pageOf(0, 20, last), []string{"c-1", "a-2", "b-1", "a-1"}},
		{pageOf(0, 20, newest), []string{"a-1", "b-1", "a-2", "c-1"}},
		{pageOf(0, 20, skipper.Sort{Property: "info.status.statusCode"}), []string{"a-2", "a-1", "b-1", "c-1"}},
		{pageOf(0, 20, name, skipper.Sort{Property: "version", Descending: true}), []string{"a-2", "a-1", "b-1", "c-1"}},
		{pageOf(0, 20, skipper.Sort{Property: "version", IgnoreCase: true}), []string{"b-1", "a-1", "c-1", "a-2"}},
		{pageOf(1, 1, newest), []string{"b-1"}},
		{pageOf(2, 1, skipper.Sort{Property: "info.status.statusCode"}), []string{"b-1"}},
	} {
		page, err := b.Releases(t.Context(), c.request)
		require.NoError(t, err)
		require.Equal(t, 4, page.Total)
		require.Equal(t, c.want, versionsOf(page.Items), "%+v", c.request)
	}
}

func testReleaseNames(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	for _, name := range []string{"b", "a", "c"} {
		b.released(t, name, 1, p, skipper.StatusDeployed)
	}
	b.released(t, "a", 2, p, skipper.StatusDeleted)
	for page, want := range [][]string{{"a", "b"}, {"c"}, {}} {
		names, err := b.ReleaseNames(t.Context(), pageOf(page, 2))
		require.NoError(t, err)
		require.Equal(t, skipper.Page[string]{Items: want, Total: 3}, names)
	}
}

func testNextVersion(t *testing.T, b *bundle) {
	next := func() int {
		n, err := b.NextVersion(t.Context(), "log")
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 1, next())
	op := b.leased(t, "log")
	b.wantDeployment(t, op, "log.log-v1")
	require.Equal(t, 2, next())

	op.Outcome = skipper.OutcomeFailed
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
		Operation: op, Unwant: []string{"log.log-v1"},
		Release: []skipper.ReleaseChange{{Name: "log", Version: 1, Remove: true}},
	}))
	require.Equal(t, 2, next(), "what is left of version 1 has its deployment id")
	require.NoError(t, b.EndCompensation(t.Context(), "default", "log.log-v1"))
	require.Equal(t, 1, next())

	b.leased(t, "web")
	now := b.clock.advance(2 * time.Minute)
	taken, err := b.Lease(t.Context(), "server-2", now, now.Add(time.Minute), 10, nil)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	op = taken[0]
	op.Outcome = skipper.OutcomeFailed
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{
		Operation: op, Release: []skipper.ReleaseChange{{Name: "web", Version: 1, Remove: true}},
	}))
	n, err := b.NextVersion(t.Context(), "web")
	require.NoError(t, err)
	require.Equal(t, 2, n, "the first server may still do something to deployments of version 1")
}

func testReleasesToPoll(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	b.released(t, "old", 1, p, skipper.StatusDeployed)
	since := b.clock.advance(time.Hour)
	first := b.released(t, "a", 1, p, skipper.StatusDeployed)
	b.released(t, "b", 1, p, skipper.StatusFailed)
	b.released(t, "c", 1, p, skipper.StatusDeleted)
	b.accept(t, "d", 1, p)
	b.clock.advance(time.Hour)
	b.released(t, "e", 1, p, skipper.StatusDeployed)

	poll := func(limit int, after int64) []string {
		got, err := b.ReleasesToPoll(t.Context(), since, limit, after)
		require.NoError(t, err)
		return versionsOf(got)
	}
	require.Equal(t, []string{"a-1", "b-1", "e-1"}, poll(10, 0))
	require.Equal(t, []string{"a-1", "b-1"}, poll(2, 0))
	require.Equal(t, []string{"b-1", "e-1"}, poll(2, first.ID))
}

func testSetPlatformStatus(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	for code, kept := range map[skipper.StatusCode]bool{
		skipper.StatusDeployed: true, skipper.StatusFailed: true, skipper.StatusUnknown: true, skipper.StatusDeleted: false,
	} {
		r := b.released(t, "log-"+string(code), 1, p, code)
		require.NoError(t, b.SetPlatformStatus(t.Context(), r.ID, `[{}]`))
		got, err := b.ReleaseByID(t.Context(), r.ID)
		require.NoError(t, err)
		if kept {
			r.Info.Status.PlatformStatus = new(`[{}]`)
		}
		requireEqual(t, r, got)
	}
	require.NoError(t, b.SetPlatformStatus(t.Context(), 4711, `[{}]`))
}
