package repository

import "github.com/skiff-project/skiff/pkg/skipper"

type repositoryRow struct {
	ID          int64 `gorm:"primaryKey"`
	Name        string
	URL         string
	SourceURL   *string
	Local       bool
	Description *string
	RepoOrder   *int
}

// TableName is for gorm.
func (repositoryRow) TableName() string { return "repositories" }

func newRepositoryRow(r skipper.Repository) repositoryRow {
	return repositoryRow{
		ID: r.ID, Name: r.Name, URL: r.URL, SourceURL: r.SourceURL, Local: r.Local,
		Description: r.Description, RepoOrder: r.RepoOrder,
	}
}

func (r repositoryRow) domain() skipper.Repository {
	return skipper.Repository{
		ID: r.ID, Name: r.Name, URL: r.URL, SourceURL: r.SourceURL, Local: r.Local,
		Description: r.Description, RepoOrder: r.RepoOrder,
	}
}

// repositoryColumns are what package repositories can be sorted by, as in JSON.
func repositoryColumns() map[string]column {
	return map[string]column{
		"name":        {name: "name", text: true},
		"url":         {name: "url", text: true},
		"sourceUrl":   {name: "source_url", text: true, nullable: true},
		"local":       {name: "local"},
		"description": {name: "description", text: true, nullable: true},
		"repoOrder":   {name: "repo_order", nullable: true},
	}
}
