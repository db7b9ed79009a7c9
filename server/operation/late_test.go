package operation_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server/operation"
	"github.com/skiff-project/skiff/server/orphan"
	"github.com/skiff-project/skiff/server/rollout"
)

// frozen is a server's platform: the effect of a deploy comes when the server thaws, whatever became of its lease.
type frozen struct {
	deployer.Deployer

	reached, thaw chan struct{}
}

func (f frozen) Deploy(ctx context.Context, r deployer.Request, previous *deployer.Handle,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	return f.Deployer.Deploy(context.WithoutCancel(ctx), r, previous, func(h deployer.Handle) error {
		err := save(h)
		close(f.reached)
		<-f.thaw
		return err
	})
}

// severed is a server's store: once cut off, it takes nothing any more, as for a server that dies right after the effect.
type severed struct {
	*repository.Store

	cut *atomic.Bool
}

func (s severed) Renew(ctx context.Context, id string, token int64, until time.Time) error {
	if s.cut.Load() {
		<-ctx.Done()
		return skipper.Errorf(skipper.CodeUnavailable, "no network: %w", ctx.Err())
	}
	return s.Store.Renew(ctx, id, token, until)
}

func (s severed) Lease(ctx context.Context, owner string, now, until time.Time, limit int, elsewhere []string,
) ([]skipper.Operation, error) {
	if s.cut.Load() {
		return nil, skipper.Errorf(skipper.CodeUnavailable, "no network")
	}
	return s.Store.Lease(ctx, owner, now, until, limit, elsewhere)
}

func (s severed) ClaimCompensations(ctx context.Context, now, until time.Time, limit int, elsewhere []string,
) ([]skipper.Deployment, error) {
	if s.cut.Load() {
		return nil, skipper.Errorf(skipper.CodeUnavailable, "no network")
	}
	return s.Store.ClaimCompensations(ctx, now, until, limit, elsewhere)
}

func (s severed) SaveHandle(ctx context.Context, id string, token int64, account, deployment string, h json.RawMessage,
	hash string,
) error {
	if s.cut.Load() {
		return skipper.Errorf(skipper.CodeUnavailable, "no network")
	}
	return s.Store.SaveHandle(ctx, id, token, account, deployment, h, hash)
}

// One server is frozen in the middle of a platform call. Another one takes the operation over and ends it; then the
// effect comes, and its server tells nobody. It is found and removed; what this store never knew of is only told of.
func TestLateEffect_OfAFrozenServerIsRemoved(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "platform.json")
		fake, cut := newFake(t, file), &atomic.Bool{}
		ice := frozen{newFake(t, file), make(chan struct{}), make(chan struct{})}
		var opened severed
		s := start(t, t.TempDir(), fake, short(), at(url), func(p *parts) {
			p.lease = 200 * time.Millisecond
			p.store = func(s *repository.Store) operation.Store {
				opened = severed{s, cut}
				return opened
			}
			p.steps = func(*rollout.Rollout) operation.Stepper {
				config := short()
				var err error
				config.Installation, err = opened.Installation(t.Context())
				require.NoError(t, err)
				return rollout.New(opened, deployer.Accounts{{Name: "default", Deployer: ice}}, config, time.Now, nil)
			}
		})
		t.Cleanup(func() { s.stop() })
		installation, err := s.store.Installation(t.Context())
		require.NoError(t, err)

		s.upload("one", "1.0.0", "a")
		installed := make(chan error, 1)
		go func() {
			_, _, err := s.install("r", "one", "")
			installed <- err
		}()
		<-ice.reached
		cut.Store(true)
		var disturbed atomic.Int64
		log := slog.New(slog.DiscardHandler)
		other := operation.New(s.store, s.roll, operation.Config{
			Owner: "other", Poll: 10 * time.Millisecond, SweepLimit: 20 * time.Millisecond,
			Disturbed: func() { disturbed.Add(1) },
		}, time.Now, log)
		sweeps := orphan.New(s.store, s.roll, deployer.Accounts{{Name: "default", Deployer: fake}}, orphan.Config{
			Installation: installation, Period: 50 * time.Millisecond, Grace: 5 * time.Millisecond,
		}, other.Wake, time.Now, log)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		go func() { other.Run(ctx); done <- struct{}{} }()
		go func() { sweeps.Run(ctx); done <- struct{}{} }()
		t.Cleanup(func() { cancel(); <-done; <-done })

		require.NoError(t, <-installed, "the other server ends it")
		require.Positive(t, disturbed.Load(), "it was taken over")
		_, _, err = s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
		require.NoError(t, err)
		require.Empty(t, s.runs())
		unknown := deployer.Request{
			Owner: deployer.Owner{Installation: installation, Account: "default", Release: "r", Version: 7, App: "a"},
			Name:  "a-v7", Group: "r", Count: 1,
		}
		_, err = fake.Deploy(t.Context(), unknown, nil, func(deployer.Handle) error { return nil })
		require.NoError(t, err)
		close(ice.thaw)
		require.Eventually(t, func() bool {
			l, err := fake.Ledger()
			return err == nil && len(l.Calls) >= 5 // two deploys, an undeploy, the one that came late, and its removal
		}, 10*time.Second, 5*time.Millisecond)
		s.eventually([]string{"r.a-v7"})
	})
}
