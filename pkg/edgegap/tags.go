package edgegap

import (
	"context"
	"iter"
	"net/http"
)

// Tag is a name that a deployment carries. Changes do not reach the environment of a running container.
type Tag struct {
	Name      string `json:"name"`
	CreatedAt Time   `json:"create_time"`
	UpdatedAt Time   `json:"last_updated"`
}

func tagList(requestID string) (list, error) {
	const name = "list tags"
	target, err := tagPath(name, requestID)
	return list{name: name, path: target, key: "tags", class: classOther}, err
}

func tagPath(call, requestID string, names ...string) (string, error) {
	segments := []segment{fixed("/v1/deployments"), deployment(requestID), fixed("/tags")}
	for _, name := range names {
		segments = append(segments, named("tag_name", name))
	}
	return path(call, segments...)
}

// ListTags gives a page of a deployment's tags (GET /v1/deployments/{request_id}/tags).
func (c *Client) ListTags(ctx context.Context, requestID string, paging Paging) (Page[Tag], error) {
	l, err := tagList(requestID)
	if err != nil {
		return Page[Tag]{}, err
	}
	return pageOf[Tag](ctx, c, l, paging)
}

// Tags walks all pages of ListTags.
func (c *Client) Tags(ctx context.Context, requestID string) iter.Seq2[Tag, error] {
	l, err := tagList(requestID)
	if err != nil {
		return func(yield func(Tag, error) bool) { yield(Tag{}, err) }
	}
	return all(ctx, c, l, func(t Tag) string { return t.Name })
}

// Tag reads one tag of a deployment (GET …/tags/{tag_name}).
func (c *Client) Tag(ctx context.Context, requestID, tag string) (Tag, error) {
	const name = "read tag"
	target, err := tagPath(name, requestID, tag)
	if err != nil {
		return Tag{}, err
	}
	var got Tag
	_, err = c.do(ctx, call{name: name, method: http.MethodGet, path: target, class: classOther, repeat: true}, &got)
	return got, err
}

// CreateTag gives a deployment a tag (POST …/tags). A tag it has already is KindConflict.
func (c *Client) CreateTag(ctx context.Context, requestID, tag string) (Tag, error) {
	const name = "create tag"
	target, err := tagPath(name, requestID)
	if err != nil {
		return Tag{}, err
	}
	return c.writeTag(ctx, call{name: name, method: http.MethodPost, path: target}, tag)
}

// UpdateTag renames a tag of a deployment (PATCH …/tags/{tag_name}).
func (c *Client) UpdateTag(ctx context.Context, requestID, tag, newName string) (Tag, error) {
	const name = "update tag"
	target, err := tagPath(name, requestID, tag)
	if err != nil {
		return Tag{}, err
	}
	return c.writeTag(ctx, call{name: name, method: http.MethodPatch, path: target}, newName)
}

func (c *Client) writeTag(ctx context.Context, call call, tag string) (Tag, error) {
	if err := checkTag(call.name, "name", tag); err != nil {
		return Tag{}, err
	}
	call.class, call.body = classOther, map[string]string{"name": tag}
	var got Tag
	_, err := c.do(ctx, call, &got)
	return got, err
}

// DeleteTag takes a tag from a deployment (DELETE …/tags/{tag_name}).
func (c *Client) DeleteTag(ctx context.Context, requestID, tag string) error {
	const name = "delete tag"
	target, err := tagPath(name, requestID, tag)
	if err != nil {
		return err
	}
	return c.remove(ctx, name, target)
}

// remove deletes what a path names. Where the answer to a first attempt was lost, "not found" is the success of it.
func (c *Client) remove(ctx context.Context, name, target string) error {
	_, err := c.do(ctx, call{
		name: name, method: http.MethodDelete, path: target, class: classOther, repeat: true,
		ended: []int{http.StatusNotFound, http.StatusGone},
	}, nil)
	return err
}
