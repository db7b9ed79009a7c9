package handler

import (
	"context"
	"net/http"
	"slices"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func (h *Handler) releaseRoutes() []route {
	const release = "/api/release"
	return []route{
		plain(http.MethodGet, release+"/statuses", h.statuses),
		plain(http.MethodGet, release+"/states", h.states),
		model(http.MethodGet, release+"/status/:name", h.status),
		model(http.MethodGet, release+"/status/:name/:version", h.status),
		model(http.MethodGet, release+"/manifest/:name", h.manifest),
		model(http.MethodGet, release+"/manifest/:name/:version", h.manifest),
		model(http.MethodGet, release+"/list", h.list),
		model(http.MethodGet, release+"/list/:name", h.list),
		model(http.MethodPost, release+"/upgrade", h.upgrade),
		model(http.MethodPost, release+"/preview", h.preview),
		model(http.MethodPost, release+"/rollback", h.rollback),
		model(http.MethodPost, release+"/rollback/:name/:version", h.rollbackByPath),
		model(http.MethodDelete, release+"/:name", h.deleteRelease),
		model(http.MethodDelete, release+"/:name/package", h.deleteReleaseAndPackage),
		plain(http.MethodPost, release+"/cancel", h.cancel),
		model(http.MethodPost, release+"/scale/:name", h.scale),
	}
}

func (h *Handler) status(ctx context.Context, r request) (answer, error) {
	version, err := r.version()
	if err != nil {
		return answer{}, err
	}
	info, err := h.releases.Status(ctx, r.params["name"], version)
	if err != nil {
		return answer{}, err
	}
	body := hal.Resource{Value: info}
	// Skipper leaves the variable in the link; its clients know it so.
	body.Links.Add("manifest", hal.NewLink(r.base+"/api/release/manifest/{name}"))
	return ok(body)
}

func (h *Handler) manifest(ctx context.Context, r request) (answer, error) {
	version, err := r.version()
	if err != nil {
		return answer{}, err
	}
	manifest, err := h.releases.Manifest(ctx, r.params["name"], version)
	if err != nil {
		return answer{}, err
	}
	return ok(hal.Resource{Value: manifest, Links: statusTemplate(r)})
}

// statusTemplate is the link status of releases and manifests, with its variable left in, as in Skipper.
func statusTemplate(r request) hal.Links {
	var links hal.Links
	links.Add("status", hal.NewLink(r.base+"/api/release/status/{name}"))
	return links
}

func (h *Handler) statuses(ctx context.Context, r request) (answer, error) {
	names, err := r.names()
	if err != nil {
		return answer{}, err
	}
	statuses, err := h.releases.Statuses(ctx, names)
	if err != nil {
		return answer{}, err
	}
	if statuses == nil {
		statuses = map[string]skipper.Info{}
	}
	return ok(statuses)
}

// states answers without a body when no name is known, as Skipper does.
func (h *Handler) states(ctx context.Context, r request) (answer, error) {
	names, err := r.names()
	if err != nil {
		return answer{}, err
	}
	states, err := h.releases.States(ctx, names)
	if err != nil || len(states) == 0 {
		return answer{}, err
	}
	for name, of := range states {
		if of == nil {
			states[name] = map[string]skipper.DeploymentState{}
		}
	}
	return ok(states)
}

func (h *Handler) list(ctx context.Context, r request) (answer, error) {
	releases, err := h.releases.Listed(ctx, r.params["name"])
	if err != nil {
		return answer{}, err
	}
	if len(releases) == 0 && !r.bare { // HAL leaves an empty list out
		return ok(hal.Resource{})
	}
	names := make([]string, 0, len(releases))
	for _, release := range releases {
		names = append(names, release.Name)
	}
	slices.Sort(names)
	running, err := h.operations.Running(ctx, slices.Compact(names))
	if err != nil {
		return answer{}, err
	}
	embedded := hal.Embedded{Rel: "releases"}
	for _, release := range releases {
		var operation *skipper.Operation
		if o, found := running[release.Name]; found {
			operation = &o
		}
		embedded.Items = append(embedded.Items, h.releaseBody(r, release, operation))
	}
	return ok(hal.Resource{Embedded: &embedded})
}

func (h *Handler) upgrade(ctx context.Context, r request) (answer, error) {
	var upgrade skipper.UpgradeRequest
	if err := h.read(ctx, r, bodyLimit, &upgrade); err != nil {
		return answer{}, err
	}
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	return commanded(h, r, http.StatusCreated)(h.releases.Upgrade(ctx, upgrade, o))
}

func (h *Handler) preview(ctx context.Context, r request) (answer, error) {
	var install skipper.InstallRequest
	if err := h.read(ctx, r, bodyLimit, &install); err != nil {
		return answer{}, err
	}
	p, err := h.releases.Preview(ctx, install)
	if err != nil {
		return answer{}, err
	}
	return ok(hal.Resource{Value: p})
}

func (h *Handler) rollback(ctx context.Context, r request) (answer, error) {
	var rollback skipper.RollbackRequest
	if err := h.read(ctx, r, bodyLimit, &rollback); err != nil {
		return answer{}, err
	}
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	return commanded(h, r, http.StatusCreated)(h.releases.Rollback(ctx, rollback, o))
}

func (h *Handler) rollbackByPath(ctx context.Context, r request) (answer, error) {
	n, err := r.number("version", "int", 32)
	if err != nil {
		return answer{}, err
	}
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	version := int(n)
	rollback := skipper.RollbackRequest{ReleaseName: r.params["name"], Version: &version, Timeout: o.Timeout}
	return commanded(h, r, http.StatusCreated)(h.releases.Rollback(ctx, rollback, o))
}

func (h *Handler) deleteRelease(ctx context.Context, r request) (answer, error) {
	return h.delete(ctx, r, false)
}

func (h *Handler) deleteReleaseAndPackage(ctx context.Context, r request) (answer, error) {
	return h.delete(ctx, r, true)
}

func (h *Handler) delete(ctx context.Context, r request, withPackage bool) (answer, error) {
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	return commanded(h, r, http.StatusOK)(h.releases.Delete(ctx, r.params["name"], withPackage, o))
}

func (h *Handler) scale(ctx context.Context, r request) (answer, error) {
	var scale skipper.ScaleRequest
	if err := h.read(ctx, r, bodyLimit, &scale); err != nil {
		return answer{}, err
	}
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	return commanded(h, r, http.StatusCreated)(h.releases.Scale(ctx, r.params["name"], scale, o))
}

func (h *Handler) cancel(ctx context.Context, r request) (answer, error) {
	var cancel skipper.CancelRequest
	if err := h.read(ctx, r, bodyLimit, &cancel); err != nil {
		return answer{}, err
	}
	accepted, operation, err := h.releases.Cancel(ctx, cancel)
	if err != nil {
		return answer{}, err
	}
	body := hal.Resource{Value: accepted}
	if operation != nil && operation.Kind != skipper.KindRenew { // that one makes way
		body.Links.Add(relOperation, operationLink(r.base, operation.ID))
	}
	return ok(body)
}

// commanded gives the answer to a command from what the service gave: the release, or the operation when it is queued.
func commanded(h *Handler, r request, status int) func(skipper.Release, skipper.Operation, error) (answer, error) {
	return func(release skipper.Release, operation skipper.Operation, err error) (answer, error) {
		switch {
		case err != nil && operation.ID != "":
			return answer{}, &operationFailedError{err: err, id: operation.ID}
		case err != nil:
			return answer{}, err
		case operation.Outcome == skipper.OutcomeQueued:
			return h.commandedOperation(r, operation, http.StatusAccepted)
		case operation.ID == "":
			return answer{status: status, body: h.releaseBody(r, release, nil)}, nil
		}
		return answer{status: status, body: h.releaseBody(r, release, &operation)}, nil
	}
}

// releaseBody is a release as the controllers show it: with the link status that Skipper has, and with links to what
// can be done with the release now. The operation is the one that runs on it, or the one that made it so.
func (h *Handler) releaseBody(r request, release skipper.Release, operation *skipper.Operation) hal.Resource {
	body := hal.Resource{Value: normal(release), Links: statusTemplate(r)}
	controller := r.base + "/api/release"
	if release.ID != 0 {
		body.Links.Add("release", hal.Link{Href: at(r.base+"/api/releases", decimal(release.ID))})
	}
	body.Links.Add("logs", hal.Link{Href: at(controller+"/logs", release.Name)})
	if operation != nil {
		body.Links.Add(relOperation, operationLink(r.base, operation.ID))
		if operation.Running() {
			if h.canCancel(*operation) {
				body.Links.Add(relCancel, hal.Link{Href: controller + "/cancel"})
			}
			return body
		}
	}
	body.Links.Add("upgrade", hal.Link{Href: controller + "/upgrade"})
	body.Links.Add("rollback", hal.Link{Href: controller + "/rollback"})
	if release.Info.Status.StatusCode == skipper.StatusDeployed {
		body.Links.Add("delete", hal.Link{Href: at(controller, release.Name)})
	}
	return body
}

// canCancel says that a cancel of a running operation would be accepted now.
func (h *Handler) canCancel(o skipper.Operation) bool {
	return o.Running() && !o.Cancel && slices.Contains(h.cancellable, o.State)
}

// normal makes lists that are nil empty: Skipper's clients do not take null for them.
func normal(release skipper.Release) skipper.Release {
	release.Pkg = normalPackage(release.Pkg)
	return release
}

func normalPackage(p skipper.Package) skipper.Package {
	if p.Templates == nil {
		p.Templates = []skipper.Template{}
	}
	if p.FileHolders == nil {
		p.FileHolders = []skipper.FileHolder{}
	}
	dependencies := make([]skipper.Package, 0, len(p.Dependencies))
	for _, d := range p.Dependencies {
		dependencies = append(dependencies, normalPackage(d))
	}
	p.Dependencies = dependencies
	return p
}
