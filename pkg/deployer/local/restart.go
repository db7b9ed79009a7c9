package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	longestDelay = time.Minute     // between two runs
	soon         = time.Minute     // a run that lasted less counts towards a crash loop
	loopAt       = 3               // so many of them in a row are one
	remnantGrace = 2 * time.Second // what a dead instance left behind has so long to end
)

// mend notes how instances of a deployment have ended, and starts again those that are to be. It leaves a deployment
// alone that somebody changes.
func (d *Deployer) mend(k *known) {
	if !d.broken(k) {
		return
	}
	select {
	case k.busy <- struct{}{}:
	default:
		return
	}
	d.watchers.Go(func() {
		defer d.free(k)
		if err := d.repair(d.life, k); err != nil && d.life.Err() == nil {
			d.Logger.Warn("instances cannot be looked after", "deployment", k.id, "error", err)
		}
	})
}

// broken says whether anything of a deployment waits to be noted or started. It asks nobody but memory.
func (d *Deployer) broken(k *known) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k.rec == nil {
		return false
	}
	now := d.Clock().UnixMilli()
	if k.blocked > now {
		return false
	}
	for _, i := range k.rec.Instances {
		switch r := d.runs[i.key()]; {
		case i.Due > 0 && i.Due <= now && !k.rec.stopped(i.Index), i.idle() && i.Run > 0 && !k.rec.stopped(i.Index):
			return true
		case i.PID > 0 && i.Exit == nil && r == nil:
			return true
		case i.PID > 0 && i.Exit == nil:
			if _, over := r.over(); over {
				return true
			}
		}
	}
	return false
}

// repair works on the record as it is on the disk now.
func (d *Deployer) repair(ctx context.Context, k *known) error {
	rec, err := d.read(k.id)
	if err != nil || rec == nil || rec.Host != d.host {
		d.mu.Lock()
		k.rec = nil // undeployed, or not to be read: whoever asks next finds out
		d.mu.Unlock()
		return err
	}
	if err := d.adopt(k.id, rec, sync.OnceValues(processes)); err != nil {
		return err
	}
	for n := range rec.Instances {
		if err := d.repairOne(ctx, k, rec, &rec.Instances[n]); err != nil {
			d.mu.Lock()
			k.blocked = d.Clock().Add(steadyTick).UnixMilli()
			d.mu.Unlock()
			return err
		}
	}
	if info := stampOf(d.file(k.id)).info; info != nil && info.Size() > int64(noteLimit+noteSize*len(rec.Instances)) {
		if err := d.note(rec); err != nil { // without all that was noted on the way
			return err
		}
	}
	_, err = d.view(deployer.Handle{ID: k.id}, sync.OnceValues(processes))
	return err
}

// A record's file is written anew when it has grown beyond this.
const (
	noteLimit = 64 << 10
	noteSize  = 1 << 10 // for each instance
)

func (d *Deployer) repairOne(ctx context.Context, k *known, rec *record, i *instance) error {
	if i.idle() && i.Run > 0 { // a server was killed before it started it
		if rec.stopped(i.Index) || ctx.Err() != nil {
			return nil //nolint:nilerr // it is not to run, or the server ends: the next one goes on
		}
		return d.startAgain(ctx, k, rec, i)
	}
	unnoted := i.PID > 0 && i.Exit == nil
	d.settle(k.id, rec, i)
	if unnoted && i.Exit != nil {
		d.schedule(rec, i)
		if i.Due == 0 && !rec.stopped(i.Index) && d.robbed(ctx, k, *i) {
			i.Due = d.Clock().UnixMilli()
		}
		if err := d.noteStart(k.id, *i); err != nil {
			return err
		}
		d.Logger.WarnContext(ctx, "instance ended", "deployment", k.id, "index", i.Index, "reason", i.Exit.Reason,
			"restart", i.Due > 0)
	}
	if i.Due == 0 || i.Due > d.Clock().UnixMilli() || rec.stopped(i.Index) || ctx.Err() != nil {
		return nil //nolint:nilerr // the server ends: the next one goes on
	}
	return d.again(ctx, k, rec, i)
}

// robbed says that an instance failed soon after its first start while somebody else had the port that was chosen for
// it: it starts once more, on another one, whatever the policy.
func (d *Deployer) robbed(ctx context.Context, k *known, i instance) bool {
	d.mu.Lock()
	request := k.request
	d.mu.Unlock()
	failed := i.Exit.Code != nil && *i.Exit.Code != 0
	if request == nil || i.Run > 0 || !failed || i.Port < 1 || time.Duration(i.Exit.At-i.Started)*time.Millisecond > soon {
		return false
	}
	if _, fixed, err := deployer.FixedPort(request.Properties); fixed || err != nil || free(ctx, i.Port) {
		return false
	}
	all, err := processes()
	return err == nil && !slices.ContainsFunc(all, func(p process) bool { // who listens is none of its own
		return d.ours(p.mark, k.id) && p.mark.index == i.Index
	})
}

func (r *record) stopped(index int) bool { return r.Stop != nil && index >= *r.Stop }

// schedule decides whether an instance that has ended starts again, and when.
func (d *Deployer) schedule(rec *record, i *instance) {
	if rec.stopped(i.Index) || !rec.restarts(*i) {
		return
	}
	now := d.Clock()
	if i.Failed != "" || i.Exit.At == 0 || time.Duration(i.Exit.At-i.Started)*time.Millisecond < soon {
		i.Quick++
	} else {
		i.Quick = 0
	}
	if i.Exit != nil && i.Exit.Lost {
		i.Quick = 0 // the machine or the server ended, not the application
	}
	delay := time.Duration(rec.RestartDelay) * time.Second
	for n := 1; n < i.Quick && delay < longestDelay; n++ {
		delay *= 2
	}
	i.Due = now.Add(min(delay, longestDelay)).UnixMilli()
}

// restarts says whether the policy starts the instance again.
func (r *record) restarts(i instance) bool {
	failed := i.Failed != "" || i.Exit.Code == nil || *i.Exit.Code != 0
	if i.Exit != nil && (i.Exit.Lost || i.Exit.Stop) {
		switch r.OnLost {
		case LostReport:
			return false
		case LostRestart:
			return true
		}
		failed = true
	}
	return r.RestartPolicy == RestartAlways || (r.RestartPolicy == RestartOnFailure && failed)
}

// mayRestart says that an instance may be started again some day, so that it must be known how.
func (r *record) mayRestart() bool {
	return (r.RestartPolicy != "" && r.RestartPolicy != RestartNever) || r.OnLost == LostRestart
}

// again starts a new run of an instance. That it is wanted is noted before it starts, and how it went after: a server
// that was killed in between finds the process by its mark, or starts it.
func (d *Deployer) again(ctx context.Context, k *known, rec *record, i *instance) error {
	if err := d.clear(ctx, k.id, *i); err != nil {
		return err
	}
	last := i.Exit
	if last == nil {
		last = &exit{Reason: i.Failed, At: d.Clock().UnixMilli()}
	}
	d.drop(*i)
	*i = instance{Index: i.Index, Nonce: i.Nonce, Run: i.Run + 1, Port: i.Port, Last: last, Quick: i.Quick}
	return d.startAgain(ctx, k, rec, i)
}

// startAgain starts an instance that is wanted.
func (d *Deployer) startAgain(ctx context.Context, k *known, rec *record, i *instance) error {
	var p plan
	r, err := d.howStarted(k)
	if err == nil {
		p, err = d.plan(ctx, k.id, r)
	}
	if err == nil {
		err = d.givePorts(ctx, p, rec, []*instance{i})
	}
	if p.id = k.id; err != nil { // it counts as a run that failed, and is tried again
		p.failed = err.Error()
	}
	if err := d.noteStart(k.id, *i); err != nil {
		return err
	}
	d.start(p, rec, i)
	if err := d.noteStart(k.id, *i); err != nil {
		return err
	}
	if i.Failed == "" {
		d.Logger.InfoContext(ctx, "instance started", "deployment", k.id, "index", i.Index, "pid", i.PID, "port", i.Port,
			"run", i.Run)
	}
	return nil
}

// clear ends what processes of a dead run are left: they may hold its port.
func (d *Deployer) clear(ctx context.Context, id string, i instance) error {
	deadline := d.Clock().Add(remnantGrace)
	for ctx.Err() == nil {
		all, err := processes()
		if err != nil {
			return err
		}
		sessions := sessionsOf(all, d.boot, []instance{i})
		left := slices.DeleteFunc(all, func(p process) bool {
			return !sessions[p.session] && !(d.ours(p.mark, id) && p.mark.index == i.Index)
		})
		if len(left) == 0 {
			return nil
		}
		force := !d.Clock().Before(deadline)
		signal(left, force)
		if err := d.awaitEnd(ctx, left, deadline, force); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// launch is how a deployment was started, kept in a file beside its record, for its owner alone: it holds the properties
// of the application. It is there only where instances may be started again, and goes with the deployment.
type launch struct {
	Format  int              `json:"format"`
	Request deployer.Request `json:"request"`
}

func (d *Deployer) launchFile(id string) string {
	return strings.TrimSuffix(d.file(id), ".json") + ".launch"
}

// keepLaunch remembers how a deployment is started.
func (d *Deployer) keepLaunch(rec *record, id string, r deployer.Request) error {
	k := d.known(id)
	d.mu.Lock()
	k.request = &r
	d.mu.Unlock()
	if !rec.mayRestart() {
		return nil
	}
	text, err := json.Marshal(launch{Format: recordFormat, Request: r})
	if err == nil {
		err = writeFile(d.launchFile(id), text)
	}
	if err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "note how %s is started: %w", id, err)
	}
	return nil
}

func (d *Deployer) howStarted(k *known) (deployer.Request, error) {
	d.mu.Lock()
	kept := k.request
	d.mu.Unlock()
	if kept != nil {
		return *kept, nil
	}
	var l launch
	text, err := os.ReadFile(d.launchFile(k.id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l.Request, fmt.Errorf("how it was started is not known here; upgrade or roll back its release")
	case err == nil:
		err = json.Unmarshal(text, &l)
	}
	if err == nil && l.Format != recordFormat {
		err = fmt.Errorf("format %d is not known", l.Format)
	}
	return l.Request, err
}

// stopWithServer stops the applications that are to end with the server, and notes that this is why.
func (d *Deployer) stopWithServer(ctx context.Context) error {
	var group sync.WaitGroup
	failures := make(chan error, len(d.deployments()))
	for _, k := range d.deployments() {
		group.Go(func() {
			if err := d.stopOne(ctx, k); err != nil {
				failures <- err
			}
		})
	}
	group.Wait()
	close(failures)
	var all error
	for err := range failures {
		all = errors.Join(all, err)
	}
	return all
}

func (d *Deployer) stopOne(ctx context.Context, k *known) error {
	rec, err := d.read(k.id)
	if err != nil || rec == nil || rec.OnServerExit != ExitStop || rec.Host != d.host || !d.inCharge() {
		return err
	}
	release, err := d.hold(ctx, k.id)
	if err != nil {
		return err
	}
	defer release()
	var alive []*instance
	for n := range rec.Instances {
		if d.settle(k.id, rec, &rec.Instances[n]) != nil {
			alive = append(alive, &rec.Instances[n])
		}
	}
	grace := rec.grace()
	if until, bounded := ctx.Deadline(); bounded {
		grace = max(min(grace, time.Until(until)-time.Second), 0)
	}
	if err := d.stop(ctx, k.id, 0, rec.Instances, grace); err != nil {
		return err
	}
	for _, i := range alive {
		i.Exit = &exit{Reason: "stopped together with the server", At: d.Clock().UnixMilli(), Stop: true}
		if rec.restarts(*i) {
			i.Due = i.Exit.At
		}
		if err := d.noteStart(k.id, *i); err != nil {
			return err
		}
	}
	return nil
}
