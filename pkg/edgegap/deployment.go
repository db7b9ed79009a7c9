package edgegap

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// State is where a deployment is in its life, without the prefix "Status." and in capitals. Names that are not known
// here are kept as they came.
type State string

// The states, in the order they come.
const (
	// StateInitializing: the request was accepted.
	StateInitializing State = "INITIALIZING"
	// StateSeeking: a location is looked for.
	StateSeeking State = "SEEKING"
	// StateSeeked: a location is chosen.
	StateSeeked State = "SEEKED"
	// StateScanning: the place is checked.
	StateScanning State = "SCANNING"
	// StateDeploying: the image is pulled and the container started.
	StateDeploying State = "DEPLOYING"
	// StateReady: the container runs and its checked ports answer. The game in it may need longer.
	StateReady State = "READY"
	// StateError: it failed; Deployment.ErrorDetail says why.
	StateError State = "ERROR"
	// StateTerminating: it was told to stop and has its grace period.
	StateTerminating State = "TERMINATING"
	// StateTerminated: it has ended.
	StateTerminated State = "TERMINATED"
)

// ParseState reads a state in any of its spellings: Status.READY, Ready, ready.
func ParseState(text string) State {
	if at := strings.LastIndexByte(text, '.'); at >= 0 {
		text = text[at+1:]
	}
	return State(strings.ToUpper(strings.TrimSpace(text)))
}

// UnmarshalJSON reads any of the spellings; null is empty.
func (s *State) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*s = ParseState(text)
	return nil
}

// Starting tells states on the way to READY.
func (s State) Starting() bool {
	switch s {
	case StateInitializing, StateSeeking, StateSeeked, StateScanning, StateDeploying:
		return true
	case StateReady, StateError, StateTerminating, StateTerminated:
		return false
	default:
		return false
	}
}

// Ending tells TERMINATING and TERMINATED.
func (s State) Ending() bool { return s == StateTerminating || s == StateTerminated }

// Port is how a port of a container is reached.
type Port struct {
	// Name is the port's in the version; the internal number if it has none there.
	Name string `json:"name"`
	// Internal is the number in the container.
	Internal int `json:"internal"`
	// External is the number at the deployment's address.
	External int `json:"external"`
	// Protocol is TCP, UDP, TCP/UDP, HTTP, HTTPS, WS or WSS; its case varies.
	Protocol string `json:"protocol"`
	// Link is the address to connect to: host:port, with a scheme for HTTP and WS.
	Link string `json:"link"`
	// TLSUpgrade tells that Edgegap ends TLS before the port.
	TLSUpgrade bool `json:"tls_upgrade"`
}

// Location is a place on earth where deployments run.
type Location struct {
	City                   string  `json:"city"`
	Country                string  `json:"country"`
	Continent              string  `json:"continent"`
	AdministrativeDivision string  `json:"administrative_division"`
	Timezone               string  `json:"timezone"`
	Latitude               float64 `json:"latitude"`
	Longitude              float64 `json:"longitude"`
	// Type is "standard" in lists of locations; empty elsewhere.
	Type string `json:"type,omitempty"`
	// Tags are there if LocationQuery.WithTags asked for them.
	Tags []LocationTag `json:"tags,omitempty"`
}

// LocationTag says something about a location.
type LocationTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Deployment is a game server: one container of one version. It is also the body of Edgegap's webhooks.
type Deployment struct {
	// RequestID names it: 12 hexadecimal digits.
	RequestID string `json:"request_id"`
	// FQDN is its host name; it may be empty until DEPLOYING.
	FQDN string `json:"fqdn"`
	// PublicIP is its address; empty until DEPLOYING.
	PublicIP string `json:"public_ip"`
	// Application and Version are what runs.
	Application string `json:"app_name"`
	Version     string `json:"app_version"`
	// State is where it is in its life, LastState where it was before.
	State     State `json:"current_status"`
	LastState State `json:"last_status"`
	// Running tells that the container is up.
	Running bool `json:"running"`
	// Failed tells that it is in error; ErrorDetail says why.
	Failed      bool   `json:"error"`
	ErrorDetail string `json:"error_detail"`
	// StartTime is when it became READY; zero before.
	StartTime Time `json:"start_time"`
	// ElapsedSeconds count since READY.
	ElapsedSeconds Integer `json:"elapsed_time"`
	// RemovalTime is when it ended; zero before.
	RemovalTime Time `json:"removal_time"`
	// MaxDurationMinutes is how long it lives; -1 if without an end.
	MaxDurationMinutes Integer `json:"max_duration"`
	// Ports are keyed by name; nil until DEPLOYING.
	Ports map[string]Port `json:"ports"`
	// Location is where it runs; nil until it is placed.
	Location *Location `json:"location"`
	// Tags are its names for people and programs.
	Tags []string `json:"tags"`
	// Command and Arguments replace those of the image (v1 only).
	Command   string `json:"command"`
	Arguments string `json:"arguments"`
}

var wellFormed = regexp.MustCompile(`^[0-9a-f]{12}$`)

// Status reads a deployment. An unknown id is KindNotFound; Edgegap answers 400 for it, which is taken as such if the
// id looks like one. Ended deployments can be read for a while and are unknown afterwards.
func (c *Client) Status(ctx context.Context, requestID string) (Deployment, error) {
	const name = "status"
	target, err := path(name, fixed("/v1/status"), deployment(requestID))
	if err != nil {
		return Deployment{}, err
	}
	var d Deployment
	_, err = c.do(ctx, call{name: name, method: http.MethodGet, path: target, class: classStatus, repeat: true}, &d)
	return d, unknownID(err, requestID)
}

// unknownID takes a 400 for an id that is well formed as "not found".
func unknownID(err error, requestID string) error {
	var e *Error
	if asError(err, &e) && (e.Status == http.StatusBadRequest || e.Status == http.StatusGone) && wellFormed.MatchString(requestID) {
		e.Kind = KindNotFound
	}
	return err
}
