package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a server that answers what it was told, by method and request URI, and remembers what it was asked.
// {{base}} in an answer is the server's root.
type fake struct {
	*httptest.Server
	answers map[string]string

	mu    sync.Mutex
	asked []string
	body  string // of the last request that had one
}

func serve(t *testing.T, answers map[string]string) (*fake, *client.Client) {
	t.Helper()
	f := &fake{answers: map[string]string{
		"GET /api": `{"_links": {
			"about": {"href": "{{base}}/api/about"}, "release": {"href": "{{base}}/api/release"},
			"package": {"href": "{{base}}/api/package"},
			"operation": {"href": "{{base}}/api/operations/{id}", "templated": true},
			"deployers": {"href": "{{base}}/api/deployers{?page,size,sort}", "templated": true},
			"repositories": {"href": "{{base}}/api/repositories{?page,size,sort}", "templated": true},
			"releases": {"href": "{{base}}/api/releases{?page,size,sort}", "templated": true},
			"packageMetadata": {"href": "{{base}}/api/packageMetadata{?page,size,sort,projection}", "templated": true}}}`,
		"GET /api/package": `{"_links": {"upload": {"href": "{{base}}/api/package/upload"},
			"install": {"href": "{{base}}/api/package/install"}}}`,
		"GET /api/release": `{"_links": {
			"actuator/name/app/id": [{"href": "{{base}}/a?endpoint={endpoint}"}, {"href": "{{base}}/a"}],
			"logs/name": {"href": "{{base}}/api/release/logs/{name}", "templated": true},
			"status/name": {"href": "{{base}}/api/release/status/{name}", "templated": true},
			"status/name/version": {"href": "{{base}}/api/release/status/{name}/{version}", "templated": true},
			"manifest": {"href": "{{base}}/api/release/manifest/{name}", "templated": true},
			"manifest/name/version": {"href": "{{base}}/api/release/manifest/{name}/{version}", "templated": true},
			"upgrade": {"href": "{{base}}/api/release/upgrade"},
			"rollback": {"href": "{{base}}/api/release/rollback/{name}/123", "templated": true},
			"list": {"href": "{{base}}/api/release/list"},
			"list/name": {"href": "{{base}}/api/release/list/{name}", "templated": true}}}`,
		"GET /api/releases?size=1":        `{"_links": {"search": {"href": "{{base}}/api/releases/search"}}}`,
		"GET /api/packageMetadata?size=1": `{"_links": {"search": {"href": "{{base}}/api/packageMetadata/search"}}}`,
		"GET /api/releases/search": `{"_links": {"findByNameIgnoreCaseContainingOrderByNameAscVersionDesc":
			{"href": "{{base}}/api/releases/search/history{?name}", "templated": true}}}`,
		"GET /api/packageMetadata/search": `{"_links": {"findByNameContainingIgnoreCase":
			{"href": "{{base}}/api/packageMetadata/search/containing{?name,projection}", "templated": true}}}`,
	}}
	maps.Copy(f.answers, answers)
	f.Server = httptest.NewServer(http.HandlerFunc(f.answer))
	t.Cleanup(f.Close)
	c, err := client.New(f.URL)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return f, c
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + r.URL.RequestURI()
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, key)
	if len(body) > 0 {
		f.body = string(body)
	}
	answer, ok := f.answers[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if status := 0; strings.HasPrefix(answer, "!") {
		_, _ = fmt.Sscanf(answer, "!%d", &status)
		w.WriteHeader(status)
		answer = answer[4:]
	}
	_, _ = io.WriteString(w, strings.ReplaceAll(answer, "{{base}}", f.URL))
}

func (f *fake) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[len(f.asked)-1]
}

const hello2 = `{"name": "hello", "version": 2, "info": {"status": {"statusCode": "UNKNOWN", "platformStatus": null},
	"firstDeployed": "2026-11-22T22:50:04.176+00:00", "lastDeployed": null, "deleted": null,
	"description": "Upgrade install underway"}, "pkg": {"metadata": {"name": "hello", "version": "1.1.0"}},
	"configValues": {"raw": null}, "manifest": {"data": "x"}, "platformName": "default",
	"_links": {"status": {"href": "{{base}}/api/release/status/{name}", "templated": true},
	"operation": {"href": "{{base}}/api/operations/op-7"}}}`

func TestCommands_GiveReleaseAndOperation(t *testing.T) {
	t.Parallel()
	version := 1
	tests := map[string]struct {
		request, body string
		call          func(context.Context, *client.Client) (skipper.Release, string, error)
	}{
		"install": {
			"POST /api/package/install",
			`{"packageIdentifier":null,` +
				`"installProperties":{"releaseName":"hello","configValues":null,"platformName":"default"}}`,
			func(ctx context.Context, c *client.Client) (skipper.Release, string, error) {
				return c.Install(ctx, skipper.InstallRequest{
					InstallProperties: &skipper.InstallProperties{ReleaseName: "hello", PlatformName: "default"},
				})
			},
		},
		"upgrade": {
			"POST /api/release/upgrade",
			`{"packageIdentifier":null,"upgradeProperties":null,"timeout":null,"force":true,"appNames":["a"]}`,
			func(ctx context.Context, c *client.Client) (skipper.Release, string, error) {
				return c.Upgrade(ctx, skipper.UpgradeRequest{Force: true, AppNames: []string{"a"}})
			},
		},
		"rollback": {
			"POST /api/release/rollback", `{"releaseName":"hello","version":1,"timeout":null}`,
			func(ctx context.Context, c *client.Client) (skipper.Release, string, error) {
				return c.Rollback(ctx, skipper.RollbackRequest{ReleaseName: "hello", Version: &version})
			},
		},
		"scale": {
			"POST /api/release/scale/hello", `{"scale":[{"name":"a","count":1,"properties":null}]}`,
			func(ctx context.Context, c *client.Client) (skipper.Release, string, error) {
				return c.Scale(ctx, "hello", skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{{Name: "a", Count: &version}}})
			},
		},
		"delete": {
			"DELETE /api/release/a%20b", "",
			func(ctx context.Context, c *client.Client) (skipper.Release, string, error) {
				return c.Delete(ctx, "a b", false)
			},
		},
		"delete with package": {
			"DELETE /api/release/hello/package", "",
			func(ctx context.Context, c *client.Client) (skipper.Release, string, error) {
				return c.Delete(ctx, "hello", true)
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := serve(t, map[string]string{test.request: "!201" + hello2})
			release, operation, err := test.call(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, f.URL+"/api/operations/op-7", operation)
			require.Equal(t, "hello", release.Name)
			require.Equal(t, 2, release.Version)
			require.Equal(t, skipper.StatusUnknown, release.Info.Status.StatusCode)
			require.Equal(t, "1.1.0", release.Pkg.Metadata.Version)
			require.Equal(t, test.request, f.last())
			require.Equal(t, test.body, f.body)
		})
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	_, c := serve(t, map[string]string{
		"GET /api/deployers?size=1000&sort=name%2Casc":    `{"_embedded": {"deployers": [{"name": "default"}]}}`,
		"GET /api/repositories?size=1000&sort=name%2Casc": `{"_embedded": {"repositories": [{"name": "local"}]}}`,
		"GET /api/packageMetadata?size=1000&sort=name%2Casc": `{"_embedded": {"packageMetadata": [{"name": "a"}]},
			"_links": {"next": {"href": "{{base}}/api/packageMetadata?page=1"}}}`,
		"GET /api/packageMetadata?page=1":                       `{"_embedded": {"packageMetadata": [{"name": "b"}]}}`,
		"GET /api/packageMetadata/search/containing?name=a%26b": `{"_embedded": {"packageMetadata": [{"name": "xa&b"}]}}`,
		"GET /api/release/list":                                 `{ }`,
		"GET /api/release/list/hel":                             `{"_embedded": {"releases": [` + hello2 + `]}}`,
		"GET /api/releases/search/history?name=hello":           `{"_embedded": {"releases": [` + hello2 + `]}}`,
		"GET /api/operations/op-7": `{"id": "op-7", "outcome": "running",
			"_links": {"events": {"href": "/api/operations/op-7/events"}}}`,
		"GET /api/operations/op-7/events": `{"_embedded": {"events": [{"id": 1, "event": "DONE"}]}}`,
		"GET /api/operations/op-8":        `{"id": "op-8", "outcome": "running"}`,
	})
	ctx := t.Context()
	names := func(list any, err error) string {
		t.Helper()
		require.NoError(t, err)
		b, err := json.Marshal(list)
		require.NoError(t, err)
		var items []struct {
			Name  string `json:"name"`
			Event string `json:"event"`
		}
		require.NoError(t, json.Unmarshal(b, &items))
		out := []string{}
		for _, i := range items {
			out = append(out, i.Name+i.Event)
		}
		return strings.Join(out, " ")
	}
	platforms, err := c.Platforms(ctx)
	require.Equal(t, "default", names(platforms, err))
	repositories, err := c.Repositories(ctx)
	require.Equal(t, "local", names(repositories, err))
	packages, err := c.Packages(ctx)
	require.Equal(t, "a b", names(packages, err))
	packages, err = c.PackagesContaining(ctx, "a&b")
	require.Equal(t, "xa&b", names(packages, err))
	releases, err := c.Listed(ctx, "")
	require.Empty(t, names(releases, err))
	releases, err = c.Listed(ctx, "hel")
	require.Equal(t, "hello", names(releases, err))
	releases, err = c.History(ctx, "hello")
	require.Equal(t, "hello", names(releases, err))
	events, err := c.Events(ctx, "op-7")
	require.Equal(t, "DONE", names(events, err))
	_, err = c.Events(ctx, "op-8")
	require.Equal(t, skipper.CodeUnsupported, skipper.CodeOf(err))
}

func TestReads(t *testing.T) {
	t.Parallel()
	f, c := serve(t, map[string]string{
		"GET /api/about": `{"versionInfo": {"server": {"name": "skiff", "version": "1.0.0"}}}`,
		"GET /api/release/status/hello": `{"status": {"statusCode": "DEPLOYED",
			"platformStatus": "[{\"deploymentId\":\"hello.hello-v1\"}]"}}`,
		"GET /api/release/status/hello/2":   `{"status": {"statusCode": "FAILED"}}`,
		"GET /api/release/manifest/hello":   `{"data": "newest"}`,
		"GET /api/release/manifest/hello/2": `{"data": "second"}`,
		"GET /api/release/logs/hello":       `{"logs": {"hello.hello-v1": "stdout:\nup\n"}}`,
		"POST /api/release/cancel":          `{"accepted":true}`,
		"DELETE /api/package/hello":         ``,
		"POST /api/package/upload":          `!201{"version": "1.0.0", "_links": {"install": [{"href": "/x"}, {}]}}`,
		"GET /actuator/health/readiness":    `{"status":"UP"}`,
	})
	ctx := t.Context()
	about, err := c.About(ctx)
	require.NoError(t, err)
	require.Equal(t, client.About{Name: "skiff", Version: "1.0.0"}, about)
	info, err := c.Status(ctx, "hello", 0)
	require.NoError(t, err)
	require.Equal(t, "hello.hello-v1", info.Status.AppStatuses()[0].DeploymentID)
	info, err = c.Status(ctx, "hello", 2)
	require.NoError(t, err)
	require.Equal(t, skipper.StatusFailed, info.Status.StatusCode)
	manifest, err := c.Manifest(ctx, "hello", 0)
	require.NoError(t, err)
	require.Equal(t, "newest", manifest.Data)
	manifest, err = c.Manifest(ctx, "hello", 2)
	require.NoError(t, err)
	require.Equal(t, "second", manifest.Data)
	logs, err := c.Logs(ctx, "hello")
	require.NoError(t, err)
	require.Equal(t, "stdout:\nup\n", logs.Logs["hello.hello-v1"])
	done, err := c.Cancel(ctx, "hello")
	require.NoError(t, err)
	require.True(t, done)
	require.JSONEq(t, `{"releaseName": "hello"}`, f.body)
	require.NoError(t, c.DeletePackage(ctx, "hello"))
	metadata, err := c.Upload(ctx, skipper.UploadRequest{PackageFileAsBytes: []byte("zip")})
	require.NoError(t, err)
	require.Equal(t, "1.0.0", metadata.Version)
	require.Contains(t, f.body, `"packageFileAsBytes":"emlw"`)
	require.NoError(t, c.Ready(ctx))
}

func TestLinks_AreReadOnceAndLeadWhereTheServerSays(t *testing.T) {
	t.Parallel()
	f, c := serve(t, map[string]string{
		"GET /api": `{"_links": {"release": {"href": "http://elsewhere.invalid/root/of-releases"}}}`,
		"GET /root/of-releases": `{"_links": {"status/name": {"href": "/s/{name}", "templated": true},
			"cancel": {"href": "/stop"}, "history": {"href": "/h{?name}", "templated": true},
			"delete/name": {"href": "/gone/{name}", "templated": true}}}`,
		"GET /s/hello":       `{"status": {"statusCode": "DEPLOYED"}}`,
		"POST /stop":         `{"accepted":false}`,
		"GET /h?name=hello":  `{"_embedded": {"releases": [` + hello2 + `]}}`,
		"DELETE /gone/hello": hello2,
	})
	for range 2 {
		_, err := c.Status(t.Context(), "hello", 0)
		require.NoError(t, err)
	}
	done, err := c.Cancel(t.Context(), "hello")
	require.NoError(t, err)
	require.False(t, done)
	_, _, err = c.Delete(t.Context(), "hello", false)
	require.NoError(t, err)
	versions, err := c.History(t.Context(), "hello")
	require.NoError(t, err)
	require.Len(t, versions, 1)
	want := []string{
		"GET /api", "GET /root/of-releases", "GET /s/hello", "GET /s/hello", "POST /stop", "DELETE /gone/hello",
		"GET /h?name=hello",
	}
	require.Empty(t, cmp.Diff(want, f.asked))

	_, err = c.Packages(t.Context())
	require.Equal(t, skipper.CodeUnsupported, skipper.CodeOf(err))
	require.ErrorContains(t, err, "does not offer packageMetadata")
}

func TestNew_TakesTheRootWithOrWithoutAPI(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://h:7577":                "http://h:7577",
		"http://h:7577/":               "http://h:7577",
		"http://h:7577/api":            "http://h:7577",
		"https://h/skiff/api/":         "https://h/skiff",
		"localhost:7577":               "http://localhost:7577",
		"http://user:secret@h:1/api?x": "http://user:xxxxx@h:1",
	} {
		c, err := client.New(address)
		require.NoError(t, err)
		require.Equal(t, want, c.URL())
	}
	for _, address := range []string{"", "ftp://h", "http://", "http://h:port", "://"} {
		_, err := client.New(address)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), address)
	}
}
