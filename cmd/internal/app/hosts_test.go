package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
)

// memory keeps hosts of accounts as a store of several servers does.
type memory struct {
	mu   sync.Mutex
	host map[string]string
	err  error
	asks int
}

func (m *memory) BindAccount(_ context.Context, name, host string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asks++
	if m.err == nil && m.host[name] == "" {
		m.host[name] = host
	}
	return m.host[name], m.err
}

func (m *memory) AccountHost(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asks++
	return m.host[name], m.err
}

func guarded(h *hosts, account string) deployer.Deployer {
	return h.keep(account, deployertest.NewFake(deployertest.FakeConfig{Account: account, Clock: time.Now}))
}

// calls are all that reach a platform.
func calls(d deployer.Deployer) map[string]func(ctx context.Context) error {
	request := deployer.Request{Name: "a", Group: "r", Count: 1}
	nothing := func(deployer.Handle) error { return nil }
	return map[string]func(ctx context.Context) error{
		"validate": func(ctx context.Context) error { return d.Validate(ctx, request) },
		"deploy": func(ctx context.Context) error {
			_, err := d.Deploy(ctx, request, nil, nothing)
			return err
		},
		"scale": func(ctx context.Context) error {
			_, err := d.Scale(ctx, request, deployer.Handle{ID: "r.a"}, 2, nothing)
			return err
		},
		"status": func(ctx context.Context) error {
			_, err := d.Status(ctx, []deployer.Handle{{ID: "r.a"}})
			return err
		},
		"logs": func(ctx context.Context) error {
			_, err := d.Logs(ctx, deployer.Handle{ID: "r.a"}, 100)
			return err
		},
		"discover": func(ctx context.Context) error {
			_, err := d.Discover(ctx, deployer.Owner{Installation: "i"})
			return err
		},
		"undeploy": func(ctx context.Context) error {
			return d.Undeploy(ctx, deployer.Owner{}, deployer.Handle{ID: "r.a"})
		},
	}
}

func TestHosts_AnAccountBelongsToTheHostThatUsesItFirst(t *testing.T) {
	t.Parallel()
	store := &memory{host: map[string]string{}}
	one, two := newHosts(store, "one", false), newHosts(store, "two", false)
	here, there := guarded(one, "default"), guarded(two, "default")

	for _, read := range []string{"status", "discover"} { // looking is no use
		require.NoError(t, calls(here)[read](t.Context()), read)
		require.NoError(t, calls(there)[read](t.Context()), read)
	}
	require.Empty(t, store.host)
	require.Empty(t, one.elsewhere())
	require.Empty(t, two.elsewhere())

	require.NoError(t, calls(here)["validate"](t.Context()))
	require.Equal(t, map[string]string{"default": "one"}, store.host)
	for name, call := range calls(there) {
		err := call(t.Context())
		require.ErrorIs(t, err, deployer.ErrUnavailable, name)
		require.ErrorContains(t, err, "account default belongs to host one, and this is two", name)
	}
	for _, name := range []string{"deploy", "scale", "status", "logs", "discover", "undeploy"} {
		require.NoError(t, calls(here)[name](t.Context()), name)
	}
	require.Empty(t, one.elsewhere())
	require.Equal(t, []string{"default"}, two.elsewhere())
}

func TestHosts_AreAskedForOnceOnly(t *testing.T) {
	t.Parallel()
	store := &memory{host: map[string]string{"default": "one"}}
	d := guarded(newHosts(store, "one", false), "default")
	for range 3 {
		require.NoError(t, calls(d)["status"](t.Context()))
	}
	require.Equal(t, 1, store.asks)
}

func TestHosts_ThatCannotBeAskedForAreNotGuessed(t *testing.T) {
	t.Parallel()
	store := &memory{host: map[string]string{}, err: errors.New("gone")}
	h := newHosts(store, "one", false)
	d := guarded(h, "default")
	for name, call := range calls(d) {
		require.ErrorIs(t, call(t.Context()), deployer.ErrUnavailable, name)
	}
	require.Empty(t, h.elsewhere())
}
