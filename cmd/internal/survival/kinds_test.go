package survival

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// theRelease is the one that the commands of the matrix are about.
const theRelease = "r"

// newUser is one who waits long enough.
func newUser(t *testing.T, s *server, p *platform, release string) *user {
	t.Helper()
	return &user{ctx: within(t, 2*patience), c: s.client(), p: p, release: release, acked: map[string]bool{}, dead: s.died}
}

// user gives commands to a server and remembers which were acknowledged.
type user struct {
	ctx     context.Context
	c       *client.Client
	p       *platform
	release string
	acked   map[string]bool
	dead    <-chan struct{} // closed when the server is
	err     error           // of the first command that was not acknowledged
}

func (u *user) ack(what string, err error) bool {
	if err == nil {
		u.acked[what] = true
	} else if u.err == nil {
		u.err = fmt.Errorf("%s: %w", what, err)
	}
	return err == nil
}

func (u *user) install(x target) error {
	_, err := u.installed(x)
	return err
}

func (u *user) installed(x target, options ...skipper.CommandOptions) (skipper.Release, error) {
	rel, _, err := u.c.Install(u.ctx, skipper.InstallRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: x.pkg, PackageVersion: x.version},
		InstallProperties: &skipper.InstallProperties{
			ReleaseName: u.release, PlatformName: u.p.account, ConfigValues: &skipper.ConfigValues{Raw: &x.values},
		},
	}, options...)
	return rel, err
}

func (u *user) upgrade(x target, timeout time.Duration) error {
	_, err := u.upgraded(x, timeout)
	return err
}

func (u *user) upgraded(x target, timeout time.Duration, options ...skipper.CommandOptions) (skipper.Release, error) {
	rel, _, err := u.c.Upgrade(u.ctx, skipper.UpgradeRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: x.pkg, PackageVersion: x.version},
		UpgradeProperties: &skipper.UpgradeProperties{
			ReleaseName: u.release, ConfigValues: &skipper.ConfigValues{Raw: &x.values},
		},
		Timeout: new(timeout.Milliseconds()),
	}, options...)
	return rel, err
}

// until polls what the server says; false when it is dead.
func (u *user) until(condition func(op skipper.Operation) bool) bool {
	return wait(patience, func() bool {
		select {
		case <-u.dead:
			return true
		default:
		}
		ops, err := u.c.Operations(u.ctx, u.release)
		return err == nil && len(ops) > 0 && condition(ops[0])
	})
}

func ended(op skipper.Operation) bool { return op.Outcome != skipper.OutcomeQueued && !op.Running() }

// seen is what is found when all is over.
type seen struct {
	status   map[int]skipper.StatusCode // by version
	ops      []skipper.Operation        // the newest first
	packages map[string]bool
	running  map[string]int
}

// stands says that a version is deployed and that all before it are not.
func (s seen) stands(version int) bool {
	for v, code := range s.status {
		if (code == skipper.StatusDeployed) != (v == version) {
			return false
		}
	}
	return s.status[version] == skipper.StatusDeployed
}

// kind is a command that is killed at every failpoint.
type kind struct {
	name   string
	on     string // the one platform it is for; empty: all
	before []string
	more   settings // of the server
	// setting, if there, changes what the command finds, while no server runs.
	setting func(t *testing.T, p *platform, data string)
	// dies, if there, is the failpoint where a server dies whose recovery is put to the test at each of its own.
	dies string
	// do gives the commands and waits for what they bring about.
	do func(u *user)
	// again, if there, sends a request once more after the restart, as a client does that got no answer.
	again func(u *user)
	// kept says whether what was found is one of the ends that the acknowledgements allow.
	kept func(acked map[string]bool, s seen) bool
}

func kinds() []kind {
	return []kind{
		{
			name: "install", dies: "platform.Deploy.after",
			do: func(u *user) { u.ack("install", u.install(u.p.good[0])) },
			kept: func(acked map[string]bool, s seen) bool {
				return s.stands(1) || !acked["install"] && len(s.status) == 0
			},
		},
		{
			name: "install, cancelled", on: "fake", do: cancelInstall,
			kept: func(acked map[string]bool, s seen) bool {
				return len(s.status) == 0 && (!acked["cancel"] || s.ops[0].Outcome == skipper.OutcomeCancelled)
			},
		},
		{
			name: "upgrade", before: []string{"install"}, dies: "platform.Undeploy.after",
			do: func(u *user) {
				if u.ack("upgrade", u.upgrade(u.p.good[1], 20*time.Second)) {
					u.until(ended)
				}
			},
			kept: func(acked map[string]bool, s seen) bool { return s.stands(2) || !acked["upgrade"] && s.stands(1) },
		},
		{
			name: "upgrade, unhealthy", before: []string{"install"},
			do: func(u *user) {
				if u.ack("upgrade", u.upgrade(u.p.never, time.Second)) {
					u.until(ended)
				}
			},
			kept: func(acked map[string]bool, s seen) bool {
				return s.stands(1) && (!acked["upgrade"] || s.status[2] == skipper.StatusFailed)
			},
		},
		{
			name: "upgrade, cancelled", before: []string{"install"}, do: cancelUpgrade,
			kept: func(acked map[string]bool, s seen) bool {
				return s.stands(1) && (!acked["upgrade"] || s.status[2] == skipper.StatusFailed) &&
					(!acked["cancel"] || s.ops[0].Outcome == skipper.OutcomeCancelled)
			},
		},
		{
			name: "rollback", before: []string{"install", "upgrade"},
			do: func(u *user) {
				_, _, err := u.c.Rollback(u.ctx, skipper.RollbackRequest{
					ReleaseName: u.release, Version: new(1), Timeout: new(int64(20_000)),
				})
				if u.ack("rollback", err) {
					u.until(ended)
				}
			},
			kept: func(acked map[string]bool, s seen) bool { return s.stands(3) || !acked["rollback"] && s.stands(2) },
		},
		{
			name: "scale", before: []string{"install"},
			do: func(u *user) {
				_, _, err := u.c.Scale(u.ctx, u.release, skipper.ScaleRequest{
					Scale: []skipper.ScaleRequestItem{{Name: u.p.scaled, Count: new(3)}},
				})
				u.ack("scale", err)
			},
			kept: func(acked map[string]bool, s seen) bool {
				most := 0
				for _, n := range s.running {
					most = max(most, n)
				}
				return s.stands(1) && (most == 3 || !acked["scale"] && most == 1)
			},
		},
		{
			name: "delete", before: []string{"install"},
			do: func(u *user) {
				_, _, err := u.c.Delete(u.ctx, u.release, false)
				u.ack("delete", err)
			},
			kept: func(acked map[string]bool, s seen) bool {
				return s.status[1] == skipper.StatusDeleted || !acked["delete"] && s.stands(1)
			},
		},
		{
			name: "delete, retried after its end", on: "fake", before: []string{"install, clinging"},
			more: settings{"OPERATION_UNDO_TIMEOUT": "1s"},
			do: func(u *user) {
				_, _, err := u.c.Delete(u.ctx, u.release, false)
				u.ack("delete", err)
				u.compensated()
			},
			kept: func(acked map[string]bool, s seen) bool {
				return s.status[1] == skipper.StatusDeleted || !acked["delete"] && s.stands(1)
			},
		},
		{
			name: "install, sent again", on: "fake",
			do:    func(u *user) { u.ack("install", errorOf(u.installed(u.p.good[0], keyed()))) },
			again: func(u *user) { u.ack("install", errorOf(u.installed(u.p.good[0], keyed()))) },
			kept: func(acked map[string]bool, s seen) bool {
				return s.stands(1) && len(s.status) == 1 && len(s.ops) == 1 && acked["install"]
			},
		},
		{
			name: "install, gated",
			do: func(u *user) {
				_, err := u.installed(u.p.good[0], skipper.CommandOptions{HealthGate: true})
				u.ack("install", err)
			},
			kept: func(acked map[string]bool, s seen) bool {
				return s.stands(1) || !acked["install"] && len(s.status) == 0
			},
		},
		{
			name: "install, gated and unhealthy",
			do: func(u *user) {
				_, err := u.installed(u.p.never, skipper.CommandOptions{HealthGate: true, Timeout: new(int64(700))})
				if err == nil {
					u.ack("install", fmt.Errorf("it says that it is healthy"))
				}
			},
			kept: func(_ map[string]bool, s seen) bool { return len(s.status) == 0 },
		},
		{
			name: "upgrade, queued", before: []string{"install"},
			do: func(u *user) {
				if u.ack("upgrade", u.upgrade(u.p.never, time.Second)) {
					u.queue()
					u.until(ended)
				}
			},
			again: func(u *user) { u.queue() },
			kept: func(acked map[string]bool, s seen) bool {
				return acked["queue"] && len(s.ops) <= 3 && (s.stands(3) || !acked["upgrade"] && s.stands(2))
			},
		},
		{
			name: "upgrade, queued and cancelled", on: "fake", before: []string{"install"}, do: cancelQueued,
			kept: func(acked map[string]bool, s seen) bool {
				if acked["cancel"] {
					return s.stands(1) && s.ops[0].Outcome == skipper.OutcomeCancelled
				}
				return s.stands(1) || s.stands(2) || s.stands(3)
			},
		},
		{
			name: "upgrade, queued for too long", on: "fake", before: []string{"install"},
			more: settings{"OPERATION_QUEUE_TIMEOUT": "1s"},
			do: func(u *user) {
				if u.ack("upgrade", u.upgrade(u.p.never, 2*time.Second)) {
					u.queue()
					u.until(ended)
				}
			},
			kept: func(acked map[string]bool, s seen) bool {
				late := s.stands(1) && (!acked["queue"] || s.ops[0].Outcome == skipper.OutcomeFailed)
				return late || s.stands(2) || s.stands(3)
			},
		},
		{
			name: "orphan, adopted", on: "fake", before: []string{"install"},
			setting: func(t *testing.T, p *platform, data string) {
				t.Helper()
				query(t, data, "DELETE FROM deployments WHERE deployment_id = ?", orphaned)
			},
			do: func(u *user) { u.ack("adopt", errorOf(u.c.AdoptOrphans(u.ctx, skipper.OrphanRequest{All: true}))) },
			again: func(u *user) {
				u.noOrphan("adopt")
				u.ack("again", errorOf(u.c.AdoptOrphans(u.ctx, skipper.OrphanRequest{All: true})))
				u.acked["adopt"] = true
				u.noOrphan("adopt")
			},
			kept: func(_ map[string]bool, s seen) bool { return s.stands(1) && s.running[orphaned] > 0 },
		},
		{
			name: "orphan, removed", on: "fake", setting: ghost,
			do: func(u *user) {
				u.ack("remove", errorOf(u.c.RemoveOrphans(u.ctx, skipper.OrphanRequest{All: true})))
				u.compensated()
			},
			again: func(u *user) {
				u.noOrphan("remove")
				u.ack("again", errorOf(u.c.RemoveOrphans(u.ctx, skipper.OrphanRequest{All: true})))
			},
			kept: func(_ map[string]bool, s seen) bool { return len(s.running) == 0 },
		},
		{
			name: "upgrade, superseding", before: []string{"install"},
			do: func(u *user) {
				if u.ack("upgrade", u.upgrade(u.p.never, 3*time.Second)) {
					u.ack("supersede", errorOf(u.upgraded(u.p.mended, patience,
						skipper.CommandOptions{OnConflict: skipper.ConflictSupersede})))
					u.until(ended)
				}
			},
			kept: func(acked map[string]bool, s seen) bool {
				return s.stands(3) || !acked["supersede"] && s.stands(1)
			},
		},
		{
			name: "package upload", on: "fake",
			do: func(u *user) {
				more := u.p.packages[0]
				more.Version = new("2.0.0")
				more.PackageFileAsBytes = u.p.newer
				_, err := u.c.Upload(u.ctx, more)
				u.ack("upload", err)
			},
			kept: func(acked map[string]bool, s seen) bool { return s.packages["pair 2.0.0"] || !acked["upload"] },
		},
		{
			name: "package delete", on: "fake",
			do:   func(u *user) { u.ack("delete", u.c.DeletePackage(u.ctx, "other")) },
			kept: func(acked map[string]bool, s seen) bool { return !s.packages["other 1.0.0"] || !acked["delete"] },
		},
	}
}

func cancelInstall(u *user) {
	done := make(chan struct{})
	go func() { // it is answered when it has ended
		defer close(done)
		_ = u.install(u.p.stubborn)
	}()
	u.until(func(op skipper.Operation) bool { return op.Running() && op.Attempt > 0 })
	u.cancel()
	<-done
}

func cancelUpgrade(u *user) {
	if u.ack("upgrade", u.upgrade(u.p.never, 3*time.Second)) {
		u.cancel()
		u.until(ended)
	}
}

func (u *user) cancel() {
	accepted, err := u.c.Cancel(u.ctx, u.release)
	if err == nil && !accepted {
		err = fmt.Errorf("there was nothing to cancel")
	}
	u.ack("cancel", err)
}

// prepared brings a release where a kind begins.
func (u *user) prepared(t *testing.T, before []string) {
	t.Helper()
	for _, p := range u.p.packages {
		_, err := u.c.Upload(u.ctx, p)
		require.NoError(t, err)
	}
	u.begins(t, before)
}

// begins gives the commands that come before.
func (u *user) begins(t *testing.T, before []string) {
	t.Helper()
	for _, step := range before {
		switch step {
		case "install":
			require.NoError(t, u.install(u.p.good[0]))
		case "install, clinging":
			require.NoError(t, u.install(u.p.clinging))
		case "upgrade":
			require.NoError(t, u.upgrade(u.p.good[1], patience))
			require.True(t, u.until(ended))
		}
	}
}

// keyed names a request, so that it can be sent again.
func keyed() skipper.CommandOptions { return skipper.CommandOptions{IdempotencyKey: "the-request"} }

// errorOf leaves out what a command gives beside its error.
func errorOf[T any](_ T, err error) error { return err }

func cancelQueued(u *user) {
	if !u.ack("upgrade", u.upgrade(u.p.never, 2*time.Second)) {
		return
	}
	_, op, err := u.c.Upgrade(u.ctx, skipper.UpgradeRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: u.p.good[1].pkg, PackageVersion: u.p.good[1].version},
		UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: u.release},
	}, skipper.CommandOptions{OnConflict: skipper.ConflictQueue})
	if !u.ack("queue", err) {
		return
	}
	_, err = u.c.CancelOperation(u.ctx, op)
	u.ack("cancel", err)
	u.until(func(skipper.Operation) bool {
		ops, err := u.c.Operations(u.ctx, u.release)
		return err == nil && !slices.ContainsFunc(ops, func(op skipper.Operation) bool { return !ended(op) })
	})
}

// compensated waits until nothing has to go any more, or the server is dead.
func (u *user) compensated() {
	u.p.gone(u.dead)
	wait(patience, func() bool {
		select {
		case <-u.dead:
			return true
		default:
		}
		found, err := u.c.Orphans(u.ctx)
		return err == nil && len(found.Items) == 0
	})
}

// orphaned is the deployment whose row is lost.
const orphaned = "r.a-v1"

// query changes the database of a server that does not run.
func query(t *testing.T, data, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(data, "skiff.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
}

// ghost puts an application on the platform that carries the mark of the installation, and belongs to nothing.
func ghost(t *testing.T, p *platform, data string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(data, "skiff.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var installation string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT id FROM installation").Scan(&installation))
	_, err = fakeIn(p.file).Deploy(t.Context(), deployer.Request{
		Owner: deployer.Owner{Installation: installation, Account: p.account, Release: "ghost", Version: 1, App: "a"},
		Name:  "a-v1", Group: "ghost", Count: 1,
	}, nil, func(deployer.Handle) error { return nil })
	require.NoError(t, err)
}

// noOrphan holds an acknowledged command about orphans to its word.
func (u *user) noOrphan(what string) {
	found, err := u.c.Orphans(u.ctx)
	for _, o := range found.Items {
		if u.acked[what] && o.Kind == skipper.OrphanFound {
			err = fmt.Errorf("%s was acknowledged, and %s is an orphan", what, o.DeploymentID)
		}
	}
	if err != nil {
		u.ack("orphans", err)
	}
}

func (u *user) queue() {
	_, err := u.upgraded(u.p.mended, patience, skipper.CommandOptions{
		OnConflict: skipper.ConflictQueue, IdempotencyKey: "the-request",
	})
	u.ack("queue", err)
}
