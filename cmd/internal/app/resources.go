package app

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/server/config"
)

// resources finds the files of resources, for all accounts that need files.
func resources(c config.Config, o Options, log *slog.Logger) resource.Resolver {
	m := resource.Maven{
		LocalRepository: c.Maven.LocalRepository, NoDefault: !c.Maven.IncludeDefaultRemoteRepos,
		NoSettings: !c.Maven.UseSettings, Offline: c.Maven.Offline, UpdatePolicy: c.Maven.UpdatePolicy,
		ChecksumPolicy: c.Maven.ChecksumPolicy, ResolvePOM: c.Maven.ResolvePOM,
		ConnectTimeout: c.Maven.ConnectTimeout, RequestTimeout: c.Maven.RequestTimeout,
		Proxy: resource.Proxy{
			Protocol: c.Maven.Proxy.Protocol, Host: c.Maven.Proxy.Host, Port: c.Maven.Proxy.Port,
			NonProxyHosts: c.Maven.Proxy.NonProxyHosts,
			Username:      c.Maven.Proxy.Auth.Username, Password: string(c.Maven.Proxy.Auth.Password),
		},
	}
	for _, name := range slices.Sorted(maps.Keys(c.Maven.RemoteRepositories)) {
		r := c.Maven.RemoteRepositories[name]
		both := policy(r.Policy, resource.Policy{Enabled: true})
		m.Repositories = append(m.Repositories, resource.Repository{
			ID: name, URL: r.URL, Username: r.Auth.Username, Password: string(r.Auth.Password),
			Releases: policy(r.ReleasePolicy, both), Snapshots: policy(r.SnapshotPolicy, both),
		})
	}
	return resource.New(resource.Config{
		Dir: filepath.Join(c.Data.Dir, "resources"), MaxSize: int64(c.Resource.MaxSize),
		CacheSize: int64(c.Resource.CacheSize), Maven: m, Environ: o.Environ, Clock: o.Clock, Logger: log,
	})
}

// policy is what is configured; where nothing is, the one that counts otherwise.
func policy(p config.MavenPolicy, otherwise resource.Policy) resource.Policy {
	if p == (config.MavenPolicy{}) {
		return otherwise
	}
	out := resource.Policy{
		Enabled: p.Enabled == nil || *p.Enabled, Update: p.UpdatePolicy, Checksum: p.ChecksumPolicy,
	}
	if out.Update == "" {
		out.Update = resource.UpdateAlways
	}
	if out.Checksum == "" {
		out.Checksum = resource.ChecksumWarn
	}
	return out
}
