package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/client"
)

// built holds what TestMain builds: the skiff binary and the sample application in three versions.
var built struct{ skiff, apps string }

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "skiff-e2e")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built.skiff, built.apps = filepath.Join(dir, "skiff"), filepath.Join(dir, "apps")
	jobs := [][]string{{"build", "-o", built.skiff, "."}}
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		jobs = append(jobs, []string{
			"build", "-ldflags", "-X main.version=" + v, "-o", filepath.Join(built.apps, "hello-"+v), "../../testdata/apps/hello",
		})
	}
	for _, args := range jobs {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		return 1, err
	}
	return code, nil
}

// process is a real skiff server.
type process struct {
	t    *testing.T
	dir  string // its data folder
	url  string
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan error
}

// serve starts a server on a data folder and waits until it says where it listens.
func serve(t *testing.T, dir string) *process {
	t.Helper()
	return serveWith(t, dir, 200*time.Millisecond)
}

// serveWith is serve with another period of health checks and with further arguments.
func serveWith(t *testing.T, dir string, period time.Duration, args ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, log: &bytes.Buffer{}, done: make(chan error, 1)}
	p.cmd = exec.Command(built.skiff, append([]string{"server", "--port", "0", "--data-dir", dir}, args...)...)
	p.cmd.Env = append(os.Environ(), "SKIFF_HEALTHCHECK_PERIOD="+period.String())
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	require.NoError(t, err, "the server said nothing: %s", p.log)
	_, p.url, _ = strings.Cut(strings.TrimSpace(first), " listens on ")
	require.True(t, strings.HasPrefix(p.url, "http://"), first)
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		p.done <- p.cmd.Wait()
	}()
	return p
}

// kill is SIGKILL: nothing of the server's own making runs after it.
func (p *process) kill() {
	if p.cmd.Process.Signal(syscall.SIGKILL) == nil {
		<-p.done //nolint:errcheck // it was killed
	}
}

// terminate is SIGTERM; it gives the time the server took to end.
func (p *process) terminate() time.Duration {
	p.t.Helper()
	began := time.Now()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, <-p.done, "log: %s", p.log)
	return time.Since(began)
}

func (p *process) client() *client.Client {
	p.t.Helper()
	c, err := client.New(p.url)
	require.NoError(p.t, err)
	p.t.Cleanup(c.Close)
	return c
}

// skiff runs the command line against the server and gives its output and exit code.
func (p *process) skiff(args ...string) (string, int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, built.skiff, args...)
	cmd.Env = append(os.Environ(), "SKIFF_URL="+p.url)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(p.t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (p *process) must(args ...string) string {
	p.t.Helper()
	out, code := p.skiff(args...)
	require.Zero(p.t, code, "skiff %s\n%s\nlog: %s", strings.Join(args, " "), out, p.log)
	return out
}

// dataDir makes a data folder of its own; whatever a test left running on it is an error and is killed.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		left := running(t, dir)
		for pid := range left {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
		require.Empty(t, left, "applications are left")
	})
	return dir
}

// running asks the process table for applications whose working directory is under a data folder: by process id, what
// binary runs and under which deployment.
func running(t *testing.T, dir string) map[int]string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	out := map[int]string{}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err != nil {
			continue
		}
		cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if err != nil || !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		if err != nil {
			continue // it has just ended
		}
		out[pid] = filepath.Base(exe) + " " + filepath.Base(strings.TrimSuffix(cwd, " (deleted)"))
	}
	return out
}

// values writes a values file for the sample packages.
func values(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yml")
	text := "appBase: file://" + built.apps + "\n" + strings.Join(lines, "\n") + "\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 60*time.Second, 20*time.Millisecond, what)
}

func sample(name string) string { return filepath.Join("..", "..", "testdata", "packages", name) }
