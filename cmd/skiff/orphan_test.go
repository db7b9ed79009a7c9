package main_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // what a server forgot is taken out of its rows

	"github.com/skiff-project/skiff/pkg/skipper"
)

// forget kills a server and takes rows out of its store, as if that had been restored from before them.
func (p *process) forget(statements ...string) {
	p.t.Helper()
	p.kill()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "skiff.db"))
	require.NoError(p.t, err)
	defer db.Close()
	for _, s := range statements {
		_, err := db.ExecContext(p.t.Context(), s)
		require.NoError(p.t, err)
	}
}

// orphans lists what is one, and what becomes of it.
func (p *process) orphans() []skipper.Orphan {
	p.t.Helper()
	var out []skipper.Orphan
	require.NoError(p.t, json.Unmarshal([]byte(p.must("release", "orphans", "-o", "json")), &out))
	return out
}

func TestOrphans_AreRemovedWhenSomebodyAsks(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	for _, name := range []string{"one", "two"} {
		p.must("release", "install", name, "--package-name", "hello", "--file", values(t), "--wait")
	}
	require.Contains(t, p.must("release", "orphans"), "No orphans were found")
	p.forget("DELETE FROM deployments", "DELETE FROM releases", "DELETE FROM operation_events", "DELETE FROM operations")
	require.Len(t, running(t, dir), 2, "applications outlive the server")

	p = serve(t, dir)
	found := p.orphans()
	require.Len(t, found, 2)
	require.Equal(t, []any{skipper.OrphanFound, "default", "one.hello-v1", "one", 1, "hello"}, []any{
		found[0].Kind, found[0].Account, found[0].DeploymentID, found[0].ReleaseName, found[0].Version, found[0].App,
	})
	require.WithinDuration(t, time.Now(), found[0].Since, time.Minute)
	out, code := p.skiff("release", "orphans", "--adopt", "one.hello-v1")
	require.Equal(t, 4, code, out)
	require.Contains(t, out, "there is no release one that it could belong to")
	out, code = p.skiff("release", "orphans", "--remove")
	require.Equal(t, 2, code, "nobody is there to be asked: %s", out)
	require.Len(t, running(t, dir), 2, "it only tells")

	p.must("release", "orphans", "--remove", "one.hello-v1", "--yes")
	eventually(t, "one is gone", func() bool { return instances(t, dir, "hello-1.0.0 one.") == 0 })
	require.Equal(t, 1, instances(t, dir, "hello-1.0.0 two."), "the other one was not named")
	p.must("release", "orphans", "--remove", "--yes")
	eventually(t, "none is left", func() bool { return len(running(t, dir)) == 0 && len(p.orphans()) == 0 })
	p.must("release", "install", "one", "--package-name", "hello", "--file", values(t), "--wait")
	p.must("release", "delete", "one")
}

func TestOrphans_AreGivenBackToTheirRelease(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	before := running(t, dir)
	p.forget("DELETE FROM deployments")

	p = serve(t, dir)
	require.Contains(t, p.must("release", "orphans", "--adopt"), "adopted")
	require.Empty(t, p.orphans())
	require.Equal(t, before, running(t, dir), "the very same process")
	eventually(t, "the release knows it again", func() bool {
		info, err := p.client().Status(t.Context(), "one", 0)
		apps := info.Status.AppStatuses()
		return err == nil && len(apps) == 1 && apps[0].State == skipper.StateDeployed
	})
	p.must("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.1.0", "--file", values(t), "--wait")
	require.Equal(t, 1, instances(t, dir, "hello-1.1.0 one.hello-v2"))
	require.Len(t, running(t, dir), 1, "what was adopted is replaced as any other")
	p.must("release", "delete", "one")
}

func TestOrphans_AreRemovedByThemselvesWhenConfigured(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--file", values(t), "--wait")
	p.must("release", "install", "two", "--package-name", "hello", "--file", values(t), "--wait")
	p.forget("DELETE FROM deployments WHERE release_name = 'one'")
	file := filepath.Join(t.TempDir(), "skiff.yml")
	require.NoError(t, os.WriteFile(file, []byte("orphans: {period: 1s, remove: true}\n"), 0o600))

	p = serveWith(t, dir, 200*time.Millisecond, "--config", file)
	eventually(t, "what was forgotten is gone", func() bool { return instances(t, dir, "hello-1.0.0 one.") == 0 })
	p.must("release", "install", "three", "--package-name", "hello", "--file", values(t), "--wait")
	require.Empty(t, p.orphans())
	require.Equal(t, 1, instances(t, dir, "hello-1.0.0 two."), "what is known is left alone")
	require.Equal(t, 1, instances(t, dir, "hello-1.0.0 three."))
	p.must("release", "delete", "two")
	p.must("release", "delete", "three")
}
