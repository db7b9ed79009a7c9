package local

import (
	"context"
	"iter"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// givePorts sees to it that every instance about to start has a port: a fixed one, the one it was given before if that
// is still free, a spare one of the deployment, or one newly leased.
func (d *Deployer) givePorts(ctx context.Context, p plan, rec *record, idle []*instance) error {
	port, fixed, err := deployer.FixedPort(p.request.Properties)
	if err != nil {
		return deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	var without []*instance
	for _, i := range idle {
		switch {
		case fixed:
			i.Port = max(port, 0)
		case i.Port > 0 && free(ctx, i.Port):
		case len(rec.Spare) > 0 && free(ctx, rec.Spare[0]):
			i.Port, rec.Spare = rec.Spare[0], slices.Clone(rec.Spare[1:])
		default:
			without = append(without, i)
		}
	}
	ports, err := d.lease(ctx, p.settings, d.portOwner(p.id), rec, len(without))
	if err != nil {
		return err
	}
	for n, i := range without {
		i.Port = ports[n]
	}
	return nil
}

// lease finds free ports, as many as are asked for.
func (d *Deployer) lease(ctx context.Context, s Settings, owner string, rec *record, count int) ([]int, error) {
	used, got, found := rec.ports(), make([]int, 0, count), make([]int, 0, count)
	first, last := ephemeral()
	for port := range candidates(s, first, last) {
		if len(got) == count || ctx.Err() != nil {
			break
		}
		if used[port] || !free(ctx, port) {
			continue
		}
		if found = append(found, port); len(got)+len(found) < count {
			continue
		}
		mine, err := d.Ports.ReservePorts(ctx, d.host, found, owner)
		if err != nil {
			return nil, deployer.Errorf(deployer.ErrUnavailable, "lease %d ports: %w", len(found), err)
		}
		got, found = append(got, mine...), found[:0]
	}
	switch {
	case len(got) == count:
		return got, nil
	case ctx.Err() != nil:
		return nil, deployer.Errorf(deployer.ErrUnavailable, "find a port: %w", ctx.Err())
	default:
		return nil, deployer.Errorf(deployer.ErrQuota,
			"Could not find a free random port range { low=%d, high=%d }", s.PortLow, s.PortHigh)
	}
}

// candidates are the ports of a range, starting anywhere in it. Those that the kernel gives to outgoing connections, from
// first to last, come last: one of these may be taken between now and the moment the application listens.
func candidates(s Settings, first, last int) iter.Seq[int] {
	low := min(max(first, s.PortLow), s.PortHigh)
	high := min(max(last+1, low), s.PortHigh)
	risky := high - low
	return func(yield func(int) bool) {
		for n := range turned(s.PortHigh - s.PortLow - risky) {
			port := s.PortLow + n
			if port >= low {
				port += risky
			}
			if !yield(port) {
				return
			}
		}
		for n := range turned(risky) {
			if !yield(low + n) {
				return
			}
		}
	}
}

// turned counts to below size, from anywhere and round.
func turned(size int) iter.Seq[int] {
	return func(yield func(int) bool) {
		at := rand.IntN(max(size, 1)) //nolint:gosec // spreads the ports, keeps no secret
		for n := range size {
			if !yield((at + n) % size) {
				return
			}
		}
	}
}

// ports are all that the deployment has.
func (r *record) ports() map[int]bool {
	ports := map[int]bool{}
	for _, port := range r.Spare {
		ports[port] = true
	}
	for _, i := range r.Instances {
		ports[i.Port] = true
	}
	return ports
}

// free says whether one can listen on a port on all addresses.
func free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	return err == nil && listener.Close() == nil
}
