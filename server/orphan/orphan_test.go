package orphan_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/orphan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store keeps rows in memory.
type store struct {
	mu       sync.Mutex
	rows     []skipper.Deployment
	release  *skipper.Release
	err      error // of every call
	refusal  error // of a write
	written  []skipper.Deployment
	released []skipper.Release
	ended    []string // releases of which all operations have ended
	asked    []time.Time
}

func (s *store) Concluded(_ context.Context, name string, version int, began time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, began)
	return version == 2 && slices.Contains(s.ended, name), s.err
}

func (s *store) Deployments(_ context.Context, account string, ids []string) ([]skipper.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []skipper.Deployment
	for _, d := range s.rows {
		if d.Account == account && slices.Contains(ids, d.DeploymentID) {
			out = append(out, d)
		}
	}
	return out, s.err
}

func (s *store) Compensations(context.Context, int) ([]skipper.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.rows), func(d skipper.Deployment) bool { return d.Wanted }), s.err
}

func (s *store) CompensateOrphan(_ context.Context, d skipper.Deployment) error { return s.write(d) }

func (s *store) AdoptOrphan(_ context.Context, d skipper.Deployment, rel skipper.Release) error {
	s.released = append(s.released, rel)
	d.Wanted = true
	return s.write(d)
}

func (s *store) write(d skipper.Deployment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		return s.refusal
	}
	s.rows, s.written = append(s.rows, d), append(s.written, d)
	return nil
}

func (s *store) LatestRelease(_ context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error) {
	if s.err != nil {
		return skipper.Release{}, s.err
	}
	if s.release == nil || slices.Contains(among, skipper.StatusFailed) {
		return skipper.Release{}, skipper.ReleaseNotFound(name, 0)
	}
	return *s.release, nil
}

// platforms takes everything in.
type platforms struct{ refusal error }

func (p *platforms) Adopted(_ context.Context, rel skipper.Release, d skipper.Deployment,
) (skipper.Release, skipper.Deployment, error) {
	rel.Apps, d.SpecHash = []skipper.AppDeployment{{App: d.App, ID: d.DeploymentID}}, "asked"
	return rel, d, p.refusal
}

// listed is a deployer whose answers to Discover a test may change: do is called before each.
type listed struct {
	*deployertest.Fake

	do  func()
	err error
}

func (l *listed) Discover(ctx context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	l.do()
	if l.err != nil {
		return nil, l.err
	}
	return l.Fake.Discover(ctx, filter)
}

type bundle struct {
	t        *testing.T
	service  *orphan.Service
	store    *store
	fake     *listed
	platform *platforms
	woken    int
	log      bytes.Buffer
	config   orphan.Config
	accounts deployer.Accounts
}

func setup(t *testing.T, config orphan.Config) *bundle {
	t.Helper()
	b := &bundle{t: t, store: &store{}, platform: &platforms{}, config: config}
	b.config.Installation = "here"
	b.fake = &listed{do: func() {}, Fake: fakeOf("default")}
	b.accounts = deployer.Accounts{
		{Name: "default", Deployer: b.fake}, {Name: "far", Deployer: &listed{do: func() {}, Fake: fakeOf("far")}},
	}
	b.service = orphan.New(b.store, b.platform, b.accounts, b.config, func() { b.woken++ },
		time.Now, slog.New(slog.NewTextHandler(&b.log, nil)))
	return b
}

func fakeOf(account string) *deployertest.Fake {
	return deployertest.NewFake(deployertest.FakeConfig{Account: account, Installation: "here", Clock: time.Now})
}

// runs puts a deployment on an account, as a server did that nobody remembers.
func (b *bundle) runs(account, release, installation string) {
	b.t.Helper()
	a, err := b.accounts.Named(account)
	require.NoError(b.t, err)
	_, err = a.Deployer.Deploy(b.t.Context(), deployer.Request{
		Owner: deployer.Owner{Installation: installation, Account: account, Release: release, Version: 2, App: "log"},
		Name:  "log-v2", Group: release, Count: 1,
	}, nil, func(deployer.Handle) error { return nil })
	require.NoError(b.t, err)
}

func known(account, release string) skipper.Deployment {
	return skipper.Deployment{
		Account: account, DeploymentID: release + ".log-v2", ReleaseName: release, ReleaseVersion: 2, App: "log", Wanted: true,
	}
}

func kinds(found skipper.Orphans) []string {
	out := []string{}
	for _, o := range found.Items {
		out = append(out, string(o.Kind)+" "+o.Account+" "+o.DeploymentID)
	}
	return out
}

func TestList_IsWhatNoRowTellsOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		since := time.Now().UTC()
		for _, release := range []string{"lost", "known", "going"} {
			b.runs("default", release, "here")
		}
		b.runs("far", "lost", "here")
		b.runs("default", "foreign", "elsewhere")
		going := known("default", "going")
		going.Wanted, going.LastError, going.Created = false, "it is stubborn", since
		b.store.rows = []skipper.Deployment{known("default", "known"), going}

		found, err := b.service.List(t.Context())

		require.NoError(t, err)
		require.Equal(t, []string{
			"compensation default going.log-v2", "orphan default lost.log-v2", "orphan far lost.log-v2",
		}, kinds(found))
		require.Empty(t, found.Problems)
		require.NotNil(t, found.Problems)
		hash := found.Items[1].SpecHash
		require.NotEmpty(t, hash)
		require.Empty(t, cmp.Diff([]skipper.Orphan{
			{
				Kind: skipper.OrphanCompensation, Account: "default", DeploymentID: "going.log-v2", ReleaseName: "going", Version: 2,
				App: "log", Since: since, Message: "it is stubborn",
			},
			{
				Kind: skipper.OrphanFound, Account: "default", DeploymentID: "lost.log-v2", ReleaseName: "lost", Version: 2,
				App: "log", Since: since, SpecHash: hash,
			},
		}, found.Items[:2]))
		require.Equal(t, 2*time.Second, time.Since(since), "it looked twice")
	})
}

func TestList_OfNothingDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		began := time.Now()
		found, err := b.service.List(t.Context())
		require.NoError(t, err)
		require.Empty(t, found.Items)
		require.Zero(t, time.Since(began))
	})
}

// A deployment is just being made, or removed, in the middle of the look.
func TestList_WhatIsUnderWayIsNoOrphan(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, b *bundle, look int){
		// The row is written before the platform is asked: whoever sees the deployment finds the row.
		"made between the platform and the rows": func(t *testing.T, b *bundle, look int) {
			t.Helper()
			if look == 1 {
				b.store.rows = []skipper.Deployment{known("default", "busy")}
				b.runs("default", "busy", "here")
			}
		},
		"removed between the platform and the rows": func(t *testing.T, b *bundle, look int) {
			t.Helper()
			if look == 1 {
				b.runs("default", "busy", "here")
			} else {
				require.NoError(t, b.fake.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: "busy.log-v2"}))
			}
		},
		"adopted in the meantime": func(t *testing.T, b *bundle, look int) {
			t.Helper()
			if look == 1 {
				b.runs("default", "busy", "here")
			} else {
				b.store.rows = []skipper.Deployment{known("default", "busy")}
			}
		},
		"seen at the second look only": func(t *testing.T, b *bundle, look int) {
			t.Helper()
			b.runs("default", []string{1: "first", 2: "second"}[look], "here")
			if look == 2 {
				require.NoError(t, b.fake.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: "first.log-v2"}))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, orphan.Config{})
				looks := 0
				b.fake.do = func() {
					looks++
					change(t, b, looks)
				}
				found, err := b.service.List(t.Context())
				require.NoError(t, err)
				require.Empty(t, found.Items)
			})
		})
	}
}

func TestList_NamesTheAccountsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		b.runs("far", "lost", "here")
		b.fake.err = deployer.Errorf(deployer.ErrUnavailable, "no route")
		found, err := b.service.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"orphan far lost.log-v2"}, kinds(found))
		require.Equal(t, []string{"account default cannot be asked: no route"}, found.Problems)

		_, err = b.service.Remove(t.Context(), ref("default", "lost.log-v2"))
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "it may be one")
	})
}

func TestList_OfAStoreThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		b.runs("far", "lost", "here")
		b.store.err = errors.New("gone")
		_, err := b.service.List(t.Context())
		require.ErrorIs(t, err, b.store.err, "without rows everything would be an orphan")
		b.service.Run(ending(t, time.Second))
		require.Empty(t, b.store.written)
	})
}

// ending is a context that ends after a time.
func ending(t *testing.T, after time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	t.Cleanup(cancel)
	return ctx
}

func ref(account, id string) skipper.OrphanRequest {
	return skipper.OrphanRequest{Orphans: []skipper.OrphanRef{{Account: account, DeploymentID: id}}}
}

func TestRemove_WritesACompensationAndTouchesNoPlatform(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		b.runs("default", "lost", "here")
		b.runs("far", "lost", "here")
		calls := func() int {
			l, err := b.fake.Ledger()
			require.NoError(t, err)
			return len(l.Calls)
		}
		before := calls()

		found, err := b.service.Remove(t.Context(), ref("default", "lost.log-v2"))
		require.NoError(t, err)
		require.Equal(t, []string{"compensation default lost.log-v2"}, kinds(found))
		require.Equal(t, 1, b.woken)
		require.Len(t, b.store.written, 1)
		require.False(t, b.store.written[0].Wanted)
		require.Equal(t, "lost", b.store.written[0].ReleaseName)
		require.Equal(t, 2, b.store.written[0].ReleaseVersion)

		found, err = b.service.Remove(t.Context(), skipper.OrphanRequest{All: true})
		require.NoError(t, err)
		require.Equal(t, []string{"compensation far lost.log-v2"}, kinds(found), "the other one is none any more")
		require.Equal(t, before, calls())
	})
}

func TestCommands_RefuseWhatIsNoOrphan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		b.runs("default", "known", "here")
		b.runs("default", "lost", "here")
		b.runs("default", "foreign", "elsewhere")
		b.store.rows = []skipper.Deployment{known("default", "known")}
		both := ref("default", "lost.log-v2")
		both.Orphans = append(both.Orphans, skipper.OrphanRef{Account: "default", DeploymentID: "known.log-v2"})
		for _, command := range []func(context.Context, skipper.OrphanRequest) (skipper.Orphans, error){
			b.service.Remove, b.service.Adopt,
		} {
			for code, requests := range map[skipper.Code][]skipper.OrphanRequest{
				skipper.CodeInvalid:  {{}, {All: true, Orphans: both.Orphans}},
				skipper.CodeNotFound: {ref("default", "known.log-v2"), ref("default", "foreign.log-v2"), both},
				skipper.CodeConflict: {ref("nope", "lost.log-v2")},
			} {
				for _, request := range requests {
					_, err := command(t.Context(), request)
					require.Equal(t, code, skipper.CodeOf(err), "%v: %v", request, err)
				}
			}
		}
		require.Empty(t, b.store.written, "nothing is done when one is refused")
	})
}

func TestCommands_TellOfEachWhyNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		b.runs("default", "lost", "here")
		b.store.refusal = skipper.Errorf(skipper.CodeBusy, "an operation runs on release lost")
		found, err := b.service.Remove(t.Context(), skipper.OrphanRequest{All: true})
		require.NoError(t, err)
		require.Equal(t, []string{"orphan default lost.log-v2"}, kinds(found))
		require.Equal(t, "an operation runs on release lost", found.Items[0].Message)
		require.Zero(t, b.woken)

		b.store.refusal = skipper.Errorf(skipper.CodeUnavailable, "gone")
		_, err = b.service.Remove(t.Context(), skipper.OrphanRequest{All: true})
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	})
}

func TestAdopt_GivesItBackToTheVersionThatStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		b.runs("default", "lost", "here")
		b.store.release = &skipper.Release{
			ID: 7, Name: "lost", Version: 2, Info: skipper.Info{Status: skipper.Status{StatusCode: skipper.StatusDeployed}},
		}
		found, err := b.service.Adopt(t.Context(), skipper.OrphanRequest{All: true})
		require.NoError(t, err)
		require.Equal(t, []string{"adopted default lost.log-v2"}, kinds(found))
		require.Empty(t, found.Items[0].Message)
		require.Len(t, b.store.written, 1)
		require.True(t, b.store.written[0].Wanted)
		require.Equal(t, "asked", b.store.written[0].SpecHash)
		require.Equal(t, []skipper.AppDeployment{{App: "log", ID: "lost.log-v2"}}, b.store.released[0].Apps)
		require.Equal(t, int64(7), b.store.released[0].ID)
	})
}

func TestAdopt_SaysWhyNot(t *testing.T) {
	t.Parallel()
	standing := func(version int, status skipper.StatusCode) *skipper.Release {
		return &skipper.Release{
			Name: "lost", Version: version, Info: skipper.Info{Status: skipper.Status{StatusCode: status}},
		}
	}
	for name, test := range map[string]struct {
		release     *skipper.Release
		fits, write error
		message     string
	}{
		"no release":   {message: "there is no release lost that it could belong to"},
		"later":        {release: standing(3, skipper.StatusDeployed), message: "it is of version 2 of release lost, which stands at version 3"},
		"earlier":      {release: standing(1, skipper.StatusDeployed), message: "it is of version 2 of release lost, which stands at version 1"},
		"deleted":      {release: standing(2, skipper.StatusDeleted), message: "version 2 of release lost is DELETED and not DEPLOYED"},
		"being made":   {release: standing(2, skipper.StatusUnknown), message: "version 2 of release lost is UNKNOWN and not DEPLOYED"},
		"does not fit": {release: standing(2, skipper.StatusDeployed), fits: skipper.Errorf(skipper.CodeConflict, "no such application"), message: "no such application"},
		"changed": {
			release: standing(2, skipper.StatusDeployed), write: skipper.Errorf(skipper.CodeConflict, "x: %w", skipper.ErrChanged),
			message: "release lost has changed just now; try again",
		},
		"busy": {
			release: standing(2, skipper.StatusDeployed), write: skipper.Errorf(skipper.CodeBusy, "an operation runs"),
			message: "an operation runs",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, orphan.Config{})
				b.runs("default", "lost", "here")
				b.store.release, b.platform.refusal, b.store.refusal = test.release, test.fits, test.write
				found, err := b.service.Adopt(t.Context(), skipper.OrphanRequest{All: true})
				require.NoError(t, err)
				require.Equal(t, []string{"orphan default lost.log-v2"}, kinds(found))
				require.Equal(t, test.message, found.Items[0].Message)
				require.Empty(t, b.store.written)
			})
		})
	}
}

func TestRun_SweepsAtOnceAndEveryPeriod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{Period: time.Minute})
		b.runs("default", "lost", "here")
		began, at := time.Now(), []time.Duration{}
		b.fake.do = func() { at = append(at, time.Since(began)) }
		b.service.Run(ending(t, 130*time.Second))
		require.Equal(t, []time.Duration{
			0, 2 * time.Second, 20 * time.Second, 22 * time.Second, time.Minute, 62 * time.Second, 2 * time.Minute,
			122 * time.Second,
		}, at)
		require.Empty(t, b.store.written, "it only tells")
		require.Equal(t, 4, strings.Count(b.log.String(), "an application runs that belongs to no release"))
		require.Contains(t, b.log.String(), "deployment=lost.log-v2 release=lost version=2")
	})
}

func TestRun_RemovesWhenThatIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{Period: time.Minute, Remove: true})
		b.runs("default", "lost", "here")
		b.service.Run(ending(t, 130*time.Second))
		require.Len(t, b.store.written, 1)
		require.False(t, b.store.written[0].Wanted)
		require.Equal(t, 1, b.woken)
		require.Contains(t, b.log.String(), "is removed")
	})
}

// Sweeps go on although a platform or the store cannot be asked.
func TestRun_OutlivesErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{Period: time.Minute})
		b.runs("default", "lost", "here")
		b.fake.err = deployer.Errorf(deployer.ErrUnavailable, "no route")
		b.fake.do = func() {
			if strings.Contains(b.log.String(), "no route") {
				b.fake.err = nil
			}
		}
		b.service.Run(ending(t, 70*time.Second))
		require.Contains(t, b.log.String(), "account default cannot be asked: no route")
		require.Contains(t, b.log.String(), "deployment=lost.log-v2")
	})
}

// What a frozen server started after others had ended its operation can be claimed by nothing.
func TestRun_RemovesWhatNothingCanClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{Period: time.Minute})
		since := time.Now()
		b.runs("default", "late", "here")
		b.runs("default", "unknown", "here")
		b.store.ended = []string{"late"}
		b.service.Run(ending(t, 10*time.Second))
		require.Len(t, b.store.written, 1)
		require.Equal(t, "late.log-v2", b.store.written[0].DeploymentID)
		require.False(t, b.store.written[0].Wanted)
		require.Equal(t, 1, b.woken)
		require.Equal(t, []time.Time{since, since}, b.store.asked)
		found, err := b.service.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"compensation default late.log-v2", "orphan default unknown.log-v2"}, kinds(found))
	})
}

func TestRun_LeavesWhatAnOperationMayTakeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{Period: time.Minute})
		b.runs("default", "late", "here")
		b.store.ended, b.store.refusal = []string{"late"}, skipper.Errorf(skipper.CodeBusy, "an operation runs")
		b.service.Run(ending(t, 10*time.Second))
		require.Zero(t, b.woken)
		require.Contains(t, b.log.String(), "an application runs that belongs to no release")
	})
}

func TestRun_SweepsSoonAfterEachDisturbance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{Period: time.Hour, Soon: 10 * time.Second})
		began, at := time.Now(), []time.Duration{}
		b.fake.do = func() { at = append(at, time.Since(began)) }
		for _, when := range []time.Duration{100, 101, 104, 200} {
			time.AfterFunc(when*time.Second, b.service.Disturbed)
		}
		b.service.Run(ending(t, 10*time.Minute))
		require.Equal(t, []time.Duration{
			0, 10 * time.Second, 110 * time.Second, 120 * time.Second, 210 * time.Second,
		}, at, "the second one comes late enough for all that happened before the first")
	})
}

func TestList_TellsWhatDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, orphan.Config{})
		until := time.Now().Add(time.Minute)
		d := known("default", "old")
		d.Wanted, d.RetireUntil = false, &until
		b.store.rows = []skipper.Deployment{d}
		found, err := b.service.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"draining default old.log-v2"}, kinds(found))
		require.Equal(t, &until, found.Items[0].Until)
		<-time.After(time.Minute)
		found, err = b.service.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"compensation default old.log-v2"}, kinds(found), "its time is over and it is still there")
		require.Nil(t, found.Items[0].Until)
	})
}
