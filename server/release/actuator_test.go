package release_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/release"
)

// deployedStore has the deployed version of the release duo.
type deployedStore struct{}

func (deployedStore) LatestRelease(_ context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error) {
	if name != "duo" || len(among) != 1 || among[0] != skipper.StatusDeployed {
		return skipper.Release{}, skipper.ReleaseNotFound(name, 0)
	}
	return skipper.Release{Name: name, Version: 3}, nil
}

// oneInstance is where the instance duo.ping-v1-0 answers, with the credentials of its account.
type oneInstance struct{ base string }

func (i oneInstance) Instance(_ context.Context, rel skipper.Release, deploymentID, guid string) (
	*url.URL, http.Header, error,
) {
	if rel.Version != 3 || deploymentID != "duo.ping-v1" || guid != "duo.ping-v1-0" {
		return nil, nil, skipper.Errorf(skipper.CodeNotFound, "no such instance")
	}
	base, err := url.Parse(i.base)
	return base, http.Header{"Authorization": {"Basic of-the-account"}, "X-Cf-App-Instance": {"guid:0"}}, err
}

// actuatorApp answers as a test says, and remembers what it was asked.
type actuatorApp struct {
	*httptest.Server
	asked  []*http.Request
	bodies []string
}

func serveApplication(t *testing.T, answer http.HandlerFunc) *actuatorApp {
	t.Helper()
	a := &actuatorApp{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			a.asked, a.bodies = append(a.asked, r), append(a.bodies, string(body))
		}
		answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func askDuo(t *testing.T, base string, config release.ActuatorConfig, request skipper.ActuatorRequest) (string, error) {
	t.Helper()
	a := release.NewActuator(deployedStore{}, oneInstance{base}, config)
	body, err := a.Actuator(t.Context(), "duo", "duo.ping-v1", "duo.ping-v1-0", request)
	return string(body), err
}

func TestActuator_Asks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		path    string // of the instance's URL
		request skipper.ActuatorRequest
		uri     string
		auth    string
	}{
		"get": {"", skipper.ActuatorRequest{Method: "GET", Endpoint: "/info"}, "/actuator/info", "Basic of-the-account"},
		"without a slash": {
			"/", skipper.ActuatorRequest{Method: "GET", Endpoint: "info"}, "/actuator/info", "Basic of-the-account",
		},
		"the index": {"", skipper.ActuatorRequest{Method: "GET"}, "/actuator", "Basic of-the-account"},
		"a path of its own": {
			"/manage/", skipper.ActuatorRequest{Method: "GET", Endpoint: "/info"}, "/manage/info", "Basic of-the-account",
		},
		"the caller's credentials": {
			"",
			skipper.ActuatorRequest{Method: "GET", Endpoint: "/info", Authorization: "Bearer mine"},
			"/actuator/info", "Bearer mine",
		},
		"a query": {
			"",
			skipper.ActuatorRequest{Method: "GET", Endpoint: "/metrics/a.b?tag=area:heap&tag=id:G1 Old?x"},
			"/actuator/metrics/a.b?tag=area:heap&tag=id:G1%20Old%3Fx", "Basic of-the-account",
		},
		"what is encoded stays so": {
			"",
			skipper.ActuatorRequest{Method: "GET", Endpoint: "/env/%2e%2e/a b"},
			"/actuator/env/%252e%252e/a%20b", "Basic of-the-account",
		},
		"another host is a path": {
			"", skipper.ActuatorRequest{Method: "GET", Endpoint: "@evil:80/x"}, "/actuator/@evil:80/x", "Basic of-the-account",
		},
		"post": {
			"",
			skipper.ActuatorRequest{Method: "POST", Endpoint: "/loggers/ROOT", Body: []byte(`{"a":1}`)},
			"/actuator/loggers/ROOT", "Basic of-the-account",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := serveApplication(t, say("hello"))
			got, err := askDuo(t, app.URL+tc.path, release.ActuatorConfig{}, tc.request)
			require.NoError(t, err)
			require.Equal(t, "hello", got)
			require.Len(t, app.asked, 1)
			r := app.asked[0]
			require.Equal(t, tc.request.Method, r.Method)
			require.Equal(t, tc.uri, r.RequestURI)
			require.Equal(t, string(tc.request.Body), app.bodies[0])
			require.Empty(t, cmp.Diff([]string{tc.auth, "guid:0", "application/json, */*;q=0.1", "application/json"}, []string{
				r.Header.Get("Authorization"), r.Header.Get("X-Cf-App-Instance"), r.Header.Get("Accept"),
				r.Header.Get("Content-Type"),
			}))
		})
	}
}

func TestActuator_StaysBelowTheActuator(t *testing.T) {
	t.Parallel()
	app := serveApplication(t, say("secret"))
	for _, endpoint := range []string{
		"/../env", "..", "/a/../../b", "/a/..;x=1/b", "/./a", `/..\b`, `\\evil`, "//evil/x", "http://evil/x", "/a#b",
		"/a\r\nX-Evil: 1", "/a?b\nc", "/a\x00", "/\xff",
	} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			_, err := askDuo(t, app.URL, release.ActuatorConfig{}, skipper.ActuatorRequest{Method: "GET", Endpoint: endpoint})
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
			require.ErrorContains(t, err, "the endpoint must be a path")
			require.Empty(t, app.asked)
		})
	}
}

func TestActuator_Refusals(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]skipper.Code{
		304: skipper.CodeUnavailable, 400: skipper.CodeInvalid, 401: skipper.CodeForbidden, 403: skipper.CodeForbidden,
		404: skipper.CodeNotFound, 405: skipper.CodeInvalid, 409: skipper.CodeConflict, 429: skipper.CodeUnavailable,
		500: skipper.CodeUnavailable, 503: skipper.CodeUnavailable,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			app := serveApplication(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "{\"why\":\n \"because\x07\"}"+strings.Repeat("x", 5000))
			})
			_, err := askDuo(t, app.URL, release.ActuatorConfig{}, skipper.ActuatorRequest{
				Method: "GET", Endpoint: "/a?token=t", Authorization: "Bearer mine",
			})
			require.Equal(t, want, skipper.CodeOf(err))
			message := skipper.MessageOf(err)
			require.Contains(t, message, "the application at "+app.URL+"/actuator/a ")
			if status >= http.StatusBadRequest {
				require.Contains(t, message, `{"why": "because"}xxx`)
			}
			require.Less(t, len(message), 700)
			require.NotContains(t, err.Error(), "mine")
			require.NotContains(t, err.Error(), "token")
		})
	}
}

func TestActuator_FollowsRedirectsWithinTheInstanceOnly(t *testing.T) {
	t.Parallel()
	other := serveApplication(t, say("other"))
	app := serveApplication(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/actuator/here":
			http.Redirect(w, r, "/actuator/there", http.StatusFound)
		case "/actuator/round":
			http.Redirect(w, r, "/actuator/round", http.StatusFound)
		case "/actuator/beside":
			http.Redirect(w, r, "/admin/secret", http.StatusFound)
		case "/actuator/out":
			http.Redirect(w, r, other.URL+"/actuator/there", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "there")
		}
	})
	ask := func(endpoint string) (string, error) {
		return askDuo(t, app.URL, release.ActuatorConfig{}, skipper.ActuatorRequest{Method: "GET", Endpoint: endpoint})
	}
	got, err := ask("/here")
	require.NoError(t, err)
	require.Equal(t, "there", got)
	for _, endpoint := range []string{"/out", "/round", "/beside"} {
		_, err = ask(endpoint)
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
		require.ErrorContains(t, err, "redirects to elsewhere (302)")
	}
	require.Empty(t, other.asked)
}

func TestActuator_OfAnApplicationThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	get := skipper.ActuatorRequest{Method: "GET", Endpoint: "/a"}
	silent := serveApplication(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := askDuo(t, silent.URL, release.ActuatorConfig{Timeout: 20 * time.Millisecond}, get)
	require.Equal(t, skipper.CodeTimeout, skipper.CodeOf(err))
	require.ErrorContains(t, err, "did not answer in 20ms")

	wordy := serveApplication(t, say(strings.Repeat("x", 101)))
	_, err = askDuo(t, wordy.URL, release.ActuatorConfig{Limit: 100}, get)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "larger than 100 bytes")
	got, err := askDuo(t, wordy.URL, release.ActuatorConfig{Limit: 101}, get)
	require.NoError(t, err)
	require.Len(t, got, 101)

	cutOff := serveApplication(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "x")
	})
	_, err = askDuo(t, cutOff.URL, release.ActuatorConfig{}, get)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))

	cutOff.Close()
	_, err = askDuo(t, cutOff.URL, release.ActuatorConfig{}, get)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "connection refused")

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a := release.NewActuator(deployedStore{}, oneInstance{wordy.URL}, release.ActuatorConfig{})
	_, err = a.Actuator(gone, "duo", "duo.ping-v1", "duo.ping-v1-0", get)
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(err))
}

func TestActuator_OfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	a := release.NewActuator(deployedStore{}, oneInstance{}, release.ActuatorConfig{})
	_, err := a.Actuator(t.Context(), "nope", "x", "y", skipper.ActuatorRequest{Method: "GET"})
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))
	_, err = a.Actuator(t.Context(), "duo", "x", "y", skipper.ActuatorRequest{Method: "GET"})
	require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err))
}

func FuzzActuator(f *testing.F) {
	for _, seed := range []string{"/info", "a?b=c", "..", "/..;/x", "%2e", "//x", "?", "/a?b?c#d"} {
		f.Add(seed)
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	f.Cleanup(app.Close)
	f.Fuzz(func(t *testing.T, endpoint string) {
		path, err := askDuo(t, app.URL, release.ActuatorConfig{}, skipper.ActuatorRequest{Method: "GET", Endpoint: endpoint})
		if err != nil {
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), endpoint)
			return
		}
		require.True(t, path == "/actuator" || strings.HasPrefix(path, "/actuator/"), path)
		require.NotContains(t, strings.Split(path, "/"), "..")
	})
}

// An application may print what it was asked with; who it was asked by stays between the two.
func TestActuator_HidesCredentialsThatAnApplicationRepeats(t *testing.T) {
	t.Parallel()
	app := serveApplication(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		http.Error(w, r.Header.Get("Authorization")+" "+user+" "+password, http.StatusInternalServerError)
	})
	_, err := askDuo(t, app.URL, release.ActuatorConfig{}, skipper.ActuatorRequest{
		Method: "GET", Endpoint: "/health", Authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte("boss:hush")),
	})
	require.ErrorContains(t, err, "boss ***")
	require.NotContains(t, err.Error(), "hush")
	require.NotContains(t, err.Error(), base64.StdEncoding.EncodeToString([]byte("boss:hush")))
}
