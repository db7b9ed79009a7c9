package skipper

import "time"

// OrphanKind says what keeps a deployment apart from the releases.
type OrphanKind string

// The kinds.
const (
	// OrphanFound lives on a platform and carries the mark of this installation, and nothing here knows of it.
	OrphanFound OrphanKind = "orphan"
	// OrphanCompensation has to go: its removal is tried again and again until it is gone.
	OrphanCompensation OrphanKind = "compensation"
	// OrphanDraining was replaced by an upgrade, and is left to end by itself until a moment.
	OrphanDraining OrphanKind = "draining"
	// OrphanAdopted was an orphan, and belongs to its release from now on.
	OrphanAdopted OrphanKind = "adopted"
)

// Orphan is a deployment on a platform that no release stands for.
type Orphan struct {
	Kind         OrphanKind `json:"kind"`
	Account      string     `json:"account"` // platform account
	DeploymentID string     `json:"deploymentId"`
	ReleaseName  string     `json:"releaseName"` // by its mark; the release need not be there
	Version      int        `json:"version"`
	App          string     `json:"app"`
	Since        time.Time  `json:"since"` // when it was started; of a compensation, when it was first wanted
	// Message says what came of it: of a compensation, why the last try to remove it failed; of an orphan that was to be
	// adopted, why it could not be.
	Message string `json:"message,omitempty"`
	// Until is when a draining one is removed; else nil.
	Until *time.Time `json:"until,omitempty"`

	SpecHash string `json:"-"`
}

// Orphans are all deployments that no release stands for, those of each account by deployment id.
type Orphans struct {
	Items []Orphan `json:"-"`
	// Problems name the accounts that could not be asked: there may be more.
	Problems []string `json:"problems"`
}

// OrphanRequest chooses orphans: some of them, or all.
type OrphanRequest struct {
	All     bool        `json:"all,omitempty"`
	Orphans []OrphanRef `json:"orphans,omitempty"`
}

// OrphanRef names one orphan.
type OrphanRef struct {
	Account      string `json:"account"`
	DeploymentID string `json:"deploymentId"`
}
