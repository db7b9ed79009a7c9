package handler

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/skiff-project/skiff/pkg/hal"
)

// Relations that stand in several documents.
const (
	relSelf      = "self"
	relOperation = "operation"
	relCancel    = "cancel"
)

func (h *Handler) indexRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/api", types: jsonTypes(), vary: true, alone: true, serve: h.index},
		{method: http.MethodHead, path: "/api", vary: true, hidden: true, serve: noContent},
		model(http.MethodGet, "/api/about", h.about),
		model(http.MethodGet, "/api/package", h.packageIndex),
		model(http.MethodGet, "/api/release", h.releaseIndex),
	}
}

func noContent(context.Context, request) (answer, error) {
	return answer{status: http.StatusNoContent}, nil
}

// relationLinks are relations and paths in turn, as links of one document.
func relationLinks(base string, relationsAndPaths ...string) hal.Resource {
	var r hal.Resource
	for i := 0; i+1 < len(relationsAndPaths); i += 2 {
		r.Links.Add(relationsAndPaths[i], hal.NewLink(base+relationsAndPaths[i+1]))
	}
	return r
}

func (h *Handler) index(_ context.Context, r request) (answer, error) {
	return ok(relationLinks(
		r.base+"/api",
		"repositories", "/repositories{?page,size,sort}",
		"jpaRepositoryActions", "/jpaRepositoryActions",
		"jpaRepositoryGuards", "/jpaRepositoryGuards",
		"deployers", "/deployers{?page,size,sort}",
		"jpaRepositoryStates", "/jpaRepositoryStates",
		"releases", "/releases{?page,size,sort}",
		"packageMetadata", "/packageMetadata{?page,size,sort,projection}",
		"jpaRepositoryStateMachines", "/jpaRepositoryStateMachines",
		"jpaRepositoryTransitions", "/jpaRepositoryTransitions",
		"operations", "/operations{?releaseName,kind,outcome,state,page,size,sort}",
		relOperation, "/operations/{id}",
		"orphans", "/orphans",
		"orphans/remove", "/orphans/remove",
		"orphans/adopt", "/orphans/adopt",
		"about", "/about",
		"release", "/release",
		"package", "/package",
		"profile", "/profile",
	))
}

func (h *Handler) packageIndex(_ context.Context, r request) (answer, error) {
	return ok(relationLinks(
		r.base+"/api/package",
		"upload", "/upload",
		"install", "/install",
		"install/id", "/install/{id}",
		"delete/name", "/{name}",
	))
}

func (h *Handler) releaseIndex(_ context.Context, r request) (answer, error) {
	index := relationLinks(
		r.base+"/api/release",
		"actuator/name/app/id", "/actuator/{name}/{app}/{id}?endpoint={endpoint}",
		"actuator/name/app/id", "/actuator/{name}/{app}/{id}",
		"logs/name", "/logs/{name}",
		"status/name", "/status/{name}",
		"status/name/version", "/status/{name}/{version}",
		"manifest", "/manifest/{name}",
		"manifest/name/version", "/manifest/{name}/{version}",
		"upgrade", "/upgrade",
		"rollback", "/rollback/{name}/123",
		"list", "/list",
		"list/name", "/list/{name}",
		"delete/name", "/{name}",
		"delete/name/package", "/{name}/package",
		"rollback/request", "/rollback", // Skipper's own link leads to a form without a time limit
		"preview", "/preview",
		relCancel, "/cancel",
		"scale/name", "/scale/{name}",
		"statuses", "/statuses{?names}",
		"states", "/states{?names}",
	)
	index.Links.Add("history", hal.NewLink(r.base+"/api/releases/search/"+historySearch+"{?name}"))
	index.Links.Add("logs", hal.NewLink(r.base+"/api/release/logs/{name}{?tail,since,instance,follow}"))
	index.Links.Add("operations", hal.NewLink(r.base+"/api/operations{?releaseName,kind,outcome,state,page,size,sort}"))
	return ok(index)
}

type dependency struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// about names the server and, as its shell, the command line of the same binary.
func (h *Handler) about(context.Context, request) (answer, error) {
	type versionInfo struct {
		Server dependency `json:"server"`
		Shell  dependency `json:"shell"`
	}
	return ok(struct {
		VersionInfo versionInfo `json:"versionInfo"`
	}{versionInfo{
		Server: dependency{Name: "skiff", Version: h.version},
		Shell:  dependency{Name: "skiff shell", Version: h.version},
	}})
}

// at joins path segments behind a base, each escaped.
func at(base string, segments ...string) string {
	for _, s := range segments {
		base += "/" + url.PathEscape(s)
	}
	return base
}

func operationLink(base, id string) hal.Link {
	return hal.Link{Href: at(base, "api", "operations", id)}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
