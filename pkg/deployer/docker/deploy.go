package docker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	startsAtOnce = 4 // an engine starts containers one after another, more or less
	portTries    = 5
	nameTries    = 100 // gonePoll apart
)

// Deploy makes and starts the containers of a request that are not there. One that has run and ended is not started
// again: its state is failed. Images are pulled before anything is saved.
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
	rec, err := load(h)
	if err != nil {
		return h, err
	}
	found, err := d.find(ctx, id)
	if err != nil {
		return h, err
	}
	for _, i := range found {
		if i.hash != h.SpecHash {
			return h, exists(id)
		}
	}
	if rec, err = d.intended(ctx, r, h, rec, found); err != nil {
		return h, err
	}
	return d.complete(ctx, r, h, rec, found, save)
}

func exists(id string) error {
	return deployer.Errorf(deployer.ErrExists, "App with deploymentId [%s] is already deployed with another specification",
		id)
}

// intended is the record of all that a request asks for.
func (d *Deployer) intended(ctx context.Context, r deployer.Request, h deployer.Handle, rec *record, found []instance,
) (*record, error) {
	if rec != nil && rec.Hash != h.SpecHash {
		if rec.Count == 0 || len(found) > 0 {
			return nil, exists(h.ID)
		}
		rec = nil // of what is not there any more
	}
	if rec != nil {
		return rec, nil
	}
	if rec = recovered(found); rec == nil {
		rec = newRecord(h.SpecHash, 0)
	}
	rec.Count = max(rec.Count, r.Count)
	if d.Ports == nil {
		return rec, nil
	}
	rec.learn(found)
	var ports []int
	for _, port := range rec.Ports {
		ports = append(ports, port)
	}
	// A try that was ended before it could note its ports may have left some; those in use are leased again.
	err := d.Ports.Release(ctx, d.portOwner(h.ID))
	if err == nil && len(ports) > 0 {
		err = d.Ports.Keep(ctx, d.portOwner(h.ID), ports)
	}
	return rec, err
}

// find lists the containers of a deployment, by index.
func (d *Deployer) find(ctx context.Context, id string) ([]instance, error) {
	all, err := d.listAll(ctx, id)
	if err != nil {
		return nil, err
	}
	return all[id], nil
}

// listAll lists the containers of the account by deployment, those of one only unless id is empty.
func (d *Deployer) listAll(ctx context.Context, id string) (map[string][]instance, error) {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	answer, err := d.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: d.ours(id)})
	if err != nil {
		return nil, d.fault(reading, "list the containers", err)
	}
	out := map[string][]instance{}
	for _, c := range answer.Items {
		if i, ok := parse(c); ok {
			out[i.id] = append(out[i.id], i)
		}
	}
	for _, found := range out {
		slices.SortFunc(found, func(a, b instance) int { return a.index - b.index })
	}
	return out, nil
}

// missing are the indexes that have no container, and those whose container was never started.
func (d *Deployer) missing(ctx context.Context, rec *record, found []instance) (absent []int, idle []instance, err error) {
	for index := range rec.Count {
		if !slices.ContainsFunc(found, func(i instance) bool { return i.index == index }) {
			absent = append(absent, index)
		}
	}
	for _, i := range found {
		if i.State != container.StateCreated || i.index >= rec.Count || rec.Failed[i.ID] != "" {
			continue
		}
		seen, err := d.inspect(ctx, i.ID)
		if notFound(err) { // the engine takes back what a server asked for that was killed then
			absent = append(absent, i.index)
			delete(rec.Containers, i.index)
			continue
		} else if err != nil {
			return nil, nil, err
		}
		if seen.State == nil || seen.State.Error == "" {
			idle = append(idle, i)
		}
	}
	return absent, idle, nil
}

func (d *Deployer) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	answer, err := d.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	return answer.Container, d.fault(reading, "look at the container "+short(id), err)
}

func short(id string) string { return id[:min(12, len(id))] }

// complete makes what is missing: the image first and ports, then the handle is saved, then the containers are made.
func (d *Deployer) complete(ctx context.Context, r deployer.Request, h deployer.Handle, rec *record, found []instance,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	rec.learn(found)
	absent, idle, err := d.missing(ctx, rec, found)
	if err != nil {
		return h, err
	}
	if len(absent)+len(idle) == 0 {
		return rec.handle(h), nil
	}
	p, err := d.plan(ctx, r, h, rec)
	if err != nil {
		return h, err
	}
	b := &batch{Deployer: d, plan: p, rec: rec}
	for _, i := range idle {
		b.pending = append(b.pending, i.index)
	}
	b.pending = append(b.pending, absent...)
	for range portTries {
		if err := d.givePorts(ctx, p, rec, absent); err != nil {
			return h, err
		}
		if err := ctx.Err(); err != nil {
			return h, deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", h.ID, err)
		}
		if err := save(rec.handle(h)); err != nil {
			return h, err
		}
		h = rec.handle(h)
		if err := b.run(ctx); err != nil || len(b.pending) == 0 {
			return rec.handle(h), err
		}
		absent = b.pending // their ports were taken by somebody else
	}
	return rec.handle(h), deployer.Errorf(deployer.ErrQuota,
		"%s: the ports that are free by our count are in use on the engine's machine", h.ID)
}

func (d *Deployer) plan(ctx context.Context, r deployer.Request, h deployer.Handle, rec *record) (plan, error) {
	s, err := d.settings(r)
	if err != nil {
		return plan{}, err
	}
	p := plan{request: r, id: h.ID, hash: rec.Hash, settings: s}
	if err := d.checkNetwork(ctx, s.Network); err != nil {
		return p, err
	}
	if p.image, err = d.resolve(ctx, r, s, rec.Image); err != nil {
		return p, err
	}
	rec.Image, p.called = p.image, d.called(ctx, p.image)
	return p, nil
}

// givePorts leases ports for the instances that need one of ours.
func (d *Deployer) givePorts(ctx context.Context, p plan, rec *record, absent []int) error {
	if !p.leases() || d.Ports == nil {
		return nil
	}
	var without, used []int
	for _, index := range absent {
		if rec.Ports[index] == 0 {
			without = append(without, index)
		}
	}
	for _, port := range rec.Ports {
		used = append(used, port)
	}
	if len(without) == 0 {
		return nil
	}
	got, err := d.Ports.Lease(ctx, d.portOwner(p.id), p.settings.PortLow, p.settings.PortHigh, len(without), used)
	if err != nil {
		return err
	}
	for n, index := range without {
		rec.Ports[index] = got[n]
	}
	return nil
}

// batch is a number of containers that are made at the same time.
type batch struct {
	*Deployer

	plan    plan
	pending []int // indexes; after run those whose port was taken

	mu  sync.Mutex
	rec *record
}

// run makes and starts containers. It ends with ctx: a server that stops, or has lost its lease, starts no more.
func (b *batch) run(ctx context.Context) error {
	todo := b.pending
	b.pending = nil
	var group errgroup.Group
	group.SetLimit(startsAtOnce)
	errs := make([]error, len(todo))
	for n, index := range todo {
		group.Go(func() error {
			errs[n] = b.start(ctx, index)
			return nil
		})
	}
	_ = group.Wait() // each tells for itself
	slices.Sort(b.pending)
	return errors.Join(errs...)
}

func (b *batch) start(ctx context.Context, index int) error {
	if err := ctx.Err(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "start instance %d of %s: %w", index, b.plan.id, err)
	}
	b.mu.Lock()
	id, made := b.rec.Containers[index]
	options, err := b.options(b.plan, b.rec, index)
	b.mu.Unlock()
	if err != nil {
		return deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	if made {
		_, err := b.inspect(ctx, id)
		if made = err == nil; err != nil && !notFound(err) {
			return err
		}
	}
	if !made {
		if id, err = b.create(ctx, options); err != nil {
			return err
		}
		b.Logger.InfoContext(ctx, "container created", "deployment", b.plan.id, "index", index, "container", short(id))
	}
	b.mu.Lock()
	b.rec.Containers[index] = id
	b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "start instance %d of %s: %w", index, b.plan.id, err)
	}
	_, err = b.client.ContainerStart(ctx, id, client.ContainerStartOptions{})
	if err != nil {
		return b.notStarted(ctx, index, id, err)
	}
	b.Logger.InfoContext(ctx, "instance started", "deployment", b.plan.id, "index", index, "container", short(id))
	return nil
}

// create makes a container. One of that name that is ours already is taken; one that is not is left alone; one that is
// just going away is waited for.
func (b *batch) create(ctx context.Context, o client.ContainerCreateOptions) (string, error) {
	for tries := 0; ; tries++ {
		answer, err := b.client.ContainerCreate(ctx, o)
		if err == nil {
			for _, w := range answer.Warnings {
				b.Logger.WarnContext(ctx, "the engine warns", "deployment", b.plan.id, "container", o.Name, "warning", oneLine(w))
			}
			return answer.ID, nil
		}
		err = b.fault(changing, "create the container "+o.Name, err)
		if notFound(err) { // the image or a network went away meanwhile: look again
			return "", deployer.Errorf(deployer.ErrUnavailable, "%w", err)
		}
		if !errors.Is(err, deployer.ErrExists) {
			return "", err
		}
		id, lookErr := b.taken(ctx, o)
		if !notFound(lookErr) {
			return id, lookErr
		}
		if tries == nameTries {
			return "", deployer.Errorf(deployer.ErrUnavailable, "%w", err)
		}
		select {
		case <-ctx.Done():
			return "", deployer.Errorf(deployer.ErrUnavailable, "create the container %s: %w", o.Name, ctx.Err())
		case <-time.After(gonePoll):
		}
	}
}

// taken is the container that has the name of a new one, if it is the very one that is asked for.
func (b *batch) taken(ctx context.Context, o client.ContainerCreateOptions) (string, error) {
	seen, err := b.inspect(ctx, o.Name)
	switch {
	case err != nil:
		return "", err
	case seen.Config == nil || !sameOwner(seen.Config.Labels, o.Config.Labels):
		return "", deployer.Errorf(deployer.ErrExists,
			"a container %s is there already and not ours; remove it, or give another name in %s", o.Name, nameKey)
	case seen.Config.Labels[labelHash] != o.Config.Labels[labelHash]:
		return "", exists(b.plan.id)
	default:
		return seen.ID, nil
	}
}

func sameOwner(a, b map[string]string) bool {
	for _, label := range []string{labelInstallation, labelAccount, labelID, labelIndex} {
		if a[label] != b[label] {
			return false
		}
	}
	return true
}

// notStarted decides what it means that an engine does not start a container: it says why for ever, as when there is no
// such program in the image, and the instance has failed; or it cannot be asked now.
func (b *batch) notStarted(ctx context.Context, index int, id string, err error) error {
	if client.IsErrConnectionFailed(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errdefs.IsNotFound(err) && strings.Contains(err.Error(), "No such container") || errdefs.IsUnavailable(err) {
		err = b.fault(changing, "start the container "+short(id), err)
		if notFound(err) {
			err = deployer.Errorf(deployer.ErrUnavailable, "%w", err)
		}
		return err
	}
	reason := oneLine(err.Error())
	if portTaken(reason) && b.plan.leases() && b.Ports != nil {
		b.Logger.InfoContext(ctx, "a port is taken by somebody else", "deployment", b.plan.id, "index", index, "reason", reason)
		if err := b.remove(ctx, id); err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.rec.Containers, index)
		delete(b.rec.Ports, index)
		b.pending = append(b.pending, index)
		return nil
	}
	b.Logger.WarnContext(ctx, "instance does not start", "deployment", b.plan.id, "index", index, "reason", reason)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rec.Failed[id] = reason
	return nil
}

func portTaken(reason string) bool {
	return strings.Contains(reason, "port is already allocated") || strings.Contains(reason, "address already in use")
}

func notFound(err error) bool { return errors.Is(err, deployer.ErrNotFound) }

// Scale makes further containers, or removes those of the highest indexes.
func (d *Deployer) Scale(ctx context.Context, r deployer.Request, h deployer.Handle, count int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	r.Count = count
	if err := d.Validate(ctx, r); err != nil {
		return h, err
	}
	rec, err := load(h)
	if err != nil {
		return h, err
	}
	found, err := d.find(ctx, h.ID)
	if err != nil {
		return h, err
	}
	if rec == nil {
		rec = recovered(found)
	}
	if rec == nil || len(found) == 0 && rec.Count > 0 {
		return h, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId [%s] is not deployed", h.ID)
	}
	rec.learn(found)
	if count != rec.Count {
		if rec.Count = count; ctx.Err() != nil {
			return h, deployer.Errorf(deployer.ErrUnavailable, "scale %s: %w", h.ID, ctx.Err())
		}
	}
	gone := slices.DeleteFunc(slices.Clone(found), func(i instance) bool { return i.index < count })
	if len(gone) > 0 {
		if err := save(rec.handle(h)); err != nil {
			return h, err
		}
		h = rec.handle(h)
		slices.Reverse(gone)
		if err := d.removeAll(ctx, gone); err != nil {
			return h, err
		}
		for _, i := range gone {
			delete(rec.Containers, i.index)
			delete(rec.Failed, i.ID)
		}
		found = slices.DeleteFunc(found, func(i instance) bool { return i.index >= count })
	}
	return d.complete(ctx, r, h, rec, found, save)
}
