package repository

import (
	"encoding/json"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

type releaseRow struct {
	ID             int64 `gorm:"primaryKey"`
	ObjectVersion  int64
	Name           string
	Version        int
	Status         skipper.StatusCode
	FirstDeployed  *int64
	LastDeployed   *int64
	PlatformName   string
	PackageID      int64
	RepositoryID   *int64 // of the package, when the version was made
	Description    string
	Apps           []skipper.AppDeployment `gorm:"serializer:json"`
	PlatformStatus *string
	ConfigValues   *string
	Manifest       *string
	Pkg            skipper.Package `gorm:"serializer:json"`
}

// TableName is for gorm.
func (releaseRow) TableName() string { return "releases" }

func newReleaseRow(r skipper.Release) releaseRow {
	row := releaseRow{
		ID: r.ID, ObjectVersion: r.ObjectVersion, Name: r.Name, Version: r.Version,
		Status: r.Info.Status.StatusCode, PlatformStatus: r.Info.Status.PlatformStatus,
		FirstDeployed: wireMicros(r.Info.FirstDeployed), LastDeployed: wireMicros(r.Info.LastDeployed),
		Description: r.Info.Description, PlatformName: r.PlatformName,
		PackageID: r.PackageID, RepositoryID: r.Pkg.Metadata.RepositoryID,
		Apps: r.Apps, ConfigValues: r.ConfigValues.Raw, Pkg: r.Pkg,
	}
	if r.Manifest != nil {
		row.Manifest = &r.Manifest.Data
	}
	return row
}

func (r releaseRow) domain() skipper.Release {
	release := skipper.Release{
		ID: r.ID, ObjectVersion: r.ObjectVersion, Name: r.Name, Version: r.Version,
		Info: skipper.Info{
			Status:        skipper.Status{StatusCode: r.Status, PlatformStatus: r.PlatformStatus},
			FirstDeployed: wireMoment(r.FirstDeployed), LastDeployed: wireMoment(r.LastDeployed),
			Description: r.Description,
		},
		Pkg: r.Pkg, ConfigValues: skipper.ConfigValues{Raw: r.ConfigValues},
		PlatformName: r.PlatformName, Apps: r.Apps, PackageID: r.PackageID,
	}
	release.Pkg.Metadata.ID = r.PackageID // not in the JSON
	if r.Manifest != nil {
		release.Manifest = &skipper.Manifest{Data: *r.Manifest}
	}
	return release
}

// firstVersion is the object version of a release that is being made. It goes down with each change until the release
// is made, which is version 0, as clients expect; from then on it goes up. So no two contents share a version.
const firstVersion = -1

// changedColumns are what a change writes; every change makes a new object version.
func changedColumns(c skipper.ReleaseChange) (map[string]any, error) {
	next := "object_version - 1"
	if c.Status != "" {
		next = "0"
	}
	set := map[string]any{"object_version": gorm.Expr(
		"CASE WHEN status <> 'UNKNOWN' THEN object_version + 1 ELSE " + next + " END")}
	if c.Status != "" {
		set["status"] = c.Status
		set["platform_status"] = nil
	}
	if c.Description != "" {
		set["description"] = c.Description
	}
	if c.PlatformStatus != nil {
		set["platform_status"] = *c.PlatformStatus
	}
	if c.Apps == nil {
		return set, nil
	}
	apps, err := json.Marshal(c.Apps)
	set["apps"] = string(apps)
	return set, err
}

// releaseColumns are what releases can be sorted by, as in JSON.
func releaseColumns() map[string]column {
	return map[string]column{
		"name":                       {name: "name", text: true},
		"version":                    {name: "version"},
		"info.status.statusCode":     {name: "status", text: true},
		"info.status.platformStatus": {name: "platform_status", text: true, nullable: true},
		"info.firstDeployed":         {name: "first_deployed", nullable: true},
		"info.lastDeployed":          {name: "last_deployed", nullable: true},
		"info.description":           {name: "description", text: true},
		"configValues.raw":           {name: "config_values", text: true, nullable: true},
		"manifest.data":              {name: "manifest", text: true, nullable: true},
		"platformName":               {name: "platform_name", text: true},
	}
}
