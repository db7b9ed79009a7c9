package edgegap

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates are how many calls Edgegap takes in any second, by kind of call. They count for the whole organization: leave
// room for other programs by making them smaller.
type Rates struct {
	// Deploy is shared by the three deploy calls.
	Deploy float64
	// Status is for Status.
	Status float64
	// List is for Deployments and ListDeployments.
	List float64
	// Hosts is for FleetHosts and ListFleetHosts.
	Hosts float64
	// Other is for all calls without a documented limit.
	Other float64
}

// DocumentedRates are Edgegap's own limits. Other is a guess: no limit is documented for those calls.
func DocumentedRates() Rates { return Rates{Deploy: 40, Status: 20, List: 10, Hosts: 10, Other: 10} }

func (r Rates) negative() bool {
	return r.Deploy < 0 || r.Status < 0 || r.List < 0 || r.Hosts < 0 || r.Other < 0
}

// class is a kind of call with a limit of its own.
type class int

const (
	classOther class = iota
	classDeploy
	classStatus
	classList
	classHosts
	classes
)

// slowFor is how long a limit stays halved after a 429: somebody else uses the organization's share.
const slowFor = 30 * time.Second

type limits [classes]*bucket

func newLimits(r Rates) limits {
	documented := DocumentedRates()
	return limits{
		classOther:  newBucket(or(r.Other, documented.Other)),
		classDeploy: newBucket(or(r.Deploy, documented.Deploy)),
		classStatus: newBucket(or(r.Status, documented.Status)),
		classList:   newBucket(or(r.List, documented.List)),
		classHosts:  newBucket(or(r.Hosts, documented.Hosts)),
	}
}

// bucket spreads calls. A bucket that refills at r and holds b lets at most r+b calls pass in any second, so four
// fifths of the limit are the refill and one fifth is the burst.
type bucket struct {
	queue   chan struct{} // of callers; holds the first
	mu      sync.Mutex
	limiter *rate.Limiter
	full    rate.Limit
	slow    time.Time // the limit is halved until then
	closed  time.Time // nothing passes until then
}

func newBucket(perSecond float64) *bucket {
	burst := max(int(perSecond/5), 1)
	full := rate.Limit(max(perSecond-float64(burst), perSecond/2))
	return &bucket{queue: make(chan struct{}, 1), limiter: rate.NewLimiter(full, burst), full: full}
}

// wait returns when a call may be sent, or with the context's error. Callers stand in a queue, and only the first of
// them holds a reservation: of several, the limiter cannot take back all when their callers leave.
func (b *bucket) wait(ctx context.Context, clock Clock) error {
	select {
	case b.queue <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.queue }()
	delay, reservation := b.reserve(clock.Now())
	for delay > 0 {
		if err := clock.Wait(ctx, delay); err != nil {
			if reservation != nil {
				reservation.CancelAt(clock.Now())
			}
			return err
		}
		now := clock.Now()
		if reservation == nil {
			delay, reservation = b.reserve(now)
			continue
		}
		delay = b.closedFor(now) // a 429 may have come meanwhile
	}
	return ctx.Err()
}

// reserve takes a place. No reservation means to ask again after the delay.
func (b *bucket) reserve(now time.Time) (time.Duration, *rate.Reservation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if delay := b.closed.Sub(now); delay > 0 {
		return delay, nil
	}
	if !b.slow.IsZero() && !now.Before(b.slow) {
		b.limiter.SetLimitAt(now, b.full)
		b.slow = time.Time{}
	}
	reservation := b.limiter.ReserveN(now, 1)
	return reservation.DelayFrom(now), reservation
}

func (b *bucket) closedFor(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.closed.Sub(now), 0)
}

// refused keeps everybody away for a pause and halves the limit for a while.
func (b *bucket) refused(now time.Time, pause time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := now.Add(pause); until.After(b.closed) {
		b.closed = until
	}
	b.limiter.SetLimitAt(now, b.full/2)
	b.slow = b.closed.Add(slowFor)
}
