package catalog_test

import (
	"archive/zip"
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a catalog on a store of its own, with one local repository.
type bundle struct {
	*catalog.Service
	t     *testing.T
	store *repository.Store
	local skipper.Repository
	log   *syncBuffer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, log: &syncBuffer{}}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	var err error
	b.store, err = repository.Open(t.Context(), repository.Config{Dir: t.TempDir(), Clock: time.Now, Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	b.Service = catalog.New(b.store, log)
	b.local = b.repository("local", "http://127.0.0.1:1", true, 0)
	return b
}

// repository adds a package repository; an order of 0 is none.
func (b *bundle) repository(name, url string, local bool, order int) skipper.Repository {
	b.t.Helper()
	r := skipper.Repository{Name: name, URL: url, Local: local}
	if order != 0 {
		r.RepoOrder = &order
	}
	r, made, err := b.store.EnsureRepository(b.t.Context(), r)
	require.NoError(b.t, err)
	require.True(b.t, made)
	return r
}

// upload brings a package into the repository local.
func (b *bundle) upload(name, version string) skipper.PackageMetadata {
	b.t.Helper()
	m, err := b.Upload(b.t.Context(), request(name, version))
	require.NoError(b.t, err)
	return m
}

// known puts a package into a repository without its file, as an index does.
func (b *bundle) known(repo skipper.Repository, name, version string) skipper.PackageMetadata {
	b.t.Helper()
	m, err := b.store.AddPackage(b.t.Context(), skipper.PackageMetadata{
		APIVersion: "skipper.spring.io/v1", Kind: "SkipperPackageMetadata", Name: name, Version: version,
		RepositoryID: &repo.ID, RepositoryName: &repo.Name,
	}, nil)
	require.NoError(b.t, err)
	return m
}

// release makes a version of a release from a package.
func (b *bundle) release(name string, version int, m skipper.PackageMetadata, status skipper.StatusCode) {
	b.t.Helper()
	id := name + "-" + string(rune('0'+version))
	_, _, err := b.store.Accept(b.t.Context(), skipper.Operation{
		ID: id, Kind: skipper.KindInstall, ReleaseName: name, TargetVersion: version, State: skipper.StateInstall,
		Outcome: skipper.OutcomeRunning,
	}, &skipper.Release{
		Name: name, Version: version, Pkg: skipper.Package{Metadata: m}, PackageID: m.ID, PlatformName: "default",
		Info: skipper.Info{
			Status:        skipper.Status{StatusCode: skipper.StatusUnknown},
			FirstDeployed: skipper.At(time.Now()), LastDeployed: skipper.At(time.Now()),
		},
	}, version-1)
	require.NoError(b.t, err)
	now := time.Now()
	leased, err := b.store.Lease(b.t.Context(), "test", now.Add(time.Second), now.Add(time.Minute), 1, nil)
	require.NoError(b.t, err)
	require.Len(b.t, leased, 1)
	op := leased[0]
	op.State, op.Outcome, op.Ended = skipper.StateInitial, skipper.OutcomeSucceeded, &now
	require.NoError(b.t, b.store.Advance(b.t.Context(), op.Token, skipper.Advance{
		Operation: op, Release: []skipper.ReleaseChange{{Name: name, Version: version, Status: status}},
	}))
}

func (b *bundle) versions(name string) []string {
	b.t.Helper()
	packages, err := b.PackagesNamed(b.t.Context(), name)
	require.NoError(b.t, err)
	out := []string{}
	for _, p := range packages {
		out = append(out, p.Version)
	}
	return out
}

func request(name, version string) skipper.UploadRequest {
	return skipper.UploadRequest{
		Name: &name, Version: &version, RepoName: new("local"), Extension: new("zip"),
		PackageFileAsBytes: packed(name, version),
	}
}

func describe(name, version string) string {
	return "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: " + name + "\nversion: " + version + "\n"
}

func packed(name, version string) []byte {
	root := name + "-" + version
	return zipped(root+"/package.yml", describe(name, version), root+"/templates/t.yml", "greeting: hello "+version+"\n")
}

// zipped packs files: names and texts in turn. A buffer takes everything, so nothing can fail.
func zipped(files ...string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i+1 < len(files); i += 2 {
		f, _ := w.Create(files[i])
		_, _ = io.WriteString(f, files[i+1])
	}
	_ = w.Close()
	return out.Bytes()
}

func requireError(t *testing.T, err error, code skipper.Code, message string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, skipper.CodeOf(err), "%v", err)
	require.Equal(t, message, skipper.MessageOf(err))
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestUpload_KeepsWhatThePackageSaysAndItsBytes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := request("hello", "1.0.0")
	req.Name, req.Version = new(" hello "), new(" 1.0.0\t")
	root := "hello-1.0.0"
	req.PackageFileAsBytes = zipped(root+"/package.yml",
		describe("hello", "1.0.0")+"repositoryId: 77\nrepositoryName: elsewhere\norigin: null\ntags: a, b\n",
		root+"/values.yml", "a: 1\n")

	m, err := b.Upload(t.Context(), req)
	require.NoError(t, err)
	want := skipper.PackageMetadata{
		ID: m.ID, APIVersion: "skipper.spring.io/v1", Kind: "SkipperPackageMetadata", Name: "hello", Version: "1.0.0",
		RepositoryID: &b.local.ID, RepositoryName: new("local"), Origin: new("null"), Tags: new("a, b"),
	}
	require.Empty(t, cmp.Diff(want, m))
	kept, err := b.store.PackageFile(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, req.PackageFileAsBytes, kept)
	p, err := b.Load(t.Context(), m)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, p.Metadata))
	require.Equal(t, "a: 1\n", p.ConfigValues.Text())
}

func TestUpload_Refusals(t *testing.T) {
	t.Parallel()
	const exists = "Failed to upload the package. Package [hello:1.0.0] in Repository [local] already exists."
	for name, test := range map[string]struct {
		change  func(*skipper.UploadRequest)
		code    skipper.Code
		message string
	}{
		"again": {func(*skipper.UploadRequest) {}, skipper.CodeConflict, exists},
		"again, trimmed": {
			func(r *skipper.UploadRequest) { r.Name, r.Version = new(" hello"), new("1.0.0 ") }, skipper.CodeConflict, exists,
		},
		"unknown repo": {
			func(r *skipper.UploadRequest) { r.RepoName = new("nope") },
			skipper.CodeConflict, "Could not find local repository to upload to named nope",
		},
		"no repo": {
			func(r *skipper.UploadRequest) { r.RepoName = nil },
			skipper.CodeConflict, "Could not find local repository to upload to named null",
		},
		"remote repo": {
			func(r *skipper.UploadRequest) { r.RepoName = new("remote") },
			skipper.CodeConflict, "Repository to upload to is not a local database hosted repository.",
		},
		"no name": {
			func(r *skipper.UploadRequest) { r.Name = nil }, skipper.CodeInvalid, "Name of package can not be null",
		},
		"no version": {func(r *skipper.UploadRequest) { r.Version = nil }, skipper.CodeInvalid, "Version can not be null"},
		"no extension": {
			func(r *skipper.UploadRequest) { r.Extension = nil }, skipper.CodeInvalid, "Extension can not be null",
		},
		"extension tar": {
			func(r *skipper.UploadRequest) { r.Extension = new("tar") }, skipper.CodeInvalid, "Extension must be 'zip', not tar",
		},
		"extension in capitals": {
			func(r *skipper.UploadRequest) { r.Extension = new("ZIP") }, skipper.CodeInvalid, "Extension must be 'zip', not ZIP",
		},
		"no bytes": {
			func(r *skipper.UploadRequest) { r.PackageFileAsBytes = nil },
			skipper.CodeInvalid, "Package file as bytes must not be null",
		},
		"empty bytes": {
			func(r *skipper.UploadRequest) { r.PackageFileAsBytes = []byte{} },
			skipper.CodeInvalid, "Package file as bytes must not be empty",
		},
		"name climbs out": {
			func(r *skipper.UploadRequest) { r.Name = new("../../etc") },
			skipper.CodeConflict, "Entry is outside of the target dir: ../../etc",
		},
		"other name": {
			func(r *skipper.UploadRequest) {
				r.Name = new("hallo")
				r.PackageFileAsBytes = zipped("hallo-1.0.0/package.yml", describe("hello", "1.0.0"))
			},
			skipper.CodeConflict,
			"Package definition in the request [hallo:1.0.0] differs from one inside the package.yml [hello:1.0.0]",
		},
		"other version": {
			func(r *skipper.UploadRequest) {
				r.Version = new("1.0.1")
				r.PackageFileAsBytes = zipped("hello-1.0.1/package.yml", describe("hello", "1.0.0"))
			},
			skipper.CodeConflict,
			"Package definition in the request [hello:1.0.1] differs from one inside the package.yml [hello:1.0.0]",
		},
		"other root folder": {
			func(r *skipper.UploadRequest) { r.Name = new("hallo") },
			skipper.CodeInvalid, "Package is expected to be unpacked, but it doesn't exist",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.repository("remote", "http://127.0.0.1:1", false, 0)
			b.upload("hello", "1.0.0")
			req := request("hello", "1.0.0")
			test.change(&req)
			_, err := b.Upload(t.Context(), req)
			requireError(t, err, test.code, test.message)
			require.Equal(t, []string{"1.0.0"}, b.versions("hello"))
			require.Empty(t, b.versions("hallo"))
		})
	}
}

func TestUpload_SemanticVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, version := range []string{"1.0.0", "1.0.0-SNAPSHOT", "1.0.0+b.1", "1.0.0-rc.1+5", "10.20.30"} {
		b.upload("hello", version)
	}
	for _, version := range []string{
		"one", "1.0", "1.0.0.RELEASE", "01.0.0", "1.0.0-01", "v1.0.0", "1.0.0_x", "rc.1", "",
	} {
		_, err := b.Upload(t.Context(), request("hello", version))
		requireError(t, err, skipper.CodeConflict,
			"UploadRequest doesn't have a valid semantic version.  Version = "+version)
	}
}

func TestUpload_OfWhatIsNoZip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, content := range [][]byte{
		[]byte("not a zip"), zipped("hello-1.0.0/other.yml", "a"), zipped("../hello-1.0.0/package.yml", "a"),
		zipped("package.yml", describe("hello", "1.0.0")),
	} {
		req := request("hello", "1.0.0")
		req.PackageFileAsBytes = content
		_, err := b.Upload(t.Context(), req)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
	}
	require.Empty(t, b.versions("hello"))
}

// Each request has one fault more than the one before: what is checked first is what is told.
func TestUpload_ChecksInSkippersOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upload("hello", "1.0.0")
	req := request("hello", "1.0.0")
	for _, step := range []struct {
		change  func()
		message string
	}{
		{func() { req.PackageFileAsBytes = []byte("not a zip") }, "Failed to upload the package. Package [hello:1.0.0]"},
		{func() { req.Name = new("a/b") }, "Entry is outside of the target dir: a/b"},
		{func() { req.PackageFileAsBytes = []byte{} }, "Package file as bytes must not be empty"},
		{func() { req.PackageFileAsBytes = nil }, "Package file as bytes must not be null"},
		{func() { req.Extension = new("tar") }, "Extension must be 'zip', not tar"},
		{func() { req.Extension = nil }, "Extension can not be null"},
		{func() { req.Version = new("one") }, "UploadRequest doesn't have a valid semantic version.  Version = one"},
		{func() { req.Version = nil }, "Version can not be null"},
		{func() { req.Name = nil }, "Name of package can not be null"},
		{func() { req.RepoName = nil }, "Could not find local repository to upload to named null"},
	} {
		step.change()
		_, err := b.Upload(t.Context(), req)
		require.ErrorContains(t, err, step.message)
	}
}

func TestUpload_TheSameVersionInAnotherRepository(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upload("hello", "1.0.0")
	b.repository("second", "http://127.0.0.1:1", true, 0)
	req := request("hello", "1.0.0")
	req.RepoName = new("second")
	m, err := b.Upload(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, "second", *m.RepositoryName)
}

// Of uploads that meet, one wins; the others hear Skipper's sentence, not the database's.
func TestUpload_ManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answers := make(chan error, 8)
	for range cap(answers) {
		go func() {
			_, err := b.Upload(t.Context(), request("hello", "1.0.0"))
			answers <- err
		}()
	}
	kept := 0
	for range cap(answers) {
		if err := <-answers; err == nil {
			kept++
		} else {
			requireError(t, err, skipper.CodeConflict,
				"Failed to upload the package. Package [hello:1.0.0] in Repository [local] already exists.")
		}
	}
	require.Equal(t, 1, kept)
}

func TestFind_TakesTheNewestBySemanticVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, version := range []string{"9.0.0", "10.0.0-rc.1", "10.0.0", "2.0.0", "10.0.0-rc.2"} {
		b.upload("hello", version)
	}
	b.upload("hello-world", "99.0.0")
	for _, blank := range []string{"", "  "} {
		m, err := b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello", PackageVersion: blank})
		require.NoError(t, err)
		require.Equal(t, "10.0.0", m.Version)
	}
	m, err := b.Find(t.Context(), skipper.PackageIdentifier{
		PackageName: "hello", PackageVersion: " 9.0.0 ", RepositoryName: "is ignored",
	})
	require.NoError(t, err)
	require.Equal(t, "9.0.0", m.Version)
}

func TestFind_TakesTheRepositoryWithTheHighestOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upload("hello", "1.0.0") // from the repository without an order
	high := b.known(b.repository("high", "http://127.0.0.1:1", false, 20), "hello", "1.0.0")
	b.known(b.repository("low", "http://127.0.0.1:1", false, 3), "hello", "1.0.0")
	for _, version := range []string{"", "1.0.0"} {
		m, err := b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello", PackageVersion: version})
		require.NoError(t, err)
		require.Equal(t, high.ID, m.ID)
	}
	b.upload("hello", "1.1.0")
	m, err := b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello"})
	require.NoError(t, err)
	require.Equal(t, "1.1.0", m.Version, "the order decides only between equal versions")
}

func TestFind_WhatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upload("hello", "1.0.0")
	_, err := b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "nope"})
	requireError(t, err, skipper.CodeConflict, "Can not find a package named 'nope'")
	_, err = b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "nope", PackageVersion: "1.0.0"})
	requireError(t, err, skipper.CodeConflict, "Can not find package 'nope', version '1.0.0'")
	_, err = b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello", PackageVersion: "9.9.9"})
	requireError(t, err, skipper.CodeConflict, "Can not find package 'hello', version '9.9.9'")
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{
		"", "latest", "snapshot", "0.9.0", "1.0.0-alpha", "1.0.0-beta", "1.0.0", "1.2.0", "1.10.0", "9.0.0", "10.0.0",
	}
	for i, a := range ordered {
		for j, c := range ordered {
			got := catalog.CompareVersions(a, c)
			switch {
			case i < j:
				require.Negative(t, got, "%q, %q", a, c)
			case i > j:
				require.Positive(t, got, "%q, %q", a, c)
			default:
				require.Zero(t, got, "%q, %q", a, c)
			}
		}
	}
}

// Somebody deletes a package between the moment it was found and the moment it is read.
func TestLoad_OfAPackageThatVanished(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.upload("hello", "1.0.0")
	require.NoError(t, b.DeletePackage(t.Context(), "hello"))
	_, err := b.Load(t.Context(), m)
	require.Error(t, err)
	require.Contains(t, []skipper.Code{skipper.CodeNotFound, skipper.CodeConflict}, skipper.CodeOf(err),
		"%v: a local package cannot be fetched from anywhere", err)
}
