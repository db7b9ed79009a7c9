package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// ReadLogs hands chosen lines of the newest version of a release to saw, those of one instance and stream in their
// order: what there is and, with Follow, what is written from then on, until the context ends or nothing of the release
// is left. An error of saw ends it and is returned. CodeUnavailable when the connection breaks or the server stops: lines
// may have been missed.
func (c *Client) ReadLogs(ctx context.Context, name string, q skipper.LogQuery, saw func(skipper.LogLine) error) error {
	href, err := c.logsOf(ctx, name, q)
	if err != nil {
		return err
	}
	target, err := c.resolve(href)
	if err != nil {
		return err
	}
	request, err := newRequest(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := c.http.Do(request)
	if err != nil {
		return c.unanswered(ctx, request, err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is left to be done with it
	switch {
	case response.StatusCode >= http.StatusBadRequest:
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxEvent)) // a part of it will do
		return restore(request, response.StatusCode, body)
	case !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream"):
		return c.asked(false, "stream of log lines")
	}
	var stop error
	ended, err := logLines(response.Body, func(l skipper.LogLine) error {
		stop = saw(l)
		return stop
	})
	var told *skipper.Error
	switch {
	case stop != nil || ended:
		return stop
	case errors.As(err, &told):
		return err
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return c.unanswered(ctx, request, err)
}

// logsOf gives the URL of chosen lines. Servers of Skipper have no link with parameters, and do not know them.
func (c *Client) logsOf(ctx context.Context, name string, q skipper.LogQuery) (string, error) {
	values := variables{"name": name}
	href, err := c.follow(ctx, values, "release", "logs")
	if errors.Is(err, errNoLink) {
		return "", skipper.Errorf(skipper.CodeUnsupported, "the server at %s gives logs only whole", c.URL())
	} else if err != nil {
		return "", err
	}
	path, _, _ := strings.Cut(href, "?")
	if q.DeploymentID != "" {
		path += "/" + url.PathEscape(q.DeploymentID)
	}
	query := url.Values{}
	if q.Tail > 0 {
		query.Set("tail", strconv.Itoa(q.Tail))
	} else if q.Tail < 0 {
		query.Set("tail", "0")
	}
	if !q.Since.IsZero() {
		query.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Instance != "" {
		query.Set("instance", q.Instance)
	}
	if q.Follow {
		query.Set("follow", "true")
	}
	if len(query) == 0 {
		return path, nil
	}
	return path + "?" + query.Encode(), nil
}

// logLines reads server-sent events until the one that says that there are no more lines; false when the stream ends
// before.
func logLines(stream io.Reader, saw func(skipper.LogLine) error) (ended bool, err error) {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxEvent)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			name = ""
		case field == "event":
			name = value
		case field == "data" && name == "ended":
			return true, nil
		case field == "data" && name == "error":
			var e struct{ Message string }
			if err := unmarshalEvent(value, &e); err != nil {
				return false, err
			}
			return false, skipper.Errorf(skipper.CodeUnavailable, "the server stopped reading the logs: %s", e.Message)
		case field == "data":
			var l skipper.LogLine
			if err := unmarshalEvent(value, &l); err != nil {
				return false, err
			}
			if err := saw(l); err != nil {
				return false, err
			}
		}
	}
	return false, lines.Err()
}
