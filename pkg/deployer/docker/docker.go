// Package docker runs applications as containers of a Docker engine, or of Podman through its Docker socket: on accounts
// of its own, and for the docker: resources of local accounts.
//
// Containers outlive the server. Each carries an owner mark in its labels, together with all that must be known of it,
// so a later server finds it again, whatever the one before had time to note. What has run and ended stays, with its
// exit code and its log, until it is undeployed. The package knows nothing of the store.
//
//	d, err := docker.New(docker.Config{Account: "box", Installation: id, Settings: docker.DefaultSettings(), …})
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Ports leases ports of the engine's machine, so that nothing else chooses the same one.
type Ports interface {
	// Lease gives so many free ports, from low to below high, that are the owner's now; none of those in use.
	// ErrQuota when there are not enough.
	Lease(ctx context.Context, owner string, low, high, count int, inUse []int) ([]int, error)
	// Keep leases ports that are the owner's already.
	Keep(ctx context.Context, owner string, ports []int) error
	// Release gives back all ports of an owner.
	Release(ctx context.Context, owner string) error
}

// Config is what a deployer needs. Everything is required but Host, TLS, Logins, Bind, Ports, Timeout and Environ.
type Config struct {
	Account      string // name of the platform account
	Installation string // marks of another installation are not ours
	Engine       Engine
	Settings     Settings
	// Bind gives the settings of a request; nil: Settings, with the deployment properties of this platform over them.
	Bind func(r deployer.Request) (Settings, error)
	// Ports leases the ports of Settings.SamePort and of the network host; nil: there are none of these.
	Ports   Ports
	Clock   func() time.Time
	Logger  *slog.Logger
	Timeout time.Duration // of each question to the engine; default 10s
	Environ []string      // the server's environment, for DOCKER_HOST and DOCKER_CONFIG
}

// Engine says where an engine is, and how its images are got.
type Engine struct {
	// Host is unix:///path or tcp://host:port; empty: DOCKER_HOST, or /var/run/docker.sock.
	Host string
	// CA, Cert and Key are files for TLS; empty: those in DOCKER_CERT_PATH when Host is empty, or no TLS.
	CA, Cert, Key string
	// Logins are for images of their registries; before those of the Docker configuration file.
	Logins []Login
}

// Login is for one registry.
type Login struct {
	Host               string // as registry.example.com:5000; docker.io for Docker Hub
	Username, Password string
}

const (
	defaultHost    = client.DefaultDockerHost
	defaultTimeout = 10 * time.Second
	probeTimeout   = time.Second
)

// Deployer runs applications as containers.
type Deployer struct {
	Config

	host   string // address of the engine
	client *client.Client
	http   *http.Client

	mu       sync.Mutex
	started  map[string]bool      // containers whose startup probe has passed, by id
	listened map[string]bool      // containers that took a connection when they were last asked
	deadline map[string]time.Time // ends of grace periods that have begun, by container
	self     *surroundings        // see surroundings
}

var (
	_ deployer.Deployer  = (*Deployer)(nil)
	_ deployer.Actuator  = (*Deployer)(nil)
	_ deployer.LogReader = (*Deployer)(nil)
)

// New makes a deployer; it asks the engine nothing. ErrInvalid when the address or the files of TLS cannot be used.
func New(c Config) (*Deployer, error) {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	d := &Deployer{
		Config: c, host: c.Engine.Host,
		http:    &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
		started: map[string]bool{}, listened: map[string]bool{}, deadline: map[string]time.Time{},
	}
	ca, cert, key := c.Engine.CA, c.Engine.Cert, c.Engine.Key
	if d.host == "" {
		if d.host = variable(c.Environ, "DOCKER_HOST"); d.host == "" {
			d.host = defaultHost
		} else if path := variable(c.Environ, "DOCKER_CERT_PATH"); path != "" && ca == "" {
			ca, cert, key = path+"/ca.pem", path+"/cert.pem", path+"/key.pem"
		}
	}
	options := []client.Opt{client.WithHost(d.host), client.WithUserAgent("skiff")}
	if ca != "" || cert != "" {
		options = append(options, client.WithTLSClientConfig(ca, cert, key))
	}
	var err error
	if d.client, err = client.New(options...); err != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the engine %s cannot be used: %w", d.host, err)
	}
	return d, nil
}

func variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// Type is docker.
func (d *Deployer) Type() string { return "docker" }

// Host is the address of the engine.
func (d *Deployer) Host() string { return d.host }

// Describe shows the settings that matter most.
func (d *Deployer) Describe() string {
	return fmt.Sprintf("Host = [%s], Network = [%s], ShutdownTimeout = [%d], DeleteContainerOnExit = [%t]",
		d.host, d.Settings.Network, d.Settings.ShutdownTimeout, d.Settings.DeleteContainerOnExit)
}

// containerName is what an engine takes.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// ID is group.name. ErrInvalid when a part is missing or it gets longer than 255 bytes.
func (d *Deployer) ID(r deployer.Request) (string, error) {
	id := r.Group + "." + r.Name
	switch {
	case r.Group == "" || r.Name == "":
		return "", deployer.Errorf(deployer.ErrInvalid, "a deployment needs a group and a name, found %q", id)
	case len(id) > 255:
		return "", deployer.Errorf(deployer.ErrInvalid, "deployment id %q is longer than 255 bytes; use a shorter release name",
			id)
	}
	return id, nil
}

// Ping says whether the engine answers.
func (d *Deployer) Ping(ctx context.Context) error {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	_, err := d.client.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	return d.fault(reading, "ask the engine", err)
}

// Close lets go of idle connections; applications keep running.
func (d *Deployer) Close(context.Context) error {
	d.http.CloseIdleConnections()
	return d.client.Close()
}

// bounded limits a question that an engine answers at once.
func (d *Deployer) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.Timeout)
}

// remote is the machine of an engine that is reached by network; empty: it is this machine.
func (d *Deployer) remote() string {
	u, err := url.Parse(d.host)
	if err != nil || u.Scheme == "unix" {
		return ""
	}
	return u.Hostname()
}

// portOwner is the owner of a deployment's port leases; the id comes first, because the store goes by it as well.
func (d *Deployer) portOwner(id string) string { return id + "/" + d.Account }

// join makes one error of a kind of many problems.
func join(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return deployer.Errorf(deployer.ErrInvalid, "%w", errors.Join(problems...))
}
