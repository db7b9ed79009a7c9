package edgegap

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

const (
	detailsAtOnce = 40 // Status calls of one look; the rest comes with the next
	callsAtOnce   = 8
	quiet         = time.Minute    // after a change the account is looked at more often for so long
	memory        = 24 * time.Hour // of what ended
	stopAgain     = time.Minute    // a stop that has shown no effect by then is repeated
)

// view is what was seen of the account last. Deployer.mu guards it.
type view struct {
	at      time.Time // begin of the last list that succeeded; zero: none did
	changes int       // grows with each change of ours
	seen    int       // changes that the last list has seen
	changed time.Time
	listed  map[string]edgegap.DeploymentSummary
	details map[string]detail
	hinted  map[string]bool // ids to ask for at once
	// leaving are the stops that were asked for, by deployment id and request id, with the time.
	leaving map[string]map[string]time.Time
	// sent is when deploys of a deployment id were last on their way, whatever its handle says.
	sent map[string]time.Time
	// removed are the deployments that were undeployed, with the time.
	removed map[string]time.Time
}

// detail is what Edgegap told of one deployment.
type detail struct {
	edgegap.Deployment

	at      time.Time
	missing bool // Edgegap knows no such deployment
	crash   *edgegap.Crash
}

func (d detail) ended() bool { return d.missing || d.State == edgegap.StateTerminated }

func newView() view {
	return view{
		listed: map[string]edgegap.DeploymentSummary{}, details: map[string]detail{}, hinted: map[string]bool{},
		leaving: map[string]map[string]time.Time{}, removed: map[string]time.Time{}, sent: map[string]time.Time{},
	}
}

// touch notes a change of ours: what was seen before is not good any more.
func (d *Deployer) touch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view.changes++
	d.view.changed = d.Clock()
}

// hint makes the next look ask for a deployment whatever is known of it.
func (d *Deployer) hint(requestID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.view.hinted) < maxInstances {
		d.view.hinted[requestID] = true
	}
}

// fresh tells that the last list is good enough for who asked after a number of changes.
func (d *Deployer) fresh(changes int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, now := &d.view, d.Clock()
	if v.at.IsZero() || v.seen < changes {
		return false
	}
	age := d.Settings.PollIdle
	if now.Sub(v.changed) < quiet || len(v.leaving) > 0 {
		age = d.Settings.PollInterval
	}
	for _, item := range v.listed {
		if _, ours := d.markOf(item.Tags); ours && !item.Ready && item.State != edgegap.StateError {
			age = d.Settings.PollInterval
		}
	}
	return now.Sub(v.at) < age
}

// stale tells that the last list is too old to answer from.
func (d *Deployer) stale(changes int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := &d.view
	return v.at.IsZero() || v.seen < changes || d.Clock().Sub(v.at) >= d.Settings.Staleness
}

// look sees to it that the view is fresh: one list of all that is ours, and the details of what the list does not tell
// enough of. More gives the ids that must be known. One caller looks, the others wait for it. Unless strict, a list that
// is not too old has to do where Edgegap cannot be asked.
func (d *Deployer) look(ctx context.Context, strict bool, more func() []string) error {
	if err := ctx.Err(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "look at the account: %w", err)
	}
	d.mu.Lock()
	changes := d.view.changes
	d.mu.Unlock()
	select {
	case d.looking <- struct{}{}:
		defer func() { <-d.looking }()
	case <-ctx.Done():
		return deployer.Errorf(deployer.ErrUnavailable, "look at the account: %w", ctx.Err())
	}
	if !d.fresh(changes) {
		if err := d.sweep(ctx); err != nil && (strict || ctx.Err() != nil || d.stale(changes)) {
			return fault("list the deployments of the account", err)
		}
	}
	return d.ask(ctx, d.wanting(more()))
}

// sweep lists all that is ours.
func (d *Deployer) sweep(ctx context.Context) error {
	d.mu.Lock()
	began, changes := d.Clock(), d.view.changes
	d.mu.Unlock()
	listed, err := d.list(ctx, d.owner)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	v := &d.view
	v.at, v.seen, v.listed = began, changes, map[string]edgegap.DeploymentSummary{}
	for _, item := range listed {
		v.listed[item.RequestID] = item
	}
	for id, known := range v.details {
		if _, there := v.listed[id]; !there && began.Sub(known.at) > memory {
			delete(v.details, id)
		}
	}
	old := func(_ string, since time.Time) bool { return began.Sub(since) > memory }
	maps.DeleteFunc(v.removed, old)
	maps.DeleteFunc(v.sent, old)
	for _, leaving := range v.leaving {
		maps.DeleteFunc(leaving, old)
	}
	maps.DeleteFunc(v.leaving, func(_ string, leaving map[string]time.Time) bool { return len(leaving) == 0 })
	return nil
}

// list gives what carries a tag and is ours.
func (d *Deployer) list(ctx context.Context, tag string) ([]edgegap.DeploymentSummary, error) {
	var out []edgegap.DeploymentSummary
	query := edgegap.DeploymentQuery{Filters: []edgegap.Filter{edgegap.Tagged(tag)}}
	for item, err := range d.client.Deployments(ctx, query) {
		if err != nil {
			return nil, err
		}
		// How Edgegap compares tags is not documented well: what it gives is looked at again.
		if _, ours := d.markOf(item.Tags); ours && slices.Contains(item.Tags, tag) && !item.State.Ending() {
			out = append(out, item)
		}
	}
	return out, nil
}

// wanting picks the ids whose details have to be asked for now: the longest not asked for first.
func (d *Deployer) wanting(ids []string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, id := range ids {
		if d.view.wants(id) {
			out = append(out, id)
		}
	}
	for id := range d.view.hinted {
		if _, listed := d.view.listed[id]; listed || slices.Contains(ids, id) {
			out = append(out, id)
		}
	}
	clear(d.view.hinted)
	slices.Sort(out)
	out = slices.Compact(out)
	slices.SortStableFunc(out, func(a, b string) int { return d.view.details[a].at.Compare(d.view.details[b].at) })
	return out[:min(len(out), detailsAtOnce)]
}

func (v *view) wants(id string) bool {
	known, told := v.details[id]
	item, listed := v.listed[id]
	switch {
	case told && !known.at.Before(v.at), told && known.ended() && !listed:
		return false
	case !listed || item.Ready != (told && known.State == edgegap.StateReady):
		return true
	case item.Ready, known.State == edgegap.StateError: // both last; of what ends the list tells nothing
		return false
	}
	return item.State == "" || item.State == edgegap.StateError // the list may tell the state of what starts
}

// ask reads the details of deployments. One that cannot be read is an error only where nothing at all is known of it.
func (d *Deployer) ask(ctx context.Context, ids []string) error {
	errs := make([]error, len(ids))
	inParallel(len(ids), callsAtOnce, func(n int) {
		errs[n] = d.askOne(ctx, ids[n])
	})
	for n, err := range errs {
		d.mu.Lock()
		_, told := d.view.details[ids[n]]
		_, listed := d.view.listed[ids[n]]
		d.mu.Unlock()
		if err != nil && (ctx.Err() != nil || !told && !listed) {
			return fault("read the status of deployment "+ids[n], err)
		}
	}
	return nil
}

func (d *Deployer) askOne(ctx context.Context, id string) error {
	at := d.Clock()
	got, err := d.client.Status(ctx, id)
	known := detail{Deployment: got, at: at}
	if err != nil {
		if !gone(err) {
			return err
		}
		known.missing = true
	}
	d.mu.Lock()
	before := d.view.details[id]
	d.mu.Unlock()
	known.crash = before.crash
	if known.missing { // what was told last says why it ended
		known.Deployment = before.Deployment
	}
	if known.State == edgegap.StateError && known.crash == nil {
		if logs, err := d.client.Logs(ctx, id); err == nil {
			known.crash = logs.Crash
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.view.details[id] = known
	return nil
}

// inParallel calls do for each of n, several at once.
func inParallel(n, atOnce int, do func(n int)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	group.Wait()
}

// sighting is what is known of one request id now.
type sighting struct {
	known         bool // it was seen or asked for at all
	ended, ending bool
	ready, failed bool
	edgegap.Deployment
	crash *edgegap.Crash
}

// sight joins list and details; the newer one tells the state. mu is held.
func (v *view) sight(id string) sighting {
	known, told := v.details[id]
	item, listed := v.listed[id]
	s := sighting{known: told || listed, Deployment: known.Deployment, crash: known.crash}
	if listed && (!told || known.at.Before(v.at) && !known.ended()) {
		switch {
		case item.Ready:
			s.State, s.Running, s.Failed = edgegap.StateReady, true, false
		case item.State != "":
			s.State, s.Failed = item.State, item.State == edgegap.StateError
		case s.State == edgegap.StateReady:
			s.State, s.Running = "", false
		}
		if !told {
			s.RequestID, s.FQDN, s.PublicIP, s.Ports, s.Tags = id, item.FQDN, item.PublicIP, item.Ports, item.Tags
			s.StartTime, s.Application, s.Version = item.StartTime, item.Application, item.Version
		}
	} else {
		s.ended, s.ending = known.ended(), known.State == edgegap.StateTerminating
	}
	s.failed = s.Failed || s.State == edgegap.StateError
	s.ready = !s.failed && !s.ended && !s.ending && s.State == edgegap.StateReady
	return s
}
