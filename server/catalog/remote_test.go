package catalog_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// site is a package repository on the web: files by path, and how often each was asked for.
type site struct {
	URL   string
	mu    sync.Mutex
	files map[string][]byte
	asked map[string]int
	users []string
}

func serve(t *testing.T) *site {
	t.Helper()
	s := &site{files: map[string][]byte{}, asked: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[r.URL.Path]++
	if name, password, ok := r.BasicAuth(); ok {
		s.users = append(s.users, name+":"+password)
	}
	content, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(content)
}

func (s *site) put(path string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = content
}

func (s *site) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// with gives the URL of the site with a user and a password.
func (s *site) with(t *testing.T, user, password string) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	u.User = url.UserPassword(user, password)
	return u.String()
}

func TestSync_BringsWhatAnIndexLists(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	remote := b.repository("remote", web.URL+"/repo/", false, 0)
	web.put("/repo/index.yml", []byte(describe("hello", "1.0.0")+`origin: samples
tags: a, b
repositoryId: 77
repositoryName: elsewhere
colour: red
sizes: [1, 2]
---
`+describe("hello", "1.1.0")))
	b.Sync(t.Context())
	packages, err := b.PackagesNamed(t.Context(), "hello")
	require.NoError(t, err)
	require.Len(t, packages, 2)
	require.Empty(t, cmp.Diff(skipper.PackageMetadata{
		ID: packages[0].ID, APIVersion: "skipper.spring.io/v1", Kind: "SkipperPackageMetadata",
		Name: "hello", Version: "1.0.0",
		RepositoryID: &remote.ID, RepositoryName: new("remote"), Origin: new("samples"), Tags: new("a, b"),
	}, packages[0]))

	web.put("/repo/index.yml", []byte(describe("hello", "1.0.0")+"origin: changed\n---\n"+describe("hello", "2.0.0")))
	b.Sync(t.Context())
	packages, err = b.PackagesNamed(t.Context(), "hello")
	require.NoError(t, err)
	require.Equal(t, "samples", *packages[0].Origin, "what is there stays as it is")
	require.Equal(t, []string{"1.0.0", "1.1.0", "2.0.0"}, b.versions("hello"), "what vanished stays too")
}

func TestSync_LeavesOutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	for _, name := range []string{"broken", "list", "nameless", "missing"} {
		b.repository(name, web.URL+"/"+name, false, 0)
	}
	b.repository("unreachable", "http://127.0.0.1:1", false, 0)
	b.repository("good", web.URL+"/good", false, 0)
	web.put("/broken/index.yml", []byte("name: [hello"))
	web.put("/list/index.yml", []byte("- a\n- b\n"))
	web.put("/nameless/index.yml", []byte("version: 1.0.0\n"))
	web.put("/good/index.yml", []byte(describe("hello", "1.0.0")))
	b.Sync(t.Context())
	require.Equal(t, []string{"1.0.0"}, b.versions("hello"))
	for _, name := range []string{"broken", "list", "nameless", "missing", "unreachable"} {
		require.Contains(t, b.log.String(), "a package repository cannot be read\" name="+name)
	}
	require.NotContains(t, b.log.String(), "cannot be read\" name=good")
}

func TestSync_DoesNotAskLocalRepositories(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	b.repository("mine", web.URL, true, 0)
	web.put("/index.yml", []byte(describe("hello", "1.0.0")))
	b.Sync(t.Context())
	require.Empty(t, b.versions("hello"))
	require.Zero(t, web.count("/index.yml"))
}

func TestSync_OfAFolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.yml"), []byte(describe("hello", "1.0.0")), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "hello"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hello", "hello-1.0.0.zip"), packed("hello", "1.0.0"), 0o600))
	b.repository("folder", "file://"+dir, false, 0)
	b.Sync(t.Context())
	m, err := b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello"})
	require.NoError(t, err)
	p, err := b.Load(t.Context(), m)
	require.NoError(t, err)
	require.Len(t, p.Templates, 1)
}

func TestLoad_FetchesOnceAndKeeps(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	const path = "/repo/hello/hello-1.0.0.zip"
	m := b.known(b.repository("remote", web.URL+"/repo", false, 0), "hello", "1.0.0")
	m.Description = new("as the index says")
	web.put(path, packed("hello", "1.0.0"))
	for range 3 {
		p, err := b.Load(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, "greeting: hello 1.0.0\n", p.Templates[0].Data)
		require.Empty(t, cmp.Diff(m, p.Metadata), "the metadata is that of the index")
	}
	require.Equal(t, 1, web.count(path))
	kept, err := b.store.PackageFile(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, packed("hello", "1.0.0"), kept)
}

func TestLoad_WhoseZipIsMissing(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	m := b.known(b.repository("remote", web.URL, false, 0), "hello", "1.0.0")
	_, err := b.Load(t.Context(), m)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, web.URL+"/hello/hello-1.0.0.zip answered 404")

	web.put("/hello/hello-1.0.0.zip", packed("hello", "1.0.0"))
	_, err = b.Load(t.Context(), m)
	require.NoError(t, err, "it is asked for again")
}

func TestLoad_DoesNotKeepWhatIsNoPackage(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{
		"no zip": []byte("<html>login</html>"), "other root": packed("hello", "2.0.0"),
		"no package.yml": zipped("hello-1.0.0/values.yml", "a: 1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, web := setup(t), serve(t)
			m := b.known(b.repository("remote", web.URL, false, 0), "hello", "1.0.0")
			web.put("/hello/hello-1.0.0.zip", content)
			_, err := b.Load(t.Context(), m)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
			_, err = b.store.PackageFile(t.Context(), m.ID)
			require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
		})
	}
}

func TestLoad_OfMoreBytesThanAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, zeros{}, 65<<20)
	}))
	t.Cleanup(server.Close)
	m := b.known(b.repository("remote", server.URL, false, 0), "hello", "1.0.0")
	_, err := b.Load(t.Context(), m)
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "has more than 67108864 bytes")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestLoad_FromARepositoryThatCannotBeReached(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.known(b.repository("remote", "http://127.0.0.1:1", false, 0), "hello", "1.0.0")
	_, err := b.Load(t.Context(), m)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
}

// A password in the URL of a repository is sent to it, and is in no error and no line of the log.
func TestRemote_CredentialsAreSentAndNeverTold(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	const secret = "s3cr3t"
	m := b.known(b.repository("web", web.with(t, "me", secret), false, 0), "hello", "1.0.0")
	for name, address := range map[string]string{
		"unreachable": "http://me:" + secret + "@127.0.0.1:1", "scheme": "gopher://me:" + secret + "@host",
		"unreadable": "http://me:" + secret + "@ho st", "folder": "file://me:" + secret + "@host/nowhere",
	} {
		b.repository(name, address, false, 0)
	}
	b.Sync(t.Context())
	errs := []error{}
	_, err := b.Load(t.Context(), m)
	errs = append(errs, err)
	for _, name := range []string{"unreachable", "scheme", "unreadable", "folder"} {
		repo, err := b.RepositoryByName(t.Context(), name)
		require.NoError(t, err)
		_, err = b.Load(t.Context(), b.known(repo, "hello", "1.0.0"))
		errs = append(errs, err)
	}
	for _, err := range errs {
		require.Error(t, err)
		require.NotContains(t, err.Error(), secret)
		require.NotContains(t, skipper.MessageOf(err), secret)
	}
	require.Contains(t, web.users, "me:"+secret)
	require.NotContains(t, b.log.String(), secret)
	require.Equal(t, 5, strings.Count(b.log.String(), `msg="a package repository cannot be read"`))
}

// A package of a local repository is never asked for on the web, also when its file is gone.
func TestLoad_DoesNotFetchFromALocalRepository(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	m := b.known(b.repository("mine", web.URL, true, 0), "hello", "1.0.0")
	web.put("/hello/hello-1.0.0.zip", packed("hello", "1.0.0"))
	_, err := b.Load(t.Context(), m)
	require.Error(t, err)
	require.Zero(t, web.count("/hello/hello-1.0.0.zip"))
}

// Somebody deletes a package while its file is on the way.
func TestLoad_OfARemotePackageThatVanishes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := b.store.DeletePackages(r.Context(), "hello",
			func([]skipper.PackageMetadata, []skipper.PackageUse) error { return nil })
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(packed("hello", "1.0.0"))
	}))
	t.Cleanup(server.Close)
	m := b.known(b.repository("remote", server.URL, false, 0), "hello", "1.0.0")
	_, err := b.Load(t.Context(), m)
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err), "%v", err)
}
