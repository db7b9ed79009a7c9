package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
	"github.com/skiff-project/skiff/server/rollout"
)

// The model: random commands on one release, walked by the engine and the rollout that the server has, on a store and a
// platform in memory that fail in every way, while the server is killed before and after each store write and platform
// call, time jumps, cancels come and a server with an old token wakes up. What is checked: advanced and stepped for
// each step, settled for each operation's end, drain for the end of it all.
//
// A world is a seed and has a few operations, one after the other. SKIFF_MODEL_SEED runs and tells one alone,
// SKIFF_MODEL_RUNS says how many operations there are, TEST_FULL=1 that there are modelRuns.

const (
	shortRuns  = 10_000  // enough to come everywhere
	modelRuns  = 100_000 // when all tests are asked for
	mostSteps  = 600     // of an operation
	release    = "r"
	account    = "default"
	undo       = time.Minute
	deploying  = 2 * time.Minute
	checkEvery = 5 * time.Second
	leaseTime  = 10 * time.Second
)

func TestModel_EveryOperationEndsWithOneVersionAndNothingLeft(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("SKIFF_MODEL_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		w := newWorld(seed)
		w.trace = t.Logf
		w.run(t.Context())
		require.Empty(t, w.problems)
		return
	}
	runs := shortRuns
	if os.Getenv("TEST_FULL") != "" { // as make survive does
		runs = modelRuns
	}
	if text := os.Getenv("SKIFF_MODEL_RUNS"); text != "" {
		var err error
		runs, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	all := worlds(t.Context(), runs)
	for seed, problems := range all.failed {
		t.Errorf("SKIFF_MODEL_SEED=%d: %s", seed, strings.Join(problems, "; "))
	}
	t.Logf("%d operations, %d kills, %d steps with an old token, %d compensations", all.operations, all.seen["kill"],
		all.seen["old token"], all.seen["compensation"])
	if len(all.failed) > 0 || runs < shortRuns {
		return
	}
	// A model that does not come to some place says nothing of it. What is queued is no step.
	for _, tr := range machine.Table() {
		if tr.From != skipper.StateQueued && tr.From != skipper.StateInitial {
			require.NotZero(t, all.taken[tr], "never taken: %v", tr)
		}
	}
	for _, what := range []string{
		"kill", "old token", "compensation", "drained", "retired", "ended by itself", "ended at its time",
	} {
		require.NotZero(t, all.seen[what], "never seen: %s", what)
	}
}

// tally is what was seen in many worlds.
type tally struct {
	operations int
	taken      map[machine.Transition]int
	seen       map[string]int
	failed     map[uint64][]string // by seed
}

// worlds runs one after the other, on every processor, until there were as many operations or too many problems.
func worlds(ctx context.Context, runs int) tally {
	// Many small worlds: the collector would take half of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	all := tally{taken: map[machine.Transition]int{}, seen: map[string]int{}, failed: map[uint64][]string{}}
	var next, operations atomic.Int64
	var mu sync.Mutex
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			taken, seen := map[machine.Transition]int{}, map[string]int{}
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				for tr, n := range taken {
					all.taken[tr] += n
				}
				for what, n := range seen {
					all.seen[what] += n
				}
			}()
			for int(operations.Load()) < runs {
				seed := uint64(next.Add(1))
				w := newWorld(seed)
				w.taken, w.seen = taken, seen
				w.run(ctx)
				operations.Add(int64(w.count))
				if len(w.problems) > 0 {
					mu.Lock()
					all.failed[seed] = w.problems
					full := len(all.failed) >= 5
					mu.Unlock()
					if full {
						operations.Add(int64(runs))
					}
				}
			}
		})
	}
	group.Wait()
	all.operations = int(operations.Load())
	return all
}

// dice are how often things go wrong in a run.
type dice struct {
	crash, store          float64 // at each store write or platform call
	deploy, undeploy, ask float64
	sick                  float64 // a new application is never healthy
	cancel, jump, sweep   float64
	defect                float64 // a step cannot be done for a reason of ours
	drain                 bool    // what is replaced goes on
}

// thing is a deployment on the platform.
type thing struct {
	hash  string
	owner deployer.Owner
	sick  bool // it is never healthy
	looks int  // before it is
	gone  int  // below 0: it stays; else the looks before it is gone
	ended bool // by itself, after it was replaced
}

type world struct {
	Store // what is not modelled is not called

	mu       sync.Mutex
	seed     uint64
	drawn    map[string]uint64
	now      time.Time
	dice     dice
	well     bool // nothing fails any more
	dead     bool // the server was killed
	still    bool // a server with an old token is awake: nothing may change
	kill     context.CancelFunc
	rng      *rand.Rand // for what happens between steps, in one goroutine
	releases []skipper.Release
	op       skipper.Operation
	rows     map[string]*skipper.Deployment
	platform map[string]*thing
	deletes  int             // packages
	torn     map[string]bool // deployments of a version whose removal was cancelled: perhaps gone
	problems []string
	taken    map[machine.Transition]int
	seen     map[string]int
	count    int // operations
	crashes  int
	late     int // steps in a row in a state whose deadline has passed
	trace    func(string, ...any)

	engine  *Engine
	rollout *rollout.Rollout
}

func newWorld(seed uint64) *world {
	w := &world{
		seed: seed, drawn: map[string]uint64{}, now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		rng: rand.New(rand.NewPCG(seed, 7)), rows: map[string]*skipper.Deployment{}, platform: map[string]*thing{}, torn: map[string]bool{},
		taken: map[machine.Transition]int{}, seen: map[string]int{}, trace: func(string, ...any) {},
	}
	pick := func(of ...float64) float64 { return of[w.rng.IntN(len(of))] }
	w.dice = dice{
		crash: pick(0, 0.02, 0.1, 0.3), store: pick(0, 0, 0.05, 0.3), deploy: pick(0, 0.1, 0.5, 1),
		undeploy: pick(0, 0.1, 0.5, 1), ask: pick(0, 0.1, 0.5, 1), sick: pick(0, 0.2, 1),
		cancel: pick(0, 0, 0.05, 0.3), jump: pick(0, 0.05, 0.3), sweep: pick(0, 0.2),
		defect: pick(0, 0, 0, 0.5), drain: w.rng.IntN(2) == 0,
	}
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	w.rollout = rollout.New(w, deployer.Accounts{{Name: account, Deployer: modelPlatform{w: w}}}, rollout.Config{
		Installation: "model", HealthPeriod: checkEvery, DeployTimeout: deploying, UndoTimeout: undo, Parallel: 4,
		Disown: time.Nanosecond,
	}, clock, func(context.Context, string, string) error { w.deletes++; return nil })
	w.engine = New(w, modelSteps{w.rollout, w}, Config{Owner: "model", Lease: leaseTime}, clock, slog.New(panics{slog.DiscardHandler, w}))
	return w
}

// modelSteps are the rollout with a defect: a step that cannot be done, whatever it is.
type modelSteps struct {
	*rollout.Rollout

	w *world
}

func (s modelSteps) Step(ctx context.Context, op skipper.Operation) (rollout.Result, error) {
	s.w.mu.Lock()
	defective := !s.w.well && !s.w.still && s.w.chance(s.w.dice.defect, "defect "+string(op.State))
	s.w.mu.Unlock()
	if defective {
		return rollout.Result{}, errStore
	}
	return s.Rollout.Step(ctx, op)
}

// panics hears of panics, which the engine survives.
type panics struct {
	slog.Handler

	w *world
}

func (p panics) Enabled(context.Context, slog.Level) bool { return true }

func (p panics) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panicked") {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		p.w.problem("%s", text)
	}
	return nil
}

func (p panics) WithAttrs([]slog.Attr) slog.Handler { return p }

// chance draws by name and how often that was drawn, so that goroutines do not change what a seed means.
func (w *world) chance(p float64, what string) bool { return w.draw(what) < p }

func (w *world) draw(what string) float64 {
	n := w.drawn[what]
	w.drawn[what] = n + 1
	h := w.seed*0x9e3779b97f4a7c15 ^ n*0xbf58476d1ce4e5b9
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 0x100000001b3
	}
	h ^= h >> 31
	h *= 0x94d049bb133111eb
	h ^= h >> 29
	return float64(h>>11) / (1 << 53)
}

func (w *world) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.trace("PROBLEM %s", text)
	w.problems = append(w.problems, text)
}

var (
	errDead  = errors.New("the server was killed")
	errStore = skipper.Errorf(skipper.CodeUnavailable, "the database is gone")
)

// point is before and after each write and call: the server may be killed there. mu is held.
func (w *world) point(what string) error {
	if !w.dead && !w.well && w.crashes < 12 && w.chance(w.dice.crash, "crash "+what) {
		w.trace("crash at %s", what)
		w.dead = true
		w.crashes++
		w.seen["kill"]++
		w.kill()
	}
	if w.dead {
		return errDead
	}
	return nil
}

// write is a store write: all of it or nothing, with a crash point on each side.
func (w *world) write(what string, fn func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.point(what); err != nil {
		return err
	}
	if !w.well && w.chance(w.dice.store, "store "+what) {
		return errStore
	}
	if err := fn(); err != nil {
		return err
	}
	return w.point(what + " done")
}

func (w *world) read(what string, fn func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.dead:
		return errDead
	case !w.well && w.chance(w.dice.store/4, "store "+what):
		return errStore
	}
	return fn()
}

func stale() error { return skipper.Errorf(skipper.CodeConflict, "model: %w", skipper.ErrStale) }

// held is the fence.
func (w *world) held(id string, token int64) error {
	if w.op.ID != id || w.op.Token != token || !w.op.Running() {
		return stale()
	}
	return nil
}

func (w *world) Release(_ context.Context, _ string, version int) (rel skipper.Release, err error) {
	err = w.read("release", func() error {
		if r := w.version(version); r != nil {
			rel = *r
			rel.Apps = slices.Clone(r.Apps)
			return nil
		}
		return skipper.ReleaseNotFound(release, version)
	})
	return rel, err
}

func (w *world) version(number int) *skipper.Release {
	for i := range w.releases {
		if w.releases[i].Version == number {
			return &w.releases[i]
		}
	}
	return nil
}

func (w *world) CheckToken(_ context.Context, id string, token int64) error {
	return w.read("token", func() error { return w.held(id, token) })
}

func (w *world) WantDeployment(_ context.Context, id string, token int64, d skipper.Deployment,
) (kept skipper.Deployment, err error) {
	err = w.write("want "+d.DeploymentID, func() error {
		if err := w.held(id, token); err != nil {
			return err
		}
		row := w.rows[d.DeploymentID]
		if row == nil {
			d.Wanted, d.Created = true, w.now
			row = &d
			w.rows[d.DeploymentID] = row
		}
		kept = *row
		return nil
	})
	return kept, err
}

func (w *world) SaveHandle(_ context.Context, id string, token int64, _, deployment string, handle json.RawMessage,
	hash string,
) error {
	return w.write("save "+deployment, func() error {
		if err := w.held(id, token); err != nil {
			return err
		}
		w.rows[deployment].Handle, w.rows[deployment].SpecHash = handle, hash
		return nil
	})
}

func (w *world) ForgetDeployment(_ context.Context, id string, token int64, _, deployment string) error {
	return w.write("forget "+deployment, func() error {
		if err := w.held(id, token); err != nil {
			return err
		}
		delete(w.rows, deployment)
		return nil
	})
}

func (w *world) Deployments(_ context.Context, _ string, ids []string) ([]skipper.Deployment, error) {
	return w.list(func(d *skipper.Deployment) bool { return slices.Contains(ids, d.DeploymentID) })
}

func (w *world) DeploymentsOf(_ context.Context, _ string, version int) ([]skipper.Deployment, error) {
	return w.list(func(d *skipper.Deployment) bool { return d.ReleaseVersion == version })
}

func (w *world) DeploymentsOfRelease(context.Context, string) ([]skipper.Deployment, error) {
	return w.list(func(*skipper.Deployment) bool { return true })
}

func (w *world) list(keep func(*skipper.Deployment) bool) (out []skipper.Deployment, err error) {
	err = w.read("list", func() error {
		out = w.only(keep)
		return nil
	})
	return out, err
}

func (w *world) only(keep func(*skipper.Deployment) bool) []skipper.Deployment {
	var out []skipper.Deployment
	for _, d := range w.rows {
		if keep(d) {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b skipper.Deployment) int { return strings.Compare(a.DeploymentID, b.DeploymentID) })
	return out
}

func (w *world) Operation(context.Context, string) (op skipper.Operation, err error) {
	err = w.read("operation", func() error { op = w.op; return nil })
	return op, err
}

// Advance writes a step as the store does, and looks at what it makes of the world.
func (w *world) Advance(_ context.Context, token int64, a skipper.Advance) error {
	return w.write("advance", func() error {
		if err := w.held(a.Operation.ID, token); err != nil {
			return err
		}
		if w.op.Cancel != a.Operation.Cancel {
			return skipper.Errorf(skipper.CodeConflict, "model: %w", skipper.ErrChanged)
		}
		from := w.op.State
		a.Operation.Token = token
		w.op = a.Operation
		for _, c := range a.Release {
			w.change(c)
		}
		for _, id := range a.Rewant {
			if row := w.rows[id]; row != nil {
				row.Wanted, row.RetireUntil = true, nil
			}
		}
		for _, id := range a.Unwant {
			if row := w.rows[id]; row != nil {
				row.Wanted, row.Due, row.RetireUntil = false, w.now, nil
			}
		}
		for _, r := range a.Retire {
			w.seen["retired"]++
			w.rows[r.DeploymentID].Wanted, w.rows[r.DeploymentID].Due = false, w.now
			w.rows[r.DeploymentID].RetireUntil = &r.Until
		}
		for _, c := range a.Care {
			if row := w.rows[c.DeploymentID]; row != nil && row.Wanted {
				row.Due, row.Attempt, row.LastError = c.Due, c.Attempt, c.LastError
			}
		}
		w.advanced(from, a)
		return nil
	})
}

func (w *world) change(c skipper.ReleaseChange) {
	rel := w.version(c.Version)
	switch {
	case c.Remove:
		w.releases = slices.DeleteFunc(w.releases, func(r skipper.Release) bool { return r.Version == c.Version })
		return
	case rel == nil:
		w.problem("version %d changes and is not there", c.Version)
		return
	}
	if c.Status != "" {
		rel.Info.Status.StatusCode = c.Status
	}
	if c.Apps != nil {
		rel.Apps = slices.Clone(c.Apps)
	}
}

// advanced checks what a step wrote. mu is held.
func (w *world) advanced(from skipper.State, a skipper.Advance) {
	op := w.op
	w.taken[machine.Transition{From: from, Event: machine.Event(a.Event.Event), To: op.State}]++
	w.trace("%s --%s--> %s due +%s (%s)", from, a.Event.Event, op.State, op.Due.Sub(w.now), a.Event.Message)
	standing := 0
	for _, r := range w.releases {
		if r.Info.Status.StatusCode == skipper.StatusDeployed {
			standing++
		}
	}
	// An upgrade makes the new version DEPLOYED and the old one not in one write.
	if standing > 1 {
		w.problem("%d versions are DEPLOYED after %s in %s", standing, a.Event.Event, from)
	}
	if op.Running() != (op.State != skipper.StateInitial) {
		w.problem("outcome %q in state %s", op.Outcome, op.State)
	}
	if latest := op.Deadline; op.Running() && op.Due.After(w.now.Add(checkEvery)) && op.Due.After(latest) {
		w.problem("in %s it sleeps until %s after its deadline", op.State, op.Due.Sub(latest))
	}
}

func (w *world) EndCompensation(_ context.Context, _, id string) error {
	return w.write("end "+id, func() error {
		if row := w.rows[id]; row != nil && !row.Wanted {
			delete(w.rows, id)
			w.seen["compensation"]++
		}
		return nil
	})
}

func (w *world) DeferCompensation(_ context.Context, _, id string, due time.Time, attempt int, last string) error {
	return w.write("defer "+id, func() error {
		if row := w.rows[id]; row != nil && !row.Wanted {
			row.Due, row.Attempt, row.LastError = due, attempt, last
		}
		return nil
	})
}

// modelPlatform fails as platforms do: before the effect, after it, and without saying which.
type modelPlatform struct {
	deployer.Deployer // what is not modelled is not called

	w *world
}

func (modelPlatform) ID(r deployer.Request) (string, error) { return r.Group + "." + r.Name, nil }

func (p modelPlatform) answer(verb, id string, rate float64) (effect bool, err error) {
	if p.w.well || !p.w.chance(rate, verb+" "+id) {
		return true, nil
	}
	kinds := []error{
		deployer.ErrUnavailable, deployer.ErrUnavailable, deployer.ErrRateLimited, deployer.ErrAmbiguous,
		deployer.ErrInvalid, deployer.ErrQuota, deployer.ErrUnsupported,
	}
	kind := kinds[int(p.w.draw("kind "+verb+" "+id)*float64(len(kinds)))]
	return p.w.chance(0.4, "effect "+verb+" "+id), deployer.Errorf(kind, "%s of %s failed", verb, id)
}

// call is one call that may have an effect. Any answer may be lost, with its effect or without.
func (p modelPlatform) call(verb, id string, rate float64, fn func() error) error {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.point(verb + " " + id); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "%w", err)
	}
	if w.still {
		w.problem("a server with an old token asks for %s of %s", verb, id)
	}
	effect, answer := p.answer(verb, id, rate)
	if effect {
		if err := fn(); err != nil {
			return err
		}
		w.trace("%s %s: %v", verb, id, answer)
	}
	w.now = w.now.Add(time.Duration(w.draw("took "+verb) * float64(2*time.Second)))
	if err := w.point(verb + " " + id + " done"); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "%w", err)
	}
	return answer
}

func (p modelPlatform) Deploy(_ context.Context, r deployer.Request, _ *deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, error) {
	id, _ := p.ID(r)
	h := deployer.Handle{ID: id, SpecHash: deployer.SpecHash(r), Data: json.RawMessage(`{}`)}
	if err := save(h); err != nil {
		return h, err
	}
	return h, p.call("deploy", id, p.w.dice.deploy, func() error {
		w := p.w
		if known := w.platform[id]; known != nil {
			if known.hash != h.SpecHash {
				return deployer.Errorf(deployer.ErrExists, "%s is another", id)
			}
			return nil
		}
		if row := w.rows[id]; row == nil || !row.Wanted {
			w.problem("%s is started though it is not wanted", id)
		}
		w.platform[id] = &thing{
			hash: h.SpecHash, owner: r.Owner, gone: -1, looks: int(w.draw("looks "+id) * 3),
			sick: w.chance(w.dice.sick, "sick "+id),
		}
		return nil
	})
}

func (p modelPlatform) Undeploy(_ context.Context, owner deployer.Owner, h deployer.Handle) error {
	return p.call("undeploy", h.ID, p.w.dice.undeploy, func() error {
		w := p.w
		known := w.platform[h.ID]
		if known == nil {
			return nil
		}
		if known.owner != owner {
			w.problem("%s is removed for another owner", h.ID)
		}
		row := w.rows[h.ID]
		switch {
		case row == nil || row.Wanted:
			w.problem("%s is removed though it is wanted", h.ID)
		case row.RetireUntil == nil:
		case known.ended:
			w.seen["ended by itself"]++
		case w.now.Before(*row.RetireUntil):
			w.problem("%s is removed though it drains", h.ID)
		default:
			w.seen["ended at its time"]++
		}
		if known.gone < 0 {
			known.gone = max(0, int(w.draw("gone "+h.ID)*4)-1) // mostly at once
		}
		p.look(h.ID)
		return nil
	})
}

// look lets a deployment come and go by being looked at.
func (p modelPlatform) look(id string) *thing {
	known := p.w.platform[id]
	if known == nil || p.w.still {
		return known
	}
	if known.gone == 0 {
		delete(p.w.platform, id)
		return nil
	}
	known.gone, known.looks = known.gone-1, known.looks-1
	return known
}

// Drain lets some applications go on.
func (p modelPlatform) Drain(r deployer.Request) time.Duration {
	if !p.w.dice.drain || r.Owner.App == "b" {
		return 0
	}
	return 90 * time.Second
}

func (p modelPlatform) Maintain(_ context.Context, _ deployer.Request, h deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, time.Time, error) {
	if err := save(h); err != nil {
		return h, time.Time{}, err
	}
	err := p.call("maintain", h.ID, p.w.dice.deploy, func() error {
		if row := p.w.rows[h.ID]; row == nil || !row.Wanted {
			p.w.problem("%s is looked after though it is not wanted", h.ID)
		}
		return nil
	})
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return h, p.w.now.Add(time.Duration(p.w.draw("care "+h.ID)*120-10) * time.Second), err
}

func (modelPlatform) Logs(context.Context, deployer.Handle, int64) (string, error) { return "", nil }

func (p modelPlatform) Scale(_ context.Context, _ deployer.Request, h deployer.Handle, _ int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if err := save(h); err != nil {
		return h, err
	}
	return h, p.call("scale", h.ID, p.w.dice.deploy, func() error { return nil })
}

func (p modelPlatform) Status(_ context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "%w", errDead)
	}
	out := map[string]skipper.AppStatus{}
	for _, h := range handles {
		if !w.well && w.chance(w.dice.ask, "ask "+h.ID) {
			return nil, deployer.Errorf(deployer.ErrUnavailable, "%s cannot be asked", h.ID)
		}
		status := skipper.AppStatus{DeploymentID: h.ID, State: skipper.StateUnknown}
		if known := p.look(h.ID); known != nil {
			status.State = skipper.StateDeployed
			if row := w.rows[h.ID]; row != nil && row.RetireUntil != nil && w.chance(0.2, "ends "+h.ID) {
				known.ended = true
			}
			if known.sick || known.looks >= 0 || !w.well && w.chance(w.dice.sick/8, "flaps "+h.ID) {
				status.State = skipper.StateDeploying
			}
			if known.ended {
				status.State = skipper.StateUndeployed
			}
		}
		out[h.ID] = status
	}
	return out, nil
}

// run gives a few commands, one after the other, and at the end lets what is left be removed.
func (w *world) run(ctx context.Context) {
	for range 1 + w.rng.IntN(4) {
		if len(w.problems) > 0 {
			return
		}
		before := w.standing()
		w.command(before)
		w.walk(ctx)
		w.settled(before)
		w.count++
	}
	w.drain(ctx)
}

// standing gives the version that is DEPLOYED; nil when none is.
func (w *world) standing() *skipper.Release {
	for _, r := range w.releases {
		if r.Info.Status.StatusCode == skipper.StatusDeployed {
			r.Apps = slices.Clone(r.Apps)
			return &r
		}
	}
	return nil
}

// command accepts one of the commands that are legal now, planned as server/release plans them.
func (w *world) command(standing *skipper.Release) {
	op := skipper.Operation{
		ID: fmt.Sprintf("op-%d", w.count), ReleaseName: release, Outcome: skipper.OutcomeRunning, Created: w.now, Due: w.now,
		Account: account, Plan: skipper.Plan{Account: account, Timeout: []int64{0, 3_000, 30_000}[w.rng.IntN(3)]},
	}
	deleted := w.latest(skipper.StatusDeleted)
	target := w.next()
	op.TargetVersion = target.Version
	switch {
	case standing != nil && w.rng.IntN(4) == 0:
		op.Kind, op.SourceVersion, op.TargetVersion = skipper.KindDelete, standing.Version, standing.Version
	case standing != nil && w.rng.IntN(6) == 0:
		op.Kind, op.SourceVersion, op.TargetVersion = skipper.KindScale, standing.Version, standing.Version
		two := 2
		op.Plan.Scale = []skipper.ScaleRequestItem{{Name: "a", Count: &two}, {Name: "c", Count: &two}}
	case standing != nil && w.rng.IntN(12) == 0:
		op.Kind, op.SourceVersion, op.TargetVersion = skipper.KindRenew, standing.Version, standing.Version
		for _, row := range w.rows {
			if row.Wanted {
				row.Due = w.now
			}
		}
	case standing != nil:
		op.Kind = []skipper.Kind{skipper.KindUpgrade, skipper.KindRollback}[w.rng.IntN(2)]
		w.upgrade(&op, *standing, &target, false)
	case deleted != nil && w.rng.IntN(3) == 0: // an upgrade of a deleted release deploys all of it
		op.Kind = skipper.KindUpgrade
		w.upgrade(&op, *deleted, &target, true)
	case deleted != nil && w.rng.IntN(2) == 0:
		op.Kind, op.SourceVersion, op.Plan.Install = skipper.KindRollback, deleted.Version, true
	default:
		op.Kind = skipper.KindInstall
	}
	if (op.Kind == skipper.KindInstall || op.Plan.Install) && w.rng.IntN(2) == 0 {
		op.Plan.HealthGate = true
	}
	if op.TargetVersion == target.Version {
		w.releases = append(w.releases, target)
	}
	state, err := machine.Start(context.Background(), op.Kind)
	if err != nil {
		w.problem("start %s: %v", op.Kind, err)
	}
	op.State = state
	op.Deadline = w.rollout.Deadline(op, state)
	w.op = op
	w.trace("%s %d -> %d %+v", op.Kind, op.SourceVersion, op.TargetVersion, op.Plan)
}

func (w *world) latest(status skipper.StatusCode) *skipper.Release {
	for _, r := range slices.Backward(w.releases) {
		if r.Info.Status.StatusCode == status {
			return &r
		}
	}
	return nil
}

// next is a new version with one to three applications. Its number is that of no version and of no deployment.
func (w *world) next() skipper.Release {
	number := 1
	for _, r := range w.releases {
		number = max(number, r.Version+1)
	}
	for _, d := range w.rows {
		number = max(number, d.ReleaseVersion+1)
	}
	apps := []string{"a", "b", "c"}[w.rng.IntN(3):]
	return skipper.Release{
		Name: release, Version: number, PlatformName: account, Manifest: &skipper.Manifest{Data: modelManifest(apps)},
		Info: skipper.Info{Status: skipper.Status{StatusCode: skipper.StatusUnknown}},
	}
}

func modelManifest(apps []string) string {
	var text strings.Builder
	for _, a := range apps {
		text.WriteString("---\napiVersion: skipper.spring.io/v1\nkind: SpringCloudDeployerApplication\nmetadata: {name: " + a +
			"}\nspec: {resource: \"file:///a\"}\n")
	}
	return text.String()
}

// upgrade plans which applications are replaced, carried over and dropped.
func (w *world) upgrade(op *skipper.Operation, source skipper.Release, target *skipper.Release, all bool) {
	op.SourceVersion = source.Version
	has := func(r skipper.Release, app string) bool { return strings.Contains(r.Manifest.Data, "{name: "+app+"}") }
	for _, app := range []string{"a", "b", "c"} {
		switch {
		case has(*target, app) && (all || !has(source, app) || w.rng.IntN(2) == 0):
			op.Plan.Apps = append(op.Plan.Apps, app)
		case has(source, app) && !has(*target, app) && !all:
			op.Plan.Drop = append(op.Plan.Drop, app)
		}
	}
}

// walk lets servers work on the operation until it has ended: they lease it, are killed, lose the store, come back.
func (w *world) walk(ctx context.Context) {
	for steps := 0; w.op.Running(); {
		if steps > mostSteps {
			w.problem("%s has not ended after %d steps: %s", w.op.Kind, steps, w.op.State)
		}
		w.cancel()
		if w.op.Due.After(w.now) {
			w.now = w.op.Due
		}
		if w.rng.Float64() < w.dice.jump { // no server is alive
			w.now = w.now.Add(time.Duration(w.rng.IntN(300)) * time.Second)
		}
		old := w.op
		w.op.Token++
		w.op.LeaseUntil = w.now.Add(leaseTime)
		steps += w.hold(ctx)
		if len(w.problems) > 0 {
			return
		}
		if old.Token > 0 && w.rng.IntN(4) == 0 {
			w.asleep(ctx, old)
		}
		w.sweep(ctx)
	}
}

// cancel asks to cancel, whatever the state: where it cannot be acted on, it must do no harm.
func (w *world) cancel() {
	if w.op.Running() && w.rng.Float64() < w.dice.cancel {
		w.trace("cancel in %s", w.op.State)
		w.op.Cancel, w.op.Due = true, w.now
	}
}

// hold is what one server does while it has the lease.
func (w *world) hold(parent context.Context) (steps int) {
	ctx, kill := context.WithCancel(parent)
	defer kill()
	w.kill, w.dead = kill, false
	defer func() { w.dead = false }()
	for w.op.Running() && len(w.problems) == 0 && steps < mostSteps {
		steps++
		before, at := w.op, w.now
		parked, err := w.engine.step(ctx, before)
		w.stepped(before, at, err)
		w.now = w.now.Add(time.Duration(w.rng.IntN(1000)) * time.Millisecond)
		switch {
		case errors.Is(err, skipper.ErrChanged):
		case err != nil:
			w.now = w.now.Add(leaseTime) // the lease has to run out
			return steps
		case parked:
			return steps
		}
		w.cancel()
	}
	return steps
}

// stepped checks that no state is kept after its deadline, unless the server could not write.
func (w *world) stepped(before skipper.Operation, at time.Time, err error) {
	if err != nil || at.Before(before.Deadline) || w.op.State != before.State || !w.op.Running() {
		w.late = 0
		return
	}
	w.late++
	if w.late > 2*len(w.rows)+2 { // what has to go is marked, then the rest; applications go one by one
		w.problem("%s is kept %s after its deadline", before.State, at.Sub(before.Deadline))
	}
}

// asleep is a server that had the lease before and does not know that it has it no more.
func (w *world) asleep(parent context.Context, old skipper.Operation) {
	ctx, kill := context.WithCancel(parent)
	defer kill()
	w.kill, w.dead, w.still = kill, false, true
	before, holds := w.op, w.holds()
	rows := len(w.rows)
	_, err := w.engine.step(ctx, old)
	w.dead, w.still = false, false
	w.seen["old token"]++
	if err == nil || w.op.State != before.State || w.op.Outcome != before.Outcome || w.holds() != holds || len(w.rows) != rows {
		w.problem("a server with an old token changed something in %s (%v)", old.State, err)
	}
}

// holds lists what is on the platform.
func (w *world) holds() string {
	var ids []string
	for id := range w.platform {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// settled checks the world after an operation: what runs is what the version that stands names, and what is to go.
func (w *world) settled(before *skipper.Release) {
	if len(w.problems) > 0 {
		return
	}
	op, now := w.op, w.standing()
	if op.Kind == skipper.KindDelete && op.Outcome == skipper.OutcomeCancelled {
		for _, a := range before.Apps { // what was gone is gone
			w.torn[a.ID] = true
		}
	}
	named := map[string]bool{}
	if now != nil {
		for _, a := range now.Apps {
			named[a.ID] = true
			if row := w.rows[a.ID]; row == nil && !w.torn[a.ID] || row != nil && !row.Wanted {
				w.problem("%s of version %d stands and is to go", a.ID, now.Version)
			}
			if w.platform[a.ID] == nil && !w.torn[a.ID] {
				w.problem("%s of version %d does not run", a.ID, now.Version)
			}
		}
		for _, app := range []string{"a", "b", "c"} {
			in := slices.ContainsFunc(now.Apps, func(a skipper.AppDeployment) bool { return a.App == app })
			if strings.Contains(now.Manifest.Data, "{name: "+app+"}") != in {
				w.problem("version %d stands with %v", now.Version, now.Apps)
			}
		}
	}
	for id := range w.platform {
		if row := w.rows[id]; !named[id] && (row == nil || row.Wanted) {
			w.problem("%s runs and belongs to nothing", id)
		}
	}
	for id, row := range w.rows {
		if row.Wanted && !named[id] {
			w.problem("%s is wanted and belongs to nothing", id)
		}
	}
	for _, r := range w.releases {
		if r.Info.Status.StatusCode == skipper.StatusUnknown {
			w.problem("version %d stays UNKNOWN", r.Version)
		}
	}
	if gated := op.Plan.HealthGate || op.Kind == skipper.KindUpgrade || op.Kind == skipper.KindRollback && !op.Plan.Install; gated &&
		op.Outcome == skipper.OutcomeSucceeded {
		for id, known := range w.platform {
			if known.sick && named[id] && known.owner.Version == op.TargetVersion {
				w.problem("%s succeeded, and %s was never healthy", op.Kind, id)
			}
		}
	}
	version := func(r *skipper.Release) int {
		if r == nil {
			return 0
		}
		return r.Version
	}
	want := version(before)
	switch {
	case op.Outcome == skipper.OutcomeSucceeded && op.Kind == skipper.KindDelete:
		want = 0
	case op.Kind == skipper.KindDelete && op.Outcome == skipper.OutcomeFailed: // given up: deleted, and open compensations
		want = 0
	case op.Outcome == skipper.OutcomeSucceeded && op.Kind != skipper.KindScale:
		want = op.TargetVersion
	case op.Outcome == skipper.OutcomeFailed && op.State == skipper.StateInitial && version(now) == op.TargetVersion &&
		(op.Kind == skipper.KindUpgrade || op.Kind == skipper.KindRollback): // the removal of the source was given up
		want = op.TargetVersion
	}
	if version(now) != want {
		w.problem("%s ended as %s and version %d stands, not %d", op.Kind, op.Outcome, version(now), want)
	}
	w.seen[string(op.Kind)+" "+string(op.Outcome)]++
}

// sweep works on open compensations as the engine does: on those that no operation works on.
func (w *world) sweep(ctx context.Context) {
	if w.op.Running() || w.rng.Float64() >= w.dice.sweep {
		return
	}
	w.compensate(ctx)
}

func (w *world) compensate(parent context.Context) {
	ctx, kill := context.WithCancel(parent)
	defer kill()
	w.kill, w.dead = kill, false
	for _, d := range w.only(func(d *skipper.Deployment) bool { return !d.Wanted && !d.Due.After(w.now) }) {
		w.engine.compensate(ctx, d)
	}
	w.dead = false
}

// drain is what becomes of it when nothing fails any more: what is to go, goes.
func (w *world) drain(ctx context.Context) {
	if len(w.problems) > 0 {
		return
	}
	w.well = true
	for range 5 { // what drains may end by itself
		w.now = w.now.Add(checkEvery)
		w.compensate(ctx)
	}
	for range 10 {
		w.now = w.now.Add(2 * time.Minute)
		w.compensate(ctx)
	}
	w.settled(w.standing())
	for id, row := range w.rows {
		if !row.Wanted {
			w.problem("%s is still to go: %s", id, row.LastError)
		}
	}
	w.seen["drained"]++
}
