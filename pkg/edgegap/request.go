package edgegap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// call is one request, before it is sent.
type call struct {
	name   string // for people
	method string
	path   string // escaped, from the root
	query  url.Values
	body   any // sent as JSON; nil for none
	class  class
	// repeat permits to send the call again although it may have had its effect: reads, and calls that leave the same
	// when they are made twice.
	repeat bool
	// ended are statuses that, for a repeated call whose first answer was lost, mean that it had its effect.
	ended []int
	// authorize is another header than the client's token.
	authorize func() string
}

// answer is a successful answer.
type answer struct {
	status int
	body   []byte
}

// do sends a call, keeping to limits and repeating what may be repeated, and decodes the answer into target unless
// that is nil.
func (c *Client) do(ctx context.Context, call call, target any) (int, error) {
	got, err := c.send(ctx, call)
	if err != nil {
		return 0, err
	}
	if target == nil || got.status == http.StatusNoContent {
		return got.status, nil
	}
	if err := json.Unmarshal(got.body, target); err != nil {
		return 0, &Error{
			Call: call.name, Kind: KindUnavailable, Status: got.status,
			Message: "the answer is not the JSON it should be", Err: err, MayHaveHappened: !reads(call.method),
		}
	}
	return got.status, nil
}

func (c *Client) send(ctx context.Context, call call) (answer, error) {
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return answer{}, invalid(call.name, "", "the request cannot be written as JSON: %v", err)
		}
	}
	lost := false // an attempt may have had its effect
	for attempt := 1; ; attempt++ {
		if err := c.limits[call.class].wait(ctx, c.clock); err != nil {
			return answer{}, stopped(call.name, "the context ended while waiting for the rate limit", err, lost)
		}
		got, failure := c.once(ctx, call, body)
		if failure == nil {
			return got, nil
		}
		pause := c.pause(attempt, failure)
		if failure.Kind == KindRateLimited {
			c.limits[call.class].refused(c.clock.Now(), min(pause, c.maxWait))
		}
		if lost && is(failure, call.ended...) {
			return answer{status: http.StatusNoContent}, nil
		}
		lost = lost || failure.MayHaveHappened
		failure.MayHaveHappened = lost
		if attempt >= c.attempts || pause > c.maxWait || !repeatable(call, failure) {
			return answer{}, failure
		}
		if err := c.clock.Wait(ctx, pause); err != nil {
			return answer{}, stopped(call.name, "the context ended before a repetition after: "+failure.Message, err, lost)
		}
	}
}

// stopped is the end of the caller's context while nothing was on its way.
func stopped(name, message string, err error, lost bool) *Error {
	return &Error{Call: name, Kind: KindCancelled, Message: message, Err: err, MayHaveHappened: lost}
}

// repeatable tells whether a call may be sent again: a 429 was not executed, a request that never left neither; what
// may have been executed only where that does no harm.
func repeatable(call call, failure *Error) bool {
	switch {
	case failure.Kind == KindRateLimited:
		return true
	case failure.Kind != KindUnavailable:
		return false
	case !failure.MayHaveHappened:
		return true
	default:
		return call.repeat
	}
}

// pause is how long to wait before the next attempt.
func (c *Client) pause(attempt int, failure *Error) time.Duration {
	if failure.RetryAfter > 0 {
		return failure.RetryAfter
	}
	longest := lastPause
	if attempt < 6 {
		longest = min(firstPause<<(attempt-1), lastPause)
	}
	return min(time.Duration(c.random()*float64(longest)), c.maxWait)
}

// once sends a call one time.
func (c *Client) once(ctx context.Context, call call, body []byte) (answer, *Error) {
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := c.request(attempt, call, body)
	if err != nil {
		return answer{}, invalid(call.name, "", "the request cannot be built; check the base URL and the names in it")
	}
	authorization := request.Header.Get("Authorization")
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, c.lost(ctx, call, err, authorization)
	}
	defer response.Body.Close() //nolint:errcheck // the answer is read by then
	text, err := io.ReadAll(io.LimitReader(response.Body, c.maxAnswer+1))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		failure := answerError(call.name, response.StatusCode, response.Header, text, c.clock.Now())
		failure.without(secrets(authorization)...)
		failure.MayHaveHappened = failure.MayHaveHappened && !reads(call.method)
		return answer{}, failure
	}
	switch {
	case err != nil:
		return answer{}, c.lost(ctx, call, err, authorization)
	case int64(len(text)) > c.maxAnswer:
		return answer{}, &Error{
			Call: call.name, Kind: KindInvalid, Status: response.StatusCode, MayHaveHappened: !reads(call.method),
			Message: "the answer is longer than the client reads",
		}
	}
	return answer{status: response.StatusCode, body: text}, nil
}

func (c *Client) request(ctx context.Context, call call, body []byte) (*http.Request, error) {
	target := c.root + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	var reader io.Reader
	if call.body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, reader)
	if err != nil {
		return nil, err
	}
	if call.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	authorize := c.authorize
	if call.authorize != nil {
		authorize = call.authorize
	}
	request.Header.Set("Authorization", authorize())
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.userAgent)
	return request, nil
}

// lost is an answer that did not arrive.
func (c *Client) lost(ctx context.Context, call call, err error, authorization string) *Error {
	failure := &Error{
		Call: call.name, Kind: KindUnavailable, Err: withoutURL(err), MayHaveHappened: !reads(call.method) && !unsent(err),
	}
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		failure.Kind, failure.Message = KindCancelled, "the context ended before Edgegap answered"
		failure.Err = ctx.Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		failure.Message = "Edgegap did not answer within " + c.timeout.String()
	case unsent(err):
		failure.Message = "Edgegap cannot be reached: " + clean(failure.Err.Error())
	default:
		failure.Message = "the answer was lost on its way: " + clean(failure.Err.Error())
	}
	failure.without(secrets(authorization)...)
	return failure
}

// unsent tells errors that come before the first byte left: there was no connection.
func unsent(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && (operation.Op == "dial" || operation.Op == "proxyconnect")
}

// withoutURL takes the address off, whose query may hold what is nobody's business.
func withoutURL(err error) error {
	if wrapped, is := errors.AsType[*url.Error](err); is {
		return wrapped.Err
	}
	return err
}

// secrets are the ways a token may be repeated in an answer.
func secrets(authorization string) []string {
	return []string{authorization, strings.TrimPrefix(authorization, "token ")}
}

func reads(method string) bool { return method == http.MethodGet }

// path joins segments, escaped. Names that a path cannot carry are refused.
func path(call string, segments ...segment) (string, error) {
	var text strings.Builder
	for _, s := range segments {
		if s.field != "" {
			if s.text == "" || s.text == "." || s.text == ".." || len(s.text) > 256 || strings.ContainsFunc(s.text, control) {
				return "", invalid(call, s.field, "%s is empty or not a name that can be asked for", s.field)
			}
			text.WriteString("/" + url.PathEscape(s.text))
			continue
		}
		text.WriteString(s.text)
	}
	return text.String(), nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// segment is a fixed part of a path, or a name with its field.
type segment struct{ text, field string }

func fixed(text string) segment           { return segment{text: text} }
func named(field, text string) segment    { return segment{text: text, field: field} }
func deployment(requestID string) segment { return named("request_id", requestID) }

// lenient decodes what is there and tells whether it could.
func lenient(body []byte, target any) bool { return json.Unmarshal(body, target) == nil }
