package rollout_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// strayed is a bundle with a deployed version of two applications, of which pong has no row any more.
func strayed(t *testing.T) (*bundle, skipper.Release, skipper.Deployment) {
	t.Helper()
	b := setup(t)
	b.installed(1, app("ping", "", ""), app("pong", "a: 1", ""))
	delete(b.store.rows, "r.pong-v1")
	rel, err := b.store.Release(t.Context(), "r", 1)
	require.NoError(t, err)
	found, err := b.fake.Discover(t.Context(), deployer.Owner{Installation: "test", App: "pong"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return b, rel, skipper.Deployment{
		Account: "default", DeploymentID: found[0].ID, ReleaseName: "r", ReleaseVersion: 1, App: "pong",
		SpecHash: found[0].SpecHash,
	}
}

func TestAdopted_StandsInItsPlaceAgain(t *testing.T) {
	t.Parallel()
	b, rel, d := strayed(t)
	both := []skipper.AppDeployment{{App: "ping", ID: "r.ping-v1"}, {App: "pong", ID: "r.pong-v1"}}
	for name, apps := range map[string][]skipper.AppDeployment{
		"known":      both,
		"lost":       both[:1],
		"all lost":   nil,
		"another id": {both[0], {App: "pong", ID: "r.gone-v0"}},
	} {
		rel.Apps = apps
		for _, hash := range []string{d.SpecHash, ""} { // some platforms keep none
			found := d
			found.SpecHash = hash
			got, kept, err := b.Adopted(t.Context(), rel, found)
			require.NoError(t, err, name)
			want := both
			if apps == nil {
				want = both[1:]
			}
			require.Equal(t, want, got.Apps, "%s: in the order of the manifest", name)
			asked := d
			asked.Due = b.now.Add(time.Minute)
			require.Equal(t, asked, kept)
		}
	}
}

func TestAdopted_SaysWhyNot(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(b *bundle, rel *skipper.Release, d *skipper.Deployment)
		message string
	}{
		"another account": {
			func(_ *bundle, _ *skipper.Release, d *skipper.Deployment) { d.Account = "far" },
			"version 1 of release r is on account default",
		},
		"no such application": {
			func(_ *bundle, _ *skipper.Release, d *skipper.Deployment) { d.App = "pang" },
			"version 1 of release r has no application pang",
		},
		"no manifest": {
			func(_ *bundle, rel *skipper.Release, _ *skipper.Deployment) { rel.Manifest = nil },
			"version 1 of release r has no application pong",
		},
		"another specification": {
			func(_ *bundle, _ *skipper.Release, d *skipper.Deployment) { d.SpecHash = "other" },
			"version 1 of release r asks for application pong in another way",
		},
		"another id": {
			func(_ *bundle, _ *skipper.Release, d *skipper.Deployment) { d.DeploymentID = "r.pong-v01" },
			"version 1 of release r asks for application pong in another way",
		},
		"deployed already": {
			func(b *bundle, rel *skipper.Release, _ *skipper.Deployment) {
				rel.Apps = []skipper.AppDeployment{{App: "pong", ID: "r.ping-v1"}}
			},
			"application pong of release r is deployed as r.ping-v1 already",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, rel, d := strayed(t)
			test.change(b, &rel, &d)
			_, _, err := b.Adopted(t.Context(), rel, d)
			require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err))
			require.Equal(t, test.message, skipper.MessageOf(err))
		})
	}
	b, rel, d := strayed(t)
	b.store.broken = "deployments"
	_, _, err := b.Adopted(t.Context(), rel, d)
	require.ErrorIs(t, err, errBroken)
}
