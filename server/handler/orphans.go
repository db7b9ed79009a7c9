package handler

import (
	"context"
	"net/http"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Orphans is what the handlers ask of deployments that no release stands for.
type Orphans interface {
	// List looks for orphans, and adds what has to go and is not gone yet.
	List(ctx context.Context) (skipper.Orphans, error)
	// Remove has orphans removed, and gives them as open compensations.
	Remove(ctx context.Context, request skipper.OrphanRequest) (skipper.Orphans, error)
	// Adopt gives orphans back to the releases that their marks name; those that cannot be adopted have a message.
	Adopt(ctx context.Context, request skipper.OrphanRequest) (skipper.Orphans, error)
}

const orphansPath = "/api/orphans"

// orphanRoutes are none for a server that does not look for orphans.
func (h *Handler) orphanRoutes() []route {
	if h.orphans == nil {
		return nil
	}
	return []route{
		model(http.MethodGet, orphansPath, func(ctx context.Context, r request) (answer, error) {
			found, err := h.orphans.List(ctx)
			return orphanList(r, found, err)
		}),
		model(http.MethodPost, orphansPath+"/remove", h.orphanCommand(h.orphans.Remove)),
		model(http.MethodPost, orphansPath+"/adopt", h.orphanCommand(h.orphans.Adopt)),
	}
}

func (h *Handler) orphanCommand(do func(context.Context, skipper.OrphanRequest) (skipper.Orphans, error)) endpoint {
	return func(ctx context.Context, r request) (answer, error) {
		var request skipper.OrphanRequest
		if err := h.read(ctx, r, bodyLimit, &request); err != nil {
			return answer{}, err
		}
		found, err := do(ctx, request)
		return orphanList(r, found, err)
	}
}

func orphanList(r request, found skipper.Orphans, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	if found.Problems == nil {
		found.Problems = []string{}
	}
	embedded := hal.Embedded{Rel: "orphans"}
	list := hal.Resource{Value: found, Embedded: &embedded}
	list.Links.Add(relSelf, hal.Link{Href: r.base + orphansPath})
	for _, o := range found.Items {
		item := hal.Resource{Value: o}
		switch o.Kind {
		case skipper.OrphanAdopted:
			item.Links.Add("release", hal.Link{Href: at(r.base+"/api/release/status", o.ReleaseName, decimal(int64(o.Version)))})
		case skipper.OrphanFound:
			remove, adopt := hal.Link{Href: r.base + orphansPath + "/remove"}, hal.Link{Href: r.base + orphansPath + "/adopt"}
			if _, there := list.Links.Get("remove"); !there {
				list.Links.Add("remove", remove)
				list.Links.Add("adopt", adopt)
			}
		case skipper.OrphanCompensation, skipper.OrphanDraining:
		}
		embedded.Items = append(embedded.Items, item)
	}
	return ok(list)
}
