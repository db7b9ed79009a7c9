package local

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// givePorts sees to it that every instance about to start has a port: a fixed one, the one it was given before if that
// is still free, a spare one of the deployment, or one newly leased.
func (d *Deployer) givePorts(ctx context.Context, p plan, rec *record) error {
	port, fixed, err := fixedPort(p.request)
	if err != nil {
		return deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	for _, i := range rec.idle() {
		switch {
		case fixed:
			i.Port = max(port, 0)
		case i.Port > 0 && free(ctx, i.Port):
		case len(rec.Spare) > 0 && free(ctx, rec.Spare[0]):
			i.Port, rec.Spare = rec.Spare[0], slices.Clone(rec.Spare[1:])
		default:
			if i.Port, err = d.lease(ctx, p.settings, d.portOwner(p.id), rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// lease finds a free port, starting anywhere in the range. Those that the kernel gives to outgoing connections come
// last: one of these may be taken between now and the moment the application listens.
func (d *Deployer) lease(ctx context.Context, s Settings, owner string, rec *record) (int, error) {
	low, high := ephemeral()
	var good, risky []int
	for port := s.PortLow; port < s.PortHigh; port++ {
		if port >= low && port <= high {
			risky = append(risky, port)
		} else {
			good = append(good, port)
		}
	}
	for _, port := range append(turned(good), turned(risky)...) {
		if rec.uses(port) || !free(ctx, port) {
			continue
		}
		ok, err := d.Ports.ReservePort(ctx, d.host, port, owner)
		if err != nil {
			return 0, deployer.Errorf(deployer.ErrUnavailable, "lease port %d: %w", port, err)
		}
		if ok {
			return port, nil
		}
	}
	if ctx.Err() != nil {
		return 0, deployer.Errorf(deployer.ErrUnavailable, "find a port: %w", ctx.Err())
	}
	return 0, deployer.Errorf(deployer.ErrQuota,
		"Could not find a free random port range { low=%d, high=%d }", s.PortLow, s.PortHigh)
}

func turned(ports []int) []int {
	if len(ports) == 0 {
		return nil
	}
	at := rand.IntN(len(ports)) //nolint:gosec // spreads the ports, keeps no secret
	return slices.Concat(ports[at:], ports[:at])
}

func (r *record) uses(port int) bool {
	return slices.Contains(r.Spare, port) || slices.ContainsFunc(r.Instances, func(i instance) bool { return i.Port == port })
}

// free says whether one can listen on a port on all addresses.
func free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	return err == nil && listener.Close() == nil
}
