package server_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server"
	"github.com/skiff-project/skiff/server/handler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Embedded by these names, the services do not hide their methods Releases and Operations.
type (
	releaseService   = handler.Releases
	operationService = handler.Operations
)

// fakeReleases has one read, which tests fill, and a command that waits for its request to end.
type fakeReleases struct {
	releaseService
	manifest func() (skipper.Manifest, error)
	begun    chan struct{}
}

func (f *fakeReleases) Manifest(context.Context, string, int) (skipper.Manifest, error) {
	return f.manifest()
}

func (f *fakeReleases) Delete(ctx context.Context, _ string, _ bool, _ skipper.CommandOptions) (skipper.Release, skipper.Operation, error) {
	close(f.begun)
	<-ctx.Done()
	return skipper.Release{}, skipper.Operation{}, ctx.Err()
}

type fakeCatalog struct{ handler.Catalog }

type fakeOperations struct{ operationService }

type bench struct {
	*server.Server
	releases *fakeReleases
	log      *syncLog
}

type syncLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncLog) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncLog) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func setup(t *testing.T) *bench {
	t.Helper()
	return setupWith(t, 0)
}

func setupWith(t *testing.T, linger time.Duration) *bench {
	t.Helper()
	b := &bench{releases: &fakeReleases{begun: make(chan struct{})}, log: &syncLog{}}
	logger := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.Server = server.New(server.Config{
		Address: "127.0.0.1", Clock: time.Now, Logger: logger, Drain: 10 * time.Millisecond, Linger: linger,
		Handler: handler.Config{
			Catalog: fakeCatalog{}, Releases: b.releases, Operations: fakeOperations{},
			Clock: time.Now, Logger: logger,
		},
	})
	return b
}

func (b *bench) ask(path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

// start listens and serves; the function it gives waits for the end of Serve.
func (b *bench) start(t *testing.T) (base string, ended func() error) {
	t.Helper()
	address, err := b.Listen(t.Context())
	require.NoError(t, err)
	result := make(chan error, 1)
	go func() { result <- b.Serve() }()
	return "http://" + address.String(), func() error { return <-result }
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Len(t, b.ask("/api").Header().Get("X-Request-Id"), 36)
	require.Equal(t, "mine-1", b.ask("/api", "X-Request-Id", "mine-1").Header().Get("X-Request-Id"))
	for _, bad := range []string{"a b", "a\"b", strings.Repeat("a", 65)} {
		require.Len(t, b.ask("/api", "X-Request-Id", bad).Header().Get("X-Request-Id"), 36)
	}
	require.Contains(t, b.log.String(), "request=mine-1")
	require.Contains(t, b.log.String(), "status=200")
	b.ask("/api/webhooks/edgegap/live/s3cr3t")
	require.Contains(t, b.log.String(), "/api/webhooks/")
	require.NotContains(t, b.log.String(), "s3cr3t", "the path of a webhook is a secret")
}

func TestPanic_IsAnInternalErrorWithoutInternals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.manifest = func() (skipper.Manifest, error) { panic("the secret") }
	w := b.ask("/api/release/manifest/one", "X-Request-Id", "r-1")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "secret")
	var problem struct{ Message, Path string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem))
	require.Equal(t, "/api/release/manifest/one", problem.Path)
	require.Contains(t, problem.Message, "internal error")
	require.Contains(t, b.log.String(), "the secret")
	require.Contains(t, b.log.String(), "request=r-1")
	require.Contains(t, b.log.String(), "status=500")
}

func TestServe_AnswersUntilShutdown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base, ended := b.start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/actuator/health/readiness", nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)

	require.NoError(t, b.Shutdown(t.Context()))
	require.NoError(t, ended())
	require.NoError(t, b.Shutdown(t.Context()))
	_, err = client.Do(request)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, b.ask("/actuator/health/readiness").Code)
}

func TestShutdown_EndsRequestsThatWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base, ended := b.start(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, base+"/api/release/one", nil)
	require.NoError(t, err)
	type result struct {
		status int
		body   string
	}
	answered := make(chan result, 1)
	go func() {
		response, err := client.Do(request)
		if err != nil {
			answered <- result{body: err.Error()}
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answered <- result{response.StatusCode, string(body)}
	}()
	<-b.releases.begun

	require.NoError(t, b.Shutdown(t.Context()))
	require.NoError(t, ended())
	got := <-answered
	require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
	require.Contains(t, got.body, "the server stops")
}

func TestListen_AddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }() // it only took the port
	address, ok := taken.Addr().(*net.TCPAddr)
	require.True(t, ok)
	s := server.New(server.Config{
		Address: "127.0.0.1", Port: address.Port, Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Handler: handler.Config{Catalog: fakeCatalog{}, Releases: &fakeReleases{}, Operations: fakeOperations{}},
	})
	_, err = s.Listen(t.Context())
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "--port")
	require.Error(t, s.Serve())
	require.NoError(t, s.Shutdown(t.Context()))
}

func TestHost_ThatNoneCanHaveIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := httptest.NewRequest(http.MethodGet, "/api", nil)
	r.Host = strings.Repeat("a", 300)
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Less(t, w.Body.Len(), 500)
}

// Load balancers take a server out when readiness says no, and only then is it gone.
func TestShutdown_LingersNotReady(t *testing.T) {
	t.Parallel()
	b := setupWith(t, time.Minute)
	base, ended := b.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- b.Shutdown(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/actuator/health/readiness", nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err, "it goes on answering")
		require.NoError(t, response.Body.Close())
		return response.StatusCode == http.StatusServiceUnavailable
	}, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-stopped)
	require.NoError(t, ended())
}
