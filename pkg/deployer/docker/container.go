package docker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// plan is how the containers of a request are made.
type plan struct {
	request  deployer.Request
	id, hash string
	settings Settings
	image    image
	called   string // the image, as the engine is told
}

const (
	cpuKey      = deployer.PropertyPrefix + "cpu"
	hostNetwork = "host"
)

// published says whether ports of containers in a network can be published.
func published(name string) bool {
	return name != hostNetwork && name != "none" && !strings.HasPrefix(name, "container:")
}

// name is that of one container.
func (p plan) name(index int) string {
	return nameOf(p.request, p.settings) + "-" + strconv.Itoa(index)
}

func nameOf(r deployer.Request, s Settings) string {
	switch {
	case r.Deployment[nameKey] != "":
		return r.Deployment[nameKey]
	case s.ContainerName != "":
		return s.ContainerName
	default:
		return r.Group + "." + r.Name
	}
}

// ports are where one instance listens in its container, below 1 when that is not known, and the port of the engine's
// machine that is asked for, 0 for any.
func (p plan) ports(rec *record, index int) (inside, outside int) {
	fixed, isFixed, _ := deployer.FixedPort(p.request.Properties) // Validate has seen it
	switch {
	case isFixed && p.settings.SamePort:
		return fixed, max(fixed, 0)
	case isFixed:
		return fixed, 0
	case p.leases():
		return rec.Ports[index], rec.Ports[index]
	default:
		return defaultPort, 0
	}
}

// leases says whether ports of the machine are chosen by us, and not by the engine.
func (p plan) leases() bool {
	_, fixed, _ := deployer.FixedPort(p.request.Properties) // Validate has seen it
	return !fixed && (p.settings.SamePort || p.settings.Network == hostNetwork)
}

// options are what the engine is asked for.
func (d *Deployer) options(p plan, rec *record, index int) (client.ContainerCreateOptions, error) {
	s, name := p.settings, p.name(index)
	inside, outside := p.ports(rec, index)
	environment, err := p.environment(index, inside)
	if err != nil {
		return client.ContainerCreateOptions{}, err
	}
	exposed, bindings, err := d.bindings(p, index, inside, outside)
	if err != nil {
		return client.ContainerCreateOptions{}, err
	}
	policy, err := restartPolicy(s.RestartPolicy)
	if err != nil {
		return client.ContainerCreateOptions{}, err
	}
	resources, err := limits(p.request)
	if err != nil {
		return client.ContainerCreateOptions{}, err
	}
	grace := s.grace()
	return client.ContainerCreateOptions{
		Name: name,
		Config: &container.Config{
			Image: p.called, Env: environment, Labels: d.labels(p, index, name, inside, outside), ExposedPorts: exposed,
			StopTimeout: &grace,
		},
		HostConfig: &container.HostConfig{
			NetworkMode: container.NetworkMode(s.Network), PortBindings: bindings, Binds: s.VolumeMounts,
			ExtraHosts: s.AdditionalHosts, RestartPolicy: policy, Resources: resources,
		},
	}, nil
}

// environment are the variables of one container. deployerId is what the reference adds.
func (p plan) environment(index, port int) ([]string, error) {
	s := p.settings
	own, err := deployer.Environment{
		ID: p.id, Group: p.request.Group, Index: index, Properties: p.request.Properties, Port: port,
		JSON: s.UseSpringApplicationJSON, AdminUser: s.AdminUser, AdminPassword: s.AdminPassword,
	}.Variables()
	if err != nil {
		return nil, err
	}
	own["deployerId"] = p.id
	if s.JavaDebug != nil {
		if option, _ := s.JavaDebug(index); option != "" {
			own["JAVA_TOOL_OPTIONS"] = option
		}
	}
	out := make([]string, 0, len(own))
	for _, name := range slices.Sorted(maps.Keys(own)) {
		out = append(out, name+"="+own[name])
	}
	return out, nil
}

// bindings publish the port of the application, those of port-mappings and that of a debugger.
func (d *Deployer) bindings(p plan, index, inside, outside int) (network.PortSet, network.PortMap, error) {
	s, exposed, bindings := p.settings, network.PortSet{}, network.PortMap{}
	if !published(s.Network) {
		return exposed, bindings, nil
	}
	address, err := d.publishAddress(s)
	if err != nil {
		return nil, nil, err
	}
	add := func(port network.Port, b network.PortBinding) {
		if !b.HostIP.IsValid() {
			b.HostIP = address
		}
		exposed[port], bindings[port] = struct{}{}, append(bindings[port], b)
	}
	if inside > 0 {
		port, _ := network.PortFrom(uint16(inside), network.TCP) //nolint:gosec // Validate has seen that it is a port
		binding := network.PortBinding{}
		switch {
		case outside > 0:
			binding.HostPort = strconv.Itoa(outside)
		case s.PortLow > 0:
			binding.HostPort = fmt.Sprintf("%d-%d", s.PortLow, s.PortHigh-1)
		}
		add(port, binding)
	}
	for _, mapping := range s.PortMappings {
		port, binding, err := portMapping(mapping)
		if err != nil {
			return nil, nil, err
		}
		add(port, binding)
	}
	if s.JavaDebug != nil {
		if option, number := s.JavaDebug(index); option != "" {
			port, _ := network.PortFrom(uint16(number), network.TCP) //nolint:gosec // a port, or there is no option
			add(port, network.PortBinding{HostPort: strconv.Itoa(number)})
		}
	}
	return exposed, bindings, nil
}

// publishAddress is the one of the account: on this machine nothing is published to others unless somebody says so.
func (d *Deployer) publishAddress(s Settings) (netip.Addr, error) {
	switch {
	case s.PublishAddress != "":
		return netip.ParseAddr(s.PublishAddress)
	case d.remote() == "":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	default:
		return netip.IPv4Unspecified(), nil
	}
}

// portMapping reads [[address:]port:]port[/protocol]; without the first port the engine chooses one.
func portMapping(text string) (network.Port, network.PortBinding, error) {
	parts := strings.Split(text, ":")
	port, err := network.ParsePort(parts[len(parts)-1])
	binding := network.PortBinding{}
	if err == nil && len(parts) > 1 {
		binding.HostPort = parts[len(parts)-2]
		if binding.HostPort != "" {
			_, err = network.ParsePortRange(binding.HostPort)
		}
	}
	if err == nil && len(parts) > 2 {
		binding.HostIP, err = netip.ParseAddr(strings.Trim(strings.Join(parts[:len(parts)-2], ":"), "[]"))
	}
	if err != nil || !slices.Contains([]network.IPProtocol{network.TCP, network.UDP, network.SCTP}, port.Proto()) {
		return port, binding, fmt.Errorf("port-mappings: %q is none; [[address:]port:]port[/protocol] is due", text)
	}
	return port, binding, nil
}

// fixedMapping is a mapping to one port of the machine, which several instances cannot share.
func fixedMapping(s Settings) string {
	for _, mapping := range s.PortMappings {
		if _, b, err := portMapping(mapping); err == nil && b.HostPort != "" && !strings.Contains(b.HostPort, "-") {
			return mapping
		}
	}
	return ""
}

// restartPolicy is Docker's for ours.
func restartPolicy(text string) (container.RestartPolicy, error) {
	name, times, counted := strings.Cut(text, ":")
	policy, ok := map[string]container.RestartPolicyMode{
		restartNever: container.RestartPolicyDisabled, restartOnFailure: container.RestartPolicyOnFailure,
		restartAlways: container.RestartPolicyAlways,
	}[name]
	n, err := strconv.Atoi(times)
	if !ok || counted && (name != restartOnFailure || err != nil || n < 1) {
		return container.RestartPolicy{}, fmt.Errorf(
			"restart-policy is %q; never, on-failure, on-failure:<times> or always is due", text)
	}
	if name == restartNever {
		policy = container.RestartPolicyDisabled
	}
	return container.RestartPolicy{Name: policy, MaximumRetryCount: n}, nil
}

// minMemory is the least that an engine takes.
const minMemory = 6

// limits are memory and processors; without them the container has all that there is.
func limits(r deployer.Request) (container.Resources, error) {
	var out container.Resources
	if size := r.Deployment[deployer.MemoryKey]; size != "" {
		n, err := deployer.Megabytes(size)
		if err != nil {
			return out, err
		}
		if n < minMemory {
			return out, deployer.Errorf(deployer.ErrInvalid, "%s is %s; at least %dm are due", deployer.MemoryKey, size, minMemory)
		}
		out.Memory = int64(n) << 20
	}
	if text := r.Deployment[cpuKey]; text != "" {
		n, err := nanoCPUs(text)
		if err != nil {
			return out, err
		}
		out.NanoCPUs = n
	}
	return out, nil
}

var cpus = regexp.MustCompile(`^(?:\d{1,4}(?:\.\d{1,3})?|\d{1,7}m)$`)

// nanoCPUs reads 2, 0.5 or 500m.
func nanoCPUs(text string) (int64, error) {
	number, milli := strings.CutSuffix(text, "m")
	n, err := strconv.ParseFloat(number, 64)
	if milli {
		n /= 1000
	}
	if err != nil || !cpus.MatchString(text) || n <= 0 {
		return 0, deployer.Errorf(deployer.ErrInvalid, "%s is %q; a number of processors is due, as 2, 0.5 or 500m", cpuKey, text)
	}
	return int64(n * 1e9), nil
}

// checkNetwork says whether there is the network that a container is to be in.
func (d *Deployer) checkNetwork(ctx context.Context, name string) error {
	if name == "" || name == "default" || !published(name) {
		return nil
	}
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	_, err := d.client.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	err = d.fault(reading, "look for the network "+name, err)
	if notFound(err) {
		return deployer.Errorf(deployer.ErrInvalid, "the engine has no network %s; create it with docker network create %s", name, name)
	}
	return err
}
