package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestLoad_ReadsAccountsOfEdgegap(t *testing.T) {
	t.Parallel()
	want := defaultEdgegapAccount()
	want.Connection.Token, want.Connection.Rate.Deploy, want.Connection.MaxRetries = "geheim", 20, 0
	want.Registry = EdgegapRegistry{Host: "registry.edgegap.com", Username: "robot", PasswordEnv: "REGISTRY"}
	want.Deployment = Properties{"users.ip-addresses": "192.0.2.1", "ports": "game:7777/UDP", "env.MODE": "ranked"}
	want.AllowedApplications, want.Webhook.PublicURL = []string{"arena", "lobby"}, "https://skiff.example.com"
	want.PollInterval, want.MaxConcurrentDeployments = 2*time.Second, 7
	for name, root := range map[string]string{"skiff's": "", "Skipper's": "spring.cloud.skipper.server."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, warnings, err := load("skiff.yml", []byte(root+`platform.edgegap.accounts.live:
  connection: {token: '${TOKEN}', rate.deploy: 20, maxRetries: 0}
  registry: {host: registry.edgegap.com, username: robot, password-env: REGISTRY}
  deployment:
    users: {ip-addresses: 192.0.2.1}
    ports: game:7777/UDP
    env.MODE: ranked
  allowed-applications: arena, lobby
  webhook.public-url: https://skiff.example.com
  poll-interval: 2s
  max-concurrent-deployments: 7`), "h", []string{"TOKEN=geheim"}, nil)
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Empty(t, cmp.Diff(map[string]EdgegapAccount{"live": want}, c.Platform.Edgegap.Accounts))
			require.Contains(t, c.Platform.Local.Accounts, "default", "it needs no configuration")
			require.NotContains(t, c.String(), "geheim")
			require.Contains(t, c.String(), "platform.edgegap.accounts.live.deployment.[users.ip-addresses]: 192.0.2.1")
		})
	}
}

func TestLoad_TakesTheTokenFromAVariable(t *testing.T) {
	t.Parallel()
	c, _, err := load("skiff.yml", []byte("platform.edgegap.accounts.live:"), "h",
		[]string{"SKIFF_PLATFORM_EDGEGAP_ACCOUNTS_LIVE_CONNECTION_TOKEN=geheim"}, nil)
	require.NoError(t, err)
	require.Equal(t, Secret("geheim"), c.Platform.Edgegap.Accounts["live"].Connection.Token)
}

func TestLoad_RefusesAccountsOfEdgegapThatCannotWork(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"a: {}": "accounts.a.connection.token must be set",
		"a.connection: {token: geheim, token-env: T}":             "and not both",
		"a.connection: {token: geheim, timeout: 1ms}":             "connection.timeout must be from",
		"a.connection: {token: geheim, rate.list: 0}":             "connection.rate.list must be from 1",
		"a.connection: {token: geheim, base-url: example}":        "connection.base-url must be the address",
		"a: {connection.token: geheim, registry.host: x}":         "registry must have host",
		"a: {connection.token: geheim, poll-interval-idle: 1s}":   "poll-interval-idle must be from",
		"a: {connection.token: geheim, max-instances-per-app: x}": "must be a whole number",
		"a: {connection.tokn: geheim}":                            "did you mean",
		"default: {connection.token: geheim}":                     "have another name",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			_, _, err := load("skiff.yml", []byte("platform.local.accounts.default:\nplatform.edgegap.accounts:\n  "+file), "h", nil, nil)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "geheim")
		})
	}
}
