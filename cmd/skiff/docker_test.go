package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// containers asks an engine for those of a release: by name, with the state of each.
func containers(t *testing.T, host, release string) map[string]string {
	t.Helper()
	c, err := client.New(client.WithHost(host))
	require.NoError(t, err)
	defer func() { _ = c.Close() }() // it was only asked
	found, err := c.ContainerList(context.WithoutCancel(t.Context()), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "io.skiff.release="+release),
	})
	require.NoError(t, err)
	out := map[string]string{}
	for _, one := range found.Items {
		out[strings.TrimPrefix(one.Names[0], "/")+" "+one.ID[:12]] = string(one.State)
	}
	return out
}

// names are those of containers, without their ids.
func names(containers map[string]string) []string {
	out := []string{}
	for key, state := range containers {
		name, _, _ := strings.Cut(key, " ")
		out = append(out, name+" "+state)
	}
	slices.Sort(out)
	return out
}

// TestDocker_AReleaseOfContainers goes through the life of a release, on an account of each kind.
func TestDocker_AReleaseOfContainers(t *testing.T) {
	t.Parallel()
	engine := &dockertest.Engine{}
	host := engine.Host(t)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		engine.Import(t, "skiff-e2e/hello:"+v, filepath.Join(built.apps, "hello-"+v), `ENTRYPOINT ["/hello-`+v+`"]`)
	}
	for account, config := range map[string]string{
		"box": "platform.docker.accounts.box.host: " + host,
		"default": "platform.local.accounts.default.docker: {host: '" + host +
			"', publish-address: 127.0.0.1, port-range: {low: 24000, high: 26000}}",
	} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			releaseOfContainers(t, host, account, config)
		})
	}
}

func releaseOfContainers(t *testing.T, host, account, config string) {
	t.Helper()
	dir, name := dataDir(t), "web-"+account
	file := filepath.Join(t.TempDir(), "skiff.yml")
	require.NoError(t, os.WriteFile(file, []byte(config+"\n"), 0o600))
	start := func() *process { return serveWith(t, dir, 200*time.Millisecond, "--config", file) }
	// A delay is given each time: what an upgrade is given stays for those after it, and for a rollback too.
	delayed := func(millis string) string {
		path := filepath.Join(t.TempDir(), "values.yml")
		text := "appBase: docker:skiff-e2e\nspec:\n  applicationProperties:\n    hello.delay: " + millis + "\n"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	p := start()
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		p.must("package", "upload", sample("hello-"+v))
	}
	app := func(version string) string { return name + ".hello-v" + version }

	// Install, and what people see.
	p.must("release", "install", name, "--package-name", "hello", "--package-version", "1.0.0", "--platform-name", account,
		"--file", delayed("0"), "--wait")
	require.Equal(t, []string{app("1-0 running")}, names(containers(t, host, name)))
	require.Contains(t, p.must("release", "status", name), "DEPLOYED")
	require.Contains(t, p.must("release", "logs", name), "sample-app listening on")

	// Scale, and a server that is killed: its containers are the next one's.
	_, _, err := p.client().Scale(t.Context(), name, skipper.ScaleRequest{
		Scale: []skipper.ScaleRequestItem{{Name: "hello", Count: new(3)}},
	})
	require.NoError(t, err)
	require.Len(t, containers(t, host, name), 3)
	before := containers(t, host, name)
	p.kill()
	require.Equal(t, before, containers(t, host, name), "containers outlive the server")
	p = start()
	eventually(t, "all instances are deployed", func() bool {
		text, _ := p.skiff("release", "status", name, "-o", "json")
		return strings.Count(text, "container.id") == 3 && !strings.Contains(text, "deploying")
	})
	require.Equal(t, before, containers(t, host, name), "nothing was started again")

	// A server that is killed in the middle of an upgrade: one version is left.
	p.must("release", "upgrade", name, "--package-name", "hello", "--package-version", "1.1.0", "--file", delayed("3000"))
	eventually(t, "both versions run", func() bool {
		return slices.Contains(names(containers(t, host, name)), app("2-0 running"))
	})
	p.kill()
	p = start()
	eventually(t, "the upgrade has ended", func() bool { return p.ended(name) })
	upgraded := containers(t, host, name)
	require.Equal(t, []string{app("2-0 running"), app("2-1 running"), app("2-2 running")}, names(upgraded))

	// An upgrade that fails leaves what runs.
	_, code := p.skiff("release", "upgrade", name, "--package-name", "hello", "--package-version", "1.2.0",
		"--file", delayed("3600000"), "--wait", "--timeout", "5s")
	require.Equal(t, 1, code)
	eventually(t, "the failed version is gone", func() bool { return len(containers(t, host, name)) == len(upgraded) })
	require.Equal(t, upgraded, containers(t, host, name))

	// Rollback and delete.
	p.must("release", "rollback", name, "--release-version", "1", "--wait")
	for _, running := range names(containers(t, host, name)) {
		require.Regexp(t, fmt.Sprintf(`^%s\.hello-v\d+-\d running$`, name), running)
		require.NotContains(t, running, app("2-"))
	}
	p.must("release", "delete", name)
	require.Empty(t, containers(t, host, name))
	p.terminate()
}
