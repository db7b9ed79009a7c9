package catalog_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// The services that a repository has no need of.
type (
	releases     = handler.Releases
	operations   = handler.Operations
	noReleases   struct{ releases }
	noOperations struct{ operations }
)

// publish serves a catalog as a package repository.
func publish(t *testing.T, b *bundle) string {
	t.Helper()
	e := echo.New()
	handler.New(handler.Config{
		Catalog: b.Service, Published: b.Service,
		Releases: noReleases{}, Operations: noOperations{}, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	}).Register(e)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

func TestPublished_IsARepositoryForAnotherServer(t *testing.T) {
	t.Parallel()
	theirs, ours := setup(t), setup(t)
	theirs.upload("hello", "1.9.0")
	theirs.upload("hello", "1.10.0")
	ours.repository("theirs", publish(t, theirs)+"/", false, 0)
	require.True(t, ours.Sync(t.Context()))
	theirs.upload("hello", "1.10.1")
	require.True(t, ours.Sync(t.Context()))

	m, err := ours.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello"})
	require.NoError(t, err)
	require.Equal(t, "1.10.1", m.Version)
	require.Equal(t, "theirs", *m.RepositoryName)
	require.Equal(t, digestOf(packed("hello", "1.10.1")), *m.SHA256)
	p, err := ours.Load(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "greeting: hello 1.10.1\n", p.Templates[0].Data)

	index, err := ours.Index(t.Context())
	require.NoError(t, err)
	require.Empty(t, index, "what comes from elsewhere is not passed on")
}

func TestIndex_ListsTheLocalPackagesInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, version := range []string{"10.0.0", "9.0.0"} {
		b.upload("hello", version)
	}
	b.upload("about", "1.0.0")
	preferred := b.repository("preferred", "http://127.0.0.1:2", true, 5)
	b.known(preferred, "fileless", "1.0.0")
	m := b.known(preferred, "hello", "9.0.0")
	other := zipped("hello-9.0.0/package.yml", describe("hello", "9.0.0")+"tags: other\n")
	require.NoError(t, b.store.SetPackageFile(t.Context(), m.ID, other))

	index, err := b.Index(t.Context())
	require.NoError(t, err)
	entry := func(name, version string, zip []byte) string {
		return `"apiVersion": "skipper.spring.io/v1"
"kind": "SkipperPackageMetadata"
"name": "` + name + `"
"version": "` + version + `"
"sha256": "` + digestOf(zip) + `"
`
	}
	require.Equal(t, entry("about", "1.0.0", packed("about", "1.0.0"))+"---\n"+entry("hello", "9.0.0", other)+"---\n"+
		entry("hello", "10.0.0", packed("hello", "10.0.0")), index)
	zip, err := b.File(t.Context(), "hello", "9.0.0")
	require.NoError(t, err)
	require.Equal(t, other, zip, "the one that the index speaks of")
}

func TestFile_OnlyOfLocalRepositories(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.known(b.repository("remote", "http://127.0.0.1:1", false, 0), "hello", "1.0.0")
	require.NoError(t, b.store.SetPackageFile(t.Context(), m.ID, packed("hello", "1.0.0")))
	for _, version := range []string{"1.0.0", "2.0.0"} {
		_, err := b.File(t.Context(), "hello", version)
		requireError(t, err, skipper.CodeNotFound,
			"no local package repository of this server has package hello:"+version)
	}
}

func TestPublished_OverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upload("hello", "1.0.0")
	url := publish(t, b)
	for _, test := range []struct {
		method, path  string
		status        int
		contentType   string
		empty, noETag bool
	}{
		{method: http.MethodGet, path: "/index.yml", status: 200, contentType: "application/yaml"},
		{method: http.MethodHead, path: "/index.yml", status: 200, contentType: "application/yaml", empty: true},
		{method: http.MethodGet, path: "/hello/hello-1.0.0.zip", status: 200, contentType: "application/zip"},
		{method: http.MethodHead, path: "/hello/hello-1.0.0.zip", status: 200, contentType: "application/zip", empty: true},
		{method: http.MethodGet, path: "/hello/hello-2.0.0.zip", status: 404, noETag: true},
		{method: http.MethodGet, path: "/hello/other-1.0.0.zip", status: 404, noETag: true},
		{method: http.MethodGet, path: "/x/hello/hello-1.0.0.zip", status: 404, noETag: true},
		{method: http.MethodGet, path: "/hello/hello-.zip", status: 404, noETag: true},
		{method: http.MethodGet, path: "/index.yaml", status: 404, noETag: true},
		{method: http.MethodPost, path: "/index.yml", status: 405, noETag: true},
		{method: http.MethodOptions, path: "/hello/hello-1.0.0.zip", status: 200, empty: true, noETag: true},
	} {
		t.Run(test.method+test.path, func(t *testing.T) {
			t.Parallel()
			res, body := exchange(t, test.method, url+test.path, "")
			require.Equal(t, test.status, res.StatusCode, body)
			require.Equal(t, test.empty, body == "")
			require.Equal(t, test.noETag, res.Header.Get("ETag") == "")
			if test.contentType != "" {
				require.Equal(t, test.contentType, res.Header.Get("Content-Type"))
				again, rest := exchange(t, test.method, url+test.path, res.Header.Get("ETag"))
				require.Equal(t, http.StatusNotModified, again.StatusCode)
				require.Empty(t, rest)
			}
			if test.status == http.StatusMethodNotAllowed || test.method == http.MethodOptions {
				require.Equal(t, "GET, HEAD, OPTIONS", res.Header.Get("Allow"))
			}
		})
	}
}

func exchange(t *testing.T, method, url, etag string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}
