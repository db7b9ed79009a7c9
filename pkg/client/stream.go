package client

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 1 << 20

// FollowOperation calls saw with each event of an operation that comes after an event id (0: from the first one), as
// they happen, until the operation has ended, and gives it as it ended then. An error of saw ends it. It waits as long
// as the context lets it. When the connection breaks it gives CodeUnavailable: following goes on after the last event
// that was seen.
func (c *Client) FollowOperation(
	ctx context.Context, operation string, after int64, saw func(skipper.OperationEvent) error,
) (skipper.Operation, error) {
	href, err := c.operationURL(ctx, operation)
	if err != nil {
		return skipper.Operation{}, err
	}
	if href, err = c.operationLink(ctx, href, "events"); err != nil {
		return skipper.Operation{}, err
	}
	target, err := c.resolve(href)
	if err != nil {
		return skipper.Operation{}, err
	}
	request, err := newRequest(ctx, http.MethodGet, target, nil)
	if err != nil {
		return skipper.Operation{}, err
	}
	request.Header.Set("Accept", "text/event-stream, "+accept)
	if after > 0 {
		request.Header.Set("Last-Event-ID", strconv.FormatInt(after, 10))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return skipper.Operation{}, c.unanswered(ctx, request, err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is left to be done with it
	switch {
	case response.StatusCode == http.StatusNoContent: // it ended before, and all is known
		return c.Operation(ctx, operation)
	case response.StatusCode >= http.StatusBadRequest:
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxEvent)) // a part of it will do
		return skipper.Operation{}, restore(request, response.StatusCode, body)
	case !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream"):
		return skipper.Operation{}, c.asked(false, "stream of events")
	}
	var stop error
	ended, err := events(response.Body, func(e skipper.OperationEvent) error {
		stop = saw(e)
		return stop
	})
	switch {
	case stop != nil:
		return skipper.Operation{}, stop
	case err == nil && ended == nil:
		err = io.ErrUnexpectedEOF
	case err == nil:
		return *ended, nil
	}
	return skipper.Operation{}, c.unanswered(ctx, request, err)
}

// events reads server-sent events until the one that says how the operation ended; nil when the stream ends before.
func events(stream io.Reader, saw func(skipper.OperationEvent) error) (*skipper.Operation, error) {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxEvent)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			name = ""
		case "event":
			name = value
		case "data":
			if name == "ended" {
				var o skipper.Operation
				return &o, unmarshalEvent(value, &o)
			}
			var e skipper.OperationEvent
			if err := unmarshalEvent(value, &e); err != nil {
				return nil, err
			}
			if err := saw(e); err != nil {
				return nil, err
			}
		}
	}
	return nil, lines.Err()
}

func unmarshalEvent(data string, to any) error {
	if err := json.Unmarshal([]byte(data), to); err != nil {
		return skipper.Errorf(skipper.CodeUnavailable, "the server's stream of events cannot be read: it holds no JSON")
	}
	return nil
}
