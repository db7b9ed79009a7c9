package edgegaptest

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
)

func (f *Fake) stop(call *request) reply {
	d, refused := f.find(call, f.options.UnknownStop)
	if refused != nil {
		return *refused
	}
	return f.stopFound(call, call.org, d)
}

// stopFound ends a deployment, from outside or from inside.
func (f *Fake) stopFound(call *request, o *organization, d *deployment) reply {
	if d.ended(call.now) {
		return refuse(http.StatusGone, "Instance Already terminated")
	}
	if wanted := call.query.Get("container_log_storage"); wanted != "" {
		configured := ""
		if a := o.app(d.App); a != nil {
			if v := a.version(d.Version); v != nil {
				configured = text(v.Fields, "endpoint_storage")
			}
		}
		storage, wrong := o.logStorage(wanted, configured)
		if wrong != nil {
			return *wrong
		}
		d.Storage = storage
	}
	message := fmt.Sprintf("%s - Delete request will be processed soon", d.ID)
	if f.stopNow(d, call.now) {
		return changed(reply{status: http.StatusAccepted, body: map[string]any{"message": message}})
	}
	return changed(ok(map[string]any{"message": message, "deployment_summary": d.statusBody(call.now)}))
}

// selfStop takes the container's token only, and that without a word before it.
func (f *Fake) selfStop(call *request) reply {
	id := call.params["id"]
	for _, o := range f.state.Organizations {
		for _, d := range o.Deployments {
			if d.ID != id {
				continue
			}
			given := call.Header.Get("Authorization")
			switch {
			case given == "" || subtle.ConstantTimeCompare([]byte(given), []byte(d.Token)) != 1:
				return refuse(http.StatusUnauthorized, "Unauthorized")
			case call.params["key"] != d.Key:
				return refuse(http.StatusForbidden, "Forbidden")
			}
			return f.stopFound(call, o, d)
		}
	}
	return refuse(http.StatusNotFound, "%s", notFound(id))
}

func (f *Fake) bulkStop(call *request) reply {
	filters := filterField("request_id", "deployment_tags")
	filters.required, filters.min = true, 1
	members, refused := f.decode(call, []field{filters})
	if refused != nil {
		return *refused
	}
	processable := []any{}
	for _, d := range call.org.Deployments {
		state, _ := d.at(call.now)
		if state == terminated || state == terminating {
			continue
		}
		passes := !slices.ContainsFunc(objects(members, "filters"), func(filter map[string]any) bool {
			own := []string{d.ID}
			if text(filter, "field") == "deployment_tags" {
				own = d.tagNames()
			}
			return !compare(own, text(filter, "filter_type"), texts(filter, "values"))
		})
		if passes {
			f.stopNow(d, call.now)
			processable = append(processable, map[string]any{"request_id": d.ID})
		}
	}
	return changed(reply{status: f.options.BulkStopStatus, body: map[string]any{"processable": processable}})
}
