package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// check gathers what is wrong with a configuration.
type check struct{ problems []error }

// must notes that the value of key is not as the rest of the sentence says.
func (c *check) must(ok bool, key, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, fmt.Errorf("%s must %s", key, fmt.Sprintf(format, args...)))
	}
}

func (c *check) port(n, least int, key string) {
	c.must(n >= least && n <= 65535, key, "be a port from %d to 65535, not %d", least, n)
}

func (c *check) between(d, least, most time.Duration, key string) {
	c.must(d >= least && d <= most, key, "be from %s to %s, not %s", least, most, d)
}

// validate says all that is wrong with the values, in a stable order.
func validate(c Config) error {
	v := &check{}
	v.must(validHost(c.Server.Address), "server.address", "be an IP address or a host name, as 127.0.0.1 or 0.0.0.0")
	v.port(c.Server.Port, 0, "server.port")
	v.must(c.Server.StopDelay >= 0 && c.Server.StopDelay <= 5*time.Second, "server.stop-delay", "be a time from 0s to 5s")
	v.proxies(c.Server)
	v.must(c.Data.Dir != "", "data.dir", "name a folder")
	v.must(validDatabase(string(c.Database.URL)), "database.url",
		"be postgres://user:password@host:port/name, or left out for SQLite in data.dir")
	levels := []string{"debug", "info", "warn", "error"}
	v.must(slices.Contains(levels, c.Log.Level), "log.level", "be debug, info, warn or error")
	v.must(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format", "be text or json")
	v.times(c)
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Local.Accounts)) {
		v.account(c.Platform.Local.Accounts[name], display([]string{"platform", "local", "accounts", name})+".")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Docker.Accounts)) {
		key := display([]string{"platform", "docker", "accounts", name})
		_, taken := c.Platform.Local.Accounts[name]
		v.must(!taken, key, "have another name: platform.local.accounts has one of this name too")
		v.dockerAccount(c.Platform.Docker.Accounts[name], key+".")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Edgegap.Accounts)) {
		_, taken := c.Platform.Local.Accounts[name]
		v.must(!taken, display([]string{"platform", "edgegap", "accounts", name}),
			"have another name: platform.local.accounts has one of this name too")
		_, taken = c.Platform.Docker.Accounts[name]
		v.must(!taken, display([]string{"platform", "edgegap", "accounts", name}),
			"have another name: platform.docker.accounts has one of this name too")
		v.edgegap(c.Platform.Edgegap.Accounts[name], display([]string{"platform", "edgegap", "accounts", name})+".")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Platform.Kubernetes.Accounts)) {
		_, local := c.Platform.Local.Accounts[name]
		_, edgegap := c.Platform.Edgegap.Accounts[name]
		v.must(!local && !edgegap, display([]string{"platform", "kubernetes", "accounts", name}),
			"have another name: another platform has an account of this name too")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Repositories)) {
		u, err := url.Parse(c.Repositories[name].URL)
		v.must(err == nil && u.IsAbs(), display([]string{"repositories", name, "url"}),
			"be the address of the repository, as https://host/path")
	}
	v.resource(c.Resource)
	v.maven(c.Maven)
	return errors.Join(v.problems...)
}

const maxRefresh = 7 * 24 * time.Hour

func (c *check) times(in Config) {
	c.between(in.HealthCheck.Period, 10*time.Millisecond, time.Hour, "healthcheck.period")
	c.between(in.HealthCheck.Timeout, in.HealthCheck.Period, 24*time.Hour, "healthcheck.timeout")
	c.must(in.Catalog.Refresh == 0 || in.Catalog.Refresh >= time.Second && in.Catalog.Refresh <= maxRefresh,
		"catalog.refresh", "be 0, or from 1s to %s, not %s", maxRefresh, in.Catalog.Refresh)
	c.between(in.Operation.DeployTimeout, time.Second, 24*time.Hour, "operation.deploy-timeout")
	c.between(in.Operation.UndoTimeout, time.Second, 24*time.Hour, "operation.undo-timeout")
	c.between(in.Operation.QueueTimeout, time.Second, 7*24*time.Hour, "operation.queue-timeout")
	c.between(in.Operation.Lease, time.Second, 10*time.Minute, "operation.lease")
	c.between(in.Orphans.Period, time.Second, maxRefresh, "orphans.period")
}

func (c *check) account(a LocalAccount, key string) {
	for _, pattern := range a.EnvVarsToInherit {
		_, err := regexp.Compile(pattern)
		c.must(err == nil, key+"env-vars-to-inherit", "hold regular expressions; %q is none", pattern)
	}
	c.must(a.JavaCmd != "", key+"java-cmd", "name a program, as java")
	c.between(a.ShutdownTimeout, time.Second, time.Hour, key+"shutdown-timeout")
	c.port(a.PortRange.Low, 1, key+"port-range.low")
	c.port(a.PortRange.High, 1, key+"port-range.high")
	c.must(a.PortRange.Low < a.PortRange.High, key+"port-range.high", "be above port-range.low (%d)", a.PortRange.Low)
	c.port(a.DebugPort, 0, key+"debug-port")
	c.probe(a.StartupProbe, key+"startup-probe.path")
	c.probe(a.HealthProbe, key+"health-probe.path")
	c.localDocker(a.Docker, key+"docker.")
	c.care(a, key)
}

// care checks what counts while an application runs.
func (c *check) care(a LocalAccount, key string) {
	c.oneOf(a.RestartPolicy, key+"restart-policy", "never", "on-failure", "always")
	c.must(a.RestartDelay >= 0 && a.RestartDelay <= time.Minute, key+"restart-delay", "be from 0s to 1m")
	if a.OnLost != "" {
		c.oneOf(a.OnLost, key+"on-lost", "report", "restart")
	}
	c.oneOf(a.OnServerExit, key+"on-server-exit", "leave", "stop")
	c.must(sizePattern.MatchString(a.LogMaxSize), key+"log-max-size", "be a size as 16m or 1g")
	c.must(a.LogMaxFiles >= 0 && a.LogMaxFiles <= 1000, key+"log-max-files", "be from 0 to 1000")
	c.must(a.Limits.Memory == "" || sizePattern.MatchString(a.Limits.Memory), key+"limits.memory", "be a size as 512m or 1g")
	c.must(a.Limits.CPU == "" || coresPattern.MatchString(a.Limits.CPU), key+"limits.cpu", "be cores as 1.5 or 500m")
}

func (c *check) oneOf(value, key string, allowed ...string) {
	c.must(slices.Contains(allowed, value), key, "be one of %s", strings.Join(allowed, ", "))
}

var (
	sizePattern  = regexp.MustCompile(`^\d{1,9}[mMgG]?$`)
	coresPattern = regexp.MustCompile(`^(\d{1,7}m|\d{1,4}(\.\d{1,3})?)$`)
)

func (c *check) probe(p Probe, key string) {
	c.must(p.Path == "" || strings.HasPrefix(p.Path, "/"), key, "begin with /")
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

func validName(name string) bool { return namePattern.MatchString(name) }

func validHost(host string) bool {
	return net.ParseIP(host) != nil || validName(host)
}

func validDatabase(text string) bool {
	u, err := url.Parse(text)
	return text == "" || err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
}
