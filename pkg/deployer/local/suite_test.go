package local_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
)

func TestLocal_KeepsTheContract(t *testing.T) {
	t.Parallel()

	deployertest.Run(t, harness)
}

func TestLocal_KeepsTheContractWithVariables(t *testing.T) {
	t.Parallel()

	deployertest.Run(t, func(t *testing.T) deployertest.Harness {
		t.Helper()
		h := harness(t)
		request := h.Request
		h.Request = func(app string) deployer.Request {
			r := request(app)
			r.Deployment["spring.cloud.deployer.local.useSpringApplicationJson"] = "false"
			return r
		}
		return h
	})
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
		Seen: func(ctx context.Context, h deployer.Handle) (map[string]string, error) {
			url, _, err := d.Instance(ctx, h, h.ID+"-0")
			if err != nil {
				return nil, fmt.Errorf("find the first instance: %w", err)
			}
			return told(ctx, url.String())
		},
		Left: func() ([]string, error) { return marked(a.config.Installation), nil },
	}
}
