package docker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

var engine dockertest.Engine

// hello is where the sample application is, once it was built.
var hello struct {
	sync.Once

	dir, program string
	err          error
}

// TestMain ends the engine, or is the server of a test that kills one.
func TestMain(m *testing.M) {
	if mode := os.Getenv(serverVariable); mode != "" {
		os.Exit(serve(mode))
	}
	code := engine.Run(m)
	_ = os.RemoveAll(hello.dir)
	if err := goleak.Find(); err != nil && code == 0 {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

const imageName = "skiff-test/hello"

// program builds the sample application.
func program(t *testing.T) string {
	t.Helper()
	hello.Do(func() {
		if hello.dir, hello.err = os.MkdirTemp("", "skiff-docker-"); hello.err == nil { //nolint:usetesting // all tests use it
			hello.program = filepath.Join(hello.dir, "hello")
			hello.err = dockertest.Build(hello.program, "../../../testdata/apps/hello", "-ldflags", "-s -w -X main.version=1.0.0")
		}
	})
	require.NoError(t, hello.err)
	return hello.program
}

var imported sync.Once

// account is a docker account of its own, known to the engine by its installation.
type account struct {
	t      *testing.T
	config docker.Config
	group  string
}

func newAccount(t *testing.T) *account {
	t.Helper()
	host := engine.Host(t)
	imported.Do(func() { engine.Import(t, imageName+":1.0.0", program(t)) })
	a := newAccountOn(t, host)
	t.Cleanup(func() {
		require.Empty(t, a.containers(), "containers are left behind")
	})
	return a
}

func newAccountOn(t *testing.T, host string) *account {
	t.Helper()
	// The name is drawn, so that another test on the same engine does not count our containers as its own.
	chance := rand.Text()
	return &account{t: t, config: config(host, t.Name()+" "+chance), group: "demo-" + strings.ToLower(chance[:8])}
}

// config is that of an account.
func config(host, installation string) docker.Config {
	settings := docker.DefaultSettings()
	settings.ShutdownTimeout = 5
	return docker.Config{
		Account: "box", Installation: installation, Settings: settings, Engine: docker.Engine{Host: host}, Clock: time.Now,
		Logger: slog.New(slog.DiscardHandler), Timeout: 30 * time.Second,
		Environ: []string{"HOME=/nowhere", "PATH=" + os.Getenv("PATH")},
	}
}

func (a *account) deployer() *docker.Deployer {
	a.t.Helper()
	d, err := docker.New(a.config)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { require.NoError(a.t, d.Close(context.WithoutCancel(a.t.Context()))) })
	return d
}

func (a *account) request(app string) deployer.Request {
	return request(a.config.Installation, a.group, app)
}

func request(installation, group, app string) deployer.Request {
	return deployer.Request{
		Owner: deployer.Owner{Installation: installation, Account: "box", Release: "demo", Version: 1, App: app},
		Name:  app + "-v1", Group: group, Count: 1, Properties: map[string]string{}, Deployment: map[string]string{},
		Resource: resource.Ref{Location: "docker:" + imageName, Version: "1.0.0"},
	}
}

// deploy deploys and sees to it that it is undeployed in the end.
func (a *account) deploy(d *docker.Deployer, r deployer.Request) deployer.Handle {
	a.t.Helper()
	id, err := d.ID(r)
	require.NoError(a.t, err)
	a.undeployInTheEnd(deployer.Handle{ID: id})
	h, err := d.Deploy(a.t.Context(), r, nil, nothing)
	require.NoError(a.t, err)
	return h
}

func (a *account) undeployInTheEnd(h deployer.Handle) {
	a.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), patience)
		defer cancel()
		require.NoError(a.t, a.deployer().Undeploy(ctx, deployer.Owner{}, h))
	})
}

// list asks the engine, not the deployer: containers of any state that carry the mark of the installation.
func (a *account) list() []container.Summary {
	found, err := listOf(a.config.Engine.Host, a.config.Installation)
	require.NoError(a.t, err)
	return found
}

func (a *account) containers() []string {
	names, err := containersOf(a.config.Engine.Host, a.config.Installation)
	require.NoError(a.t, err)
	return names
}

func (a *account) ids() []string {
	ids := []string{}
	for _, c := range a.list() {
		ids = append(ids, c.ID)
	}
	return ids
}

// kill ends a container with SIGKILL.
func (a *account) kill(name string) {
	a.t.Helper()
	_, err := engine.Client(a.t).ContainerKill(a.t.Context(), name, client.ContainerKillOptions{Signal: "KILL"})
	require.NoError(a.t, err)
}

func (a *account) inspect(name string) container.InspectResponse {
	a.t.Helper()
	seen, err := engine.Client(a.t).ContainerInspect(a.t.Context(), name, client.ContainerInspectOptions{})
	require.NoError(a.t, err)
	return seen.Container
}

func listOf(host, installation string) ([]container.Summary, error) {
	c, err := client.New(client.WithHost(host))
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // it was only asked
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := c.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "io.skiff.installation="+installation),
	})
	return found.Items, err
}

func containersOf(host, installation string) ([]string, error) {
	found, err := listOf(host, installation)
	var names []string
	for _, c := range found {
		names = append(names, strings.TrimPrefix(c.Names[0], "/"))
	}
	return names, err
}

func nothing(deployer.Handle) error { return nil }

const patience = 60 * time.Second

func await(t *testing.T, d deployer.Deployer, h deployer.Handle, want skipper.DeploymentState) skipper.AppStatus {
	t.Helper()
	var last skipper.AppStatus
	require.Eventually(t, func() bool {
		all, err := d.Status(t.Context(), []deployer.Handle{h})
		last = all[h.ID]
		return err == nil && last.State == want
	}, patience, 25*time.Millisecond, "%s does not become %s", h.ID, want)
	return last
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

func seen(d *docker.Deployer) func(ctx context.Context, h deployer.Handle) (map[string]string, error) {
	return func(ctx context.Context, h deployer.Handle) (map[string]string, error) {
		url, _, err := d.Instance(ctx, h, h.ID+"-0")
		if err != nil {
			return nil, fmt.Errorf("find the first instance: %w", err)
		}
		return told(ctx, url.String())
	}
}

func (a *account) removeImage(id string) {
	a.t.Helper()
	_, err := engine.Client(a.t).ImageRemove(a.t.Context(), id, client.ImageRemoveOptions{Force: true})
	require.NoError(a.t, err)
}

func (a *account) createNetwork(name string) {
	a.t.Helper()
	_, err := engine.Client(a.t).NetworkCreate(a.t.Context(), name, client.NetworkCreateOptions{})
	require.NoError(a.t, err)
	a.t.Cleanup(func() {
		_, err := engine.Client(a.t).NetworkRemove(context.WithoutCancel(a.t.Context()), name, client.NetworkRemoveOptions{})
		require.NoError(a.t, err)
	})
}

func (a *account) removeVolume(name string) {
	a.t.Helper()
	_, err := engine.Client(a.t).VolumeRemove(context.WithoutCancel(a.t.Context()), name, client.VolumeRemoveOptions{})
	require.NoError(a.t, err)
}
