package docker

import (
	"context"
	"net/http"
	"net/url"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Instance gives the address of a running instance, and the credentials of app-admin.
func (d *Deployer) Instance(ctx context.Context, h deployer.Handle, guid string) (*url.URL, http.Header, error) {
	statuses, err := d.Status(ctx, []deployer.Handle{h})
	if err != nil {
		return nil, nil, err
	}
	i := statuses[h.ID].Instances[guid]
	if i.State != skipper.StateDeployed || i.Attributes["url"] == "" {
		return nil, nil, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId %s and guid %s not deployed", h.ID, guid)
	}
	base, err := url.Parse(i.Attributes["url"])
	if err != nil {
		return nil, nil, deployer.Errorf(deployer.ErrInvalid, "address of %s: %w", guid, err)
	}
	request := http.Request{Header: http.Header{}}
	if d.Settings.AdminUser != "" && d.Settings.AdminPassword != "" {
		request.SetBasicAuth(d.Settings.AdminUser, d.Settings.AdminPassword)
	}
	return base, request.Header, nil
}
