package handler

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func (h *Handler) operationRoutes() []route {
	const operations = "/api/operations"
	events := route{
		method: http.MethodGet, path: operations + "/:id/events", types: append(jsonTypes(), typeEvents), serve: h.events,
	}
	return []route{
		model(http.MethodGet, operations, h.listOperations),
		model(http.MethodGet, operations+"/:id", h.operation),
		events,
	}
}

func (h *Handler) listOperations(ctx context.Context, r request) (answer, error) {
	request := r.pageRequest([]string{"created", "updated", "releaseName", "kind", "outcome"})
	found, err := h.operations.Operations(ctx, r.query.Get("releaseName"), request)
	if err != nil {
		return answer{}, err
	}
	page := hal.NewPage(request.Page, request.Size, found.Total)
	embedded := hal.Embedded{Rel: "operations"}
	for _, operation := range found.Items {
		embedded.Items = append(embedded.Items, h.operationBody(r, operation))
	}
	body := hal.Resource{Embedded: &embedded, Page: &page}
	body.Links.AddPage(r.self(), page, sortValues(request.Sort))
	return ok(body)
}

func (h *Handler) operation(ctx context.Context, r request) (answer, error) {
	operation, err := h.operations.Operation(ctx, r.params["id"])
	if err != nil {
		return answer{}, err
	}
	return ok(h.operationBody(r, operation))
}

// operationBody links to the release only where there is one: a failed install leaves none.
func (h *Handler) operationBody(r request, o skipper.Operation) hal.Resource {
	body := hal.Resource{Value: o}
	self := operationLink(r.base, o.ID)
	body.Links.Add(relSelf, self)
	if o.Kind != skipper.KindInstall || o.Running() || o.Outcome == skipper.OutcomeSucceeded {
		status := at(r.base+"/api/release/status", o.ReleaseName, strconv.Itoa(o.TargetVersion))
		body.Links.Add("release", hal.Link{Href: status})
	}
	body.Links.Add("events", hal.Link{Href: self.Href + "/events"})
	if h.canCancel(o) {
		body.Links.Add(relCancel, hal.Link{Href: r.base + "/api/release/cancel"})
	}
	return body
}

// events gives the events so far as a list or, as a stream, those so far and all that come until the operation ends.
func (h *Handler) events(ctx context.Context, r request) (answer, error) {
	id := r.params["id"]
	operation, err := h.operations.Operation(ctx, id)
	if err != nil {
		return answer{}, err
	}
	after := int64(0)
	if r.mediaType == typeEvents {
		after, _ = strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64) // none, or not ours: from the beginning
	}
	events, err := h.operations.Events(ctx, id, after)
	if err != nil {
		return answer{}, err
	}
	if r.mediaType != typeEvents {
		return ok(eventList(r, events))
	}
	if after > 0 && len(events) == 0 && !operation.Running() {
		return answer{status: http.StatusNoContent}, nil // tells a browser not to come again
	}
	return answer{stream: func(w http.ResponseWriter) {
		s := eventStream{w: w, flush: http.NewResponseController(w).Flush}
		if err := h.follow(ctx, &s, id, after); err != nil && ctx.Err() == nil {
			h.logger.WarnContext(ctx, "event stream broken off", slog.String("operation", id), slog.Any("error", err))
		}
	}}, nil
}

func eventList(r request, events []skipper.OperationEvent) hal.Resource {
	embedded := hal.Embedded{Rel: "events"}
	for _, e := range events {
		embedded.Items = append(embedded.Items, hal.Resource{Value: e})
	}
	list := hal.Resource{Embedded: &embedded}
	list.Links.Add(relSelf, hal.Link{Href: r.self()})
	list.Links.Add(relOperation, operationLink(r.base, r.params["id"]))
	return list
}

// follow sends events until the operation has ended. The operation is read before its events: those of an operation
// that was seen ended are complete.
func (h *Handler) follow(ctx context.Context, s *eventStream, id string, after int64) error {
	ticker := time.NewTicker(h.eventPoll)
	defer ticker.Stop()
	s.begin()
	for {
		operation, err := h.operations.Operation(ctx, id)
		if err != nil {
			return err
		}
		events, err := h.operations.Events(ctx, id, after)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := s.send("id: "+decimal(e.ID)+"\n", e); err != nil {
				return err
			}
			after = e.ID
		}
		if !operation.Running() {
			return s.send("event: ended\n", operation)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w     http.ResponseWriter
	flush func() error
}

func (s *eventStream) begin() {
	s.w.Header().Set("Content-Type", typeEvents)
	s.w.Header().Set("Cache-Control", "no-store")
	s.w.WriteHeader(http.StatusOK)
	_ = s.flush() // what fails here fails again with the first event
}

func (s *eventStream) send(fields string, data any) error {
	b, err := hal.Marshal(data)
	if err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(fields + "data: " + string(b) + "\n\n")); err != nil {
		return err
	}
	return s.flush()
}
