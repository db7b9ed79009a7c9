package local

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	dialTimeout  = 100 * time.Millisecond
	probeTimeout = time.Second
)

const (
	loopback      = "127.0.0.1"
	lookupTimeout = time.Second
)

// ownAddress is the IPv4 address that the machine's own name stands for, as in the reference, or the loopback one.
func (d *Deployer) ownAddress(ctx context.Context) string {
	d.named.Do(func() {
		d.address = loopback
		name, err := os.Hostname()
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		if found, err := net.DefaultResolver.LookupIP(ctx, "ip4", name); err == nil && len(found) > 0 {
			d.address = found[0].String()
		}
	})
	return d.address
}

// base lists under which addresses an instance may be reached, without port; the first is for people.
func (d *Deployer) base(ctx context.Context, rec *record) []string {
	if rec.Hostname != "" {
		return []string{"http://" + rec.Hostname}
	}
	own := d.ownAddress(ctx)
	if own == loopback {
		return []string{"http://" + loopback}
	}
	return []string{"http://" + own, "http://" + loopback} // many programs listen on the loopback address only
}

func (d *Deployer) answers(ctx context.Context, rec *record, port int) (string, bool) {
	dialer := net.Dialer{Timeout: dialTimeout}
	for _, base := range d.base(ctx, rec) {
		address := net.JoinHostPort(strings.TrimPrefix(base, "http://"), strconv.Itoa(port))
		if connection, err := dialer.DialContext(ctx, "tcp", address); err == nil {
			_ = connection.Close()
			return base + ":" + strconv.Itoa(port), true
		}
	}
	return "", false
}

// hasStarted asks the startup probe until it has passed once.
func (d *Deployer) hasStarted(ctx context.Context, rec *record, i instance, base string) bool {
	d.mu.Lock()
	passed := d.started[i.Nonce]
	d.mu.Unlock()
	if passed || !d.probe(ctx, base, rec.StartupProbe) {
		return passed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.started[i.Nonce] = true
	return true
}

func (d *Deployer) probe(ctx context.Context, base, path string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/"+strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		return false
	}
	answer, err := d.http.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode/100 == 2
}
