package docker_test

import (
	"strconv"
	"testing"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
)

func TestDocker_KeepsTheContract(t *testing.T) {
	t.Parallel()
	engine.Host(t)

	deployertest.Run(t, harness)
}

func harness(t *testing.T) deployertest.Harness {
	t.Helper()
	a := newAccount(t)
	d := a.deployer()
	return deployertest.Harness{
		Deployer: d, Request: a.request, LogLine: "sample-app listening on",
		Again: func() deployer.Deployer { return a.deployer() },
		Slow:  func(r *deployer.Request) { r.Properties["hello.delay"] = "3600000" }, ExitCode: "3",
		Failing: func(r *deployer.Request) { r.Properties["hello.exit"] = "3" },
		FailingAt: func(r *deployer.Request, index int) {
			r.Properties["hello.exit"], r.Properties["hello.exit-index"] = "3", strconv.Itoa(index)
		},
		Seen: seen(d),
		Left: func() ([]string, error) { return containersOf(a.config.Engine.Host, a.config.Installation) },
	}
}
