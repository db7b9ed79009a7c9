package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// The Java classes in the field exception. Skipper's clients map on the first four by name.
const (
	classSkipper         = "org.springframework.cloud.skipper.SkipperException"
	classReleaseNotFound = "org.springframework.cloud.skipper.ReleaseNotFoundException"
	classPackageDelete   = "org.springframework.cloud.skipper.PackageDeleteException"
	classReleaseUpgrade  = "org.springframework.cloud.skipper.ReleaseUpgradeException"

	classNotReadable      = "org.springframework.http.converter.HttpMessageNotReadableException"
	classTypeMismatch     = "org.springframework.web.method.annotation.MethodArgumentTypeMismatchException"
	classMissingParameter = "org.springframework.web.bind.MissingServletRequestParameterException"
	classMediaType        = "org.springframework.web.HttpMediaTypeNotSupportedException"
	classMethod           = "org.springframework.web.HttpRequestMethodNotSupportedException"
)

// wireOf is the table of errors: the status and the Java class by which a code travels. pkg/client has its inverse.
func wireOf(code skipper.Code) (status int, class string) {
	switch code {
	case skipper.CodeInvalid:
		return http.StatusBadRequest, classSkipper
	case skipper.CodeNotFound:
		return http.StatusNotFound, classSkipper
	case skipper.CodeReleaseNotFound:
		return http.StatusNotFound, classReleaseNotFound
	case skipper.CodePackageDelete:
		return http.StatusConflict, classPackageDelete
	case skipper.CodeReleaseUpgrade:
		return http.StatusConflict, classReleaseUpgrade
	case skipper.CodeConflict, skipper.CodeBusy, skipper.CodeCancelled:
		return http.StatusConflict, classSkipper
	case skipper.CodeUnsupported:
		return http.StatusNotImplemented, classSkipper
	case skipper.CodeUnauthorized:
		return http.StatusUnauthorized, classSkipper
	case skipper.CodeForbidden:
		return http.StatusForbidden, classSkipper
	case skipper.CodeTooLarge:
		return http.StatusRequestEntityTooLarge, classSkipper
	case skipper.CodeUnavailable:
		return http.StatusServiceUnavailable, classSkipper
	case skipper.CodeTimeout:
		return http.StatusGatewayTimeout, classSkipper
	case skipper.CodeInternal:
	}
	return http.StatusInternalServerError, classSkipper
}

// protocolError is an error of HTTP itself, answered as Spring does.
type protocolError struct {
	status    int
	class     string // empty: no field exception
	message   string
	allow     string // with 405
	accept    string // with 415
	emptyBody bool
	data      bool // its body is that of Spring Data REST
}

func (e *protocolError) Error() string { return e.message }

func notReadable(format string, args ...any) error {
	return &protocolError{status: http.StatusBadRequest, class: classNotReadable, message: fmt.Sprintf(format, args...)}
}

func missingParameter(name, javaType string) error {
	return &protocolError{
		status: http.StatusBadRequest, class: classMissingParameter, message: fmt.Sprintf(
			"Required request parameter '%s' for method parameter type %s is not present", name, javaType),
	}
}

func unknownPath() error {
	return &protocolError{status: http.StatusNotFound, message: "No message available"}
}

func notThere() error {
	return &protocolError{status: http.StatusNotFound, message: "not there", emptyBody: true}
}

// operationFailedError is the error with which an operation ended.
type operationFailedError struct {
	err error
	id  string
}

func (e *operationFailedError) Error() string { return e.err.Error() }
func (e *operationFailedError) Unwrap() error { return e.err }

// problem is the body of Spring Boot's error controller.
type problem struct {
	Timestamp   skipper.Time `json:"timestamp"`
	Status      int          `json:"status"`
	Error       string       `json:"error"`
	Exception   string       `json:"exception,omitempty"`
	Message     string       `json:"message"`
	Path        string       `json:"path"`
	ReleaseName string       `json:"releaseName,omitempty"`
	Version     int          `json:"version,omitempty"`
}

// dataProblem is the body of Spring Data REST's error controller.
type dataProblem struct {
	Cause   *dataProblem `json:"cause"`
	Message string       `json:"message"`
}

// Fail answers a request with an error. Internal errors are logged, and their cause is not shown.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if p, ok := errors.AsType[*protocolError](err); ok {
		h.failProtocol(w, r, p)
		return
	}
	failed, isFailed := errors.AsType[*operationFailedError](err)
	err = ofContext(r.Context(), err)
	code := skipper.CodeOf(err)
	status, class := wireOf(code)
	if code == skipper.CodeInternal {
		h.logger.ErrorContext(r.Context(), "request failed", slog.String("method", r.Method), slog.String("path", pathOf(r)),
			slog.String("request", w.Header().Get(HeaderRequestID)), slog.Any("error", err))
	}
	body := h.problem(r, status, skipper.MessageOf(err))
	body.Exception = class
	resource := hal.Resource{}
	if e, ok := errors.AsType[*skipper.Error](err); ok {
		body.ReleaseName, body.Version = e.ReleaseName, e.ReleaseVersion
		if e.OperationID != "" {
			resource.Links.Add(relOperation, operationLink(h.proxies.base(r), e.OperationID))
		}
	}
	if isFailed && resource.Links.Empty() {
		resource.Links.Add(relOperation, operationLink(h.proxies.base(r), failed.id))
	}
	resource.Value = body
	h.writeProblem(w, r, status, resource, hal.Marshal)
}

func (h *Handler) failProtocol(w http.ResponseWriter, r *http.Request, p *protocolError) {
	if p.allow != "" {
		w.Header().Set("Allow", p.allow)
	}
	if p.accept != "" {
		w.Header().Set("Accept", p.accept)
	}
	if p.emptyBody {
		w.WriteHeader(p.status)
		return
	}
	if p.data {
		h.writeProblem(w, r, p.status, dataProblem{Message: p.message}, hal.MarshalIndent)
		return
	}
	body := h.problem(r, p.status, p.message)
	body.Exception = p.class
	h.writeProblem(w, r, p.status, body, hal.Marshal)
}

// ofContext names the reason when a request ended before its answer: who ended it says so in the context's cause.
func ofContext(ctx context.Context, err error) error {
	code := skipper.CodeOf(err)
	if ctx.Err() == nil || code != skipper.CodeInternal && code != skipper.CodeCancelled {
		return err
	}
	if cause, ok := errors.AsType[*skipper.Error](context.Cause(ctx)); ok {
		return cause
	}
	if code == skipper.CodeCancelled {
		return err
	}
	return skipper.Errorf(skipper.CodeCancelled, "the request was given up before it was answered: %w", err)
}

func (h *Handler) problem(r *http.Request, status int, message string) problem {
	return problem{
		Timestamp: skipper.Time{Time: h.clock()}, Status: status, Error: http.StatusText(status),
		Message: message, Path: pathOf(r),
	}
}

// writeProblem answers in JSON whatever Accept says: a sentence that was not asked for is better than none.
func (h *Handler) writeProblem(w http.ResponseWriter, r *http.Request, status int, body any,
	marshal func(any) ([]byte, error),
) {
	mediaType, ok := negotiate(r.Header, []string{typeJSON, typeHAL})
	if !ok {
		mediaType = typeJSON
	}
	b, err := marshal(body)
	if err != nil { // strings and numbers always marshal
		b = nil
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // who asked may be gone
}

// pathOf gives the path of a request as it was sent.
func pathOf(r *http.Request) string {
	path, _, _ := strings.Cut(requestURI(r), "?")
	return path
}
