package edgegaptest

import (
	"encoding/json"
	"net/http"
	"time"
)

// control answers what is under /_fake/, for people and for tests in another process:
//
//	GET  /_fake/started     every deployment there ever was
//	GET  /_fake/running     those that have not ended
//	GET  /_fake/journal     the calls that came
//	GET  /_fake/deliveries  the webhooks that were sent
//	POST /_fake/faults      [Fault, …] are added
//	POST /_fake/fates       [Fate, …] are added
//	POST /_fake/chaos       Chaos is set
//	POST /_fake/fleets      {"name":…,"hosts":[Host, …]} is added
//	POST /_fake/clock       {"advance":"1h"} lets time pass
//	POST /_fake/reset       everything is forgotten
//
// Durations in faults and fates are nanoseconds.
func (f *Fake) control(r *http.Request, path string, body []byte) reply {
	if r.Method == http.MethodGet {
		switch path {
		case "started":
			return ok(f.Started())
		case "running":
			return ok(f.Running())
		case "journal":
			return ok(f.Journal(r.URL.Query().Get("call")))
		case "deliveries":
			return ok(f.Deliveries())
		}
	}
	if r.Method == http.MethodPost {
		return f.command(path, body)
	}
	return refuse(http.StatusNotFound, "the fake has no control of this name")
}

func (f *Fake) command(path string, body []byte) reply {
	var err error
	switch path {
	case "faults":
		var faults []Fault
		if err = json.Unmarshal(body, &faults); err == nil {
			f.Script(faults...)
		}
	case "fates":
		var fates []Fate
		if err = json.Unmarshal(body, &fates); err == nil {
			f.Doom(fates...)
		}
	case "chaos":
		var chaos Chaos
		if err = json.Unmarshal(body, &chaos); err == nil {
			f.SetChaos(chaos)
		}
	case "fleets":
		var wanted struct {
			Name  string `json:"name"`
			Hosts []Host `json:"hosts"`
		}
		if err = json.Unmarshal(body, &wanted); err == nil {
			err = f.AddFleet(wanted.Name, wanted.Hosts...)
		}
	case "clock":
		var wanted struct {
			Advance string `json:"advance"`
		}
		if err = json.Unmarshal(body, &wanted); err == nil {
			var d time.Duration
			if d, err = time.ParseDuration(wanted.Advance); err == nil {
				err = f.Advance(d)
			}
		}
	case "reset":
		err = f.Reset()
	default:
		return refuse(http.StatusNotFound, "the fake has no control of this name")
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	return ok(map[string]any{"message": "done"})
}
