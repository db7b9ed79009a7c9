package kubernetes

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Instance gives the address of a pod's actuator, and the credentials of app-admin. Pods answer where their network
// reaches, as in Skipper: a server outside of the cluster does not reach them.
func (d *Deployer) Instance(ctx context.Context, h deployer.Handle, guid string) (*url.URL, http.Header, error) {
	v, err := d.watched(ctx)
	if err != nil {
		return nil, nil, err
	}
	pods, err := d.pods(ctx, h.ID)
	if err != nil {
		return nil, nil, err
	}
	for _, pod := range pods {
		i := d.instance(v, pod)
		if i.Attributes["guid"] != guid && i.ID != guid || i.State != skipper.StateDeployed || pod.Status.PodIP == "" {
			continue
		}
		return &url.URL{
			Scheme: "http", Host: net.JoinHostPort(pod.Status.PodIP, i.Attributes["actuator.port"]),
			Path: i.Attributes["actuator.path"],
		}, d.credentials(), nil
	}
	return nil, nil, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId %s and guid %s not deployed", h.ID, guid)
}

func (d *Deployer) credentials() http.Header {
	request := http.Request{Header: http.Header{}}
	user, password := d.account.text("app-admin.user"), d.account.text("app-admin.password")
	if user != "" && password != "" {
		request.SetBasicAuth(user, password)
	}
	return request.Header
}
