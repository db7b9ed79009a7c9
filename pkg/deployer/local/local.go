// Package local runs applications as processes of this machine: jars with java, any other executable file as it is.
//
// Processes outlive the server. Each carries an owner mark in its environment and is known by boot, process id and
// start time, so a later server finds it again, whatever the one before had time to note. Linux only: elsewhere New
// answers ErrUnsupported. The package knows nothing of the store; port leases come through Ports.
//
// In a container the server needs an init above it (docker run --init): as process 1 it would inherit the processes
// that applications leave behind, and nobody would reap them. Processes end with their container.
//
//	d, err := local.New(local.Config{Account: "default", Installation: id, DataDir: dir, Ports: store, …})
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/resource"
)

// Ports leases ports, so that two deployments never choose the same one.
type Ports interface {
	// ReservePorts gives those of the ports of the host that are the owner's now; also those that were before.
	ReservePorts(ctx context.Context, host string, ports []int, owner string) ([]int, error)
	// ReleasePorts gives back all ports of an owner.
	ReleasePorts(ctx context.Context, host, owner string) error
}

// Resolver finds the file of a resource.
type Resolver interface {
	// File gives the path of a file on this machine.
	File(ctx context.Context, ref resource.Ref) (string, error)
	// Schemes lists the schemes of the resources that have files here.
	Schemes() []string
}

// Config is what a deployer needs. Everything is required but Environ.
type Config struct {
	Account      string // name of the platform account
	Installation string // marks of another installation are not ours
	Settings     Settings
	DataDir      string // keeps what is known of deployments across restarts of the machine
	Ports        Ports
	Resolver     Resolver
	Clock        func() time.Time
	Logger       *slog.Logger
	Environ      []string // the server's environment, of which applications inherit a part
}

// Deployer runs applications as local processes.
type Deployer struct {
	Config

	host string // id of this machine among the servers of the installation
	boot string // id of this run of the machine
	http *http.Client

	address  string        // see ownAddress
	slots    chan struct{} // a probe takes one
	once     sync.Once     // see begin
	wake     chan struct{}
	life     context.Context // of care; ends with Close
	endLife  context.CancelFunc
	stopping chan struct{}
	watchers sync.WaitGroup // all that works beside the calls
	charge   *os.File       // see inCharge; care's alone
	rotated  time.Time      // when logs were looked at; care's alone
	rotating sync.RWMutex   // held while a log file is put aside, and by its readers

	mu       sync.Mutex
	closed   bool
	runs     map[string]*run      // live processes, by key of their instance
	memory   map[string]*known    // deployments by id
	deadline map[string]time.Time // ends of grace periods that have begun
}

var (
	_ deployer.Deployer  = (*Deployer)(nil)
	_ deployer.Actuator  = (*Deployer)(nil)
	_ deployer.LogReader = (*Deployer)(nil)
)

// New makes a deployer. With its first call it takes over the processes of an earlier one and begins to look after them,
// until Close. ErrUnsupported on systems other than Linux.
func New(c Config) (*Deployer, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil { // a later server may be started in another folder
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	host, err := hostID(c.DataDir)
	if err != nil {
		return nil, err
	}
	if os.Getpid() == 1 {
		c.Logger.Warn("the server is process 1: what applications leave behind is not reaped; run the container with --init")
	}
	life, endLife := context.WithCancel(context.Background()) //nolint:forbidigo // care lasts until Close, not until a call ends
	return &Deployer{
		slots: make(chan struct{}, probesAtOnce), wake: make(chan struct{}, 1), life: life, endLife: endLife,
		stopping: make(chan struct{}), Config: c, host: host, boot: boot,
		http: &http.Client{
			Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true},
		},
		runs: map[string]*run{}, memory: map[string]*known{}, deadline: map[string]time.Time{},
	}, nil
}

// Type is local.
func (d *Deployer) Type() string { return "local" }

// Describe shows the settings that matter most, in Skipper's words.
func (d *Deployer) Describe() string {
	s := d.Settings
	java := ""
	if s.JavaOpts != "" {
		java = fmt.Sprintf("JavaOpts = [%s], ", s.JavaOpts)
	}
	return java + fmt.Sprintf(
		"ShutdownTimeout = [%d], EnvVarsToInherit = [%s], JavaCmd = [%s], WorkingDirectoriesRoot = [%s], "+
			"DeleteFilesOnExit = [%t]", s.ShutdownTimeout, strings.Join(s.EnvVarsToInherit, ","), s.JavaCmd,
		s.WorkingDirectoriesRoot, s.DeleteFilesOnExit)
}

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

// Ping says whether working directories can be made.
func (d *Deployer) Ping(context.Context) error {
	d.begin()
	root := d.Settings.WorkingDirectoriesRoot
	err := os.MkdirAll(root, 0o750)
	if err == nil {
		var probe string
		if probe, err = os.MkdirTemp(root, "skiff-ping-"); err == nil {
			err = os.Remove(probe)
		}
	}
	if err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "working-directories-root cannot be used: %w", err)
	}
	return nil
}

// portOwner is the owner of a deployment's port leases; the id comes first, because the store goes by it as well.
func (d *Deployer) portOwner(id string) string { return id + "/" + d.Account }

// here refuses what another machine runs: only the server there can tell and change it.
func (d *Deployer) here(id string, rec *record) error {
	if rec == nil || rec.Host == d.host || rec.Boot == d.boot {
		return nil
	}
	return deployer.Errorf(deployer.ErrUnavailable,
		"%s runs on another machine, or this one has lost its data folder; start the server there", id)
}

// join makes one error of a kind of many problems.
func join(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return deployer.Errorf(deployer.ErrInvalid, "%w", errors.Join(problems...))
}
