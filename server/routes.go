package server

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

// routes puts the middleware around the handlers. A request gets its id first, so that whatever happens can be logged
// with it; the access log stands outside of the recovery, so that a panic shows up in it as the 500 it became.
func routes(h *handler.Handler, clock func() time.Time, logger *slog.Logger) http.Handler {
	e := echo.New()
	h.Register(e)
	return withRequestID(withAccessLog(clock, logger, withRecovery(h, logger, withHost(h, e))))
}

// withHost refuses a host that none can have: it would stand in every link of the answer.
func withHost(h *handler.Handler, next http.Handler) http.Handler {
	const most = 255 + len(":65535")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Host) > most {
			h.Fail(w, r, skipper.Errorf(skipper.CodeInvalid, "the header Host has %d characters; at most %d are possible",
				len(r.Host), most))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withRequestID names a request in its answer and in the log: by what the caller named it, or anew.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(handler.HeaderRequestID)
		if !plainID(id) {
			id = uuid.NewString()
		}
		w.Header().Set(handler.HeaderRequestID, id)
		next.ServeHTTP(w, r)
	})
}

// plainID takes short ids of letters, digits and a few signs: they go to the log and back to the caller.
func plainID(id string) bool {
	for _, c := range id {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

func withAccessLog(clock func() time.Time, logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w}
		begin := clock()
		next.ServeHTTP(recorder, r)
		logger.DebugContext(r.Context(), "request", slog.String("method", r.Method), slog.String("path", handler.WithoutSecret(r.URL.Path)),
			slog.Int("status", recorder.status), slog.Duration("took", clock().Sub(begin)),
			slog.String("request", w.Header().Get(handler.HeaderRequestID)))
	})
}

// withRecovery makes a panic an internal error of the one request it happened in. An answer that was begun is cut off,
// so that nobody takes it for whole.
func withRecovery(h *handler.Handler, logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() { //nolint:contextcheck // Fail takes the context from the request
			cause := recover()
			if cause == nil {
				return
			}
			if recorder.status == 0 {
				h.Fail(w, r, skipper.Errorf(skipper.CodeInternal, "panic: %v\n%s", cause, debug.Stack()))
				return
			}
			logger.ErrorContext(r.Context(), "panic in the middle of an answer", slog.Any("panic", cause),
				slog.String("stack", string(debug.Stack())),
				slog.String("request", w.Header().Get(handler.HeaderRequestID)))
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// statusRecorder remembers the status of an answer; 0 while none was begun.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader begins the answer.
func (s *statusRecorder) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write begins the answer with 200 when it was not begun.
func (s *statusRecorder) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
