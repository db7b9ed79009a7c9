package edgegap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

// Deploy asks for the instances of a request that were never asked for. One that failed or ended is not asked for again;
// that is for Maintain. Edgegap finding no server is ErrQuota: it can be known now.
func (d *Deployer) Deploy(ctx context.Context, r deployer.Request, previous *deployer.Handle,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if err := d.Validate(ctx, r); err != nil {
		return deployer.Handle{}, err
	}
	id, err := d.ID(r)
	if err != nil {
		return deployer.Handle{}, err
	}
	h := deployer.Handle{ID: id, SpecHash: deployer.SpecHash(r)}
	if previous != nil {
		h.Data = previous.Data
	}
	if err := ctx.Err(); err != nil {
		return h, deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", id, err)
	}
	rec, err := load(h)
	if err != nil {
		return h, err
	}
	if rec != nil && rec.Hash != h.SpecHash {
		return deployer.Handle{ID: id, SpecHash: h.SpecHash}, taken(id)
	}
	if rec == nil {
		if rec, err = d.found(ctx, r, h); err != nil {
			return h, err
		}
		rec.grow(r.Count, d.Clock())
	}
	d.mu.Lock()
	delete(d.view.removed, id)
	d.mu.Unlock()
	return d.complete(ctx, r, h, rec, save)
}

func taken(id string) error {
	return deployer.Errorf(deployer.ErrExists, "App with deploymentId [%s] is already deployed with another specification", id)
}

// found is the record of what lives on Edgegap of a deployment of which nothing is remembered.
func (d *Deployer) found(ctx context.Context, r deployer.Request, h deployer.Handle) (*record, error) {
	s, wrong := d.spec(r)
	if err := problems(wrong); err != nil {
		return nil, err
	}
	listed, err := d.list(ctx, idTag(h.ID))
	if err != nil {
		return nil, fault("look for "+h.ID, err)
	}
	listed = slices.DeleteFunc(listed, func(item edgegap.DeploymentSummary) bool { return d.isLeaving(h.ID, item.RequestID) })
	for _, item := range listed {
		if m, _ := d.markOf(item.Tags); h.SpecHash != "" && m.hash != hashTag(h.SpecHash) {
			return nil, taken(h.ID)
		}
	}
	return d.adopted(h.SpecHash, s, r, listed), nil
}

func (d *Deployer) isLeaving(id, requestID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, leaving := d.view.leaving[id][requestID]
	return leaving
}

// complete asks for all attempts of the record that were not asked for: what may exist is looked for, application and
// version are seen to, the handle with all nonces is saved, then the deployments are asked for.
func (d *Deployer) complete(ctx context.Context, r deployer.Request, h deployer.Handle, rec *record,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	waiting, err := d.resolve(ctx, h.ID, rec)
	if err != nil {
		return rec.handle(h), err
	}
	due := rec.due()
	if len(due) == 0 {
		return d.finish(ctx, h, rec, waiting)
	}
	p, err := d.prepare(ctx, r, h.ID, rec, len(due))
	if err != nil {
		return rec.handle(h), err
	}
	if err := d.askFor(ctx, p, h, rec, due, save); err != nil {
		return rec.handle(h), err
	}
	return d.finish(ctx, h, rec, waiting)
}

// due are the attempts to be asked for.
func (r *record) due() []indexed {
	return slices.DeleteFunc(r.attempts(), func(a indexed) bool {
		return a.Request != "" || a.Asked > 0 || r.Slots[a.index].Failed != ""
	})
}

// finish stops what must go, and says what is still open.
func (d *Deployer) finish(ctx context.Context, h deployer.Handle, rec *record, waiting error) (deployer.Handle, error) {
	d.mu.Lock()
	rec.Stopping = slices.DeleteFunc(rec.Stopping, func(request string) bool { return d.view.sight(request).ended })
	d.mu.Unlock()
	if err := d.stop(ctx, h.ID, rec.Stopping); err != nil {
		return rec.handle(h), err
	}
	return rec.handle(h), waiting
}

// resolve looks for the attempts whose answer was lost. What is found has its id; what is not found by the end of its
// time was never made and is asked for again; of what may still show up it says so.
func (d *Deployer) resolve(ctx context.Context, id string, rec *record) (waiting, err error) {
	open := slices.DeleteFunc(rec.attempts(), func(a indexed) bool { return !a.open() })
	if len(open) == 0 {
		return nil, nil
	}
	began := d.Clock()
	listed, err := d.list(ctx, idTag(id))
	if err != nil {
		return nil, fault("look for unanswered deployments of "+id, err)
	}
	for _, item := range listed {
		m, _ := d.markOf(item.Tags)
		for _, a := range open {
			if a.Nonce == m.nonce && a.index == m.index && a.Request == "" {
				a.Request = item.RequestID
				d.touch()
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range open {
		if until := d.settled(id, a.attempt); a.Request == "" && began.Before(until) {
			waiting = deployer.Errorf(deployer.ErrAmbiguous,
				"a deployment of %s was asked for without an answer; it is looked for until %s", id,
				until.UTC().Format(time.RFC3339))
		} else if a.Request == "" {
			a.Asked = 0
		}
	}
	return waiting, nil
}

// plan is what all deployments of a request have in common.
type plan struct {
	request     deployer.Request
	id          string
	hash        string // of the request that was deployed first, whatever it was scaled to
	spec        spec
	application string
	version     string
	hosts       []string
}

// prepare sees to all that has to be there before a number of deployments can be asked for.
func (d *Deployer) prepare(ctx context.Context, r deployer.Request, id string, rec *record, count int) (plan, error) {
	r.Count = len(rec.Slots)
	s, wrong := d.spec(r)
	if err := problems(wrong); err != nil {
		return plan{}, err
	}
	p := plan{request: r, id: id, hash: rec.Hash, spec: s, application: d.applicationOf(r, s), hosts: s.hosts}
	if err := d.room(ctx, id, count); err != nil {
		return plan{}, err
	}
	version := d.versionOf(s)
	if err := d.ensure(ctx, p.application, version); err != nil {
		return plan{}, err
	}
	p.version = version.Name
	rec.Application, rec.Version = p.application, p.version
	if s.fleet != "" {
		hosts, err := d.hostsOf(ctx, s)
		if err != nil {
			return plan{}, err
		}
		p.hosts = hosts
	}
	return p, nil
}

// room refuses what is more than the account may have.
func (d *Deployer) room(ctx context.Context, id string, count int) error {
	most := d.Settings.MaxConcurrent
	if most == 0 {
		return nil
	}
	if err := d.look(ctx, false, func() []string { return nil }); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if there := len(d.view.listed); there+count > most {
		return deployer.Errorf(deployer.ErrQuota, "%s needs %d more deployments, %d are there, and the account allows %d "+
			"(max-concurrent-deployments); an upgrade needs room for both versions", id, count, there, most)
	}
	return nil
}

// hostsOf are the hosts of the private fleet that take deployments, those with most room first.
func (d *Deployer) hostsOf(ctx context.Context, s spec) ([]string, error) {
	var hosts []edgegap.Host
	for host, err := range d.client.FleetHosts(ctx, s.fleet) {
		if err != nil {
			return nil, fault("list the hosts of private fleet "+s.fleet, err)
		}
		if host.Status == edgegap.HostActive {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return nil, deployer.Errorf(deployer.ErrQuota, "private fleet %s has no active host", s.fleet)
	}
	slices.SortStableFunc(hosts, func(a, b edgegap.Host) int {
		return int(b.AllocatableCPUUnits-b.AllocatedCPUUnits) - int(a.AllocatableCPUUnits-a.AllocatedCPUUnits)
	})
	var ids []string
	for _, host := range hosts {
		ids = append(ids, host.ID)
	}
	return ids, nil
}

// askFor asks for the due attempts at the pace of the client, some at a time. Before each lot the handle is saved, with
// the nonces of the lot and the ids of the one before; those of the last are in the handle that is given back.
func (d *Deployer) askFor(ctx context.Context, p plan, h deployer.Handle, rec *record, due []indexed,
	save func(deployer.Handle) error,
) error {
	defer d.touch()
	var refused error
	for lot := range slices.Chunk(due, lotSize) {
		if err := ctx.Err(); err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", h.ID, err)
		}
		now := d.Clock()
		for _, a := range lot {
			a.Asked = now.UnixMilli()
		}
		err := save(rec.handle(h))
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			for _, a := range lot {
				a.Asked = 0
			}
			return d.unsaved(ctx, h.ID, err)
		}
		if err := d.askForLot(ctx, p, lot); errors.Is(err, errThere) {
			refused = err
		} else if err != nil {
			return err
		}
	}
	return refused
}

// lotSize is how many deployments are asked for between two saves.
const lotSize = 16

// errThere marks an error of a deployment that exists all the same, in ERROR: the others go on.
var errThere = errors.New("it is there")

func (d *Deployer) unsaved(ctx context.Context, id string, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", id, err)
	}
	return err
}

// askForLot asks for some deployments at once; of several errors it gives one that is final, if there is one.
func (d *Deployer) askForLot(ctx context.Context, p plan, lot []indexed) error {
	errs := make([]error, len(lot))
	inParallel(len(lot), lotSize, func(n int) {
		one := lot[n]
		one.Request, errs[n] = d.post(ctx, p, one.index, one.Nonce)
		switch {
		case one.Request != "":
		case errors.Is(errs[n], deployer.ErrAmbiguous):
			// The time to show up begins now, not when the call began.
			one.Asked = d.Clock().Add(-d.timeout()).UnixMilli()
		default:
			one.Asked = 0 // it does not exist
		}
	})
	d.mu.Lock()
	d.view.sent[p.id] = d.Clock()
	d.mu.Unlock()
	var worst error
	for _, err := range errs {
		if rank(err) > rank(worst) {
			worst = err
		}
	}
	return worst
}

// rank orders errors by how much they say about what to do next.
func rank(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errThere):
		return 1
	case deployer.Retry(err):
		return 2
	}
	return 3
}

// timeout is how long one call may be on its way.
func (d *Deployer) timeout() time.Duration { return or(d.Settings.Timeout, edgegap.DefaultTimeout) }

// settled is when an unanswered deploy is in the lists, if it was made. The attempt tells when it was about to be sent;
// limits and refusals may have held it back until a server before this one was killed, or until what came of it got
// lost. d.mu is held.
func (d *Deployer) settled(id string, a *attempt) time.Time {
	last := a.asked().Add(d.timeout())
	for _, later := range []time.Time{d.began, d.view.sent[id]} {
		if later.After(last) {
			last = later
		}
	}
	return last.Add(settle)
}

// post asks for one deployment and gives its request id, also with an error where it is there all the same. When the
// answer is lost it looks for it once; ErrAmbiguous when it cannot be found now.
func (d *Deployer) post(ctx context.Context, p plan, index int, nonce string) (string, error) {
	doing := fmt.Sprintf("deploy instance %d of %s", index, p.id)
	tags := d.tagsOf(p, index, nonce)
	id, err := d.send(ctx, p, index, tags)
	if err == nil {
		d.Logger.InfoContext(ctx, "instance asked for", "deployment", p.id, "index", index, "request_id", id)
		return id, nil
	}
	if e, ok := asError(err); ok && e.RequestID != "" {
		return e.RequestID, errors.Join(fault(doing, err), errThere)
	}
	if edgegap.KindOf(err) == edgegap.KindInvalid || edgegap.KindOf(err) == edgegap.KindNotFound {
		d.forget()
	}
	if !edgegap.MayHaveHappened(err) {
		return "", fault(doing, err)
	}
	if listed, lookErr := d.list(ctx, noncePrefix+nonce); lookErr == nil {
		for _, item := range listed {
			if m, _ := d.markOf(item.Tags); m.id == idTag(p.id) && m.index == index {
				return item.RequestID, nil
			}
		}
	}
	return "", deployer.Errorf(deployer.ErrAmbiguous, "%w; it is looked for before it is asked for again", fault(doing, err))
}

func (d *Deployer) send(ctx context.Context, p plan, index int, tags []string) (string, error) {
	s := p.spec
	variables, users := s.variablesOf(p.request, index), s.usersOf(index)
	ready, failed, terminated := or(s.ready, d.webhookURL()), or(s.failed, d.webhookURL()), or(s.terminated, d.webhookURL())
	if s.v1 {
		request := edgegap.DeployV1Request{
			Application: p.application, Version: p.version, Filters: s.filters, Environment: variables, Tags: tags,
			WebhookURL: ready, Command: s.command, Arguments: s.arguments, LogStorage: edgegap.ParseLogStorage(s.logStorage),
		}
		for _, user := range users {
			request.IPs = append(request.IPs, user.IP)
		}
		got, err := d.client.DeployV1(ctx, request) //nolint:staticcheck // what asks for v1 needs what only v1 has
		return got.RequestID, err
	}
	request := edgegap.DeployRequest{
		Application: p.application, Version: p.version, Users: users, Resources: s.resources,
		RequireCachedLocations: s.cachedOnly, Environment: variables, Tags: tags,
		OnReady: webhook(ready), OnError: webhook(failed), OnTerminated: webhook(terminated),
	}
	if len(p.hosts) > 0 {
		return d.client.DeployToFleet(ctx, edgegap.FleetDeployRequest{DeployRequest: request, HostIDs: p.hosts})
	}
	return d.client.Deploy(ctx, request)
}

func webhook(address string) *edgegap.Webhook {
	if address == "" {
		return nil
	}
	return &edgegap.Webhook{URL: address}
}

// Scale asks for further instances, or stops those of the highest indexes.
func (d *Deployer) Scale(ctx context.Context, r deployer.Request, h deployer.Handle, count int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	r.Count = count
	if err := d.Validate(ctx, r); err != nil {
		return h, err
	}
	if err := ctx.Err(); err != nil {
		return h, deployer.Errorf(deployer.ErrUnavailable, "scale %s: %w", h.ID, err)
	}
	rec, err := load(h)
	if err != nil {
		return h, err
	}
	if rec == nil {
		// The hash is not that of r where the request was scaled before: it is the handle's.
		if rec, err = d.found(ctx, r, h); err != nil {
			return h, err
		}
		if len(rec.Slots) == 0 {
			return h, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId [%s] is not deployed", h.ID)
		}
	}
	waiting, err := d.resolve(ctx, h.ID, rec)
	if err != nil {
		return rec.handle(h), err
	}
	if count < len(rec.Slots) {
		return d.shrink(ctx, h, rec, count, waiting, save)
	}
	rec.grow(count, d.Clock())
	if h, err = d.complete(ctx, r, h, rec, save); err != nil {
		rec.trim() // what was never made is not wanted any more, unless it is asked for again
		h = rec.handle(h)
	}
	return h, err
}

// trim takes off the last slots of which nothing exists.
func (r *record) trim() {
	for n := len(r.Slots); n > 0 && r.Slots[n-1].Request == "" && r.Slots[n-1].Asked == 0; n-- {
		r.Slots = r.Slots[:n-1]
	}
}

// shrink takes the slots from a count on out of service. One whose answer was lost has to be found first.
func (d *Deployer) shrink(ctx context.Context, h deployer.Handle, rec *record, count int, waiting error,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	for _, a := range rec.attempts() {
		if a.index >= count && a.open() {
			return rec.handle(h), waiting
		}
	}
	for _, s := range rec.Slots[count:] {
		rec.leave(s.Request)
		if s.Next != nil {
			rec.leave(s.Next.Request)
		}
	}
	rec.Slots = rec.Slots[:count]
	if err := save(rec.handle(h)); err != nil {
		return h, err
	}
	return d.finish(ctx, rec.handle(h), rec, nil)
}
