package handler_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

// example is one exchange that Skipper's guide prints. Where it prints no request, the data has the one that the
// section speaks of; the guide prints no answer to a cancel.
type example struct {
	method, target string
	header         http.Header
	body           string
	status         int
	answerHeader   http.Header
	answer         string
}

func readExample(t *testing.T, file string) example {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	asked, answered, found := strings.Cut(string(raw), "--- answer\n")
	require.True(t, found)
	head, body, found := strings.Cut(asked, "\n\n")
	require.True(t, found)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\n\n")))
	require.NoError(t, err)
	e := example{
		method: r.Method, target: r.RequestURI, header: r.Header, body: strings.TrimSuffix(body, "\n"),
		status: http.StatusOK,
	}
	requireLength(t, e.header, e.body)
	if answered == "" {
		return e
	}
	w, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answered)), r)
	require.NoError(t, err)
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	e.status, e.answerHeader, e.answer = w.StatusCode, w.Header, string(answer)
	requireLength(t, e.answerHeader, e.answer)
	return e
}

// requireLength holds the data against the length that the guide prints beside it.
func requireLength(t *testing.T, header http.Header, body string) {
	t.Helper()
	if printed := header.Get("Content-Length"); printed != "" {
		require.Equal(t, printed, strconv.Itoa(len(body)))
	}
}

// TestGuide reproduces what chapters 29 and 30 of Skipper's guide print, with links as an array where it has them. The
// guide was made with mocks; the services have what the mocks had.
func TestGuide(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/guide/*.http")
	require.NoError(t, err)
	require.Len(t, files, 25)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want := readExample(t, file)
			b := setupWith(t, func(c *handler.Config) { c.LinksArray = true })
			b.withGuide(t, want)
			r := httptest.NewRequest(want.method, want.target, strings.NewReader(want.body))
			r.Header, r.Host = want.header, "localhost:7577"
			w := httptest.NewRecorder()
			b.ServeHTTP(w, r)

			require.Equal(t, want.status, w.Code, w.Body)
			if want.answer == "" {
				require.JSONEq(t, `{"accepted":true}`, w.Body.String())
				return
			}
			for _, name := range []string{"Content-Type", "Vary"} {
				require.Equal(t, want.answerHeader.Values(name), w.Header().Values(name), name)
			}
			require.Equal(t, want.answerHeader["Etag"], w.Header()["ETag"])
			got := asMocked(w.Body.String())
			if larger(filepath.Base(file)) {
				requireAgrees(t, "", byRelation(decoded(t, want.answer)), byRelation(decoded(t, got)))
				return
			}
			require.Empty(t, cmp.Diff(want.answer, got))
		})
	}
}

// larger says that ours has more links there than the guide; a summary has its fields in the recorded order.
func larger(name string) bool {
	return slices.Contains([]string{
		"01-index.http", "04-packages-summary.http", "09-install.http", "10-install-by-id.http", "14-list.http",
		"15-list-by-name.http", "18-upgrade.http", "19-rollback-by-path.http", "20-rollback.http", "23-delete.http",
		"24-delete-with-package.http",
	}, name)
}

// asMocked undoes where the mocks of the guide said nothing: a page's link self without its query, an entity without
// id, a release without description.
func asMocked(body string) string {
	return strings.NewReplacer(
		`?page=0&size=10"`, `"`, `/package/install/0"`, `/package/install/{id}"`, `"description" : ""`, `"description" : null`,
	).Replace(body)
}

// byRelation makes an object of an array of links.
func byRelation(v any) any {
	object, isObject := v.(map[string]any)
	if !isObject {
		return v
	}
	links, isList := object["links"].([]any)
	if !isList {
		return v
	}
	byRel := map[string]any{}
	for _, link := range links {
		if l, isLink := link.(map[string]any); isLink {
			byRel[fmt.Sprint(l["rel"])] = l
		}
	}
	delete(object, "links")
	object["_links"] = byRel
	return object
}

// TestGuide_IndexOrder lists the repositories in the guide's order, among which ours stand.
func TestGuide_IndexOrder(t *testing.T) {
	t.Parallel()
	want := document(t, readExample(t, "testdata/guide/01-index.http").answer).Links.Relations()
	got := document(t, setup(t).ask(http.MethodGet, "/api", "").Body.String()).Links.Relations()
	ours := []string{"operations", "operation", "orphans", "orphans/remove", "orphans/adopt"}
	require.Equal(t, want, slices.DeleteFunc(got, func(rel string) bool { return slices.Contains(ours, rel) }))
}

// withGuide gives the services what an example shows.
func (b *bench) withGuide(t *testing.T, e example) {
	t.Helper()
	b.releases.cancel = func(r skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error) {
		require.Equal(t, "myLogRelease", r.ReleaseName)
		return skipper.CancelResponse{Accepted: true}, nil, nil
	}
	if e.answer == "" {
		return
	}
	d, err := hal.Parse([]byte(e.answer))
	require.NoError(t, err)
	b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
		var release skipper.Release
		return release, skipper.Operation{}, json.Unmarshal([]byte(e.answer), &release)
	}
	b.catalog.upload = func(skipper.UploadRequest) (skipper.PackageMetadata, error) {
		var p skipper.PackageMetadata
		return p, json.Unmarshal([]byte(e.answer), &p)
	}
	b.releases.info = func(string, int) (skipper.Info, error) {
		var info skipper.Info
		return info, json.Unmarshal([]byte(e.answer), &info)
	}
	b.releases.manifest = func(string, int) (skipper.Manifest, error) {
		var m skipper.Manifest
		return m, json.Unmarshal([]byte(e.answer), &m)
	}
	b.withGuideLists(t, d)
}

func (b *bench) withGuideLists(t *testing.T, d hal.Document) {
	t.Helper()
	single := func(rel string) []hal.Document {
		if _, isOne := d.Links.Get(rel); isOne {
			return []hal.Document{d}
		}
		return nil
	}
	b.catalog.packages = entities(t, append(d.Embedded("packageMetadata"), single("install")...),
		func(p *skipper.PackageMetadata, id int64) { p.ID = id })
	b.catalog.repositories = entities(t, append(d.Embedded("repositories"), single("repository")...),
		func(r *skipper.Repository, id int64) { r.ID = id })
	for _, item := range d.Embedded("deployers") {
		var p skipper.Platform
		require.NoError(t, item.Decode(&p))
		self, _ := item.Links.Get("self")
		p.ID = filepath.Base(self.Href)
		b.releases.platforms = append(b.releases.platforms, p)
	}
	for _, item := range d.Embedded("releases") {
		var r skipper.Release
		require.NoError(t, item.Decode(&r))
		if self, found := item.Links.Get("self"); found {
			_, err := fmt.Sscan(filepath.Base(self.Href), &r.ID)
			require.NoError(t, err)
		}
		b.releases.releases = append(b.releases.releases, r)
	}
}
