package client

import (
	"context"
	"net/http"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const pageSize = "1000" // the largest a server gives

// all reads a collection of the index, page after page.
func all[T any](ctx context.Context, c *Client, rel, itemsRel string) ([]T, error) {
	href, err := c.follow(ctx, variables{"size": pageSize, "sort": "name,asc"}, rel)
	if err != nil {
		return nil, err
	}
	items := []T{}
	for href != "" {
		page, next, err := list[T](ctx, c, href, itemsRel)
		if err != nil {
			return nil, err
		}
		items = append(items, page...)
		href = next
	}
	return items, nil
}

// list reads the embedded items of one answer and gives the link to the next page, empty at the last one.
func list[T any](ctx context.Context, c *Client, href, rel string) ([]T, string, error) {
	var doc hal.Document
	if err := c.do(ctx, http.MethodGet, href, nil, &doc); err != nil {
		return nil, "", err
	}
	items := []T{} // an empty collection may leave the relation out
	for _, d := range doc.Embedded(rel) {
		var item T
		if err := d.Decode(&item); err != nil {
			return nil, "", skipper.Errorf(skipper.CodeInternal, "the server's list of %s cannot be read: %w", rel, err)
		}
		items = append(items, item)
	}
	next, _ := doc.Links.Get("next")
	return items, next.Href, nil
}
