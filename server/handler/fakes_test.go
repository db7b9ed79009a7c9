package handler_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a handler on fake services.
type bench struct {
	http.Handler
	catalog    *fakeCatalog
	releases   *fakeReleases
	operations *fakeOperations
	actuator   *fakeActuator
	machine    *fakeMachine
	now        time.Time
	log        *syncBuffer
	pingError  error
	stopping   bool
}

func setup(t *testing.T) *bench {
	t.Helper()
	return setupWith(t, func(*handler.Config) {})
}

// setupWith is setup with another configuration.
func setupWith(t *testing.T, change func(*handler.Config)) *bench {
	t.Helper()
	b := &bench{
		catalog: &fakeCatalog{}, releases: &fakeReleases{}, operations: &fakeOperations{}, log: &syncBuffer{},
		actuator: &fakeActuator{}, machine: &fakeMachine{},
		now: time.Date(2026, 11, 22, 22, 49, 57, 73e6, time.UTC),
	}
	e := echo.New()
	config := handler.Config{
		Catalog: b.catalog, Releases: b.releases, Operations: b.operations, Version: "1.2.3",
		Cancellable: []skipper.State{skipper.StateUpgradeWait},
		Ping:        func(context.Context) error { return b.pingError },
		Stopping:    func() bool { return b.stopping },
		Clock:       func() time.Time { return b.now },
		Logger:      slog.New(slog.NewTextHandler(b.log, nil)),
		EventPoll:   time.Millisecond,
		Actuator:    b.actuator, Machine: b.machine,
	}
	change(&config)
	handler.New(config).Register(e)
	b.Handler = e
	return b
}

// ask sends a request and gives the answer. Headers are names and values in turn.
func (b *bench) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, content)
	r.Host = "127.0.0.1:7577"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// fakeCatalog keeps its rows in memory.
type fakeCatalog struct {
	packages     []skipper.PackageMetadata
	repositories []skipper.Repository
	upload       func(skipper.UploadRequest) (skipper.PackageMetadata, error)
	deleted      []string
	err          error // of every read
}

func (c *fakeCatalog) Upload(_ context.Context, r skipper.UploadRequest) (skipper.PackageMetadata, error) {
	return c.upload(r)
}

func (c *fakeCatalog) DeletePackage(_ context.Context, name string) error {
	c.deleted = append(c.deleted, name)
	return c.err
}

func (c *fakeCatalog) Package(_ context.Context, id int64) (skipper.PackageMetadata, error) {
	return oneOf(c.packages, c.err, func(p skipper.PackageMetadata) bool { return p.ID == id })
}

func (c *fakeCatalog) Packages(_ context.Context, page skipper.PageRequest) (
	skipper.Page[skipper.PackageMetadata], error,
) {
	property := func(p skipper.PackageMetadata, name string) string {
		return map[string]string{"name": p.Name, "version": p.Version}[name]
	}
	return pageOf(c.packages, page, property), c.err
}

func (c *fakeCatalog) PackagesNamed(_ context.Context, name string) ([]skipper.PackageMetadata, error) {
	return only(c.packages, func(p skipper.PackageMetadata) bool { return p.Name == name }), c.err
}

func (c *fakeCatalog) PackagesContaining(_ context.Context, part string) ([]skipper.PackageMetadata, error) {
	return only(c.packages, func(p skipper.PackageMetadata) bool {
		return strings.Contains(strings.ToLower(p.Name), strings.ToLower(part))
	}), c.err
}

func (c *fakeCatalog) Repositories(_ context.Context, page skipper.PageRequest) (skipper.Page[skipper.Repository], error) {
	return pageOf(c.repositories, page, func(r skipper.Repository, _ string) string { return r.Name }), c.err
}

func (c *fakeCatalog) Repository(_ context.Context, id int64) (skipper.Repository, error) {
	return oneOf(c.repositories, c.err, func(r skipper.Repository) bool { return r.ID == id })
}

func (c *fakeCatalog) RepositoryByName(_ context.Context, name string) (skipper.Repository, error) {
	return oneOf(c.repositories, c.err, func(r skipper.Repository) bool { return r.Name == name })
}

// fakeReleases answers commands by functions, and reads from what it holds.
type fakeReleases struct {
	command   func(request any) (skipper.Release, skipper.Operation, error)
	cancel    func(skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error)
	info      func(name string, version int) (skipper.Info, error)
	manifest  func(name string, version int) (skipper.Manifest, error)
	logs      func(name, deployment string) (skipper.LogInfo, error)
	read      func(ctx context.Context, name string, emit func(skipper.LogLine) error) error
	query     skipper.LogQuery // of the last LogsOf or ReadLogs
	statuses  map[string]skipper.Info
	states    map[string]map[string]skipper.DeploymentState
	releases  []skipper.Release
	platforms []skipper.Platform
	names     []string               // that Statuses or States was last asked for
	options   skipper.CommandOptions // of the last command
}

type installByID struct {
	id         int64
	properties skipper.InstallProperties
}

type deletion struct {
	name        string
	withPackage bool
}

type scaling struct {
	name    string
	request skipper.ScaleRequest
}

func (f *fakeReleases) Install(_ context.Context, r skipper.InstallRequest, o skipper.CommandOptions) (
	skipper.Release, skipper.Operation, error,
) {
	f.options = o
	return f.command(r)
}

func (f *fakeReleases) InstallPackage(_ context.Context, id int64, p skipper.InstallProperties, o skipper.CommandOptions) (
	skipper.Release, skipper.Operation, error,
) {
	f.options = o
	return f.command(installByID{id, p})
}

func (f *fakeReleases) Preview(_ context.Context, r skipper.InstallRequest) (skipper.Preview, error) {
	return skipper.Preview{Action: skipper.PreviewInstall, Name: r.InstallProperties.ReleaseName, Version: 1}, nil
}

func (f *fakeReleases) Upgrade(_ context.Context, r skipper.UpgradeRequest, o skipper.CommandOptions) (
	skipper.Release, skipper.Operation, error,
) {
	f.options = o
	return f.command(r)
}

func (f *fakeReleases) Rollback(_ context.Context, r skipper.RollbackRequest, o skipper.CommandOptions) (
	skipper.Release, skipper.Operation, error,
) {
	f.options = o
	return f.command(r)
}

func (f *fakeReleases) Delete(_ context.Context, name string, with bool, o skipper.CommandOptions) (
	skipper.Release, skipper.Operation, error,
) {
	f.options = o
	return f.command(deletion{name, with})
}

func (f *fakeReleases) Scale(_ context.Context, name string, r skipper.ScaleRequest, o skipper.CommandOptions) (
	skipper.Release, skipper.Operation, error,
) {
	f.options = o
	return f.command(scaling{name, r})
}

func (f *fakeReleases) CancelOperation(_ context.Context, id string) (skipper.Operation, error) {
	_, o, err := f.command("cancel " + id)
	return o, err
}

func (f *fakeReleases) RetryOperation(_ context.Context, id string, o skipper.CommandOptions) (skipper.Operation, error) {
	f.options = o
	_, again, err := f.command("retry " + id)
	return again, err
}

func (f *fakeReleases) Cancel(_ context.Context, r skipper.CancelRequest) (
	skipper.CancelResponse, *skipper.Operation, error,
) {
	return f.cancel(r)
}

func (f *fakeReleases) Status(_ context.Context, name string, version int) (skipper.Info, error) {
	return f.info(name, version)
}

func (f *fakeReleases) Statuses(_ context.Context, names []string) (map[string]skipper.Info, error) {
	f.names = names
	return f.statuses, nil
}

func (f *fakeReleases) States(_ context.Context, names []string) (
	map[string]map[string]skipper.DeploymentState, error,
) {
	f.names = names
	return f.states, nil
}

func (f *fakeReleases) Manifest(_ context.Context, name string, version int) (skipper.Manifest, error) {
	return f.manifest(name, version)
}

func (f *fakeReleases) LogsOf(_ context.Context, name string, q skipper.LogQuery) (skipper.LogInfo, error) {
	f.query = q
	return skipper.LogInfo{Logs: map[string]string{name: "chosen"}}, nil
}

func (f *fakeReleases) ReadLogs(ctx context.Context, name string, q skipper.LogQuery, emit func(skipper.LogLine) error,
) error {
	f.query = q
	return f.read(ctx, name, emit)
}

func (f *fakeReleases) Logs(_ context.Context, name, deployment string) (skipper.LogInfo, error) {
	return f.logs(name, deployment)
}

func (f *fakeReleases) Listed(_ context.Context, part string) ([]skipper.Release, error) {
	return only(f.releases, func(r skipper.Release) bool { return strings.Contains(r.Name, part) }), nil
}

func (f *fakeReleases) History(ctx context.Context, part string) ([]skipper.Release, error) {
	return f.Listed(ctx, part)
}

func (f *fakeReleases) Releases(_ context.Context, page skipper.PageRequest) (skipper.Page[skipper.Release], error) {
	return pageOf(f.releases, page, func(r skipper.Release, _ string) string { return r.Name }), nil
}

func (f *fakeReleases) ReleaseByID(_ context.Context, id int64) (skipper.Release, error) {
	return oneOf(f.releases, nil, func(r skipper.Release) bool { return r.ID == id })
}

func (f *fakeReleases) Platforms(_ context.Context, page skipper.PageRequest) (skipper.Page[skipper.Platform], error) {
	return pageOf(f.platforms, page, func(p skipper.Platform, _ string) string { return p.Name }), nil
}

func (f *fakeReleases) Platform(_ context.Context, id string) (skipper.Platform, error) {
	return oneOf(f.platforms, nil, func(p skipper.Platform) bool { return p.ID == id })
}

func (f *fakeReleases) PlatformByName(_ context.Context, name string) (skipper.Platform, error) {
	return oneOf(f.platforms, nil, func(p skipper.Platform) bool { return p.Name == name })
}

// fakeOperations holds operations and their events; the function looked is called before each look at an operation.
type fakeOperations struct {
	mu         sync.Mutex
	operations []skipper.Operation
	events     []skipper.OperationEvent
	looked     func()
	lastPage   skipper.PageRequest
	lastFilter skipper.OperationFilter
	waitsFor   string
	behind     string
}

func (f *fakeOperations) Operation(_ context.Context, id string) (skipper.Operation, error) {
	if f.looked != nil {
		f.looked()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return oneOf(f.operations, nil, func(o skipper.Operation) bool { return o.ID == id })
}

func (f *fakeOperations) Operations(_ context.Context, filter skipper.OperationFilter, page skipper.PageRequest) (
	skipper.Page[skipper.Operation], error,
) {
	f.lastPage, f.lastFilter = page, filter
	found := only(f.operations, func(o skipper.Operation) bool {
		return filter.ReleaseName == "" || o.ReleaseName == filter.ReleaseName
	})
	return pageOf(found, page, func(o skipper.Operation, _ string) string { return o.ID }), nil
}

func (f *fakeOperations) Detail(ctx context.Context, id string) (skipper.OperationDetail, error) {
	o, err := f.Operation(ctx, id)
	return skipper.OperationDetail{
		Operation: o, Steps: skipper.Steps(f.events), WaitsFor: f.waitsFor, Behind: f.behind,
	}, err
}

func (f *fakeOperations) Busy(_ context.Context, names []string) (map[string]bool, error) {
	busy := map[string]bool{}
	for _, o := range f.operations {
		if o.Unfinished() && slices.Contains(names, o.ReleaseName) {
			busy[o.ReleaseName] = true
		}
	}
	return busy, nil
}

func (f *fakeOperations) Events(_ context.Context, id string, after int64) ([]skipper.OperationEvent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return only(f.events, func(e skipper.OperationEvent) bool { return e.OperationID == id && e.ID > after }), nil
}

func (f *fakeOperations) Running(_ context.Context, names []string) (map[string]skipper.Operation, error) {
	running := map[string]skipper.Operation{}
	for _, o := range f.operations {
		if o.Running() && slices.Contains(names, o.ReleaseName) {
			running[o.ReleaseName] = o
		}
	}
	return running, nil
}

// fakeActuator remembers what it was asked for last.
type fakeActuator struct {
	asked   []string // release, deployment, instance
	request skipper.ActuatorRequest
	answer  string
	err     error
}

func (f *fakeActuator) Actuator(_ context.Context, name, deploymentID, guid string, r skipper.ActuatorRequest) (
	[]byte, error,
) {
	f.asked, f.request = []string{name, deploymentID, guid}, r
	return []byte(f.answer), f.err
}

// fakeMachine has two states, and the machines it is given.
type fakeMachine struct {
	machines []skipper.Machine
	page     skipper.PageRequest // that Machines was last asked for
}

func (*fakeMachine) States() []skipper.MachineState {
	return []skipper.MachineState{{Name: skipper.StateInitial, Initial: true}, {Name: skipper.StateScale}}
}

func (*fakeMachine) Transitions() []skipper.MachineTransition {
	return []skipper.MachineTransition{
		{Source: skipper.StateInitial, Event: "SCALE", Target: skipper.StateScale, Guard: new("idle"), Action: new("scaleApps")},
		{Source: skipper.StateScale, Event: "DONE", Target: skipper.StateInitial},
	}
}

func (*fakeMachine) Actions() []skipper.MachineNote {
	return []skipper.MachineNote{{Name: "scaleApps", Description: "sets the numbers of instances"}}
}

func (*fakeMachine) Guards() []skipper.MachineNote {
	return []skipper.MachineNote{{Name: "idle", Description: "no other operation runs on the release"}}
}

func (f *fakeMachine) Machines(_ context.Context, page skipper.PageRequest) (skipper.Page[skipper.Machine], error) {
	f.page = page
	return pageOf(f.machines, page, func(m skipper.Machine, _ string) string { return m.MachineID }), nil
}

func (f *fakeMachine) Machine(_ context.Context, name string) (skipper.Machine, error) {
	return oneOf(f.machines, nil, func(m skipper.Machine) bool { return m.MachineID == name })
}

func only[T any](all []T, keep func(T) bool) []T {
	var kept []T
	for _, v := range all {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func oneOf[T any](all []T, err error, is func(T) bool) (T, error) {
	if err != nil {
		return *new(T), err
	}
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], nil
	}
	return *new(T), skipper.Errorf(skipper.CodeNotFound, "nothing is there")
}

func pageOf[T any](all []T, page skipper.PageRequest, property func(T, string) string) skipper.Page[T] {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b T) int {
		for _, s := range page.Sort {
			c := cmp.Compare(property(a, s.Property), property(b, s.Property))
			if s.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	from := min(page.Page*page.Size, len(sorted))
	to := min(from+page.Size, len(sorted))
	return skipper.Page[T]{Items: sorted[from:to], Total: len(all)}
}
