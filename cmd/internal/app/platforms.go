package app

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/config"
)

// accounts makes a deployer for each platform account of the configuration, by name.
func accounts(c config.Config, installation string, ports local.Ports, o Options, log *slog.Logger,
) (deployer.Accounts, error) {
	var out deployer.Accounts
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Local.Accounts)) {
		d, err := local.New(local.Config{
			Account: name, Installation: installation, Settings: settings(c, name), DataDir: c.Data.Dir, Ports: ports,
			Resolver: resource.Resolver{}, Clock: o.Clock, Logger: log, Environ: o.Environ,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, deployer.Account{Name: name, Deployer: d})
	}
	return out, nil
}

func settings(c config.Config, name string) local.Settings {
	a := c.Platform.Local.Accounts[name]
	s := local.DefaultSettings(a.WorkingDirectoriesRoot)
	s.DeleteFilesOnExit, s.UseSpringApplicationJSON, s.InheritLogging =
		a.DeleteFilesOnExit, a.UseSpringApplicationJSON, a.InheritLogging
	s.EnvVarsToInherit, s.JavaCmd, s.JavaHomePath, s.JavaOpts = a.EnvVarsToInherit, a.JavaCmd, a.JavaHomePath, a.JavaOpts
	s.ShutdownTimeout = int(a.ShutdownTimeout / time.Second)
	s.PortLow, s.PortHigh = a.PortRange.Low, a.PortRange.High
	s.DebugAddress, s.DebugPort, s.Hostname = a.DebugAddress, a.DebugPort, a.Hostname
	if !a.DebugSuspend {
		s.DebugSuspend = "n"
	}
	s.AdminUser, s.AdminPassword = a.AppAdmin.User, string(a.AppAdmin.Password)
	s.StartupProbePath, s.HealthProbePath = a.StartupProbe.Path, a.HealthProbe.Path
	return s
}

// repositories gives the package repositories of the configuration, by their order; ids follow it, as in Skipper.
func repositories(c config.Config) []skipper.Repository {
	var out []skipper.Repository
	for _, name := range slices.Sorted(maps.Keys(c.Repositories)) {
		r := c.Repositories[name]
		out = append(out, skipper.Repository{
			Name: name, URL: r.URL, SourceURL: text(r.SourceURL), Local: r.Local, Description: text(r.Description),
			RepoOrder: r.RepoOrder,
		})
	}
	slices.SortStableFunc(out, func(a, b skipper.Repository) int { return order(a) - order(b) })
	return out
}

func order(r skipper.Repository) int {
	if r.RepoOrder == nil {
		return 0
	}
	return *r.RepoOrder
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
