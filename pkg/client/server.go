package client

import (
	"context"
	"net/http"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// About says what a server is.
type About struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// About gives name and version of the server.
func (c *Client) About(ctx context.Context) (About, error) {
	var answer struct {
		VersionInfo struct {
			Server About `json:"server"`
		} `json:"versionInfo"`
	}
	href, err := c.follow(ctx, nil, "about")
	if err != nil {
		return About{}, err
	}
	err = c.do(ctx, http.MethodGet, href, nil, &answer)
	return answer.VersionInfo.Server, err
}

// Ready gives nil when the server can do its work now. The probe has its fixed place beside the API, as orchestrators
// expect it.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, c.root.JoinPath("actuator", "health", "readiness").String(), nil, nil)
}

// Platforms lists the accounts that releases can be deployed to.
func (c *Client) Platforms(ctx context.Context) ([]skipper.Platform, error) {
	return all[skipper.Platform](ctx, c, "deployers", "deployers")
}

// Repositories lists the places packages come from.
func (c *Client) Repositories(ctx context.Context) ([]skipper.Repository, error) {
	return all[skipper.Repository](ctx, c, "repositories", "repositories")
}
