package client

import (
	"context"
	"net/http"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Orphans lists what runs on the platforms and belongs to no release, and what has to go and is not gone yet.
func (c *Client) Orphans(ctx context.Context) (skipper.Orphans, error) {
	return c.orphans(ctx, http.MethodGet, "orphans", nil)
}

// RemoveOrphans has orphans removed. Those that are being removed are compensations; the others say why not.
func (c *Client) RemoveOrphans(ctx context.Context, request skipper.OrphanRequest) (skipper.Orphans, error) {
	return c.orphans(ctx, http.MethodPost, "orphans/remove", request)
}

// AdoptOrphans gives orphans back to the releases that their marks name. Those that were adopted have that kind; the
// others say why not.
func (c *Client) AdoptOrphans(ctx context.Context, request skipper.OrphanRequest) (skipper.Orphans, error) {
	return c.orphans(ctx, http.MethodPost, "orphans/adopt", request)
}

func (c *Client) orphans(ctx context.Context, method, rel string, in any) (skipper.Orphans, error) {
	href, err := c.follow(ctx, nil, rel)
	if err != nil {
		return skipper.Orphans{}, err
	}
	var doc hal.Document
	if err := c.do(ctx, method, href, in, &doc); err != nil {
		return skipper.Orphans{}, err
	}
	var found skipper.Orphans
	if err := doc.Decode(&found); err != nil {
		return skipper.Orphans{}, skipper.Errorf(skipper.CodeInternal, "the server's list of orphans cannot be read: %w", err)
	}
	for _, d := range doc.Embedded("orphans") {
		var o skipper.Orphan
		if err := d.Decode(&o); err != nil {
			return skipper.Orphans{}, skipper.Errorf(skipper.CodeInternal, "the server's list of orphans cannot be read: %w", err)
		}
		found.Items = append(found.Items, o)
	}
	return found, c.asked(found.Problems != nil, "list of orphans")
}
