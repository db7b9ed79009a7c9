package edgegap

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

const recordFormat = 1

// record is what is remembered of a deployment in its handle. It holds no secret.
type record struct {
	Format      int    `json:"format"`
	Hash        string `json:"hash"` // SpecHash of the request
	Application string `json:"application,omitempty"`
	Version     string `json:"version,omitempty"`

	// What the request says about the life of instances.
	OnExit       string `json:"onExit,omitempty"`
	Drains       bool   `json:"drains,omitempty"`
	Recycle      bool   `json:"recycle,omitempty"`
	ReadySeconds int    `json:"readySeconds,omitempty"`
	MaxMinutes   int    `json:"maxMinutes,omitempty"`
	MaxRestarts  int    `json:"maxRestarts,omitempty"`
	LinkPort     string `json:"linkPort,omitempty"`
	ActuatorPort string `json:"actuatorPort,omitempty"`
	ActuatorPath string `json:"actuatorPath,omitempty"`

	Slots []*slot `json:"slots"` // one for each instance that is wanted, by index
	// Stopping are request ids that must go and are not known to be gone.
	Stopping []string `json:"stopping,omitempty"`
}

// attempt is one deployment that was asked for, or will be.
type attempt struct {
	Nonce   string `json:"n"`
	Request string `json:"r,omitempty"` // request id; empty until Edgegap told it
	// Asked is when it was asked for, in milliseconds since 1970. With no request id it is not known whether it exists.
	Asked int64 `json:"a,omitempty"`
}

// slot is one instance that is wanted.
type slot struct {
	attempt

	Next *attempt `json:"next,omitempty"` // takes over when it is ready
	// Ready tells that it was seen ready.
	Ready bool `json:"ready,omitempty"`
	// Restarts are the times of replacements within the last hour, in seconds since 1970.
	Restarts []int64 `json:"restarts,omitempty"`
	// Failed is why it is given up; empty while it is not.
	Failed string `json:"failed,omitempty"`
}

func (a *attempt) asked() time.Time {
	if a.Asked > 0 {
		return time.UnixMilli(a.Asked)
	}
	return nonceTime(a.Nonce)
}

// open tells an attempt of which it is not known whether it exists.
func (a *attempt) open() bool { return a.Request == "" && a.Asked > 0 }

// newRecord is that of a request, without slots.
func newRecord(hash, application, version string, s spec) *record {
	rec := &record{
		Format: recordFormat, Hash: hash, Application: application, Version: version, OnExit: s.onExit, Drains: s.drains,
		Recycle: s.recycle, ReadySeconds: int(s.readyTimeout / time.Second), MaxMinutes: s.maxMinutes,
		MaxRestarts: s.maxRestarts, LinkPort: s.linkPort, ActuatorPort: s.actuatorPort, ActuatorPath: s.actuatorPath,
		Slots: []*slot{},
	}
	if rec.LinkPort == "" && len(s.ports) > 0 {
		rec.LinkPort = s.ports[0].Name
	}
	return rec
}

// grow adds slots up to a count.
func (r *record) grow(count int, now time.Time) {
	for len(r.Slots) < count {
		r.Slots = append(r.Slots, &slot{attempt: attempt{Nonce: newNonce(now)}})
	}
}

// attempts are all that may exist, with the index of their slot.
func (r *record) attempts() []indexed {
	var out []indexed
	for n, s := range r.Slots {
		out = append(out, indexed{&s.attempt, n})
		if s.Next != nil {
			out = append(out, indexed{s.Next, n})
		}
	}
	return out
}

type indexed struct {
	*attempt

	index int
}

// requests are all request ids the record knows.
func (r *record) requests() []string {
	ids := slices.Clone(r.Stopping)
	for _, a := range r.attempts() {
		if a.Request != "" {
			ids = append(ids, a.Request)
		}
	}
	return ids
}

// leave takes an attempt out of service: it must go.
func (r *record) leave(requestID string) {
	if requestID != "" && !slices.Contains(r.Stopping, requestID) {
		r.Stopping = append(r.Stopping, requestID)
	}
}

// handle writes the record into a handle.
func (r *record) handle(h deployer.Handle) deployer.Handle {
	data, err := json.Marshal(r)
	if err == nil { // texts and numbers always marshal
		h.Data = data
	}
	return h
}

// load reads the record of a handle; nil where it has none.
func load(h deployer.Handle) (*record, error) {
	if h.Data == nil {
		return nil, nil
	}
	rec := &record{}
	if err := json.Unmarshal(h.Data, rec); err != nil || rec.Format != recordFormat {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the handle of %s is not one this version of skiff can read", h.ID)
	}
	rec.Slots = slices.DeleteFunc(rec.Slots, func(s *slot) bool { return s == nil })
	return rec, nil
}

// adopted is the record of what was found by tags, for a handle that knows nothing. Of two deployments for one place the
// older ready one stays; the others must go.
func (d *Deployer) adopted(hash string, s spec, r deployer.Request, found []edgegap.DeploymentSummary) *record {
	rec := newRecord(hash, d.applicationOf(r, s), d.versionOf(s).Name, s)
	slices.SortFunc(found, func(a, b edgegap.DeploymentSummary) int {
		switch {
		case a.Ready != b.Ready && a.Ready:
			return -1
		case a.Ready != b.Ready:
			return 1
		}
		one, _ := d.markOf(a.Tags)
		other, _ := d.markOf(b.Tags)
		return strings.Compare(one.nonce, other.nonce)
	})
	for _, f := range found {
		m, _ := d.markOf(f.Tags)
		if m.index >= maxInstances {
			continue
		}
		rec.grow(m.index+1, d.Clock())
		if s := rec.Slots[m.index]; s.Request == "" {
			s.attempt = attempt{Nonce: m.nonce, Request: f.RequestID}
		} else {
			rec.leave(f.RequestID)
		}
	}
	return rec
}

// maxInstances bounds what a tag can make us believe.
const maxInstances = 1000
