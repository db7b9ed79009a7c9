package edgegaptest

import (
	"net/http"
	"net/url"
	"strings"
)

// Buckets of the rate limits.
const (
	bucketOther  = "other"
	bucketDeploy = "deploy"
	bucketStatus = "status"
	bucketList   = "list"
	bucketHosts  = "hosts"
	bucketNone   = "none"
)

// route is one endpoint.
type route struct {
	name       string // of the call, as faults and the journal name it
	method     string
	pattern    string // {x} is one segment, {x...} one or more
	bucket     string
	parameters string // of the query, separated by spaces
	handle     func(*Fake, *request) reply
}

const paging = "page limit"

// routes are all endpoints. The names are those to script faults with.
func routes() []route {
	const (
		app     = "/v1/app/{app}"
		version = "/v1/app/{app}/version/{version}"
		tags    = "/v1/deployments/{id}/tags"
		images  = "/v1/container-registry/images/{image...}/tags"
		storage = "/v1/storage/endpoint"
	)
	get, post, patch, del := http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	return []route{
		{"deploy", post, "/v2/deployments", bucketDeploy, "", (*Fake).deployV2},
		{"deploy-v1", post, "/v1/deploy", bucketDeploy, "", (*Fake).deployV1},
		{"fleet-deploy", post, "/v2/private-fleets/deployments", bucketDeploy, "", (*Fake).deployFleet},
		{"fleet-deploy", post, "/v2/private-fleets:deploy", bucketDeploy, "", (*Fake).deployFleet},
		{"hosts", get, "/v2/private-fleets/{fleet}/hosts", bucketHosts, paging, (*Fake).listHosts},
		{"status", get, "/v1/status/{id}", bucketStatus, "", (*Fake).status},
		{"list", get, "/v1/deployments", bucketList, paging + " query", (*Fake).listDeployments},
		{"stop", del, "/v1/stop/{id}", bucketOther, "container_log_storage", (*Fake).stop},
		{"self-stop", del, "/v1/self/stop/{id}/{key}", bucketNone, "container_log_storage", (*Fake).selfStop},
		{"bulk-stop", post, "/v1/deployments/bulk-stop", bucketOther, "", (*Fake).bulkStop},
		{"list-tags", get, tags, bucketOther, paging, (*Fake).listTags},
		{"create-tag", post, tags, bucketOther, "", (*Fake).createTag},
		{"read-tag", get, tags + "/{tag}", bucketOther, "", (*Fake).readTag},
		{"update-tag", patch, tags + "/{tag}", bucketOther, "", (*Fake).updateTag},
		{"delete-tag", del, tags + "/{tag}", bucketOther, "", (*Fake).deleteTag},
		{"logs", get, "/v1/deployment/{id}/container-logs", bucketOther, "format", (*Fake).logs},
		{"metrics", get, "/v1/metrics/deployment/{id}", bucketOther, "start_time end_time steps raw", (*Fake).metrics},
		{"locations", get, "/v1/locations", bucketOther, paging + " app version type tags", (*Fake).listLocations},
		{"beacons", get, "/v1/locations/beacons", bucketOther, "", (*Fake).listBeacons},
		{"ip", get, "/v1/ip", bucketOther, "", (*Fake).publicIP},
		{"create-app", post, "/v1/app", bucketOther, "", (*Fake).createApp},
		{"list-apps", get, "/v1/apps", bucketOther, paging, (*Fake).listApps},
		{"read-app", get, app, bucketOther, "", (*Fake).readApp},
		{"update-app", patch, app, bucketOther, "", (*Fake).updateApp},
		{"delete-app", del, app, bucketOther, "", (*Fake).deleteApp},
		{"create-version", post, app + "/version", bucketOther, "", (*Fake).createVersion},
		{"list-versions", get, app + "/versions", bucketOther, paging, (*Fake).listVersions},
		{"read-version", get, version, bucketOther, "", (*Fake).readVersion},
		{"update-version", patch, version, bucketOther, "", (*Fake).updateVersion},
		{"delete-version", del, version, bucketOther, "", (*Fake).deleteVersion},
		{"list-image-tags", get, images, bucketOther, paging, (*Fake).listImageTags},
		{"delete-image-tag", del, images + "/{tag}", bucketOther, "", (*Fake).deleteImageTag},
		{"create-storage", post, storage, bucketOther, "", (*Fake).createStorage},
		{"list-storages", get, "/v1/storage/endpoints", bucketOther, paging, (*Fake).listStorages},
		{"read-storage", get, storage + "/{storage}", bucketOther, "", (*Fake).readStorage},
		{"delete-storage", del, storage + "/{storage}", bucketOther, "", (*Fake).deleteStorage},
	}
}

// route finds the endpoint of a call, or gives the refusal: 404, or 405 for another method.
func (f *Fake) route(call *request) *reply {
	path := call.URL.EscapedPath()
	refusal := refuse(http.StatusNotFound, "The requested URL was not found on the server.")
	for _, r := range routes() {
		if r.name == "fleet-deploy" &&
			(f.options.OldFleets && !strings.HasSuffix(path, ":deploy") || f.options.NewFleets && strings.HasSuffix(path, ":deploy")) {
			continue
		}
		params, matches := match(r.pattern, path)
		if !matches {
			continue
		}
		if r.method != call.Method {
			refusal = refuse(http.StatusMethodNotAllowed, "The method is not allowed for the requested URL.")
			continue
		}
		call.route, call.params = &r, params
		return nil
	}
	return &refusal
}

// match compares a path with a pattern that has at most one {x...}.
func match(pattern, path string) (map[string]string, bool) {
	wanted, given := strings.Split(pattern, "/"), strings.Split(path, "/")
	params := map[string]string{}
	at := 0
	for _, part := range wanted {
		name, open := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		many := false
		if open && closed {
			name, many = strings.CutSuffix(name, "...")
		}
		size := 1
		if many {
			size = len(given) - len(wanted) + 1
		}
		if size < 1 || at+size > len(given) {
			return nil, false
		}
		text := strings.Join(given[at:at+size], "/")
		at += size
		if !open {
			if text != part {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(text)
		if err != nil || value == "" {
			return nil, false
		}
		params[name] = value
	}
	return params, at == len(given)
}
