package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers are those of a server by method and request URI, one after the other; the last one stays. {{base}} is the
// server's root; an answer that begins as !409 has that status.
type answers map[string][]string

// bundle is a server that answers what it was told, and what one command line did to it and wrote.
type bundle struct {
	deps     Deps
	url      string
	out, err bytes.Buffer

	mu      sync.Mutex
	answers answers
	bodies  []string // of requests, with method and path
}

func setup(t *testing.T, more answers) *bundle {
	t.Helper()
	b := &bundle{answers: answers{
		"GET /api": {`{"_links": {"release": {"href": "{{base}}/api/release"}, "package": {"href": "{{base}}/api/package"},
			"deployers": {"href": "{{base}}/api/deployers{?page,size,sort}", "templated": true},
			"releases": {"href": "{{base}}/api/releases{?page,size,sort}", "templated": true},
			"packageMetadata": {"href": "{{base}}/api/packageMetadata{?page,size,sort,projection}", "templated": true}}}`},
		"GET /api/package": {`{"_links": {"upload": {"href": "{{base}}/api/package/upload"},
			"install": {"href": "{{base}}/api/package/install"}}}`},
		"GET /api/release": {`{"_links": {
			"logs/name": {"href": "{{base}}/api/release/logs/{name}", "templated": true},
			"status/name": {"href": "{{base}}/api/release/status/{name}", "templated": true},
			"status/name/version": {"href": "{{base}}/api/release/status/{name}/{version}", "templated": true},
			"manifest": {"href": "{{base}}/api/release/manifest/{name}", "templated": true},
			"manifest/name/version": {"href": "{{base}}/api/release/manifest/{name}/{version}", "templated": true},
			"upgrade": {"href": "{{base}}/api/release/upgrade"}, "list": {"href": "{{base}}/api/release/list"},
			"list/name": {"href": "{{base}}/api/release/list/{name}", "templated": true}}}`},
		"GET /api/releases?size=1":        {`{"_links": {"search": {"href": "{{base}}/api/releases/search"}}}`},
		"GET /api/packageMetadata?size=1": {`{"_links": {"search": {"href": "{{base}}/api/packageMetadata/search"}}}`},
		"GET /api/releases/search": {`{"_links": {"findByNameIgnoreCaseContainingOrderByNameAscVersionDesc":
			{"href": "{{base}}/api/releases/search/history{?name}", "templated": true}}}`},
		"GET /api/packageMetadata/search": {`{"_links": {"findByNameContainingIgnoreCase":
			{"href": "{{base}}/api/packageMetadata/search/containing{?name}", "templated": true}}}`},
	}}
	maps.Copy(b.answers, more)
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	now := time.Unix(0, 0)
	b.deps = Deps{
		In: strings.NewReader(""), Out: &b.out, Err: &b.err, Version: "1.2.3",
		Env:   func(name string) string { return map[string]string{"SKIFF_URL": b.url}[name] },
		Clock: func() time.Time { return now },
		after: func(d time.Duration) <-chan time.Time { // time passes only here
			now = now.Add(d)
			c := make(chan time.Time, 1)
			c <- now
			return c
		},
	}
	return b
}

// ServeHTTP gives the next answer to a request.
func (b *bundle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := r.Method + " " + r.URL.RequestURI()
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodGet {
		b.bodies = append(b.bodies, strings.TrimSpace(key+" "+string(body)))
	}
	left := b.answers[key]
	if len(left) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if len(left) > 1 {
		b.answers[key] = left[1:]
	}
	answer := left[0]
	if strings.HasPrefix(answer, "!") {
		status := 0
		_, _ = fmt.Sscanf(answer, "!%d", &status)
		w.WriteHeader(status)
		answer = answer[4:]
	}
	_, _ = io.WriteString(w, strings.ReplaceAll(answer, "{{base}}", "http://"+r.Host))
}

func (b *bundle) run(ctx context.Context, args ...string) int { return Run(ctx, b.deps, args) }

// transcript is a command line with all that came of it.
func (b *bundle) transcript(args []string, code int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf("$ skiff %s\nexit code %d\n", strings.Join(args, " "), code)
	for _, part := range []struct{ name, text string }{
		{"sent", strings.Join(b.bodies, "\n")}, {"stdout", b.out.String()}, {"stderr", b.err.String()},
	} {
		if part.text != "" {
			text += "--- " + part.name + "\n" + strings.TrimSuffix(part.text, "\n") + "\n"
		}
	}
	return strings.ReplaceAll(text, b.url, "{{base}}")
}

func golden(t *testing.T, got string) {
	t.Helper()
	file := filepath.Join("testdata", filepath.FromSlash(t.Name())+".golden")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

// appStatus writes a platform status as it stands in JSON: of pairs of a deployment id and a state.
func appStatus(pairs ...string) string {
	apps := []string{}
	for i := 0; i < len(pairs); i += 2 {
		id, state := pairs[i], pairs[i+1]
		apps = append(apps, fmt.Sprintf(`{\"deploymentId\":\"%s\",\"instances\":{\"%[1]s-0\":{\"id\":\"%[1]s-0\",`+
			`\"state\":\"%s\",\"attributes\":{\"guid\":\"%[1]s-0\",\"pid\":\"4711\",`+
			`\"url\":\"http://127.0.0.1:20001\"}}},\"state\":\"%[2]s\"}`, id, state))
	}
	return `"[` + strings.Join(apps, ",") + `]"`
}

func info(code, description, platformStatus string) string {
	return fmt.Sprintf(`{"status": {"statusCode": %q, "platformStatus": %s}, "deleted": null, "description": %q,
		"firstDeployed": "2026-11-22T22:50:04.176+00:00", "lastDeployed": "2026-11-22T22:50:04.176+00:00"}`,
		code, platformStatus, description)
}

func release(name string, version int, packageVersion, info string) string {
	return fmt.Sprintf(`{"name": %q, "version": %d, "info": %s, "pkg": {"metadata": {"apiVersion": "skipper.spring.io/v1",
		"kind": "SkipperPackageMetadata", "name": "hello", "version": %q}, "templates": [], "dependencies": [],
		"configValues": null, "fileHolders": []}, "configValues": {"raw": null}, "manifest": {"data": "\"a\": \"b <&>\"\n"},
		"platformName": "default", "_links": {"operation": {"href": "{{base}}/api/operations/op-7"}}}`,
		name, version, info, packageVersion)
}

func operation(outcome, state, message string) string {
	failed := "null"
	if message != "" {
		failed = fmt.Sprintf(`{"code": "timeout", "message": %q}`, message)
	}
	return fmt.Sprintf(`{"id": "op-7", "kind": "upgrade", "releaseName": "hello", "sourceVersion": 1, "targetVersion": 2,
		"state": %q, "outcome": %q, "plan": {"account": "default", "timeout": 60000}, "error": %s, "steps": [],
		"_links": {"events": {"href": "{{base}}/api/operations/op-7/events"}}}`, state, outcome, failed)
}

// waiting has an operation tell what it waits for.
func waiting(operation, what string) string {
	return strings.Replace(operation, `"steps"`, fmt.Sprintf(`"waitsFor": %q, "steps"`, what), 1)
}

func refused(status int, class, message, more string) string {
	return fmt.Sprintf(`!%d{"status":%[1]d,"exception":"org.springframework.cloud.skipper.%s","message":%q%s}`,
		status, class, message, more)
}
