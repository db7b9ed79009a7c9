package handler_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const recordedBase = "http://127.0.0.1:7577"

// recorded is one exchange of testdata/NN-NAME.http: what was asked, and the bytes of the answer.
type recorded struct {
	method, target, body string
	headers              []string
	status               int
	answerHeaders        []string
	answer               string
}

func readRecorded(t *testing.T, name string) recorded {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	asked, answered, found := strings.Cut(string(raw), "--- answer\n")
	require.True(t, found)
	var r recorded
	lines := strings.Split(strings.TrimRight(asked, "\n"), "\n")
	r.method, r.target, _ = strings.Cut(lines[0], " ")
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "{") {
			r.body = line
			continue
		}
		header, value, _ := strings.Cut(line, ": ")
		r.headers = append(r.headers, header, value)
	}
	head, body, _ := strings.Cut(answered, "\n\n")
	r.answer = strings.TrimPrefix(body, "\n")
	lines = strings.Split(head, "\n")
	_, err = fmt.Sscanf(lines[0], "HTTP/1.1 %d", &r.status)
	require.NoError(t, err)
	for _, line := range lines[1:] {
		if line != "" && !strings.HasPrefix(line, "Content-Language") {
			r.answerHeaders = append(r.answerHeaders, line)
		}
	}
	return r
}

// headerLines gives the headers of an answer as lines, in the recorded order, which the names' order on the wire is not.
func headerLines(w *httptest.ResponseRecorder) []string {
	var lines []string
	for name, values := range w.Header() {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	return lines
}

// withRecordedState fills the fakes with what the reference server held when it was recorded.
func withRecordedState(t *testing.T, b *bench) {
	t.Helper()
	read := func(name, rel string) []hal.Document {
		d, err := hal.Parse([]byte(readRecorded(t, name).answer))
		require.NoError(t, err)
		return d.Embedded(rel)
	}
	b.catalog.repositories = entities(t, read("05-repositories.http", "repositories"),
		func(r *skipper.Repository, id int64) { r.ID = id })
	b.catalog.packages = append(entities(t, read("09-package-page.http", "packageMetadata"),
		func(p *skipper.PackageMetadata, id int64) { p.ID = id }), hello(t))
	b.releases.releases = entities(t, read("16-releases.http", "releases"),
		func(r *skipper.Release, id int64) { r.ID = id })
	b.releases.platforms = []skipper.Platform{{ID: "d0b1b728-0b44-40fa-9ffd-1717ef3c4c48", Name: "default", Type: "local"}}
	operation := skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeSucceeded}
	b.releases.command = func(request any) (skipper.Release, skipper.Operation, error) {
		release := b.releases.releases[0]
		if _, deleted := request.(deletion); deleted {
			release.Info.Status = skipper.Status{StatusCode: skipper.StatusDeleted}
			release.Info.Description = "Delete complete"
		}
		return release, operation, nil
	}
	b.releases.cancel = func(skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error) {
		return skipper.CancelResponse{}, nil, nil
	}
	b.releases.info = func(name string, version int) (skipper.Info, error) {
		return skipper.Info{}, skipper.ReleaseNotFound(name, version)
	}
	b.releases.manifest = func(string, int) (skipper.Manifest, error) { return *b.releases.releases[0].Manifest, nil }
	b.catalog.upload = func(r skipper.UploadRequest) (skipper.PackageMetadata, error) { return hello(t), nil }
}

func hello(t *testing.T) skipper.PackageMetadata {
	t.Helper()
	var p skipper.PackageMetadata
	require.NoError(t, json.Unmarshal([]byte(readRecorded(t, "07-upload.http").answer), &p))
	p.ID = 5
	return p
}

// entities reads items of a list, with the id that their link self ends in.
func entities[T any](t *testing.T, documents []hal.Document, setID func(*T, int64)) []T {
	t.Helper()
	var out []T
	for _, d := range documents {
		var entity T
		require.NoError(t, d.Decode(&entity))
		self, found := d.Links.Get("self")
		require.True(t, found)
		var id int64
		_, err := fmt.Sscan(self.Href[strings.LastIndex(self.Href, "/")+1:], &id)
		require.NoError(t, err)
		setID(&entity, id)
		out = append(out, entity)
	}
	return out
}

// TestRecorded_AnswersAreTheSame replays raw recordings: status, header lines, and the bytes of the body, except where
// ours has more links.
func TestRecorded_AnswersAreTheSame(t *testing.T) {
	t.Parallel()
	moreLinks := []string{
		"01-index-hal.http", "02-index-json.http", "04-release-links.http", "11-install.http", "23-delete.http",
	}
	files, err := filepath.Glob("testdata/*.http")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := filepath.Base(file)
		if name == "03-about.http" { // names another server
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := readRecorded(t, name)
			b := setup(t)
			withRecordedState(t, b)
			var recordedProblem struct{ Timestamp skipper.Time }
			if want.status >= http.StatusBadRequest && want.answer != "" {
				require.NoError(t, json.Unmarshal([]byte(want.answer), &recordedProblem))
				b.now = recordedProblem.Timestamp.Time
			}
			if name == "06-empty-list.http" {
				b.releases.releases = nil
			}
			if name == "08-upload-again.http" {
				b.catalog.upload = func(skipper.UploadRequest) (skipper.PackageMetadata, error) {
					return skipper.PackageMetadata{}, skipper.Errorf(skipper.CodeConflict,
						"Failed to upload the package. Package [hello:1.0.0] in Repository [local] already exists.")
				}
			}
			body := want.body
			body = strings.ReplaceAll(body, "{{zip:hello-1.0.0}}", "aGVsbG8=")

			w := b.ask(want.method, want.target, body, want.headers...)

			require.Equal(t, want.status, w.Code, w.Body)
			if name == "20-options-releases.http" { // the order of methods means nothing
				require.Equal(t, []string{"GET,HEAD,OPTIONS"}, w.Header()["Allow"])
				w.Header()["Allow"] = []string{"HEAD,OPTIONS,GET"}
			}
			require.ElementsMatch(t, want.answerHeaders, headerLines(w))
			if slices.Contains(moreLinks, name) {
				requireAgrees(t, "", decoded(t, want.answer), decoded(t, w.Body.String()))
				return
			}
			require.Empty(t, cmp.Diff(want.answer, w.Body.String()))
		})
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// requireAgrees compares JSON values; _links may hold more than was recorded, and times differ.
func requireAgrees(t *testing.T, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		found, isObject := got.(map[string]any)
		require.True(t, isObject, "%s: %v", path, got)
		for name, value := range want {
			require.Contains(t, found, name, path)
			if name != "timestamp" {
				requireAgrees(t, path+"/"+name, value, found[name])
			}
		}
		for name := range found {
			if !strings.HasSuffix(path, "/_links") && name != "_links" {
				require.Contains(t, want, name, path)
			}
		}
	case []any:
		found, isList := got.([]any)
		require.True(t, isList, path)
		require.Len(t, found, len(want), path)
		for i := range want {
			requireAgrees(t, fmt.Sprintf("%s/%d", path, i), want[i], found[i])
		}
	default:
		require.Equal(t, want, got, path)
	}
}

type cassette struct {
	Steps []struct {
		Name    string
		Request struct {
			Method, Path string
			Headers      map[string]string
			Body         json.RawMessage
			Raw          *string
		}
		Save     map[string]string
		Response struct {
			Status  int
			Headers map[string]string
			Body    any
			Text    string
		}
	}
}

// TestCassettes_Agree replays the cassettes that only read, on fakes that hold what the cassettes show.
func TestCassettes_Agree(t *testing.T) {
	t.Parallel()
	ours := map[string]string{
		"no such path html": "JSON", "about any": "names", "about hal": "names", "about json": "names", "info": "names",
		"options packageMetadata":        "packages change only through upload and delete",
		"profile packageMetadata":        "no create, update, patch and delete descriptors",
		"profile packageMetadata schema": "a JSON schema in another order",
		"jpa machines":                   "served", "jpa states": "served", "jpa actions": "served", "jpa guards": "served",
		"jpa transitions": "served",
	}
	for _, file := range []string{"00-index", "02-repositories", "04-packageMetadata"} {
		raw, err := os.ReadFile("testdata/cassettes/" + file + ".json")
		require.NoError(t, err)
		var c cassette
		require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "{{baseUrl}}", recordedBase)), &c))
		b := setup(t)
		withRecordedState(t, b)
		saved := map[string]string{"helloId": "5", "localUrl": "/api/repositories/2"}
		if file == "04-packageMetadata" {
			body, err := json.Marshal(c.Steps[0].Response.Body)
			require.NoError(t, err)
			d, err := hal.Parse(body)
			require.NoError(t, err)
			b.catalog.packages = entities(t, d.Embedded("packageMetadata"),
				func(p *skipper.PackageMetadata, id int64) { p.ID = id })
		}
		for _, step := range c.Steps {
			if ours[step.Name] != "" {
				continue
			}
			t.Run(file+"/"+step.Name, func(t *testing.T) {
				t.Parallel()
				path := step.Request.Path
				for name, value := range saved {
					path = strings.ReplaceAll(path, "{{"+name+"}}", value)
				}
				body := string(step.Request.Body)
				if step.Request.Raw != nil {
					body = *step.Request.Raw
				}
				var headers []string
				for name, value := range step.Request.Headers {
					headers = append(headers, name, value)
				}
				w := b.ask(step.Request.Method, path, body, headers...)
				want := step.Response
				if want.Status >= http.StatusInternalServerError { // a caller's mistake
					require.GreaterOrEqual(t, w.Code, http.StatusBadRequest)
					require.Less(t, w.Code, http.StatusInternalServerError)
					return
				}
				require.Equal(t, want.Status, w.Code, w.Body)
				for _, name := range []string{"Content-Type", "Location", "Link"} {
					require.Equal(t, want.Headers[name], w.Header().Get(name), name)
				}
				require.Equal(t, want.Headers["Etag"], strings.Join(w.Header()["ETag"], ""))
				require.Equal(t, methods(want.Headers["Allow"]), methods(w.Header().Get("Allow")))
				if message, isObject := want.Body.(map[string]any); isObject && want.Status == http.StatusBadRequest {
					require.Contains(t, message["message"], "JSON parse error")
					require.Contains(t, w.Body.String(), "JSON parse error")
					return
				}
				requireAgrees(t, "", want.Body, decoded(t, w.Body.String()))
			})
		}
	}
}

func methods(allow string) []string {
	list := strings.FieldsFunc(allow, func(c rune) bool { return c == ',' || c == ' ' })
	slices.Sort(list)
	return list
}

// TestRecorded_StatusAndStates answers what was recorded of a running release.
func TestRecorded_StatusAndStates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := skipper.Time{Time: time.Date(2026, 11, 22, 21, 13, 51, 68e6, time.UTC)}
	info := skipper.Info{
		Status: skipper.Status{StatusCode: skipper.StatusDeleted}, FirstDeployed: &first, LastDeployed: &first,
		Description: "Delete complete",
	}
	b.releases.info = func(name string, version int) (skipper.Info, error) {
		require.Equal(t, "one", name)
		require.Equal(t, 1, version)
		return info, nil
	}
	b.releases.statuses = map[string]skipper.Info{"one": info}
	b.releases.states = map[string]map[string]skipper.DeploymentState{"one": {"one.hello-v1": "deployed"}, "two": nil}

	w := b.ask(http.MethodGet, "/api/release/status/one/1", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, `{
  "status" : {
    "statusCode" : "DELETED",
    "platformStatus" : null
  },
  "firstDeployed" : "2026-11-22T21:13:51.068+00:00",
  "lastDeployed" : "2026-11-22T21:13:51.068+00:00",
  "deleted" : null,
  "description" : "Delete complete",
  "_links" : {
    "manifest" : {
      "href" : "http://127.0.0.1:7577/api/release/manifest/{name}",
      "templated" : true
    }
  }
}`, w.Body.String())

	w = b.ask(http.MethodGet, "/api/release/statuses?names=one,nope&names=%20two", "")
	require.Equal(t, []string{"one", "nope", "two"}, b.releases.names)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, `{"one":{"status":{"statusCode":"DELETED","platformStatus":null},`+
		`"firstDeployed":"2026-11-22T21:13:51.068+00:00","lastDeployed":"2026-11-22T21:13:51.068+00:00",`+
		`"deleted":null,"description":"Delete complete"}}`, w.Body.String())

	w = b.ask(http.MethodGet, "/api/release/states?names=one,two", "")
	require.Equal(t, `{"one":{"one.hello-v1":"deployed"},"two":{}}`, w.Body.String())
}
