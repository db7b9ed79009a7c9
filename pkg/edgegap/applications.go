package edgegap

import (
	"context"
	"iter"
	"net/http"
)

const (
	minApplicationName = 3
	maxName            = 64
)

// PlaceholderImage is the smallest picture an application can have: one transparent pixel, as base64 of a PNG.
const PlaceholderImage = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// Application is a game; its versions are what runs.
type Application struct {
	Name   string `json:"name"`
	Active bool   `json:"is_active"`
	// Image is its picture, base64; it may be empty in lists.
	Image     string `json:"image"`
	CreatedAt Time   `json:"create_time"`
	UpdatedAt Time   `json:"last_updated"`
}

// ApplicationSpec is an application to be made.
type ApplicationSpec struct {
	// Name is of 3 to 64 characters.
	Name string `json:"name"`
	// Active applications can be deployed.
	Active bool `json:"is_active"`
	// Image is its picture, base64, at most 300 KB; PlaceholderImage if empty.
	Image string `json:"image"`
}

// ApplicationChange changes what is not nil.
type ApplicationChange struct {
	Name   *string `json:"name,omitempty"`
	Active *bool   `json:"is_active,omitempty"`
	Image  *string `json:"image,omitempty"`
}

func applicationPath(call, application string, more ...segment) (string, error) {
	return path(call, append([]segment{fixed("/v1/app"), named("app_name", application)}, more...)...)
}

func checkName(call, field, name string, shortest int) error {
	if len(name) < shortest || len(name) > maxName {
		return invalid(call, field, "%s: %.64q has %d characters; give %d to %d", field, name, len(name), shortest, maxName)
	}
	return nil
}

// CreateApplication makes an application (POST /v1/app). A name that is taken is KindConflict.
func (c *Client) CreateApplication(ctx context.Context, spec ApplicationSpec) (Application, error) {
	const name = "create application"
	if err := checkName(name, "name", spec.Name, minApplicationName); err != nil {
		return Application{}, err
	}
	spec.Image = or(spec.Image, PlaceholderImage)
	var got Application
	_, err := c.do(ctx, call{name: name, method: http.MethodPost, path: "/v1/app", body: spec, class: classOther}, &got)
	return got, err
}

// Application reads an application (GET /v1/app/{app_name}).
func (c *Client) Application(ctx context.Context, application string) (Application, error) {
	const name = "read application"
	target, err := applicationPath(name, application)
	if err != nil {
		return Application{}, err
	}
	var got Application
	_, err = c.do(ctx, call{name: name, method: http.MethodGet, path: target, class: classOther, repeat: true}, &got)
	return got, err
}

var applications = list{name: "list applications", path: "/v1/apps", key: "applications", class: classOther}

// ListApplications gives a page of the applications (GET /v1/apps). Of one item it is the cheapest way to try a token.
func (c *Client) ListApplications(ctx context.Context, paging Paging) (Page[Application], error) {
	return pageOf[Application](ctx, c, applications, paging)
}

// Applications walks all pages of ListApplications.
func (c *Client) Applications(ctx context.Context) iter.Seq2[Application, error] {
	return all(ctx, c, applications, func(a Application) string { return a.Name })
}

// UpdateApplication changes an application (PATCH /v1/app/{app_name}).
func (c *Client) UpdateApplication(ctx context.Context, application string, change ApplicationChange) (Application, error) {
	const name = "update application"
	target, err := applicationPath(name, application)
	if err != nil {
		return Application{}, err
	}
	if change.Name != nil {
		if err := checkName(name, "name", *change.Name, minApplicationName); err != nil {
			return Application{}, err
		}
	}
	var got Application
	_, err = c.do(ctx, call{
		name: name, method: http.MethodPatch, path: target, body: change, class: classOther, repeat: change.Name == nil,
	}, &got)
	return got, err
}

// DeleteApplication deletes an application and all its versions (DELETE /v1/app/{app_name}).
func (c *Client) DeleteApplication(ctx context.Context, application string) error {
	const name = "delete application"
	target, err := applicationPath(name, application)
	if err != nil {
		return err
	}
	return c.remove(ctx, name, target)
}
