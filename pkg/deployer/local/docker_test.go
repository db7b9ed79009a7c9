package local_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const helloImage = "skiff-test/hello"

// mixed is a local account with a Docker engine.
type mixed struct {
	*account

	host, group string
	settings    docker.Settings
}

func newMixed(t *testing.T, host string) *mixed {
	t.Helper()
	m := &mixed{
		account: newAccount(t), host: host, group: "demo-" + strings.ToLower(rand.Text()[:8]), settings: local.DockerDefaults(),
	}
	m.settings.PublishAddress = "127.0.0.1"
	t.Cleanup(func() {
		left, err := m.containers()
		require.NoError(t, err)
		require.Empty(t, left, "containers are left behind")
	})
	return m
}

func (m *mixed) deployer() *local.Mixed {
	m.t.Helper()
	d, err := m.account.deployer().WithDocker(docker.Engine{Host: m.host}, m.settings)
	require.NoError(m.t, err)
	m.t.Cleanup(func() { require.NoError(m.t, d.Close(context.WithoutCancel(m.t.Context()))) })
	return d
}

// container asks for a container, process for a process.
func (m *mixed) container(app string) deployer.Request {
	r := m.process(app)
	r.Resource = resource.Ref{Location: "docker:" + helloImage, Version: "1.0.0"}
	return r
}

func (m *mixed) process(app string) deployer.Request {
	r := m.request(app)
	r.Group = m.group
	return r
}

func (m *mixed) containers() ([]string, error) {
	c, err := client.New(client.WithHost(m.host))
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // it was only asked
	found, err := c.ContainerList(context.WithoutCancel(m.t.Context()), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "io.skiff.installation="+m.config.Installation),
	})
	var names []string
	for _, one := range found.Items {
		names = append(names, one.Names...)
	}
	return names, err
}

// deploy deploys and removes it when the test ends.
func (m *mixed) deploy(d deployer.Deployer, r deployer.Request) deployer.Handle {
	m.t.Helper()
	id, err := d.ID(r)
	require.NoError(m.t, err)
	m.t.Cleanup(func() {
		require.NoError(m.t, m.deployer().Undeploy(context.WithoutCancel(m.t.Context()), r.Owner, deployer.Handle{ID: id}))
	})
	h, err := d.Deploy(m.t.Context(), r, nil, nothing)
	require.NoError(m.t, err)
	return h
}

// awaitOn waits for a state of a deployment on any deployer.
func awaitOn(t *testing.T, d deployer.Deployer, h deployer.Handle, want skipper.DeploymentState) skipper.AppStatus {
	t.Helper()
	var last skipper.AppStatus
	require.Eventually(t, func() bool {
		all, err := d.Status(t.Context(), []deployer.Handle{h})
		last = all[h.ID]
		return err == nil && last.State == want
	}, patience, 25*time.Millisecond, "%s does not become %s", h.ID, want)
	return last
}

func TestMixed_OnAnEngine(t *testing.T) {
	t.Parallel()
	engine := &dockertest.Engine{}
	host := engine.Host(t)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	program := filepath.Join(t.TempDir(), "hello")
	require.NoError(t, dockertest.Build(program, "../../../testdata/apps/hello"))
	engine.Import(t, helloImage+":1.0.0", program)
	for name, test := range map[string]func(t *testing.T, m *mixed){
		"processes and containers side by side":      sideBySide,
		"the port is leased, and the same inside":    samePort,
		"a port that somebody took meanwhile":        portTaken,
		"properties of the account and the request":  dockerProperties,
		"the id of a container is not for a process": notBoth,
		"an engine that is away":                     engineAway,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newMixed(t, host))
		})
	}
	t.Run("containers keep the contract", func(t *testing.T) {
		t.Parallel()
		deployertest.Run(t, func(t *testing.T) deployertest.Harness {
			t.Helper()
			m := newMixed(t, host)
			d := m.deployer()
			return deployertest.Harness{
				Deployer: d, Request: m.container, LogLine: "sample-app listening on",
				Again: func() deployer.Deployer { return m.deployer() },
				Slow:  func(r *deployer.Request) { r.Properties["hello.delay"] = "3600000" }, ExitCode: "3",
				Failing: func(r *deployer.Request) { r.Properties["hello.exit"] = "3" },
				FailingAt: func(r *deployer.Request, index int) {
					r.Properties["hello.exit"], r.Properties["hello.exit-index"] = "3", strconv.Itoa(index)
				},
				Seen: func(ctx context.Context, h deployer.Handle) (map[string]string, error) {
					url, _, err := d.Instance(ctx, h, h.ID+"-0")
					if err != nil {
						return nil, fmt.Errorf("find the first instance: %w", err)
					}
					return told(ctx, url.String())
				},
				Left: m.containers,
			}
		})
	})
}

func sideBySide(t *testing.T, m *mixed) {
	t.Helper()
	d := m.deployer()
	one, two := m.deploy(d, m.process("process")), m.deploy(d, m.container("container"))
	awaitOn(t, d, one, skipper.StateDeployed)
	awaitOn(t, d, two, skipper.StateDeployed)
	for _, d := range []*local.Mixed{d, m.deployer()} {
		for _, handles := range [][]deployer.Handle{{one, two}, {{ID: one.ID}, {ID: two.ID}, {ID: "nobody.knows"}}} {
			all, err := d.Status(t.Context(), handles)
			require.NoError(t, err)
			require.Contains(t, all[one.ID].Instances[one.ID+"-0"].Attributes, "pid")
			require.Contains(t, all[two.ID].Instances[two.ID+"-0"].Attributes, "container.id")
			require.Len(t, all, len(handles))
			for _, h := range handles[:2] {
				text, err := d.Logs(t.Context(), h, 1<<20)
				require.NoError(t, err)
				require.Contains(t, text, "sample-app listening on")
			}
		}
		found, err := d.Discover(t.Context(), deployer.Owner{Installation: m.config.Installation})
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.NoError(t, d.Ping(t.Context()))
	}
	require.NoError(t, d.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: one.ID}))
	awaitOn(t, d, two, skipper.StateDeployed)
	require.NoError(t, d.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: two.ID}))
	awaitOn(t, d, two, skipper.StateUnknown)
}

func samePort(t *testing.T, m *mixed) {
	t.Helper()
	m.settings.PortLow, m.settings.PortHigh = 21000, 22000
	d, r := m.deployer(), m.container("log")
	r.Count = 2
	h := m.deploy(d, r)
	for _, i := range awaitOn(t, d, h, skipper.StateDeployed).Instances {
		port := number(t, i.Attributes["port"])
		require.GreaterOrEqual(t, port, 21000)
		require.Less(t, port, 22000)
		seen, err := told(t.Context(), i.Attributes["url"])
		require.NoError(t, err)
		require.Equal(t, i.Attributes["port"], seen["SERVER_PORT"])
		require.Equal(t, h.ID, seen["deployerId"])
	}
	require.Equal(t, 2, m.ports.count())
	// A server that lost the handle leases what the containers have.
	require.NoError(t, m.ports.ReleasePorts(t.Context(), "", h.ID+"/default"))
	_, err := m.deployer().Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	require.Equal(t, 2, m.ports.count())
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.Zero(t, m.ports.count())
}

// portTaken is what the engine finds in use though it was free when it was leased: the range has two ports, and a
// container of another installation, whose leases are elsewhere, has one of them.
func portTaken(t *testing.T, m *mixed) {
	t.Helper()
	low := freeInARow(t, 23000, 2)
	other := newMixed(t, m.host)
	r := other.container("log")
	r.Properties["server.port"] = strconv.Itoa(low)
	d := other.deployer()
	taken := other.deploy(d, r)
	awaitOn(t, d, taken, skipper.StateDeployed)
	m.settings.PortLow, m.settings.PortHigh = low, low+2

	mine := m.deployer()
	h := m.deploy(mine, m.container("log"))

	i := awaitOn(t, mine, h, skipper.StateDeployed).Instances[h.ID+"-0"]
	require.Equal(t, strconv.Itoa(low+1), i.Attributes["port"])
	_, err := mine.Deploy(t.Context(), m.container("time"), nil, nothing)
	require.ErrorIs(t, err, deployer.ErrQuota)
	require.NoError(t, mine.Undeploy(t.Context(), r.Owner, deployer.Handle{ID: m.group + ".time-v1"}))
}

func dockerProperties(t *testing.T, m *mixed) {
	t.Helper()
	const prefix = "spring.cloud.deployer.local."
	d, r := m.deployer(), m.container("log")
	r.Deployment[prefix+"docker.additionalHosts"] = "db:10.0.0.1"
	r.Deployment[prefix+"debugPort"], r.Deployment[prefix+"debug-suspend"] = strconv.Itoa(freeInARow(t, 27000, 1)), "n"
	r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"shutdownTimeout"] = "on-failure", "7"
	r.Deployment["spring.cloud.deployer.docker.container.name"] = m.group + "-mine"
	h := m.deploy(d, r)
	i := awaitOn(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]
	require.Equal(t, m.group+"-mine-0", i.Attributes["container.name"])
	c, err := client.New(client.WithHost(m.host))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()

	seen, err := c.ContainerInspect(t.Context(), m.group+"-mine-0", client.ContainerInspectOptions{})

	require.NoError(t, err)
	host := seen.Container.HostConfig
	require.Equal(t, []string{"db:10.0.0.1"}, host.ExtraHosts)
	require.EqualValues(t, "bridge", host.NetworkMode)
	require.EqualValues(t, "on-failure", host.RestartPolicy.Name)
	require.Len(t, host.PortBindings, 2)
	require.Equal(t, 7, *seen.Container.Config.StopTimeout)
	require.Contains(t, seen.Container.Config.Env, "JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address="+
		r.Deployment[prefix+"debugPort"])
}

func notBoth(t *testing.T, m *mixed) {
	t.Helper()
	d := m.deployer()
	container, process := m.container("one"), m.process("two")
	one, two := m.deploy(d, container), m.deploy(d, process)
	container.Resource, process.Resource = process.Resource, container.Resource
	for _, lost := range []bool{true, false} {
		for h, r := range map[*deployer.Handle]deployer.Request{&one: container, &two: process} {
			previous := h
			if lost {
				previous = nil
			}
			_, err := m.deployer().Deploy(t.Context(), r, previous, nothing)
			require.ErrorIs(t, err, deployer.ErrExists)
		}
	}
}

// engineAway is an account that has containers, and whose engine does not answer; its processes go on.
func engineAway(t *testing.T, m *mixed) {
	t.Helper()
	d := m.deployer()
	one, two := m.deploy(d, m.process("process")), m.deploy(d, m.container("container"))
	here := m.host
	m.host = "unix://" + filepath.Join(t.TempDir(), "gone.sock")
	away := m.deployer()
	m.host = here

	awaitOn(t, away, one, skipper.StateDeployed)
	for _, handles := range [][]deployer.Handle{{two}, {{ID: two.ID}}, {one, two}} {
		_, err := away.Status(t.Context(), handles)
		require.ErrorIs(t, err, deployer.ErrUnavailable)
	}
	for _, h := range []deployer.Handle{two, {ID: two.ID}} {
		require.ErrorIs(t, away.Undeploy(t.Context(), deployer.Owner{}, h), deployer.ErrUnavailable)
	}
	_, err := away.Discover(t.Context(), deployer.Owner{Installation: m.config.Installation})
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	require.ErrorIs(t, away.Ping(t.Context()), deployer.ErrUnavailable)
	require.NoError(t, away.Undeploy(t.Context(), deployer.Owner{}, one))
	awaitOn(t, d, two, skipper.StateDeployed)
}

// freeInARow finds ports in a row that nobody listens on, above one that each test has for itself.
func freeInARow(t *testing.T, above, count int) int {
	t.Helper()
	for low := above + os.Getpid()%3000; low < above+4000; low += count {
		free := 0
		for n := range count {
			if listen(t, low+n) {
				free++
			}
		}
		if free == count {
			return low
		}
	}
	t.Fatal("no ports are free")
	return 0
}

func listen(t *testing.T, port int) bool {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", ":"+strconv.Itoa(port))
	return err == nil && listener.Close() == nil
}

// A machine without Docker is what it was.
func TestMixed_WithoutAnEngine(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, err := a.deployer().WithDocker(docker.Engine{Host: "unix:///not/there.sock"}, local.DockerDefaults())
	require.NoError(t, err)
	r := a.request("log")
	container := a.request("other")
	container.Resource = resource.Ref{Location: "docker:acme/log", Version: "1"}

	require.EqualError(t, d.Validate(t.Context(), container), "docker:acme/log, version 1 needs a Docker engine, and there is "+
		"none at unix:///not/there.sock; install one, or set docker.host of the account default")
	require.ErrorIs(t, d.Validate(t.Context(), container), deployer.ErrUnsupported)
	h, err := d.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)
	a.undeployInTheEnd(h)
	awaitOn(t, d, h, skipper.StateDeployed)
	for _, h := range []deployer.Handle{h, {ID: h.ID}, {ID: "nobody.knows"}} {
		_, err := d.Status(t.Context(), []deployer.Handle{h})
		require.NoError(t, err)
		_, err = d.Logs(t.Context(), h, 10)
		require.NoError(t, err)
	}
	found, err := d.Discover(t.Context(), deployer.Owner{Installation: a.config.Installation})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, d.Ping(t.Context()))
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, deployer.Handle{ID: h.ID}))
	require.NoError(t, d.Close(context.WithoutCancel(t.Context())))
}
