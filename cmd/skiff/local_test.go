package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// pids are the processes of one application of a version, as "demo.ping-v1".
func pids(t *testing.T, dir, deployment string) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	for pid, what := range running(t, dir) {
		if strings.HasSuffix(what, " "+deployment) {
			out[pid] = true
		}
	}
	return out
}

// pairValues are for the package pair: further properties of each of its applications.
func pairValues(t *testing.T, ping, pong map[string]string) string {
	t.Helper()
	var text strings.Builder
	for app, properties := range map[string]map[string]string{"ping": ping, "pong": pong} {
		fmt.Fprintf(&text, "%s:\n  appBase: file://%s\n  spec:\n    applicationProperties:\n      x: \"1\"\n", app, built.apps)
		for name, value := range properties {
			fmt.Fprintf(&text, "      %s: %q\n", name, value)
		}
	}
	path := filepath.Join(t.TempDir(), "values.yml")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

// An upgrade of a package of several applications replaces those that changed, with as many instances as there were.
func TestUpgrade_ReplacesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("pair-1.0.0"))
	p.must("release", "install", "demo", "--package-name", "pair", "--file", pairValues(t, nil, nil), "--wait")
	_, _, err := p.client().Scale(t.Context(), "demo", skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{
		{Name: "ping", Count: new(3)}, {Name: "pong", Count: new(2)},
	}})
	require.NoError(t, err)
	ping := pids(t, dir, "demo.ping-v1")
	require.Len(t, ping, 3)
	require.Len(t, pids(t, dir, "demo.pong-v1"), 2)

	p.must("release", "upgrade", "demo", "--package-name", "pair", "--file", pairValues(t, nil, map[string]string{"y": "2"}), "--wait")

	require.Equal(t, ping, pids(t, dir, "demo.ping-v1"), "carried over as it runs")
	require.Empty(t, pids(t, dir, "demo.pong-v1"))
	pong := pids(t, dir, "demo.pong-v2")
	require.Len(t, pong, 2, "its count is carried over")

	out, code := p.skiff("release", "upgrade", "demo", "--package-name", "pair", "--timeout", "1s", "--wait",
		"--file", pairValues(t, map[string]string{"hello.exit": "3"}, map[string]string{"y": "2"}))

	require.Equal(t, 1, code, out)
	require.Equal(t, ping, pids(t, dir, "demo.ping-v1"), "a failed upgrade leaves what ran")
	require.Equal(t, pong, pids(t, dir, "demo.pong-v2"))
	require.Len(t, running(t, dir), 5)

	_, _, err = p.client().Scale(t.Context(), "demo", skipper.ScaleRequest{
		Scale: []skipper.ScaleRequestItem{{Name: "ping", Count: new(1)}},
	})
	require.NoError(t, err)
	info, err := p.client().Status(t.Context(), "demo", 2)
	require.NoError(t, err)
	for _, app := range info.Status.AppStatuses() {
		for index := range len(app.Instances) {
			require.Contains(t, app.Instances, fmt.Sprintf("%s-%d", app.DeploymentID, index), "indexes have no gaps")
		}
	}
	require.Len(t, pids(t, dir, "demo.ping-v1"), 1)
	p.must("release", "delete", "demo")
}

// New applications are healthy before old ones stop.
func TestUpgrade_OldOnesRunUntilNewOnesAreHealthy(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	slow := values(t, "spec:", "  applicationProperties:", "    hello.delay: 1500")
	ended := make(chan string, 1)
	go func() {
		out, _ := p.skiff("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.1.0", "--file", slow, "--wait")
		ended <- out
	}()
	eventually(t, "the new one runs", func() bool { return len(pids(t, dir, "one.hello-v2")) == 1 })
	for healthy := false; !healthy; {
		old := len(pids(t, dir, "one.hello-v1"))
		info, err := p.client().Status(t.Context(), "one", 2)
		require.NoError(t, err)
		for _, app := range info.Status.AppStatuses() {
			healthy = healthy || app.State == skipper.StateDeployed
		}
		require.True(t, healthy || old == 1, "the old one was stopped before the new one was healthy")
	}
	<-ended
	require.Empty(t, pids(t, dir, "one.hello-v1"))
	p.must("release", "delete", "one")
}

// What crashes is started again by the server, and by the next one when this one is killed; its id, index and guid stay.
func TestRestart_AcrossServers(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	file := values(t, "spec:", "  deploymentProperties:", "    spring.cloud.deployer.local.restart-policy: on-failure")
	p.must("release", "install", "one", "--package-name", "hello", "--file", file, "--wait")
	crash := func() int {
		for pid := range running(t, dir) {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			return pid
		}
		return 0
	}
	back := func(old int) {
		eventually(t, "it runs again", func() bool {
			now := running(t, dir)
			return len(now) == 1 && now[old] == "" && strings.Contains(p.must("release", "status", "one"), "one.hello-v1-0")
		})
	}

	back(crash())
	p.kill()
	dead := crash()
	eventually(t, "nothing runs", func() bool { return len(running(t, dir)) == 0 })
	p = serve(t, dir)
	back(dead)

	eventually(t, "the status tells", func() bool {
		info, err := p.client().Status(t.Context(), "one", 0)
		require.NoError(t, err)
		i := info.Status.AppStatuses()[0].Instances["one.hello-v1-0"]
		return i.State == skipper.StateDeployed && i.Attributes["restarts"] == "2" && i.Attributes["guid"] == "one.hello-v1-0"
	})
	p.must("release", "delete", "one")
}

func TestLogs_FollowedOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--file", values(t), "--wait")
	require.Contains(t, p.must("release", "logs", "one", "--tail", "1"), "sample-app listening on")
	out, code := p.skiff("release", "logs", "one", "--instance", "nobody-7")
	require.NotZero(t, code)
	require.Contains(t, out, "nobody-7")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	follow := exec.CommandContext(ctx, built.skiff, "release", "logs", "one", "-f", "-o", "json")
	follow.Env = append(os.Environ(), "SKIFF_URL="+p.url)
	pipe, err := follow.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, follow.Start())
	seen := map[string]bool{}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		var l skipper.LogLine
		require.NoError(t, json.Unmarshal(lines.Bytes(), &l))
		if strings.Contains(l.Text, "listening on") {
			seen[l.Instance] = true
		}
		switch len(seen) {
		case 1:
			if !seen["scaled"] {
				seen["scaled"] = true
				_, _, err := p.client().Scale(t.Context(), "one", skipper.ScaleRequest{
					Scale: []skipper.ScaleRequestItem{{Name: "hello", Count: new(2)}},
				})
				require.NoError(t, err)
			}
		case 3:
			p.must("release", "delete", "one") // nothing is left: that ends it
		}
	}
	require.NoError(t, follow.Wait())
	delete(seen, "scaled")
	require.Equal(t, map[string]bool{"one.hello-v1-0": true, "one.hello-v1-1": true}, maps.Clone(seen))
}
