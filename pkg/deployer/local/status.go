package local

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const probesAtOnce = 32

// observed is an instance and what is known of it now.
type observed struct {
	instance

	alive  bool
	state  skipper.DeploymentState
	url    string
	reason string
}

// Status tells what is known of the instances of all handles. Their ends are noted as they happen and their probes run
// beside, so that nothing is asked here but of processes that nobody has looked at yet.
//
// In the reference each status call probes, one instance after another and without a limit of time; an instance that
// stops listening goes back to deploying there, and fails here.
func (d *Deployer) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	d.begin()
	table := sync.OnceValues(processes)
	statuses := make([]skipper.AppStatus, len(handles))
	var group sync.WaitGroup
	for n, h := range handles {
		if len(handles) == 1 {
			statuses[n] = d.status(ctx, h, table)
			continue
		}
		group.Go(func() { statuses[n] = d.status(ctx, h, table) })
	}
	group.Wait()
	if err := ctx.Err(); err != nil { // probes that were cut short say nothing
		return nil, deployer.Errorf(deployer.ErrUnavailable, "look at %d deployments: %w", len(handles), err)
	}
	out := make(map[string]skipper.AppStatus, len(handles))
	for _, s := range statuses {
		out[s.DeploymentID] = s
	}
	return out, nil
}

// status of one deployment is error, for it alone, when only another machine can tell or its record is not readable.
func (d *Deployer) status(ctx context.Context, h deployer.Handle, table func() ([]process, error)) skipper.AppStatus {
	status := skipper.AppStatus{
		DeploymentID: h.ID, Instances: map[string]skipper.AppInstanceStatus{}, State: skipper.StateUnknown,
	}
	rec, err := d.view(h, table)
	if err != nil {
		d.Logger.WarnContext(ctx, "status not known", "deployment", h.ID, "error", err)
		status.State = skipper.StateError
		return status
	}
	if rec == nil {
		return status
	}
	seen := d.observe(ctx, rec)
	if !slices.ContainsFunc(seen, func(o observed) bool { return o.alive }) && !d.noted(h.ID) {
		return status
	}
	for _, o := range seen {
		id := guid(h.ID, o.instance)
		status.Instances[id] = skipper.AppInstanceStatus{ID: id, State: o.state, Attributes: d.attributes(h.ID, rec, o)}
	}
	status.State = skipper.Aggregate(status.Instances)
	return status
}

// observe tells of all instances of a record. Those that were never looked at are looked at now.
func (d *Deployer) observe(ctx context.Context, rec *record) []observed {
	seen := make([]observed, len(rec.Instances))
	runs := make([]*run, len(rec.Instances))
	var group sync.WaitGroup
	for n, i := range rec.Instances {
		seen[n].instance = i
		runs[n] = d.settle(rec.ID, rec, &seen[n].instance)
		if runs[n] != nil && d.unseen(runs[n]) {
			group.Go(func() { d.look(ctx, runs[n]) })
		}
	}
	group.Wait()
	for n := range seen {
		d.judge(rec, &seen[n], runs[n])
	}
	return seen
}

// judge finds the state of one instance, in the order of the reference.
func (d *Deployer) judge(rec *record, o *observed, r *run) {
	o.alive, o.state = r != nil, skipper.StateDeploying
	switch {
	case o.Due > 0 && o.Quick < loopAt && !rec.stopped(o.Index), o.Exit != nil && d.decides(rec, *o): // starts again
	case o.Failed != "" || o.Exit != nil:
		o.state = skipper.StateFailed
	case r == nil: // foretold, not started
	case o.Port < 1:
		o.state = skipper.StateDeployed
	default:
		d.mu.Lock()
		o.state, o.url, o.reason = r.state, r.url, r.reason
		d.mu.Unlock()
	}
}

func (d *Deployer) attributes(id string, rec *record, o observed) map[string]string {
	a := map[string]string{"guid": guid(id, o.instance), "working.dir": rec.dir()}
	if o.Port > 0 {
		a["port"], a["url"] = strconv.Itoa(o.Port), o.url
		if o.url == "" {
			a["url"] = rec.bases(d.address)[0] + ":" + a["port"]
		}
	}
	if !rec.InheritLogging {
		a["stdout"], a["stderr"] = rec.stdout(o.instance), rec.stderr(o.instance)
	}
	if o.PID > 0 {
		a["pid"] = strconv.Itoa(o.PID)
	}
	if o.Started > 0 {
		a["started.at"] = moment(o.Started)
	}
	if o.Run > 0 {
		a["restarts"] = strconv.Itoa(o.Run)
	}
	if o.Limits != "" {
		a["limits"] = o.Limits
	}
	d.explain(rec, o, a)
	return a
}

// explain says why an instance is not well, and what will be done about it.
func (d *Deployer) explain(rec *record, o observed, a map[string]string) {
	switch {
	case o.Failed != "":
		a[deployer.AttributeReason] = o.Failed
	case o.Exit != nil:
		o.Exit.tell(a)
	case o.reason != "":
		a[deployer.AttributeReason] = o.reason
	case o.Last != nil:
		a["last.reason"] = o.Last.Reason
	}
	if o.Failed == "" && o.Exit == nil {
		return
	}
	if rec.stopped(o.Index) || o.Due == 0 {
		if o.Exit == nil || !d.decides(rec, o) {
			a[deployer.AttributeFinal] = "true"
		}
		return
	}
	if o.Quick >= loopAt {
		a["crash.loop"] = "true"
		a[deployer.AttributeReason] = fmt.Sprintf("crash loop: ended %d times in a row within %s of its start, at last: %s",
			o.Quick, soon, a[deployer.AttributeReason])
	}
	a[deployer.AttributeReason] += "; starts again at " + moment(o.Due)
}

// decides says that an end was seen and that care has still to note whether the instance starts again.
func (d *Deployer) decides(rec *record, o observed) bool {
	return rec.restarts(o.instance) && !rec.stopped(o.Index) && o.Due == 0
}
