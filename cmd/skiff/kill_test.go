package main_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// The server is killed in the middle of an operation and started again on the same data; the process table says
// whether the operation ended and exactly the right applications run.

func TestKill_InTheMiddleOfAnInstall_EndsWithAllInstancesOrNone(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	const count = 25
	file := values(t, "spec:", "  deploymentProperties:", fmt.Sprintf("    spring.cloud.deployer.count: %d", count))
	go p.skiff("release", "install", "many", "--package-name", "hello", "--file", file) // its connection breaks
	eventually(t, "an instance runs", func() bool { return len(running(t, dir)) > 0 })
	p.kill()
	at := len(running(t, dir))
	require.Less(t, at, count+1)

	p = serve(t, dir)
	eventually(t, "the operation has ended", func() bool { return p.ended("many") })
	out := p.must("release", "status", "many")
	require.Contains(t, out, "DEPLOYED")
	require.Equal(t, count, instances(t, dir, "hello-1.0.0 many.hello-v1"))
	t.Logf("killed with %d of %d instances started", at, count)
	p.must("release", "delete", "many")
	require.Empty(t, running(t, dir))
}

func TestKill_InTheMiddleOfAnUpgrade_LeavesOneVersion(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	before := running(t, dir)
	slow := values(t, "spec:", "  applicationProperties:", "    hello.delay: 3000")
	p.must("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.1.0", "--file", slow)
	eventually(t, "both versions run", func() bool { return len(running(t, dir)) == 2 })
	during := running(t, dir)
	p.kill()
	require.Equal(t, during, running(t, dir), "applications outlive the server")

	p = serve(t, dir)
	eventually(t, "the operation has ended", func() bool { return p.ended("one") })
	after := running(t, dir)
	require.Equal(t, []string{"hello-1.1.0 one.hello-v2"}, slices.Collect(maps.Values(after)))
	for pid := range after {
		require.Contains(t, during, pid, "the new application was adopted, not started again")
		require.NotContains(t, before, pid)
	}
	require.Contains(t, p.must("release", "history", "one"), "Upgrade complete")
	p.must("release", "delete", "one")
	require.Empty(t, running(t, dir))
}

func TestKill_InTheMiddleOfADelete_RemovesAll(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	stubborn := values(t, "spec:", "  applicationProperties:", "    hello.stubborn: true",
		"  deploymentProperties:", "    spring.cloud.deployer.local.shutdown-timeout: 3")
	p.must("release", "install", "one", "--package-name", "hello", "--file", stubborn, "--wait")
	go p.skiff("release", "delete", "one")
	eventually(t, "the delete is under way", func() bool { return p.state("one") == skipper.StateDelete })
	require.Len(t, running(t, dir), 1, "it ignores SIGTERM")
	p.kill()
	require.Len(t, running(t, dir), 1)

	p = serve(t, dir)
	eventually(t, "the operation has ended", func() bool { return p.ended("one") })
	require.Empty(t, running(t, dir))
	require.Contains(t, p.must("release", "status", "one"), "DELETED")
}

func TestTerminate_ParksTheOperationAndTheNextServerEndsIt(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.2.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	p.must("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.2.0", "--file", values(t),
		"--timeout", "4s")
	require.Less(t, p.terminate(), 10*time.Second)
	require.Len(t, running(t, dir), 2)

	p = serve(t, dir)
	eventually(t, "the operation has ended", func() bool { return p.ended("one") })
	require.Equal(t, []string{"hello-1.0.0 one.hello-v1"}, slices.Collect(maps.Values(running(t, dir))))
	require.Contains(t, p.must("release", "history", "one"), "Did not detect apps in replacing release as healthy")
	p.must("release", "delete", "one")
}

func (p *process) ended(release string) bool {
	op, ok := p.operation(release)
	return ok && !op.Running()
}

func (p *process) state(release string) skipper.State {
	op, _ := p.operation(release)
	return op.State
}

// operation gives the newest operation of a release.
func (p *process) operation(release string) (skipper.Operation, bool) {
	p.t.Helper()
	ops, err := p.client().Operations(p.t.Context(), release)
	require.NoError(p.t, err)
	if len(ops) == 0 {
		return skipper.Operation{}, false
	}
	return ops[0], true
}

func instances(t *testing.T, dir, what string) int {
	t.Helper()
	n := 0
	for _, name := range running(t, dir) {
		if strings.HasPrefix(name, what) {
			n++
		}
	}
	return n
}
