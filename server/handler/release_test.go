package handler_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func document(t *testing.T, body string) hal.Document {
	t.Helper()
	d, err := hal.Parse([]byte(body))
	require.NoError(t, err, body)
	return d
}

func TestCommands_HandTheRequestOver(t *testing.T) {
	t.Parallel()
	version, timeout, count := 0, int64(60000), 2
	raw := "a: b"
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		want               any
	}{
		"install": {
			http.MethodPost, "/api/package/install",
			`{"packageIdentifier":{"packageName":"hello","packageVersion":null},"installProperties":
			{"releaseName":"one","platformName":"default","configValues":{"raw":"a: b"}},"colour":"red"}`,
			http.StatusCreated,
			skipper.InstallRequest{
				PackageIdentifier: &skipper.PackageIdentifier{PackageName: "hello"},
				InstallProperties: &skipper.InstallProperties{
					ReleaseName: "one", PlatformName: "default", ConfigValues: &skipper.ConfigValues{Raw: &raw},
				},
			},
		},
		"install by id": {
			http.MethodPost, "/api/package/install/5", `{"releaseName":"one"}`,
			http.StatusCreated,
			installByID{5, skipper.InstallProperties{ReleaseName: "one"}},
		},
		"upgrade, scalars of other types": {
			http.MethodPost, "/api/release/upgrade/",
			`{"upgradeProperties":{"releaseName":7},"timeout":"60000","force":"true","appNames":["a",1]}`,
			http.StatusCreated,
			skipper.UpgradeRequest{
				UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: "7"}, Timeout: &timeout, Force: true,
				AppNames: []string{"a", "1"},
			},
		},
		"upgrade, nulls": {
			http.MethodPost, "/api/release/upgrade", `{"timeout":null,"force":null,"appNames":null}`,
			http.StatusCreated,
			skipper.UpgradeRequest{},
		},
		"rollback": {
			http.MethodPost, "/api/release/rollback", `{"releaseName":"one","version":"","timeout":60000.9}`,
			http.StatusCreated,
			skipper.RollbackRequest{ReleaseName: "one", Timeout: &timeout},
		},
		"rollback by path": {
			http.MethodPost, "/api/release/rollback/o%20e/0", "",
			http.StatusCreated,
			skipper.RollbackRequest{ReleaseName: "o e", Version: &version},
		},
		"scale": {
			http.MethodPost, "/api/release/scale/one", `{"scale":[{"name":"a","count":2,"properties":{"k":1}}]}`,
			http.StatusCreated,
			scaling{"one", skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{
				{Name: "a", Count: &count, Properties: map[string]string{"k": "1"}},
			}}},
		},
		"delete":                    {http.MethodDelete, "/api/release/o*", "", http.StatusOK, deletion{"o*", false}},
		"delete with package":       {http.MethodDelete, "/api/release/one/package", "", http.StatusOK, deletion{"one", true}},
		"delete one that is a verb": {http.MethodDelete, "/api/release/list", "", http.StatusOK, deletion{"list", false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var got any
			b.releases.command = func(request any) (skipper.Release, skipper.Operation, error) {
				got = request
				return skipper.Release{Name: "one"}, skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeSucceeded}, nil
			}
			w := b.ask(tc.method, tc.path, tc.body)
			require.Equal(t, tc.status, w.Code, w.Body)
			require.Empty(t, cmp.Diff(tc.want, got, cmp.AllowUnexported(installByID{}, deletion{}, scaling{})))
			operation, found := document(t, w.Body.String()).Links.Get("operation")
			require.True(t, found)
			require.Equal(t, recordedBase+"/api/operations/op-1", operation.Href)
		})
	}
}

func TestRelease_LinksToWhatIsLegalNow(t *testing.T) {
	t.Parallel()
	always := []string{"status", "release", "logs"}
	for name, tc := range map[string]struct {
		status    skipper.StatusCode
		operation skipper.Operation
		want      []string
	}{
		"deployed": {skipper.StatusDeployed, skipper.Operation{}, []string{"upgrade", "rollback", "delete"}},
		"deleted":  {skipper.StatusDeleted, skipper.Operation{}, []string{"upgrade", "rollback"}},
		"upgrading": {
			skipper.StatusUnknown,
			skipper.Operation{ID: "o", State: skipper.StateUpgradeWait, Outcome: skipper.OutcomeRunning},
			[]string{"operation", "cancel"},
		},
		"past the point of no return": {
			skipper.StatusDeployed,
			skipper.Operation{ID: "o", State: skipper.StateUpgradeDelete, Outcome: skipper.OutcomeRunning},
			[]string{"operation"},
		},
		"being cancelled": {
			skipper.StatusUnknown,
			skipper.Operation{ID: "o", State: skipper.StateUpgradeWait, Outcome: skipper.OutcomeRunning, Cancel: true},
			[]string{"operation"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			release := skipper.Release{ID: 7, Name: "o e/1", Version: 2}
			release.Info.Status.StatusCode = tc.status
			b.releases.releases = []skipper.Release{release}
			if tc.operation.ID != "" {
				tc.operation.ReleaseName = release.Name
				b.operations.operations = []skipper.Operation{tc.operation}
			}
			items := document(t, b.ask(http.MethodGet, "/api/release/list", "").Body.String()).Embedded("releases")
			require.Len(t, items, 1)
			require.Equal(t, append(always, tc.want...), items[0].Links.Relations())
			logs, _ := items[0].Links.Get("logs")
			require.Equal(t, recordedBase+"/api/release/logs/o%20e%2F1", logs.Href)
			var fields struct {
				Pkg struct{ Templates, Dependencies, FileHolders []any }
			}
			require.NoError(t, items[0].Decode(&fields))
			require.NotNil(t, fields.Pkg.Templates)
			require.NotNil(t, fields.Pkg.Dependencies)
			require.NotNil(t, fields.Pkg.FileHolders)
		})
	}
}

func TestCommand_FailedOperationIsLinked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
		return skipper.Release{}, skipper.Operation{ID: "op-2"}, skipper.Errorf(skipper.CodeConflict, "no room")
	}
	w := b.ask(http.MethodDelete, "/api/release/one", "")
	require.Equal(t, http.StatusConflict, w.Code)
	require.Contains(t, w.Body.String(), `"message":"no room"`)
	link, found := document(t, w.Body.String()).Links.Get("operation")
	require.True(t, found)
	require.Equal(t, recordedBase+"/api/operations/op-2", link.Href)
}

func TestStatus_Versions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	asked := map[string]int{}
	b.releases.info = func(name string, version int) (skipper.Info, error) {
		asked[name] = version
		return skipper.Info{}, nil
	}
	require.Equal(t, http.StatusOK, b.ask(http.MethodGet, "/api/release/status/newest", "").Code)
	require.Equal(t, http.StatusOK, b.ask(http.MethodGet, "/api/release/status/third/3", "").Code)
	require.Equal(t, map[string]int{"newest": 0, "third": 3}, asked)

	w := b.ask(http.MethodGet, "/api/release/status/none/0", "")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), `"message":"Release with the name [none] and version [0] doesn't exist"`)
	require.NotContains(t, asked, "none")

	w = b.ask(http.MethodGet, "/api/release/status/one/x", "", "Accept", "application/hal+json")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), `"message":"Failed to convert value of type 'java.lang.String' to required type `+
		`'java.lang.Integer'; nested exception is java.lang.NumberFormatException: For input string: \"x\""`)
	require.Contains(t, w.Body.String(), "MethodArgumentTypeMismatchException")
}

func TestStatuses_NeedsNames(t *testing.T) {
	t.Parallel()
	w := setup(t).ask(http.MethodGet, "/api/release/statuses", "")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), `"exception":"org.springframework.web.bind.MissingServletRequestParameterException",`+
		`"message":"Required request parameter 'names' for method parameter type String[] is not present"`)
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.logs = func(name, deployment string) (skipper.LogInfo, error) {
		if deployment == "" {
			return skipper.LogInfo{}, nil
		}
		return skipper.LogInfo{Logs: map[string]string{name + "/" + deployment: "text"}}, nil
	}
	require.JSONEq(t, `{"logs":{}}`, b.ask(http.MethodGet, "/api/release/logs/one", "").Body.String())
	require.JSONEq(t, `{"logs":{"one/one.a-v1":"text"}}`, b.ask(http.MethodGet, "/api/release/logs/one/one.a-v1", "").Body.String())
}

func TestCancel_LinksToTheOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.cancel = func(r skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error) {
		require.Equal(t, "one", r.ReleaseName)
		return skipper.CancelResponse{Accepted: true}, &skipper.Operation{ID: "op-3"}, nil
	}
	w := b.ask(http.MethodPost, "/api/release/cancel", `{"releaseName":"one"}`)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, `{"accepted":true,"_links":{"operation":{"href":"http://127.0.0.1:7577/api/operations/op-3"}}}`,
		w.Body.String())
}

func TestHistory_NeedsAName(t *testing.T) {
	t.Parallel()
	w := setup(t).ask(http.MethodGet,
		"/api/releases/search/findByNameIgnoreCaseContainingOrderByNameAscVersionDesc", "")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "the parameter name is missing")
}

func TestReleaseItem_ETagIsTheObjectVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.releases = []skipper.Release{{ID: 7, Name: "one", ObjectVersion: 4}}
	for name, tc := range map[string]struct {
		method string
		header []string
		status int
	}{
		"plain":                    {http.MethodGet, nil, http.StatusOK},
		"head":                     {http.MethodHead, nil, http.StatusNoContent},
		"known":                    {http.MethodGet, []string{"If-None-Match", `"4"`}, http.StatusNotModified},
		"known among others":       {http.MethodGet, []string{"If-None-Match", `"1", W/"4"`}, http.StatusNotModified},
		"known without quotes":     {http.MethodGet, []string{"If-None-Match", `4`}, http.StatusNotModified},
		"any":                      {http.MethodGet, []string{"If-None-Match", `*`}, http.StatusNotModified},
		"older":                    {http.MethodGet, []string{"If-None-Match", `"3"`}, http.StatusOK},
		"date":                     {http.MethodGet, []string{"If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"}, http.StatusNotModified},
		"date does not outvote it": {http.MethodGet, []string{"If-None-Match", `"3"`, "If-Modified-Since", "x"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := b.ask(tc.method, "/api/releases/7", "", tc.header...)
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, []string{`"4"`}, w.Header()["ETag"])
			require.Len(t, w.Header().Values("Vary"), 3)
			require.Equal(t, tc.status != http.StatusOK, w.Body.Len() == 0)
			if tc.method == http.MethodHead {
				require.Equal(t, `<http://127.0.0.1:7577/api/releases/7>;rel="self",`+
					`<http://127.0.0.1:7577/api/releases/7>;rel="release"`, w.Header().Get("Link"))
			}
		})
	}
}

// TestCommand_WaitEndedByTheServer sees the reason of the server, not that of the service, and the operation.
func TestCommand_WaitEndedByTheServer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
		cancel(skipper.Errorf(skipper.CodeUnavailable, "the server stops"))
		return skipper.Release{}, skipper.Operation{ID: "op-4"}, skipper.Errorf(skipper.CodeCancelled, "it goes on")
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodDelete, "/api/release/one", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "the server stops")
	require.Contains(t, w.Body.String(), "/api/operations/op-4")
}

func TestErrors_EveryCode(t *testing.T) {
	t.Parallel()
	const skipperPackage = "org.springframework.cloud.skipper."
	want := map[skipper.Code]struct {
		status int
		class  string
	}{
		skipper.CodeInvalid:         {400, "SkipperException"},
		skipper.CodeNotFound:        {404, "SkipperException"},
		skipper.CodeReleaseNotFound: {404, "ReleaseNotFoundException"},
		skipper.CodeConflict:        {409, "SkipperException"},
		skipper.CodeBusy:            {409, "SkipperException"},
		skipper.CodePackageDelete:   {409, "PackageDeleteException"},
		skipper.CodeReleaseUpgrade:  {409, "ReleaseUpgradeException"},
		skipper.CodeUnsupported:     {501, "SkipperException"},
		skipper.CodeUnauthorized:    {401, "SkipperException"},
		skipper.CodeForbidden:       {403, "SkipperException"},
		skipper.CodeTooLarge:        {413, "SkipperException"},
		skipper.CodeUnavailable:     {503, "SkipperException"},
		skipper.CodeTimeout:         {504, "SkipperException"},
		skipper.CodeCancelled:       {409, "SkipperException"},
		skipper.CodeInternal:        {500, "SkipperException"},
	}
	for _, code := range skipper.Codes() {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			require.Contains(t, want, code)
			b := setup(t)
			b.catalog.err = skipper.Errorf(code, "the reason: %w", errors.New("secret cause"))
			w := b.ask(http.MethodDelete, "/api/package/x", "")
			require.Equal(t, want[code].status, w.Code)
			body := w.Body.String()
			require.Contains(t, body, `"exception":"`+skipperPackage+want[code].class+`"`)
			require.Contains(t, body, `"error":"`+http.StatusText(want[code].status)+`"`)
			require.Equal(t, code != skipper.CodeInternal, strings.Contains(body, "the reason"))
			require.Equal(t, code == skipper.CodeInternal, strings.Contains(b.log.String(), "secret cause"))
		})
	}
}

func TestErrors_BusyLinksToTheOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
		return skipper.Release{}, skipper.Operation{}, skipper.Busy("DELETE", "op-9")
	}
	w := b.ask(http.MethodDelete, "/api/release/one", "")
	require.Equal(t, http.StatusConflict, w.Code)
	require.Equal(t, `{"timestamp":"2026-11-22T22:49:57.073+00:00","status":409,"error":"Conflict",`+
		`"exception":"org.springframework.cloud.skipper.SkipperException",`+
		`"message":"Statemachine is not in state ready to do DELETE","path":"/api/release/one",`+
		`"_links":{"operation":{"href":"http://127.0.0.1:7577/api/operations/op-9"}}}`, w.Body.String())
}

func TestErrors_ReleaseNotFoundNamesIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.manifest = func(name string, version int) (skipper.Manifest, error) {
		return skipper.Manifest{}, skipper.ReleaseNotFound(name, version)
	}
	w := b.ask(http.MethodGet, "/api/release/manifest/one/9", "")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), `"message":"Release with the name [one] and version [9] doesn't exist",`+
		`"path":"/api/release/manifest/one/9","releaseName":"one","version":9}`)
}
