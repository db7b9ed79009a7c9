package app

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/deployer/kubernetes"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	client "github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/config"
)

// accounts makes a deployer for each platform account of the configuration, by name.
func accounts(c config.Config, installation string, ports local.Ports, guard *hosts, o Options, log *slog.Logger,
) (deployer.Accounts, error) {
	var out deployer.Accounts
	files := resources(c, o, log)
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Local.Accounts)) {
		d, err := local.New(local.Config{
			Account: name, Installation: installation, Settings: settings(c, name), DataDir: c.Data.Dir, Ports: ports,
			Resolver: files, Clock: o.Clock, Logger: log, Environ: o.Environ,
		})
		if err != nil {
			return nil, err
		}
		containers := c.Platform.Local.Accounts[name].Docker
		settings, err := localDocker(containers)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "platform.local.accounts.%s.docker: %w", name, err)
		}
		mixed, err := d.WithDocker(engine(containers.DockerEngine, o.Environ), settings)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "platform.local.accounts.%s.docker: %w", name, err)
		}
		out = append(out, deployer.Account{Name: name, Deployer: guard.keep(name, mixed)})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Docker.Accounts)) {
		account := c.Platform.Docker.Accounts[name]
		settings, err := docker.DefaultSettings().Bind(account.Deployment)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "platform.docker.accounts.%s.deployment: %w", name, err)
		}
		if account.AppAdmin.User != "" {
			settings.AdminUser, settings.AdminPassword = account.AppAdmin.User, string(account.AppAdmin.Password)
		}
		d, err := docker.New(docker.Config{
			Account: name, Installation: installation, Engine: engine(account.DockerEngine, o.Environ), Settings: settings,
			Clock: o.Clock, Logger: log, Environ: o.Environ,
		})
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "platform.docker.accounts.%s: %w", name, err)
		}
		out = append(out, deployer.Account{Name: name, Deployer: d})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Edgegap.Accounts)) {
		d, err := edgegap.New(edgegap.Config{
			Account: name, Installation: installation, Settings: edgegapSettings(c.Platform.Edgegap.Accounts[name], o.Environ),
			Clock: o.Clock, Logger: log,
		})
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "platform.edgegap.accounts.%s: %w", name, err)
		}
		out = append(out, deployer.Account{Name: name, Deployer: d})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Kubernetes.Accounts)) {
		d, err := kubernetes.New(kubernetes.Config{
			Account: name, Installation: installation, Properties: c.Platform.Kubernetes.Accounts[name],
			Environ: o.Environ, Clock: o.Clock,
		})
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "platform.kubernetes.accounts.%s: %w", name, err)
		}
		out = append(out, deployer.Account{Name: name, Deployer: d})
	}
	return out, nil
}

// tryPlatforms warns of accounts that cannot be used, as one whose token is refused: a server starts all the same.
func (a *App) tryPlatforms(ctx context.Context) {
	for _, account := range a.accounts {
		if err := account.Deployer.Ping(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "a platform account cannot be used now", "account", account.Name, "error", err)
		}
	}
}

func edgegapSettings(a config.EdgegapAccount, environ []string) edgegap.Settings {
	n := a.Connection
	s := edgegap.Settings{
		BaseURL: n.BaseURL, Token: client.Secret(secret(n.Token, n.TokenEnv, environ)), Timeout: n.Timeout,
		MaxRetries: n.MaxRetries, Deployment: a.Deployment, MaxConcurrent: a.MaxConcurrentDeployments,
		Rates: client.Rates{
			Deploy: float64(n.Rate.Deploy), Status: float64(n.Rate.Status), List: float64(n.Rate.List),
			Hosts: float64(n.Rate.Hosts), Other: float64(n.Rate.Other),
		},
		Registry: edgegap.Registry{
			Host: a.Registry.Host, Username: a.Registry.Username,
			Password: client.Secret(secret(a.Registry.Password, a.Registry.PasswordEnv, environ)),
		},
		MaxPerApp: a.MaxInstancesPerApp, Allowed: a.AllowedApplications, PublicURL: a.Webhook.PublicURL,
		PollInterval: a.PollInterval, PollIdle: a.PollIntervalIdle, Staleness: a.StatusStaleness,
	}
	if s.MaxRetries == 0 {
		s.MaxRetries = -1 // never, which 0 does not say there
	}
	return s
}

// secret is the one given, or the value of the variable that is named in its place.
func secret(given config.Secret, variable string, environ []string) string {
	if variable == "" {
		return string(given)
	}
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, variable+"="); ok {
			return value
		}
	}
	return ""
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
	s.RestartPolicy, s.RestartDelay = a.RestartPolicy, int(a.RestartDelay/time.Second)
	s.OnLost, s.OnServerExit = a.OnLost, a.OnServerExit
	s.LimitMemory, s.LimitCPU, s.LogMaxFiles = a.Limits.Memory, a.Limits.CPU, a.LogMaxFiles
	if size, err := deployer.Megabytes(a.LogMaxSize); err == nil { // the configuration is validated
		s.LogMaxSize = size
	}
	return s
}

// localDocker are the docker.* properties of a local account.
func localDocker(a config.LocalDocker) (docker.Settings, error) {
	return local.DockerDefaults().Bind(map[string]string{
		"network": a.Network, "volume-mounts": a.VolumeMounts, "port-mappings": a.PortMappings,
		"additional-hosts": a.AdditionalHosts, "delete-container-on-exit": strconv.FormatBool(a.DeleteContainerOnExit),
		"port-range.low": strconv.Itoa(a.PortRange.Low), "port-range.high": strconv.Itoa(a.PortRange.High),
		"publish-address": a.PublishAddress,
	})
}

func engine(e config.DockerEngine, environ []string) docker.Engine {
	out := docker.Engine{Host: e.Host, CA: e.TLS.CA, Cert: e.TLS.Cert, Key: e.TLS.Key}
	if r := e.Registry; r.Host != "" {
		out.Logins = []docker.Login{{
			Host: r.Host, Username: r.Username, Password: secret(r.Password, r.PasswordEnv, environ),
		}}
	}
	return out
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
