package edgegaptest

import (
	"net/http"
	"slices"
	"time"
)

// FaultKind is what goes wrong between the caller and Edgegap.
type FaultKind string

// What goes wrong.
const (
	// FaultAnswer answers with Status and Body; nothing happens.
	FaultAnswer FaultKind = "answer"
	// FaultAnswerAfter does what was asked and answers with Status and Body nevertheless.
	FaultAnswerAfter FaultKind = "answer-after"
	// FaultDropBefore ends the connection; nothing happens.
	FaultDropBefore FaultKind = "drop-before"
	// FaultDropAfter does what was asked and ends the connection without an answer.
	FaultDropAfter FaultKind = "drop-after"
	// FaultTooMany answers 429 as Refusal wants it; nothing happens. Times makes a burst.
	FaultTooMany FaultKind = "too-many"
	// FaultSlow answers after Delay.
	FaultSlow FaultKind = "slow"
	// FaultTruncate does what was asked and sends half of the answer.
	FaultTruncate FaultKind = "truncate"
	// FaultHideNewest leaves the newest deployment out of a list.
	FaultHideNewest FaultKind = "hide-newest"
	// FaultShift moves a list by one, as if its first deployment had just gone: a walk over pages misses one.
	FaultShift FaultKind = "shift"
)

// StatusDropped is the status in the journal of a call that got no answer.
const StatusDropped = 0

// Fault is one thing that goes wrong.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Call is the route's name (see routes), as deploy, status or list; empty is every call.
	Call string `json:"call,omitempty"`
	// After lets that many calls pass first.
	After int `json:"after,omitempty"`
	// Times is how many calls it meets; 0 is one, less than 0 all.
	Times int `json:"times,omitempty"`
	// Status is the answer's; 500 if 0.
	Status int `json:"status,omitempty"`
	// Body is the answer's; JSON with a message if empty. One that starts with < is HTML.
	Body string `json:"body,omitempty"`
	// RetryAfter is the header of that name; none if empty.
	RetryAfter string `json:"retryAfter,omitempty"`
	// Delay is waited before the call is looked at.
	Delay time.Duration `json:"delay,omitempty"`
}

// Chaos makes faults at random, from the fake's seed.
type Chaos struct {
	// Rate is the share of calls that meet a fault, from 0 to 1.
	Rate float64 `json:"rate"`
	// Calls are the routes it is about; empty is every call.
	Calls []string `json:"calls,omitempty"`
	// Faults are chosen from; empty is one of each kind.
	Faults []Fault `json:"faults,omitempty"`
}

// Script adds faults; each call meets the first that is for it.
func (f *Fake) Script(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		f.faults = append(f.faults, &fault)
	}
}

// SetChaos replaces what happens at random; a zero Chaos ends it.
func (f *Fake) SetChaos(chaos Chaos) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(chaos.Faults) == 0 {
		chaos.Faults = []Fault{
			{Kind: FaultAnswer, Status: http.StatusBadGateway, Body: "<html><body>502 Bad Gateway</body></html>"},
			{Kind: FaultAnswer, Status: http.StatusServiceUnavailable},
			{Kind: FaultAnswerAfter},
			{Kind: FaultDropBefore},
			{Kind: FaultDropAfter},
			{Kind: FaultTooMany},
			{Kind: FaultTruncate},
			{Kind: FaultHideNewest},
			{Kind: FaultShift},
		}
	}
	f.chaos = chaos
}

// pick gives what goes wrong with a call; a zero Fault for nothing.
func (f *Fake) pick(call *request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := "unknown"
	if call.route != nil {
		name = call.route.name
	}
	for i, fault := range f.faults {
		if fault.Call != "" && fault.Call != name {
			continue
		}
		if fault.After > 0 {
			fault.After--
			continue
		}
		found := *fault
		if fault.Times >= 0 {
			if fault.Times--; fault.Times <= 0 {
				f.faults = slices.Delete(f.faults, i, i+1)
			}
		}
		return f.ready(found)
	}
	if f.chaos.Rate > 0 && (len(f.chaos.Calls) == 0 || slices.Contains(f.chaos.Calls, name)) && f.random.Float64() < f.chaos.Rate {
		return f.ready(f.chaos.Faults[f.random.IntN(len(f.chaos.Faults))])
	}
	return Fault{}
}

// ready turns a 429 into the answer it is.
func (f *Fake) ready(fault Fault) Fault {
	if fault.Kind != FaultTooMany {
		return fault
	}
	refused := f.tooMany(f.options.Refusal, f.now(), time.Second)
	fault.Kind, fault.Status = FaultAnswer, refused.status
	fault.RetryAfter = or(fault.RetryAfter, refused.header["Retry-After"])
	if refused.body == nil && fault.Body == "" {
		fault.Body = or(refused.raw, " ")
	}
	return fault
}

func (f Fault) reply() reply {
	status := or(f.Status, http.StatusInternalServerError)
	answer := refuse(status, "%s", or(http.StatusText(status), "scripted"))
	if f.Body != "" {
		answer = reply{status: status, raw: f.Body}
		if f.Body[0] == '<' {
			answer.kind = "text/html"
		}
	}
	if f.RetryAfter != "" {
		answer.header = map[string]string{"Retry-After": f.RetryAfter}
	}
	return answer
}

// FateKind is what becomes of a deployment.
type FateKind string

// What becomes of a deployment.
const (
	// FatePullError: ERROR, "Unable to pull image from registry".
	FatePullError FateKind = "pull-error"
	// FatePullTimeout: ERROR after the version's time_to_deploy, "Pull image timeout exceeded".
	FatePullTimeout FateKind = "pull-timeout"
	// FateUnallocated: 422, and a deployment in ERROR.
	FateUnallocated FateKind = "unallocated"
	// FateReadyThenError: READY, and ERROR after After.
	FateReadyThenError FateKind = "ready-then-error"
	// FateCrashLoop: READY, with a restart every After.
	FateCrashLoop FateKind = "crash-loop"
	// FateStuck: DEPLOYING until it is stopped.
	FateStuck FateKind = "stuck"
	// FateUnknownState: stays in a state named Status.MIGRATING for After before READY.
	FateUnknownState FateKind = "unknown-state"
	// FateExit: the process ends with ExitCode After it was READY; the version's restart policy says what follows.
	FateExit FateKind = "exit"
)

// Fate is what becomes of deployments.
type Fate struct {
	Kind FateKind `json:"kind"`
	// Application and Version choose; empty is all.
	Application string `json:"application,omitempty"`
	Version     string `json:"version,omitempty"`
	// City chooses by location; empty is all.
	City string `json:"city,omitempty"`
	// Skip lets that many deployments pass first.
	Skip int `json:"skip,omitempty"`
	// Times is how many it meets; 0 is one, less than 0 all.
	Times int `json:"times,omitempty"`
	// After is a time since READY; a minute if 0.
	After time.Duration `json:"after,omitempty"`
	// ExitCode is how the process ends.
	ExitCode int `json:"exitCode,omitempty"`
}

// Doom adds fates; each new deployment meets the first that is for it.
func (f *Fake) Doom(fates ...Fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fate := range fates {
		f.fates = append(f.fates, &fate)
	}
}

// fate gives what becomes of a new deployment; Kind is empty for a good life.
func (f *Fake) fate(application, version, city string) Fate {
	for i, fate := range f.fates {
		if fate.Application != "" && fate.Application != application || fate.Version != "" && fate.Version != version ||
			fate.City != "" && fate.City != city {
			continue
		}
		if fate.Skip > 0 {
			fate.Skip--
			continue
		}
		found := *fate
		if fate.Times >= 0 {
			if fate.Times--; fate.Times <= 0 {
				f.fates = slices.Delete(f.fates, i, i+1)
			}
		}
		found.After = or(found.After, time.Minute)
		return found
	}
	return Fate{}
}
