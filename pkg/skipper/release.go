package skipper

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// StatusCode says what became of the last operation on a release version; it says nothing of the health of its applications.
type StatusCode string

// The status codes.
const (
	StatusUnknown  StatusCode = "UNKNOWN"  // an operation on it has not ended
	StatusDeployed StatusCode = "DEPLOYED" // its applications were accepted by the platform
	StatusDeleted  StatusCode = "DELETED"  // deleted, or replaced by a newer version
	StatusFailed   StatusCode = "FAILED"   // it never came to life; the version before still stands
)

// Release is one version of a release.
type Release struct {
	ID            int64 `json:"-"`
	ObjectVersion int64 `json:"-"` // grows with each change; below 0 while the version is being made, 0 once it is

	Name         string       `json:"name"`
	Version      int          `json:"version"` // from 1
	Info         Info         `json:"info"`
	Pkg          Package      `json:"pkg"`          // as it was when this version was made
	ConfigValues ConfigValues `json:"configValues"` // what the user gave, merged over earlier versions
	Manifest     *Manifest    `json:"manifest"`
	PlatformName string       `json:"platformName"`

	// Apps maps each application to its deployment id, in manifest order; nil until they were handed to the platform.
	// Applications carried over from the version before keep their id.
	Apps []AppDeployment `json:"-"`
	// PackageID is the id of the metadata this version was made from.
	PackageID int64 `json:"-"`
}

// AppDeployment says under which deployment id an application of a release runs.
type AppDeployment struct {
	App string `json:"app"`
	ID  string `json:"id"`
}

// Info is the status of a release version with its times.
type Info struct {
	Status        Status `json:"status"`
	FirstDeployed *Time  `json:"firstDeployed"`
	LastDeployed  *Time  `json:"lastDeployed"`
	Deleted       *Time  `json:"deleted"` // never set, as in Skipper
	Description   string `json:"description"`

	// Draining are applications of earlier versions that were replaced and are left to end by themselves; only in the
	// status of a release, and not there when nothing drains.
	Draining []Draining `json:"draining,omitempty"`
}

// Draining is an application that was replaced or dropped by an upgrade, and goes on because somebody still uses it.
type Draining struct {
	App          string    `json:"app"`
	DeploymentID string    `json:"deploymentId"`
	Version      int       `json:"version"`   // that made it
	Instances    int       `json:"instances"` // that have not ended; -1 when the platform cannot be asked
	Until        time.Time `json:"until"`     // then it is removed
}

// Status is a status code and what the platform said last.
type Status struct {
	StatusCode     StatusCode `json:"statusCode"`
	PlatformStatus *string    `json:"platformStatus"` // JSON text of []AppStatus; nil when never asked
}

// Manifest is a rendered package: YAML text with one document per application.
type Manifest struct {
	Data string `json:"data"`
}

// DeploymentState is the state of an application or of one instance, spelled as on the wire.
type DeploymentState string

// The deployment states.
const (
	StateDeploying  DeploymentState = "deploying"
	StateDeployed   DeploymentState = "deployed"
	StateUndeployed DeploymentState = "undeployed"
	StatePartial    DeploymentState = "partial"
	StateFailed     DeploymentState = "failed"
	StateError      DeploymentState = "error"   // the platform could not be asked
	StateUnknown    DeploymentState = "unknown" // nothing of it is on the platform
)

// AppStatus is what a platform says of one deployment.
type AppStatus struct {
	DeploymentID string                       `json:"deploymentId"`
	Instances    map[string]AppInstanceStatus `json:"instances"` // by instance id; never nil on the wire
	State        DeploymentState              `json:"state"`
}

// AppInstanceStatus is what a platform says of one instance.
type AppInstanceStatus struct {
	ID         string            `json:"id"`
	State      DeploymentState   `json:"state"`
	Attributes map[string]string `json:"attributes"`
}

// Aggregate gives the state of an application from those of its instances (deployers.md 1.3).
func Aggregate(instances map[string]AppInstanceStatus) DeploymentState {
	states := map[DeploymentState]bool{}
	for _, i := range instances {
		states[i.State] = true
	}
	switch {
	case len(states) == 0:
		return StateUnknown
	case len(states) == 1:
		for s := range states {
			return s
		}
	case states[StateError]:
		return StateError
	case states[StateDeploying]:
		return StateDeploying
	case states[StateDeployed] || states[StatePartial]:
		return StatePartial
	case states[StateFailed]:
		return StateFailed
	}
	return StatePartial
}

// AppStatuses reads the platform status; nil when there is none or it cannot be read.
func (s Status) AppStatuses() []AppStatus {
	if s.PlatformStatus == nil {
		return nil
	}
	var out []AppStatus
	if err := json.Unmarshal([]byte(*s.PlatformStatus), &out); err != nil {
		return nil
	}
	return out
}

// PlatformStatusOf writes application statuses as the text kept in Status.PlatformStatus.
func PlatformStatusOf(apps []AppStatus) string {
	apps = slices.Clone(apps)
	for i := range apps {
		if apps[i].Instances == nil {
			apps[i].Instances = map[string]AppInstanceStatus{}
		}
	}
	if apps == nil {
		apps = []AppStatus{}
	}
	b, err := json.Marshal(apps)
	if err != nil { // strings and maps of strings always marshal
		return "[]"
	}
	return string(b)
}

// Time is a point in time written as Skipper writes it: ISO 8601 in UTC with milliseconds and a numeric offset.
type Time struct{ time.Time }

// At gives a pointer to a Time at microsecond precision in UTC, which is what a store keeps.
func At(t time.Time) *Time { return &Time{t.UTC().Truncate(time.Microsecond)} }

const wireTime = "2006-01-02T15:04:05.000-07:00"

// MarshalJSON writes 2024-09-13T10:12:50.123+00:00.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, t.UTC().Format(wireTime)), nil
}

// UnmarshalJSON reads what MarshalJSON writes, RFC 3339, and milliseconds since 1970.
func (t *Time) UnmarshalJSON(b []byte) error {
	if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		t.Time = time.UnixMilli(ms).UTC()
		return nil
	}
	s, err := strconv.Unquote(string(b))
	if err != nil {
		return Errorf(CodeInvalid, "a time is due, found %s", b)
	}
	for _, layout := range []string{wireTime, time.RFC3339Nano, "2006-01-02T15:04:05.000-0700"} {
		if parsed, err := time.Parse(layout, s); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return Errorf(CodeInvalid, "a time as 2024-09-13T10:12:50.123+00:00 is due, found %q", s)
}
