package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// accepted is the answer to a command.
type accepted struct {
	skipper.Release
	Links hal.Links `json:"_links"`
}

// command sends a command and gives the release and the URL of the operation that carries it out; that is empty when
// the server names none. A command that is queued has an operation and no release.
func (c *Client) command(
	ctx context.Context, method, href string, in any, options []skipper.CommandOptions,
) (skipper.Release, string, error) {
	href, header, err := withOptions(href, options)
	if err != nil {
		return skipper.Release{}, "", err
	}
	var answer accepted
	status, err := c.ask(ctx, method, href, header, in, &answer)
	operation, named := answer.Links.Get("operation")
	if err == nil {
		queued := status == http.StatusAccepted && named
		err = c.asked(queued || whole(answer.Release), "release")
	}
	if err != nil {
		return skipper.Release{}, "", err
	}
	if status == http.StatusAccepted {
		answer.Release = skipper.Release{}
	}
	return answer.Release, operation.Href, nil
}

// withOptions adds options to a request; of several the last ones count.
func withOptions(href string, options []skipper.CommandOptions) (string, http.Header, error) {
	if len(options) == 0 {
		return href, nil, nil
	}
	o := options[len(options)-1]
	if err := o.Check(); err != nil {
		return "", nil, err
	}
	query, header := url.Values{}, http.Header{}
	if o.OnConflict != "" {
		query.Set("onConflict", string(o.OnConflict))
	}
	if o.HealthGate {
		query.Set("healthGate", "true")
	}
	if o.Timeout != nil {
		query.Set("timeout", strconv.FormatInt(*o.Timeout, 10))
	}
	if o.IdempotencyKey != "" {
		header.Set("Idempotency-Key", o.IdempotencyKey)
	}
	switch {
	case len(query) == 0:
		return href, header, nil
	case strings.Contains(href, "?"):
		return href + "&" + query.Encode(), header, nil
	}
	return href + "?" + query.Encode(), header, nil
}

// whole says that a release has what every release has.
func whole(r skipper.Release) bool {
	return r.Name != "" && r.Version > 0 && r.Info.Status.StatusCode != ""
}

// Install installs a package as a release; it returns when the platform accepted the applications, not when they are
// healthy; with options that ask for it, when they are. CodeConflict when the name is taken.
func (c *Client) Install(
	ctx context.Context, request skipper.InstallRequest, options ...skipper.CommandOptions,
) (skipper.Release, string, error) {
	href, err := c.follow(ctx, nil, "package", "install")
	if err != nil {
		return skipper.Release{}, "", err
	}
	return c.command(ctx, http.MethodPost, href, request, options)
}

// Upgrade makes a new version of a release; it returns when the new applications were handed to the platform.
// CodeReleaseUpgrade when nothing would change.
func (c *Client) Upgrade(
	ctx context.Context, request skipper.UpgradeRequest, options ...skipper.CommandOptions,
) (skipper.Release, string, error) {
	href, err := c.follow(ctx, nil, "release", "upgrade")
	if err != nil {
		return skipper.Release{}, "", err
	}
	return c.command(ctx, http.MethodPost, href, request, options)
}

// Preview tells what it takes to bring a release to a package and values, and what that would change. Nothing is done.
func (c *Client) Preview(ctx context.Context, request skipper.InstallRequest) (skipper.Preview, error) {
	var p skipper.Preview
	href, err := c.follow(ctx, nil, "release", "preview")
	if err != nil {
		return p, err
	}
	if err = c.do(ctx, http.MethodPost, href, request, &p); err != nil {
		return p, err
	}
	return p, c.asked(p.Action != "" && p.Name != "", "preview")
}

// Rollback makes a new version of a release from an earlier one; it returns as Upgrade does. Skipper's link of that
// name leads to a form without a time limit, so it is another relation, or the documented path.
func (c *Client) Rollback(
	ctx context.Context, request skipper.RollbackRequest, options ...skipper.CommandOptions,
) (skipper.Release, string, error) {
	href, err := c.below(ctx, "release", "rollback/request", "/rollback", nil)
	if err != nil {
		return skipper.Release{}, "", err
	}
	return c.command(ctx, http.MethodPost, href, request, options)
}

// Scale sets instance counts of applications of a release.
func (c *Client) Scale(
	ctx context.Context, name string, request skipper.ScaleRequest, options ...skipper.CommandOptions,
) (skipper.Release, string, error) {
	href, err := c.below(ctx, "release", "scale/name", "/scale/{name}", variables{"name": name})
	if err != nil {
		return skipper.Release{}, "", err
	}
	return c.command(ctx, http.MethodPost, href, request, options)
}

// Delete removes the applications of a release, and with withPackage its package too.
func (c *Client) Delete(
	ctx context.Context, name string, withPackage bool, options ...skipper.CommandOptions,
) (skipper.Release, string, error) {
	rel, path := "delete/name", "/{name}"
	if withPackage {
		rel, path = "delete/name/package", "/{name}/package"
	}
	href, err := c.below(ctx, "release", rel, path, variables{"name": name})
	if err != nil {
		return skipper.Release{}, "", err
	}
	return c.command(ctx, http.MethodDelete, href, nil, options)
}

// Cancel asks to end what runs on a release; false when there is nothing that can be cancelled.
func (c *Client) Cancel(ctx context.Context, name string) (bool, error) {
	href, err := c.below(ctx, "release", "cancel", "/cancel", nil)
	if err != nil {
		return false, err
	}
	var answer skipper.CancelResponse
	err = c.do(ctx, http.MethodPost, href, skipper.CancelRequest{ReleaseName: name}, &answer)
	return answer.Accepted, err
}

// Status gives the live status of a version of a release; version 0 means the newest.
func (c *Client) Status(ctx context.Context, name string, version int) (skipper.Info, error) {
	var info skipper.Info
	href, err := c.versioned(ctx, "status/name", "status/name/version", name, version)
	if err != nil {
		return info, err
	}
	if err = c.do(ctx, http.MethodGet, href, nil, &info); err != nil {
		return info, err
	}
	return info, c.asked(info.Status.StatusCode != "", "status")
}

// Manifest gives the manifest of a version of a release; version 0 means the newest.
func (c *Client) Manifest(ctx context.Context, name string, version int) (skipper.Manifest, error) {
	href, err := c.versioned(ctx, "manifest", "manifest/name/version", name, version)
	if err != nil {
		return skipper.Manifest{}, err
	}
	var answer struct {
		Data *string `json:"data"` // may be empty, but is there
	}
	err = c.do(ctx, http.MethodGet, href, nil, &answer)
	if err == nil {
		err = c.asked(answer.Data != nil, "manifest")
	}
	if err != nil {
		return skipper.Manifest{}, err
	}
	return skipper.Manifest{Data: *answer.Data}, nil
}

// Logs gives the logs of the newest version of a release by deployment id.
func (c *Client) Logs(ctx context.Context, name string) (skipper.LogInfo, error) {
	var logs skipper.LogInfo
	href, err := c.follow(ctx, variables{"name": name}, "release", "logs/name")
	if err != nil {
		return logs, err
	}
	if err = c.do(ctx, http.MethodGet, href, nil, &logs); err != nil {
		return logs, err
	}
	return logs, c.asked(logs.Logs != nil, "logs")
}

// Listed gives the versions that are deployed or failed of the releases with a part in their name; all for "".
func (c *Client) Listed(ctx context.Context, part string) ([]skipper.Release, error) {
	rel := "list/name"
	if part == "" {
		rel = "list"
	}
	href, err := c.follow(ctx, variables{"name": part}, "release", rel)
	if err != nil {
		return nil, err
	}
	return c.releases(ctx, href)
}

// History gives all versions of the releases with a part in their name, by name, newest first.
func (c *Client) History(ctx context.Context, part string) ([]skipper.Release, error) {
	values := variables{"name": part}
	href, err := c.follow(ctx, values, "release", "history")
	if errors.Is(err, errNoLink) { // Skipper's own way there is longer
		href, err = c.follow(ctx, values, "releases", "search", "findByNameIgnoreCaseContainingOrderByNameAscVersionDesc")
	}
	if err != nil {
		return nil, err
	}
	return c.releases(ctx, href)
}

func (c *Client) releases(ctx context.Context, href string) ([]skipper.Release, error) {
	found, _, err := list[skipper.Release](ctx, c, href, "releases")
	for _, r := range found {
		if err := c.asked(whole(r), "release"); err != nil {
			return nil, err
		}
	}
	return found, err
}
