//go:build faults

package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// faultyDeployer puts failpoints around the calls of a deployer, and lets some of them fail.
type faultyDeployer struct {
	deployer.Deployer

	faults faults
}

// faultyActuator is a faultyDeployer whose deployer reaches the endpoints of instances.
type faultyActuator struct {
	*faultyDeployer
	deployer.Actuator
}

// careful is a platform that looks after applications and lets them drain.
type careful interface {
	deployer.Maintainer
	deployer.Drainer
}

// faultyCare puts failpoints around what a careful platform does.
type faultyCare struct {
	careful

	faulty *faultyDeployer
}

// faultyCareful is a faultyDeployer whose deployer is careful.
type faultyCareful struct {
	*faultyDeployer
	faultyCare
}

// faultyCarefulActuator is both.
type faultyCarefulActuator struct {
	*faultyDeployer
	faultyCare
	deployer.Actuator
}

// faulty puts failpoints around a deployer. What else it can do is kept, webhooks aside: the server finds it by type
// assertion.
func faulty(d deployer.Deployer, f faults) deployer.Deployer {
	out := &faultyDeployer{Deployer: d, faults: f}
	c, isCareful := d.(careful)
	a, isActuator := d.(deployer.Actuator)
	care := faultyCare{careful: c, faulty: out}
	switch {
	case isCareful && isActuator:
		return faultyCarefulActuator{faultyDeployer: out, faultyCare: care, Actuator: a}
	case isCareful:
		return faultyCareful{faultyDeployer: out, faultyCare: care}
	case isActuator:
		return faultyActuator{faultyDeployer: out, Actuator: a}
	}
	return out
}

// Maintain passes save on with failpoints of its own.
func (c faultyCare) Maintain(ctx context.Context, r deployer.Request, old deployer.Handle, save func(deployer.Handle) error,
) (h deployer.Handle, due time.Time, err error) {
	h, d := old, c.faulty
	err = d.call(ctx, "Maintain", h.ID, func() error {
		h, due, err = c.careful.Maintain(ctx, r, old, d.saving(old.ID, save))
		return err
	})
	return h, due, err
}

// Deploy passes save on with failpoints of its own.
func (d *faultyDeployer) Deploy(ctx context.Context, r deployer.Request, previous *deployer.Handle,
	save func(deployer.Handle) error,
) (h deployer.Handle, err error) {
	id, _ := d.ID(r)
	err = d.call(ctx, "Deploy", id, func() error {
		h, err = d.Deployer.Deploy(ctx, r, previous, d.saving(id, save))
		return err
	})
	return h, err
}

// Undeploy is a failpoint.
func (d *faultyDeployer) Undeploy(ctx context.Context, o deployer.Owner, h deployer.Handle) error {
	return d.call(ctx, "Undeploy", h.ID, func() error { return d.Deployer.Undeploy(ctx, o, h) })
}

// Scale passes save on with failpoints of its own.
func (d *faultyDeployer) Scale(ctx context.Context, r deployer.Request, old deployer.Handle, count int,
	save func(deployer.Handle) error,
) (h deployer.Handle, err error) {
	h = old
	err = d.call(ctx, "Scale", h.ID, func() error {
		h, err = d.Deployer.Scale(ctx, r, old, count, d.saving(old.ID, save))
		return err
	})
	return h, err
}

// Status is a failpoint; its answers flap in chaos.
func (d *faultyDeployer) Status(ctx context.Context, handles []deployer.Handle,
) (out map[string]skipper.AppStatus, err error) {
	about := ""
	if len(handles) > 0 {
		about = handles[0].ID
	}
	err = d.call(ctx, "Status", about, func() error {
		out, err = d.Deployer.Status(ctx, handles)
		return err
	})
	if err == nil && d.faults.armed() {
		d.faults.chaos.flap(out)
	}
	return out, err
}

// Logs is a failpoint.
func (d *faultyDeployer) Logs(ctx context.Context, h deployer.Handle, limit int64) (out string, err error) {
	err = d.call(ctx, "Logs", h.ID, func() error {
		out, err = d.Deployer.Logs(ctx, h, limit)
		return err
	})
	return out, err
}

// ReadLogs is a failpoint; ErrUnsupported where the deployer has no lines.
func (d *faultyDeployer) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions,
	emit func(deployer.LogLine) error,
) error {
	reader, ok := d.Deployer.(deployer.LogReader)
	if !ok {
		return deployer.ErrUnsupported
	}
	return d.call(ctx, "ReadLogs", h.ID, func() error { return reader.ReadLogs(ctx, h, o, emit) })
}

// Discover is a failpoint.
func (d *faultyDeployer) Discover(ctx context.Context, o deployer.Owner) (out []deployer.Found, err error) {
	err = d.call(ctx, "Discover", o.Release, func() error {
		out, err = d.Deployer.Discover(ctx, o)
		return err
	})
	return out, err
}

func (d *faultyDeployer) saving(id string, save func(deployer.Handle) error) func(deployer.Handle) error {
	return func(h deployer.Handle) error {
		d.faults.hit("save.before", id)
		defer d.faults.hit("save.after", id)
		return save(h)
	}
}

func (d *faultyDeployer) call(ctx context.Context, verb, id string, do func() error) error {
	d.faults.hit("platform."+verb+".before", id)
	defer d.faults.hit("platform."+verb+".after", id)
	if !d.faults.armed() {
		return do()
	}
	if d.faults.outage != "" && there(d.faults.outage) {
		return deployer.Errorf(deployer.ErrUnavailable, "the platform is out of order")
	}
	return d.faults.chaos.disturb(ctx, verb+" "+id, do)
}

// chaos makes platform calls fail: 5 % with an error, 5 % with a time-out, 5 % after they were done, and each 40th call
// begins a burst of ten that are refused because of their rate. What happens to the n-th call about something follows
// from the seed alone. A nil chaos does nothing.
type chaos struct {
	seed  uint64
	mu    sync.Mutex
	calls map[string]uint64 // by what they are about
	all   uint64
}

const (
	chaosTimeout = 100 * time.Millisecond
	burstEvery   = 40
	burstLength  = 10
)

func newChaos(seed uint64) *chaos { return &chaos{seed: seed, calls: map[string]uint64{}} }

// draw gives a number from 0 to 99 for the next call about something, and how many calls there were.
func (c *chaos) draw(about string) (percent, all uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[about]++
	c.all++
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %d", c.seed, about, c.calls[about])
	sum := h.Sum64()
	sum ^= sum >> 31 // the low bits of FNV alone are no good dice
	sum *= 0x9e3779b97f4a7c15
	return (sum >> 32) % 100, c.all
}

func (c *chaos) disturb(ctx context.Context, about string, do func() error) error {
	if c == nil {
		return do()
	}
	percent, all := c.draw(about)
	switch {
	case all%burstEvery < burstLength && all >= burstEvery:
		return deployer.Errorf(deployer.ErrRateLimited, "chaos: too many requests")
	case percent < 5:
		return deployer.Errorf(deployer.ErrUnavailable, "chaos: refused")
	case percent < 10:
		timer := time.NewTimer(chaosTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return deployer.Errorf(deployer.ErrAmbiguous, "chaos: no answer in time")
	case percent < 15:
		if err := do(); err != nil {
			return err
		}
		return deployer.Errorf(deployer.ErrAmbiguous, "chaos: done, and the answer lost")
	}
	return do()
}

// flap lets one application in ten look as if it were not healthy at the moment.
func (c *chaos) flap(out map[string]skipper.AppStatus) {
	if c == nil {
		return
	}
	for id, s := range out {
		if percent, _ := c.draw("flap " + id); s.State == skipper.StateDeployed && percent < 10 {
			s.State = skipper.StatePartial
			out[id] = s
		}
	}
}
