package edgegaptest

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
)

const largestImage = 300 << 10

func (a *application) body() map[string]any {
	return map[string]any{
		"name": a.Name, "is_active": a.Active, "image": a.Image,
		"create_time": stamp(a.Created), "last_updated": stamp(a.Updated),
	}
}

func appFields(required bool) []field {
	return []field{
		{name: "name", kind: "string", required: required, min: 3, max: 64},
		{name: "is_active", kind: "bool", required: required},
		{name: "image", kind: "string", required: required, min: 1},
	}
}

// checkImage gives the refusal of a picture that is none.
func checkImage(members map[string]any) *reply {
	image, given := members["image"].(string)
	if !given {
		return nil
	}
	content, err := base64.StdEncoding.DecodeString(image)
	if err != nil || len(content) > largestImage {
		refused := refuse(http.StatusBadRequest, "is not base64 of at most 300 KB - 'image'")
		return &refused
	}
	return nil
}

func (f *Fake) createApp(call *request) reply {
	members, refused := f.decode(call, appFields(true))
	if refused != nil {
		return *refused
	}
	if refused := checkImage(members); refused != nil {
		return *refused
	}
	name := text(members, "name")
	switch {
	case call.org.app(name) != nil:
		return refuse(http.StatusConflict, "Application %s already exists", name)
	case f.options.FreeTier && len(call.org.Apps) >= 2:
		return refuse(http.StatusBadRequest, "You have reached you Application limit of 2")
	}
	a := &application{
		Name: name, Active: flag(members, "is_active"), Image: text(members, "image"), Created: call.now, Updated: call.now,
	}
	call.org.Apps = append(call.org.Apps, a)
	return changed(ok(a.body()))
}

// appOf gives the application a call names, or the refusal.
func appOf(call *request) (*application, *reply) {
	if a := call.org.app(call.params["app"]); a != nil {
		return a, nil
	}
	refused := refuse(http.StatusNotFound, "Application %.64s not found", call.params["app"])
	return nil, &refused
}

func (f *Fake) readApp(call *request) reply {
	a, refused := appOf(call)
	if refused != nil {
		return *refused
	}
	return ok(a.body())
}

func (f *Fake) listApps(call *request) reply {
	var all []any
	for _, a := range call.org.Apps {
		all = append(all, a.body())
	}
	return f.page(call, "applications", all, nil)
}

func (f *Fake) updateApp(call *request) reply {
	a, refused := appOf(call)
	if refused != nil {
		return *refused
	}
	members, refused := f.decode(call, appFields(false))
	if refused != nil {
		return *refused
	}
	if refused := checkImage(members); refused != nil {
		return *refused
	}
	if name, given := members["name"].(string); given {
		if other := call.org.app(name); other != nil && other != a {
			return refuse(http.StatusConflict, "Application %s already exists", name)
		}
		a.Name = name
	}
	if active, given := members["is_active"].(bool); given {
		a.Active = active
	}
	if image, given := members["image"].(string); given {
		a.Image = image
	}
	a.Updated = call.now
	return changed(ok(a.body()))
}

func (f *Fake) deleteApp(call *request) reply {
	a, refused := appOf(call)
	if refused != nil {
		return *refused
	}
	call.org.Apps = slices.DeleteFunc(call.org.Apps, func(other *application) bool { return other == a })
	return changed(reply{status: http.StatusOK})
}

// body is a version as it is answered: with the registry's password in clear, as in the official example.
func (v *version) body() map[string]any {
	body := map[string]any{
		"create_time": stamp(v.Created), "last_updated": stamp(v.Updated), "caching_percent": 0.0,
		"dns_config": nil, "endpoint_storage": nil, "private_username": nil, "private_token": nil,
		"envs": []any{}, "termination_grace_period_seconds": nil,
	}
	if flag(v.Fields, "force_cache") {
		body["caching_percent"] = 1.0
	}
	maps.Copy(body, v.Fields)
	ports := []any{}
	for _, sent := range objects(v.Fields, "ports") {
		port := map[string]any{"name": nil, "to_check": true, "tls_upgrade": false}
		maps.Copy(port, sent)
		ports = append(ports, port)
	}
	body["ports"] = ports
	return body
}

func versionFields(required bool) []field {
	return []field{
		{name: "name", kind: "string", required: required, min: 1, max: 64},
		{name: "docker_repository", kind: "string", required: required, min: 1},
		{name: "docker_image", kind: "string", required: required, min: 1},
		{name: "docker_tag", kind: "string", required: required, min: 1},
		{name: "req_cpu", kind: "int", required: required, min: 100},
		{name: "req_memory", kind: "int", required: required, min: 100},
		{name: "req_video", kind: "int"},
		{name: "private_username", kind: "string"},
		{name: "private_token", kind: "string"},
		{name: "is_active", kind: "bool"},
		{name: "verify_image", kind: "bool"},
		{name: "force_cache", kind: "bool"},
		{name: "time_to_deploy", kind: "int", min: 15},
		{name: "max_duration", kind: "int", min: -1, max: 1440},
		{name: "restart_policy", kind: "string", enum: []string{"always", "never", "on_failure"}},
		{name: "termination_grace_period_seconds", kind: "int", min: 5, max: 3600},
		{name: "will_deploy_in_mainland_china", kind: "bool"},
		{name: "dns_config", kind: "string"},
		{name: "endpoint_storage", kind: "string"},
		listOf("ports", field{kind: "object", fields: []field{
			{name: "port", kind: "int", required: true, max: 59999},
			{name: "protocol", kind: "string", required: true, enum: []string{"TCP", "UDP", "TCP/UDP", "HTTP", "HTTPS", "WS", "WSS"}},
			{name: "to_check", kind: "bool"},
			{name: "tls_upgrade", kind: "bool"},
			{name: "name", kind: "string"},
		}}),
		environment("envs", false),
	}
}

// checkVersion gives what a version as a whole must not be.
func (f *Fake) checkVersion(call *request, a *application, v *version) *reply {
	bad := func(status int, format string, args ...any) *reply {
		refused := refuse(status, format, args...)
		return &refused
	}
	if other := a.version(v.name()); other != nil && other != v {
		return bad(http.StatusConflict, "Version %s already exists", v.name())
	}
	if number(v.Fields, "req_memory") > 2*number(v.Fields, "req_cpu") {
		return bad(http.StatusBadRequest, "is more than twice req_cpu - 'req_memory'")
	}
	if f.options.FreeTier && (number(v.Fields, "req_cpu") > 1536 || number(v.Fields, "req_memory") > 3072) {
		return bad(http.StatusBadRequest, "You have reached you resources limit of 1536 units and 3072 MB")
	}
	names := map[string]bool{}
	for _, port := range objects(v.Fields, "ports") {
		name, protocol := text(port, "name"), text(port, "protocol")
		switch {
		case number(port, "port") == 0 && name == "":
			return bad(http.StatusBadRequest, "port 0 needs a name - 'ports'")
		case name != "" && names[name]:
			return bad(http.StatusBadRequest, "has non-unique names - 'ports'")
		case flag(port, "tls_upgrade") && protocol != "HTTP" && protocol != "WS":
			return bad(http.StatusBadRequest, "tls_upgrade is for HTTP and WS - 'ports'")
		}
		names[name] = true
	}
	for _, variable := range objects(v.Fields, "envs") {
		if len(text(variable, "value")) > maxValue {
			return bad(http.StatusBadRequest, "a value is longer than 4 KB - 'envs'")
		}
	}
	if name := text(v.Fields, "endpoint_storage"); name != "" && call.org.storage(name) == nil {
		return bad(http.StatusBadRequest, "unknown endpoint storage - 'endpoint_storage'")
	}
	if flag(v.Fields, "verify_image") && text(v.Fields, "docker_tag") == MissingTag {
		return bad(http.StatusFailedDependency, "The image %s cannot be pulled", v.image())
	}
	return nil
}

func (f *Fake) createVersion(call *request) reply {
	a, refused := appOf(call)
	if refused != nil {
		return *refused
	}
	members, refused := f.decode(call, versionFields(true))
	if refused != nil {
		return *refused
	}
	fields := map[string]any{
		"is_active": true, "verify_image": false, "force_cache": false, "max_duration": 1440.0, "time_to_deploy": 120.0,
		"restart_policy": "always", "req_video": 0.0, "will_deploy_in_mainland_china": false,
		"termination_grace_period_seconds": 30.0,
	}
	maps.Copy(fields, members)
	v := &version{Fields: fields, Created: call.now, Updated: call.now}
	if refused := f.checkVersion(call, a, v); refused != nil {
		return *refused
	}
	if f.options.FreeTier && len(a.Versions) >= 2 {
		return refuse(http.StatusBadRequest, "You have reached you Application Version limit of 2")
	}
	a.Versions = append(a.Versions, v)
	call.org.push(v, call.now)
	return changed(ok(map[string]any{"success": true, "version": v.body()}))
}

// versionOf gives the version a call names, or the refusal.
func versionOf(call *request) (*application, *version, *reply) {
	a, refused := appOf(call)
	if refused != nil {
		return nil, nil, refused
	}
	if v := a.version(call.params["version"]); v != nil {
		return a, v, nil
	}
	missing := refuse(http.StatusNotFound, "Version %.64s not found", call.params["version"])
	return nil, nil, &missing
}

func (f *Fake) readVersion(call *request) reply {
	_, v, refused := versionOf(call)
	if refused != nil {
		return *refused
	}
	return ok(v.body())
}

func (f *Fake) listVersions(call *request) reply {
	a, refused := appOf(call)
	if refused != nil {
		return *refused
	}
	var all []any
	for _, v := range a.Versions {
		all = append(all, v.body())
	}
	return f.page(call, "versions", all, nil)
}

func (f *Fake) updateVersion(call *request) reply {
	a, v, refused := versionOf(call)
	if refused != nil {
		return *refused
	}
	members, refused := f.decode(call, versionFields(false))
	if refused != nil {
		return *refused
	}
	before := v.Fields
	v.Fields = maps.Clone(before)
	maps.Copy(v.Fields, members)
	if refused := f.checkVersion(call, a, v); refused != nil {
		v.Fields = before
		return *refused
	}
	v.Updated = call.now
	return changed(ok(map[string]any{"success": true, "version": v.body()}))
}

func (f *Fake) deleteVersion(call *request) reply {
	a, v, refused := versionOf(call)
	if refused != nil {
		return *refused
	}
	a.Versions = slices.DeleteFunc(a.Versions, func(other *version) bool { return other == v })
	return changed(ok(map[string]any{"success": true, "message": "Version deleted"}))
}
