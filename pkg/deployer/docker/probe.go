package docker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	dialTimeout = 300 * time.Millisecond
	// An engine's proxy takes a connection before it knows whether the application does, and closes it when not.
	closeTimeout = 150 * time.Millisecond
	closeAgain   = 10 * time.Millisecond
)

// place is where an application is reached from here.
type place struct {
	host string
	port int // below 1: nowhere
}

func (p place) address() string { return net.JoinHostPort(p.host, strconv.Itoa(p.port)) }
func (p place) url() string     { return "http://" + p.address() }

// surroundings are the networks of the container that this server itself runs in; none outside of one.
type surroundings struct{ networks map[string]bool }

// placeOf is the name of the container where this server is in a network with it, else its published port, on this
// machine or the engine's; where nothing is published, its own address.
func (d *Deployer) placeOf(ctx context.Context, i instance) place {
	outside, host := i.port, "127.0.0.1"
	if remote := d.remote(); remote != "" {
		host = remote
	}
	if i.HostConfig.NetworkMode != hostNetwork {
		if name := d.neighbour(ctx, i); name != "" {
			return place{name, i.port}
		}
		outside = 0
		for _, p := range i.Ports {
			if int(p.PrivatePort) == i.port && p.PublicPort > 0 && p.Type == "tcp" {
				outside = int(p.PublicPort)
				if p.IP.IsValid() && !p.IP.IsUnspecified() && !p.IP.IsLoopback() {
					host = p.IP.String()
				}
			}
		}
		if own := addressOf(i); outside == 0 && own.IsValid() {
			outside, host = i.port, own.String()
		}
	}
	if name := i.Labels[labelHostname]; name != "" {
		host = name
	}
	return place{host, outside}
}

func addressOf(i instance) netip.Addr {
	if i.NetworkSettings != nil {
		for _, n := range i.NetworkSettings.Networks {
			if n != nil && n.IPAddress.IsValid() {
				return n.IPAddress
			}
		}
	}
	return netip.Addr{}
}

// neighbour is the name by which this server reaches a container of a network that it is in itself; only networks that
// somebody made have names.
func (d *Deployer) neighbour(ctx context.Context, i instance) string {
	mine := d.ownNetworks(ctx)
	if len(mine) == 0 || i.NetworkSettings == nil || i.Labels[labelHostname] != "" {
		return ""
	}
	for name, n := range i.NetworkSettings.Networks {
		if n != nil && mine[n.NetworkID] && name != "bridge" && name != "podman" {
			return i.name()
		}
	}
	return ""
}

// ownNetworks asks once which networks this server is in.
func (d *Deployer) ownNetworks(ctx context.Context) map[string]bool {
	d.mu.Lock()
	known := d.self
	d.mu.Unlock()
	if known != nil {
		return known.networks
	}
	found := &surroundings{networks: map[string]bool{}}
	if id := ownContainer(); id != "" {
		seen, err := d.inspect(ctx, id)
		if err != nil && !notFound(err) {
			return nil // asked again
		}
		if err == nil && seen.NetworkSettings != nil {
			for _, n := range seen.NetworkSettings.Networks {
				if n != nil {
					found.networks[n.NetworkID] = true
				}
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.self = found
	return found.networks
}

// ownContainer is the id of the container that this process is in, as its host name has it; empty outside of one.
func ownContainer() string {
	for _, file := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(file); err == nil {
			name, _ := os.Hostname() // without one we are nobody's neighbour
			return name
		}
	}
	return ""
}

// probeAll finds the state of a running instance, in the order of the reference.
func (d *Deployer) probeAll(ctx context.Context, i instance, at place, out *skipper.AppInstanceStatus) {
	startup, health := i.Labels[labelStartup], i.Labels[labelHealth]
	switch {
	case at.port < 1:
		out.State = skipper.StateDeployed
	case startup != "" && !d.hasStarted(ctx, i, at, startup):
	case health != "":
		out.State = skipper.StateDeployed
		if !d.probe(ctx, at, health) {
			out.State = skipper.StateFailed
			out.Attributes[deployer.AttributeReason] = "its health probe " + health + " does not answer well"
		}
	case startup != "" || d.listens(ctx, i, at):
		out.State = skipper.StateDeployed
	}
}

// hasStarted asks the startup probe until it has passed once. A container that was started again begins anew.
func (d *Deployer) hasStarted(ctx context.Context, i instance, at place, path string) bool {
	d.mu.Lock()
	passed := d.started[i.ID]
	d.mu.Unlock()
	if passed || !d.probe(ctx, at, path) {
		return passed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.started[i.ID] = true
	return true
}

func (d *Deployer) probe(ctx context.Context, at place, path string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url()+"/"+strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		return false
	}
	answer, err := d.http.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode/100 == 2
}

// listens says whether the application takes connections. One that did is not waited for as long the next time: a late
// answer of the proxy makes nothing deployed that was not.
func (d *Deployer) listens(ctx context.Context, i instance, at place) bool {
	d.mu.Lock()
	wait := closeTimeout
	if d.listened[i.ID] {
		wait = closeAgain
	}
	d.mu.Unlock()
	open := staysOpen(ctx, at.address(), wait)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listened[i.ID] = open
	return open
}

// staysOpen says whether a connection is taken and not closed again at once.
func staysOpen(ctx context.Context, address string, wait time.Duration) bool {
	dialer := net.Dialer{Timeout: dialTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = connection.Close() }()                                // nothing was written
	if err := connection.SetReadDeadline(time.Now().Add(wait)); err != nil { //nolint:forbidigo // the system's clock counts
		return false
	}
	n, err := connection.Read(make([]byte, 1))
	timeout, ok := errors.AsType[net.Error](err)
	return n > 0 || ok && timeout.Timeout()
}
