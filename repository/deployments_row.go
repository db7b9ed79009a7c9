package repository

import (
	"encoding/json"

	"github.com/skiff-project/skiff/pkg/skipper"
)

type deploymentRow struct {
	Account        string `gorm:"primaryKey"`
	DeploymentID   string `gorm:"primaryKey"`
	ReleaseName    string
	ReleaseVersion int
	App            string
	SpecHash       string
	Wanted         bool
	Handle         *string
	Attempt        int
	Due            int64
	LastError      string
	RetireUntil    *int64
	Created        int64
	Updated        int64
}

// TableName is for gorm.
func (deploymentRow) TableName() string { return "deployments" }

func newDeploymentRow(d skipper.Deployment) deploymentRow {
	return deploymentRow{
		Account: d.Account, DeploymentID: d.DeploymentID, ReleaseName: d.ReleaseName, ReleaseVersion: d.ReleaseVersion,
		App: d.App, SpecHash: d.SpecHash, Wanted: d.Wanted, Handle: textOf(d.Handle), Attempt: d.Attempt,
		Due: micros(d.Due), LastError: d.LastError, RetireUntil: optionalMicros(d.RetireUntil),
		Created: micros(d.Created), Updated: micros(d.Updated),
	}
}

func (r deploymentRow) domain() skipper.Deployment {
	d := skipper.Deployment{
		Account: r.Account, DeploymentID: r.DeploymentID, ReleaseName: r.ReleaseName, ReleaseVersion: r.ReleaseVersion,
		App: r.App, SpecHash: r.SpecHash, Wanted: r.Wanted, Attempt: r.Attempt,
		Due: moment(r.Due), LastError: r.LastError, RetireUntil: optionalMoment(r.RetireUntil),
		Created: moment(r.Created), Updated: moment(r.Updated),
	}
	if r.Handle != nil {
		d.Handle = json.RawMessage(*r.Handle)
	}
	return d
}

// textOf keeps a handle byte by byte; nil for none.
func textOf(handle json.RawMessage) *string {
	if handle == nil {
		return nil
	}
	text := string(handle)
	return &text
}

// portRow is a port of a host that belongs to a deployment, or to one of its instances.
type portRow struct {
	Host  string `gorm:"primaryKey"`
	Port  int    `gorm:"primaryKey;autoIncrement:false"`
	Owner string
}

// TableName is for gorm.
func (portRow) TableName() string { return "ports" }
