package client

import (
	"context"
	"net/http"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Upload brings a package into a local repository. CodeConflict when that version is there already.
func (c *Client) Upload(ctx context.Context, request skipper.UploadRequest) (skipper.PackageMetadata, error) {
	var metadata skipper.PackageMetadata
	href, err := c.follow(ctx, nil, "package", "upload")
	if err != nil {
		return metadata, err
	}
	err = c.do(ctx, http.MethodPost, href, request, &metadata)
	return metadata, err
}

// Packages lists all packages.
func (c *Client) Packages(ctx context.Context) ([]skipper.PackageMetadata, error) {
	return all[skipper.PackageMetadata](ctx, c, "packageMetadata", "packageMetadata")
}

// PackagesContaining lists the packages with a part in their name, in any case.
func (c *Client) PackagesContaining(ctx context.Context, part string) ([]skipper.PackageMetadata, error) {
	href, err := c.follow(ctx, variables{"name": part}, "packageMetadata", "search", "findByNameContainingIgnoreCase")
	if err != nil {
		return nil, err
	}
	found, _, err := list[skipper.PackageMetadata](ctx, c, href, "packageMetadata")
	return found, err
}

// DeletePackage removes all versions of a package. CodeNotFound when there is none, CodePackageDelete while a release
// uses it.
func (c *Client) DeletePackage(ctx context.Context, name string) error {
	href, err := c.below(ctx, "package", "delete/name", "/{name}", variables{"name": name})
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, href, nil, nil)
}
