package handler

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
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
		model(http.MethodPost, operations+"/:id/cancel", h.cancelOperation),
		model(http.MethodPost, operations+"/:id/retry", h.retryOperation),
	}
}

func (h *Handler) listOperations(ctx context.Context, r request) (answer, error) {
	filter, err := r.operationFilter()
	if err != nil {
		return answer{}, err
	}
	request := r.pageRequest([]string{"created", "updated", "ended", "releaseName", "kind", "outcome", "state"})
	found, err := h.operations.Operations(ctx, filter, request)
	if err != nil {
		return answer{}, err
	}
	busy, err := h.busy(ctx, found.Items...)
	if err != nil {
		return answer{}, err
	}
	page := hal.NewPage(request.Page, request.Size, found.Total)
	embedded := hal.Embedded{Rel: "operations"}
	for _, operation := range found.Items {
		item := hal.Resource{Value: operation, Links: operationLinks(r, operation, busy)}
		embedded.Items = append(embedded.Items, item)
	}
	body := hal.Resource{Embedded: &embedded, Page: &page}
	body.Links.AddPage(r.self(), page, sortValues(request.Sort))
	return ok(body)
}

func (h *Handler) operation(ctx context.Context, r request) (answer, error) {
	detail, err := h.operations.Detail(ctx, r.params["id"])
	if err != nil {
		return answer{}, err
	}
	busy, err := h.busy(ctx, detail.Operation)
	if err != nil {
		return answer{}, err
	}
	body := hal.Resource{Value: detail, Links: operationLinks(r, detail.Operation, busy)}
	if detail.Behind != "" {
		body.Links.Add("waitsFor", operationLink(r.base, detail.Behind))
	}
	return ok(body)
}

// busy tells which releases of operations that could be repeated have one that has not ended: there it would be refused.
func (h *Handler) busy(ctx context.Context, operations ...skipper.Operation) (map[string]bool, error) {
	var names []string
	for _, o := range operations {
		if repeatable(o) && !slices.Contains(names, o.ReleaseName) {
			names = append(names, o.ReleaseName)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return h.operations.Busy(ctx, names)
}

// repeatable says that an operation did not bring about what was asked for, and that it is known what that was.
func repeatable(o skipper.Operation) bool {
	return !o.Unfinished() && o.Outcome != skipper.OutcomeSucceeded && o.Retriable
}

// operationLinks lead to what belongs to an operation and what can be done with it now. There is a link to the release
// only where there is one: a failed install leaves none.
func operationLinks(r request, o skipper.Operation, busy map[string]bool) hal.Links {
	var links hal.Links
	self := operationLink(r.base, o.ID)
	links.Add(relSelf, self)
	made := o.Kind != skipper.KindInstall || o.Running() || o.Outcome == skipper.OutcomeSucceeded
	if made && o.TargetVersion > 0 {
		status := at(r.base+"/api/release/status", o.ReleaseName, strconv.Itoa(o.TargetVersion))
		links.Add("release", hal.Link{Href: status})
	}
	links.Add("events", hal.Link{Href: self.Href + "/events"})
	if o.Unfinished() && !o.Cancel {
		links.Add(relCancel, hal.Link{Href: self.Href + "/cancel"})
	}
	if repeatable(o) && !busy[o.ReleaseName] {
		links.Add("retry", hal.Link{Href: self.Href + "/retry"})
	}
	return links
}

// commandedOperation answers a command with the operation that carries it out.
func (h *Handler) commandedOperation(r request, o skipper.Operation, status int) (answer, error) {
	body := hal.Resource{Value: o, Links: operationLinks(r, o, nil)}
	body.Links.Add(relOperation, operationLink(r.base, o.ID))
	return answer{status: status, body: body}, nil
}

// cancelOperation answers 202 while the operation has not ended; one that was queued ends at once.
func (h *Handler) cancelOperation(ctx context.Context, r request) (answer, error) {
	o, err := h.releases.CancelOperation(ctx, r.params["id"])
	if err != nil {
		return answer{}, err
	}
	if !o.Unfinished() {
		return h.commandedOperation(r, o, http.StatusOK)
	}
	return h.commandedOperation(r, o, http.StatusAccepted)
}

func (h *Handler) retryOperation(ctx context.Context, r request) (answer, error) {
	options, err := r.commandOptions()
	if err != nil {
		return answer{}, err
	}
	o, err := h.releases.RetryOperation(ctx, r.params["id"], options)
	if err != nil {
		return answer{}, err
	}
	return h.commandedOperation(r, o, http.StatusAccepted)
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
	if after > 0 && len(events) == 0 && !operation.Unfinished() {
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
		if !operation.Unfinished() {
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
