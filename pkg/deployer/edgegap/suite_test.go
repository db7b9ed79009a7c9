package edgegap_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	deploy "github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestEdgegap_KeepsTheContract(t *testing.T) {
	t.Parallel()

	for name, options := range map[string]edgegaptest.Options{
		"as documented":    {},
		"bare, late lists": {BareLists: true, ListDelay: 300 * time.Millisecond},
		"other answers":    {UnknownStatus: 404, UnknownStop: 410, BulkStopStatus: 200, GoneForever: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deployertest.Run(t, func(t *testing.T) deployertest.Harness {
				t.Helper()
				return harness(t, options)
			})
		})
	}
}

// ticking lets a little time pass with every look.
type ticking struct {
	*deploy.Deployer

	clock *clock
}

func (d ticking) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	d.clock.pass(150 * time.Millisecond)
	return d.Deployer.Status(ctx, handles)
}

func harness(t *testing.T, options edgegaptest.Options) deployertest.Harness {
	t.Helper()
	a := newAccount(t, options)
	doom := func(f edgegaptest.Fate) {
		f.Times = -1
		a.fake.Doom(f)
	}
	return deployertest.Harness{
		Deployer: ticking{a.deployer(), a.clock},
		Again:    func() deployer.Deployer { return ticking{a.deployer(), a.clock} },
		Request: func(app string) deployer.Request {
			r := a.request(app)
			r.Deployment[prefix+"properties-as"] = "json"
			return r
		},
		Slow: func(r *deployer.Request) {
			doom(edgegaptest.Fate{
				Kind: edgegaptest.FateUnknownState, After: 5 * time.Second, Application: "arena-" + r.Owner.App,
			})
		},
		Failing: func(r *deployer.Request) {
			doom(edgegaptest.Fate{Kind: edgegaptest.FatePullError, Application: "arena-" + r.Owner.App})
		},
		FailingAt: func(r *deployer.Request, index int) {
			r.Deployment[fmt.Sprintf("%susers[%d].geo-coordinates", prefix, index)] = "35.6:139.8"
			doom(edgegaptest.Fate{Kind: edgegaptest.FatePullError, City: "Tokyo"})
		},
		Seen: func(_ context.Context, h deployer.Handle) (map[string]string, error) {
			seen := map[string]string{}
			for _, b := range a.bodies() {
				for _, v := range b.Environment {
					if err := json.Unmarshal([]byte(v.Value), &seen); err != nil {
						return nil, fmt.Errorf("read %s of %s: %w", v.Key, h.ID, err)
					}
				}
			}
			return seen, nil
		},
		Left: func() ([]string, error) {
			a.clock.pass(150 * time.Millisecond)
			return a.live(), nil
		},
		LogLine: " starts\n",
	}
}
