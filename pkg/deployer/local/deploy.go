package local

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Deploy starts the instances of a request that were never started. One that has run and ended is not started again:
// its state is failed.
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
	d.begin()
	release, err := d.hold(ctx, id)
	if err != nil {
		return deployer.Handle{}, err
	}
	defer release()
	h := deployer.Handle{ID: id, SpecHash: deployer.SpecHash(r)}
	if previous != nil {
		h.Data = previous.Data
	}
	table := sync.OnceValues(processes)
	rec, err := d.load(h, table)
	if err != nil {
		return h, err
	}
	if err := d.here(id, rec); err != nil {
		return h, err
	}
	if rec, err = d.intended(ctx, r, h, rec, table); err != nil {
		return h, err
	}
	return d.complete(ctx, r, h, rec, save)
}

// intended is the record of all that a request asks for, with what of it runs.
func (d *Deployer) intended(ctx context.Context, r deployer.Request, h deployer.Handle, rec *record,
	table func() ([]process, error),
) (*record, error) {
	if rec == nil {
		s, err := d.settings(r)
		if err != nil {
			return nil, err
		}
		// A try that was ended before it could note its ports may have left some.
		if err := d.Ports.ReleasePorts(ctx, d.host, d.portOwner(h.ID)); err != nil {
			return nil, deployer.Errorf(deployer.ErrUnavailable, "release ports: %w", err)
		}
		rec = d.newRecord(h.ID, h.SpecHash, s)
		rec.Rev = 1
		rec.grow(r.Count)
		return rec, nil
	}
	if rec.Hash != h.SpecHash {
		return nil, exists(h.ID)
	}
	if rec.partial {
		rec.grow(r.Count)
		return rec, d.keepPorts(ctx, h.ID, rec)
	}
	return rec, d.adopt(h.ID, rec, table)
}

func exists(id string) error {
	return deployer.Errorf(deployer.ErrExists, "App with deploymentId [%s] is already deployed with another specification",
		id)
}

// keepPorts leases the ports that running instances have already.
func (d *Deployer) keepPorts(ctx context.Context, id string, rec *record) error {
	var ports []int
	for _, i := range rec.Instances {
		if i.Port > 0 {
			ports = append(ports, i.Port)
		}
	}
	if _, err := d.Ports.ReservePorts(ctx, d.host, ports, d.portOwner(id)); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "lease the ports of %s: %w", id, err)
	}
	return nil
}

// adopt finds the processes of instances that were started by a server which had no time to note them, or by this one,
// which could not.
func (d *Deployer) adopt(id string, rec *record, table func() ([]process, error)) error {
	for _, i := range rec.idle() {
		if r := d.run(*i); r != nil {
			*i = r.instance
		}
	}
	idle := rec.idle()
	if len(idle) == 0 {
		return nil
	}
	all, err := table()
	if err != nil {
		return err
	}
	for _, i := range idle {
		at := slices.IndexFunc(all, func(p process) bool {
			return p.leads() && d.ours(p.mark, id) && p.mark.index == i.Index && p.mark.nonce == i.key()
		})
		if at < 0 {
			continue
		}
		if all[at].mark.hash != rec.Hash {
			return exists(id)
		}
		last, quick := i.Last, i.Quick
		*i = d.instanceOf(all[at])
		i.Last, i.Quick = last, quick
	}
	return nil
}

// complete starts what was not started: ports first, then the handle is saved, then the processes.
func (d *Deployer) complete(ctx context.Context, r deployer.Request, h deployer.Handle, rec *record,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	rec.Stop = nil
	if len(rec.idle()) > 0 {
		p, err := d.plan(ctx, h.ID, r)
		if err != nil {
			return h, err
		}
		if err := d.givePorts(ctx, p, rec, rec.idle()); err != nil {
			return h, err
		}
		if err := ctx.Err(); err != nil {
			return h, deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", h.ID, err)
		}
		if err := save(rec.handle(h)); err != nil {
			return h, err
		}
		h = rec.handle(h)
		if err := d.keepLaunch(rec, h.ID, r); err != nil {
			return h, err
		}
		if err := d.note(rec); err != nil {
			return h, err
		}
		if err := d.startAll(ctx, p, rec); err != nil {
			return rec.handle(h), err
		}
	}
	return rec.handle(h), d.note(rec)
}

// startAll starts the instances that were not started, and notes each at once. It ends with ctx: a server that stops,
// or has lost its lease, starts no more.
func (d *Deployer) startAll(ctx context.Context, p plan, rec *record) error {
	for _, i := range rec.idle() {
		if err := ctx.Err(); err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "start instance %d of %s: %w", i.Index, p.id, err)
		}
		d.start(p, rec, i)
		if err := d.noteStart(p.id, *i); err != nil {
			return err
		}
		if i.Failed == "" {
			d.Logger.InfoContext(ctx, "instance started", "deployment", p.id, "index", i.Index, "pid", i.PID, "port", i.Port)
		}
	}
	return nil
}

// Scale starts further instances, or stops those of the highest indexes.
func (d *Deployer) Scale(ctx context.Context, r deployer.Request, h deployer.Handle, count int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	r.Count = count
	if err := d.Validate(ctx, r); err != nil {
		return h, err
	}
	d.begin()
	release, err := d.hold(ctx, h.ID)
	if err != nil {
		return h, err
	}
	defer release()
	table := sync.OnceValues(processes)
	rec, err := d.load(h, table)
	if err != nil {
		return h, err
	}
	if err := d.here(h.ID, rec); err != nil {
		return h, err
	}
	if rec == nil || !d.noted(h.ID) {
		return h, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId [%s] is not deployed", h.ID)
	}
	if err := d.adopt(h.ID, rec, table); err != nil {
		return h, err
	}
	if err := d.shrink(ctx, h.ID, rec, count); err != nil {
		return h, err
	}
	rec.Rev++
	rec.grow(count)
	return d.complete(ctx, r, h, rec, save)
}

// shrink stops the instances from an index on. Their ports stay with the deployment, for when it grows again.
func (d *Deployer) shrink(ctx context.Context, id string, rec *record, count int) error {
	if count >= len(rec.Instances) {
		return nil
	}
	gone := rec.Instances[count:]
	if err := d.noteStop(rec, count); err != nil {
		return err
	}
	if err := d.stop(ctx, id, count, gone, rec.grace()); err != nil {
		return err
	}
	for _, i := range gone {
		if i.Port > 0 {
			rec.Spare = append(rec.Spare, i.Port)
		}
	}
	rec.Instances = rec.Instances[:count]
	return nil
}

func (r *record) grace() time.Duration {
	seconds := r.ShutdownTimeout
	if seconds < 1 {
		seconds = defaultShutdownTimeout
	}
	return time.Duration(seconds) * time.Second
}
