package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/rollout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errBroken is what a store that is gone answers.
var errBroken = errors.New("the store is gone")

// fakeStore keeps releases and deployments in memory, and what happened in the order it did.
type fakeStore struct {
	mu       sync.Mutex
	releases []skipper.Release
	rows     map[string]skipper.Deployment // by id
	stale    bool                          // the token is old
	running  *skipper.Operation            // of another server
	broken   string                        // the method that fails
	wantedBy string                        // not empty: another release has every id
	log      []string
	checked  func()
}

func (s *fakeStore) call(method, id string, fenced bool) error {
	s.log = append(s.log, strings.TrimSpace(method+" "+id))
	switch {
	case s.broken == method:
		return skipper.Errorf(skipper.CodeUnavailable, "%s: %w", method, errBroken)
	case fenced && s.stale:
		return skipper.Errorf(skipper.CodeConflict, "operation: %w", skipper.ErrStale)
	}
	return nil
}

func (s *fakeStore) Release(_ context.Context, name string, version int) (skipper.Release, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == "release" {
		return skipper.Release{}, errBroken
	}
	for _, rel := range s.releases {
		if rel.Name == name && rel.Version == version {
			return rel, nil
		}
	}
	return skipper.Release{}, skipper.ReleaseNotFound(name, version)
}

func (s *fakeStore) CheckToken(_ context.Context, _ string, token int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checked != nil {
		s.checked()
	}
	if token != theToken {
		return errBroken
	}
	return s.call("check", "", true)
}

func (s *fakeStore) WantDeployment(_ context.Context, _ string, token int64, d skipper.Deployment,
) (skipper.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.call("want", d.DeploymentID, true); err != nil || token != theToken {
		return d, err
	}
	if s.wantedBy != "" {
		return d, skipper.Errorf(skipper.CodeConflict, "deployment %q belongs to release %q", d.DeploymentID, s.wantedBy)
	}
	if kept, ok := s.rows[d.DeploymentID]; ok {
		return kept, nil
	}
	s.rows[d.DeploymentID] = d
	return d, nil
}

func (s *fakeStore) SaveHandle(_ context.Context, _ string, token int64, account, id string, handle json.RawMessage,
	hash string,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.call("save", id, true); err != nil || token != theToken {
		return err
	}
	row := s.rows[id]
	row.Account, row.Handle, row.SpecHash = account, handle, hash
	s.rows[id] = row
	return nil
}

func (s *fakeStore) ForgetDeployment(_ context.Context, _ string, token int64, _, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.call("forget", id, true); err != nil || token != theToken {
		return err
	}
	delete(s.rows, id)
	return nil
}

func (s *fakeStore) Deployments(_ context.Context, account string, ids []string) ([]skipper.Deployment, error) {
	return s.only("deployments", func(d skipper.Deployment) bool {
		return d.Account == account && slices.Contains(ids, d.DeploymentID)
	})
}

func (s *fakeStore) DeploymentsOf(_ context.Context, name string, version int) ([]skipper.Deployment, error) {
	return s.only("deploymentsOf", func(d skipper.Deployment) bool {
		return d.ReleaseName == name && d.ReleaseVersion == version
	})
}

func (s *fakeStore) DeploymentsOfRelease(_ context.Context, name string) ([]skipper.Deployment, error) {
	return s.only("deploymentsOfRelease", func(d skipper.Deployment) bool { return d.ReleaseName == name })
}

func (s *fakeStore) RunningOperation(context.Context, string) (*skipper.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running, nil
}

func (s *fakeStore) CompensateOrphan(_ context.Context, d skipper.Deployment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Wanted = false
	s.rows[d.DeploymentID] = d
	return s.call("orphan", d.DeploymentID, false)
}

func (s *fakeStore) only(method string, keep func(skipper.Deployment) bool) ([]skipper.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == method {
		return nil, errBroken
	}
	var out []skipper.Deployment
	for _, d := range s.rows {
		if keep(d) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b skipper.Deployment) int { return strings.Compare(a.DeploymentID, b.DeploymentID) })
	return out, nil
}

// apply writes a result as the operation package does.
func (s *fakeStore) apply(res rollout.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range res.Unwant {
		row := s.rows[id]
		row.Wanted, row.RetireUntil = false, nil
		s.rows[id] = row
	}
	for _, id := range res.Rewant {
		row := s.rows[id]
		row.Wanted = true
		s.rows[id] = row
	}
	for _, r := range res.Retire {
		row := s.rows[r.DeploymentID]
		row.Wanted, row.RetireUntil = false, &r.Until
		s.rows[r.DeploymentID] = row
	}
	for _, c := range res.Care {
		row := s.rows[c.DeploymentID]
		row.Due, row.Attempt, row.LastError = c.Due, c.Attempt, c.LastError
		s.rows[c.DeploymentID] = row
	}
	for _, c := range res.Release {
		for i := range s.releases {
			rel := &s.releases[i]
			if rel.Name != c.Name || rel.Version != c.Version {
				continue
			}
			if c.Status != "" {
				rel.Info.Status.StatusCode = c.Status
			}
			if c.Apps != nil {
				rel.Apps = c.Apps
			}
		}
	}
}

func (s *fakeStore) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

func (s *fakeStore) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for id := range s.rows {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

const theToken = 7

// platform is a deployer.Fake that notes when it is called, and can answer in its own way.
type platform struct {
	*deployertest.Fake
	deploy   func(r deployer.Request, previous *deployer.Handle, save func(deployer.Handle) error) (deployer.Handle, error)
	undeploy func(h deployer.Handle) error
	status   error
	nothing  skipper.DeploymentState // when not empty: the state of all, without instances
	maintain func(h deployer.Handle) (time.Time, error)
	logs     func(ctx context.Context) (string, error)
}

func (p *platform) Deploy(ctx context.Context, r deployer.Request, previous *deployer.Handle,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if p.deploy != nil {
		return p.deploy(r, previous, save)
	}
	return p.Fake.Deploy(ctx, r, previous, save)
}

func (p *platform) Maintain(ctx context.Context, r deployer.Request, h deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, time.Time, error) {
	if p.maintain != nil {
		due, err := p.maintain(h)
		return h, due, err
	}
	return p.Fake.Maintain(ctx, r, h, save)
}

func (p *platform) Undeploy(ctx context.Context, owner deployer.Owner, h deployer.Handle) error {
	if p.undeploy != nil {
		return p.undeploy(h)
	}
	return p.Fake.Undeploy(ctx, owner, h)
}

func (p *platform) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	if p.logs != nil {
		return p.logs(ctx)
	}
	return p.Fake.Logs(ctx, h, limit)
}

func (p *platform) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	if p.status != nil {
		return nil, p.status
	}
	if p.nothing != "" {
		all := map[string]skipper.AppStatus{}
		for _, h := range handles {
			all[h.ID] = skipper.AppStatus{DeploymentID: h.ID, State: p.nothing}
		}
		return all, nil
	}
	return p.Fake.Status(ctx, handles)
}

// bundle is a rollout on fakes, at a time that only tests change.
type bundle struct {
	*rollout.Rollout
	t       *testing.T
	store   *fakeStore
	fake    *platform
	now     time.Time
	deleted []string // packages, with the release that does not count
	refusal error    // to delete a package
	config  rollout.Config
}

func config() rollout.Config {
	return rollout.Config{
		Installation: "test", HealthPeriod: 5 * time.Second,
		DeployTimeout: 2 * time.Minute, UndoTimeout: time.Minute, Parallel: 2,
	}
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, config: config(), now: time.Date(2026, 11, 22, 22, 49, 57, 0, time.UTC)}
	clock := func() time.Time { return b.now }
	b.fake = &platform{Fake: deployertest.NewFake(deployertest.FakeConfig{
		Account: "default", Installation: "test", Clock: clock,
	})}
	b.store = &fakeStore{rows: map[string]skipper.Deployment{}}
	b.on(b.fake)
	return b
}

// on puts the rollout on another platform.
func (b *bundle) on(d deployer.Deployer) {
	b.Rollout = rollout.New(b.store, deployer.Accounts{{Name: "default", Deployer: d}}, b.config,
		func() time.Time { return b.now },
		func(_ context.Context, name, except string) error {
			b.deleted = append(b.deleted, name+" except "+except)
			return b.refusal
		})
}

// app is one document of a manifest: properties and deployment properties as YAML maps.
func app(name, properties, deployment string) string {
	return "---\napiVersion: skipper.spring.io/v1\nkind: SpringCloudDeployerApplication\nmetadata: {name: " + name +
		"}\nspec:\n  resource: file:///app\n  version: 1.0.0\n  applicationProperties: {" + properties +
		"}\n  deploymentProperties: {" + deployment + "}\n"
}

// version adds a release version to the store; its applications are what the documents say.
func (b *bundle) version(number int, status skipper.StatusCode, documents ...string) skipper.Release {
	rel := skipper.Release{
		Name: "r", Version: number, PlatformName: "default",
		Manifest: &skipper.Manifest{Data: strings.Join(documents, "")},
		Info:     skipper.Info{Status: skipper.Status{StatusCode: status}},
	}
	b.store.releases = append(b.store.releases, rel)
	return rel
}

// installed adds a version whose applications run.
func (b *bundle) installed(number int, documents ...string) {
	b.t.Helper()
	b.version(number, skipper.StatusUnknown, documents...)
	op := b.operation(skipper.KindInstall, skipper.StateInstall, number)
	for {
		res, err := b.Step(b.t.Context(), op)
		require.NoError(b.t, err)
		b.store.apply(res)
		if res.Outcome == skipper.OutcomeSucceeded {
			break
		}
		require.EqualValues(b.t, "MORE", res.Event, res.Message)
	}
	b.store.log = nil
}

func (b *bundle) operation(kind skipper.Kind, state skipper.State, target int) skipper.Operation {
	op := skipper.Operation{
		ID: "op", Kind: kind, ReleaseName: "r", TargetVersion: target, State: state, Token: theToken,
		Outcome: skipper.OutcomeRunning, Deadline: b.now.Add(time.Minute), Plan: skipper.Plan{Account: "default"},
	}
	if kind == skipper.KindUpgrade || kind == skipper.KindRollback {
		op.SourceVersion, op.Plan.Timeout = target-1, 60_000
	}
	return op
}

// step does a step that must come to something.
func (b *bundle) step(op skipper.Operation) rollout.Result {
	b.t.Helper()
	res, err := b.Step(b.t.Context(), op)
	require.NoError(b.t, err)
	return res
}

func (b *bundle) calls() []string {
	b.t.Helper()
	l, err := b.fake.Ledger()
	require.NoError(b.t, err)
	require.Empty(b.t, l.Violations)
	out := []string{}
	for _, c := range l.Calls {
		out = append(out, c.Verb+" "+c.ID)
	}
	return out
}

func (b *bundle) runs() []string {
	b.t.Helper()
	l, err := b.fake.Ledger()
	require.NoError(b.t, err)
	out := []string{}
	for id := range l.Deployments {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
