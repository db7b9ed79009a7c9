package skipper

import "time"

// UploadRequest brings a package into a local repository.
type UploadRequest struct {
	Name               *string `json:"name"`
	RepoName           *string `json:"repoName"`
	Version            *string `json:"version"`
	Extension          *string `json:"extension"` // zip
	PackageFileAsBytes []byte  `json:"packageFileAsBytes"`
}

// PackageIdentifier names a package; without a version the newest is meant. RepositoryName is ignored, as in Skipper.
type PackageIdentifier struct {
	RepositoryName string `json:"repositoryName"`
	PackageName    string `json:"packageName"`
	PackageVersion string `json:"packageVersion"`
}

// InstallRequest installs a package as a release.
type InstallRequest struct {
	PackageIdentifier *PackageIdentifier `json:"packageIdentifier"`
	InstallProperties *InstallProperties `json:"installProperties"`
}

// InstallProperties name the release, the platform account and the values.
type InstallProperties struct {
	ReleaseName  string        `json:"releaseName"`
	ConfigValues *ConfigValues `json:"configValues"`
	PlatformName string        `json:"platformName"`
}

// UpgradeRequest makes a new version of a release.
type UpgradeRequest struct {
	PackageIdentifier *PackageIdentifier `json:"packageIdentifier"`
	UpgradeProperties *UpgradeProperties `json:"upgradeProperties"`
	Timeout           *int64             `json:"timeout"` // milliseconds; nil: the server's default
	Force             bool               `json:"force"`
	AppNames          []string           `json:"appNames"` // with Force: these applications are replaced even when equal
}

// UpgradeProperties name the release and the values.
type UpgradeProperties struct {
	ReleaseName  string        `json:"releaseName"`
	ConfigValues *ConfigValues `json:"configValues"`
}

// PreviewAction is what it takes to bring a release to a package and values.
type PreviewAction string

// The actions of a preview.
const (
	PreviewNone    PreviewAction = "none" // it is there already
	PreviewInstall PreviewAction = "install"
	PreviewUpgrade PreviewAction = "upgrade"
)

// Preview is what an install or upgrade would come to, without doing it.
type Preview struct {
	Action         PreviewAction `json:"action"`
	Name           string        `json:"name"`    // of the release
	Version        int           `json:"version"` // that would be made; with none the one that stands
	PlatformName   string        `json:"platformName"`
	PackageName    string        `json:"packageName"`
	PackageVersion string        `json:"packageVersion"`
	Diff           string        `json:"diff"` // of the manifests, for people: a line for each field, secrets masked
}

// RollbackRequest goes back to an earlier version; 0 means the one before.
type RollbackRequest struct {
	ReleaseName string `json:"releaseName"`
	Version     *int   `json:"version"`
	Timeout     *int64 `json:"timeout"` // milliseconds; nil: the server's default
}

// ScaleRequest sets instance counts of applications.
type ScaleRequest struct {
	Scale []ScaleRequestItem `json:"scale"`
}

// ScaleRequestItem sets the instance count of one application; Count is absolute.
type ScaleRequestItem struct {
	Name       string            `json:"name"`
	Count      *int              `json:"count"`
	Properties map[string]string `json:"properties"`
}

// CancelRequest asks to cancel what runs on a release.
type CancelRequest struct {
	ReleaseName string `json:"releaseName"`
}

// CancelResponse says whether there was something to cancel.
type CancelResponse struct {
	Accepted bool `json:"accepted"`
}

// OnConflict says what becomes of a command while another operation runs on its release or waits for it.
type OnConflict string

// What becomes of a command on a busy release.
const (
	ConflictFail      OnConflict = "fail"      // it is refused with CodeBusy
	ConflictQueue     OnConflict = "queue"     // it waits until it is its turn
	ConflictSupersede OnConflict = "supersede" // what runs and what waits is cancelled, then it begins
)

// maxKey is how many bytes an idempotency key may have.
const maxKey = 200

// CommandOptions say how a command is to be taken. The zero value is what Skipper does.
type CommandOptions struct {
	OnConflict OnConflict // empty: fail
	// IdempotencyKey is the client's name of the request: printable ASCII, at most 200 bytes. The same key gives the
	// same operation, however often it is sent. Empty: none.
	IdempotencyKey string
	HealthGate     bool   // an install succeeds only when its applications are healthy; upgrades always do
	Timeout        *int64 // milliseconds an install with HealthGate has for that; nil: the server's default
}

// Check says what is wrong with the options; CodeInvalid.
func (o CommandOptions) Check() error {
	switch o.OnConflict {
	case "", ConflictFail, ConflictQueue, ConflictSupersede:
	default:
		return Errorf(CodeInvalid, "onConflict is %q; fail, queue or supersede is due", o.OnConflict)
	}
	if len(o.IdempotencyKey) > maxKey {
		return Errorf(CodeInvalid, "Idempotency-Key has %d bytes; at most %d are possible", len(o.IdempotencyKey), maxKey)
	}
	for _, c := range []byte(o.IdempotencyKey) {
		if c < ' ' || c > '~' {
			return Errorf(CodeInvalid, "Idempotency-Key must hold printable ASCII characters only; a UUID serves well")
		}
	}
	return nil
}

// OperationFilter chooses operations; what is empty does not choose.
type OperationFilter struct {
	ReleaseName string
	Kinds       []Kind
	Outcomes    []Outcome
	States      []State
}

// LogInfo has the logs of applications by deployment id.
type LogInfo struct {
	Logs map[string]string `json:"logs"`
}

// LogQuery chooses lines of the logs of a release. Its zero value is all that is kept, of all applications.
type LogQuery struct {
	DeploymentID string    // of one application, in any case; empty: all
	Instance     string    // id of one instance, as in the status; empty: all
	Tail         int       // the last lines of each stream of each instance; 0: all that is kept, negative: none
	Since        time.Time // lines from then on, where their time is known; zero: all
	Follow       bool      // go on with what is written from now on
}

// LogLine is one line of the output of an instance.
type LogLine struct {
	DeploymentID string     `json:"deploymentId"`
	Instance     string     `json:"instance,omitempty"` // empty where the platform does not tell
	Stream       string     `json:"stream"`             // stdout or stderr
	Time         *time.Time `json:"time,omitempty"`     // nil where it is not known
	Text         string     `json:"text"`
}

// PageRequest asks for a part of a list.
type PageRequest struct {
	Page int // from 0
	Size int // above 0
	Sort []Sort
}

// Sort orders a list by one property, named as in JSON, nested with a dot.
type Sort struct {
	Property   string
	Descending bool
	IgnoreCase bool
}

// Page is a part of a list and the length of the whole.
type Page[T any] struct {
	Items []T
	Total int
}
