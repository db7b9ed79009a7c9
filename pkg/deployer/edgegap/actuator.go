package edgegap

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Instance gives the address of the actuator of an instance: the port that actuator-port names, with actuator-path. No
// header goes there: Edgegap's token least of all. ErrUnsupported where actuator-port is not set.
func (d *Deployer) Instance(ctx context.Context, h deployer.Handle, guid string) (*url.URL, http.Header, error) {
	rec, err := load(h)
	if err != nil {
		return nil, nil, err
	}
	statuses, err := d.Status(ctx, []deployer.Handle{h})
	if err != nil {
		return nil, nil, err
	}
	for id, i := range statuses[h.ID].Instances {
		if i.State != skipper.StateDeployed || id != guid && i.Attributes["guid"] != guid {
			continue
		}
		if rec == nil || rec.ActuatorPort == "" {
			return nil, nil, deployer.Errorf(deployer.ErrUnsupported,
				"%s has no actuator on Edgegap; name its HTTP port in %sactuator-port", h.ID, prefix)
		}
		base, err := actuatorBase(i.Attributes, rec.ActuatorPort)
		if err != nil {
			return nil, nil, err
		}
		base.Path = strings.TrimRight(base.Path, "/") + rec.ActuatorPath
		return base, http.Header{}, nil
	}
	return nil, nil, deployer.Errorf(deployer.ErrNotFound, "App with deploymentId %s and guid %s not deployed", h.ID, guid)
}

// actuatorBase is the link of a port as an HTTP address.
func actuatorBase(attributes map[string]string, port string) (*url.URL, error) {
	link := attributes["port."+port+".link"]
	if !strings.Contains(link, "://") {
		host := or(attributes["fqdn"], attributes["public-ip"])
		n, err := strconv.Atoi(attributes["port."+port+".external"])
		if host == "" || err != nil {
			return nil, deployer.Errorf(deployer.ErrNotFound, "port %s of the instance has no address", port)
		}
		link = "http://" + host + ":" + strconv.Itoa(n)
	}
	base, err := url.Parse(link)
	if err != nil || base.Host == "" || base.User != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the link of port %s is not an address", port)
	}
	scheme := map[string]string{"ws": "http", "wss": "https"}
	base.Scheme = or(scheme[base.Scheme], base.Scheme)
	if !slices.Contains([]string{"http", "https"}, base.Scheme) {
		return nil, deployer.Errorf(deployer.ErrUnsupported, "port %s is not one of HTTP", port)
	}
	return base, nil
}
