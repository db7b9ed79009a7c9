package edgegap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	checkEvery  = time.Minute // for instances that ended unasked
	checkSoon   = 5 * time.Second
	firstPause  = 10 * time.Second // before a replacement; doubled for each within the hour
	longestWait = 10 * time.Minute
)

// Drain is how long the instances of a request may go on when it was replaced; 0 unless upgrade-strategy is drain.
func (d *Deployer) Drain(r deployer.Request) time.Duration {
	s, wrong := d.spec(r)
	if len(wrong) > 0 || !s.drains {
		return 0
	}
	return s.drain
}

// Maintain renews instances near the end of their life, lets successors take over, replaces what ended unasked, gives up
// what did not become ready, finds the answers that were lost, and stops again what did not stop.
func (d *Deployer) Maintain(ctx context.Context, r deployer.Request, h deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, time.Time, error) {
	rec, err := load(h)
	if err != nil {
		return h, time.Time{}, err
	}
	d.mu.Lock()
	_, removed := d.view.removed[h.ID]
	d.mu.Unlock()
	if rec == nil || removed {
		return h, time.Time{}, nil
	}
	soon := func() time.Time { return d.Clock().Add(checkSoon) }
	if err := d.look(ctx, true, rec.requests); err != nil {
		return h, soon(), err
	}
	before := string(rec.handle(h).Data)
	s, wrong := d.spec(request(r, rec))
	if err := problems(wrong); err != nil {
		return h, time.Time{}, err
	}
	m := &maintenance{d: d, id: h.ID, rec: rec, margin: s.margin, now: d.Clock()}
	d.mu.Lock()
	m.strays()
	m.stopped()
	for _, one := range rec.Slots {
		m.slot(one)
	}
	d.mu.Unlock()
	if len(rec.due()) == 0 && string(rec.handle(h).Data) != before {
		if err := save(rec.handle(h)); err != nil {
			return h, soon(), err
		}
	}
	h, err = d.complete(ctx, request(r, rec), h, rec, save)
	if err != nil {
		return h, soon(), err
	}
	return h, m.next, nil
}

// request is that of the deployment with the count it has now.
func request(r deployer.Request, rec *record) deployer.Request {
	r.Count = len(rec.Slots)
	return r
}

// maintenance is one round over a deployment. Deployer.mu is held.
type maintenance struct {
	d      *Deployer
	id     string
	rec    *record
	margin time.Duration
	now    time.Time
	next   time.Time // when the next round is due; zero: never
}

// at asks for a round.
func (m *maintenance) at(t time.Time) {
	if m.next.IsZero() || t.Before(m.next) {
		m.next = t
	}
}

// strays takes out of service what carries our tags and is known nowhere: the late child of an unanswered deploy that was
// asked for again.
func (m *maintenance) strays() {
	known := m.rec.requests()
	for _, s := range m.d.tagged(m.id) {
		_, leaving := m.d.view.leaving[m.id][s.Request]
		open := slices.ContainsFunc(m.rec.attempts(), func(a indexed) bool { return a.Request == "" && a.Nonce == s.Nonce })
		if !leaving && !open && !slices.Contains(known, s.Request) {
			m.rec.leave(s.Request)
		}
	}
}

// stopped forgets what has gone.
func (m *maintenance) stopped() {
	m.rec.Stopping = slices.DeleteFunc(m.rec.Stopping, func(request string) bool { return m.d.view.sight(request).ended })
	if len(m.rec.Stopping) > 0 {
		m.at(m.now.Add(checkSoon))
	}
}

// slot does what is due for one instance.
func (m *maintenance) slot(s *slot) {
	if s.Failed != "" {
		return
	}
	if s.Request == "" {
		m.at(m.now.Add(checkSoon))
		return
	}
	seen := m.d.view.sight(s.Request)
	if !seen.known { // there was no time to ask for it
		m.at(m.now.Add(checkSoon))
		return
	}
	s.Restarts = m.rec.recent(*s, m.now)
	if s.Next != nil && m.successor(s, seen) {
		return
	}
	over := seen.ended || seen.ending
	aged := over && m.rec.aged(*s, seen, m.now)
	switch {
	case seen.ready:
		s.Ready = true
		m.renew(s, seen)
	case over && (m.rec.OnExit == onExitReplace && !aged || m.rec.Recycle && aged), seen.failed && s.Ready &&
		m.rec.OnExit == onExitReplace:
		m.replace(s)
	case over, seen.failed:
	case m.now.Sub(s.asked()) > m.rec.readyTimeout():
		s.Failed = "it was not ready after " + m.rec.readyTimeout().String() + " and was stopped"
		m.rec.leave(s.Request)
	default: // it starts
		m.at(m.now.Add(checkSoon))
	}
}

// renew asks for a successor when the end of an instance is near.
func (m *maintenance) renew(s *slot, seen sighting) {
	if m.rec.OnExit == onExitReplace {
		m.at(m.now.Add(checkEvery))
	}
	if !m.rec.Recycle || m.rec.MaxMinutes < 0 || s.Next != nil {
		return
	}
	end := expiry(seen)
	if end.IsZero() { // the list does not tell
		m.at(m.now.Add(checkSoon))
		return
	}
	due := end.Add(-m.margin)
	if m.now.Before(due) {
		m.at(due)
		return
	}
	if wait := m.pause(s); wait > 0 {
		m.at(m.now.Add(wait))
		return
	}
	s.Next = &attempt{Nonce: newNonce(m.now)}
	m.at(m.now.Add(checkSoon))
}

// successor looks after the one that takes over; true when there is nothing else to do for the slot now.
func (m *maintenance) successor(s *slot, old sighting) bool {
	if s.Next.Request == "" {
		m.at(m.now.Add(checkSoon))
		return true
	}
	seen := m.d.view.sight(s.Next.Request)
	late := !seen.ready && m.now.Sub(s.Next.asked()) > m.rec.readyTimeout()
	switch {
	case seen.failed || seen.ended || seen.ending || late: // the old one goes on as long as it can
		m.rec.leave(s.Next.Request)
		s.Next = nil
		s.Restarts = append(s.Restarts, m.now.Unix())
		return false
	case seen.ready || old.ended:
		m.rec.leave(s.Request)
		s.attempt, s.Next, s.Ready = *s.Next, nil, seen.ready
		m.at(m.now.Add(checkSoon))
		return true
	}
	m.at(m.now.Add(checkSoon))
	return true
}

// replace asks for another instance in place of one that ended, after a pause that grows, and no more often than allowed.
func (m *maintenance) replace(s *slot) {
	switch wait := m.pause(s); {
	case len(s.Restarts) >= m.rec.MaxRestarts:
		s.Failed = fmt.Sprintf("it ended unasked, after %d replacements within an hour", len(s.Restarts))
	case wait > 0:
		m.at(m.now.Add(wait))
	default:
		m.rec.leave(s.Request) // one in ERROR goes on; what has ended is found to be gone
		s.attempt, s.Ready = attempt{Nonce: newNonce(m.now)}, false
		s.Restarts = append(s.Restarts, m.now.Unix())
		m.at(m.now.Add(checkSoon))
	}
}

// pause is how long to wait before the next replacement.
func (m *maintenance) pause(s *slot) time.Duration {
	if len(s.Restarts) == 0 {
		return 0
	}
	wait := longestWait
	if n := len(s.Restarts); n < 7 {
		wait = min(firstPause<<(n-1), longestWait)
	}
	return max(wait-m.now.Sub(time.Unix(s.Restarts[len(s.Restarts)-1], 0)), 0)
}
