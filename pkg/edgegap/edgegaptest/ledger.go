package edgegaptest

import (
	"slices"
	"time"
)

// Record is a deployment in the ledger.
type Record struct {
	Organization string    `json:"organization"`
	RequestID    string    `json:"requestId"`
	Application  string    `json:"application"`
	Version      string    `json:"version"`
	Image        string    `json:"image"`
	State        string    `json:"state"` // Status.READY and so on
	Tags         []string  `json:"tags"`
	City         string    `json:"city"` // where it runs; empty if nowhere
	Fleet        string    `json:"fleet"`
	Host         string    `json:"host"`
	Created      time.Time `json:"created"`
	Ready        time.Time `json:"ready"` // zero if it never was
	Ended        time.Time `json:"ended"` // zero while it runs
	// Stopping tells that somebody asked it to stop.
	Stopping bool `json:"stopping"`
	// Billed is how long it has cost money: from the request to the end, or to now.
	Billed time.Duration `json:"billed"`
	// DeleteURL and DeleteToken are what its container would stop itself with.
	DeleteURL   string `json:"deleteUrl"`
	DeleteToken string `json:"-"`
}

// Started gives every deployment that was ever made, oldest first.
func (f *Fake) Started() []Record {
	return f.records(func(*deployment, time.Time) bool { return true })
}

// Running gives the deployments that have not ended, those in ERROR and those that are stopping included.
func (f *Fake) Running() []Record {
	return f.records(func(d *deployment, now time.Time) bool { return !d.ended(now) })
}

// Leaks gives the deployments that nobody expects: they run, nobody asked them to stop, and their ids are not named.
func (f *Fake) Leaks(expected ...string) []Record {
	return f.records(func(d *deployment, now time.Time) bool {
		state, _ := d.at(now)
		stopping := d.StopQueued || state == terminating || state == terminated
		return !stopping && !slices.Contains(expected, d.ID)
	})
}

func (f *Fake) records(wanted func(*deployment, time.Time) bool) []Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	all := []Record{}
	for _, o := range f.state.Organizations {
		for _, d := range o.Deployments {
			if wanted(d, now) {
				all = append(all, d.record(o.Name, now))
			}
		}
	}
	return all
}

func (d *deployment) record(organization string, now time.Time) Record {
	state, _ := d.at(now)
	r := Record{
		Organization: organization, RequestID: d.ID, Application: d.App, Version: d.Version, Image: d.Image, State: state,
		Tags: d.tagNames(), Fleet: d.Fleet, Host: d.Host, Created: d.Created, Ready: d.readyAt(now), Ended: d.endedAt(now),
		Stopping:  d.StopQueued || state == terminating || state == terminated,
		DeleteURL: "/v1/self/stop/" + d.ID + "/" + d.Key, DeleteToken: d.Token,
	}
	if d.Location != nil {
		r.City = d.Location.City
	}
	until := now
	if !r.Ended.IsZero() {
		until = r.Ended
	}
	r.Billed = until.Sub(d.Created)
	return r
}

// longestJournal bounds the journal; the oldest entries go first.
const longestJournal = 10_000

// Entry is a call that came.
type Entry struct {
	At     time.Time `json:"at"`
	Call   string    `json:"call"` // the route's name; unknown for none
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query"`
	Body   string    `json:"body"`
	// Status is what was answered; StatusDropped if nothing was.
	Status int `json:"status"`
	// Fault is what went wrong on purpose.
	Fault FaultKind `json:"fault,omitempty"`
}

// note writes a call into the journal.
func (f *Fake) note(call *request, answer reply, dropped bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entry := Entry{
		At: f.now(), Call: "unknown", Method: call.Method, Path: call.URL.Path, Query: call.URL.RawQuery,
		Body: string(call.body), Status: answer.status, Fault: call.fault.Kind,
	}
	if call.route != nil {
		entry.Call = call.route.name
	}
	if dropped {
		entry.Status = StatusDropped
	}
	if len(f.journal) >= longestJournal {
		f.journal = f.journal[longestJournal/10:]
	}
	f.journal = append(f.journal, entry)
}

// Journal gives the calls that came, oldest first; of a call name only, or of all for an empty one. Headers are
// not in it, and so no tokens; bodies are as they came.
func (f *Fake) Journal(call string) []Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []Entry{}
	for _, entry := range f.journal {
		if call == "" || entry.Call == call {
			found = append(found, entry)
		}
	}
	return found
}

// Refused counts the 429 answers of the rate limits and of scripts.
func (f *Fake) Refused() int {
	count := 0
	for _, entry := range f.Journal("") {
		if entry.Status == 429 {
			count++
		}
	}
	return count
}

// Reset forgets everything but the first organization's token.
func (f *Fake) Reset() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = &state{
		Organizations: []*organization{newOrganization(DefaultOrganization, f.options.Token)},
		Offset:        f.state.Offset, Sequence: f.state.Sequence,
	}
	f.faults, f.fates, f.chaos, f.journal, f.sent = nil, nil, Chaos{}, nil, nil
	clear(f.windows)
	return f.save()
}
