package handler

import (
	"context"
	"net/http"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func (h *Handler) packageRoutes() []route {
	return []route{
		model(http.MethodPost, "/api/package/upload", h.upload),
		model(http.MethodPost, "/api/package/install", h.install),
		model(http.MethodPost, "/api/package/install/:id", h.installByID),
		{method: http.MethodDelete, path: "/api/package/:name", serve: h.deletePackage},
	}
}

func (h *Handler) upload(ctx context.Context, r request) (answer, error) {
	var upload skipper.UploadRequest
	if err := h.read(ctx, r, uploadLimit, &upload); err != nil {
		return answer{}, err
	}
	metadata, err := h.catalog.Upload(ctx, upload)
	if err != nil {
		return answer{}, err
	}
	install := r.base + "/api/package/install"
	body := hal.Resource{Value: metadata}
	body.Links.Add("install", hal.Link{Href: install}, hal.Link{Href: at(install, decimal(metadata.ID))})
	return created(body)
}

func (h *Handler) install(ctx context.Context, r request) (answer, error) {
	var install skipper.InstallRequest
	if err := h.read(ctx, r, bodyLimit, &install); err != nil {
		return answer{}, err
	}
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	return commanded(h, r, http.StatusCreated)(h.releases.Install(ctx, install, o))
}

func (h *Handler) installByID(ctx context.Context, r request) (answer, error) {
	id, err := r.number("id", "java.lang.Long", 64)
	if err != nil {
		return answer{}, err
	}
	var properties skipper.InstallProperties
	if err := h.read(ctx, r, bodyLimit, &properties); err != nil {
		return answer{}, err
	}
	o, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	return commanded(h, r, http.StatusCreated)(h.releases.InstallPackage(ctx, id, properties, o))
}

func (h *Handler) deletePackage(ctx context.Context, r request) (answer, error) {
	return answer{}, h.catalog.DeletePackage(ctx, r.params["name"])
}
