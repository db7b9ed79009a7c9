package repositorytest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func packageTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"AddPackage_KeepsEveryField": func(t *testing.T, b *bundle) {
			local := b.addPackage(t, "other", "1.0.0", nil).RepositoryID
			want := skipper.PackageMetadata{
				APIVersion: "skipper.spring.io/v1", Origin: new("samples"), RepositoryID: local, RepositoryName: new("local"),
				Kind: "SpringCloudDeployerApplication", Name: "log", DisplayName: new("Log"), Version: "1.0.0",
				PackageSourceURL: new("https://s"), PackageHomeURL: new("https://h"), Tags: new("a, b"),
				Maintainer: new("me"), Description: new("größer ☃"), SHA256: new("beef"), IconURL: new("https://i"),
			}
			got, err := b.AddPackage(t.Context(), want, []byte("zip"))
			require.NoError(t, err)
			want.ID = got.ID
			requireEqual(t, want, got)
			got, err = b.Package(t.Context(), got.ID)
			require.NoError(t, err)
			requireEqual(t, want, got)
		},
		"AddPackage_Refusals": func(t *testing.T, b *bundle) {
			p := b.addPackage(t, "log", "1.0.0", []byte("first"))
			_, err := b.AddPackage(t.Context(), p, []byte("second"))
			requireCode(t, skipper.CodeConflict, err)
			file, err := b.PackageFile(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, "first", string(file))

			p.Version, p.RepositoryID = "2.0.0", new(int64(4711))
			_, err = b.AddPackage(t.Context(), p, nil)
			requireCode(t, skipper.CodeNotFound, err)
			p.RepositoryID = nil
			_, err = b.AddPackage(t.Context(), p, nil)
			requireCode(t, skipper.CodeInvalid, err)
		},
		"Package_NotThere": func(t *testing.T, b *bundle) {
			_, err := b.Package(t.Context(), 42)
			requireCode(t, skipper.CodeNotFound, err)
			requireCode(t, skipper.CodeNotFound, b.SetPackageFile(t.Context(), 42, []byte("zip")))
			_, err = b.PackageFile(t.Context(), 42)
			requireCode(t, skipper.CodeNotFound, err)
		},
		"PackageFile_IsThereOnceItWasSet": func(t *testing.T, b *bundle) {
			p := b.addPackage(t, "log", "1.0.0", nil)
			_, err := b.PackageFile(t.Context(), p.ID)
			requireCode(t, skipper.CodeNotFound, err)
			for _, zip := range []string{"one\x00\xff", "two", ""} {
				require.NoError(t, b.SetPackageFile(t.Context(), p.ID, []byte(zip)))
				got, err := b.PackageFile(t.Context(), p.ID)
				require.NoError(t, err)
				require.Equal(t, zip, string(got))
			}
		},
		"PackageFile_SharedByPackagesStaysForTheOthers": func(t *testing.T, b *bundle) {
			b.addPackage(t, "one", "1.0.0", []byte("zip"))
			two := b.addPackage(t, "two", "1.0.0", []byte("zip"))
			three := b.addPackage(t, "three", "1.0.0", []byte("zip"))
			require.NoError(t, b.SetPackageFile(t.Context(), three.ID, []byte("other")))
			require.NoError(t, b.DeletePackages(t.Context(), "one", allow))
			got, err := b.PackageFile(t.Context(), two.ID)
			require.NoError(t, err)
			require.Equal(t, "zip", string(got))
		},
		"PublishedPackages_AreThoseOfLocalRepositoriesWithAFile": func(t *testing.T, b *bundle) {
			mine, _, err := b.EnsureRepository(t.Context(), skipper.Repository{Name: "mine", Local: true})
			require.NoError(t, err)
			theirs, _, err := b.EnsureRepository(t.Context(), skipper.Repository{Name: "theirs"})
			require.NoError(t, err)
			add := func(repo skipper.Repository, name string, zip []byte) skipper.PackageMetadata {
				p, err := b.AddPackage(t.Context(), skipper.PackageMetadata{
					Name: name, Version: "1.0.0", Kind: "k", APIVersion: "v1", SHA256: new("null"),
					RepositoryID: &repo.ID, RepositoryName: &repo.Name,
				}, zip)
				require.NoError(t, err)
				return p
			}
			second, first := add(mine, "time", []byte("zip")), add(mine, "log", []byte(""))
			add(mine, "fileless", nil)
			add(theirs, "remote", []byte("zip"))
			first.SHA256 = new("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
			second.SHA256 = new("4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2")
			got, err := b.PublishedPackages(t.Context())
			require.NoError(t, err)
			requireEqual(t, []skipper.PackageMetadata{first, second}, got)
		},
		"PackagesNamed_IsExact": func(t *testing.T, b *bundle) {
			for _, version := range []string{"1.0.0", "1.10.0", "1.2.0"} {
				b.addPackage(t, "log", version, nil)
			}
			b.addPackage(t, "LOG", "1.0.0", nil)
			b.addPackage(t, "logger", "1.0.0", nil)
			found, err := b.PackagesNamed(t.Context(), "log")
			require.NoError(t, err)
			require.Equal(t, []string{"log 1.0.0", "log 1.10.0", "log 1.2.0"}, namesOf(found))
			found, err = b.PackagesNamed(t.Context(), "lo_")
			require.NoError(t, err)
			require.Equal(t, []string{}, namesOf(found))
		},
		"PackagesContaining_IgnoresCaseAndTakesWildcardsLiterally": func(t *testing.T, b *bundle) {
			for _, name := range []string{"my-LOG", "a%b", "a_b", `a\b`, "axb", "Ärger"} {
				b.addPackage(t, name, "1", nil)
			}
			for part, want := range map[string][]string{
				"log": {"my-LOG 1"}, "Y-l": {"my-LOG 1"}, "%": {"a%b 1"}, "a_b": {"a_b 1"}, `\`: {`a\b 1`}, "Ärger": {"Ärger 1"},
				"none": {}, "a%": {"a%b 1"}, "'": {}, "": {"my-LOG 1", "a%b 1", "a_b 1", `a\b 1`, "axb 1", "Ärger 1"},
			} {
				found, err := b.PackagesContaining(t.Context(), part)
				require.NoError(t, err)
				require.Equal(t, want, namesOf(found), part)
			}
		},
		"Packages_SortedAndPaged": testPackagesSortedAndPaged,
		"DeletePackages_AsksFirst": func(t *testing.T, b *bundle) {
			one := b.addPackage(t, "log", "1.0.0", []byte("zip"))
			two := b.addPackage(t, "log", "2.0.0", nil)
			b.addPackage(t, "time", "1.0.0", nil)
			refused := errors.New("no")
			err := b.DeletePackages(t.Context(), "log", func(ps []skipper.PackageMetadata, uses []skipper.PackageUse) error {
				requireEqual(t, []skipper.PackageMetadata{one, two}, ps)
				require.Empty(t, uses)
				return refused
			})
			require.Same(t, refused, err)
			all, err := b.PackagesContaining(t.Context(), "")
			require.NoError(t, err)
			require.Len(t, all, 3)

			require.NoError(t, b.DeletePackages(t.Context(), "log", allow))
			all, err = b.PackagesContaining(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, []string{"time 1.0.0"}, namesOf(all))
			_, err = b.PackageFile(t.Context(), one.ID)
			requireCode(t, skipper.CodeNotFound, err)

			asked := false
			require.NoError(t, b.DeletePackages(t.Context(), "none",
				func(ps []skipper.PackageMetadata, _ []skipper.PackageUse) error {
					asked = len(ps) == 0
					return nil
				}))
			require.True(t, asked, "the caller decides what deleting nothing means")
		},
		"DeletePackages_TellsOfTheNewestUseThatDidNotFail": func(t *testing.T, b *bundle) {
			one := b.addPackage(t, "log", "1.0.0", nil)
			two := b.addPackage(t, "log", "2.0.0", nil)
			b.released(t, "a", 1, one, skipper.StatusDeleted)
			b.released(t, "a", 2, one, skipper.StatusDeployed)
			b.released(t, "a", 3, one, skipper.StatusFailed)
			b.released(t, "b", 1, one, skipper.StatusDeleted)
			b.released(t, "b", 2, two, skipper.StatusDeployed)
			b.released(t, "c", 1, two, skipper.StatusFailed)
			b.released(t, "d", 1, b.addPackage(t, "time", "1.0.0", nil), skipper.StatusDeployed)
			want := []skipper.PackageUse{
				{PackageID: one.ID, RepositoryID: *one.RepositoryID, Release: "a", Version: 2, Status: skipper.StatusDeployed},
				{PackageID: one.ID, RepositoryID: *one.RepositoryID, Release: "b", Version: 1, Status: skipper.StatusDeleted},
				{PackageID: two.ID, RepositoryID: *two.RepositoryID, Release: "b", Version: 2, Status: skipper.StatusDeployed},
			}
			require.NoError(t, b.DeletePackages(t.Context(), "log",
				func(_ []skipper.PackageMetadata, uses []skipper.PackageUse) error {
					requireEqual(t, want, uses)
					return nil
				}))
			kept, err := b.Release(t.Context(), "a", 2)
			require.NoError(t, err, "releases outlive their package")
			require.Equal(t, one.ID, kept.PackageID)
		},
	}
}

func testPackagesSortedAndPaged(t *testing.T, b *bundle) {
	b.addPackage(t, "b", "1", nil)
	b.addPackage(t, "B", "2", nil)
	b.addPackage(t, "a", "10", nil)
	b.addPackage(t, "a", "9", nil)
	name := skipper.Sort{Property: "name"}
	for _, c := range []struct {
		request skipper.PageRequest
		want    []string
	}{
		{pageOf(0, 20), []string{"b 1", "B 2", "a 10", "a 9"}},
		{pageOf(0, 20, name), []string{"B 2", "a 10", "a 9", "b 1"}},
		{pageOf(0, 20, skipper.Sort{Property: "name", IgnoreCase: true}), []string{"a 10", "a 9", "b 1", "B 2"}},
		{pageOf(0, 20, name, skipper.Sort{Property: "version", Descending: true}), []string{"B 2", "a 9", "a 10", "b 1"}},
		{pageOf(0, 20, skipper.Sort{Property: "name;drop"}, name), []string{"B 2", "a 10", "a 9", "b 1"}},
		{pageOf(0, 20, skipper.Sort{Property: "unknown"}), []string{"b 1", "B 2", "a 10", "a 9"}},
		{pageOf(0, 20, skipper.Sort{Property: "repositoryId", IgnoreCase: true}), []string{"b 1", "B 2", "a 10", "a 9"}},
		{pageOf(0, 3, name), []string{"B 2", "a 10", "a 9"}},
		{pageOf(1, 3, name), []string{"b 1"}},
		{pageOf(2, 2), []string{}},
		{pageOf(9, 3), []string{}},
		{pageOf(1<<62, 1000), []string{}},
	} {
		page, err := b.Packages(t.Context(), c.request)
		require.NoError(t, err)
		require.Equal(t, 4, page.Total)
		require.Equal(t, c.want, namesOf(page.Items), "%+v", c.request)
	}
	for _, wrong := range []skipper.PageRequest{pageOf(-1, 20), pageOf(0, 0)} {
		_, err := b.Packages(t.Context(), wrong)
		requireCode(t, skipper.CodeInvalid, err)
	}
}

func allow([]skipper.PackageMetadata, []skipper.PackageUse) error { return nil }

func namesOf(packages []skipper.PackageMetadata) []string {
	out := make([]string, 0, len(packages))
	for _, p := range packages {
		out = append(out, p.Name+" "+p.Version)
	}
	return out
}
