package local

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const probesAtOnce = 32

// observed is an instance that was looked at.
type observed struct {
	instance

	alive bool
	state skipper.DeploymentState
	url   string
}

// Status looks at all instances of all handles at the same time.
func (d *Deployer) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	table := sync.OnceValues(processes)
	slots := make(chan struct{}, probesAtOnce)
	statuses := make([]skipper.AppStatus, len(handles))
	var group sync.WaitGroup
	for n, h := range handles {
		group.Go(func() { statuses[n] = d.status(ctx, h, table, slots) })
	}
	group.Wait()
	if err := ctx.Err(); err != nil { // probes that were cut short say nothing
		return nil, deployer.Errorf(deployer.ErrUnavailable, "look at %d deployments: %w", len(handles), err)
	}
	out := map[string]skipper.AppStatus{}
	for _, s := range statuses {
		out[s.DeploymentID] = s
	}
	return out, nil
}

// status of one deployment is error, for it alone, when only another machine can tell or its record is not readable.
func (d *Deployer) status(ctx context.Context, h deployer.Handle, table func() ([]process, error), slots chan struct{},
) skipper.AppStatus {
	status := skipper.AppStatus{
		DeploymentID: h.ID, Instances: map[string]skipper.AppInstanceStatus{}, State: skipper.StateUnknown,
	}
	rec, err := d.load(h, table)
	if err == nil {
		err = d.here(h.ID, rec)
	}
	if err == nil && rec != nil {
		err = d.adopt(h.ID, rec, table)
	}
	if err != nil {
		d.Logger.WarnContext(ctx, "status not known", "deployment", h.ID, "error", err)
		status.State = skipper.StateError
		return status
	}
	if rec == nil {
		return status
	}
	seen := d.observe(ctx, rec, slots)
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

func (d *Deployer) observe(ctx context.Context, rec *record, slots chan struct{}) []observed {
	seen := make([]observed, len(rec.Instances))
	var group sync.WaitGroup
	for n, i := range rec.Instances {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			seen[n] = d.look(ctx, rec, i)
		})
	}
	group.Wait()
	return seen
}

// look finds the state of one instance, in the order of the reference.
func (d *Deployer) look(ctx context.Context, rec *record, i instance) observed {
	o := observed{instance: i, alive: d.alive(i), state: skipper.StateDeploying}
	if i.Port > 0 {
		o.url = d.base(ctx, rec)[0] + ":" + strconv.Itoa(i.Port)
	}
	switch {
	case i.Failed != "" || (i.PID > 0 && !o.alive):
		o.state = skipper.StateFailed
	case !o.alive: // foretold, not started
	case i.Port < 1:
		o.state = skipper.StateDeployed
	case rec.StartupProbe != "" && !d.hasStarted(ctx, rec, i, o.url):
	case rec.HealthProbe != "":
		o.state = skipper.StateFailed
		if d.probe(ctx, o.url, rec.HealthProbe) {
			o.state = skipper.StateDeployed
		}
	case rec.StartupProbe != "":
		o.state = skipper.StateDeployed
	default:
		if base, ok := d.answers(ctx, rec, i.Port); ok {
			o.url, o.state = base, skipper.StateDeployed
		}
	}
	return o
}

// alive says whether the very process we started runs: a later one with the same id began at another time.
func (d *Deployer) alive(i instance) bool {
	if c := d.child(i.Nonce); c != nil {
		return !c.ended()
	}
	if i.PID == 0 || i.Boot != d.boot {
		return false
	}
	p, ok := live(i.PID)
	return ok && p.start == i.Start && (p.mark.nonce == "" || p.mark.nonce == i.Nonce)
}

func (d *Deployer) attributes(id string, rec *record, o observed) map[string]string {
	a := map[string]string{"guid": guid(id, o.instance), "working.dir": rec.dir()}
	if o.Port > 0 {
		a["port"], a["url"] = strconv.Itoa(o.Port), o.url
	}
	if !rec.InheritLogging {
		a["stdout"], a["stderr"] = rec.stdout(o.instance), rec.stderr(o.instance)
	}
	if o.PID > 0 {
		a["pid"] = strconv.Itoa(o.PID)
	}
	switch c := d.child(o.Nonce); {
	case o.Failed != "":
		a[deployer.AttributeReason], a[deployer.AttributeFinal] = o.Failed, "true"
	case o.PID > 0 && !o.alive:
		a[deployer.AttributeFinal] = "true"
		c.tell(a)
	case o.state == skipper.StateFailed:
		a[deployer.AttributeReason] = "its health probe " + rec.HealthProbe + " does not answer well"
	}
	return a
}
