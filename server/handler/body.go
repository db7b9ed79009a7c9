package handler

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Limits of request bodies. A package of 64 MiB grows by a third in base64.
const (
	uploadLimit = 96 << 20
	bodyLimit   = 16 << 20
	bodyTimeout = 5 * time.Minute
	largeBody   = 1 << 20
	largeBodies = 4 // read at once
)

// read reads the JSON body of a request into the struct that to points to, as Spring and Jackson do.
func (h *Handler) read(ctx context.Context, r request, limit int64, to any) error {
	value, err := h.readJSON(ctx, r, limit)
	if err != nil {
		return err
	}
	if value == nil {
		return notReadable("Required request body is missing: a JSON object is due")
	}
	return coerce(reflect.ValueOf(to).Elem(), value, "the body")
}

// readJSON reads a JSON value; nil when the body is empty or null. What follows the value is ignored.
func (h *Handler) readJSON(ctx context.Context, r request, limit int64) (any, error) {
	if err := checkContentType(r.Request); err != nil {
		return nil, err
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if r.ContentLength < 0 || r.ContentLength > largeBody { // each is held several times over
		select {
		case h.large <- struct{}{}:
			defer func() { <-h.large }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return h.decode(ctx, r, limit)
}

func (h *Handler) decode(ctx context.Context, r request, limit int64) (any, error) {
	h.limitTime(r.w, h.clock().Add(bodyTimeout))
	defer h.limitTime(r.w, time.Time{})
	// A server that stops does not wait for a client that takes its time.
	defer context.AfterFunc(ctx, func() { h.limitTime(r.w, h.clock()) })()
	text := &utf8Reader{from: http.MaxBytesReader(r.w, r.Body, limit), latin1: latin1(r.Request)}
	decoder := json.NewDecoder(text)
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(limit)
	}
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, notReadable("JSON parse error: %s", err)
	}
	return value, nil
}

// readEntity reads the body of a request that would change an entity of Spring Data REST, which is refused, but only
// after its body.
func (h *Handler) readEntity(ctx context.Context, r request, class string) error {
	value, err := h.readJSON(ctx, r, bodyLimit)
	p, isProtocol := errors.AsType[*protocolError](err)
	if err == nil {
		if _, isObject := value.(map[string]any); isObject {
			return nil
		}
		p, isProtocol = &protocolError{message: "JSON parse error: the body must be a JSON object"}, true
	}
	if !isProtocol {
		return err
	}
	if p.status == http.StatusUnsupportedMediaType {
		p.message = "No suitable HttpMessageConverter found to read request body into object of type class " + class +
			" from request with content type of " + r.Header.Get("Content-Type") + "!"
	}
	return &protocolError{status: http.StatusBadRequest, message: p.message, data: true}
}

// limitTime bounds the time a client may take to send a body. The limit ends with the body: one on the whole request
// would cut off those that wait for an operation.
func (h *Handler) limitTime(w http.ResponseWriter, until time.Time) {
	err := http.NewResponseController(w).SetReadDeadline(until)
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.logger.Debug("the time to read a body cannot be limited", "error", err)
	}
}

func tooLarge(limit int64) error {
	return skipper.Errorf(skipper.CodeTooLarge, "the request body is larger than %d MiB; send a smaller one", limit>>20)
}

// checkContentType lets application/json and application/*+json pass, in any charset.
func checkContentType(r *http.Request) error {
	header := r.Header.Get("Content-Type")
	if header == "" && r.ContentLength == 0 {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(header)
	if err == nil && (mediaType == typeJSON || inRange(mediaType, "application/*+json")) && knownCharset(r) {
		return nil
	}
	switch { // Tomcat adds the charset
	case header == "":
		header = "application/octet-stream"
	case params["charset"] == "":
		header += ";charset=UTF-8"
	}
	return &protocolError{
		status: http.StatusUnsupportedMediaType, class: classMediaType,
		message: "Content type '" + strings.TrimSpace(header) + "' not supported", accept: "application/json, application/*+json",
	}
}
