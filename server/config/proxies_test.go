package config

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProxies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file     string
		environ  []string
		trusted  []string
		stranger []string
	}{
		"none":     {"", nil, nil, []string{"127.0.0.1", "10.0.0.1", "8.8.8.8"}},
		"networks": {"server.trusted-proxies: [203.0.113.0/24, '2001:db8::1']", nil, []string{"203.0.113.9", "2001:db8::1"}, []string{"127.0.0.1", "203.0.114.1", "2001:db8::2"}},
		"variable": {"", []string{"SKIFF_SERVER_TRUSTED_PROXIES=10.1.2.3, 10.2.0.0/16"}, []string{"10.1.2.3", "10.2.9.9"}, []string{"10.1.2.4"}},
		"Spring's": {
			"server: {forward-headers-strategy: NATIVE, trusted-proxies: 203.0.113.7}", nil,
			[]string{"127.0.0.1", "::1", "10.0.0.1", "172.31.0.1", "192.168.1.1", "fd00::1", "203.0.113.7"},
			[]string{"8.8.8.8", "172.32.0.1", "2001:db8::1"},
		},
		"Spring's variable": {
			"", []string{"SERVER_FORWARD_HEADERS_STRATEGY=framework"}, []string{"127.0.0.1"}, []string{"8.8.8.8"},
		},
		"Spring's, off": {"server.forward-headers-strategy: none", nil, nil, []string{"127.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, warnings, err := load("skiff.yml", []byte(tc.file), "h", tc.environ, nil)
			require.NoError(t, err)
			require.Empty(t, warnings)
			trust := func(address string) bool {
				return slices.ContainsFunc(c.Server.Proxies(), func(p netip.Prefix) bool {
					return p.Contains(netip.MustParseAddr(address))
				})
			}
			for _, address := range tc.trusted {
				require.True(t, trust(address), address)
			}
			for _, address := range tc.stranger {
				require.False(t, trust(address), address)
			}
		})
	}
	_, _, err := load("skiff.yml", []byte("server: {trusted-proxies: [proxy.example], forward-headers-strategy: all}"), "h",
		nil, nil)
	require.ErrorContains(t, err, `server.trusted-proxies must hold addresses or networks, as 10.0.0.0/8; "proxy.example" is none`)
	require.ErrorContains(t, err, "server.forward-headers-strategy must be native, framework or none")
}
