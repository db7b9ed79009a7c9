package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// passLimit bounds the body of a request that is passed on to an application.
const passLimit = 1 << 20

func (h *Handler) instanceRoutes() []route {
	const path = "/api/release/actuator/:name/:deployment/:instance"
	return []route{
		{
			method: http.MethodGet, path: path, serve: h.getFromActuator,
			types: []string{typeText, typeJSON, typeHAL, typeActuator, typeActuatorV2},
		},
		plain(http.MethodPost, path, h.postToActuator),
	}
}

// getFromActuator gives what the application answers as the text it is.
func (h *Handler) getFromActuator(ctx context.Context, r request) (answer, error) {
	if !r.has("endpoint") {
		return answer{}, missingParameter("endpoint", "String")
	}
	body, err := h.askActuator(ctx, r, skipper.ActuatorRequest{Method: http.MethodGet, Endpoint: r.query.Get("endpoint")})
	if err != nil {
		return answer{}, err
	}
	return answer{stream: func(w http.ResponseWriter) {
		mediaType := r.mediaType
		if mediaType == typeText {
			mediaType += ";charset=UTF-8"
		}
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body) // who asked may be gone
	}}, nil
}

// postToActuator gives what the application answers as JSON, and nothing when it says nothing.
func (h *Handler) postToActuator(ctx context.Context, r request) (answer, error) {
	post, err := h.readActuatorPost(ctx, r)
	if err != nil {
		return answer{}, err
	}
	body, err := h.askActuator(ctx, r, post)
	switch {
	case err != nil:
		return answer{}, err
	case len(bytes.TrimSpace(body)) == 0:
		return answer{}, nil
	case !json.Valid(body):
		return ok(string(body))
	}
	return ok(json.RawMessage(body))
}

func (h *Handler) readActuatorPost(ctx context.Context, r request) (skipper.ActuatorRequest, error) {
	post := skipper.ActuatorRequest{Method: http.MethodPost}
	value, err := h.readJSON(ctx, r, passLimit)
	if err != nil {
		return post, err
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return post, notReadable("Required request body is missing: a JSON object with endpoint and body is due")
	}
	endpoint, isText := object["endpoint"].(string)
	if !isText {
		return post, skipper.Errorf(skipper.CodeInvalid,
			"endpoint is missing: it must be a path below the actuator, as /loggers/ROOT")
	}
	post.Endpoint = endpoint
	if content := object["body"]; content != nil {
		if post.Body, err = json.Marshal(content); err != nil {
			return post, notReadable("JSON parse error: body: %s", err)
		}
	}
	return post, nil
}

func (h *Handler) askActuator(ctx context.Context, r request, request skipper.ActuatorRequest) ([]byte, error) {
	request.Authorization = r.Header.Get("Authorization")
	return h.actuator.Actuator(ctx, r.params["name"], r.params["deployment"], r.params["instance"], request)
}
