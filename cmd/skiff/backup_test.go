package main_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server is backed up while it runs and killed; another one, on a new data directory on the same host, takes over what
// runs: the same processes, none started again, and it can remove them.
func TestBackup_ARestoredServerAdoptsWhatRuns(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	file := filepath.Join(t.TempDir(), "skiff-backup.gz")
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	count := values(t, "spec:", "  deploymentProperties:", "    spring.cloud.deployer.count: 3")
	p.must("release", "install", "many", "--package-name", "hello", "--package-version", "1.0.0", "--file", count, "--wait")
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	before := running(t, dir)
	require.Len(t, before, 4)
	p.must("backup", file, "--data-dir", dir)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	out, code := p.skiff("restore", file, "--data-dir", dir)
	require.Equal(t, 4, code, "the server runs")
	require.Contains(t, out, "used by another server")
	p.kill()
	out, code = p.skiff("restore", file, "--data-dir", dir)
	require.Equal(t, 4, code)
	require.Contains(t, out, "not empty")

	other := filepath.Join(t.TempDir(), "new")
	require.Contains(t, p.must("restore", file, "--data-dir", other), "restored 2 release versions")
	p = serve(t, other)
	status := p.must("release", "status", "many")
	for pid, what := range before {
		if what == "hello-1.0.0 many.hello-v1" {
			require.Contains(t, status, strconv.Itoa(pid))
		}
	}
	require.Contains(t, status, "DEPLOYED")
	require.Equal(t, before, running(t, dir), "the same processes")
	require.Empty(t, running(t, other), "none was started")

	// What was adopted can be scaled, replaced and removed.
	answer, err := http.Post(p.url+"/api/release/scale/many", "application/json",
		strings.NewReader(`{"scale":[{"name":"hello","count":2}]}`))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusCreated, answer.StatusCode)
	require.Equal(t, 2, instances(t, dir, "hello-1.0.0 many.hello-v1"))
	p.must("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.1.0", "--file", values(t), "--wait")
	require.Zero(t, instances(t, dir, "hello-1.0.0 one"))
	require.Equal(t, []string{"hello-1.1.0 one.hello-v2"}, slices.Collect(maps.Values(running(t, other))))
	p.must("release", "delete", "many")
	p.must("release", "delete", "one")
	require.Empty(t, running(t, dir))
	require.Empty(t, running(t, other))
}

// The end of an operation that was under way at the moment of the backup is the restored server's affair.
func TestBackup_InTheMiddleOfAnOperation(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	file := filepath.Join(t.TempDir(), "skiff-backup.gz")
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	slow := values(t, "spec:", "  applicationProperties:", "    hello.delay: 4000")
	p.must("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.1.0", "--file", slow)
	eventually(t, "both versions run", func() bool { return len(running(t, dir)) == 2 })
	during := running(t, dir)
	p.must("backup", file, "--data-dir", dir)
	p.kill()

	other := filepath.Join(t.TempDir(), "new")
	p.must("restore", file, "--data-dir", other)
	p = serve(t, other)
	eventually(t, "the operation has ended", func() bool { return p.ended("one") })
	after := running(t, dir)
	require.Equal(t, []string{"hello-1.1.0 one.hello-v2"}, slices.Collect(maps.Values(after)))
	for pid := range after {
		require.Contains(t, during, pid, "adopted, not started again")
	}
	require.Empty(t, running(t, other))
	p.must("release", "delete", "one")
	require.Empty(t, running(t, dir))
}
