package repository

import "github.com/skiff-project/skiff/pkg/skipper"

type packageRow struct {
	ID               int64 `gorm:"primaryKey"`
	RepositoryID     *int64
	RepositoryName   *string
	BlobDigest       *string
	APIVersion       string
	Origin           *string
	Kind             string
	Name             string
	DisplayName      *string
	Version          string
	PackageSourceURL *string
	PackageHomeURL   *string
	Tags             *string
	Maintainer       *string
	Description      *string
	SHA256           *string `gorm:"column:sha256"`
	IconURL          *string
}

// TableName is for gorm.
func (packageRow) TableName() string { return "packages" }

func newPackageRow(p skipper.PackageMetadata) packageRow {
	return packageRow{
		ID: p.ID, RepositoryID: p.RepositoryID, RepositoryName: p.RepositoryName,
		APIVersion: p.APIVersion, Origin: p.Origin, Kind: p.Kind, Name: p.Name, DisplayName: p.DisplayName,
		Version: p.Version, PackageSourceURL: p.PackageSourceURL, PackageHomeURL: p.PackageHomeURL, Tags: p.Tags,
		Maintainer: p.Maintainer, Description: p.Description, SHA256: p.SHA256, IconURL: p.IconURL,
	}
}

func (r packageRow) domain() skipper.PackageMetadata {
	return skipper.PackageMetadata{
		ID: r.ID, RepositoryID: r.RepositoryID, RepositoryName: r.RepositoryName,
		APIVersion: r.APIVersion, Origin: r.Origin, Kind: r.Kind, Name: r.Name, DisplayName: r.DisplayName,
		Version: r.Version, PackageSourceURL: r.PackageSourceURL, PackageHomeURL: r.PackageHomeURL, Tags: r.Tags,
		Maintainer: r.Maintainer, Description: r.Description, SHA256: r.SHA256, IconURL: r.IconURL,
	}
}

// packageColumns are what packages can be sorted by, as in JSON.
func packageColumns() map[string]column {
	return map[string]column{
		"apiVersion":       {name: "api_version", text: true},
		"origin":           {name: "origin", text: true, nullable: true},
		"repositoryId":     {name: "repository_id"},
		"repositoryName":   {name: "repository_name", text: true, nullable: true},
		"kind":             {name: "kind", text: true},
		"name":             {name: "name", text: true},
		"displayName":      {name: "display_name", text: true, nullable: true},
		"version":          {name: "version", text: true},
		"packageSourceUrl": {name: "package_source_url", text: true, nullable: true},
		"packageHomeUrl":   {name: "package_home_url", text: true, nullable: true},
		"tags":             {name: "tags", text: true, nullable: true},
		"maintainer":       {name: "maintainer", text: true, nullable: true},
		"description":      {name: "description", text: true, nullable: true},
		"sha256":           {name: "sha256", text: true, nullable: true},
		"iconUrl":          {name: "icon_url", text: true, nullable: true},
	}
}

// blobRow is the file of one or more packages, under the SHA-256 of its bytes.
type blobRow struct {
	Digest string `gorm:"primaryKey"`
	Data   []byte
}

// TableName is for gorm.
func (blobRow) TableName() string { return "blobs" }

// useRow is what the deletion of a package has to know of a release.
type useRow struct {
	PackageID    int64
	RepositoryID *int64
	Name         string
	Version      int
	Status       skipper.StatusCode
}

// TableName is for gorm.
func (useRow) TableName() string { return "releases" }

func (r useRow) domain() skipper.PackageUse {
	use := skipper.PackageUse{PackageID: r.PackageID, Release: r.Name, Version: r.Version, Status: r.Status}
	if r.RepositoryID != nil {
		use.RepositoryID = *r.RepositoryID
	}
	return use
}
