package edgegap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// Stopping tells what a stop led to.
type Stopping string

// What a stop leads to.
const (
	// StopAccepted: the container gets SIGTERM and its grace period.
	StopAccepted Stopping = "accepted"
	// StopQueued: the deployment still starts and is stopped once it is READY or in ERROR.
	StopQueued Stopping = "queued"
	// StopEnded: it had ended before.
	StopEnded Stopping = "ended"
)

// StopResult is the answer to a stop.
type StopResult struct {
	// Stopping tells what the stop led to.
	Stopping Stopping
	// Message is Edgegap's, for people.
	Message string
	// Deployment is as it was when it was stopped; nil if Edgegap did not say.
	Deployment *Deployment
}

// StopOptions are for Stop.
type StopOptions struct {
	// LogStorage keeps the container's log: "true" or "false" for the version's storage, or the name of one. Empty is
	// as the version says.
	LogStorage string
}

func (o StopOptions) query() url.Values {
	if o.LogStorage == "" {
		return nil
	}
	return url.Values{"container_log_storage": {o.LogStorage}}
}

// Stop ends a deployment (DELETE /v1/stop). It may be repeated: a deployment that has ended is StopEnded, no error. An
// id that Edgegap does not know is KindNotFound. Read its logs before: they are gone with it.
func (c *Client) Stop(ctx context.Context, requestID string, options StopOptions) (StopResult, error) {
	const name = "stop"
	target, err := path(name, fixed("/v1/stop"), deployment(requestID))
	if err != nil {
		return StopResult{}, err
	}
	return c.stop(ctx, requestID, call{
		name: name, method: http.MethodDelete, path: target, query: options.query(), class: classOther, repeat: true,
	})
}

func (c *Client) stop(ctx context.Context, requestID string, call call) (StopResult, error) {
	var answer struct {
		Message    string      `json:"message"`
		Deployment *Deployment `json:"deployment_summary"`
	}
	got, err := c.send(ctx, call)
	var e *Error
	switch {
	case asError(err, &e) && e.Status == http.StatusGone:
		return StopResult{Stopping: StopEnded, Message: e.Message}, nil
	case err != nil && len(call.query) > 0: // a 400 may be about the storage
		return StopResult{}, err
	case err != nil:
		return StopResult{}, unknownID(err, requestID)
	}
	result := StopResult{Stopping: StopAccepted}
	if got.status == http.StatusAccepted {
		result.Stopping = StopQueued
	}
	// The body of a self-stop is not specified: what cannot be read is left out.
	if lenient(got.body, &answer) {
		result.Message, result.Deployment = answer.Message, answer.Deployment
	}
	return result, nil
}

// SelfStopRequest ends a deployment from inside its container. FromContainer makes one.
type SelfStopRequest struct {
	// RequestID is the deployment, ARBITRIUM_REQUEST_ID.
	RequestID string
	// AccessPoint is the last part of ARBITRIUM_DELETE_URL.
	AccessPoint string
	// Token is ARBITRIUM_DELETE_TOKEN; it is not the API's token.
	Token Secret
	// LogStorage is as in StopOptions.
	LogStorage string
}

// SelfStop ends a deployment from inside its container (DELETE /v1/self/stop), with the container's own token. Nothing
// can be expected after it but SIGTERM.
func (c *Client) SelfStop(ctx context.Context, request SelfStopRequest) (StopResult, error) {
	const name = "self-stop"
	target, err := path(name, fixed("/v1/self/stop"), deployment(request.RequestID), named("access_point_id", request.AccessPoint))
	if err != nil {
		return StopResult{}, err
	}
	token := string(request.Token)
	if token == "" || !printable(token) {
		return StopResult{}, invalid(name, "authorization", "the token of the container is not set; read ARBITRIUM_DELETE_TOKEN")
	}
	return c.stop(ctx, request.RequestID, call{
		name: name, method: http.MethodDelete, path: target, query: StopOptions{LogStorage: request.LogStorage}.query(),
		class: classOther, repeat: true, authorize: func() string { return token },
	})
}

// FromContainer gives what a game server needs to stop itself, from the variables Edgegap sets in its container:
// ARBITRIUM_DELETE_URL and ARBITRIUM_DELETE_TOKEN. The client has no API token: all its calls but SelfStop are refused
// by Edgegap. Token and BaseURL of the options are not used.
func FromContainer(getenv func(string) string, options Options) (*Client, SelfStopRequest, error) {
	const name, variable, marker = "self-stop", "ARBITRIUM_DELETE_URL", "/v1/self/stop/"
	address, token := getenv(variable), getenv("ARBITRIUM_DELETE_TOKEN")
	if token == "" {
		return nil, SelfStopRequest{}, invalid(name, "ARBITRIUM_DELETE_TOKEN",
			"ARBITRIUM_DELETE_TOKEN is not set; Edgegap sets it in the containers it starts")
	}
	root, rest, found := strings.Cut(address, marker)
	requestID, accessPoint, complete := strings.Cut(strings.TrimRight(rest, "/"), "/")
	if !found || !complete || requestID == "" || accessPoint == "" {
		return nil, SelfStopRequest{}, invalid(name, variable,
			"%s is not set, or not an address as https://api.edgegap.com/v1/self/stop/<request id>/<number>", variable)
	}
	options.BaseURL = root
	c, err := newClient(options, func() string { return "" })
	if err != nil {
		return nil, SelfStopRequest{}, err
	}
	return c, SelfStopRequest{RequestID: requestID, AccessPoint: accessPoint, Token: Secret(token)}, nil
}

// StopFilter chooses deployments for BulkStop.
type StopFilter struct {
	// Field is request_id or deployment_tags.
	Field StopField `json:"field"`
	// Type says how Values are meant.
	Type FilterType `json:"filter_type"`
	// Values are request ids or tags.
	Values []string `json:"values"`
}

// StopField is what a StopFilter looks at.
type StopField string

// What a StopFilter looks at.
const (
	// StopByRequestID chooses by id.
	StopByRequestID StopField = "request_id"
	// StopByTag chooses by tag.
	StopByTag StopField = "deployment_tags"
)

// BulkStop ends all deployments that pass all the filters (POST /v1/deployments/bulk-stop) and gives the ids of those
// that will end. How Edgegap joins several filters is not documented; "all must pass" is presumed. Filters that only
// exclude would stop everything else and are refused here. After a lost answer it is not repeated.
func (c *Client) BulkStop(ctx context.Context, filters ...StopFilter) ([]string, error) {
	const name = "bulk-stop"
	chooses := false
	for _, filter := range filters {
		if filter.Field != StopByRequestID && filter.Field != StopByTag {
			return nil, invalid(name, "filters", "filters: the field is %s or %s", StopByRequestID, StopByTag)
		}
		if err := checkFilter(name, string(filter.Field), filter.Type, filter.Values); err != nil {
			return nil, err
		}
		chooses = chooses || filter.Type != MatchNot
	}
	if !chooses {
		return nil, invalid(name, "filters", "filters: none says what to stop; one of type any or all must")
	}
	var answer struct {
		Processable []struct {
			RequestID string `json:"request_id"`
		} `json:"processable"`
	}
	_, err := c.do(ctx, call{
		name: name, method: http.MethodPost, path: "/v1/deployments/bulk-stop",
		body: map[string]any{"filters": filters}, class: classOther,
	}, &answer)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(answer.Processable))
	for _, item := range answer.Processable {
		ids = append(ids, item.RequestID)
	}
	return ids, nil
}

// LogValue is the request in a log, without its token.
func (r SelfStopRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", r)) }
