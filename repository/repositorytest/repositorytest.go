// Package repositorytest is the contract of the store as tests: what package repository promises, whichever database is
// under it. A dialect's own tests hold only what is special to it.
//
//	func TestSQLite(t *testing.T) {
//		repositorytest.Run(t, func(t *testing.T) repository.Config { return repository.Config{Dir: t.TempDir()} })
//	}
package repositorytest

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

// Run tests the contract. empty gives the place of an empty database, another one each time; the clock and the logger
// are the suite's.
func Run(t *testing.T, empty func(t *testing.T) repository.Config) {
	for _, area := range []map[string]func(t *testing.T, b *bundle){
		storeTests(), repositoryTests(), packageTests(), releaseTests(), acceptTests(), operationTests(),
		leaseTests(), advanceTests(), deploymentTests(), orphanTests(), portTests(), accountTests(),
		concurrencyTests(), queueTests(), beginTests(), cancelTests(), upkeepTests(),
	} {
		for _, name := range slices.Sorted(maps.Keys(area)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				area[name](t, setup(t, empty(t)))
			})
		}
	}
}

// bundle is what one test has: an empty store and a clock that stands still.
type bundle struct {
	*repository.Store
	config repository.Config
	clock  *clock
}

func setup(t *testing.T, config repository.Config) *bundle {
	t.Helper()
	b := &bundle{clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)}}
	config.Clock, config.Logger = b.clock.Now, slog.New(slog.DiscardHandler)
	b.config = config
	b.Store = b.open(t)
	return b
}

// open opens the bundle's database once more.
func (b *bundle) open(t *testing.T) *repository.Store {
	t.Helper()
	store, err := repository.Open(t.Context(), b.config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// servers gives two stores on the database, or the one twice where only one server is possible.
func (b *bundle) servers(t *testing.T) [2]*repository.Store {
	t.Helper()
	if b.SingleServer() {
		return [2]*repository.Store{b.Store, b.Store}
	}
	return [2]*repository.Store{b.Store, b.open(t)}
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now gives the time of the clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// addPackage adds a package to the repository local, which it makes when it is not there.
func (b *bundle) addPackage(t *testing.T, name, version string, zip []byte) skipper.PackageMetadata {
	t.Helper()
	local, _, err := b.EnsureRepository(t.Context(), skipper.Repository{Name: "local", URL: "http://local", Local: true})
	require.NoError(t, err)
	p, err := b.AddPackage(t.Context(), skipper.PackageMetadata{
		APIVersion: "skipper.spring.io/v1", Kind: "SpringCloudDeployerApplication",
		Name: name, Version: version, RepositoryID: &local.ID, RepositoryName: &local.Name,
	}, zip)
	require.NoError(t, err)
	return p
}

// release is a version of a release as it is when it is accepted.
func (b *bundle) release(name string, version int, p skipper.PackageMetadata) skipper.Release {
	now := skipper.At(b.clock.Now())
	return skipper.Release{
		Name: name, Version: version, PlatformName: "default", PackageID: p.ID,
		Pkg: skipper.Package{Metadata: p},
		Info: skipper.Info{
			Status:        skipper.Status{StatusCode: skipper.StatusUnknown},
			FirstDeployed: now, LastDeployed: now, Description: "Initial install underway",
		},
	}
}

func (b *bundle) operation(kind skipper.Kind, name string, version int) skipper.Operation {
	return skipper.Operation{
		ID: fmt.Sprintf("%s-%s-%d", kind, name, version), Kind: kind, ReleaseName: name, TargetVersion: version,
		State: skipper.StateInstall, Outcome: skipper.OutcomeRunning, Account: "default", Plan: skipper.Plan{Account: "default"},
		Deadline: b.clock.Now().Add(time.Minute), Due: b.clock.Now(), Created: b.clock.Now(),
	}
}

// accept begins an installation of a version after the one before it.
func (b *bundle) accept(
	t *testing.T, name string, version int, p skipper.PackageMetadata,
) (skipper.Operation, skipper.Release) {
	t.Helper()
	release := b.release(name, version, p)
	op, made, err := b.Accept(t.Context(), b.operation(skipper.KindInstall, name, version), &release, version-1)
	require.NoError(t, err)
	return op, made
}

// released makes a version with a status code whose operation has ended.
func (b *bundle) released(
	t *testing.T, name string, version int, p skipper.PackageMetadata, code skipper.StatusCode,
) skipper.Release {
	t.Helper()
	op, made := b.accept(t, name, version, p)
	b.end(t, op, skipper.ReleaseChange{Name: name, Version: version, Status: code})
	made, err := b.ReleaseByID(t.Context(), made.ID)
	require.NoError(t, err)
	return made
}

// end ends an operation, with whatever token it has.
func (b *bundle) end(t *testing.T, op skipper.Operation, changes ...skipper.ReleaseChange) {
	t.Helper()
	now := b.clock.Now()
	op.State, op.Outcome, op.Ended = skipper.StateInitial, skipper.OutcomeSucceeded, &now
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Release: changes}))
}

// leased begins an installation and leases it for a minute.
func (b *bundle) leased(t *testing.T, name string) skipper.Operation {
	t.Helper()
	b.accept(t, name, 1, b.addPackage(t, name, "1.0.0", nil))
	now := b.clock.Now()
	ops, err := b.Lease(t.Context(), "server-1", now, now.Add(time.Minute), 10, nil)
	require.NoError(t, err)
	require.Len(t, ops, 1)
	return ops[0]
}

func (b *bundle) wantDeployment(t *testing.T, op skipper.Operation, id string) skipper.Deployment {
	t.Helper()
	d, err := b.WantDeployment(t.Context(), op.ID, op.Token, skipper.Deployment{
		Account: "default", DeploymentID: id, ReleaseName: op.ReleaseName, ReleaseVersion: op.TargetVersion, App: "log",
		SpecHash: "abc",
	})
	require.NoError(t, err)
	return d
}

func requireCode(t *testing.T, code skipper.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, skipper.CodeOf(err), "%v", err)
	for _, foreign := range []error{gorm.ErrRecordNotFound, gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated} {
		require.NotErrorIs(t, err, foreign, "errors of libraries stay inside")
	}
}

func requireStale(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, skipper.ErrStale)
	requireCode(t, skipper.CodeConflict, err)
}

func requireEqual(t *testing.T, want, got any) {
	t.Helper()
	require.Empty(t, cmp.Diff(want, got))
}

func versionsOf(releases []skipper.Release) []string {
	out := make([]string, 0, len(releases))
	for _, r := range releases {
		out = append(out, fmt.Sprintf("%s-%d", r.Name, r.Version))
	}
	return out
}

func idsOf(ops []skipper.Operation) []string {
	out := make([]string, 0, len(ops))
	for _, op := range ops {
		out = append(out, op.ID)
	}
	return out
}

func deploymentIDs(deployments []skipper.Deployment) []string {
	out := make([]string, 0, len(deployments))
	for _, d := range deployments {
		out = append(out, d.DeploymentID)
	}
	return out
}

func pageOf(page, size int, sorts ...skipper.Sort) skipper.PageRequest {
	return skipper.PageRequest{Page: page, Size: size, Sort: sorts}
}
