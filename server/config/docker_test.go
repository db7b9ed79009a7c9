package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestLoad_ReadsAccountsOfDocker(t *testing.T) {
	t.Parallel()
	want := DockerAccount{
		DockerEngine: DockerEngine{
			Host: "tcp://engine:2376", TLS: DockerTLS{CA: "/ca.pem", Cert: "/cert.pem", Key: "/key.pem"},
			Registry: DockerRegistry{Host: "registry:5000", Username: "robot", Password: "geheim"},
		},
		Deployment: Properties{"container.name": "x", "network": "apps"}, AppAdmin: AppAdmin{User: "admin", Password: "geheim"},
	}
	c, warnings, err := load("skiff.yml", []byte(`platform:
  docker.accounts:
    box:
      host: tcp://engine:2376
      tls: {ca: /ca.pem, cert: /cert.pem, key: /key.pem}
      registry: {host: 'registry:5000', username: robot, password: '${PASSWORD}'}
      deployment: {container.name: x, network: apps}
      app-admin: {user: admin, password: '${PASSWORD}'}
    plain:
  local.accounts.default.docker: {host: 'unix:///run/podman/podman.sock', network: '', port-range.low: 30000}`), "h",
		[]string{"PASSWORD=geheim"}, nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Empty(t, cmp.Diff(map[string]DockerAccount{"box": want, "plain": {}}, c.Platform.Docker.Accounts))
	require.NotContains(t, c.String(), "geheim")
	local := defaultLocalDocker()
	local.Host, local.Network, local.PortRange.Low = "unix:///run/podman/podman.sock", "", 30000
	require.Empty(t, cmp.Diff(local, c.Platform.Local.Accounts["default"].Docker))
}

func TestLoad_RefusesAccountsOfDockerThatCannotWork(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"docker.accounts.a.host: /var/run/docker.sock":                         "docker.accounts.a.host must be the address",
		"docker.accounts.a.host: 'tcp://u:geheim@h:1'":                         "docker.accounts.a.host must be the address",
		"docker.accounts.a.tls.cert: x":                                        "docker.accounts.a.tls must have both",
		"docker.accounts.a.registry: {host: x, username: u}":                   "docker.accounts.a.registry must have host",
		"docker.accounts.a.deployment.app-admin.password: geheim":              "which would be shown",
		"docker.accounts.a.hosst: x":                                           "did you mean",
		"docker.accounts.default: {}":                                          "have another name",
		"{docker.accounts.a: {}, edgegap.accounts.a.connection.token: geheim}": "have another name",
		"local.accounts.default.docker.port-range: {low: 5, high: 5}":          "docker.port-range.high must be above",
		"local.accounts.default.docker.host: x":                                "docker.host must be the address",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			_, _, err := load("skiff.yml", []byte("platform:\n  local.accounts.default.java-cmd: java\n  "+file), "h", nil, nil)
			if file[0] == '{' {
				_, _, err = load("skiff.yml", []byte("platform: "+file), "h", nil, nil)
			}
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "geheim")
		})
	}
}
