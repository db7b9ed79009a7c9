package main_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// The keys that a person presses.
const (
	keyCtrlC = "\x03"
	keyCtrlD = "\x04"
	keyTab   = "\t"
	keyEnter = "\r"
	keyUp    = "\x1b[A"
)

// person sits at a terminal with `skiff shell` in it.
type person struct {
	t     *testing.T
	cmd   *exec.Cmd
	tty   *os.File // the person's end
	state string   // the folder of the history
	ended chan error

	mu   sync.Mutex
	seen strings.Builder
	read int // of what was seen, up to where it was expected
}

// sit starts a shell in a terminal of 100 columns. env is added to the environment.
func sit(t *testing.T, state string, env ...string) *person {
	t.Helper()
	p := &person{t: t, state: state, ended: make(chan error, 1)}
	p.cmd = exec.Command(built.skiff, "shell")
	p.cmd.Env = append(append(os.Environ(), "TERM=xterm", "XDG_STATE_HOME="+state, "TZ=UTC"), env...)
	tty, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 40, Cols: 100})
	require.NoError(t, err)
	p.tty = tty
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			p.mu.Lock()
			p.seen.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended already, unless the test failed
		_ = tty.Close()
		<-looked
	})
	return p
}

func (p *person) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

// sees waits until a text is on the screen, below what was waited for before.
func (p *person) sees(text string) {
	p.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		rest := p.screen()[p.read:]
		if i := strings.Index(rest, text); i >= 0 {
			p.read += i + len(text)
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("never saw %q in %q", text, rest)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (p *person) types(keys ...string) {
	p.t.Helper()
	_, err := p.tty.WriteString(strings.Join(keys, ""))
	require.NoError(p.t, err)
}

// runs types a line and waits for what it shows.
func (p *person) runs(line, shows string) {
	p.t.Helper()
	p.types(line, keyEnter)
	p.sees(shows)
	p.sees(":>")
}

// leaves ends the input and checks that the shell is quiet about it, and that the terminal is as before.
func (p *person) leaves() {
	p.t.Helper()
	p.types(keyCtrlD)
	select {
	case err := <-p.ended:
		require.NoError(p.t, err, "%s", p.screen())
	case <-time.After(30 * time.Second):
		p.t.Fatalf("the shell goes on: %q", p.screen())
	}
	require.NotContains(p.t, p.screen()[p.read:], "error")
	p.isRestored()
}

func (p *person) isRestored() {
	p.t.Helper()
	mode, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	require.NoError(p.t, err)
	require.NotZero(p.t, mode.Lflag&unix.ECHO, "the terminal shows what is typed")
	require.NotZero(p.t, mode.Lflag&unix.ISIG, "Ctrl-C interrupts")
}

// installed gives a server with a release, site, of the package hello.
func installed(t *testing.T) *process {
	t.Helper()
	p := serve(t, dataDir(t))
	t.Cleanup(func() {
		cmd := exec.Command(built.skiff, "release", "delete", "site", "--wait") // the test's context has ended
		cmd.Env = append(os.Environ(), "SKIFF_URL="+p.url)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.2.0"))
	p.must("release", "install", "site", "--package-name", "hello", "--package-version", "1.0.0",
		"--file", values(t), "--wait")
	return p
}

func TestShell_CompletesCommandsOptionsAndNames(t *testing.T) {
	t.Parallel()
	server := installed(t)
	p := sit(t, t.TempDir(), "SKIFF_URL="+server.url)
	p.sees("):>")
	p.types("rele", keyTab)
	p.sees("release ")
	p.types("sta", keyTab)
	p.sees("release status ")
	p.types(keyTab)
	p.sees("release status site ")
	p.types("--rel", keyTab)
	p.sees("--releaseVersion ")
	p.types(keyTab)
	p.sees("--releaseVersion 1 ")
	p.types(keyEnter)
	p.sees("All applications have been successfully deployed.")
	p.sees("):>")
	p.types("package install --packageName h", keyTab)
	p.sees("hello ")
	p.types("--packageVersion 1.2", keyTab)
	p.sees("1.2.0 ")
	p.types("--platformName d", keyTab)
	p.sees("default ")
	p.types(keyCtrlC)
	p.sees("):>")
	p.leaves()
}

func TestShell_RemembersLinesButNoSecrets(t *testing.T) {
	t.Parallel()
	server, state := serve(t, dataDir(t)), t.TempDir()
	p := sit(t, state, "SKIFF_URL="+server.url)
	p.sees("):>")
	p.runs("repo list", "║local│")
	p.runs("package search --properties db.password=geheim", "properties")
	p.types(keyUp, keyUp)
	p.sees("):>repo list")
	p.types(keyEnter)
	p.sees("║local│")
	p.sees("):>")
	p.leaves()

	path := filepath.Join(state, "skiff", "shell_history")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "repo list\npackage search --properties db.password=***\nrepo list\n", string(kept))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	again := sit(t, state, "SKIFF_URL="+server.url)
	again.sees("):>")
	again.types("pack", keyUp)
	again.sees("):>package search --properties db.password=***")
	again.types(keyCtrlC)
	again.sees("):>")
	again.leaves()
}

func TestShell_CtrlCDropsTheLineOrTheCommand(t *testing.T) {
	t.Parallel()
	server := installed(t)
	p := sit(t, t.TempDir(), "SKIFF_URL="+server.url)
	p.sees("):>")
	p.types("release delete site", keyCtrlC)
	p.sees("):>")
	p.runs("release list", "│DEPLOYED│")

	p.types("release upgrade site hello 1.2.0 --file "+values(t)+" --timeoutExpression 5m", keyEnter)
	p.sees("not healthy yet")
	p.types(keyCtrlC)
	p.sees("stop watching (s)")
	p.types(keyCtrlC)
	p.sees("goes on at the server")
	p.sees("):>")
	p.runs("version", "skiff ")
	operations, err := server.client().Operations(t.Context(), "site")
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeRunning, operations[0].Outcome)
	p.runs("release cancel site", "Cancel request for release site sent")
	p.leaves()
	eventually(t, "the upgrade ends", func() bool {
		o, err := server.client().Operation(t.Context(), operations[0].ID)
		return err == nil && !o.Unfinished()
	})
}

func TestShell_OnADumbTerminal(t *testing.T) {
	t.Parallel()
	server := serve(t, dataDir(t))
	p := sit(t, t.TempDir(), "SKIFF_URL="+server.url, "TERM=dumb")
	p.sees("):>")
	p.types("release delete site", keyCtrlC)
	p.sees("):>")
	p.runs("release status site", "Release with name 'site' not found")
	require.NotContains(t, p.screen(), "\x1b", "no escape sequences")
	p.leaves()
}

func TestShell_FindsItsServerLater(t *testing.T) {
	t.Parallel()
	server := serve(t, dataDir(t))
	p := sit(t, t.TempDir(), "SKIFF_URL=http://127.0.0.1:1")
	p.sees("server-unknown:>")
	p.types("release list", keyEnter)
	p.sees("server-unknown:>")
	p.types("skipper config --uri "+server.url+"/api", keyEnter)
	p.sees("Successfully targeted " + server.url)
	p.sees(":>")
	p.runs("skipper info", "skiff v")
	p.leaves()
}

func TestShell_EndsWithItsTerminalRestoredWhenItIsTerminated(t *testing.T) {
	t.Parallel()
	server := serve(t, dataDir(t))
	p := sit(t, t.TempDir(), "SKIFF_URL="+server.url)
	p.sees("):>")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended: //nolint:errcheck // it was terminated
	case <-time.After(30 * time.Second):
		t.Fatal("the shell goes on")
	}
	p.isRestored()
}

var update = flag.Bool("update", false, "write the golden files anew")

// The tour is made of the Skipper shell's own lines: a script of it runs as it is, by name, as an argument and piped in.
func TestShell_RunsScriptsOfTheSkipperShell(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "skiff.yml") // the usual URL of the repository has the name of the host
	require.NoError(t, os.WriteFile(config, []byte("repositories:\n  local:\n    local: true\n    repo-order: 1\n"+
		"    url: http://skipper.example:7577\n"), 0o600))
	server := serveWith(t, dataDir(t), 200*time.Millisecond, "--config", config)
	zips := t.TempDir()
	for _, version := range []string{"1.0.0", "1.1.0"} {
		server.must("package", "zip", sample("hello-"+version), "-f", filepath.Join(zips, "hello-"+version+".zip"))
	}
	tour := tour{t, server, map[string]string{
		"SERVER": server.url, "ZIPS": zips, "APPS": built.apps, "VALUES": values(t), "SCRIPTS": t.TempDir(),
	}}
	tour.run("1-install", func(path string) *exec.Cmd { return exec.Command(built.skiff, "shell", "--file", path) })
	eventually(t, "the release runs", func() bool {
		info, err := server.client().Status(t.Context(), "site", 0)
		return err == nil && len(info.Status.AppStatuses()) == 1 && info.Status.AppStatuses()[0].State == skipper.StateDeployed
	})
	tour.run("2-upgrade", func(path string) *exec.Cmd { return exec.Command(built.skiff, "shell", "@"+path) })
	tour.atRest()
	tour.run("3-rollback", piped)
	tour.atRest()
	tour.run("4-delete", piped)
	tour.run("5-mistakes", piped)
}

func piped(path string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", `exec "$0" shell <"$1"`, built.skiff, path)
	return cmd
}

// tour is a series of scripts against one server.
type tour struct {
	t      *testing.T
	server *process
	names  map[string]string // what stands for $NAME in a script
}

// run compares what a script shows with its golden file.
func (o tour) run(name string, command func(path string) *exec.Cmd) {
	o.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "shell", name+".skipper"))
	require.NoError(o.t, err)
	path := filepath.Join(o.names["SCRIPTS"], name+".skipper")
	script := os.Expand(string(text), func(name string) string { return o.names[name] })
	require.NoError(o.t, os.WriteFile(path, []byte(script), 0o600))
	cmd := command(path)
	cmd.Env = append(os.Environ(), "SPRING_CLOUD_SKIPPER_CLIENT_SERVERURI="+o.server.url+"/api", "TZ=UTC", "COLUMNS=160")
	out, err := cmd.CombinedOutput()
	require.NoError(o.t, err, "%s", out)
	got := regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}`).
		ReplaceAllString(string(out), "Sun Nov 22 22:04:16 UTC 2026")
	for variable, value := range o.names {
		got = strings.ReplaceAll(got, value, "$"+variable)
	}
	golden := filepath.Join("testdata", "shell", name+".golden")
	if *update {
		require.NoError(o.t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(o.t, err)
	require.Empty(o.t, cmp.Diff(string(want), got), name)
}

// atRest waits until no operation runs on the release.
func (o tour) atRest() {
	o.t.Helper()
	eventually(o.t, "the operation ends", func() bool {
		operations, err := o.server.client().Operations(o.t.Context(), "site")
		return err == nil && !operations[0].Unfinished()
	})
}

func TestShell_EndsAScriptAtItsFirstError(t *testing.T) {
	t.Parallel()
	server := serve(t, dataDir(t))
	path := filepath.Join(t.TempDir(), "wrong.skipper")
	require.NoError(t, os.WriteFile(path, []byte("version\n\nrelease delete nope\nrepo list\n"), 0o600))

	out, code := server.skiff("shell", "--file", path)
	require.Equal(t, 1, code)
	require.Contains(t, out, "skiff dev\nRelease with the name [nope] doesn't exist\n")
	require.Contains(t, out, "stopped at line 3 of "+path)
	require.NotContains(t, out, "local", "the next line did not run")

	out, code = server.skiff("shell", "version", "release delete nope", "repo list")
	require.Equal(t, 1, code)
	require.Contains(t, out, "stopped at 'release delete nope'")
	require.NotContains(t, out, "local", "the next line did not run")

	out, code = server.skiff("shell", "script --file "+path, "quit", "release delete nope")
	require.Zero(t, code, "a script that a line runs goes on after an error; quit ends the shell")
	require.Contains(t, out, "║local│")

	out, code = server.skiff("shell", "--spring.cloud.skipper.client.serverUri=http://127.0.0.1:1/api", "repo list")
	require.Equal(t, 1, code)
	require.Contains(t, out, "127.0.0.1:1")
}
