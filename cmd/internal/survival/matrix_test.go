package survival

import (
	"cmp"
	cryptorand "crypto/rand"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	runsVariable  = "KILL_RUNS"  // how often each failpoint is tried; not set: a few of each command on the fake, once
	tableVariable = "KILL_TABLE" // the file that the table is written to
	smoke         = 2            // failpoints of a command that are tried without KILL_RUNS
)

// site is a failpoint at its n-th time.
type site struct {
	name  string
	n     int
	about string
}

func (s site) String() string { return s.name + "#" + strconv.Itoa(s.n) }

func (s site) kill() string { return "kill:" + s.String() }

func (s site) reason() string {
	if s.about == "" {
		return ""
	}
	return " (" + s.about + ")"
}

// result is what came of one kill.
type result struct {
	platform, kind      string
	name                string // of the failpoint
	point               string // as it is shown
	killed              bool
	stuck, lost, leaked string // what is wrong; empty: nothing
	takenOn, over       time.Duration
}

// results gathers the results of tests that run at the same time.
type results struct {
	mu  sync.Mutex
	all []result
}

func (r *results) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// TestKillMatrix kills a server at every failpoint of every command, starts it again, and holds it to the promise.
func TestKillMatrix(t *testing.T) {
	t.Parallel()
	runs, err := strconv.Atoi(cmp.Or(os.Getenv(runsVariable), "0"))
	require.NoError(t, err)
	found := &results{}
	began := time.Now()
	t.Run("on", func(t *testing.T) {
		t.Parallel()
		for _, where := range []string{"fake", "local"} {
			for _, k := range kinds() {
				if (k.on == "" || k.on == where) && (runs > 0 || where == "fake" || k.dies != "") {
					t.Run(where+"/"+k.name, func(t *testing.T) {
						t.Parallel()
						m := &matrix{kind: k, where: where, found: found}
						m.run(t, runs)
					})
				}
			}
		}
	})
	t.Cleanup(func() {
		text := found.table(time.Since(began))
		if file := os.Getenv(tableVariable); file != "" {
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		}
		summary, _, _ := strings.Cut(text, "\n\n")
		t.Log(summary)
		if runs > 0 && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
			require.Empty(t, found.missing(t), "failpoints that no command passes")
		}
	})
}

// missing names the writes of the store, and the calls of a platform, at which no server was killed.
func (r *results) missing(t *testing.T) []string {
	t.Helper()
	known := map[string]bool{}
	for _, verb := range []string{"Deploy", "Undeploy", "Scale", "Status", "Logs", "Discover"} {
		known["platform."+verb+".before"], known["platform."+verb+".after"] = true, true
	}
	source, err := os.ReadFile(filepath.Join("..", "app", "faults_store.go"))
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(`hit\("([^"]+)"`).FindAllSubmatch(source, -1) {
		known[string(found[1])] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		delete(known, one.name)
	}
	maps.DeleteFunc(known, func(name string, _ bool) bool { return notPassed[strings.Split(name, ".")[1]] })
	return slices.Sorted(maps.Keys(known))
}

// notPassed are writes that belong to no command of the matrix.
var notPassed = map[string]bool{
	"AcceptRenewal":  true, // of platforms that look after applications: server/operation kills there
	"DeferQueued":    true, // the claim of a plan that takes long
	"Renew":          true, // a step that takes as long as a third of a lease; what is left is as at any other place
	"SetPackageFile": true, // the cache of a package that is fetched
	"Yield":          true, // SIGTERM, not SIGKILL
}

// matrix is one kind of command on one platform.
type matrix struct {
	kind  kind
	where string
	found *results

	base string // a folder with what all runs of the kind begin with
}

func (m *matrix) run(t *testing.T, runs int) {
	t.Helper()
	m.prepare(t)
	m.each(t, m.sites(t, ""), runs, "", func(t *testing.T, s site) {
		t.Helper()
		m.killAt(t, s.String()+s.reason(), s)
	})
	if m.kind.dies != "" && runs > 0 {
		m.each(t, m.sites(t, m.kind.dies), runs, "recovering/", func(t *testing.T, s site) {
			t.Helper()
			first := site{name: m.kind.dies, n: 1}
			m.killAt(t, first.String()+", then "+s.String()+s.reason(), first, s)
		})
	}
}

// each tries failpoints: all of them, as often as was asked for, or a few of them once; and some of them twice in a row,
// drawn from a seed: the server that recovers is killed as well.
func (m *matrix) each(t *testing.T, sites []site, runs int, prefix string, try func(*testing.T, site)) {
	t.Helper()
	require.NotEmpty(t, sites)
	step := 1
	if runs == 0 {
		runs, step, prefix = 1, max(1, len(sites)/smoke), "a few/"
	}
	for i := step / 2; i < len(sites); i += step {
		for n := range runs {
			t.Run(fmt.Sprintf("%s%s/%d", prefix, sites[i], n), func(t *testing.T) {
				t.Parallel()
				try(t, sites[i])
			})
		}
	}
	if prefix != "" {
		return
	}
	dice := rand.New(rand.NewPCG(uint64(len(sites)), uint64(len(m.kind.name))))
	for n := range max(1, len(sites)*runs/step/10) {
		first, second := sites[dice.IntN(len(sites))], sites[dice.IntN(len(sites))]
		second.n = 1 + dice.IntN(2)
		t.Run(fmt.Sprintf("twice/%s and %s/%d", first, second, n), func(t *testing.T) {
			t.Parallel()
			m.killAt(t, "killed twice, at places drawn", first, second)
		})
	}
}

// prepare makes the data that runs begin with: the packages and, where the platform can be copied with it, the release.
func (m *matrix) prepare(t *testing.T) {
	t.Helper()
	m.base = t.TempDir()
	p, data := m.platform(t, m.base), filepath.Join(m.base, "data")
	s := serve(t, data, m.settings(p.faults))
	u := newUser(t, s, p, theRelease)
	u.prepared(t, nil)
	if m.where == "fake" {
		u.begins(t, m.kind.before)
	}
	s.end()
	if m.kind.setting != nil {
		m.kind.setting(t, p, data)
	}
}

func (m *matrix) platform(t *testing.T, dir string) *platform {
	t.Helper()
	if m.where == "fake" {
		return fakePlatform(t, dir)
	}
	return localPlatform(t, dir)
}

func (m *matrix) settings(instructions string) settings {
	return quick(m.kind.more).with(faults, instructions)
}

// ready gives a server that waits for the command; what goes wrong in it counts from now on.
func (m *matrix) ready(t *testing.T, instructions string) (dir string, p *platform, s *server) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(m.base)))
	p = m.platform(t, dir)
	if m.where == "local" { // or it would find the processes of another run by its mark
		query(t, filepath.Join(dir, "data"), "UPDATE installation SET id = ?", cryptorand.Text())
	}
	arm := filepath.Join(dir, "arm")
	s = serve(t, filepath.Join(dir, "data"), m.settings(p.faults+";arm:"+arm+";"+instructions))
	if m.where == "local" {
		newUser(t, s, p, theRelease).begins(t, m.kind.before)
	}
	require.NoError(t, os.WriteFile(arm, nil, 0o600))
	return dir, p, s
}

// sites runs the command and gives the failpoints it passes; or, when the server dies at one, those that the next server
// passes from its start.
func (m *matrix) sites(t *testing.T, dies string) []site {
	t.Helper()
	instructions := "trace:" + filepath.Join(t.TempDir(), "trace")
	trace := strings.TrimPrefix(instructions, "trace:")
	if dies != "" {
		instructions = site{name: dies, n: 1}.kill()
	}
	dir, p, s := m.ready(t, instructions)
	u, began := newUser(t, s, p, theRelease), time.Time{}
	m.kind.do(u)
	if dies == "" {
		require.NoError(t, u.err, "the command alone")
	} else {
		<-s.died
		s = serve(t, filepath.Join(dir, "data"), m.settings(p.faults+";trace:"+trace))
		began = s.began
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "arm")))
	m.judge(t, s, p, u.acked, began).require(t)
	m.clean(t, s, p)
	s.kill()
	return passed(t, trace)
}

// passed reads the failpoints of a trace.
func passed(t *testing.T, trace string) []site {
	t.Helper()
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	counts, out := map[string]int{}, []site{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		about, _, _ := strings.Cut(rest, "\t")
		counts[name]++
		if counts[name] <= most(name) {
			out = append(out, site{name, counts[name], about})
		}
	}
	return out
}

// most is how often a failpoint is passed that counts: what is done again and again is the same each time.
func most(name string) int {
	switch {
	case strings.HasPrefix(name, "store.Renew"), strings.HasPrefix(name, "store.SetPlatformStatus"):
		return 1
	case strings.HasPrefix(name, "store.Lease"), strings.HasPrefix(name, "store.Claim"):
		return 3
	case strings.HasPrefix(name, "platform.Status"):
		return 4
	}
	return 1000
}

// killAt runs the command with a server that dies at a failpoint, and with another one that may die when it recovers.
func (m *matrix) killAt(t *testing.T, point string, at site, again ...site) {
	t.Helper()
	dir, p, s := m.ready(t, at.kill())
	data := filepath.Join(dir, "data")
	u := newUser(t, s, p, theRelease)
	m.kind.do(u)
	r := result{platform: m.where, kind: m.kind.name, name: at.name, point: point}
	r.killed = wait(2*time.Second, func() bool { return !s.alive() }) // what comes after the answer
	s.kill()
	for _, next := range again {
		r.name = next.name
		s = start(t, data, m.settings(p.faults+";"+next.kill()))
		if s.url != "" {
			r.killed = wait(3*time.Second, func() bool { return !s.alive() })
		}
		s.kill()
	}
	trace := filepath.Join(dir, "recovery")
	s = serve(t, data, m.settings(p.faults+";trace:"+trace))
	if m.kind.again != nil {
		next := newUser(t, s, p, theRelease)
		next.acked = u.acked
		m.kind.again(next)
		require.NoError(t, next.err, "sent again")
	}
	v := m.judge(t, s, p, u.acked, s.began)
	r.stuck, r.lost, r.leaked, r.over = v.stuck, v.lost, v.leaked, v.over
	r.takenOn = takenOn(t, trace, s.began)
	m.found.add(r) // also, and above all, when it is wrong
	if t.Failed() || v.bad() {
		t.Logf("acknowledged: %v, log: %s", u.acked, s.log)
	}
	v.require(t)
	m.clean(t, s, p)
	s.kill()
	require.LessOrEqual(t, r.takenOn, 10*time.Second, "recovery begins late")
}

func (p *server) alive() bool {
	select {
	case <-p.died:
		return false
	default:
		return true
	}
}

// clean deletes a release of processes, so that none is left.
func (m *matrix) clean(t *testing.T, s *server, p *platform) {
	t.Helper()
	if m.where == "local" {
		_, _, _ = s.client().Delete(within(t, patience), theRelease, false)
		require.Empty(t, p.running(t))
	}
}

// takenOn is the time from the start of a server to its first lease of an operation; 0 when there was none to take on.
func takenOn(t *testing.T, trace string, began time.Time) time.Duration {
	t.Helper()
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); fields[0] == "store.Lease.after" {
			micros, err := strconv.ParseInt(fields[2], 10, 64)
			require.NoError(t, err)
			return time.UnixMicro(micros).Sub(began)
		}
	}
	return 0
}

// verdict is what is wrong; empty texts: nothing.
type verdict struct {
	stuck, lost, leaked string
	over                time.Duration // from the restart to the end of what was under way
}

func (v verdict) bad() bool { return v.stuck+v.lost+v.leaked != "" }

func (v verdict) require(t *testing.T) {
	t.Helper()
	require.Empty(t, v.stuck, "stuck")
	require.Empty(t, v.lost, "lost")
	require.Empty(t, v.leaked, "leaked")
}

// judge waits until all is over and holds what it finds to the promise.
func (m *matrix) judge(t *testing.T, s *server, p *platform, acked map[string]bool, began time.Time) (v verdict) {
	t.Helper()
	u := newUser(t, s, p, theRelease)
	var now seen
	if !wait(patience, func() bool {
		ops, err := u.c.Operations(u.ctx, u.release)
		now.ops = ops
		return err == nil && !slices.ContainsFunc(ops, func(op skipper.Operation) bool { return !ended(op) })
	}) {
		v.stuck = fmt.Sprintf("%+v", now.ops)
		return v
	}
	for _, op := range now.ops {
		if op.Ended != nil && !began.IsZero() {
			v.over = max(v.over, op.Ended.Sub(began))
		}
	}
	// Renewals come as time passes, whatever the command.
	now.ops = slices.DeleteFunc(now.ops, func(op skipper.Operation) bool { return op.Kind == skipper.KindRenew })
	var named map[string]bool
	// What is left is removed by and by: all that runs must be named, and all that is named must run.
	same := wait(patience, func() bool {
		named = u.named(t, &now)
		now.running = p.running(t)
		return equalKeys(named, now.running)
	})
	if !same {
		for id := range now.running {
			if !named[id] {
				v.leaked += id + " "
			}
		}
		for id := range named {
			if now.running[id] == 0 {
				v.lost += id + " "
			}
		}
	}
	packages, err := u.c.Packages(u.ctx)
	require.NoError(t, err)
	now.packages = map[string]bool{}
	for _, x := range packages {
		now.packages[x.Name+" "+x.Version] = true
	}
	if !m.kind.kept(acked, now) {
		v.lost += fmt.Sprintf("acknowledged %v, found %+v", acked, now)
	}
	return v
}

// named gives the deployments that the newest unfailed version of the release names, and the status of all versions.
func (u *user) named(t *testing.T, s *seen) map[string]bool {
	t.Helper()
	history, err := u.c.History(u.ctx, u.release)
	if skipper.CodeOf(err) == skipper.CodeReleaseNotFound || skipper.CodeOf(err) == skipper.CodeNotFound {
		history, err = nil, nil
	}
	require.NoError(t, err)
	s.status = map[int]skipper.StatusCode{}
	newest := 0
	for _, rel := range history {
		s.status[rel.Version] = rel.Info.Status.StatusCode
		if rel.Info.Status.StatusCode != skipper.StatusFailed {
			newest = max(newest, rel.Version)
		}
	}
	out := map[string]bool{}
	if s.status[newest] == skipper.StatusDeleted || newest == 0 {
		return out
	}
	info, err := u.c.Status(u.ctx, u.release, newest)
	require.NoError(t, err)
	for _, app := range info.Status.AppStatuses() {
		out[app.DeploymentID] = true
	}
	return out
}

func equalKeys(named map[string]bool, running map[string]int) bool {
	for id := range running {
		if !named[id] {
			return false
		}
	}
	return len(named) == len(running)
}
