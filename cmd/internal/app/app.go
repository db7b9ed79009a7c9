// Package app puts a server together: configuration, store, platforms, services, HTTP. The binary and the end-to-end
// tests use the same one.
//
//	a, err := app.New(ctx, app.Options{…})
//	err = a.Run(ctx) // until ctx ends
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server"
	"github.com/skiff-project/skiff/server/catalog"
	"github.com/skiff-project/skiff/server/config"
	"github.com/skiff-project/skiff/server/handler"
	"github.com/skiff-project/skiff/server/operation"
	"github.com/skiff-project/skiff/server/orphan"
	"github.com/skiff-project/skiff/server/release"
	"github.com/skiff-project/skiff/server/rollout"
	"github.com/skiff-project/skiff/server/status"
)

const (
	waitLimit   = 10 * time.Minute // a request waits so long for its operation
	logLimit    = 1 << 20          // bytes of each output stream in an answer
	stopLimit   = 8 * time.Second  // from SIGTERM to the end
	perAccount  = 16               // changing platform calls at once
	statusRound = 5 * time.Second
)

// Options are what the command line and the environment say. Nil leaves a value to the configuration.
type Options struct {
	Version string
	Config  string // a configuration file; empty: the usual one, if it is there
	Port    *int
	Address *string
	DataDir *string
	Environ []string
	Out     io.Writer // the line that tells the address
	Err     io.Writer // the log
	Clock   func() time.Time
}

// App is a server that is ready to run.
type App struct {
	config   config.Config
	log      *slog.Logger
	out      io.Writer
	version  string
	store    storage
	faults   faults // none, unless built with the tag of that name
	accounts deployer.Accounts
	catalog  *catalog.Service
	engine   *operation.Engine
	status   *status.Updater
	orphans  *orphan.Service
	http     *server.Server
}

// Run makes a server and runs it until the context ends.
func Run(ctx context.Context, o Options) error {
	a, err := New(ctx, o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// New loads the configuration, opens the store and puts the parts together; it does not listen yet.
func New(ctx context.Context, o Options) (*App, error) {
	c, warnings, err := config.Load(config.Options{File: o.Config, Environ: o.Environ, Flags: flags(o)})
	if err != nil {
		return nil, &skipper.Error{Code: skipper.CodeInvalid, Message: err.Error()}
	}
	if c.Data.Dir, err = filepath.Abs(c.Data.Dir); err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	log := newLogger(c.Log, o.Err)
	for _, w := range warnings {
		log.WarnContext(ctx, "configuration", "warning", w)
	}
	store, err := repository.Open(ctx, repository.Config{
		URL: string(c.Database.URL), Dir: c.Data.Dir, Clock: o.Clock, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	a := &App{config: c, log: log, out: o.Out, version: o.Version}
	if a.faults, err = newFaults(o.Environ, o.Clock); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	a.store = a.faults.store(store)
	if err := a.wire(ctx, o); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return a, nil
}

func flags(o Options) map[string]string {
	out := map[string]string{}
	if o.Port != nil {
		out["server.port"] = strconv.Itoa(*o.Port)
	}
	if o.Address != nil {
		out["server.address"] = *o.Address
	}
	if o.DataDir != nil {
		out["data.dir"] = *o.DataDir
	}
	return out
}

func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration is validated; this is for an empty one
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// wire makes the services, in the order in which they need each other.
func (a *App) wire(ctx context.Context, o Options) error {
	if a.store.SingleServer() { // whoever held a lease is gone: nobody has to wait for it to run out
		if err := a.store.FreeLeases(ctx); err != nil {
			return err
		}
	}
	installation, err := a.store.Installation(ctx)
	if err != nil {
		return err
	}
	guard := newHosts(a.store, a.config.Host.ID, a.store.SingleServer())
	if a.accounts, err = accounts(a.config, installation, a.store, guard, o, a.log); err != nil {
		return err
	}
	a.accounts = a.faults.accounts(a.accounts, installation)
	a.catalog = catalog.New(a.store, a.log)
	roll := rollout.New(a.store, a.accounts, rollout.Config{
		Installation: installation, HealthPeriod: a.config.HealthCheck.Period,
		DeployTimeout: a.config.Operation.DeployTimeout, UndoTimeout: a.config.Operation.UndoTimeout, Parallel: perAccount,
	}, o.Clock, a.catalog.DeletePackageExcept)
	var releases *release.Service
	var orphans *orphan.Service
	a.engine = operation.New(a.store, roll, operation.Config{
		Owner: uuid.NewString(), Lease: a.config.Operation.Lease, Elsewhere: guard.elsewhere,
		Begin:     func(ctx context.Context, op skipper.Operation) error { return releases.Begin(ctx, op) },
		Disturbed: func() { orphans.Disturbed() },
	}, o.Clock, a.log)
	orphans = orphan.New(a.store, roll, a.accounts, orphan.Config{
		Installation: installation, Period: a.config.Orphans.Period, Remove: a.config.Orphans.Remove,
		Soon: 2 * a.config.Operation.Lease,
	}, a.engine.Wake, o.Clock, a.log)
	a.orphans = orphans
	a.status = status.New(a.store, roll, statusRound, o.Clock, a.log)
	releases = release.New(a.store, a.catalog, a.engine, roll, a.accounts, release.Config{
		HealthTimeout: a.config.HealthCheck.Timeout, WaitLimit: waitLimit, LogLimit: logLimit,
		QueueTimeout: a.config.Operation.QueueTimeout,
	}, o.Clock)
	reader := operation.NewReader(a.store, o.Clock)
	reader.Doing = roll.Doing
	a.http = server.New(server.Config{ //nolint:contextcheck // requests bring contexts of their own
		Address: a.config.Server.Address, Port: a.config.Server.Port, Logger: a.log, Clock: o.Clock,
		Linger: a.config.Server.StopDelay,
		Handler: handler.Config{
			Catalog: a.catalog, Published: a.catalog, Version: o.Version,
			Releases: releases, Operations: reader, Machine: reader, Orphans: a.orphans,
			Webhooks:   a.accounts,
			Actuator:   release.NewActuator(a.store, roll, release.ActuatorConfig{}),
			LinksArray: a.config.Hypermedia.LinksArray, TrustedProxies: a.config.Server.Proxies(),
			Cancellable: a.engine.Cancellable(), Ping: a.store.Ping, Clock: o.Clock, Logger: a.log,
		},
	})
	return nil
}

// Run listens, tells the address, and works until the context ends. Then it stops accepting requests, parks what is
// under way, and closes; applications keep running.
func (a *App) Run(ctx context.Context) error {
	if err := a.prepare(ctx); err != nil {
		return errors.Join(err, a.close(ctx))
	}
	address, err := a.http.Listen(ctx)
	if err != nil {
		return errors.Join(err, a.close(ctx))
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var group sync.WaitGroup
	group.Go(func() { a.engine.Run(work) })
	group.Go(func() { a.status.Run(work) })
	group.Go(func() { a.orphans.Run(work) })
	group.Go(func() { a.tryPlatforms(work) })
	if a.config.Catalog.Synchronize {
		group.Go(func() { a.catalog.Run(work, a.config.Catalog.Refresh) })
	}
	a.greet(address)

	served := make(chan error, 1)
	group.Go(func() { served <- a.http.Serve() })
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	a.log.InfoContext(ctx, "the server stops; applications keep running")
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	stopWork()
	err = errors.Join(err, a.http.Shutdown(limit))
	group.Wait()
	last, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer done()
	return errors.Join(err, a.close(last))
}

// prepare brings the package repositories of the configuration into the store; those that are there stay as they are.
func (a *App) prepare(ctx context.Context) error {
	for _, r := range repositories(a.config) {
		kept, made, err := a.store.EnsureRepository(ctx, r)
		if err != nil {
			return fmt.Errorf("keep package repository %q: %w", r.Name, err)
		}
		if !made && kept.URL != r.URL {
			a.log.WarnContext(ctx, "the package repository is known with another URL, which stays", "name", r.Name)
		}
	}
	return nil
}

func (a *App) close(ctx context.Context) error {
	var errs []error
	for _, account := range a.accounts {
		errs = append(errs, account.Deployer.Close(ctx))
	}
	return errors.Join(append(errs, a.store.Close())...)
}

// greet tells where the server is and what to do next. A person reads it, and so does the demo.
func (a *App) greet(address net.Addr) {
	url := "http://" + address.String()
	_, _ = fmt.Fprintf(a.out, "skiff %s listens on %s\n", a.version, url)
	environment := ""
	if _, port, err := net.SplitHostPort(address.String()); err == nil && port != "7577" {
		environment = "SKIFF_URL=" + url + " "
	}
	_, _ = fmt.Fprintf(a.out, "next: %sskiff package upload testdata/packages/hello-1.0.0\n", environment)
}
