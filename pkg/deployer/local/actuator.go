package local

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Instance gives the address of a running instance, and the credentials of app-admin.
func (d *Deployer) Instance(ctx context.Context, h deployer.Handle, id string) (*url.URL, http.Header, error) {
	d.begin()
	rec, err := d.view(h, sync.OnceValues(processes))
	if err != nil {
		return nil, nil, err
	}
	if rec == nil {
		rec = &record{}
	}
	for _, o := range d.observe(ctx, rec) {
		if guid(h.ID, o.instance) != id || o.state != skipper.StateDeployed || o.url == "" {
			continue
		}
		base, err := url.Parse(o.url)
		if err != nil {
			return nil, nil, deployer.Errorf(deployer.ErrInvalid, "address of %s: %w", id, err)
		}
		return base, d.credentials(), nil
	}
	return nil, nil, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId %s and guid %s not deployed", h.ID, id)
}

func (d *Deployer) credentials() http.Header {
	request := http.Request{Header: http.Header{}}
	if d.Settings.AdminUser != "" && d.Settings.AdminPassword != "" {
		request.SetBasicAuth(d.Settings.AdminUser, d.Settings.AdminPassword)
	}
	return request.Header
}
