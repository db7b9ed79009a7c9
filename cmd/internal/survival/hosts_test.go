package survival

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Processes belong to the machine they run on. A server on another one says so before it accepts anything, shows what was
// last known, and leaves the work to the server there.
func TestHosts_ALocalAccountBelongsToItsHost(t *testing.T) {
	t.Parallel()
	dir, database := t.TempDir(), cluster.Database(t)
	p := localPlatform(t, dir)
	on := func(host string) *server {
		return onPostgres(t, p, filepath.Join(dir, host), database, settings{"HOST_ID": host, "OPERATION_LEASE": "2s"})
	}
	here, there := on("here"), on("there")
	local, remote := newUser(t, here, p, "one"), newUser(t, there, p, "one")
	local.prepared(t, nil)
	require.NoError(t, local.install(p.good[0]))
	require.Len(t, p.running(t), 1)
	require.True(t, wait(patience, func() bool { return local.state(t) == skipper.StateDeployed }))

	info, err := remote.c.Status(remote.ctx, "one", 0)
	require.NoError(t, err)
	require.Equal(t, skipper.StatusDeployed, info.Status.StatusCode)
	require.Len(t, info.Status.AppStatuses(), 1)
	require.Equal(t, skipper.StateDeployed, info.Status.AppStatuses()[0].State, "the last that is known")

	stranger := newUser(t, there, p, "two")
	for what, err := range map[string]error{
		"install": stranger.install(p.good[0]), "upgrade": remote.upgrade(p.good[1], time.Minute),
	} {
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%s: %v", what, err)
		require.ErrorContains(t, err, "account default belongs to host here, and this is there", what)
	}
	history, err := remote.c.History(remote.ctx, "one")
	require.NoError(t, err)
	require.Len(t, history, 1, "nothing was accepted")

	here.kill()
	done := make(chan error, 1)
	go func() {
		_, _, err := remote.c.Delete(remote.ctx, "one", false)
		done <- err
	}()
	require.True(t, remote.until(func(op skipper.Operation) bool { return op.Kind == skipper.KindDelete }))
	require.False(t, wait(3*time.Second, func() bool { return len(done) > 0 }), "it is left to the host that has it")
	require.Len(t, p.running(t), 1)
	here = on("here")
	require.NoError(t, <-done)
	require.Empty(t, p.running(t))
	require.True(t, here.alive())
}

// state is that of the first application of a release.
func (u *user) state(t *testing.T) skipper.DeploymentState {
	t.Helper()
	info, err := u.c.Status(u.ctx, u.release, 0)
	require.NoError(t, err)
	apps := info.Status.AppStatuses()
	require.NotEmpty(t, apps)
	return apps[0].State
}

// A machine that got another name has its applications still, when its server is alone on the store.
func TestHosts_ASingleServerWithANewNameGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, data := localPlatform(t, dir), filepath.Join(dir, "data")
	s := serve(t, data, quick(settings{"HOST_ID": "old"}))
	u := newUser(t, s, p, "one")
	u.prepared(t, nil)
	require.NoError(t, u.install(p.good[0]))
	s.kill()
	s = serve(t, data, quick(settings{"HOST_ID": "new"}))
	u = newUser(t, s, p, "one")
	require.True(t, wait(patience, func() bool { return u.state(t) == skipper.StateDeployed }))
	require.NoError(t, u.upgrade(p.good[1], patience))
	require.True(t, u.until(ended))
	_, _, err := u.c.Delete(u.ctx, "one", false)
	require.NoError(t, err)
	require.Empty(t, p.running(t))
}
