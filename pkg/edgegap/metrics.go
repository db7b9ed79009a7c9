package edgegap

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// MetricsQuery chooses a part of a deployment's metrics. The zero value is all, in Edgegap's own steps.
type MetricsQuery struct {
	// Start is the deployment's if zero.
	Start time.Time
	// End is now if zero; it is after Start.
	End time.Time
	// Step is 30 seconds, 1, 5 or 10 minutes, or 1 hour; 0 leaves it to Edgegap.
	Step time.Duration
	// Raw asks for what was measured, without averages.
	Raw bool
}

// Metrics are what a deployment used.
type Metrics struct {
	Total           MetricTotals `json:"total"`
	CPU             Series       `json:"cpu"`
	Memory          Series       `json:"mem"`
	CPUThrottleRate Series       `json:"cpu_throttle_rate"`
	CPUThrottled    Series       `json:"cpu_throttle_total"`
	Network         Network      `json:"network"`
}

// MetricTotals are the amounts in bytes.
type MetricTotals struct {
	Received    Series `json:"receive_total"`
	Transmitted Series `json:"transmit_total"`
	DiskRead    Series `json:"disk_read_total"`
	DiskWritten Series `json:"disk_write_total"`
}

// Network are the rates.
type Network struct {
	Received    Series `json:"receive"`
	Transmitted Series `json:"transmit"`
}

// Series is one metric over time; the three lists are of the same length.
type Series struct {
	Labels []string  `json:"labels"`
	Values []float64 `json:"datasets"`
	Times  []Time    `json:"timestamps"`
}

var steps = map[time.Duration]string{
	30 * time.Second: "30s", time.Minute: "1m", 5 * time.Minute: "5m", 10 * time.Minute: "10m", time.Hour: "1h",
}

func (q MetricsQuery) values(call string) (url.Values, error) {
	query := url.Values{}
	if !q.Start.IsZero() {
		query.Set("start_time", q.Start.UTC().Format(metricsTime))
	}
	if !q.End.IsZero() {
		query.Set("end_time", q.End.UTC().Format(metricsTime))
	}
	if !q.Start.IsZero() && !q.End.IsZero() && !q.End.After(q.Start) {
		return nil, invalid(call, "end_time", "end_time is not after start_time")
	}
	if q.Step != 0 {
		step, known := steps[q.Step]
		if !known {
			return nil, invalid(call, "steps", "steps are 30s, 1m, 5m, 10m or 1h")
		}
		query.Set("steps", step)
	}
	if q.Raw {
		query.Set("raw", "true")
	}
	return query, nil
}

// MetricSteps are the steps a MetricsQuery may ask for, the shortest first.
func MetricSteps() []time.Duration {
	var all []time.Duration
	for step := range steps {
		all = append(all, step)
	}
	slices.Sort(all)
	return all
}

// Metrics reads what a deployment used (GET /v1/metrics/deployment/{request_id}).
func (c *Client) Metrics(ctx context.Context, requestID string, query MetricsQuery) (Metrics, error) {
	const name = "metrics"
	target, err := path(name, fixed("/v1/metrics/deployment"), deployment(requestID))
	if err != nil {
		return Metrics{}, err
	}
	values, err := query.values(name)
	if err != nil {
		return Metrics{}, err
	}
	var metrics Metrics
	_, err = c.do(ctx, call{
		name: name, method: http.MethodGet, path: target, query: values, class: classOther, repeat: true,
	}, &metrics)
	return metrics, err
}
