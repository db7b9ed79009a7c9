package handler

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// proxies are the peers that are believed when they say which URL was asked for.
type proxies []netip.Prefix

func (p proxies) trust(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(p, func(known netip.Prefix) bool { return known.Contains(address) })
}

// base gives scheme, host and path prefix of a request, the root of all links in its answer: as the request says or,
// behind a trusted proxy, as the headers Forwarded or X-Forwarded-Proto, -Ssl, -Host, -Port and -Prefix say, which are
// read as Spring reads them. What is not well formed is ignored.
func (p proxies) base(r *http.Request) string {
	o := origin{scheme: "http"}
	if r.TLS != nil {
		o.scheme = "https"
	}
	o.setHost(r.Host)
	if !p.trust(r) {
		return o.String()
	}
	o.forward(r.Header)
	return o.String() + prefixOf(r.Header)
}

// origin is where a URL begins; port is empty for the usual one.
type origin struct{ scheme, host, port string }

func (o *origin) String() string {
	usual := map[string]string{"http": "80", "https": "443"}[o.scheme]
	if o.port == "" || o.port == usual {
		return o.scheme + "://" + o.host
	}
	return o.scheme + "://" + net.JoinHostPort(strings.Trim(o.host, "[]"), o.port)
}

func (o *origin) setHost(authority string) {
	if host, port, err := net.SplitHostPort(authority); err == nil {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		o.host, o.port = host, port
		return
	}
	o.host, o.port = authority, ""
}

func (o *origin) setScheme(scheme string) {
	if scheme = strings.ToLower(scheme); scheme == "http" || scheme == "https" {
		o.scheme, o.port = scheme, ""
	}
}

func (o *origin) setForwardedHost(authority string) {
	next := *o
	next.setHost(authority)
	if validHost(next.host) && (next.port == "" || validPort(next.port)) {
		*o = next
	}
}

func (o *origin) forward(header http.Header) {
	forwarded := header.Get("Forwarded")
	proto := firstOf(header, "X-Forwarded-Proto")
	if forwarded != "" {
		proto = parameter(forwarded, "proto")
	}
	switch {
	case proto != "":
		o.setScheme(proto)
	case strings.EqualFold(header.Get("X-Forwarded-Ssl"), "on"):
		o.setScheme("https")
	}
	if forwarded != "" {
		if host := parameter(forwarded, "host"); host != "" {
			o.setForwardedHost(host)
		}
		return
	}
	if host := firstOf(header, "X-Forwarded-Host"); host != "" {
		o.setForwardedHost(host)
	}
	if port := firstOf(header, "X-Forwarded-Port"); validPort(port) {
		o.port = port
	}
}

// firstOf gives the first of the values that proxies put in a row: the one of the proxy that the caller met.
func firstOf(header http.Header, name string) string {
	first, _, _ := strings.Cut(header.Get(name), ",")
	return strings.TrimSpace(first)
}

// parameter gives the first value of a parameter of the header Forwarded (RFC 7239).
func parameter(forwarded, name string) string {
	for part := range strings.FieldsFuncSeq(forwarded, func(c rune) bool { return c == ',' || c == ';' }) {
		if key, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// prefixOf joins the prefixes of all proxies.
func prefixOf(header http.Header) string {
	var prefix strings.Builder
	for part := range strings.SplitSeq(header.Get("X-Forwarded-Prefix"), ",") {
		prefix.WriteString(strings.TrimRight(strings.TrimSpace(part), "/"))
	}
	if !validPrefix(prefix.String()) {
		return ""
	}
	return prefix.String()
}

// maxHost is the longest name a host can have, and maxPrefix what a path before ours may be: both stand in every link.
const (
	maxHost   = 255
	maxPrefix = 1024
)

func validHost(host string) bool {
	return len(host) <= maxHost && regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$`).MatchString(host)
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func validPrefix(prefix string) bool {
	up := slices.ContainsFunc(strings.Split(prefix, "/"), func(s string) bool { return s == "." || s == ".." })
	return len(prefix) <= maxPrefix && !up &&
		regexp.MustCompile(`^(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*$`).MatchString(prefix)
}
