package client

import (
	"context"
	"net/http"
	"path"
	"strconv"
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

// FindOperations gives a page of the operations that a filter chooses, the newest first unless sorted.
func (c *Client) FindOperations(
	ctx context.Context, filter skipper.OperationFilter, page skipper.PageRequest,
) (skipper.Page[skipper.Operation], error) {
	values := variables{"page": strconv.Itoa(page.Page)}
	set := func(name, value string) {
		if value != "" {
			values[name] = value
		}
	}
	set("releaseName", filter.ReleaseName)
	set("kind", join(filter.Kinds))
	set("outcome", join(filter.Outcomes))
	set("state", join(filter.States))
	if page.Size > 0 {
		values["size"] = strconv.Itoa(page.Size)
	}
	if len(page.Sort) > 0 { // the template has one sort; the first one decides
		values["sort"] = page.Sort[0].Property
		if page.Sort[0].Descending {
			values["sort"] += ",desc"
		}
	}
	found := skipper.Page[skipper.Operation]{Items: []skipper.Operation{}}
	href, err := c.follow(ctx, values, "operations")
	if err != nil {
		return found, err
	}
	var doc hal.Document
	if err := c.do(ctx, http.MethodGet, href, nil, &doc); err != nil {
		return found, err
	}
	if doc.Page == nil {
		return found, c.asked(false, "list of operations")
	}
	found.Total = doc.Page.TotalElements
	for _, d := range doc.Embedded("operations") {
		var o skipper.Operation
		if err := d.Decode(&o); err != nil {
			return found, skipper.Errorf(skipper.CodeInternal, "the server's list of operations cannot be read: %w", err)
		}
		found.Items = append(found.Items, o)
	}
	return found, nil
}

func join[T ~string](values []T) string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return strings.Join(texts, ",")
}

// OperationDetail gives an operation with its steps so far and what it waits for.
func (c *Client) OperationDetail(ctx context.Context, operation string) (skipper.OperationDetail, error) {
	var answer struct {
		skipper.OperationDetail
		Links hal.Links `json:"_links"`
	}
	href, err := c.operationURL(ctx, operation)
	if err != nil {
		return skipper.OperationDetail{}, err
	}
	if err := c.do(ctx, http.MethodGet, href, nil, &answer); err != nil {
		return skipper.OperationDetail{}, err
	}
	if behind, ok := answer.Links.Get("waitsFor"); ok {
		answer.Behind = path.Base(behind.Href)
	}
	return answer.OperationDetail, c.asked(answer.ID != "" && answer.Steps != nil, "operation")
}

// CancelOperation cancels an operation, whatever its state, and gives it as it stands then: one that was queued has
// ended, one that runs will. CodeConflict when it had ended already.
func (c *Client) CancelOperation(ctx context.Context, operation string) (skipper.Operation, error) {
	return c.changeOperation(ctx, operation, "cancel", nil)
}

// RetryOperation gives the command of an operation that failed, was cancelled or rolled back once more, and gives the
// new operation without waiting for it. CodeConflict when there is nothing to repeat, CodeBusy as for any command.
func (c *Client) RetryOperation(
	ctx context.Context, operation string, options ...skipper.CommandOptions,
) (skipper.Operation, error) {
	return c.changeOperation(ctx, operation, "retry", options)
}

func (c *Client) changeOperation(
	ctx context.Context, operation, verb string, options []skipper.CommandOptions,
) (skipper.Operation, error) {
	href, err := c.operationURL(ctx, operation)
	if err != nil {
		return skipper.Operation{}, err
	}
	if href, err = c.operationLink(ctx, href, verb); err != nil {
		return skipper.Operation{}, err
	}
	href, header, err := withOptions(href, options)
	if err != nil {
		return skipper.Operation{}, err
	}
	var o skipper.Operation
	if _, err := c.ask(ctx, http.MethodPost, href, header, nil, &o); err != nil {
		return skipper.Operation{}, err
	}
	return o, c.asked(o.ID != "" && o.Outcome != "", "operation")
}

// operationLink gives the URL of a relation of an operation. There is none while it makes no sense: then the documented
// path is taken, so that the server says why.
func (c *Client) operationLink(ctx context.Context, href, rel string) (string, error) {
	_, links, err := c.operation(ctx, href)
	if err != nil {
		return "", err
	}
	if link, ok := links.Get(rel); ok {
		return link.Href, nil
	}
	return href + "/" + rel, nil
}

// operationURL gives the URL of an operation that is named by it, or by its id.
func (c *Client) operationURL(ctx context.Context, operation string) (string, error) {
	if strings.Contains(operation, "/") {
		return operation, nil
	}
	return c.follow(ctx, variables{"id": operation}, "operation")
}

func (c *Client) operation(ctx context.Context, operation string) (skipper.Operation, hal.Links, error) {
	var answer struct {
		skipper.Operation
		Links hal.Links `json:"_links"`
	}
	href, err := c.operationURL(ctx, operation)
	if err != nil {
		return skipper.Operation{}, hal.Links{}, err
	}
	if err := c.do(ctx, http.MethodGet, href, nil, &answer); err != nil {
		return skipper.Operation{}, hal.Links{}, err
	}
	return answer.Operation, answer.Links, c.asked(answer.ID != "" && answer.Outcome != "", "operation")
}
