package deployertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// FakeConfig says where a Fake keeps its platform. Everything but File is required.
type FakeConfig struct {
	Account      string
	Installation string
	File         string // the platform's state, shared by all Fakes on this file; empty: in memory
	Clock        func() time.Time
}

// Fake is a scripted deployer. The script of an application are its deployment or application properties:
//
//	fake.healthy-after=3s|never      deploying until then; default: healthy at once
//	fake.fail=true|<index>           instances fail, all or this one
//	fake.fail-after=3s               instances fail after this time
//	fake.reason=<text>               what failed instances give as their reason; default: "scripted to fail"
//	fake.exit-code=<n>               their exit code; default: none
//	fake.recovers=true               they have not failed for good
//	fake.log=<text>                  further lines of each instance's log
//	fake.gone-after=3s               Undeploy returns at once, and Status shows it for so long
//	fake.drain=30s                   when it is replaced it may go on for so long; default: not at all
//	fake.ends=<name>                 instances have ended by themselves once the gate of this name is open
//	fake.maintain-after=3s           Maintain wants to be called again so long after each call; default: never
//	fake.<verb>-error=<kind>         deploy, undeploy, scale, maintain, status or logs answer an error: invalid, exists,
//	                                 not-found, quota, denied, unsupported, unavailable, rate-limited, ambiguous; with
//	                                 -done behind it (ambiguous-done) the effect happened all the same
//	fake.<verb>-errors=<n>           only the first n calls do (kind: unavailable, unless said)
//	fake.block=<name>                Deploy stops at the gate of this name, after save and before the effect
//	fake.block-after=<name>          Deploy stops after the effect and before it returns
//	fake.undeploy-block=<name>       Undeploy stops before the effect
//	fake.maintain-block=<name>       Maintain stops after save
//
// A gate stays shut until Open; Reached waits until somebody stands before it. Both work from another process too,
// through a Fake on the same file.
type Fake struct {
	FakeConfig

	platform platform
	mu       sync.Mutex
	active   map[string]string // verb that runs, by deployment id
}

var (
	_ deployer.Deployer   = (*Fake)(nil)
	_ deployer.Maintainer = (*Fake)(nil)
	_ deployer.Drainer    = (*Fake)(nil)
	_ deployer.LogReader  = (*Fake)(nil)
)

// NewFake makes a fake; without a file its platform is new and empty.
func NewFake(c FakeConfig) *Fake {
	return &Fake{FakeConfig: c, platform: newPlatform(c.File), active: map[string]string{}}
}

// Type is fake.
func (f *Fake) Type() string { return "fake" }

// Describe names the account.
func (f *Fake) Describe() string { return "scripted platform [" + f.Account + "]" }

// Options are none.
func (f *Fake) Options() []skipper.Option { return []skipper.Option{} }

// ID is group.name.
func (f *Fake) ID(r deployer.Request) (string, error) {
	if r.Group == "" || r.Name == "" {
		return "", deployer.Errorf(deployer.ErrInvalid, "a deployment needs a group and a name")
	}
	return r.Group + "." + r.Name, nil
}

// Validate refuses what cannot be named or counted.
func (f *Fake) Validate(_ context.Context, r deployer.Request) error {
	if r.Count < 0 {
		return deployer.Errorf(deployer.ErrInvalid, "%s must not be negative", deployer.CountKey)
	}
	_, err := f.ID(r)
	return err
}

// Deploy puts the deployment on the platform, as its script says.
func (f *Fake) Deploy(ctx context.Context, r deployer.Request, _ *deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if err := f.Validate(ctx, r); err != nil {
		return deployer.Handle{}, err
	}
	id, err := f.ID(r)
	if err != nil {
		return deployer.Handle{}, err
	}
	h := deployer.Handle{ID: id, SpecHash: deployer.SpecHash(r)}
	script := scriptOf(r.Properties, r.Deployment)
	err = f.call(ctx, "deploy", id, script, func() error {
		there, err := f.look(h)
		if err != nil || there {
			h.Data = dataOf(f.Account)
			return err
		}
		h.Data = dataOf(f.Account)
		if err := save(h); err != nil {
			return err
		}
		if err := f.pass(ctx, script["block"]); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", id, err)
		}
		if err := f.create(r, h); err != nil {
			return err
		}
		return f.pass(ctx, script["block-after"])
	})
	return h, err
}

// look says whether the deployment is there already; ErrExists when another one has its id.
func (f *Fake) look(h deployer.Handle) (there bool, err error) {
	err = f.platform.change(func(s *state) error {
		known := s.Deployments[h.ID]
		there = known != nil
		if there && known.SpecHash != h.SpecHash {
			return deployer.Errorf(deployer.ErrExists, "%s is already deployed with another specification", h.ID)
		}
		return nil
	})
	return there, err
}

func (f *Fake) create(r deployer.Request, h deployer.Handle) error {
	return f.platform.change(func(s *state) error {
		s.Deployments[h.ID] = &FakeDeployment{
			Owner: r.Owner, SpecHash: h.SpecHash, Since: f.Clock(), Count: r.Count,
			Properties: maps.Clone(r.Properties), Deployment: maps.Clone(r.Deployment),
		}
		return nil
	})
}

func dataOf(account string) json.RawMessage {
	return json.RawMessage(`{"format":1,"account":` + strconv.Quote(account) + `}`)
}

// Undeploy takes the deployment off the platform.
func (f *Fake) Undeploy(ctx context.Context, _ deployer.Owner, h deployer.Handle) error {
	script, err := f.script(h.ID)
	if err != nil {
		return err
	}
	return f.call(ctx, "undeploy", h.ID, script, func() error {
		if err := f.pass(ctx, script["undeploy-block"]); err != nil {
			return err
		}
		return f.platform.change(func(s *state) error {
			after, known := duration(script["gone-after"]), s.Deployments[h.ID]
			if after == 0 || known == nil {
				delete(s.Deployments, h.ID)
			} else if known.Gone == nil {
				gone := f.Clock().Add(after)
				known.Gone = &gone
			}
			return nil
		})
	})
}

// Scale sets the count.
func (f *Fake) Scale(ctx context.Context, _ deployer.Request, h deployer.Handle, count int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	script, err := f.script(h.ID)
	if err != nil {
		return h, err
	}
	err = f.call(ctx, "scale", h.ID, script, func() error {
		if count < 0 {
			return deployer.Errorf(deployer.ErrInvalid, "%s must not be negative", deployer.CountKey)
		}
		if script == nil {
			return deployer.Errorf(deployer.ErrNotFound, "%s is not deployed", h.ID)
		}
		h.Data = dataOf(f.Account)
		if err := save(h); err != nil {
			return err
		}
		return f.platform.change(func(s *state) error {
			if known := s.Deployments[h.ID]; known != nil {
				known.Count = count
			}
			return nil
		})
	})
	return h, err
}

// Maintain counts as a call, and says when the next one is due.
func (f *Fake) Maintain(ctx context.Context, r deployer.Request, h deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, time.Time, error) {
	var due time.Time
	if after := duration(scriptOf(r.Properties, r.Deployment)["maintain-after"]); after > 0 {
		due = f.Clock().Add(after)
	}
	script, err := f.script(h.ID)
	if err != nil || script == nil {
		return h, time.Time{}, err
	}
	err = f.call(ctx, "maintain", h.ID, script, func() error {
		h.Data = dataOf(f.Account)
		if err := save(h); err != nil {
			return err
		}
		return f.pass(ctx, script["maintain-block"])
	})
	return h, due, err
}

// Drain is what the script says.
func (f *Fake) Drain(r deployer.Request) time.Duration {
	return duration(scriptOf(r.Properties, r.Deployment)["drain"])
}

// Status tells what the scripts make of the time that has passed.
func (f *Fake) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	if err := ctx.Err(); err != nil {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "look at %d deployments: %w", len(handles), err)
	}
	out := map[string]skipper.AppStatus{}
	err := f.platform.change(func(s *state) error {
		for _, h := range handles {
			known := s.Deployments[h.ID]
			if known != nil && known.Gone != nil && !f.Clock().Before(*known.Gone) {
				delete(s.Deployments, h.ID)
				known = nil
			}
			if known != nil {
				if _, err := s.scripted("status", h.ID, known.script()); err != nil {
					return err
				}
			}
			out[h.ID] = s.statusOf(h.ID, known, f.Clock())
		}
		return nil
	})
	return out, err
}

func (s *state) statusOf(id string, known *FakeDeployment, now time.Time) skipper.AppStatus {
	instances := map[string]skipper.AppInstanceStatus{}
	if known != nil {
		for index := range known.Count {
			guid := fmt.Sprintf("%s-%d", id, index)
			state := known.state(index, now.Sub(known.Since))
			if gate := known.script()["ends"]; gate != "" && s.Open[gate] {
				state = skipper.StateUndeployed
			}
			instances[guid] = skipper.AppInstanceStatus{ID: guid, State: state, Attributes: known.attributes(guid, state)}
		}
	}
	return skipper.AppStatus{DeploymentID: id, Instances: instances, State: skipper.Aggregate(instances)}
}

// Logs has a line of each instance, and those of the script.
func (f *Fake) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	statuses, err := f.Status(ctx, []deployer.Handle{h})
	if err != nil {
		return "", err
	}
	script, err := f.script(h.ID)
	if err != nil {
		return "", err
	}
	if err := f.platform.change(func(s *state) error {
		_, err := s.scripted("logs", h.ID, script)
		return err
	}); err != nil {
		return "", err
	}
	var out strings.Builder
	for _, id := range slices.Sorted(maps.Keys(statuses[h.ID].Instances)) {
		if text := end(logOf(id, script), limit); text != "" {
			out.WriteString("stdout:\n" + text)
		}
	}
	return out.String(), nil
}

// ReadLogs gives the lines that Logs has, each once; it looks anew every few milliseconds when it follows.
func (f *Fake) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions,
	emit func(deployer.LogLine) error,
) error {
	told := map[string]int{}
	for first := true; ; first = false {
		instances, script, err := f.logging(h)
		if err != nil {
			return err
		}
		if o.Instance != "" && first && len(instances) > 0 && !slices.Contains(instances, o.Instance) {
			return deployer.Errorf(deployer.ErrNotFound, "%s has no instance %s", h.ID, o.Instance)
		}
		for _, id := range instances {
			lines := strings.Split(strings.TrimSuffix(logOf(id, script), "\n"), "\n")
			if first && o.Tail != 0 {
				told[id] = max(len(lines)-max(o.Tail, 0), 0)
			}
			for ; told[id] < len(lines) && (o.Instance == "" || o.Instance == id); told[id]++ {
				if err := emit(deployer.LogLine{Instance: id, Stream: "stdout", Text: lines[told[id]]}); err != nil {
					return err
				}
			}
		}
		if !o.Follow || script == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
}

const followPause = 5 * time.Millisecond

// logging gives the instances of a deployment that is there, and its script; nil when it is not.
func (f *Fake) logging(h deployer.Handle) ([]string, map[string]string, error) {
	script, err := f.script(h.ID)
	if err != nil || script == nil {
		return nil, nil, err
	}
	statuses, err := f.Status(context.Background(), []deployer.Handle{h})
	return slices.Sorted(maps.Keys(statuses[h.ID].Instances)), script, err
}

func logOf(instance string, script map[string]string) string {
	text := instance + " started\n"
	if more := script["log"]; more != "" {
		text += strings.TrimSuffix(more, "\n") + "\n"
	}
	return text
}

// end is the last whole lines of a text, at most limit bytes of them.
func end(text string, limit int64) string {
	for int64(len(text)) > limit {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

// Discover lists the deployments of the account.
func (f *Fake) Discover(_ context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	if filter.Installation == "" {
		return nil, deployer.Errorf(deployer.ErrInvalid, "discover needs the installation")
	}
	found := []deployer.Found{}
	err := f.platform.change(func(s *state) error {
		for _, id := range slices.Sorted(maps.Keys(s.Deployments)) {
			if known := s.Deployments[id]; known.Owner.Account == f.Account && matches(filter, known.Owner) {
				found = append(found, deployer.Found{
					Owner: known.Owner, ID: id, SpecHash: known.SpecHash, Since: known.Since,
				})
			}
		}
		return nil
	})
	return found, err
}

func matches(filter, o deployer.Owner) bool {
	return filter.Installation == o.Installation &&
		(filter.Account == "" || filter.Account == o.Account) &&
		(filter.Release == "" || filter.Release == o.Release) &&
		(filter.Version == 0 || filter.Version == o.Version) &&
		(filter.App == "" || filter.App == o.App)
}

// Ping succeeds.
func (f *Fake) Ping(context.Context) error { return nil }

// Close does nothing.
func (f *Fake) Close(context.Context) error { return nil }

// call notes a changing call in the ledger, makes it unless the script has an error in its place, and notes its end.
func (f *Fake) call(ctx context.Context, verb, id string, script map[string]string, effect func() error) error {
	defer f.enter(verb, id)()
	at, done, scripted := 0, false, error(nil)
	if err := f.platform.change(func(s *state) error {
		done, scripted = s.scripted(verb, id, script)
		at = len(s.Calls)
		s.Calls = append(s.Calls, Call{Verb: verb, ID: id, At: f.Clock()})
		return nil
	}); err != nil {
		return err
	}
	var err error
	if ctx.Err() != nil {
		err = deployer.Errorf(deployer.ErrUnavailable, "%s %s: %w", verb, id, ctx.Err())
	} else if scripted == nil || done {
		err = effect()
	}
	if err == nil {
		err = scripted
	}
	return errors.Join(err, f.platform.change(func(s *state) error {
		s.Calls[at].Ended = true
		if err != nil {
			s.Calls[at].Error = err.Error()
		}
		return nil
	}))
}

// enter notes when two changing calls meet at one deployment, which the contract forbids to the caller.
func (f *Fake) enter(verb, id string) (leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other, busy := f.active[id]; busy {
		_ = f.platform.change(func(s *state) error {
			s.Violations = append(s.Violations, fmt.Sprintf("%s of %s while %s runs", verb, id, other))
			return nil
		})
	}
	f.active[id] = verb
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.active, id)
	}
}

// script is that of a deployment on the platform; nil when it is not there.
func (f *Fake) script(id string) (script map[string]string, err error) {
	err = f.platform.change(func(s *state) error {
		if known := s.Deployments[id]; known != nil {
			script = known.script()
		}
		return nil
	})
	return script, err
}

// Ledger is all that happened on the platform.
type Ledger struct {
	Deployments map[string]FakeDeployment // what is there, by deployment id
	Calls       []Call                    // Deploy, Undeploy, Scale and Maintain, in the order they began
	Violations  []string                  // what no caller may do
}

// Ledger gives a copy of what happened so far.
func (f *Fake) Ledger() (Ledger, error) {
	var l Ledger
	err := f.platform.change(func(s *state) error {
		l = Ledger{
			Deployments: map[string]FakeDeployment{}, Calls: slices.Clone(s.Calls), Violations: slices.Clone(s.Violations),
		}
		for id, known := range s.Deployments {
			l.Deployments[id] = *known
		}
		return nil
	})
	return l, err
}
