package local_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// appsVariable tells processes that are this test binary once more where the sample application is.
const appsVariable = "SKIFF_TEST_APPS"

// TestMain builds the sample application once, or is the server of a test that kills one.
func TestMain(m *testing.M) {
	if mode := os.Getenv(serverVariable); mode != "" {
		os.Exit(serve(mode))
	}
	dir, err := os.MkdirTemp("", "skiff-local-")
	if err == nil {
		err = build(filepath.Join(dir, "hello-1.0.0"))
	}
	if err == nil {
		err = os.Setenv(appsVariable, dir)
	}
	if err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build(target string) error {
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version=1.0.0", "-o", target, "../../../testdata/apps/hello")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the sample application: %w\n%s", err, out)
	}
	return nil
}

// leases is a table of port leases.
type leases struct {
	mu    sync.Mutex
	owner map[int]string
	calls int // of ReservePorts
}

func (l *leases) ReservePorts(_ context.Context, _ string, ports []int, owner string) ([]int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	var mine []int
	for _, port := range ports {
		if known, taken := l.owner[port]; !taken || known == owner {
			l.owner[port] = owner
			mine = append(mine, port)
		}
	}
	return mine, nil
}

func (l *leases) ReleasePorts(_ context.Context, _, owner string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.owner, func(_ int, o string) bool { return o == owner })
	return nil
}

func (l *leases) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.owner)
}

// account is a local account of its own, known to the process table by its installation.
type account struct {
	t      *testing.T
	config local.Config
	ports  *leases
}

func newAccount(t *testing.T) *account {
	t.Helper()
	ports := &leases{owner: map[int]string{}}
	// The name is drawn, so that another run of the tests at the same time does not count our processes as its own.
	a := &account{t: t, ports: ports, config: config(t.TempDir(), t.Name()+" "+rand.Text())}
	a.config.Ports = ports
	t.Cleanup(func() { require.Zero(t, ports.count(), "ports are still leased") })
	return a
}

// config is that of an account in a folder of its own.
func config(dir, installation string) local.Config {
	settings := local.DefaultSettings(filepath.Join(dir, "work"))
	settings.ShutdownTimeout = 5
	return local.Config{
		Account: "default", Installation: installation, Settings: settings, DataDir: filepath.Join(dir, "data"),
		Ports: &leases{owner: map[int]string{}}, Resolver: resource.Resolver{}, Clock: time.Now,
		Logger: slog.New(slog.DiscardHandler), Environ: append(os.Environ(), "SECRET_OF_THE_SERVER=never-arrives"),
	}
}

func (a *account) deployer() *local.Deployer {
	a.t.Helper()
	require.NoError(a.t, os.MkdirAll(a.config.Settings.WorkingDirectoriesRoot, 0o750))
	d, err := local.New(a.config)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { require.NoError(a.t, d.Close(context.WithoutCancel(a.t.Context()))) })
	return d
}

func (a *account) request(app string) deployer.Request { return request(a.config.Installation, app) }

func request(installation, app string) deployer.Request {
	return deployer.Request{
		Owner: deployer.Owner{Installation: installation, Account: "default", Release: "demo", Version: 1, App: app},
		Name:  app + "-v1", Group: "demo", Count: 1, Properties: map[string]string{}, Deployment: map[string]string{},
		Resource: resource.Ref{Location: "file://" + os.Getenv(appsVariable) + "/hello", Version: "1.0.0"},
	}
}

// deploy deploys and sees to it that it is undeployed in the end.
func (a *account) deploy(d *local.Deployer, r deployer.Request) deployer.Handle {
	a.t.Helper()
	h, err := d.Deploy(a.t.Context(), r, nil, nothing)
	require.NoError(a.t, err)
	a.undeployInTheEnd(h)
	return h
}

func (a *account) undeployInTheEnd(h deployer.Handle) {
	a.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), patience)
		defer cancel()
		require.NoError(a.t, a.deployer().Undeploy(ctx, deployer.Owner{}, h))
		require.Empty(a.t, marked(a.config.Installation), "processes are left behind")
	})
}

func nothing(deployer.Handle) error { return nil }

const patience = 30 * time.Second

func await(t *testing.T, d *local.Deployer, h deployer.Handle, want skipper.DeploymentState) skipper.AppStatus {
	t.Helper()
	var last skipper.AppStatus
	require.Eventually(t, func() bool {
		all, err := d.Status(t.Context(), []deployer.Handle{h})
		last = all[h.ID]
		return err == nil && last.State == want
	}, patience, 25*time.Millisecond, "%s does not become %s", h.ID, want)
	return last
}

// marked asks the process table, not the deployer: the live processes whose environment names the installation.
func marked(installation string) []string {
	var pids []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		stat, statErr := os.ReadFile(filepath.Join(filepath.Dir(file), "stat"))
		if err != nil || statErr != nil || strings.Contains(string(stat), ") Z ") {
			continue
		}
		if strings.Contains("\x00"+string(environ), "\x00SKIFF_OWNER="+url.PathEscape(installation)+"/") {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// told asks the sample application for everything it was told.
func told(ctx context.Context, url string) (map[string]string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/actuator/env", nil)
	if err != nil {
		return nil, err
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var body struct{ Env []string }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, v := range body.Env {
		name, value, _ := strings.Cut(v, "=")
		seen[name] = value
	}
	if text, ok := seen["SPRING_APPLICATION_JSON"]; ok {
		if err := json.Unmarshal([]byte(text), &seen); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
