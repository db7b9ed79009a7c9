package operation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server/catalog"
	"github.com/skiff-project/skiff/server/operation"
	"github.com/skiff-project/skiff/server/release"
	"github.com/skiff-project/skiff/server/rollout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// tests stop the database after them.
type tests struct{ *testing.M }

func (t tests) Run() int { return cluster.Run(t.M) }

// cutOff is a store in which renewing a lease hangs, as for a server that has lost its network.
type cutOff struct{ *repository.Store }

func (cutOff) Renew(ctx context.Context, _ string, _ int64, _ time.Time) error {
	<-ctx.Done()
	return skipper.Errorf(skipper.CodeUnavailable, "no network: %w", ctx.Err())
}

// server is a skiff without HTTP: the real store, engine and services, on the scripted fake platform.
type server struct {
	tb      testing.TB
	dir     string
	store   *repository.Store
	fake    *deployertest.Fake
	catalog *catalog.Service
	release *release.Service
	engine  *operation.Engine
	roll    *rollout.Rollout
	stop    func() // as SIGTERM does
}

func short() rollout.Config {
	return rollout.Config{
		HealthPeriod:  10 * time.Millisecond,
		DeployTimeout: 10 * time.Second, UndoTimeout: 10 * time.Second, Parallel: 4,
	}
}

// parts are what a test may replace.
type parts struct {
	lease time.Duration
	queue time.Duration
	url   string // of a database; empty: SQLite
	store func(*repository.Store) operation.Store
	steps func(*rollout.Rollout) operation.Stepper
}

func start(tb testing.TB, dir string, fake *deployertest.Fake, config rollout.Config, replace ...func(*parts)) *server {
	tb.Helper()
	p := parts{
		lease: 10 * time.Second,
		queue: 20 * time.Second,
		store: func(s *repository.Store) operation.Store { return s },
		steps: func(r *rollout.Rollout) operation.Stepper { return r },
	}
	for _, f := range replace {
		f(&p)
	}
	log := slog.New(slog.DiscardHandler)
	store, err := repository.Open(tb.Context(), repository.Config{URL: p.url, Dir: dir, Clock: time.Now, Logger: log})
	require.NoError(tb, err)
	if store.SingleServer() {
		require.NoError(tb, store.FreeLeases(tb.Context()))
	}
	config.Installation, err = store.Installation(tb.Context())
	require.NoError(tb, err)
	_, _, err = store.EnsureRepository(tb.Context(), skipper.Repository{Name: "local", URL: "http://localhost", Local: true})
	require.NoError(tb, err)
	accounts := deployer.Accounts{{Name: "default", Deployer: fake}}
	packages := catalog.New(store, log)
	roll := rollout.New(store, accounts, config, time.Now, packages.DeletePackageExcept)
	s := &server{tb: tb, dir: dir, store: store, roll: roll, fake: fake, catalog: packages}
	s.engine = operation.New(p.store(store), p.steps(roll), operation.Config{
		Owner: fmt.Sprint(time.Now().UnixNano()), Lease: p.lease, Poll: 20 * time.Millisecond,
		RetryBase: 5 * time.Millisecond, RetryLimit: 20 * time.Millisecond, SweepLimit: 20 * time.Millisecond,
		Begin: func(ctx context.Context, op skipper.Operation) error { return s.release.Begin(ctx, op) },
	}, time.Now, log)
	s.release = release.New(store, packages, s.engine, roll, accounts, release.Config{
		HealthTimeout: 10 * time.Second, WaitLimit: time.Minute, LogLimit: 1 << 20, QueueTimeout: p.queue,
	}, time.Now)
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.engine.Run(ctx) }()
	s.stop = func() {
		cancel()
		<-done
		require.NoError(tb, store.Close())
	}
	return s
}

// upload keeps a package whose templates are applications named a, b, …; values script each of them.
func (s *server) upload(name, version string, apps ...string) {
	s.tb.Helper()
	dir := filepath.Join(s.tb.TempDir(), name+"-"+version)
	files := map[string]string{
		"package.yml": "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: " + name + "\nversion: " + version + "\n",
	}
	for _, app := range apps {
		files["templates/"+app+".yml"] = strings.NewReplacer("APP", app, "VERSION", version).Replace(`apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata:
  name: APP
spec:
  resource: file:///app
  version: VERSION
  applicationProperties:
    {{#APP.entrySet}}
    {{key}}: "{{{value}}}"
    {{/APP.entrySet}}
`)
	}
	for file, text := range files {
		path := filepath.Join(dir, file)
		require.NoError(s.tb, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(s.tb, os.WriteFile(path, []byte(text), 0o600))
	}
	zip, err := archive.Write(dir)
	require.NoError(s.tb, err)
	repo, extension := "local", "zip"
	_, err = s.catalog.Upload(s.tb.Context(), skipper.UploadRequest{
		Name: &name, Version: &version, RepoName: &repo, Extension: &extension, PackageFileAsBytes: zip,
	})
	require.NoError(s.tb, err)
}

func (s *server) install(name, pkg, values string) (skipper.Release, skipper.Operation, error) {
	return s.installWith(name, pkg, values, skipper.CommandOptions{})
}

func (s *server) installWith(name, pkg, values string, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return s.release.Install(s.tb.Context(), skipper.InstallRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: pkg, PackageVersion: "1.0.0"},
		InstallProperties: &skipper.InstallProperties{
			ReleaseName: name, PlatformName: "default", ConfigValues: &skipper.ConfigValues{Raw: &values},
		},
	}, o)
}

func (s *server) upgrade(name, pkg, version, values string, timeout time.Duration) (skipper.Release, skipper.Operation, error) {
	return s.upgradeWith(name, pkg, version, values, timeout, skipper.CommandOptions{})
}

func (s *server) upgradeWith(name, pkg, version, values string, timeout time.Duration, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	ms := timeout.Milliseconds()
	return s.release.Upgrade(s.tb.Context(), skipper.UpgradeRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: pkg, PackageVersion: version},
		UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: name, ConfigValues: &skipper.ConfigValues{Raw: &values}},
		Timeout:           &ms,
	}, o)
}

// end waits until an operation has ended.
func (s *server) end(op skipper.Operation) skipper.Operation {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), time.Minute)
	defer cancel()
	op, err := s.engine.Wait(ctx, op.ID, func(skipper.Operation) bool { return false })
	require.NoError(s.tb, err)
	return op
}

// runs tells what is on the platform.
func (s *server) runs() []string {
	s.tb.Helper()
	l, err := s.fake.Ledger()
	require.NoError(s.tb, err)
	require.Empty(s.tb, l.Violations)
	return slices.Sorted(maps.Keys(l.Deployments))
}

func (s *server) status(version int) (skipper.StatusCode, string) {
	s.tb.Helper()
	info, err := s.release.Status(s.tb.Context(), "r", version)
	require.NoError(s.tb, err)
	return info.Status.StatusCode, info.Description
}

func fresh(tb testing.TB) *server {
	tb.Helper()
	s := start(tb, tb.TempDir(), newFake(tb, ""), short())
	tb.Cleanup(func() { s.stop() })
	return s
}

func newFake(tb testing.TB, file string) *deployertest.Fake {
	tb.Helper()
	return deployertest.NewFake(deployertest.FakeConfig{Account: "default", Installation: "test", File: file, Clock: time.Now})
}

func TestInstall_HandsAllApplicationsToThePlatform(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("pair", "1.0.0", "a", "b")
	rel, op, err := s.install("r", "pair", "")
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
	require.Equal(t, skipper.StatusDeployed, rel.Info.Status.StatusCode)
	require.Equal(t, "Install complete", rel.Info.Description)
	require.Len(t, rel.Info.Status.AppStatuses(), 2)
	require.Equal(t, []string{"r.a-v1", "r.b-v1"}, s.runs())
}

func TestInstall_ThatFailsLeavesNothingAndTheNameFree(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("pair", "1.0.0", "a", "b")
	_, op, err := s.install("r", "pair", "b: {fake.deploy-error: invalid}")
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err))
	require.ErrorContains(t, err, "b")
	require.Equal(t, skipper.OutcomeFailed, op.Outcome)
	require.Empty(t, s.runs(), "the first application was removed again")
	_, err = s.release.Status(t.Context(), "r", 0)
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))

	rel, _, err := s.install("r", "pair", "")
	require.NoError(t, err)
	require.Equal(t, 1, rel.Version)
}

func TestInstall_RetriesWhatMayPassAndDoesNotRepeatWhatHappened(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {fake.deploy-error: ambiguous-done, fake.deploy-errors: 2}")
	require.NoError(t, err)
	require.Equal(t, []string{"r.a-v1"}, s.runs())
}

func TestInstall_WhosePlatformStaysAwayEndsAtItsDeadlineAndIsRemovedLater(t *testing.T) {
	t.Parallel()
	config := short()
	config.DeployTimeout, config.UndoTimeout = 100*time.Millisecond, 100*time.Millisecond
	s := start(t, t.TempDir(), newFake(t, ""), config)
	t.Cleanup(func() { s.stop() })
	s.upload("pair", "1.0.0", "a", "b")
	_, op, err := s.install("r", "pair",
		"a: {fake.undeploy-errors: 20}\nb: {fake.deploy-error: unavailable}")
	require.Error(t, err)
	require.Equal(t, skipper.OutcomeFailed, op.Outcome)
	require.Equal(t, []string{"r.a-v1"}, s.runs(), "an open compensation")
	rel, _, err := s.install("r", "pair", "")
	require.NoError(t, err)
	require.Equal(t, 2, rel.Version, "its deployment ids must not meet those that are still to be removed")
	require.Eventually(t, func() bool { return slices.Equal(s.runs(), []string{"r.a-v2", "r.b-v2"}) },
		10*time.Second, 10*time.Millisecond)
}

func TestUpgrade_ReplacesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("pair", "1.0.0", "a", "b")
	_, _, err := s.install("r", "pair", "a: {x: 1}\nb: {x: 1}")
	require.NoError(t, err)
	rel, op, err := s.upgrade("r", "pair", "1.0.0", "b: {x: 2}", time.Minute)
	require.NoError(t, err)
	require.Equal(t, skipper.StatusUnknown, rel.Info.Status.StatusCode)
	require.Equal(t, "Upgrade install underway", rel.Info.Description)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
	require.Equal(t, []string{"r.a-v1", "r.b-v2"}, s.runs())
	code, description := s.status(2)
	require.Equal(t, skipper.StatusDeployed, code)
	require.Equal(t, "Upgrade complete", description)
	code, description = s.status(1)
	require.Equal(t, skipper.StatusDeleted, code)
	require.Equal(t, "Delete complete", description)

	_, _, err = s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
	require.NoError(t, err)
	require.Empty(t, s.runs(), "the application that was carried over goes too")
}

func TestUpgrade_WithoutDifferenceIsRefused(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	_, _, err = s.upgrade("r", "one", "1.0.0", "a: {x: 1}", time.Minute)
	require.Equal(t, skipper.CodeReleaseUpgrade, skipper.CodeOf(err))
	_, err = s.release.Status(t.Context(), "r", 2)
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))
}

func TestUpgrade_KeepsTheOldApplicationsWhenTheNewOnesAreNotHealthyInTime(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "one", "1.0.0", "a: {fake.healthy-after: never}", 100*time.Millisecond)
	require.NoError(t, err)
	op = s.end(op)
	require.Equal(t, skipper.OutcomeRolledBack, op.Outcome)
	require.Equal(t, skipper.CodeTimeout, op.Error.Code)
	require.Equal(t, []string{"r.a-v1"}, s.runs())
	code, description := s.status(2)
	require.Equal(t, skipper.StatusFailed, code)
	require.Equal(t, "Did not detect apps in replacing release as healthy after 100 ms.", description)
	code, _ = s.status(1)
	require.Equal(t, skipper.StatusDeployed, code)
}

func TestUpgrade_ThatCannotBeDeployedKeepsTheOldVersion(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("pair", "1.0.0", "a", "b")
	_, _, err := s.install("r", "pair", "a: {x: 1}\nb: {x: 1}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "pair", "1.0.0", "a: {x: 2}\nb: {fake.deploy-error: quota}", time.Minute)
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeRolledBack, s.end(op).Outcome)
	require.Equal(t, []string{"r.a-v1", "r.b-v1"}, s.runs())
	code, description := s.status(2)
	require.Equal(t, skipper.StatusFailed, code)
	require.Equal(t, "Could not deploy app.", description)
}

func TestCancel_RemovesTheNewApplications(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "one", "1.0.0", "a: {fake.healthy-after: never}", time.Minute)
	require.NoError(t, err)
	answer, _, err := s.release.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.True(t, answer.Accepted)
	require.Equal(t, skipper.OutcomeCancelled, s.end(op).Outcome)
	require.Equal(t, []string{"r.a-v1"}, s.runs())
	_, description := s.status(2)
	require.Regexp(t, `^Cancelled after \d+ ms\.$`, description)

	answer, _, err = s.release.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.False(t, answer.Accepted, "nothing runs any more")
}

func TestCancel_OfAnInstallLeavesNothing(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("pair", "1.0.0", "a", "b")
	failed := make(chan error, 1)
	go func() {
		_, _, err := s.install("r", "pair", "a: {fake.block-after: gate}")
		failed <- err
	}()
	require.NoError(t, s.fake.Reached(t.Context(), "gate"))
	answer, _, err := s.release.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	require.True(t, answer.Accepted)
	require.NoError(t, s.fake.Open("gate"))
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(<-failed))
	require.Empty(t, s.runs())
	_, err = s.release.Status(t.Context(), "r", 0)
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))
}

func TestSecondCommand_IsRefusedWhileOneRuns(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "one", "1.0.0", "a: {fake.healthy-after: never}", time.Minute)
	require.NoError(t, err)
	_, _, err = s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
	busy, ok := errors.AsType[*skipper.Error](err)
	require.True(t, ok)
	require.Equal(t, skipper.CodeBusy, busy.Code)
	require.Equal(t, op.ID, busy.OperationID)
	require.Equal(t, "Statemachine is not in state ready to do DELETE", busy.Message)
	_, _, err = s.release.Cancel(t.Context(), skipper.CancelRequest{ReleaseName: "r"})
	require.NoError(t, err)
	s.end(op)
}

func TestRollback_GoesBackAndInstallsWhatWasDeleted(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	s.upload("one", "1.1.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	_, op, err := s.upgrade("r", "one", "1.1.0", "a: {x: 2}", time.Minute)
	require.NoError(t, err)
	s.end(op)
	before := 0
	_, op, err = s.release.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: &before}, skipper.CommandOptions{})
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
	require.Equal(t, []string{"r.a-v3"}, s.runs())
	_, description := s.status(3)
	require.Equal(t, "Rollback complete", description)

	_, _, err = s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
	require.NoError(t, err)
	second := 2
	rel, _, err := s.release.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: &second}, skipper.CommandOptions{})
	require.NoError(t, err)
	require.Equal(t, 4, rel.Version)
	require.Equal(t, "1.1.0", rel.Pkg.Metadata.Version)
	require.Equal(t, []string{"r.a-v4"}, s.runs())
}

func TestScale_SetsCountsThatAnUpgradeKeeps(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "a: {x: 1}")
	require.NoError(t, err)
	three := 3
	_, _, err = s.release.Scale(t.Context(), "r", skipper.ScaleRequest{Scale: []skipper.ScaleRequestItem{{Name: "a", Count: &three}}}, skipper.CommandOptions{})
	require.NoError(t, err)
	l, err := s.fake.Ledger()
	require.NoError(t, err)
	require.Equal(t, 3, l.Deployments["r.a-v1"].Count)
}

func TestDelete_WithItsPackage(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	_, _, err := s.install("r", "one", "")
	require.NoError(t, err)
	_, _, err = s.install("other", "one", "")
	require.NoError(t, err)
	_, _, err = s.release.Delete(t.Context(), "r", true, skipper.CommandOptions{})
	require.Equal(t, skipper.CodePackageDelete, skipper.CodeOf(err), "another release needs the package")
	require.Equal(t, []string{"other.a-v1", "r.a-v1"}, s.runs())
	_, _, err = s.release.Delete(t.Context(), "other", false, skipper.CommandOptions{})
	require.NoError(t, err)
	rel, _, err := s.release.Delete(t.Context(), "r", true, skipper.CommandOptions{})
	require.NoError(t, err)
	require.Equal(t, skipper.StatusDeleted, rel.Info.Status.StatusCode)
	packages, err := s.catalog.PackagesNamed(t.Context(), "one")
	require.NoError(t, err)
	require.Empty(t, packages)
	require.Empty(t, s.runs())
}

func TestManyReleases_UpgradeAtOnceAndNoneIsStuck(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	s.upload("one", "1.0.0", "a")
	const n = 40
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			name := fmt.Sprintf("r%d", i)
			if _, _, err := s.install(name, "one", "a: {x: 1}"); err != nil {
				return err
			}
			_, op, err := s.upgrade(name, "one", "1.0.0", "a: {x: 2}", time.Minute)
			if err != nil {
				return err
			}
			if op = s.end(op); op.Outcome != skipper.OutcomeSucceeded {
				return fmt.Errorf("%s: %s %v", name, op.Outcome, op.Error)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, s.runs(), n)
}

// A server that is stopped in the middle of a platform call leaves a row; the next one repeats the step.
func TestRestart_GoesOnWhereTheServerStopped(t *testing.T) {
	t.Parallel()
	dir, platform := t.TempDir(), filepath.Join(t.TempDir(), "platform.json")
	s := start(t, dir, newFake(t, platform), short())
	s.upload("pair", "1.0.0", "a", "b")
	gone := make(chan error, 1)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		values := "b: {fake.block: gate}"
		_, _, err := s.release.Install(ctx, skipper.InstallRequest{
			PackageIdentifier: &skipper.PackageIdentifier{PackageName: "pair"},
			InstallProperties: &skipper.InstallProperties{
				ReleaseName: "r", PlatformName: "default", ConfigValues: &skipper.ConfigValues{Raw: &values},
			},
		}, skipper.CommandOptions{})
		gone <- err
	}()
	require.NoError(t, s.fake.Reached(t.Context(), "gate"))
	leave()
	require.Error(t, <-gone)
	s.stop()

	s = start(t, dir, newFake(t, platform), short())
	t.Cleanup(func() { s.stop() })
	require.NoError(t, s.fake.Open("gate"))
	op, err := s.store.RunningOperation(t.Context(), "r")
	require.NoError(t, err)
	require.NotNil(t, op)
	require.Equal(t, skipper.OutcomeSucceeded, s.end(*op).Outcome)
	require.Equal(t, []string{"r.a-v1", "r.b-v1"}, s.runs())
}

// A server that hangs loses its lease; another one goes on, and what the first does later changes nothing.
func TestLostLease_TheOldServerChangesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, ""), short(), func(p *parts) {
		p.lease = time.Second // it gives up 300 ms before its end
		p.store = func(s *repository.Store) operation.Store { return cutOff{s} }
	})
	t.Cleanup(func() { s.stop() })
	s.upload("pair", "1.0.0", "a", "b")
	ended := make(chan error, 1)
	go func() {
		_, _, err := s.install("r", "pair", "a: {fake.block-after: gate}")
		ended <- err
	}()
	require.NoError(t, s.fake.Reached(t.Context(), "gate"))
	op, err := s.store.RunningOperation(t.Context(), "r")
	require.NoError(t, err)
	token := op.Token

	other := operation.New(s.store, s.roll, operation.Config{Owner: "other", Poll: 10 * time.Millisecond}, time.Now,
		slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); other.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	require.NoError(t, <-ended, "the other server ends it while the first one still stands at the gate")
	require.Equal(t, []string{"r.a-v1", "r.b-v1"}, s.runs())
	late := skipper.Advance{Operation: *op, Unwant: []string{"r.a-v1"}}
	require.ErrorIs(t, s.store.Advance(t.Context(), token, late), skipper.ErrStale)
	require.NoError(t, s.fake.Open("gate"))
	require.Equal(t, []string{"r.a-v1", "r.b-v1"}, s.runs())
}

func TestTwoEngines_ShareTheWork(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	other := operation.New(s.store, s.roll, operation.Config{Owner: "other", Poll: 5 * time.Millisecond}, time.Now,
		slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); other.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	s.upload("one", "1.0.0", "a")
	var group errgroup.Group
	for i := range 20 {
		group.Go(func() error {
			_, _, err := s.install(fmt.Sprintf("r%d", i), "one", "")
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, s.runs(), 20)
	l, err := s.fake.Ledger()
	require.NoError(t, err)
	require.Len(t, l.Calls, 20, "each was asked for once")
}

// full is a store whose disk is full: it can be read, and not be written.
type full struct {
	*repository.Store
	leases atomic.Int64
	failed atomic.Bool
}

func (f *full) Lease(ctx context.Context, owner string, now, until time.Time, limit int, elsewhere []string,
) ([]skipper.Operation, error) {
	f.leases.Add(1)
	if f.failed.Load() {
		return nil, skipper.Errorf(skipper.CodeUnavailable, "the disk is full")
	}
	return f.Store.Lease(ctx, owner, now, until, limit, elsewhere)
}

func TestFullDisk_DoesNotMakeTheEngineSpin(t *testing.T) {
	t.Parallel()
	store := &full{}
	s := start(t, t.TempDir(), newFake(t, ""), short(), func(p *parts) {
		p.store = func(s *repository.Store) operation.Store {
			store.Store = s
			return store
		}
	})
	t.Cleanup(func() { s.stop() })
	s.upload("one", "1.0.0", "a")
	store.failed.Store(true)
	done := make(chan error, 1)
	go func() {
		_, _, err := s.install("r", "one", "")
		done <- err
	}()
	before := store.leases.Load()
	require.Eventually(t, func() bool { return store.leases.Load() >= before+5 }, 10*time.Second, time.Millisecond)
	began, at := time.Now(), store.leases.Load()
	require.Eventually(t, func() bool { return store.leases.Load() >= at+5 }, 10*time.Second, time.Millisecond)
	require.GreaterOrEqual(t, time.Since(began), 3*20*time.Millisecond, "it rests for a poll interval after a fault")
	store.failed.Store(false)
	require.NoError(t, <-done)
}

// broken is a platform's steps of which one panics, or cannot be done, again and again.
type broken struct {
	*rollout.Rollout
	state skipper.State
	err   error // nil: it panics
}

func (b broken) Step(ctx context.Context, op skipper.Operation) (rollout.Result, error) {
	if op.State != b.state {
		return b.Rollout.Step(ctx, op)
	}
	if b.err == nil {
		panic("a defect")
	}
	return rollout.Result{}, b.err
}

// No defect holds an operation for ever: a step that cannot be done is given up at its deadline, and what has to go
// stays listed until it is gone.
func TestDefect_TheOperationEndsAndNothingIsLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state  skipper.State
		err    error
		values string
	}{
		"install panics":      {skipper.StateInstall, nil, ""},
		"install fails":       {skipper.StateInstall, errors.New("a defect"), ""},
		"compensation panics": {skipper.StateCompensate, nil, "b: {fake.deploy-error: invalid}"},
		"compensation fails":  {skipper.StateCompensate, errors.New("a defect"), "b: {fake.deploy-error: invalid}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := short()
			config.DeployTimeout, config.UndoTimeout = 50*time.Millisecond, 50*time.Millisecond
			s := start(t, t.TempDir(), newFake(t, ""), config, func(p *parts) {
				p.steps = func(r *rollout.Rollout) operation.Stepper { return broken{r, c.state, c.err} }
			})
			t.Cleanup(func() { s.stop() })
			s.upload("pair", "1.0.0", "a", "b")
			_, op, err := s.install("r", "pair", c.values)
			require.Error(t, err)
			require.Equal(t, skipper.OutcomeFailed, op.Outcome)
			require.Eventually(t, func() bool { return len(s.runs()) == 0 }, 10*time.Second, 10*time.Millisecond)
			_, err = s.release.Status(t.Context(), "r", 0)
			require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))
		})
	}
}

func TestDefect_InAnUpgradeLeavesOneVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state  skipper.State
		values string
		runs   []string
	}{
		"removal of the target": {skipper.StateUpgradeCancel, "b: {fake.healthy-after: never}", []string{"r.a-v1", "r.b-v1"}},
		"removal of the source": {skipper.StateUpgradeDelete, "b: {x: 2}", []string{"r.a-v1", "r.b-v2"}},
		"health check":          {skipper.StateUpgradeCheck, "b: {x: 2}", []string{"r.a-v1", "r.b-v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := short()
			config.UndoTimeout = 50 * time.Millisecond
			s := start(t, t.TempDir(), newFake(t, ""), config, func(p *parts) {
				p.steps = func(r *rollout.Rollout) operation.Stepper { return broken{r, c.state, nil} }
			})
			t.Cleanup(func() { s.stop() })
			s.upload("pair", "1.0.0", "a", "b")
			_, _, err := s.install("r", "pair", "b: {x: 1}")
			require.NoError(t, err)
			_, op, err := s.upgrade("r", "pair", "1.0.0", c.values, 100*time.Millisecond)
			require.NoError(t, err)
			require.NotEqual(t, skipper.OutcomeSucceeded, s.end(op).Outcome)
			require.Eventually(t, func() bool { return slices.Equal(s.runs(), c.runs) }, 10*time.Second, 10*time.Millisecond,
				"what has to go is an open compensation until it is gone")
		})
	}
}
