package handler

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Config is what the handlers work with. Every field is needed unless it says otherwise.
type Config struct {
	Catalog    Catalog
	Releases   Releases
	Operations Operations
	Actuator   Actuator
	Machine    Machine
	Orphans    Orphans   // nil: this server does not look for orphans
	Published  Published // nil: this server is no package repository for others
	Webhooks   Webhooks  // nil: no platform calls this server

	Version     string                      // of this server
	Cancellable []skipper.State             // the states of an operation in which a cancel is accepted
	Ping        func(context.Context) error // is the store there? nil: yes
	Stopping    func() bool                 // does the server stop? nil: no
	Clock       func() time.Time            // the real time: it bounds how long a body may take
	Logger      *slog.Logger
	EventPoll   time.Duration // how often an event stream looks for news; 0: 200 ms

	// LinksArray gives models an array of links, as Skipper's guide shows it, to whoever takes JSON and no HAL.
	LinksArray bool
	// TrustedProxies are believed when they say in headers which URL was asked for.
	TrustedProxies []netip.Prefix
}

// Handler answers the requests of the API.
type Handler struct {
	catalog     Catalog
	releases    Releases
	operations  Operations
	actuator    Actuator
	machine     Machine
	orphans     Orphans
	published   Published
	webhooks    Webhooks
	version     string
	cancellable []skipper.State
	ping        func(context.Context) error
	stopping    func() bool
	clock       func() time.Time
	logger      *slog.Logger
	eventPoll   time.Duration
	large       chan struct{} // places for large bodies
	followers   chan struct{} // places for clients that follow logs
	linksArray  bool
	proxies     proxies
	routes      []route
}

// New makes the handlers.
func New(c Config) *Handler {
	h := &Handler{
		catalog: c.Catalog, releases: c.Releases, operations: c.Operations, published: c.Published, version: c.Version,
		cancellable: c.Cancellable, ping: c.Ping, stopping: c.Stopping, clock: c.Clock, logger: c.Logger,
		eventPoll: c.EventPoll, large: make(chan struct{}, largeBodies), actuator: c.Actuator, machine: c.Machine, orphans: c.Orphans,
		webhooks: c.Webhooks, followers: make(chan struct{}, followers),
		linksArray: c.LinksArray, proxies: c.TrustedProxies,
	}
	if h.ping == nil {
		h.ping = func(context.Context) error { return nil }
	}
	if h.stopping == nil {
		h.stopping = func() bool { return false }
	}
	if h.eventPoll == 0 {
		h.eventPoll = 200 * time.Millisecond
	}
	h.routes = slices.Concat(
		h.indexRoutes(), h.packageRoutes(), h.releaseRoutes(), h.logRoutes(), h.instanceRoutes(), h.machineRoutes(),
		h.operationRoutes(), h.orphanRoutes(), h.webhookRoutes(), h.actuatorRoutes(),
		repositoriesResource(h).routes(), deployersResource(h).routes(),
		packageMetadataResource(h).routes(), releasesResource(h).routes(), h.profileRoutes(),
	)
	return h
}

// endpoint answers a request that is acceptable and routed; its error is answered by Fail.
type endpoint func(ctx context.Context, r request) (answer, error)

// route is one endpoint at its place.
type route struct {
	method string
	path   string   // in echo's form: /api/release/status/:name
	types  []string // the media types it can produce; empty: its answer has no body
	vary   bool     // Spring Data REST names what its CORS support looks at, in every answer
	hidden bool     // the method is not named in Allow
	alone  bool     // OPTIONS names this method only, where other routes match the path too
	model  bool     // its answer is a model of a controller, which has its links in one of two forms
	serve  endpoint
}

// answer is what an endpoint has to say.
type answer struct {
	status  int // 0: 200
	body    any // nil: none
	compact bool
	stream  func(w http.ResponseWriter) // instead of a body
}

func ok(body any) (answer, error)      { return answer{body: body}, nil }
func created(body any) (answer, error) { return answer{status: http.StatusCreated, body: body}, nil }

// The types that a controller's model, a plain object and a resource can be written as.
func jsonTypes() []string  { return []string{typeHAL, typeJSON} }
func plainTypes() []string { return []string{typeJSON, typeHAL} }

func model(method, path string, serve endpoint) route {
	return route{method: method, path: path, types: jsonTypes(), model: true, serve: serve}
}

func plain(method, path string, serve endpoint) route {
	return route{method: method, path: path, types: plainTypes(), serve: compacted(serve)}
}

func compacted(serve endpoint) endpoint {
	return func(ctx context.Context, r request) (answer, error) {
		a, err := serve(ctx, r)
		a.compact = true
		return a, err
	}
}

// Register puts all endpoints into an echo instance, and the answers to requests that none of them matches.
func (h *Handler) Register(e *echo.Echo) {
	e.Pre(h.withoutEncodedSlash, withoutTrailingSlash, h.repositoryFiles)
	e.HTTPErrorHandler = func(err error, c echo.Context) { h.unrouted(err, c) }
	e.Any("/", func(c echo.Context) error {
		c.Response().Header().Set("Location", h.proxies.base(c.Request())+"/api")
		c.Response().WriteHeader(http.StatusFound)
		return nil
	})
	for _, rt := range h.routes {
		e.OPTIONS(rt.path, h.options)
		e.Add(rt.method, rt.path, h.adapt(rt))
		if rt.method == http.MethodGet && !h.routed(http.MethodHead, rt.path) {
			e.HEAD(rt.path, h.adapt(rt)) // net/http leaves the body out
		}
	}
}

func (h *Handler) routed(method, path string) bool {
	return slices.ContainsFunc(h.routes, func(rt route) bool { return rt.method == method && rt.path == path })
}

// withoutTrailingSlash makes one trailing slash optional, as in Spring.
func withoutTrailingSlash(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if len(u.Path) > 1 {
			u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
		}
		return next(c)
	}
}

// withoutEncodedSlash refuses a path whose segments are not what they seem, as Tomcat does: no name holds a slash.
func (h *Handler) withoutEncodedSlash(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		path := strings.ToLower(c.Request().URL.EscapedPath())
		for _, encoded := range []string{"%2f", "%5c", "%00"} {
			if strings.Contains(path, encoded) {
				h.Fail(c.Response(), c.Request(), &protocolError{
					status: http.StatusBadRequest, message: "the path must not hold " + encoded + ": no name has such a character",
				})
				return nil
			}
		}
		return next(c)
	}
}

// adapt is the border to echo. What cannot be answered acceptably is not begun.
func (h *Handler) adapt(rt route) echo.HandlerFunc {
	return func(c echo.Context) error {
		w := c.Response()
		if rt.vary {
			addVary(w.Header())
		}
		mediaType, acceptable := negotiate(c.Request().Header, rt.types)
		if !acceptable && len(rt.types) > 0 {
			w.WriteHeader(http.StatusNotAcceptable)
			return nil
		}
		r := newRequest(c, mediaType, h.proxies.base(c.Request()))
		r.bare = h.linksArray && rt.model && mediaType == typeJSON && !accepts(c.Request().Header, typeHAL)
		a, err := rt.serve(c.Request().Context(), r)
		if err == nil {
			err = write(w, r, a)
		}
		if err != nil {
			h.Fail(w, c.Request(), err)
		}
		return nil
	}
}

func write(w http.ResponseWriter, r request, a answer) error {
	if a.stream != nil {
		a.stream(w)
		return nil
	}
	status := max(a.status, http.StatusOK)
	if a.body == nil {
		w.WriteHeader(status)
		return nil
	}
	marshal := hal.MarshalIndent
	switch {
	case a.compact:
		marshal = hal.Marshal
	case r.bare:
		marshal = hal.MarshalBareIndent
	}
	body, err := marshal(a.body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", r.mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // who asked may be gone
	return nil
}

func addVary(header http.Header) {
	for _, name := range []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		header.Add("Vary", name)
	}
}

// unrouted answers what echo found no route for: a method that the path does not have, or an unknown path.
func (h *Handler) unrouted(err error, c echo.Context) {
	r, w := c.Request(), c.Response()
	allowed := h.allowed(echo.GetPath(r))
	switch {
	case w.Committed:
		h.logger.DebugContext(r.Context(), "the answer was cut off", slog.Any("error", err))
	case len(allowed) == 0 || h.isData(echo.GetPath(r)): // Spring Data REST knows no other methods than it serves
		addVary(w.Header())
		w.Header().Del("Allow") // echo's
		h.Fail(w, r, unknownPath())
	default:
		h.Fail(w, r, &protocolError{
			status: http.StatusMethodNotAllowed, class: classMethod, allow: strings.Join(allowed, ", "),
			message: "Request method '" + r.Method + "' not supported",
		})
	}
}

func (h *Handler) options(c echo.Context) error {
	w, path := c.Response(), echo.GetPath(c.Request())
	if h.isData(path) {
		addVary(w.Header())
		if h.preflight(c.Request()) {
			w.Header()["Content-Type"] = nil // nor does Spring name one
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("Invalid CORS request")) // who asked may be gone
			return nil
		}
	}
	if h.matching(path, func(rt route) bool { return rt.alone }) {
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if h.matching(path, func(rt route) bool { return rt.vary && strings.HasSuffix(rt.path, "/:id") }) {
		w.Header().Set("Accept-Patch", acceptPatch)
	}
	allowed := h.allowed(path)
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ","))
	w.WriteHeader(http.StatusOK)
	return nil
}

// acceptPatch is what Spring Data REST says of every item, also where it refuses the method.
const acceptPatch = "application/merge-patch+json,application/json-patch+json,application/json"

// isData says that Spring Data REST has the path.
func (h *Handler) isData(path string) bool {
	return h.matching(path, func(rt route) bool { return rt.vary })
}

func (h *Handler) matching(path string, is func(route) bool) bool {
	return slices.ContainsFunc(h.routes, func(rt route) bool { return matches(rt.path, path) && is(rt) })
}

// preflight says that a browser asks for a page of another origin whether it may send a request. None may.
func (h *Handler) preflight(r *http.Request) bool {
	from := r.Header.Get("Origin")
	return from != "" && r.Header.Get("Access-Control-Request-Method") != "" && from != h.proxies.base(r)
}

// allowed gives the methods of all routes that match a path.
func (h *Handler) allowed(path string) []string {
	var methods []string
	for _, rt := range h.routes {
		if !rt.hidden && matches(rt.path, path) && !slices.Contains(methods, rt.method) {
			methods = append(methods, rt.method)
		}
	}
	return methods
}

// matches compares a route's path with one that was asked for, segment by segment.
func matches(pattern, path string) bool {
	want, found := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, found, func(w, f string) bool {
		return w == f || strings.HasPrefix(w, ":") && f != ""
	})
}
