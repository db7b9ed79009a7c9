package local

import (
	"os/exec"
	"strconv"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// run is one live process of an instance as this server sees it: its child, or one that an earlier server started.
type run struct {
	id       string // of the deployment
	instance instance
	rec      *record       // its settings
	cmd      *exec.Cmd     // nil when it is not our child
	watched  *watched      // nil where the kernel cannot
	done     chan struct{} // closed when it has ended; then exit is set
	exit     *exit

	// What the probes saw; guarded by Deployer.mu.
	sight
}

// sight is what probes saw of a run so far.
type sight struct {
	looked   bool // at least once
	probing  bool
	next     time.Time // of the next look
	pause    time.Duration
	state    skipper.DeploymentState
	url      string
	reason   string
	started  bool // the startup probe has passed
	healthy  bool // was deployed once
	failures int  // in a row
}

// attend begins to watch a process, which this server has started when cmd is given.
func (d *Deployer) attend(id string, rec *record, i instance, cmd *exec.Cmd) *run {
	r := &run{id: id, instance: i, rec: rec, cmd: cmd, done: make(chan struct{})}
	r.state, r.pause, r.next = skipper.StateDeploying, firstLook, d.Clock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.runs[i.key()]; known != nil || d.closed {
		return known
	}
	w, err := watch(i.PID)
	if err == nil && cmd == nil { // between looking and holding, the number may have passed to another process
		if p, ok := live(i.PID); !ok || p.start != i.Start {
			w.close()
			return nil
		}
	}
	if err == nil {
		r.watched = w
	}
	d.runs[i.key()] = r
	d.watchers.Go(func() { d.await(r) })
	d.poke()
	return r
}

// await waits for the end of a run and notes how it ended.
func (d *Deployer) await(r *run) {
	switch {
	case r.watched != nil:
		if !r.watched.wait() {
			return // the server closes
		}
	default:
		for p, ok := live(r.instance.PID); ok && p.start == r.instance.Start; p, ok = live(r.instance.PID) {
			select {
			case <-d.stopping:
				return
			case <-time.After(steadyTick):
			}
		}
	}
	e := r.ended()
	e.At = d.Clock().UnixMilli()
	if r.watched != nil {
		r.watched.close()
	}
	d.mu.Lock()
	r.exit = e
	close(r.done)
	d.mu.Unlock()
	d.poke()
}

// ended tells how a run ended. Its parent learns that, others where the kernel tells them.
func (r *run) ended() *exit {
	if r.cmd == nil {
		if r.watched == nil {
			return &exit{Reason: notKnown}
		}
		for range 10 { // whoever reaps it may need a moment
			if e := r.watched.status(r.instance.PID); e != nil {
				return e
			}
			<-time.After(time.Millisecond)
		}
		return &exit{Reason: notKnown}
	}
	err := r.cmd.Wait()
	switch state := r.cmd.ProcessState; {
	case state == nil: // it could not be waited for
		return &exit{Reason: err.Error()}
	case state.Exited():
		code := state.ExitCode()
		return &exit{Code: &code, Reason: "exited with code " + strconv.Itoa(code)}
	default: // "signal: killed", with or without a core dump
		return &exit{Reason: "ended by " + state.String()}
	}
}

const notKnown = "ended; how is not known, because an earlier server started it"

// over says whether the run has ended, and how.
func (r *run) over() (*exit, bool) {
	select {
	case <-r.done:
		return r.exit, true
	default:
		return nil, false
	}
}

func (d *Deployer) run(i instance) *run {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runs[i.key()]
}

// settle brings an instance up to date with its process: how it ended, if it has. The run of a live process is given.
func (d *Deployer) settle(id string, rec *record, i *instance) *run {
	if i.PID == 0 || i.Exit != nil {
		return nil
	}
	r := d.run(*i)
	if r == nil {
		r = d.take(id, rec, *i)
	}
	if r == nil {
		i.Exit = d.lost(*i)
		return nil
	}
	if e, over := r.over(); over {
		i.Exit = e
		return nil
	}
	return r
}

// take takes over a process that another server started; nil when the very process is gone: a later one with the same
// id began at another time.
func (d *Deployer) take(id string, rec *record, i instance) *run {
	if i.Boot != d.boot {
		return nil
	}
	p, ok := live(i.PID)
	if !ok || p.start != i.Start || (p.mark.nonce != "" && p.mark.nonce != i.key()) {
		return nil
	}
	return d.attend(id, rec, i, nil)
}

// lost is the end of a process that ended while no server watched it.
func (d *Deployer) lost(i instance) *exit {
	if i.Boot == d.boot {
		if e := zombie(i.PID); e != nil {
			return e
		}
		return &exit{Lost: true, Reason: "lost: it ended while no server watched it; how is not known"}
	}
	return &exit{Lost: true, Reason: "lost: it ended with the machine, or with the container, it ran in"}
}

// tell puts how a run ended into attributes.
func (e *exit) tell(attributes map[string]string) {
	attributes[deployer.AttributeReason] = e.Reason
	if e.Code != nil {
		attributes[deployer.AttributeExitCode] = strconv.Itoa(*e.Code)
	}
	if e.At > 0 {
		attributes["ended.at"] = moment(e.At)
	}
}

// moment writes milliseconds since 1970 for people.
func moment(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.RFC3339) }
