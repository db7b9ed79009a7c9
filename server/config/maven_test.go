package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestMaven_ReadsSkippersKeys(t *testing.T) {
	t.Parallel()
	file := `
maven:
  localRepository: /m2
  remote-repositories:
    spring: {url: https://repo.example/spring}
    nexus:
      url: https://nexus.example/repo
      auth: {username: ann, password: secret}
      snapshot-policy: {update-policy: 'interval:5', checksum-policy: fail}
      release-policy.enabled: false
  connect-timeout: 5000
  request-timeout: 30s
  proxy: {host: proxy.example, port: 3128, non-proxy-hosts: 'localhost|*.example', auth: {username: p, password: q}}
  checksum-policy: ignore
  includeDefaultRemoteRepos: false
  use-wagon: true
resource: {max-size: 300MB, cache-size: 1GB}`
	c, warnings, err := load("application.yml", []byte(file), "h", []string{
		"MAVEN_OFFLINE=true", "MAVEN_REMOTEREPOSITORIES_SPRING_AUTH_USERNAME=bob",
		"MAVEN_REMOTE_REPOSITORIES_SPRING_AUTH_PASSWORD=pw", "SKIFF_MAVEN_UPDATE_POLICY=never", "MAVEN_HOME=/opt/maven",
		`SPRING_APPLICATION_JSON={"maven": {"resolvePom": true}}`,
	}, nil)

	require.NoError(t, err)
	require.Empty(t, cmp.Diff(Maven{
		LocalRepository: "/m2", Offline: true, UseSettings: true, UpdatePolicy: "never", ChecksumPolicy: "ignore",
		ConnectTimeout: 5 * time.Second, RequestTimeout: 30 * time.Second, ResolvePOM: true,
		RemoteRepositories: map[string]MavenRepository{
			"spring": {URL: "https://repo.example/spring", Auth: MavenAuth{Username: "bob", Password: "pw"}},
			"nexus": {
				URL: "https://nexus.example/repo", Auth: MavenAuth{Username: "ann", Password: "secret"},
				SnapshotPolicy: MavenPolicy{UpdatePolicy: "interval:5", ChecksumPolicy: "fail"},
				ReleasePolicy:  MavenPolicy{Enabled: new(false)},
			},
		},
		Proxy: MavenProxy{
			Protocol: "http", Host: "proxy.example", Port: 3128, NonProxyHosts: "localhost|*.example",
			Auth: MavenAuth{Username: "p", Password: "q"},
		},
	}, c.Maven))
	require.Equal(t, Resource{MaxSize: 300 << 20, CacheSize: 1 << 30}, c.Resource)
	require.Equal(t, []string{"these settings do nothing here: maven.use-wagon"}, warnings)
	require.NotContains(t, c.String(), "secret")
	require.Contains(t, c.String(), "resource.max-size: 300MB (resource.max-size in application.yml)")
}

func TestMaven_RefusesWithASentenceForEachProblem(t *testing.T) {
	t.Parallel()
	file := `
maven:
  remote-repositories.a: {url: nexus, auth.username: ann, policy.update-policy: hourly, release-policy.checksum-policy: x}
  update-policy: 'interval:'
  proxy: {protocol: socks, port: 70000}
  request-timeout: 0
resource: {max-size: 1KB, cache-size: 5}`
	_, _, err := load("skiff.yml", []byte(file), "h", nil, nil)

	require.EqualError(t, err, "resource.max-size must be from 1MB\n"+
		"resource.cache-size must be at least resource.max-size, which is 1KB\n"+
		"maven.remote-repositories.a.url must be the address of the repository, as https://host/path\n"+
		"maven.remote-repositories.a.auth must have username and password, or neither\n"+
		"maven.remote-repositories.a.policy.update-policy must be always, daily, interval:<minutes> or never\n"+
		"maven.remote-repositories.a.release-policy.checksum-policy must be fail, warn or ignore\n"+
		"maven.update-policy must be always, daily, interval:<minutes> or never\n"+
		"maven.proxy.protocol must be http or https\n"+
		"maven.proxy.port must be a port from 0 to 65535, not 70000\n"+
		"maven.request-timeout must be from 1ms to 24h0m0s, not 0s")
	_, _, err = load("skiff.yml", []byte("maven.remote-repositories.a.url: https://ann:secret@h/"), "h", nil, nil)
	require.EqualError(t, err, "maven.remote-repositories.a.url must hold no login; use maven.remote-repositories.a.auth")
	_, _, err = load("skiff.yml", []byte("resource.max-size: large"), "h", nil, nil)
	require.ErrorContains(t, err, "resource.max-size (resource.max-size in skiff.yml) must be a size such as 512MB or 10GB")
}

func TestBytes(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{"0": "0B", "1024": "1KB", "1 gb": "1GB", "10TB": "10TB", "1500B": "1500B"} {
		b, err := bytesOf(text)
		require.NoError(t, err)
		require.Equal(t, want, b.String())
	}
	for _, text := range []string{"", "x", "-1", "1.5GB", "1XB", "999999999999TB"} {
		_, err := bytesOf(text)
		require.Error(t, err, text)
	}
}
