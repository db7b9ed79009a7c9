package edgegap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Status answers from the last look at the account, which is made anew when it is too old or something changed.
func (d *Deployer) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	records := make([]*record, len(handles))
	unread := map[string]bool{}
	for n, h := range handles {
		rec, err := load(h)
		if err != nil {
			unread[h.ID] = true
		}
		records[n] = rec
	}
	err := d.look(ctx, false, func() []string {
		d.mu.Lock()
		defer d.mu.Unlock()
		var ids []string
		for n, h := range handles {
			for _, s := range d.slots(h.ID, records[n]) {
				ids = append(ids, s.Request)
			}
			ids = slices.AppendSeq(ids, maps.Keys(d.view.leaving[h.ID]))
		}
		return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	})
	if err != nil {
		return nil, err
	}
	out := map[string]skipper.AppStatus{}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, h := range handles {
		out[h.ID] = d.status(h.ID, records[n])
		if _, removed := d.view.removed[h.ID]; unread[h.ID] && !removed && len(out[h.ID].Instances) == 0 {
			out[h.ID] = skipper.AppStatus{
				DeploymentID: h.ID, Instances: map[string]skipper.AppInstanceStatus{}, State: skipper.StateError,
			}
		}
	}
	return out, nil
}

// shown is an instance to be shown.
type shown struct {
	slot

	index   int
	leaving bool // we asked for its end
}

// slots are the instances of a deployment to be shown: those of the record, or those found by tag where there is none;
// of a deployment that was undeployed all that is known. d.mu is held.
func (d *Deployer) slots(id string, rec *record) []shown {
	_, removed := d.view.removed[id]
	var out []shown
	known := map[string]bool{}
	add := func(s shown) {
		if s.Request == "" || !known[s.Request] {
			known[s.Request] = true
			out = append(out, s)
		}
	}
	found := d.tagged(id)
	if rec != nil {
		for n, s := range rec.Slots {
			one := shown{slot: *s, index: n, leaving: removed}
			if at := slices.IndexFunc(found, func(f shown) bool { return f.Nonce == s.Nonce }); s.Request == "" && at >= 0 {
				one.Request = found[at].Request
			}
			add(one)
			if next := s.Next; next != nil && removed {
				add(shown{slot: slot{attempt: *next}, index: n, leaving: true})
			}
		}
	}
	if rec != nil && !removed {
		return out
	}
	if rec != nil {
		for n, request := range rec.Stopping {
			add(shown{slot: slot{attempt: attempt{Request: request}}, index: len(rec.Slots) + n, leaving: true})
		}
	}
	for _, f := range found {
		_, leaving := d.view.leaving[id][f.Request]
		f.leaving = removed || leaving
		add(f)
	}
	next := len(out)
	for request := range d.view.leaving[id] {
		if removed && !known[request] {
			add(shown{slot: slot{attempt: attempt{Request: request}}, index: next, leaving: true})
			next++
		}
	}
	return out
}

// tagged are the listed deployments of one id, the first of each index first.
func (d *Deployer) tagged(id string) []shown {
	var out []shown
	for request, item := range d.view.listed {
		if m, ours := d.markOf(item.Tags); ours && m.id == idTag(id) {
			out = append(out, shown{slot: slot{attempt: attempt{Nonce: m.nonce, Request: request}}, index: m.index})
		}
	}
	slices.SortFunc(out, func(a, b shown) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return strings.Compare(a.Nonce, b.Nonce)
	})
	return out
}

// status of one deployment. d.mu is held.
func (d *Deployer) status(id string, rec *record) skipper.AppStatus {
	status := skipper.AppStatus{DeploymentID: id, Instances: map[string]skipper.AppInstanceStatus{}}
	for _, s := range d.slots(id, rec) {
		name := fmt.Sprintf("%s-%d", id, s.index)
		i, ok := d.instance(id, rec, s)
		if _, twice := status.Instances[name]; !ok || twice && s.leaving {
			continue
		}
		i.ID = name
		status.Instances[name] = i
	}
	status.State = skipper.Aggregate(status.Instances)
	if leaving := d.view.leaving[id]; len(leaving) > 0 {
		for request := range leaving {
			if d.view.sight(request).ended {
				delete(leaving, request)
			}
		}
		if len(leaving) == 0 {
			delete(d.view.leaving, id)
		}
	}
	return status
}

// instance is one instance as it is shown; false when nothing of it is left. d.mu is held.
func (d *Deployer) instance(id string, rec *record, s shown) (skipper.AppInstanceStatus, bool) {
	now, seen := d.Clock(), d.view.sight(s.Request)
	if s.Request == "" {
		seen = sighting{}
	}
	if !s.leaving && seen.ended && s.Next != nil && s.Next.Request != "" { // its successor takes over before it was time
		s.attempt = *s.Next
		seen = d.view.sight(s.Request)
	}
	state, reason, final := skipper.StateDeploying, "", false
	switch {
	case s.leaving && s.Request == "":
		if s.Asked == 0 || !now.Before(d.settled(id, &s.attempt)) {
			return skipper.AppInstanceStatus{}, false
		}
		state = skipper.StateUndeployed
	case s.leaving && seen.ended:
		return skipper.AppInstanceStatus{}, false
	case s.leaving:
		state = skipper.StateUndeployed
	case s.Failed != "":
		state, reason, final = skipper.StateFailed, s.Failed, true
	case s.Request == "":
	case seen.ended || seen.ending:
		state, reason, final = rec.end(s.slot, seen, now)
	case seen.failed && s.Ready && rec.replaces(s.slot, now):
		reason = "it failed (" + why(seen) + "); a replacement is due"
	case seen.failed:
		state, reason, final = skipper.StateFailed, why(seen), true
	case seen.ready:
		state = skipper.StateDeployed
	case now.Sub(s.asked()) > rec.readyTimeout():
		state, reason = skipper.StateFailed, fmt.Sprintf("it is not ready after %s", rec.readyTimeout())
	}
	i := skipper.AppInstanceStatus{State: state, Attributes: d.attributes(rec, s, seen)}
	if reason != "" {
		i.Attributes[deployer.AttributeReason] = line(reason)
	}
	if final {
		i.Attributes[deployer.AttributeFinal] = "true"
	}
	if state == skipper.StateFailed && seen.crash != nil {
		i.Attributes[deployer.AttributeExitCode] = strconv.Itoa(int(seen.crash.ExitCode))
	}
	return i, true
}

func why(s sighting) string {
	if s.ErrorDetail != "" {
		return s.ErrorDetail
	}
	if s.crash != nil && s.crash.Message != "" {
		return s.crash.Message
	}
	return "Edgegap reports an error without a reason"
}

// line is text that came from outside, on one line and bounded.
func line(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	return strings.ToValidUTF8(text[:min(len(text), 500)], "")
}

// end is the state of an instance that ended without our asking.
func (r *record) end(s slot, seen sighting, now time.Time) (skipper.DeploymentState, string, bool) {
	aged := r.aged(s, seen, now)
	reason := "it ended by itself, or somebody else stopped it"
	if aged {
		reason = fmt.Sprintf("it reached its longest life of %d minutes", r.MaxMinutes)
	}
	switch {
	case r == nil || r.Drains || r.OnExit == onExitComplete && (!aged || !r.Recycle):
		return skipper.StateUndeployed, reason, false
	case r.replaces(s, now) && (!aged || r.Recycle):
		return skipper.StateDeploying, reason + "; a replacement is due", false
	}
	if !aged {
		reason += fmt.Sprintf("; it was replaced %d times within an hour", len(r.recent(s, now)))
	}
	return skipper.StateFailed, reason, true
}

// aged tells that an instance ended because its time was over.
func (r *record) aged(s slot, seen sighting, now time.Time) bool {
	if r == nil || r.MaxMinutes <= 0 {
		return false
	}
	ended, began := seen.RemovalTime.Time, seen.StartTime.Time
	if ended.IsZero() {
		ended = now
	}
	if began.IsZero() {
		began = s.asked()
	}
	// A minute less: Edgegap counts minutes and looks at its clock now and then.
	return ended.Sub(began) >= time.Duration(r.MaxMinutes)*time.Minute-time.Minute
}

// replaces tells that an instance that ended is to be replaced, now or soon.
func (r *record) replaces(s slot, now time.Time) bool {
	return r != nil && (r.OnExit == onExitReplace || r.Recycle) && len(r.recent(s, now)) < r.MaxRestarts
}

// recent are the replacements of the last hour.
func (r *record) recent(s slot, now time.Time) []int64 {
	return slices.DeleteFunc(slices.Clone(s.Restarts), func(at int64) bool {
		return now.Sub(time.Unix(at, 0)) >= time.Hour
	})
}

func (r *record) readyTimeout() time.Duration {
	if r == nil || r.ReadySeconds == 0 {
		return 5 * time.Minute
	}
	return time.Duration(r.ReadySeconds) * time.Second
}

// attributes are what is known of an instance (edgegap.md 10.5); what is not known is left out.
func (d *Deployer) attributes(rec *record, s shown, seen sighting) map[string]string {
	out := map[string]string{"guid": s.Nonce}
	set := func(name, value string) {
		if value != "" {
			out[name] = value
		}
	}
	set("guid", s.Request)
	set("edgegap.request-id", s.Request)
	set("edgegap.status", string(seen.State))
	set("edgegap.error-detail", line(seen.ErrorDetail))
	set("fqdn", seen.FQDN)
	set("public-ip", seen.PublicIP)
	set("application", seen.Application)
	set("version", seen.Version)
	set("tags", strings.Join(own(seen.Tags), ","))
	for name, p := range seen.Ports {
		base := "port." + name + "."
		set(base+"external", strconv.Itoa(p.External))
		set(base+"internal", strconv.Itoa(p.Internal))
		set(base+"protocol", strings.ToUpper(p.Protocol))
		set(base+"link", p.Link)
	}
	if p, ok := linkPort(rec, seen.Ports); ok {
		set("url", p.Link)
	}
	if l := seen.Location; l != nil {
		set("location.city", l.City)
		set("location.country", l.Country)
		set("location.continent", l.Continent)
	}
	if began := seen.StartTime; !began.IsZero() {
		set("start-time", began.UTC().Format(time.RFC3339))
		if seen.MaxDurationMinutes > 0 {
			set("expires-at", expiry(seen).UTC().Format(time.RFC3339))
		}
	}
	if len(s.Restarts) > 0 {
		set("restarts", strconv.Itoa(len(s.Restarts)))
	}
	return out
}

// expiry is when a deployment ends of age; zero where that is not known, or never.
func expiry(s sighting) time.Time {
	if s.StartTime.IsZero() || s.MaxDurationMinutes <= 0 {
		return time.Time{}
	}
	return s.StartTime.Add(time.Duration(s.MaxDurationMinutes) * time.Minute)
}

// own are the tags of the user.
func own(tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), reserved)
}

// linkPort is the port whose link is shown: as asked for, else the one with the lowest number.
func linkPort(rec *record, ports map[string]edgegap.Port) (edgegap.Port, bool) {
	if rec != nil {
		if p, ok := ports[rec.LinkPort]; ok {
			return p, true
		}
	}
	var lowest edgegap.Port
	found := false
	for _, p := range ports {
		if !found || p.Internal < lowest.Internal {
			lowest, found = p, true
		}
	}
	return lowest, found
}
