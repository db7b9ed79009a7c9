package edgegaptest

import (
	"context"
	"net/http"
	"time"
)

const (
	// DefaultToken is the token of the organization that a fake starts with.
	DefaultToken = "00000000-0000-4000-8000-00000000cafe"
	// DefaultOrganization is its name.
	DefaultOrganization = "default"
	// MissingTag is the tag of images that no registry has: a version with it is refused when verify_image is set, and
	// its deployments end in ERROR.
	MissingTag = "missing"
)

// Options say how a Fake behaves. The zero value is Edgegap as it is documented, with a quick life.
type Options struct {
	// Token is that of the first organization; DefaultToken if empty.
	Token string
	// Now tells the time; the system's if nil.
	Now func() time.Time
	// Wait makes slow answers slow; real time if nil.
	Wait func(ctx context.Context, d time.Duration) error
	// Seed makes ids, ports and chaos repeatable.
	Seed uint64
	// StateFile keeps everything that was made, so that it outlives the process; the journal, scripts and the counts of
	// the rate limits do not. It is written before a call is answered. One process at a time uses it. Empty keeps it in
	// memory.
	StateFile string
	// Control answers /_fake/ (see control.go), which needs no token.
	Control bool

	// Pace is how long the states last; Fast if zero.
	Pace Pace
	// Limits are the calls in any second; the documented ones where 0, none where negative.
	Limits Limits
	// Refusal is how a 429 looks.
	Refusal Refusal
	// FreeTier restricts an organization: 1 deployment of 60 minutes, 2 applications, 2 versions, 1536 units, 3072 MB.
	FreeTier bool
	// MaxTag is the longest tag; 20 if 0.
	MaxTag int
	// Lenient takes requests with unknown fields and parameters and without a Content-Type.
	Lenient bool
	// UnknownStatus answers the status of an unknown id; 400 if 0, as the real one does.
	UnknownStatus int
	// UnknownStop answers a stop of an unknown id; 404 if 0.
	UnknownStop int
	// BulkStopStatus answers a bulk-stop; 202 if 0.
	BulkStopStatus int
	// OldFleets knows /v2/private-fleets:deploy only, NewFleets only /v2/private-fleets/deployments.
	OldFleets, NewFleets bool
	// NoOverflow fails a fleet deploy when its hosts are full, instead of going to the cloud.
	NoOverflow bool
	// Tombstone is how long an ended deployment can be read; a minute if 0.
	Tombstone time.Duration
	// GoneForever answers 410 to a stop also after that.
	GoneForever bool
	// ErrorCleanup ends a deployment in ERROR by itself; 10 minutes if 0.
	ErrorCleanup time.Duration
	// ListDelay is how long a deployment is missing from lists after it was made.
	ListDelay time.Duration
	// BareLists leaves out of lists what is not in the specification: status, application and version.
	BareLists bool
	// ClientIP is what /v1/ip answers; 203.0.113.10 if empty.
	ClientIP string
	// Webhooks say how they are delivered.
	Webhooks Webhooks
}

// Pace is how long a deployment stays in each state.
type Pace struct {
	Initializing, Seeking, Seeked, Scanning, Deploying time.Duration
	// Uncached is added to Deploying when the location does not hold the image.
	Uncached time.Duration
	// Grace is the longest time from SIGTERM to the end, whatever the version allows.
	Grace time.Duration
	// SeenReady is how long a deployment that was stopped while it started is READY first.
	SeenReady time.Duration
}

// Fast is half a second from the request to READY.
func Fast() Pace {
	return Pace{
		Initializing: 50 * time.Millisecond, Seeking: 100 * time.Millisecond, Seeked: 50 * time.Millisecond,
		Scanning: 50 * time.Millisecond, Deploying: 200 * time.Millisecond,
		Grace: 100 * time.Millisecond, SeenReady: 50 * time.Millisecond,
	}
}

// Real is about as long as Edgegap takes.
func Real() Pace {
	return Pace{
		Initializing: 300 * time.Millisecond, Seeking: time.Second, Seeked: 200 * time.Millisecond,
		Scanning: 500 * time.Millisecond, Deploying: 2 * time.Second, Uncached: 15 * time.Second,
		Grace: 30 * time.Second, SeenReady: time.Second,
	}
}

// Limits are the calls in any second of one organization. 0 is the documented number, less is no limit.
type Limits struct {
	Deploy, Status, List, Hosts int
	// Other is for all other calls; not documented, no limit if 0.
	Other int
}

// Refusal is how a 429 looks. The documentation does not say.
type Refusal struct {
	// Body is json (if empty), html or empty.
	Body string
	// RetryAfter is seconds, date or absent (if empty).
	RetryAfter string
}

// Webhooks say how webhooks are delivered. Deliver sends what is due; Serve does so by itself.
type Webhooks struct {
	// Client sends them; one with a timeout of 10 seconds if nil.
	Client *http.Client
	// Duplicate sends each twice.
	Duplicate bool
	// Drop loses all of them.
	Drop bool
	// Delay sends them later.
	Delay time.Duration
}

func (o Options) withDefaults() Options {
	o.Token = or(o.Token, DefaultToken)
	o.Pace = or(o.Pace, Fast())
	o.MaxTag = or(o.MaxTag, 20)
	o.UnknownStatus = or(o.UnknownStatus, http.StatusBadRequest)
	o.UnknownStop = or(o.UnknownStop, http.StatusNotFound)
	o.BulkStopStatus = or(o.BulkStopStatus, http.StatusAccepted)
	o.Tombstone = or(o.Tombstone, time.Minute)
	o.ErrorCleanup = or(o.ErrorCleanup, 10*time.Minute)
	o.ClientIP = or(o.ClientIP, "203.0.113.10")
	o.Limits.Deploy = or(o.Limits.Deploy, 40)
	o.Limits.Status = or(o.Limits.Status, 20)
	o.Limits.List = or(o.Limits.List, 10)
	o.Limits.Hosts = or(o.Limits.Hosts, 10)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Webhooks.Client == nil {
		o.Webhooks.Client = &http.Client{Timeout: 10 * time.Second}
	}
	return o
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func or[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}
