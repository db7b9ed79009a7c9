package app_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/cmd/internal/app"
	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stopLimit is more than the server promises, so that a slow machine is no failure.
const stopLimit = 15 * time.Second

func options(dir string) app.Options {
	return app.Options{
		Version: "1.2.3", Port: new(0), DataDir: &dir, Environ: []string{}, Out: io.Discard, Err: io.Discard, Clock: time.Now,
	}
}

// running is a server in this process.
type running struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	done chan error
	said *syncBuffer
}

func run(t *testing.T, o app.Options) *running {
	t.Helper()
	s := &running{t: t, done: make(chan error, 1), said: &syncBuffer{}}
	o.Out = s.said
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { s.done <- app.Run(ctx, o) }()
	t.Cleanup(s.stop)
	require.Eventually(t, func() bool { return strings.Count(s.said.String(), "\n") == 2 || len(s.done) > 0 },
		20*time.Second, time.Millisecond)
	if len(s.done) > 0 {
		require.NoError(t, <-s.done)
	}
	first, _, _ := strings.Cut(s.said.String(), "\n")
	_, s.url, _ = strings.Cut(first, " listens on ")
	return s
}

// end stops the server as SIGTERM does; it must end in time and without an error.
func (s *running) end() {
	s.t.Helper()
	s.stop()
	select {
	case err := <-s.done:
		require.NoError(s.t, err)
	case <-time.After(stopLimit):
		require.Fail(s.t, "the server does not stop")
	}
}

func (s *running) client() *client.Client {
	s.t.Helper()
	c, err := client.New(s.url)
	require.NoError(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func configuration(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "skiff.yml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRun_StartsAnswersAndStops(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "by", "the server")
	s := run(t, options(dir))
	require.Equal(t, "skiff 1.2.3 listens on "+s.url+"\nnext: SKIFF_URL="+s.url+
		" skiff package upload testdata/packages/hello-1.0.0\n", s.said.String())
	c := s.client()
	require.NoError(t, c.Ready(t.Context()))
	about, err := c.About(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1.2.3", about.Version)
	platforms, err := c.Platforms(t.Context())
	require.NoError(t, err)
	require.Len(t, platforms, 1)
	require.Equal(t, "default", platforms[0].Name)
	require.Equal(t, "local", platforms[0].Type)
	repositories, err := c.Repositories(t.Context())
	require.NoError(t, err)
	require.Len(t, repositories, 1)
	require.True(t, repositories[0].Local)
	s.end()
	require.FileExists(t, filepath.Join(dir, "skiff.db"))
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(c.Ready(t.Context())), "nobody listens any more")
}

func TestRun_AgainOnTheSameFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		s := run(t, options(dir))
		require.NoError(t, s.client().Ready(t.Context()))
		s.end()
	}
}

func TestRun_ASecondServerOnAFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := run(t, options(dir))
	err := app.Run(t.Context(), options(dir))
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
	require.Contains(t, skipper.MessageOf(err), dir)
	require.NoError(t, s.client().Ready(t.Context()), "the first one goes on")
	s.end()
	s = run(t, options(dir))
	s.end()
}

func TestRun_OnAPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	address, ok := taken.Addr().(*net.TCPAddr)
	require.True(t, ok)
	o := options(t.TempDir())
	o.Port = &address.Port
	said := &syncBuffer{}
	o.Out = said
	err = app.Run(t.Context(), o)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
	require.Contains(t, skipper.MessageOf(err), "cannot listen on "+taken.Addr().String())
	require.Contains(t, skipper.MessageOf(err), "--port")
	require.Empty(t, said.String())
	o.Port = new(0)
	run(t, o).end() // the folder is free again
}

func TestNew_OfAConfigurationThatIsWrong(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"server:\n  prot: 7577\n":            "server.port",
		"server:\n  port: many\n":            "server.port",
		"healthcheck:\n  period: sometime\n": "healthcheck.period",
	} {
		o := options(t.TempDir())
		o.Port, o.Config = nil, configuration(t, text)
		_, err := app.New(t.Context(), o)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
		require.Contains(t, skipper.MessageOf(err), message)
		require.NoFileExists(t, filepath.Join(*o.DataDir, "skiff.db"), "nothing is made")
	}
	o := options(t.TempDir())
	o.Config = filepath.Join(t.TempDir(), "nowhere.yml")
	_, err := app.New(t.Context(), o)
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
	require.Contains(t, skipper.MessageOf(err), "nowhere.yml")
}

func TestNew_OfADataFolderThatIsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := app.New(t.Context(), options(file))
	require.Error(t, err)
	require.NotEqual(t, skipper.CodeInternal, skipper.CodeOf(err), "%v", err)
	require.Contains(t, skipper.MessageOf(err), file)
}

// Accounts and package repositories are those of the configuration; remote ones are read in the background, and one
// that does not answer keeps the server neither from starting nor from stopping.
func TestRun_AccountsAndRepositories(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\n"+
			"name: far\nversion: 1.0.0\n")
	}))
	t.Cleanup(web.Close)
	asked := make(chan struct{}, 1)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	o := options(t.TempDir())
	o.Config = configuration(t, `
platform: {local: {accounts: {zebra: {}, ape: {shutdown-timeout: 5s}}}}
repositories:
  mine: {local: true, repo-order: 3, description: For uploads}
  remote: {url: "`+web.URL+`", repo-order: 1}
  silent: {url: "`+silent.URL+`", repo-order: 2}
`)
	s := run(t, o)
	c := s.client()
	platforms, err := c.Platforms(t.Context())
	require.NoError(t, err)
	require.Len(t, platforms, 2)
	require.Equal(t, "ape", platforms[0].Name)
	require.Equal(t, "zebra", platforms[1].Name)
	repositories, err := c.Repositories(t.Context())
	require.NoError(t, err)
	orders := map[string]int{}
	for _, r := range repositories {
		orders[r.Name] = *r.RepoOrder
	}
	require.Equal(t, map[string]int{"mine": 3, "remote": 1, "silent": 2}, orders)
	require.Equal(t, "For uploads", *repositories[0].Description)
	require.True(t, repositories[0].Local)
	require.Eventually(t, func() bool {
		packages, err := c.Packages(t.Context())
		return err == nil && len(packages) == 1 && packages[0].Name == "far"
	}, 20*time.Second, 10*time.Millisecond)
	<-asked
	s.end()
}

// A repository keeps its first URL; a changed configuration is told of.
func TestRun_ARepositoryWithAnotherURLStays(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	for _, port := range []string{"1", "2"} {
		o.Config = configuration(t, "repositories: {remote: {url: 'http://127.0.0.1:"+port+"'}}\n")
		log := &syncBuffer{}
		o.Err = log
		s := run(t, o)
		repositories, err := s.client().Repositories(t.Context())
		require.NoError(t, err)
		for _, r := range repositories {
			if r.Name == "remote" {
				require.Equal(t, "http://127.0.0.1:1", r.URL)
			}
		}
		s.end()
		require.Equal(t, port == "2", strings.Contains(log.String(), "known with another URL"), log.String())
	}
}

func TestRun_LogsInJSON(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Environ = []string{"SKIFF_LOG_FORMAT=json"}
	log := &syncBuffer{}
	o.Err = log
	run(t, o).end()
	require.Contains(t, log.String(), `"msg":"the server stops; applications keep running"`)
}

// The server is told to stop while a request waits for it: the client hears of it, and nothing hangs.
func TestRun_StopsWithAnOpenConnection(t *testing.T) {
	t.Parallel()
	s := run(t, options(t.TempDir()))
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	_, err = io.WriteString(connection, "GET /api/about HTTP/1.1\r\nHost: x\r\n") // and no more
	require.NoError(t, err)
	s.end()
}
