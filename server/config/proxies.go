package config

import (
	"net/netip"
	"slices"
	"strings"
)

// local are the addresses of this machine and of private networks, whose proxies Spring's strategies trust.
func local() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range []string{
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
		"::1/128", "fc00::/7", "fe80::/10",
	} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// Proxies gives the addresses whose word about the caller's URL counts: those of trusted-proxies, and all local ones
// where forward-headers-strategy says so.
func (s Server) Proxies() []netip.Prefix {
	var out []netip.Prefix
	if s.forwards() {
		out = local()
	}
	for _, text := range s.TrustedProxies {
		if p, err := network(text); err == nil { // the configuration is validated
			out = append(out, p)
		}
	}
	return out
}

func (s Server) forwards() bool {
	return slices.Contains([]string{"native", "framework"}, strings.ToLower(s.ForwardHeadersStrategy))
}

// network reads 10.0.0.0/8, or one address.
func network(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

func (c *check) proxies(s Server) {
	for _, text := range s.TrustedProxies {
		_, err := network(text)
		c.must(err == nil, "server.trusted-proxies", "hold addresses or networks, as 10.0.0.0/8; %q is none", text)
	}
	c.must(s.forwards() || slices.Contains([]string{"", "none"}, strings.ToLower(s.ForwardHeadersStrategy)),
		"server.forward-headers-strategy", "be native, framework or none")
}
