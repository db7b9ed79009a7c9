package survival

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
)

// patience is how long is waited for what must come. What has not come then never will.
const patience = 45 * time.Second

// faults is the variable of servers with failpoints that says what goes wrong in them; see cmd/internal/app/faults.go.
const faults = "FAULTS"

// settings are the configuration of a server, as environment variables without SKIFF_.
type settings map[string]string

// quick are times that tests need not wait for.
func quick(more settings) settings {
	s := settings{
		"HEALTHCHECK_PERIOD": "50ms", "OPERATION_DEPLOY_TIMEOUT": "4s", "OPERATION_UNDO_TIMEOUT": "4s",
		"CATALOG_SYNCHRONIZE": "false", "LOG_LEVEL": "warn",
	}
	maps.Copy(s, more)
	return s
}

func (s settings) with(name, value string) settings {
	s = maps.Clone(s)
	s[name] = value
	return s
}

// server is a real server process with failpoints.
type server struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string // empty: it died before it said where it listens
	log   *lockedBuffer
	began time.Time
	died  chan struct{}
}

// start runs a server on a data folder until it listens or is dead. A wrapper, if given, is the program that runs it.
func start(t *testing.T, dir string, s settings, wrapper ...string) *server {
	t.Helper()
	p := &server{t: t, log: &lockedBuffer{}, died: make(chan struct{})}
	args := append(slices.Clone(wrapper), built.skiff, "server", "--port", "0", "--data-dir", dir)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = os.Environ()
	for name, value := range s {
		if name != faults { // which the configuration does not know
			name = "SKIFF_" + name
		}
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.began = time.Now()
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err == nil {
		_, p.url, _ = strings.Cut(strings.TrimSpace(first), " listens on ")
	}
	go func() {
		defer close(p.died)
		_, _ = io.Copy(io.Discard, lines)
		_ = p.cmd.Wait() // it is killed
	}()
	if p.url == "" {
		<-p.died
	}
	return p
}

// serve is start for a server that must come up.
func serve(t *testing.T, dir string, s settings, wrapper ...string) *server {
	t.Helper()
	p := start(t, dir, s, wrapper...)
	require.NotEmpty(t, p.url, "the server does not start: %s", p.log)
	return p
}

// kill is SIGKILL; it also ends a stopped process.
func (p *server) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.died
}

func (p *server) signal(s syscall.Signal) { require.NoError(p.t, p.cmd.Process.Signal(s)) }

// end is SIGTERM.
func (p *server) end() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.died:
	case <-time.After(patience):
		require.Fail(p.t, "the server does not stop", p.log)
	}
}

func (p *server) client() *client.Client {
	p.t.Helper()
	c, err := client.New(p.url)
	require.NoError(p.t, err)
	p.t.Cleanup(c.Close)
	return c
}

// within gives a context for requests that a dead or frozen server never answers.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	t.Cleanup(cancel)
	return ctx
}

// wait polls a condition; it says whether it came true in time.
func wait(limit time.Duration, condition func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			return condition()
		}
	}
	return true
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
