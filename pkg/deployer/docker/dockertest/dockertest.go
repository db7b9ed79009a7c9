// Package dockertest gives tests a Docker engine of their own: Debian's dockerd, with its own socket, folder, bridge and
// address range, beside whatever engine the machine has. It touches no firewall rule and is gone when the tests end. It
// knows nothing of deployers.
//
//	var engine dockertest.Engine // in a test file
//
//	func TestMain(m *testing.M) { os.Exit(engine.Run(m)) }
//
//	host := engine.Host(t) // in a test
//
// Without dockerd, or without root, which dockerd needs, the test is skipped; it fails instead when SKIFF_TEST_REQUIRE
// names docker. SKIFF_TEST_DOCKER_HOST names an engine to be used in place of one of our own, as Podman's.
package dockertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
)

const timeout = 60 * time.Second // of each step that starts or stops an engine

// HostVariable names an engine that is there already.
const HostVariable = "SKIFF_TEST_DOCKER_HOST"

// Engine is a Docker engine that starts with the first test that asks for it. The zero value can be used.
type Engine struct {
	Args []string // further arguments of dockerd

	start  sync.Once
	err    error
	daemon *daemon
	host   string
}

// Run runs the tests of a package, stops the engine and gives the exit code.
func (e *Engine) Run(m interface{ Run() int }) int {
	code := m.Run()
	if err := e.Close(); err != nil {
		_, _ = os.Stderr.WriteString("stop dockerd: " + err.Error() + "\n")
		return max(code, 1)
	}
	return code
}

// Close ends the engine and removes all it had. It is there to be called when Run is not used.
func (e *Engine) Close() error {
	if e.daemon == nil {
		return nil
	}
	return e.daemon.remove()
}

// Host starts the engine if it does not run yet and gives its address, as unix:///tmp/….sock.
func (e *Engine) Host(t testing.TB) string {
	t.Helper()
	e.start.Do(func() { e.err = e.begin() })
	if e.err != nil && errors.Is(e.err, errNoDocker) {
		skip(t, e.err)
	}
	require.NoError(t, e.err, "start dockerd")
	return e.host
}

// Available says whether Host would give an engine.
func (e *Engine) Available() bool {
	e.start.Do(func() { e.err = e.begin() })
	return e.err == nil
}

func (e *Engine) begin() error {
	if e.host = os.Getenv(HostVariable); e.host != "" {
		return nil
	}
	d, err := startDaemon(e.Args)
	if err != nil {
		return err
	}
	e.daemon, e.host = d, d.host()
	return nil
}

// Restartable skips a test that needs to stop the engine when it is not our own.
func (e *Engine) Restartable(t testing.TB) {
	t.Helper()
	e.Host(t)
	if e.daemon == nil {
		t.Skip("the engine is not ours to stop")
	}
}

// Halt stops the engine, in order or, as in a crash, at once; what it has stays. Start goes on.
func (e *Engine) Halt(t testing.TB, crash bool) {
	t.Helper()
	require.NoError(t, e.daemon.halt(crash))
}

// Start starts an engine that was halted.
func (e *Engine) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, e.daemon.launch())
}

// Pause makes the engine stand still, with its socket open, until the function that it gives is called.
func (e *Engine) Pause(t testing.TB) (resume func()) {
	t.Helper()
	return e.daemon.pause()
}

// Client is a client of the engine, closed when the test ends.
func (e *Engine) Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.WithHost(e.Host(t)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func skip(t testing.TB, why error) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SKIFF_TEST_REQUIRE"), ","), "docker") {
		t.Fatal("SKIFF_TEST_REQUIRE names docker, but " + why.Error())
	}
	t.Skip(why.Error())
}

var errNoDocker = errors.New("no Docker engine can be started: install docker.io and iproute2, and run as root")

func available() error {
	for _, program := range []string{"dockerd", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return errNoDocker
		}
	}
	if os.Geteuid() != 0 {
		return errNoDocker
	}
	return nil
}

func bounded(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), timeout) // cleanups come after t.Context
}
