package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// dockerScheme is that of resources that run as containers.
const dockerScheme = "docker"

// Mixed is a local account whose docker: resources run as containers of a Docker engine; all else are processes. A handle
// tells by its data which of both it is of; without data both are asked. An account that never ran a container does not
// need an engine: only a docker: resource is refused then.
type Mixed struct {
	*Deployer

	engine *docker.Deployer
	noting sync.Mutex
}

var (
	_ deployer.Deployer  = (*Mixed)(nil)
	_ deployer.Actuator  = (*Mixed)(nil)
	_ deployer.LogReader = (*Mixed)(nil)
)

// DockerDefaults are the docker.* properties of an account without any, as in the reference: ports of applications are
// leased as those of processes are, and published on all addresses under the same number.
func DockerDefaults() docker.Settings {
	s := docker.DefaultSettings()
	s.Network, s.PublishAddress, s.PortLow, s.PortHigh, s.SamePort = "bridge", "0.0.0.0", 20000, 61000, true
	return s
}

// WithDocker gives the account a Docker engine. base are its docker.* properties.
func (d *Deployer) WithDocker(engine docker.Engine, base docker.Settings) (*Mixed, error) {
	base.AdminUser, base.AdminPassword = d.Settings.AdminUser, d.Settings.AdminPassword
	e, err := docker.New(docker.Config{
		Account: d.Account, Installation: d.Installation, Engine: engine, Settings: base,
		Bind:  func(r deployer.Request) (docker.Settings, error) { return d.dockerSettings(base, r) },
		Ports: enginePorts{d}, Clock: d.Clock, Logger: d.Logger, Environ: d.Environ,
	})
	if err != nil {
		return nil, err
	}
	return &Mixed{Deployer: d, engine: e}, nil
}

// dockerSettings are those of a request: what it shares with processes, and the properties that begin with docker.
func (d *Deployer) dockerSettings(base docker.Settings, r deployer.Request) (docker.Settings, error) {
	s, err := d.settings(r)
	if err != nil {
		return base, err
	}
	base.ShutdownTimeout, base.UseSpringApplicationJSON = s.ShutdownTimeout, s.UseSpringApplicationJSON
	base.Hostname, base.StartupProbePath, base.HealthProbePath = s.Hostname, s.StartupProbePath, s.HealthProbePath
	base.AdminUser, base.AdminPassword = s.AdminUser, s.AdminPassword
	base.JavaDebug = func(index int) (string, int) {
		option := s.debugOption(index)
		port, _ := strconv.Atoi(option[strings.LastIndexAny(option, ":=")+1:]) // an option ends with its port
		return option, port
	}
	own := map[string]string{"restart-policy": s.RestartPolicy}
	for name, value := range r.Deployment {
		rest, ok := strings.CutPrefix(name, prefix)
		if property, docker := strings.CutPrefix(rest, "docker."); ok && docker {
			own[property] = value
		}
	}
	return base.Bind(own)
}

// enginePorts leases ports for containers as for processes.
type enginePorts struct{ *Deployer }

// Lease finds free ports, as many as are asked for.
func (p enginePorts) Lease(ctx context.Context, owner string, low, high, count int, inUse []int) ([]int, error) {
	return p.lease(ctx, Settings{PortLow: low, PortHigh: high}, owner, &record{Spare: inUse}, count)
}

// Keep leases ports that containers have already.
func (p enginePorts) Keep(ctx context.Context, owner string, ports []int) error {
	if _, err := p.Ports.ReservePorts(ctx, p.host, ports, owner); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "lease the ports of %s: %w", owner, err)
	}
	return nil
}

// Release gives all ports of an owner back.
func (p enginePorts) Release(ctx context.Context, owner string) error {
	if err := p.Ports.ReleasePorts(ctx, p.host, owner); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "release the ports of %s: %w", owner, err)
	}
	return nil
}

// used is a file that is there since the account ran its first container.
func (d *Mixed) used() string {
	sum := sha256.Sum256([]byte(d.Installation + "/" + d.Account))
	return filepath.Join(d.DataDir, "local", hex.EncodeToString(sum[:16])+".docker")
}

// must says whether the engine has, or may have, containers of the account: without its answer nothing can be said then.
func (d *Mixed) must() bool {
	_, err := os.Stat(d.used())
	return err == nil
}

// note puts that file in place before the first container.
func (d *Mixed) note() error {
	d.noting.Lock()
	defer d.noting.Unlock()
	if d.must() {
		return nil
	}
	if err := writeFile(d.used(), nil); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "note that the account has containers: %w", err)
	}
	return nil
}

// installed says whether there is an engine, running or not.
func (d *Mixed) installed() bool {
	path, local := strings.CutPrefix(d.engine.Host(), "unix://")
	if !local {
		return true
	}
	_, err := os.Stat(path)
	return err == nil
}

// ask lets the engine answer for what nothing else is known of. Where the account never ran a container, an engine that
// cannot be asked is one that has none.
func (d *Mixed) ask(ctx context.Context, question func() error) error {
	if !d.must() && !d.installed() {
		return nil
	}
	err := question()
	if errors.Is(err, deployer.ErrUnavailable) && !d.must() {
		d.Logger.DebugContext(ctx, "the Docker engine was not asked", "account", d.Account, "error", err)
		return nil
	}
	return err
}

// Validate finds everything that can be known to be wrong without starting anything. ErrUnsupported for a container where
// there is no engine.
func (d *Mixed) Validate(ctx context.Context, r deployer.Request) error {
	if r.Resource.Scheme() != dockerScheme {
		return d.Deployer.Validate(ctx, r)
	}
	if !d.installed() {
		return deployer.Errorf(deployer.ErrUnsupported,
			"%s needs a Docker engine, and there is none at %s; install one, or set docker.host of the account %s",
			r.Resource, d.engine.Host(), d.Account)
	}
	return d.engine.Validate(ctx, r)
}

// Deploy starts processes, or containers where the resource is one.
func (d *Mixed) Deploy(ctx context.Context, r deployer.Request, previous *deployer.Handle,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if err := d.Validate(ctx, r); err != nil {
		return deployer.Handle{}, err
	}
	id, err := d.ID(r)
	if err != nil {
		return deployer.Handle{}, err
	}
	if r.Resource.Scheme() != dockerScheme {
		if err := d.noContainer(ctx, id, previous); err != nil {
			return deployer.Handle{ID: id}, err
		}
		return d.Deployer.Deploy(ctx, r, previous, save)
	}
	if d.noted(id) || previous != nil && previous.Data != nil && !docker.Owns(*previous) {
		return deployer.Handle{ID: id}, exists(id)
	}
	if err := ctx.Err(); err != nil {
		return deployer.Handle{ID: id}, deployer.Errorf(deployer.ErrUnavailable, "deploy %s: %w", id, err)
	}
	if err := d.note(); err != nil {
		return deployer.Handle{ID: id}, err
	}
	return d.engine.Deploy(ctx, r, previous, save)
}

// noContainer sees to it that the id of a deployment is not that of a container.
func (d *Mixed) noContainer(ctx context.Context, id string, previous *deployer.Handle) error {
	if previous != nil && previous.Data != nil {
		if docker.Owns(*previous) {
			return exists(id)
		}
		return nil
	}
	return d.ask(ctx, func() error {
		all, err := d.engine.Status(ctx, []deployer.Handle{{ID: id}})
		if err == nil && all[id].State != skipper.StateUnknown {
			err = exists(id)
		}
		return err
	})
}

// Undeploy stops all processes or removes all containers of a deployment.
func (d *Mixed) Undeploy(ctx context.Context, o deployer.Owner, h deployer.Handle) error {
	if docker.Owns(h) {
		return d.engine.Undeploy(ctx, o, h)
	}
	if h.Data == nil {
		if err := d.ask(ctx, func() error { return d.engine.Undeploy(ctx, o, h) }); err != nil {
			return err
		}
	}
	return d.Deployer.Undeploy(ctx, o, h)
}

// Status looks at processes and containers.
func (d *Mixed) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	var processes, containers, either []deployer.Handle
	for _, h := range handles {
		if docker.Owns(h) {
			containers = append(containers, h)
		} else {
			processes = append(processes, h)
		}
	}
	out, err := d.Deployer.Status(ctx, processes)
	if err != nil {
		return nil, err
	}
	for _, h := range processes {
		if h.Data == nil && out[h.ID].State == skipper.StateUnknown {
			either = append(either, h)
		}
	}
	ask := func() error {
		all, err := d.engine.Status(ctx, slices.Concat(containers, either))
		maps.Copy(out, all)
		return err
	}
	switch {
	case len(containers) > 0:
		err = ask()
	case len(either) > 0:
		err = d.ask(ctx, ask)
	}
	return out, err
}

// Scale starts or stops processes or containers.
func (d *Mixed) Scale(ctx context.Context, r deployer.Request, h deployer.Handle, count int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if docker.Owns(h) || h.Data == nil && r.Resource.Scheme() == dockerScheme {
		return d.engine.Scale(ctx, r, h, count, save)
	}
	return d.Deployer.Scale(ctx, r, h, count, save)
}

// Logs joins the logs of all instances.
func (d *Mixed) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	if docker.Owns(h) {
		return d.engine.Logs(ctx, h, limit)
	}
	text, err := d.Deployer.Logs(ctx, h, limit)
	if err != nil || text != "" || h.Data != nil {
		return text, err
	}
	err = d.ask(ctx, func() (err error) {
		text, err = d.engine.Logs(ctx, h, limit)
		return err
	})
	return text, err
}

// ReadLogs gives the lines of containers or of processes.
func (d *Mixed) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions, emit func(deployer.LogLine) error,
) error {
	if docker.Owns(h) {
		return d.engine.ReadLogs(ctx, h, o, emit)
	}
	return d.Deployer.ReadLogs(ctx, h, o, emit)
}

// Instance gives the address of a running instance, and the credentials of app-admin.
func (d *Mixed) Instance(ctx context.Context, h deployer.Handle, id string) (*url.URL, http.Header, error) {
	if docker.Owns(h) {
		return d.engine.Instance(ctx, h, id)
	}
	return d.Deployer.Instance(ctx, h, id)
}

// Discover lists the deployments of the account that have a live process or a container.
func (d *Mixed) Discover(ctx context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	found, err := d.Deployer.Discover(ctx, filter)
	if err != nil {
		return nil, err
	}
	err = d.ask(ctx, func() error {
		more, err := d.engine.Discover(ctx, filter)
		found = append(found, more...)
		return err
	})
	return found, err
}

// Ping says whether working directories can be made and, for an account with containers, whether the engine answers.
func (d *Mixed) Ping(ctx context.Context) error {
	err := d.Deployer.Ping(ctx)
	if err == nil && d.must() {
		err = d.engine.Ping(ctx)
	}
	return err
}

// Close lets go of idle connections; applications keep running.
func (d *Mixed) Close(ctx context.Context) error {
	return errors.Join(d.Deployer.Close(ctx), d.engine.Close(ctx))
}
