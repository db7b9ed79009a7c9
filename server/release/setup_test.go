package release_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server/catalog"
	"github.com/skiff-project/skiff/server/machine"
	"github.com/skiff-project/skiff/server/release"
	"github.com/skiff-project/skiff/server/rollout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is the service on a store of its own. Operations and platforms are fakes: an accepted operation ends at once.
type bundle struct {
	*release.Service
	t         *testing.T
	store     *store
	catalog   *catalog.Service
	ops       *fakeOps
	platforms *fakePlatforms
	now       time.Time
}

// store is the real one; before is called ahead of each Accept.
type store struct {
	*repository.Store
	before func()
}

func (s *store) Accept(ctx context.Context, op skipper.Operation, rel *skipper.Release, latest int,
) (skipper.Operation, skipper.Release, error) {
	if s.before != nil {
		s.before()
	}
	return s.Store.Accept(ctx, op, rel, latest)
}

// fakeOps ends each operation when it is waited for: as success does, or as end says.
type fakeOps struct {
	t     *testing.T
	store *repository.Store
	end   func(op skipper.Operation) skipper.Advance
	wait  func(ctx context.Context, id string) (skipper.Operation, error) // when not nil, instead of all that

	mu       sync.Mutex
	accepted []skipper.Operation
	made     []skipper.Release // the release versions as they were when their operation began
	woken    int
}

func (f *fakeOps) Wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.woken++
}

func (f *fakeOps) Start(ctx context.Context, kind skipper.Kind) (skipper.State, error) {
	return machine.Start(ctx, kind)
}

func (f *fakeOps) Cancellable() []skipper.State { return machine.Cancellable() }

func (f *fakeOps) Wait(ctx context.Context, id string, _ func(skipper.Operation) bool) (skipper.Operation, error) {
	op, err := f.store.Operation(ctx, id)
	if err != nil {
		return op, err
	}
	f.mu.Lock()
	f.accepted = append(f.accepted, op)
	if rel, err := f.store.Release(ctx, op.ReleaseName, op.TargetVersion); err == nil {
		f.made = append(f.made, rel)
	}
	f.mu.Unlock()
	if f.wait != nil {
		return f.wait(ctx, id)
	}
	return f.finish(ctx, op)
}

func (f *fakeOps) finish(ctx context.Context, op skipper.Operation) (skipper.Operation, error) {
	now := time.Now()
	leased, err := f.store.Lease(ctx, "test", now.Add(time.Hour), now.Add(2*time.Hour), 1, nil)
	if err != nil || len(leased) != 1 {
		return op, skipper.Errorf(skipper.CodeInternal, "there is nothing to lease: %w", err)
	}
	end := f.success
	if f.end != nil {
		end = f.end
	}
	a := end(leased[0])
	a.Operation.State, a.Operation.Ended = skipper.StateInitial, &now
	if err := f.store.Advance(ctx, leased[0].Token, a); err != nil {
		return op, err
	}
	return f.store.Operation(ctx, op.ID)
}

// success is what the steps of an operation come to when all goes well.
func (f *fakeOps) success(op skipper.Operation) skipper.Advance {
	op.Outcome = skipper.OutcomeSucceeded
	change := skipper.ReleaseChange{Name: op.ReleaseName, Version: op.TargetVersion, Status: skipper.StatusDeployed}
	a := skipper.Advance{Operation: op}
	switch op.Kind {
	case skipper.KindDelete:
		change.Status = skipper.StatusDeleted
	case skipper.KindScale, skipper.KindRenew:
		return a
	case skipper.KindInstall, skipper.KindUpgrade, skipper.KindRollback:
		change.Apps = []skipper.AppDeployment{}
		for _, app := range []string{"ping", "pong"} {
			change.Apps = append(change.Apps, skipper.AppDeployment{App: app, ID: op.ReleaseName + "." + app})
		}
		if op.SourceVersion > 0 && !op.Plan.Install {
			a.Release = append(a.Release, skipper.ReleaseChange{
				Name: op.ReleaseName, Version: op.SourceVersion, Status: skipper.StatusDeleted,
			})
		}
	}
	a.Release = append(a.Release, change)
	return a
}

// failing ends an operation by which the new version failed; the one before stands.
func failing(op skipper.Operation) skipper.Advance {
	op.Outcome = skipper.OutcomeRolledBack
	op.Error = &skipper.OperationError{Code: skipper.CodeTimeout, Message: "not healthy in time"}
	return skipper.Advance{Operation: op, Release: []skipper.ReleaseChange{{
		Name: op.ReleaseName, Version: op.TargetVersion, Status: skipper.StatusFailed,
	}}}
}

// last gives the newest operation and the release version it made.
func (f *fakeOps) last() (skipper.Operation, skipper.Release) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.accepted[len(f.accepted)-1], f.made[len(f.made)-1]
}

// fakePlatforms says what a test tells it to; requests are made as the server makes them.
type fakePlatforms struct {
	*rollout.Rollout
	mu        sync.Mutex
	instances map[string]int // by application; 1 when it is not there
	err       error
	asked     int
}

func (f *fakePlatforms) PlatformStatus(_ context.Context, rel skipper.Release) ([]skipper.AppStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.err != nil {
		return nil, f.err
	}
	out := []skipper.AppStatus{}
	for _, a := range rel.Apps {
		count, ok := f.instances[a.App]
		if !ok {
			count = 1
		}
		s := skipper.AppStatus{DeploymentID: a.ID, Instances: map[string]skipper.AppInstanceStatus{}}
		for i := range count {
			id := a.ID + "-" + string(rune('0'+i))
			s.Instances[id] = skipper.AppInstanceStatus{ID: id, State: skipper.StateDeployed}
		}
		s.State = skipper.Aggregate(s.Instances)
		out = append(out, s)
	}
	return out, nil
}

func (f *fakePlatforms) Logs(_ context.Context, rel skipper.Release, limit int64, filter func(string) bool,
) (map[string]string, error) {
	out := map[string]string{}
	for _, a := range rel.Apps {
		if filter(a.ID) {
			out[a.ID] = "log"[:limit]
		}
	}
	return out, f.err
}

func (f *fakePlatforms) ReadLogs(_ context.Context, rel skipper.Release, q skipper.LogQuery,
	emit func(skipper.LogLine) error,
) error {
	for _, a := range rel.Apps {
		for _, stream := range []string{"stderr", "stdout"} {
			for n := range 3 {
				line := skipper.LogLine{DeploymentID: a.ID, Instance: a.ID + "-0", Stream: stream, Text: strconv.Itoa(n)}
				if n >= 3-q.Tail || q.Tail == 0 {
					if err := emit(line); err != nil {
						return err
					}
				}
			}
		}
	}
	return f.err
}

func (f *fakePlatforms) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupWith(t, 20*time.Second)
}

func setupWith(t *testing.T, waitLimit time.Duration) *bundle {
	t.Helper()
	b := &bundle{t: t, now: time.Date(2026, 11, 22, 22, 49, 57, 73e6, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	opened, err := repository.Open(t.Context(), repository.Config{Dir: t.TempDir(), Clock: time.Now, Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	_, _, err = opened.EnsureRepository(t.Context(), skipper.Repository{
		Name: "local", URL: "http://127.0.0.1:1", Local: true,
	})
	require.NoError(t, err)
	clock := func() time.Time { return b.now }
	var accounts deployer.Accounts
	for _, name := range []string{"default", "b-second", "a-third"} {
		accounts = append(accounts, deployer.Account{Name: name, Deployer: deployertest.NewFake(deployertest.FakeConfig{
			Account: name, Installation: "test", Clock: clock,
		})})
	}
	b.store = &store{Store: opened}
	b.catalog = catalog.New(opened, log)
	b.ops = &fakeOps{t: t, store: opened}
	b.platforms = &fakePlatforms{
		Rollout: rollout.New(opened, accounts, rollout.Config{DeployTimeout: time.Minute}, clock, nil),
	}
	b.Service = release.New(b.store, b.catalog, b.ops, b.platforms, accounts, release.Config{
		HealthTimeout: 5 * time.Minute, WaitLimit: waitLimit, LogLimit: 2, QueueTimeout: 10 * time.Minute,
	}, clock)
	return b
}

// deployerApp is a template of one application, whose properties are those of the values.
func deployerApp(name, version string) string {
	return `apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata:
  name: ` + name + `
spec:
  resource: "{{{resource}}}"
  version: "` + version + `"
  applicationProperties:
    {{#spec.applicationProperties.entrySet}}
    {{key}}: "{{{value}}}"
    {{/spec.applicationProperties.entrySet}}
  deploymentProperties:
    {{#spec.deploymentProperties.entrySet}}
    {{key}}: "{{{value}}}"
    {{/spec.deploymentProperties.entrySet}}
`
}

const defaults = `resource: file:///app
spec:
  applicationProperties: {size: small}
  deploymentProperties: {memory: 1g}
`

// pair uploads a package with two applications, ping and pong, each from a package of its own.
func (b *bundle) pair(version string) skipper.PackageMetadata {
	b.t.Helper()
	files := map[string]string{}
	for _, app := range []string{"ping", "pong"} {
		folder := "packages/" + app + "/"
		files[folder+"package.yml"] = described(app, version)
		files[folder+"values.yml"] = defaults
		files[folder+"templates/"+app+".yml"] = deployerApp(app, version)
	}
	return b.upload("pair", version, files)
}

// single uploads a package with one template.
func (b *bundle) single(name, template string) skipper.PackageMetadata {
	b.t.Helper()
	return b.upload(name, "1.0.0", map[string]string{"values.yml": defaults, "templates/t.yml": template})
}

func described(name, version string) string {
	return "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: " + name + "\nversion: " + version + "\n"
}

func (b *bundle) upload(name, version string, files map[string]string) skipper.PackageMetadata {
	b.t.Helper()
	var content bytes.Buffer
	w := zip.NewWriter(&content)
	files = maps.Clone(files)
	files["package.yml"] = described(name, version)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name + "-" + version + "/" + file)
		require.NoError(b.t, err)
		_, err = io.WriteString(f, files[file])
		require.NoError(b.t, err)
	}
	require.NoError(b.t, w.Close())
	m, err := b.catalog.Upload(b.t.Context(), skipper.UploadRequest{
		Name: &name, Version: &version, RepoName: new("local"), Extension: new("zip"), PackageFileAsBytes: content.Bytes(),
	})
	require.NoError(b.t, err)
	return m
}

func installRequest(name, pkg, version, values string) skipper.InstallRequest {
	return skipper.InstallRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: pkg, PackageVersion: version},
		InstallProperties: &skipper.InstallProperties{
			ReleaseName: name, PlatformName: "default", ConfigValues: &skipper.ConfigValues{Raw: &values},
		},
	}
}

func upgradeRequest(name, pkg, version, values string) skipper.UpgradeRequest {
	return skipper.UpgradeRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: pkg, PackageVersion: version},
		UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: name, ConfigValues: &skipper.ConfigValues{Raw: &values}},
	}
}

// install makes version 1 of release r from pair 1.0.0.
func (b *bundle) install(values string) skipper.Release {
	b.t.Helper()
	rel, _, err := b.Install(b.t.Context(), installRequest("r", "pair", "1.0.0", values))
	require.NoError(b.t, err)
	return rel
}

func (b *bundle) upgrade(values string) skipper.Release {
	b.t.Helper()
	rel, _, err := b.Upgrade(b.t.Context(), upgradeRequest("r", "pair", "1.0.0", values))
	require.NoError(b.t, err)
	return rel
}

// failedUpgrade makes a version of release r that fails.
func (b *bundle) failedUpgrade(values string) {
	b.t.Helper()
	b.ops.end = failing
	b.upgrade(values)
	b.ops.end = nil
}

func (b *bundle) delete() {
	b.t.Helper()
	_, _, err := b.Delete(b.t.Context(), "r", false)
	require.NoError(b.t, err)
}

// busy leaves an operation of release r running.
func (b *bundle) busy(kind skipper.Kind, state skipper.State) skipper.Operation {
	b.t.Helper()
	latest, err := b.store.LatestRelease(b.t.Context(), "r")
	require.NoError(b.t, err)
	op, _, err := b.store.Store.Accept(b.t.Context(), skipper.Operation{
		ID: "runs", Kind: kind, ReleaseName: "r", TargetVersion: latest.Version, State: state,
		Outcome: skipper.OutcomeRunning,
	}, nil, latest.Version)
	require.NoError(b.t, err)
	return op
}

func (b *bundle) versions() []skipper.StatusCode {
	b.t.Helper()
	all, err := b.store.ReleaseHistory(b.t.Context(), "r")
	require.NoError(b.t, err)
	out := []skipper.StatusCode{}
	for _, rel := range slices.Backward(all) {
		out = append(out, rel.Info.Status.StatusCode)
	}
	return out
}

func requireError(t *testing.T, err error, code skipper.Code, message string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, skipper.CodeOf(err), "%v", err)
	require.Equal(t, message, skipper.MessageOf(err))
}

// The commands, with options only where a test has some.

func (b *bundle) Install(ctx context.Context, req skipper.InstallRequest, o ...skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return b.Service.Install(ctx, req, options(o))
}

func (b *bundle) InstallPackage(ctx context.Context, id int64, props skipper.InstallProperties, o ...skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return b.Service.InstallPackage(ctx, id, props, options(o))
}

func (b *bundle) Upgrade(ctx context.Context, req skipper.UpgradeRequest, o ...skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return b.Service.Upgrade(ctx, req, options(o))
}

func (b *bundle) Rollback(ctx context.Context, req skipper.RollbackRequest, o ...skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return b.Service.Rollback(ctx, req, options(o))
}

func (b *bundle) Delete(ctx context.Context, name string, withPackage bool, o ...skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return b.Service.Delete(ctx, name, withPackage, options(o))
}

func (b *bundle) Scale(ctx context.Context, name string, req skipper.ScaleRequest, o ...skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return b.Service.Scale(ctx, name, req, options(o))
}

func options(o []skipper.CommandOptions) skipper.CommandOptions {
	if len(o) == 0 {
		return skipper.CommandOptions{}
	}
	return o[0]
}
