package edgegap

import (
	"context"
	"net/http"
)

// Logs are what a container wrote. They may hold secrets of the application, and the stock image of Unity prints the
// self-stop token into them.
type Logs struct {
	// Text is everything so far, in Encoding.
	Text string `json:"logs"`
	// CrashText is what a crashed container wrote last; empty if none crashed.
	CrashText string `json:"crash_logs"`
	// Crash tells how it ended; nil if none crashed.
	Crash *Crash `json:"crash_data"`
	// Encoding is utf-8 mostly.
	Encoding string `json:"encoding"`
	// Link is where a stored log is; empty if it is not stored.
	Link string `json:"logs_link"`
}

// Crash is how a container ended.
type Crash struct {
	ExitCode     Integer `json:"exit_code"`
	Message      string  `json:"message"`
	RestartCount Integer `json:"restart_count"`
}

// Logs reads a container's whole log (GET /v1/deployment/{request_id}/container-logs). It is gone once the deployment
// has ended, unless a storage keeps it: KindNotFound.
func (c *Client) Logs(ctx context.Context, requestID string) (Logs, error) {
	const name = "logs"
	target, err := path(name, fixed("/v1/deployment"), deployment(requestID), fixed("/container-logs"))
	if err != nil {
		return Logs{}, err
	}
	var logs Logs
	_, err = c.do(ctx, call{name: name, method: http.MethodGet, path: target, class: classOther, repeat: true}, &logs)
	return logs, err
}
