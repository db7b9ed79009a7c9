package skipper

import (
	"encoding/json"
	"time"
)

// Kind is what an operation does.
type Kind string

// The kinds of operations. Cancel is none: it marks the running operation.
const (
	KindInstall  Kind = "install"
	KindUpgrade  Kind = "upgrade"
	KindRollback Kind = "rollback"
	KindScale    Kind = "scale"
	KindDelete   Kind = "delete"
	// KindRenew is begun by the server itself when the platform wants to look after the applications of a release. It
	// changes neither version nor status, and makes way for every command.
	KindRenew Kind = "renew"
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindInstall, KindUpgrade, KindRollback, KindScale, KindDelete, KindRenew}
}

// State is the step an operation stands at, spelled as the states of Skipper's machine (skipper-core.md 4.2).
type State string

// The states. QUEUED, INSTALL_WAIT, COMPENSATE and RENEW_RENEW are ours, the others are Skipper's.
const (
	StateInitial        State = "INITIAL"                            // at rest: the operation has ended
	StateQueued         State = "QUEUED"                             // waits for the operation that runs on the release
	StateInstall        State = "INSTALL_INSTALL"                    // the applications are handed to the platform
	StateInstallWait    State = "INSTALL_WAIT"                       // until the installed applications are healthy
	StateUpgradeStart   State = "UPGRADE_START"                      // accepted, nothing done yet
	StateUpgradeDeploy  State = "UPGRADE_DEPLOY_TARGET_APPS"         // the new applications are handed to the platform
	StateUpgradeWait    State = "UPGRADE_WAIT_TARGET_APPS"           // until the next health check
	StateUpgradeCheck   State = "UPGRADE_CHECK_TARGET_APPS"          // are the new applications healthy?
	StateUpgradeSucceed State = "UPGRADE_DEPLOY_TARGET_APPS_SUCCEED" // they are
	StateUpgradeFailed  State = "UPGRADE_DEPLOY_TARGET_APPS_FAILED"  // they could not be deployed, or not in time
	StateUpgradeDelete  State = "UPGRADE_DELETE_SOURCE_APPS"         // the replaced applications are removed
	StateUpgradeCancel  State = "UPGRADE_CANCEL"                     // the new applications are removed
	StateDelete         State = "DELETE_DELETE"                      // all applications are removed
	StateScale          State = "SCALE_SCALE"                        // instance counts are set
	StateRollbackStart  State = "ROLLBACK_START"                     // becomes an upgrade or an install
	StateCompensate     State = "COMPENSATE"                         // what a failed install left is removed
	StateRenew          State = "RENEW_RENEW"                        // the platform looks after the applications
)

// States lists every state.
func States() []State {
	return []State{
		StateInitial, StateQueued, StateInstall, StateInstallWait, StateUpgradeStart, StateUpgradeDeploy, StateUpgradeWait,
		StateUpgradeCheck, StateUpgradeSucceed, StateUpgradeFailed, StateUpgradeDelete, StateUpgradeCancel, StateDelete,
		StateScale, StateRollbackStart, StateCompensate, StateRenew,
	}
}

// Outcome says how an operation ended.
type Outcome string

// The outcomes.
const (
	OutcomeQueued     Outcome = "queued" // not begun: nothing of it is decided or touched yet
	OutcomeRunning    Outcome = "running"
	OutcomeSucceeded  Outcome = "succeeded"
	OutcomeFailed     Outcome = "failed"
	OutcomeCancelled  Outcome = "cancelled"
	OutcomeRolledBack Outcome = "rolled_back" // the new version failed; the one before still runs
)

// Outcomes lists every outcome.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeQueued, OutcomeRunning, OutcomeSucceeded, OutcomeFailed, OutcomeCancelled, OutcomeRolledBack,
	}
}

// Operation is one change of one release, walked step by step by whichever server holds its lease.
type Operation struct {
	ID            string          `json:"id"`
	Kind          Kind            `json:"kind"`
	ReleaseName   string          `json:"releaseName"`
	SourceVersion int             `json:"sourceVersion"` // the version that stood; 0 at an install
	TargetVersion int             `json:"targetVersion"` // the version that is made, scaled or deleted
	State         State           `json:"state"`
	Outcome       Outcome         `json:"outcome"`
	Account       string          `json:"account"` // platform account; while it is queued the one it is expected on
	Plan          Plan            `json:"plan"`
	Deadline      time.Time       `json:"deadline"` // of the present state: when it comes, the state's exit is taken
	Due           time.Time       `json:"due"`      // not worked on before
	Cancel        bool            `json:"cancelRequested"`
	Attempt       int             `json:"attempt"` // failed tries of the present state
	Error         *OperationError `json:"error"`   // why it failed; nil while it did not
	Created       time.Time       `json:"created"`
	Updated       time.Time       `json:"updated"`
	Ended         *time.Time      `json:"ended"`

	// Request is what was asked, as this server keeps it: to begin a queued operation, and to try a failed one again. It
	// may hold secrets of values, so it is never shown.
	// Only who begins or repeats an operation gets it; others see in Retriable that it was kept.
	Request   json.RawMessage `json:"-"`
	Retriable bool            `json:"-"`
	// IdempotencyKey is the client's name of the request; the same key gives the same operation. Empty: none.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`

	// TakenOver says of an operation that was just leased that another server had it, and did not give it back.
	TakenOver bool `json:"-"`

	LeaseOwner string    `json:"-"` // the server process that works on it; empty: none
	LeaseUntil time.Time `json:"-"`
	Token      int64     `json:"-"` // fencing token: grows with each lease, a write with an older one changes nothing
}

// Running says that the operation has begun and not ended.
func (o Operation) Running() bool { return o.Outcome == OutcomeRunning }

// Unfinished says that the operation has not ended: it is queued or running.
func (o Operation) Unfinished() bool { return o.Running() || o.Outcome == OutcomeQueued }

// Plan is what was decided when the operation was accepted, before anything was touched.
type Plan struct {
	Account string   `json:"account"`        // platform account
	Apps    []string `json:"apps,omitempty"` // upgrade: the applications that are replaced or added, in manifest order
	Drop    []string `json:"drop,omitempty"` // upgrade: applications of the source that the target has no more
	Timeout int64    `json:"timeout"`        // milliseconds the new applications have to become healthy
	// Install says that a rollback works as an install, because the release is deleted.
	Install bool `json:"install,omitempty"`
	// Package, with a delete, names a package that goes with the release, in all its versions.
	Package string             `json:"package,omitempty"`
	Scale   []ScaleRequestItem `json:"scale,omitempty"`
	// Retiring, with a delete, names deployments of earlier versions that still drained and go with the release.
	Retiring []string `json:"retiring,omitempty"`
	// HealthGate, with an install, makes it succeed only when all applications are healthy within Timeout.
	HealthGate bool `json:"healthGate,omitempty"`
	// CutOff is when the new applications must be healthy; set when they were handed over.
	CutOff *time.Time `json:"cutOff,omitempty"`
	// HandedOver is when the new applications were handed to the platform.
	HandedOver *time.Time `json:"handedOver,omitempty"`
}

// OperationError is an error as an operation keeps it. Cause is nil where no application failed.
type OperationError struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Cause   *Cause `json:"cause,omitempty"`
}

// Cause is why an application failed, in the platform's own words.
type Cause struct {
	App      string   `json:"app"`                // metadata.name of the manifest
	Instance string   `json:"instance,omitempty"` // instance id
	Reason   string   `json:"reason,omitempty"`   // as "exited with code 3"
	ExitCode *int     `json:"exitCode,omitempty"`
	Log      []string `json:"log,omitempty"` // the last lines of its output, 50 at most, each at most 500 bytes
}

// AsError gives the error again; nil for nil.
func (e *OperationError) AsError() error {
	if e == nil {
		return nil
	}
	return &Error{Code: e.Code, Message: e.Message}
}

// OperationEvent is one step of an operation, as it was seen.
type OperationEvent struct {
	ID          int64     `json:"id"`
	OperationID string    `json:"operationId"`
	Time        time.Time `json:"time"`
	From        State     `json:"from"`
	Event       string    `json:"event"` // what the step came to, as DONE, FAILED or PENDING
	To          State     `json:"to"`
	Message     string    `json:"message"` // what was seen, for people
}

// Deployment is what was wanted and is known of one application on a platform. Its row is written before the platform
// is asked for anything, and goes when nothing of it is left there. Wanted false in a row that no running operation
// works on is an open compensation: it is retried until it is done. With RetireUntil it is retiring: it was replaced, and
// is left alone until it has ended by itself or that moment has come.
type Deployment struct {
	Account        string          // platform account
	DeploymentID   string          // unique in the account
	ReleaseName    string          // of the version that made it
	ReleaseVersion int             //
	App            string          // metadata.name of the manifest
	SpecHash       string          // what was asked for; see deployer.SpecHash
	Wanted         bool            // false: it has to go
	Handle         json.RawMessage // the deployer's own; nil until it gave one
	Attempt        int             // failed tries to remove it or to look after it
	// Due is when it is to be removed, or looked at when it is retiring; while it is wanted, when its platform wants to
	// look after it. Zero: never.
	Due         time.Time
	LastError   string // of the last failed try; free of secrets
	RetireUntil *time.Time
	Created     time.Time
	Updated     time.Time
}

// Advance is all that one step of an operation changes: written in one transaction, or not at all.
type Advance struct {
	Operation Operation // state, outcome, plan, deadline, due, attempt, error, ended as they are from now on
	Event     *OperationEvent
	Release   []ReleaseChange
	// Unwant marks deployments as having to go, by deployment id in the operation's account.
	Unwant []string
	// Rewant takes that back for deployments that are still there, because their removal was cancelled.
	Rewant []string
	// Retire marks deployments as replaced and left to end by themselves.
	Retire []Retirement
	// Care says when the platform wants to look after deployments that are wanted.
	Care []Care
	// Park gives the lease back: nothing is to be done before Due.
	Park bool
}

// Retirement lets a deployment, by its id in the operation's account, end by itself until a moment.
type Retirement struct {
	DeploymentID string
	Until        time.Time
}

// Care is when the platform wants to look after a deployment next, by its id in the operation's account.
type Care struct {
	DeploymentID string
	Due          time.Time // zero: never
	Attempt      int       // failed tries in a row
	LastError    string    // of the last try; empty when it succeeded
}

// Upkeep is a release whose platform wants to look after some of its applications now.
type Upkeep struct {
	ReleaseName string
	Version     int // that is deployed
	Account     string
}

// ReleaseChange changes one release version.
type ReleaseChange struct {
	Name    string
	Version int
	// Remove deletes the version; the other fields are ignored.
	Remove bool
	// Status, when not empty, replaces the status code and forgets the platform status.
	Status StatusCode
	// Description, when not empty, replaces the description.
	Description string
	// PlatformStatus, when not nil, replaces the platform status.
	PlatformStatus *string
	// Apps, when not nil, replaces the deployment ids.
	Apps []AppDeployment
}
