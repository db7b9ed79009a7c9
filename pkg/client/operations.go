package client

import (
	"context"
	"net/http"
	"strings"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Operation gives an operation as it stands. It is named by the URL a command gave, or by its id.
func (c *Client) Operation(ctx context.Context, operation string) (skipper.Operation, error) {
	o, _, err := c.operation(ctx, operation)
	return o, err
}

// Operations lists the newest operations of a release, at most twenty, the newest first.
func (c *Client) Operations(ctx context.Context, releaseName string) ([]skipper.Operation, error) {
	href, err := c.follow(ctx, variables{"releaseName": releaseName, "size": "20"}, "operations")
	if err != nil {
		return nil, err
	}
	operations, _, err := list[skipper.Operation](ctx, c, href, "operations")
	return operations, err
}

// Events lists the steps of an operation so far, oldest first.
func (c *Client) Events(ctx context.Context, operation string) ([]skipper.OperationEvent, error) {
	_, links, err := c.operation(ctx, operation)
	if err != nil {
		return nil, err
	}
	link, ok := links.Get("events")
	if !ok {
		return nil, c.noLink([]string{"operation", "events"})
	}
	events, _, err := list[skipper.OperationEvent](ctx, c, link.Href, "events")
	return events, err
}

func (c *Client) operation(ctx context.Context, operation string) (skipper.Operation, hal.Links, error) {
	var answer struct {
		skipper.Operation
		Links hal.Links `json:"_links"`
	}
	href := operation
	if !strings.Contains(operation, "/") {
		var err error
		if href, err = c.follow(ctx, variables{"id": operation}, "operation"); err != nil {
			return skipper.Operation{}, hal.Links{}, err
		}
	}
	if err := c.do(ctx, http.MethodGet, href, nil, &answer); err != nil {
		return skipper.Operation{}, hal.Links{}, err
	}
	return answer.Operation, answer.Links, c.asked(answer.ID != "" && answer.Outcome != "", "operation")
}
