package edgegaptest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const mostLines = 500

func (f *Fake) logs(call *request) reply {
	d, refused := f.find(call, http.StatusNotFound)
	if refused != nil {
		return *refused
	}
	body := map[string]any{"logs": "", "crash_logs": nil, "crash_data": nil, "encoding": "utf-8", "logs_link": nil}
	if d.ended(call.now) {
		if d.Storage == "" {
			return refuse(http.StatusNotFound, "%s: its logs are gone", notFound(d.ID))
		}
		body["logs_link"] = fmt.Sprintf("https://storage.example/%s/%s.log", d.Storage, d.ID)
		return ok(body)
	}
	if at := d.since(ready); !at.IsZero() && !at.After(call.now) {
		body["logs"] = d.lines(at, call.now)
	}
	if n := d.restarts(call.now); n > 0 {
		body["crash_logs"] = fmt.Sprintf("the process ended with %d\n", d.ExitCode)
		body["crash_data"] = map[string]any{"exit_code": d.ExitCode, "message": "Error", "restart_count": n}
	}
	return ok(body)
}

// lines is what a container writes: the names of its variables, not their values, and a line every second.
func (d *deployment) lines(from, now time.Time) string {
	var log strings.Builder
	fmt.Fprintf(&log, "%v %s %s starts\n", stamp(from), d.App, d.Version)
	keys := append([]string{"ARBITRIUM_REQUEST_ID", "ARBITRIUM_PUBLIC_IP", "ARBITRIUM_DELETE_URL"}, d.EnvKeys...)
	fmt.Fprintf(&log, "%v environment: %s\n", stamp(from), strings.Join(keys, " "))
	last := int(now.Sub(from) / time.Second)
	for second := max(1, last-mostLines); second <= last; second++ {
		fmt.Fprintf(&log, "%v tick %d\n", stamp(from.Add(time.Duration(second)*time.Second)), second)
	}
	return log.String()
}

const (
	mostPoints = 1000
	metricTime = "2006-01-02 15:04:05"
)

func (f *Fake) metrics(call *request) reply {
	d, refused := f.find(call, http.StatusNotFound)
	if refused != nil {
		return *refused
	}
	start, end := or(d.readyAt(call.now), d.Created), call.now
	for name, target := range map[string]*time.Time{"start_time": &start, "end_time": &end} {
		given := call.query.Get(name)
		if given == "" {
			continue
		}
		parsed, err := time.Parse(metricTime, given)
		if err != nil || !strings.Contains(given, ".") {
			return refuse(http.StatusUnprocessableEntity, "does not match %%Y-%%m-%%d %%H:%%M:%%S.%%f - '%s'", name)
		}
		*target = parsed
	}
	steps := map[string]time.Duration{
		"": time.Minute, "30s": 30 * time.Second, "1m": time.Minute, "5m": 5 * time.Minute, "10m": 10 * time.Minute, "1h": time.Hour,
	}
	step, known := steps[call.query.Get("steps")]
	raw := call.query.Get("raw")
	switch {
	case !known:
		return refuse(http.StatusUnprocessableEntity, "is not one of 30s, 1m, 5m, 10m, 1h - 'steps'")
	case raw != "" && raw != "true" && raw != "false":
		return refuse(http.StatusUnprocessableEntity, "is not true or false - 'raw'")
	case call.query.Has("end_time") && !end.After(start):
		return refuse(http.StatusUnprocessableEntity, "is not after start_time - 'end_time'")
	}
	var times []time.Time
	for at := start; !at.After(end) && len(times) < mostPoints; at = at.Add(step) {
		times = append(times, at)
	}
	series := func(base, slope float64) map[string]any {
		labels, values, stamps := []string{}, []float64{}, []string{}
		for i, at := range times {
			labels = append(labels, at.Format("15:04:05"))
			values = append(values, base+slope*float64(i))
			stamps = append(stamps, at.Format("2006-01-02 15:04:05.000"))
		}
		return map[string]any{"labels": labels, "datasets": values, "timestamps": stamps}
	}
	return ok(map[string]any{
		"total": map[string]any{
			"receive_total": series(1024, 2048), "transmit_total": series(2048, 4096),
			"disk_read_total": series(0, 0), "disk_write_total": series(0, 512),
		},
		"cpu": series(float64(d.CPU)/4, 0.5), "mem": series(float64(d.Memory)/2, 1),
		"cpu_throttle_rate": series(0, 0), "cpu_throttle_total": series(0, 0),
		"network": map[string]any{"receive": series(100, 0), "transmit": series(200, 0)},
	})
}
