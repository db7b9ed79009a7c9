package handler

import (
	"net/url"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// historySearch is the query by which Skipper's clients read the history of a release.
const historySearch = "findByNameIgnoreCaseContainingOrderByNameAscVersionDesc"

// domainClass begins the names of Skipper's entities.
const domainClass = "org.springframework.cloud.skipper.domain."

func repositoriesResource(h *Handler) resource[skipper.Repository] {
	s := resource[skipper.Repository]{
		h: h, rel: "repositories", item: "repository", class: domainClass + "Repository",
		sortable: []string{"name", "url", "sourceUrl", "local", "description", "repoOrder"},
		page:     h.catalog.Repositories,
		one:      byID(h.catalog.Repository),
		etag:     func(skipper.Repository) string { return "0" },
		searches: []search[skipper.Repository]{
			{name: "findByName", template: "{?name}", one: h.catalog.RepositoryByName, nameOptional: true},
		},
	}
	s.body = func(r request, repository skipper.Repository) hal.Resource {
		repository.URL = withoutUser(repository.URL)
		return s.entityBody(r, decimal(repository.ID), repository)
	}
	return s
}

// withoutUser is a URL without its credentials: the server uses them, and shows them to nobody.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}

func deployersResource(h *Handler) resource[skipper.Platform] {
	s := resource[skipper.Platform]{
		h: h, rel: "deployers", item: "deployer", class: domainClass + "Deployer",
		sortable: []string{"name", "type", "description"},
		page:     h.releases.Platforms,
		one:      h.releases.Platform,
		searches: []search[skipper.Platform]{{name: "findByName", one: h.releases.PlatformByName}},
	}
	s.body = func(r request, platform skipper.Platform) hal.Resource {
		if platform.Options == nil {
			platform.Options = []skipper.Option{}
		}
		return s.entityBody(r, platform.ID, platform)
	}
	return s
}

func packageMetadataResource(h *Handler) resource[skipper.PackageMetadata] {
	const template = "{?name,projection}"
	s := resource[skipper.PackageMetadata]{
		h: h, rel: "packageMetadata", item: "packageMetadata", class: domainClass + "PackageMetadata", written: true,
		sortable: []string{
			"apiVersion", "origin", "repositoryId", "repositoryName", "kind", "name", "displayName", "version",
			"packageSourceUrl", "packageHomeUrl", "tags", "maintainer", "description", "sha256", "iconUrl",
		},
		page: h.catalog.Packages,
		one:  byID(h.catalog.Package),
		body: packageBody,
		etag: func(skipper.PackageMetadata) string { return "0" },
		searches: []search[skipper.PackageMetadata]{
			{name: "findByName", template: template, list: h.catalog.PackagesNamed, nameOptional: true},
			{name: "findByNameContainingIgnoreCase", template: template, list: h.catalog.PackagesContaining},
		},
	}
	return s
}

// packageSummary is a package in the projection summary.
type packageSummary struct {
	Name           string  `json:"name"`
	ID             string  `json:"id"`
	Version        string  `json:"version"`
	Description    *string `json:"description"`
	IconURL        *string `json:"iconUrl"`
	RepositoryName *string `json:"repositoryName"`
}

func packageBody(r request, p skipper.PackageMetadata) hal.Resource {
	id := decimal(p.ID)
	body := hal.Resource{Value: p}
	if r.query.Get("projection") == "summary" {
		body.Value = packageSummary{p.Name, id, p.Version, p.Description, p.IconURL, p.RepositoryName}
	}
	self := at(r.base+"/api/packageMetadata", id)
	body.Links.Add(relSelf, hal.Link{Href: self})
	body.Links.Add("packageMetadata", hal.NewLink(self+"{?projection}"))
	body.Links.Add("install", hal.Link{Href: at(r.base+"/api/package/install", id)})
	return body
}

func releasesResource(h *Handler) resource[skipper.Release] {
	s := resource[skipper.Release]{
		h: h, rel: "releases", item: "release", class: domainClass + "Release",
		sortable: []string{
			"name", "version", "platformName", "info.status.statusCode", "info.firstDeployed", "info.lastDeployed",
			"info.description",
		},
		page:     h.releases.Releases,
		one:      byID(h.releases.ReleaseByID),
		etag:     func(release skipper.Release) string { return decimal(release.ObjectVersion) },
		searches: []search[skipper.Release]{{name: historySearch, template: "{?name}", list: h.releases.History}},
	}
	s.body = func(r request, release skipper.Release) hal.Resource {
		return s.entityBody(r, decimal(release.ID), normal(release))
	}
	return s
}

// named is entityBody for entities known by name.
func (s resource[T]) named(name func(T) string) func(request, T) hal.Resource {
	return func(r request, entity T) hal.Resource { return s.entityBody(r, name(entity), entity) }
}

// entityBody is an entity with its links self and of its own relation.
func (s resource[T]) entityBody(r request, id string, entity any) hal.Resource {
	self := hal.Link{Href: s.url(r, id)}
	body := hal.Resource{Value: entity}
	body.Links.Add(relSelf, self)
	body.Links.Add(s.item, self)
	return body
}
