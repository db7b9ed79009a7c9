package handler

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// resource is a list of entities that behaves as a repository of Spring Data REST.
type resource[T any] struct {
	h        *Handler
	rel      string // of the list; also its path under /api
	item     string // relation of one entity
	class    string // of an entity in Skipper
	sortable []string
	unpaged  bool // clients expect all of it: only a list of more than maxSize entities has pages
	written  bool // Skipper lets clients write it; here that is refused, after what Skipper checks first

	page func(ctx context.Context, page skipper.PageRequest) (skipper.Page[T], error)
	one  func(ctx context.Context, id string) (T, error)
	body func(r request, entity T) hal.Resource // with the link self first
	etag func(entity T) string                  // nil: no ETag

	searches []search[T]
}

// search is one query of a resource; one of list and one is set.
type search[T any] struct {
	name         string
	template     string // of the link
	nameOptional bool   // without a name nothing is found
	list         func(ctx context.Context, name string) ([]T, error)
	one          func(ctx context.Context, name string) (T, error)
}

func (s resource[T]) routes() []route {
	list := "/api/" + s.rel
	item := list + "/:id"
	routes := []route{
		s.route(http.MethodGet, list, s.list), s.silent(http.MethodHead, list, s.headList),
		s.silent(http.MethodPost, list, s.refuse),
		s.route(http.MethodGet, item, s.get), s.silent(http.MethodHead, item, s.get),
		s.silent(http.MethodPut, item, s.refuse), s.silent(http.MethodPatch, item, s.refuse),
		s.silent(http.MethodDelete, item, s.refuse),
		s.route(http.MethodGet, item+"/:property", s.missing),
	}
	// What is neither a collection's nor an item's is an unknown path to Spring Data REST, not a refused method. The
	// lists of the machine are ours: there it is refused.
	elsewhere := nowhere
	if s.unpaged {
		elsewhere = s.refuse
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
		routes = append(routes, s.silent(method, list, elsewhere))
	}
	return append(append(routes, s.silent(http.MethodPost, item, elsewhere)), s.searchRoutes(list+"/search")...)
}

func (s resource[T]) searchRoutes(path string) []route {
	if len(s.searches) == 0 {
		return nil
	}
	alone := func(path string, serve endpoint) []route {
		get := s.route(http.MethodGet, path, serve)
		get.alone = true
		return []route{get, s.silent(http.MethodHead, path, noContent)}
	}
	routes := alone(path, s.searchIndex)
	for _, q := range s.searches {
		routes = append(routes, alone(path+"/"+q.name, s.find(q))...)
	}
	return routes
}

func (s resource[T]) route(method, path string, serve endpoint) route {
	return route{method: method, path: path, types: jsonTypes(), vary: true, serve: serve}
}

// silent is a route that has no body to write, except for errors, and that OPTIONS does not name.
func (s resource[T]) silent(method, path string, serve endpoint) route {
	return route{method: method, path: path, vary: true, hidden: true, serve: serve}
}

func (s resource[T]) url(r request, segments ...string) string {
	return at(r.base+"/api/"+s.rel, segments...)
}

func (s resource[T]) list(ctx context.Context, r request) (answer, error) {
	request := r.pageRequest(s.sortable)
	if s.unpaged && !r.has("size") {
		request.Size = maxSize
	}
	found, err := s.page(ctx, request)
	if err != nil {
		return answer{}, err
	}
	page := hal.NewPage(request.Page, request.Size, found.Total)
	body := hal.Resource{Embedded: s.embedded(r, found.Items)}
	if !s.unpaged {
		body.Page = &page
	}
	body.Links.AddPage(r.self(), page, sortValues(request.Sort))
	s.addCollectionLinks(r, &body.Links)
	return ok(body)
}

func (s resource[T]) addCollectionLinks(r request, links *hal.Links) {
	links.Add("profile", hal.Link{Href: r.base + "/api/profile/" + s.rel})
	if len(s.searches) > 0 {
		links.Add("search", hal.Link{Href: s.url(r, "search")})
	}
}

func (s resource[T]) headList(_ context.Context, r request) (answer, error) {
	var links hal.Links
	links.Add(relSelf, hal.Link{Href: r.self()})
	s.addCollectionLinks(r, &links)
	r.w.Header().Set("Link", links.Header())
	return answer{status: http.StatusNoContent}, nil
}

func (s resource[T]) embedded(r request, entities []T) *hal.Embedded {
	e := hal.Embedded{Rel: s.rel}
	for _, entity := range entities {
		e.Items = append(e.Items, s.body(r, entity))
	}
	return &e
}

func (s resource[T]) get(ctx context.Context, r request) (answer, error) {
	entity, err := s.one(ctx, r.params["id"])
	return s.entity(r, entity, err)
}

// isMissing says that an error means: there is no such entity.
func isMissing(err error) bool {
	code := skipper.CodeOf(err)
	return err != nil && (code == skipper.CodeNotFound || code == skipper.CodeReleaseNotFound)
}

// entity answers with one entity: in full, with 304, or with an empty 404 when it is not there.
func (s resource[T]) entity(r request, entity T, err error) (answer, error) {
	if isMissing(err) {
		return answer{}, notThere()
	}
	if err != nil {
		return answer{}, err
	}
	if s.etag != nil {
		tag := `"` + s.etag(entity) + `"`
		r.w.Header()["ETag"] = []string{tag} // spelled as recorded, which is not Go's canonical form
		if unchanged(r.Request, tag) {
			return answer{status: http.StatusNotModified}, nil
		}
	}
	body := s.body(r, entity)
	if r.Method == http.MethodHead {
		r.w.Header().Set("Link", body.Links.Header())
		return answer{status: http.StatusNoContent}, nil
	}
	return ok(body)
}

// unchanged judges a conditional request. Entities have no date of change, so any If-Modified-Since means unchanged, as
// in Skipper; it counts only without If-None-Match.
func unchanged(r *http.Request, tag string) bool {
	known := strings.Join(r.Header.Values("If-None-Match"), ",")
	if known == "" {
		return r.Header.Get("If-Modified-Since") != ""
	}
	return matchesTag(known, tag)
}

// matchesTag compares a list of entity tags, or *, with one; weak or without quotes they are as good.
func matchesTag(known, tag string) bool {
	return slices.ContainsFunc(strings.Split(known, ","), func(t string) bool {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		return t == "*" || strings.Trim(t, `"`) == strings.Trim(tag, `"`)
	})
}

// refuse answers a method that would write. What Spring Data REST looks at before comes first: the body, for PATCH
// whether there is such an entity, and where it writes at all, whether the entity is the one that the caller knows.
func (s resource[T]) refuse(ctx context.Context, r request) (answer, error) {
	if r.Method != http.MethodDelete {
		if err := s.h.readEntity(ctx, r, s.class); err != nil {
			return answer{}, err
		}
	}
	known := r.Header.Get("If-Match")
	conditional := s.written && known != "" && r.Method != http.MethodPost
	if id, isItem := r.params["id"]; isItem && (r.Method == http.MethodPatch || conditional) {
		entity, err := s.one(ctx, id)
		if isMissing(err) {
			return answer{}, notThere()
		}
		if err != nil {
			return answer{}, err
		}
		if conditional && !matchesTag(known, `"`+s.etag(entity)+`"`) {
			r.w.Header()["ETag"] = []string{known}
			return answer{status: http.StatusPreconditionFailed}, nil
		}
	}
	return answer{}, &protocolError{
		status: http.StatusMethodNotAllowed, message: "read only", emptyBody: true,
		allow: "GET,HEAD,OPTIONS",
	}
}

func (s resource[T]) missing(context.Context, request) (answer, error) { return answer{}, notThere() }

func nowhere(context.Context, request) (answer, error) { return answer{}, unknownPath() }

func (s resource[T]) searchIndex(_ context.Context, r request) (answer, error) {
	var body hal.Resource
	for _, q := range s.searches {
		body.Links.Add(q.name, hal.NewLink(s.url(r, "search", q.name)+q.template))
	}
	body.Links.Add(relSelf, hal.Link{Href: s.url(r, "search")})
	return ok(body)
}

func (s resource[T]) find(q search[T]) endpoint {
	return func(ctx context.Context, r request) (answer, error) {
		if !r.has("name") && !q.nameOptional {
			return answer{}, skipper.Errorf(skipper.CodeInvalid, "the parameter name is missing; give a part of a name")
		}
		name := r.query.Get("name")
		if q.one != nil {
			entity, err := q.one(ctx, name)
			return s.entity(r, entity, err)
		}
		var found []T
		if r.has("name") {
			var err error
			if found, err = q.list(ctx, name); err != nil {
				return answer{}, err
			}
		}
		body := hal.Resource{Embedded: s.embedded(r, found)}
		body.Links.Add(relSelf, hal.Link{Href: r.self()})
		return ok(body)
	}
}

// byID makes a look-up by number of one by text.
func byID[T any](find func(ctx context.Context, id int64) (T, error)) func(context.Context, string) (T, error) {
	return func(ctx context.Context, id string) (T, error) {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return *new(T), skipper.Errorf(skipper.CodeInvalid, "the id in the path must be a number, found %q", id)
		}
		return find(ctx, n)
	}
}
