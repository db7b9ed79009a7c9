package rollout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// frozen lets the next deploy happen only after another server took over, ended the operation and did what is given.
func (b *bundle) frozen(meanwhile func(s *fakeStore)) {
	b.fake.deploy = func(r deployer.Request, previous *deployer.Handle, save func(deployer.Handle) error,
	) (deployer.Handle, error) {
		b.fake.deploy = nil
		return b.fake.Fake.Deploy(b.t.Context(), r, previous, func(h deployer.Handle) error {
			err := save(h)
			b.store.mu.Lock()
			defer b.store.mu.Unlock()
			b.store.stale = true
			meanwhile(b.store)
			return err
		})
	}
}

func TestDeploy_AnEffectAfterTheLeaseWasLostIsRemovedWhenNothingKnowsOfIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("a", "", ""))
	b.frozen(func(s *fakeStore) { clear(s.rows) })
	_, err := b.Step(t.Context(), b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.ErrorIs(t, err, skipper.ErrStale)
	require.Equal(t, []string{"r.a-v1"}, b.runs())
	require.Contains(t, b.store.seen(), "orphan r.a-v1")
	require.False(t, b.store.rows["r.a-v1"].Wanted, "it has to go")
}

func TestDeploy_AnEffectAfterTheLeaseWasLostStaysWhenTheOtherServerHasIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("a", "", ""))
	b.frozen(func(*fakeStore) {})
	_, err := b.Step(t.Context(), b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.ErrorIs(t, err, skipper.ErrStale)
	require.NotContains(t, b.store.seen(), "orphan r.a-v1")
	require.True(t, b.store.rows["r.a-v1"].Wanted)
}

func TestDeploy_ThatStoppedBeforeItsEffectDisownsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("a", "", ""))
	b.fake.deploy = func(r deployer.Request, previous *deployer.Handle, save func(deployer.Handle) error,
	) (deployer.Handle, error) {
		b.store.mu.Lock()
		b.store.stale = true
		clear(b.store.rows)
		b.store.mu.Unlock()
		return b.fake.Fake.Deploy(t.Context(), r, previous, save)
	}
	_, err := b.Step(t.Context(), b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.ErrorIs(t, err, skipper.ErrStale)
	require.Empty(t, b.runs())
	require.NotContains(t, b.store.seen(), "orphan r.a-v1")
}
