package edgegaptest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The states, as they are written.
const (
	initializing = "Status.INITIALIZING"
	seeking      = "Status.SEEKING"
	seeked       = "Status.SEEKED"
	scanning     = "Status.SCANNING"
	deploying    = "Status.DEPLOYING"
	migrating    = "Status.MIGRATING"
	ready        = "Status.READY"
	failed       = "Status.ERROR"
	terminating  = "Status.TERMINATING"
	terminated   = "Status.TERMINATED"
)

// phase is a state from a time on.
type phase struct {
	State string    `json:"state"`
	At    time.Time `json:"at"`
}

// deployment is a container that does not run: a plan of its states. What happens to it changes the plan from then on,
// so that its state is a question of the time only.
type deployment struct {
	ID          string         `json:"id"`
	Key         string         `json:"key"`   // the access point of self-stop
	Token       string         `json:"token"` // of self-stop
	App         string         `json:"app"`
	Version     string         `json:"version"`
	Image       string         `json:"image"`
	Created     time.Time      `json:"created"`
	Phases      []phase        `json:"phases"`
	ErrorDetail string         `json:"errorDetail"`
	StopQueued  bool           `json:"stopQueued"`
	Tags        []tag          `json:"tags"`
	EnvKeys     []string       `json:"envKeys"`
	Location    *location      `json:"location"`
	IP          string         `json:"ip"`
	Ports       map[string]any `json:"ports"`
	Numbers     []int          `json:"numbers"` // the external ports
	CPU         int            `json:"cpu"`
	Memory      int            `json:"memory"`
	Minutes     int            `json:"minutes"` // the longest life
	Grace       time.Duration  `json:"grace"`
	Policy      string         `json:"policy"`
	Storage     string         `json:"storage"`
	Command     any            `json:"command"`
	Arguments   any            `json:"arguments"`
	Fleet       string         `json:"fleet"`
	Host        string         `json:"host"`
	Webhooks    []webhook      `json:"webhooks"`
	RestartAt   time.Time      `json:"restartAt"` // first restart of a crashing container
	RestartStep time.Duration  `json:"restartStep"`
	ExitCode    int            `json:"exitCode"`
}

// at gives the state at a time, and the one before.
func (d *deployment) at(now time.Time) (current, last string) {
	for _, p := range d.Phases {
		if p.At.After(now) {
			break
		}
		last, current = current, p.State
	}
	return current, last
}

// since gives when a state begins, or began; zero if it does not.
func (d *deployment) since(state string) time.Time {
	for _, p := range d.Phases {
		if p.State == state {
			return p.At
		}
	}
	return time.Time{}
}

// readyAt gives when it was READY, if it was by now.
func (d *deployment) readyAt(now time.Time) time.Time {
	if at := d.since(ready); !at.After(now) {
		return at
	}
	return time.Time{}
}

func (d *deployment) ended(now time.Time) bool {
	state, _ := d.at(now)
	return state == terminated
}

// endedAt gives when it ended, if it did by now.
func (d *deployment) endedAt(now time.Time) time.Time {
	if d.ended(now) {
		return d.since(terminated)
	}
	return time.Time{}
}

// placed tells whether address, ports and location are known.
func (d *deployment) placed(now time.Time) bool {
	at := d.since(deploying)
	return !at.IsZero() && !at.After(now)
}

// end plans the end from a time on, whatever was planned after it.
func (d *deployment) end(from time.Time, grace time.Duration) {
	d.Phases = slices.DeleteFunc(d.Phases, func(p phase) bool { return p.At.After(from) })
	d.Phases = append(d.Phases, phase{terminating, from}, phase{terminated, from.Add(grace)})
}

// plan sets the states of a new deployment.
func (f *Fake) plan(d *deployment, v *version, fate Fate, cached bool) {
	pace := f.options.Pace
	at := d.Created
	add := func(state string, lasts time.Duration) {
		d.Phases = append(d.Phases, phase{state, at})
		at = at.Add(lasts)
	}
	add(initializing, pace.Initializing)
	if fate.Kind == FateUnallocated {
		d.Phases = d.Phases[:0]
		at = d.Created
		f.fail(d, at, "Couldn't allocate server")
		return
	}
	add(seeking, pace.Seeking)
	add(seeked, pace.Seeked)
	add(scanning, pace.Scanning)
	pull := pace.Deploying
	if !cached {
		pull += pace.Uncached
	}
	limit := time.Duration(number(v.Fields, "time_to_deploy")) * time.Second
	switch {
	case fate.Kind == FateStuck:
		add(deploying, 0)
		return
	case fate.Kind == FatePullTimeout || pull > limit:
		add(deploying, limit)
		f.fail(d, at, "Pull image timeout exceeded")
		return
	case fate.Kind == FatePullError || text(v.Fields, "docker_tag") == MissingTag:
		add(deploying, pull)
		f.fail(d, at, "Unable to pull image from registry")
		return
	}
	add(deploying, pull)
	if fate.Kind == FateUnknownState {
		add(migrating, fate.After)
	}
	readyAt := at
	add(ready, 0)
	if d.Minutes > 0 {
		d.end(readyAt.Add(time.Duration(d.Minutes)*time.Minute), d.Grace)
	}
	switch fate.Kind {
	case FateReadyThenError:
		d.Phases = slices.DeleteFunc(d.Phases, func(p phase) bool { return p.At.After(readyAt) })
		f.fail(d, readyAt.Add(fate.After), "The container stopped answering")
	case FateCrashLoop:
		d.RestartAt, d.RestartStep, d.ExitCode = readyAt.Add(fate.After), fate.After, or(fate.ExitCode, 1)
	case FateExit:
		d.ExitCode = fate.ExitCode
		if d.Policy == "never" || d.Policy == "on_failure" && fate.ExitCode == 0 {
			d.end(readyAt.Add(fate.After), 0)
		} else {
			d.RestartAt, d.RestartStep = readyAt.Add(fate.After), fate.After
		}
	default: // the others end before READY
	}
}

// fail plans ERROR and the clean-up after it.
func (f *Fake) fail(d *deployment, at time.Time, detail string) {
	d.ErrorDetail = detail
	d.Phases = append(d.Phases, phase{failed, at}, phase{terminated, at.Add(f.options.ErrorCleanup)})
}

// restarts counts how often the container was started again.
func (d *deployment) restarts(now time.Time) int {
	if end := d.since(terminating); !end.IsZero() && end.Before(now) {
		now = end
	}
	if d.RestartStep <= 0 || now.Before(d.RestartAt) {
		return 0
	}
	return 1 + int(now.Sub(d.RestartAt)/d.RestartStep)
}

// stopNow plans the end of a deployment that is asked to stop, and tells whether that is now or once it has started.
func (f *Fake) stopNow(d *deployment, now time.Time) (queued bool) {
	state, _ := d.at(now)
	switch state {
	case terminating, terminated:
		return false
	case ready:
		d.end(now, d.Grace)
		return false
	case failed:
		d.end(now, 0)
		return false
	}
	d.StopQueued = true
	switch isReady, isFailed := d.since(ready), d.since(failed); {
	case !isReady.IsZero():
		d.end(isReady.Add(f.options.Pace.SeenReady), d.Grace)
	case !isFailed.IsZero():
		d.end(isFailed.Add(f.options.Pace.SeenReady), 0)
	default:
		d.end(now, d.Grace)
	}
	return true
}

// statusBody is what GET /v1/status answers.
func (d *deployment) statusBody(now time.Time) map[string]any {
	state, last := d.at(now)
	readyAt := d.readyAt(now)
	body := map[string]any{
		"request_id": d.ID, "fqdn": d.fqdn(), "public_ip": nil, "app_name": d.App, "app_version": d.Version,
		"current_status": state, "last_status": null(last), "running": state == ready, "error": state == failed,
		"error_detail": nil, "start_time": stamp(readyAt), "elapsed_time": nil, "removal_time": stamp(d.endedAt(now)),
		"max_duration": d.Minutes, "ports": nil, "location": nil, "tags": d.tagNames(),
		"command": d.Command, "arguments": d.Arguments,
		// Older members that are still seen, one of them as a text.
		"whitelisting_active": false, "sessions": []any{}, "sockets": "0", "sockets_usage": 0,
	}
	if d.placed(now) {
		body["public_ip"], body["ports"], body["location"] = d.IP, d.portsBody(), d.Location.data()
	}
	if at := d.since(failed); !at.IsZero() && !at.After(now) {
		body["error_detail"] = d.ErrorDetail
	}
	if !readyAt.IsZero() {
		until := now
		if end := d.endedAt(now); !end.IsZero() {
			until = end
		}
		body["elapsed_time"] = int(until.Sub(readyAt) / time.Second)
	}
	return body
}

func (d *deployment) fqdn() string { return d.ID + ".pr.edgegap.net" }

func (d *deployment) portsBody() map[string]any {
	ports := map[string]any{}
	maps.Copy(ports, d.Ports)
	return ports
}

func (d *deployment) tagNames() []string {
	names := make([]string, 0, len(d.Tags))
	for _, t := range d.Tags {
		names = append(names, t.Name)
	}
	return names
}

// null gives nil for an empty text.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// find gives a deployment of the caller's organization, or the refusal. Those that ended longer ago than the tombstone
// are unknown.
func (f *Fake) find(call *request, unknown int) (*deployment, *reply) {
	id := call.params["id"]
	for _, o := range f.state.Organizations {
		for _, d := range o.Deployments {
			if d.ID != id {
				continue
			}
			end := d.endedAt(call.now)
			switch {
			case o != call.org:
				refused := refuse(unknown, "%s", notFound(id))
				if call.route.name == "stop" {
					refused = refuse(403, "Forbidden: this deployment belongs to another organization")
				}
				return nil, &refused
			case !end.IsZero() && call.now.Sub(end) >= f.options.Tombstone:
				refused := refuse(unknown, "%s", notFound(id))
				if call.route.name == "stop" && f.options.GoneForever {
					refused = refuse(410, "Instance Already terminated")
				}
				return nil, &refused
			}
			return d, nil
		}
	}
	refused := refuse(unknown, "%s", notFound(id))
	return nil, &refused
}

func notFound(id string) string { return fmt.Sprintf("Deployment %.40s not found", id) }

func (f *Fake) status(call *request) reply {
	d, refused := f.find(call, f.options.UnknownStatus)
	if refused != nil {
		return *refused
	}
	return ok(d.statusBody(call.now))
}
