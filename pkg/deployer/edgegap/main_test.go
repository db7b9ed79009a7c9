package edgegap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	deploy "github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const prefix = "spring.cloud.deployer.edgegap."

// clock is a time that passes only when somebody waits, and when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	if ctx.Err() == nil {
		c.pass(d)
	}
	return ctx.Err()
}

func (c *clock) wait(ctx context.Context, d time.Duration) error { return c.Wait(ctx, d) }

// account is a fake Edgegap with one account on it.
type account struct {
	*testing.T

	clock  *clock
	fake   *edgegaptest.Fake
	config deploy.Config
	log    *bytes.Buffer
	// handles are the last that were saved or given back, by deployment id.
	handles map[string]deployer.Handle
	saves   int
}

func newAccount(t *testing.T, o edgegaptest.Options) *account {
	t.Helper()
	a := &account{
		T: t, clock: &clock{now: time.Now().UTC().Truncate(time.Second)}, log: &bytes.Buffer{},
		handles: map[string]deployer.Handle{},
	}
	o.Now, o.Wait = a.clock.Now, a.clock.wait
	fake, err := edgegaptest.New(o)
	require.NoError(t, err)
	a.fake = fake
	a.config = deploy.Config{
		Account: "live", Installation: "here", Clock: a.clock.Now, Wait: a.clock.Wait, Logger: slog.New(slog.DiscardHandler),
		HTTPClient: &http.Client{Transport: fake.Transport()},
		Settings: deploy.Settings{
			Token: edgegaptest.DefaultToken, PollInterval: 100 * time.Millisecond, PollIdle: 200 * time.Millisecond,
			Deployment: map[string]string{"ports": "game:7777/UDP", "users.geo-coordinates": "45.5:-73.6"},
		},
	}
	return a
}

func (a *account) deployer() *deploy.Deployer {
	a.Helper()
	d, err := deploy.New(a.config)
	require.NoError(a, err)
	a.Cleanup(func() { require.NoError(a, d.Close(context.Background())) })
	return d
}

func (a *account) request(app string) deployer.Request {
	return deployer.Request{
		Owner: deployer.Owner{
			Installation: a.config.Installation, Account: a.config.Account, Release: "arena", Version: 1, App: app,
		},
		Name: app + "-v1", Group: "arena", Count: 1, Properties: map[string]string{},
		Deployment: map[string]string{}, Resource: resource.Ref{Location: "docker:acme/arena:1.0.0"},
	}
}

func (a *account) save(h deployer.Handle) error {
	a.saves++
	a.handles[h.ID] = h
	return nil
}

// deploy deploys and keeps the handle.
func (a *account) deploy(d *deploy.Deployer, r deployer.Request) deployer.Handle {
	a.Helper()
	h, err := d.Deploy(a.Context(), r, nil, a.save)
	require.NoError(a, err)
	return h
}

// live are the request ids of what runs and nobody asked to stop.
func (a *account) live() []string {
	var ids []string
	for _, r := range a.fake.Leaks() {
		ids = append(ids, r.RequestID)
	}
	return ids
}

// status asks until there is an answer.
func (a *account) status(d *deploy.Deployer, h deployer.Handle) skipper.AppStatus {
	a.Helper()
	all, err := d.Status(a.Context(), []deployer.Handle{h})
	for range 50 {
		if err == nil {
			break
		}
		require.True(a, deployer.Retry(err), "%v", err)
		all, err = d.Status(a.Context(), []deployer.Handle{h})
	}
	require.NoError(a, err)
	return all[h.ID]
}

// until lets time pass in steps until the status has a state.
func (a *account) until(d *deploy.Deployer, h deployer.Handle, want skipper.DeploymentState) skipper.AppStatus {
	a.Helper()
	var got skipper.AppStatus
	for range 200 {
		if got = a.status(d, h); got.State == want {
			return got
		}
		a.clock.pass(200 * time.Millisecond)
	}
	require.Equal(a, want, got.State, "%v", got)
	return got
}

// remove undeploys until nothing is left.
func (a *account) remove(d *deploy.Deployer, r deployer.Request, h deployer.Handle) {
	a.Helper()
	var err error
	for range 500 {
		if err = d.Undeploy(a.Context(), r.Owner, h); err == nil {
			if a.status(d, h).State == skipper.StateUnknown {
				return
			}
		} else {
			require.True(a, deployer.Retry(err), "%v", err)
		}
		a.clock.pass(500 * time.Millisecond)
	}
	require.NoError(a, err)
	require.Fail(a, "it is never gone", "%v", a.status(d, h))
}

// bodies are the deploys that came, by instance index of their tags.
func (a *account) bodies() []body {
	var out []body
	for _, entry := range a.fake.Journal("deploy") {
		var b body
		require.NoError(a, json.Unmarshal([]byte(entry.Body), &b))
		out = append(out, b)
	}
	return out
}

type body struct {
	Application string   `json:"application"`
	Version     string   `json:"version"`
	Tags        []string `json:"tags"`
	Environment []struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Hidden bool   `json:"is_hidden"` //nolint:tagliatelle // Edgegap's name
	} `json:"environment_variables"` //nolint:tagliatelle // Edgegap's name
	Resources *edgegap.Resources `json:"resources"`
	OnReady   *edgegap.Webhook   `json:"webhook_on_ready"` //nolint:tagliatelle // Edgegap's name
}

func (b body) tag(prefix string) string {
	at := slices.IndexFunc(b.Tags, func(tag string) bool { return strings.HasPrefix(tag, prefix) })
	if at < 0 {
		return ""
	}
	return b.Tags[at]
}
