package handler

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	maxTail      = 1_000_000
	followers    = 64               // log streams at once
	logKeepAlive = 15 * time.Second // between two signs of life on a silent stream
	logPatience  = 30 * time.Second // for a client to take one line
)

func (h *Handler) logRoutes() []route {
	const logs = "/api/release/logs/:name"
	types := append(jsonTypes(), typeEvents)
	return []route{
		{method: http.MethodGet, path: logs, types: types, model: true, serve: h.logs},
		{method: http.MethodGet, path: logs + "/:deployment", types: types, model: true, serve: h.logs},
	}
}

// logs gives the logs as Skipper does. The parameters are ours: tail, since and instance choose lines; follow, or a
// client that takes events, gets them as server-sent events.
func (h *Handler) logs(ctx context.Context, r request) (answer, error) {
	name := r.params["name"]
	q, chosen, err := h.logQuery(r)
	if err != nil {
		return answer{}, err
	}
	var logs skipper.LogInfo
	switch {
	case q.Follow || r.mediaType == typeEvents:
		return h.logStream(ctx, name, q)
	case chosen:
		logs, err = h.releases.LogsOf(ctx, name, q)
	default:
		logs, err = h.releases.Logs(ctx, name, q.DeploymentID)
	}
	if err != nil {
		return answer{}, err
	}
	if logs.Logs == nil {
		logs.Logs = map[string]string{}
	}
	return ok(logs)
}

// logQuery reads the parameters; chosen says that there are any that choose lines.
func (h *Handler) logQuery(r request) (q skipper.LogQuery, chosen bool, err error) {
	q = skipper.LogQuery{DeploymentID: r.params["deployment"], Instance: r.query.Get("instance")}
	if text := r.query.Get("tail"); r.has("tail") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxTail {
			return q, false, skipper.Errorf(skipper.CodeInvalid, "tail is %q; a number of lines from 0 to %d is due", text, maxTail)
		}
		if q.Tail = n; n == 0 {
			q.Tail = -1 // none, as other tools have it
		}
	}
	if text := r.query.Get("since"); r.has("since") {
		if q.Since, err = since(text, h.clock()); err != nil {
			return q, false, err
		}
	}
	if text := r.query.Get("follow"); r.has("follow") {
		if q.Follow, err = strconv.ParseBool(text); err != nil && text != "" {
			return q, false, skipper.Errorf(skipper.CodeInvalid, "follow is %q; true or false is due", text)
		}
		q.Follow = q.Follow || text == ""
	}
	return q, r.has("tail") || r.has("since") || q.Instance != "", nil
}

// since reads a moment, or how long ago it was.
func since(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, skipper.Errorf(skipper.CodeInvalid,
			"since is %q; a duration as 10m or a time as 2026-01-02T03:04:05Z is due", text)
	}
	return at, nil
}

// logStream follows. The first line, or the end without one, decides whether the answer is a stream: an error before
// that is answered as such.
func (h *Handler) logStream(ctx context.Context, name string, q skipper.LogQuery) (answer, error) {
	select {
	case h.followers <- struct{}{}:
	default:
		return answer{}, skipper.Errorf(skipper.CodeUnavailable,
			"%d clients follow logs already; try again when one has ended", followers)
	}
	lines, ended := make(chan skipper.LogLine), make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer func() { <-h.followers }()
		ended <- h.releases.ReadLogs(ctx, name, q, func(l skipper.LogLine) error {
			select {
			case lines <- l:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	// What is wrong with the request shows at once.
	timer := time.NewTimer(h.eventPoll)
	defer timer.Stop()
	var first *skipper.LogLine
	select {
	case l := <-lines:
		first = &l
	case err := <-ended:
		if err != nil {
			stop()
			return answer{}, err
		}
		ended <- nil
	case <-timer.C:
	}
	return answer{stream: func(w http.ResponseWriter) {
		defer stop()
		s := lineStream{controller: http.NewResponseController(w), clock: h.clock}
		s.eventStream = eventStream{w: w, flush: s.controller.Flush}
		if err := s.follow(ctx, first, lines, ended); err != nil && ctx.Err() == nil {
			h.logger.WarnContext(ctx, "log stream broken off", slog.String("release", name), slog.Any("error", err))
		}
		_ = s.controller.SetWriteDeadline(time.Time{}) // the connection may be used again
	}}, nil
}

// lineStream writes lines as events, and gives up a client that does not take them.
type lineStream struct {
	eventStream

	controller *http.ResponseController
	clock      func() time.Time
}

func (s *lineStream) follow(ctx context.Context, first *skipper.LogLine, lines <-chan skipper.LogLine, ended <-chan error,
) error {
	s.begin()
	if first != nil {
		if err := s.line(*first); err != nil {
			return err
		}
	}
	alive := time.NewTicker(logKeepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case l := <-lines:
			err = s.line(l)
		case err := <-ended:
			if err != nil {
				s.bounded()
				return s.send("event: error\n", map[string]string{"message": skipper.MessageOf(err)})
			}
			s.bounded()
			return s.send("event: ended\n", struct{}{})
		case <-alive.C:
			s.bounded()
			if _, err = s.w.Write([]byte(": still here\n\n")); err == nil {
				err = s.flush()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func (s *lineStream) line(l skipper.LogLine) error {
	s.bounded()
	return s.send("", l)
}

// bounded gives the client so long to take what is sent next. Not every connection can.
func (s *lineStream) bounded() {
	_ = s.controller.SetWriteDeadline(time.Now().Add(logPatience)) //nolint:forbidigo // connections know only the real time
}
