package local

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	dialTimeout  = 100 * time.Millisecond
	probeTimeout = time.Second

	firstLook   = 20 * time.Millisecond // between the first looks at a new process; it doubles
	longestLook = time.Second           // while it is not well
	steadyLook  = 5 * time.Second       // once it is
	lostAfter   = 3                     // failures in a row, before what was well is not
)

const (
	loopback      = "127.0.0.1"
	lookupTimeout = time.Second
)

// ownAddress is the IPv4 address that the machine's own name stands for, as in the reference, or the loopback one.
func ownAddress(ctx context.Context) string {
	name, err := os.Hostname()
	if err != nil {
		return loopback
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if found, err := net.DefaultResolver.LookupIP(ctx, "ip4", name); err == nil && len(found) > 0 {
		return found[0].String()
	}
	return loopback
}

// bases lists under which addresses an instance may be reached, without port; the first is for people.
func (r *record) bases(own string) []string {
	if r.Hostname != "" {
		return []string{"http://" + r.Hostname}
	}
	if own == "" || own == loopback {
		return []string{"http://" + loopback}
	}
	return []string{"http://" + own, "http://" + loopback} // many programs listen on the loopback address only
}

func (d *Deployer) unseen(r *run) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !r.looked && r.instance.Port > 0
}

// look asks the port and the probes of a run once, and keeps what they say. A look that is cut short says nothing.
func (d *Deployer) look(ctx context.Context, r *run) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		d.keep(r, func(s *sight) { s.probing = false })
		return
	}
	d.mu.Lock()
	started := r.started
	d.mu.Unlock()
	base, listens := d.answers(ctx, r.rec, r.instance.Port)
	if !started {
		started = r.rec.StartupProbe == "" || (listens && d.probe(ctx, base, r.rec.StartupProbe))
	}
	well := listens && started && (r.rec.HealthProbe == "" || d.probe(ctx, base, r.rec.HealthProbe))
	if ctx.Err() != nil {
		d.keep(r, func(s *sight) { s.probing = false })
		return
	}
	now := d.Clock()
	d.keep(r, func(s *sight) {
		s.probing, s.looked, s.started, s.url = false, true, started, base
		s.conclude(r.rec, well, listens)
		s.next = now.Add(s.pause)
	})
}

func (d *Deployer) keep(r *run, change func(*sight)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&r.sight)
}

// conclude finds the state. What was well stays so until it failed several times in a row; what never was is deploying,
// or failed, as in the reference, where a health probe does not answer well.
func (s *sight) conclude(rec *record, well, listens bool) {
	if well {
		s.state, s.reason, s.failures, s.healthy, s.pause = skipper.StateDeployed, "", 0, true, steadyLook
		return
	}
	s.failures++
	s.pause = min(2*s.pause, longestLook)
	if s.failures < lostAfter {
		return
	}
	switch {
	case rec.HealthProbe != "" && s.started:
		s.state, s.reason = skipper.StateFailed, "its health probe "+rec.HealthProbe+" does not answer well"
	case s.healthy && !listens:
		s.state, s.reason = skipper.StateFailed, "it does not listen on its port any more"
	}
}

// answers finds the address on which a port is listened on; else that for people.
func (d *Deployer) answers(ctx context.Context, rec *record, port int) (string, bool) {
	dialer := net.Dialer{Timeout: dialTimeout}
	bases := rec.bases(d.address)
	for _, base := range bases {
		address := net.JoinHostPort(strings.TrimPrefix(base, "http://"), strconv.Itoa(port))
		if connection, err := dialer.DialContext(ctx, "tcp", address); err == nil {
			_ = connection.Close()
			return base + ":" + strconv.Itoa(port), true
		}
	}
	return bases[0] + ":" + strconv.Itoa(port), false
}

// probe says whether a path answers with a 2xx.
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
