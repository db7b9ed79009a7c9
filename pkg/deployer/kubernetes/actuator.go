package kubernetes

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// metaTime is the time of Kubernetes' API.
type metaTime = metav1.Time

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// Instance gives the address of a pod's actuator behind the API server, which can reach pods where skiff cannot.
// It is to be asked through Transport.
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
		if i.Attributes["guid"] != guid && i.ID != guid || i.State != skipper.StateDeployed {
			continue
		}
		base, err := url.Parse(d.rest.Host)
		if err != nil {
			return nil, nil, deployer.Errorf(deployer.ErrInvalid, "address of the API server: %w", err)
		}
		base.Path = path.Join("/", base.Path, "api/v1/namespaces", d.namespace, "pods",
			pod.Name+":"+i.Attributes["actuator.port"], "proxy", strings.TrimPrefix(i.Attributes["actuator.path"], "/"))
		return base, d.credentials(), nil
	}
	return nil, nil, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId %s and guid %s not deployed", h.ID, guid)
}

// Transport reaches the API server with the credentials of the account.
func (d *Deployer) Transport() http.RoundTripper { return d.client.http.Transport }

func (d *Deployer) credentials() http.Header {
	request := http.Request{Header: http.Header{}}
	user, password := d.account.text("app-admin.user"), d.account.text("app-admin.password")
	if user != "" && password != "" {
		request.SetBasicAuth(user, password)
	}
	return request.Header
}
