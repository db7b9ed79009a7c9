package handler_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestNegotiation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tc := range []struct {
		path, accept, want string // want empty: 406
	}{
		{"/api", "", "application/hal+json"},
		{"/api", "*/*", "application/hal+json"},
		{"/api", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/hal+json"},
		{"/api", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/hal+json"},
		{"/api", "application/json, application/*+json", "application/json"},
		{"/api", "application/*+json", "application/hal+json"},
		{"/api", "application/hal+json;q=0.5, application/json", "application/json"},
		{"/api", "application/json;q=0", ""},
		{"/api", "application/xml", ""},
		{"/api/release/statuses?names=x", "*/*", "application/json"},
		{"/api/release/statuses?names=x", "application/hal+json", "application/hal+json"},
		{"/api/profile/releases", "*/*", "application/alps+json"},
		{"/api/profile/releases", "application/schema+json", "application/schema+json"},
		{"/actuator/health", "*/*", "application/vnd.spring-boot.actuator.v3+json"},
		{"/actuator/health", "application/json", "application/json"},
		{"/actuator/health", "application/vnd.spring-boot.actuator.v2+json", "application/vnd.spring-boot.actuator.v2+json"},
	} {
		t.Run(tc.path+" "+tc.accept, func(t *testing.T) {
			t.Parallel()
			w := b.ask(http.MethodGet, tc.path, "", "Accept", tc.accept)
			require.Equal(t, tc.want, w.Header().Get("Content-Type"))
			if tc.want == "" {
				require.Equal(t, http.StatusNotAcceptable, w.Code)
				require.Empty(t, w.Body.String())
			}
		})
	}
}

func TestNegotiation_ComesBeforeTheCommand(t *testing.T) {
	t.Parallel()
	b := setup(t) // whose commands are nil: calling one panics
	w := b.ask(http.MethodDelete, "/api/release/one", "", "Accept", "application/xml")
	require.Equal(t, http.StatusNotAcceptable, w.Code)

	w = b.ask(http.MethodDelete, "/api/package/one", "", "Accept", "application/xml")
	require.Equal(t, http.StatusOK, w.Code, "an answer without a body is acceptable to everybody")
	require.Equal(t, []string{"one"}, b.catalog.deleted)
	require.Empty(t, w.Header().Get("Content-Type"))
}

func TestUpload_Bodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var got skipper.UploadRequest
	b.catalog.upload = func(r skipper.UploadRequest) (skipper.PackageMetadata, error) {
		got = r
		return skipper.PackageMetadata{ID: 5, Name: "hello"}, nil
	}
	name, version := "hello", "1"
	w := b.ask(http.MethodPost, "/api/package/upload", `{"name":"hello","Version":"2","version":1,"packageFileAsBytes":"aGk="}`)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	require.Empty(t, cmp.Diff(skipper.UploadRequest{Name: &name, Version: &version, PackageFileAsBytes: []byte("hi")}, got))
	install := document(t, w.Body.String()).Links.All("install")
	require.Len(t, install, 2)
	require.Equal(t, recordedBase+"/api/package/install/5", install[1].Href)

	for body, want := range map[string][]byte{
		`{"packageFileAsBytes":[104,-1,255]}`: {104, 255, 255}, `{"packageFileAsBytes":""}`: {}, `{}`: nil,
	} {
		require.Equal(t, http.StatusCreated, b.ask(http.MethodPost, "/api/package/upload", body).Code, body)
		require.Equal(t, want, got.PackageFileAsBytes, body)
	}
}

func TestBodies_Refused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const json = "application/json"
	for name, tc := range map[string]struct {
		contentType, body string
		status            int
		message           string
	}{
		"empty":          {json, "", 400, "Required request body is missing: "},
		"null":           {json, "null", 400, "Required request body is missing: "},
		"broken":         {json, `{"name":`, 400, "JSON parse error: "},
		"list":           {json, `[]`, 400, "JSON parse error: the body must be an object, found a list"},
		"text":           {json, `"x"`, 400, "JSON parse error: the body must be an object, found text"},
		"no base64":      {json, `{"packageFileAsBytes":"***"}`, 400, "JSON parse error: packageFileAsBytes is no base64"},
		"no bytes":       {json, `{"packageFileAsBytes":[300]}`, 400, "JSON parse error: packageFileAsBytes[0] must be a whole number"},
		"number as file": {json, `{"packageFileAsBytes":1}`, 400, "JSON parse error: packageFileAsBytes must be text in base64"},
		"object as text": {json, `{"name":{}}`, 400, "JSON parse error: name must be text, found an object"},
		"plain text":     {"text/plain", "x", 415, "Content type 'text/plain;charset=UTF-8' not supported"},
		"own charset":    {"text/plain; charset=utf-8", "x", 415, "Content type 'text/plain; charset=utf-8' not supported"},
		"form": {
			"application/x-www-form-urlencoded", "a=b", 415,
			"Content type 'application/x-www-form-urlencoded;charset=UTF-8' not supported",
		},
		"no type": {"", "x", 415, "Content type 'application/octet-stream' not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := b.ask(http.MethodPost, "/api/package/upload", tc.body, "Content-Type", tc.contentType)
			require.Equal(t, tc.status, w.Code, w.Body)
			var problem struct{ Message, Exception string }
			decodeInto(t, w, &problem)
			require.True(t, strings.HasPrefix(problem.Message, tc.message), problem.Message)
			require.Contains(t, problem.Exception, "org.springframework.")
		})
	}
}

func decodeInto(t *testing.T, w *httptest.ResponseRecorder, to any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), to), w.Body)
}

func TestBodies_OtherJSONTypesPass(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.cancel = func(skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error) {
		return skipper.CancelResponse{}, nil, nil
	}
	for _, contentType := range []string{"application/hal+json", "application/json;charset=UTF-8"} {
		w := b.ask(http.MethodPost, "/api/release/cancel", `{"releaseName":"x"} trailing`, "Content-Type", contentType)
		require.Equal(t, http.StatusOK, w.Code, contentType)
	}
}

// endlessText is a JSON string that does not end.
type endlessText struct{ begun bool }

func (e *endlessText) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	if !e.begun {
		e.begun, b[0] = true, '"'
	}
	return len(b), nil
}

func TestBodies_TooLarge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, tc := range map[string]struct {
		path   string
		length int64 // announced; -1: not
		limit  string
	}{
		"upload":                 {"/api/package/upload", 96<<20 + 1, "96 MiB"},
		"command":                {"/api/release/upgrade", 16<<20 + 1, "16 MiB"},
		"command, not announced": {"/api/release/upgrade", -1, "16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, tc.path, &endlessText{})
			r.ContentLength = tc.length
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			b.ServeHTTP(w, r)
			require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tc.limit)
		})
	}
}

func TestRequest_GivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(skipper.Errorf(skipper.CodeUnavailable, "the server stops"))
	b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
		return skipper.Release{}, skipper.Operation{}, ctx.Err()
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodDelete, "/api/release/one", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "the server stops")
}

func TestRouting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
		vary         bool
	}{
		{http.MethodGet, "/api/release/foo", 405, "DELETE", false},
		{http.MethodGet, "/api/release/foo/package", 405, "DELETE", false},
		{http.MethodGet, "/api/package/foo", 405, "DELETE", false},
		{http.MethodPost, "/api/release/upgrade/", 400, "", false},
		{http.MethodGet, "/api/Release", 404, "", true},
		{http.MethodGet, "/api//release", 404, "", true},
		{http.MethodGet, "/api/release/status", 405, "DELETE", false},
		{http.MethodOptions, "/api/release/upgrade", 200, "POST,DELETE,OPTIONS", false},
		{http.MethodOptions, "/api/about", 200, "GET,HEAD,OPTIONS", false},
		{http.MethodHead, "/api/about", 200, "", false},
		{http.MethodHead, "/api/repositories/search", 204, "", true},
		{http.MethodHead, "/api/repositories/search/findByName", 204, "", true},
		{http.MethodOptions, "/api", 200, "GET", true},
		{http.MethodOptions, "/api/profile", 200, "GET", true},
		{http.MethodOptions, "/api/profile/releases", 200, "GET", true},
		{http.MethodOptions, "/api/releases/search", 200, "GET", true},
		{http.MethodOptions, "/api/releases/1", 200, "GET,HEAD,OPTIONS", true},
		{http.MethodPost, "/api", 404, "", true},
		{http.MethodPost, "/api/profile", 404, "", true},
		{http.MethodPost, "/api/releases/search", 404, "", true},
		{http.MethodPost, "/api/repositories/search/findByName", 404, "", true},
		{http.MethodDelete, "/api/repositories/search", 405, "GET,HEAD,OPTIONS", true},
		{http.MethodDelete, "/api/jpaRepositoryStates", 405, "GET,HEAD,OPTIONS", true},
		{http.MethodDelete, "/api/jpaRepositoryStates/INITIAL", 405, "GET,HEAD,OPTIONS", true},
		{http.MethodGet, "/api/jpaRepositoryStates/search", 404, "", true},
		{http.MethodGet, "/actuator/health/db", 404, "", false},
		{http.MethodGet, "/actuator/env", 404, "", true},
		{http.MethodGet, "/api/release/status/a%2Fb", 400, "", false},
		{http.MethodDelete, "/api/release/a%5cb", 400, "", false},
		{http.MethodDelete, "/api/packageMetadata/1", 405, "GET,HEAD,OPTIONS", true},
		{http.MethodPatch, "/api/deployers", 404, "", true},
		{http.MethodGet, "/api/deployers/search/nope", 404, "", true},
		{http.MethodGet, "/api/profile/nope", 404, "", true},
		{http.MethodPost, "/", 302, "", false},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			t.Parallel()
			w := b.ask(tc.method, tc.path, "")
			require.Equal(t, tc.status, w.Code, w.Body)
			require.Equal(t, tc.allow, w.Header().Get("Allow"))
			require.Equal(t, tc.vary, len(w.Header().Values("Vary")) == 3)
		})
	}
}

func TestLinks_StandOnTheHostThatWasAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := httptest.NewRequest(http.MethodGet, "/api/repositories/?size=5", nil)
	r.Host = "skiff.example:80"
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	d := document(t, w.Body.String())
	self, _ := d.Links.Get("self")
	require.Equal(t, "http://skiff.example/api/repositories/?size=5", self.Href)
	profile, _ := d.Links.Get("profile")
	require.Equal(t, "http://skiff.example/api/profile/repositories", profile.Href)
}

func TestAbout(t *testing.T) {
	t.Parallel()
	w := setup(t).ask(http.MethodGet, "/api/about", "")
	require.JSONEq(t, `{"versionInfo":{"server":{"name":"skiff","version":"1.2.3"},
		"shell":{"name":"skiff shell","version":"1.2.3"}}}`, w.Body.String())
}

func TestDeployers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.platforms = []skipper.Platform{{ID: "p-1", Name: "default", Type: "local"}}
	w := b.ask(http.MethodGet, "/api/deployers/search/findByName?name=default", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Header()["ETag"])
	require.JSONEq(t, `{"name":"default","type":"local","description":"","options":[],"_links":{
		"self":{"href":"http://127.0.0.1:7577/api/deployers/p-1"},"deployer":{"href":"http://127.0.0.1:7577/api/deployers/p-1"}}}`,
		w.Body.String())
	w = b.ask(http.MethodGet, "/api/deployers/search/findByName?name=nope", "")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Empty(t, w.Body.String())
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pingError                   error
		stopping                    bool
		health, liveness, readiness string
	}{
		"up":       {nil, false, "200 UP", "200 UP", "200 UP"},
		"stopping": {nil, true, "200 UP", "200 UP", "503 OUT_OF_SERVICE"},
		"no store": {skipper.Errorf(skipper.CodeUnavailable, "gone"), false, "503 DOWN", "200 UP", "503 OUT_OF_SERVICE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pingError, b.stopping = tc.pingError, tc.stopping
			for path, want := range map[string]string{"": tc.health, "/liveness": tc.liveness, "/readiness": tc.readiness} {
				w := b.ask(http.MethodGet, "/actuator/health"+path, "")
				code, status, _ := strings.Cut(want, " ")
				require.Equal(t, code == "200", w.Code == http.StatusOK, path)
				require.Equal(t, `{"status":"`+status+`"}`, w.Body.String(), path)
			}
		})
	}
}
