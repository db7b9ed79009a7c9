package edgegaptest

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxValue       = 4096
	invalidVersion = "Invalid Application or Application Version. No deployment has been created"
)

func environment(name string, hiddenRequired bool) field {
	return field{name: name, kind: "array", items: &field{name: name, kind: "object", fields: []field{
		{name: "key", kind: "string", required: true, min: 1},
		{name: "value", kind: "string", required: true},
		{name: "is_hidden", kind: "bool", required: hiddenRequired},
	}}}
}

func listOf(name string, item field) field {
	item.name = name
	return field{name: name, kind: "array", items: &item}
}

func deployFields(more ...field) []field {
	webhook := []field{{name: "url", kind: "string", required: true, min: 1}}
	return append([]field{
		{name: "application", kind: "string", required: true, min: 1},
		{name: "version", kind: "string", required: true, min: 1},
		{name: "users", kind: "array", required: true, min: 1, items: &field{name: "users", kind: "object", fields: []field{
			{name: "user_type", kind: "string", required: true, enum: []string{"ip_address", "geo_coordinates"}},
			{name: "user_data", kind: "object", required: true},
		}}},
		{name: "resources", kind: "object", fields: []field{
			{name: "cpu_units", kind: "int", required: true, min: 100},
			{name: "memory_mib", kind: "int", required: true, min: 100},
		}},
		{name: "require_cached_locations", kind: "bool", null: true},
		environment("environment_variables", true),
		listOf("tags", field{kind: "string"}),
		{name: "webhook_on_ready", kind: "object", fields: webhook},
		{name: "webhook_on_error", kind: "object", fields: webhook},
		{name: "webhook_on_terminated", kind: "object", fields: webhook},
	}, more...)
}

// wish is what the three deploy calls have in common.
type wish struct {
	app, version      string
	places            []place
	cpu, memory       int
	cachedOnly        bool
	environment       []map[string]any
	tags              []string
	webhooks          []webhook
	filters           []map[string]any
	hosts             []string
	storage           string
	command, argument any
	unknownStatus     int
}

func (f *Fake) deployV2(call *request) reply {
	members, refused := f.decode(call, deployFields())
	if refused != nil {
		return *refused
	}
	return f.deployWish(call, members, wish{unknownStatus: http.StatusBadRequest})
}

func (f *Fake) deployFleet(call *request) reply {
	members, refused := f.decode(call, deployFields(field{
		name: "private_host_ids", kind: "array", required: true, min: 1,
		items: &field{name: "private_host_ids", kind: "string", min: 1},
	}))
	if refused != nil {
		return *refused
	}
	hosts := texts(members, "private_host_ids")
	seen := map[string]bool{}
	for _, id := range hosts {
		if seen[id] {
			return refuse(http.StatusBadRequest, "has non-unique elements - 'private_host_ids'")
		}
		seen[id] = true
		if _, host := call.org.host(id); host == nil {
			return refuse(http.StatusBadRequest, "unknown host %.64s - 'private_host_ids'", id)
		}
	}
	return f.deployWish(call, members, wish{hosts: hosts, unknownStatus: http.StatusBadRequest})
}

// deployWish answers the two v2 calls.
func (f *Fake) deployWish(call *request, members map[string]any, w wish) reply {
	w.app, w.version = text(members, "application"), text(members, "version")
	for _, user := range objects(members, "users") {
		p, wrong := f.readUser(user)
		if wrong != "" {
			return refuse(http.StatusBadRequest, "%s - 'users'", wrong)
		}
		w.places = append(w.places, p)
	}
	if resources := object(members, "resources"); resources != nil {
		w.cpu, w.memory = number(resources, "cpu_units"), number(resources, "memory_mib")
		if w.memory > 2*w.cpu {
			return refuse(http.StatusBadRequest, "memory_mib is more than twice cpu_units - 'resources'")
		}
	}
	w.cachedOnly = flag(members, "require_cached_locations")
	w.environment = objects(members, "environment_variables")
	w.tags = texts(members, "tags")
	for event, name := range map[string]string{
		ready: "webhook_on_ready", failed: "webhook_on_error", terminated: "webhook_on_terminated",
	} {
		if hook := object(members, name); hook != nil {
			if !webURL(text(hook, "url")) {
				return refuse(http.StatusBadRequest, "is not a URL - '%s'", name)
			}
			w.webhooks = append(w.webhooks, webhook{State: event, URL: text(hook, "url")})
		}
	}
	d, refused := f.start(call, w)
	switch {
	case refused != nil:
		return *refused
	case d.ErrorDetail == unallocated:
		return changed(reply{status: http.StatusUnprocessableEntity, body: map[string]any{
			"request_id": d.ID, "message": unallocated,
		}})
	}
	return changed(reply{status: http.StatusAccepted, body: map[string]any{"request_id": d.ID}})
}

const unallocated = "Couldn't allocate server"

func (f *Fake) deployV1(call *request) reply {
	members, refused := f.decode(call, []field{
		{name: "app_name", kind: "string", required: true, min: 1},
		{name: "version_name", kind: "string", min: 1},
		listOf("ip_list", field{kind: "string"}),
		listOf("geo_ip_list", field{kind: "object", fields: []field{
			{name: "ip", kind: "string", required: true},
			{name: "latitude", kind: "number", required: true, min: -90, max: 90},
			{name: "longitude", kind: "number", required: true, min: -180, max: 180},
		}}),
		{name: "location", kind: "object", fields: []field{
			{name: "latitude", kind: "number", required: true, min: -90, max: 90},
			{name: "longitude", kind: "number", required: true, min: -180, max: 180},
		}},
		filterField("city", "country", "continent", "region", "administrative_division", "location_tags"),
		environment("env_vars", false),
		listOf("tags", field{kind: "string"}),
		{name: "webhook_url", kind: "string", min: 1},
		{name: "container_log_storage", kind: "object", fields: []field{
			{name: "enabled", kind: "bool", required: true}, {name: "endpoint_storage", kind: "string"},
		}},
		{name: "command", kind: "string", null: true},
		{name: "arguments", kind: "string", null: true},
		{name: "skip_telemetry", kind: "bool"},
		{name: "is_public_app", kind: "bool"},
		listOf("telemetry_profile_uuid_list", field{kind: "string"}),
		{name: "ap_sort_strategy", kind: "string"},
	})
	if refused != nil {
		return *refused
	}
	w := wish{
		app: text(members, "app_name"), version: text(members, "version_name"), unknownStatus: http.StatusNotFound,
		environment: objects(members, "env_vars"), tags: texts(members, "tags"), filters: objects(members, "filters"),
		command: members["command"], argument: members["arguments"],
	}
	ips, geos := texts(members, "ip_list"), objects(members, "geo_ip_list")
	if (len(ips) == 0) == (len(geos) == 0) {
		return refuse(http.StatusBadRequest, "one of ip_list and geo_ip_list is required - 'ip_list'")
	}
	if len(ips) > 200 {
		return refuse(http.StatusBadRequest, "is too long - 'ip_list'")
	}
	for _, ip := range ips {
		p, wrong := placeOf(ip)
		if wrong != "" {
			return refuse(http.StatusBadRequest, "%s - 'ip_list'", wrong)
		}
		w.places = append(w.places, p)
	}
	for _, geo := range geos {
		if _, err := netip.ParseAddr(text(geo, "ip")); err != nil {
			return refuse(http.StatusBadRequest, "is not an IP address - 'geo_ip_list'")
		}
		w.places = append(w.places, readPlace(geo))
	}
	if wanted := object(members, "location"); wanted != nil {
		w.places = []place{readPlace(wanted)}
	}
	if address := text(members, "webhook_url"); address != "" {
		if !webURL(address) {
			return refuse(http.StatusBadRequest, "is not a URL - 'webhook_url'")
		}
		w.webhooks = []webhook{{State: ready, URL: address}, {State: failed, URL: address}}
	}
	logStorage := object(members, "container_log_storage")
	if flag(logStorage, "enabled") {
		w.storage = or(text(logStorage, "endpoint_storage"), "true")
	}
	d, refused := f.start(call, w)
	switch {
	case refused != nil:
		return *refused
	case d.ErrorDetail == unallocated:
		return changed(reply{status: http.StatusUnprocessableEntity, body: map[string]any{
			"request_id": d.ID, "message": unallocated,
		}})
	}
	return changed(ok(map[string]any{
		"request_id": d.ID, "request_dns": d.fqdn(), "request_app": d.App, "request_version": d.Version,
		"request_user_count": len(w.places), "filters": orEmpty(w.filters), "tags": d.tagNames(),
		"container_log_storage": map[string]any{"enabled": d.Storage != "", "endpoint_storage": d.Storage},
	}))
}

func orEmpty(list []map[string]any) []map[string]any {
	if list == nil {
		return []map[string]any{}
	}
	return list
}

func webURL(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Host != "" && (parsed.Scheme == "http" || parsed.Scheme == "https")
}

// readUser gives where a v2 user is.
func (f *Fake) readUser(user map[string]any) (place, string) {
	data := object(user, "user_data")
	if text(user, "user_type") == "ip_address" {
		if wrong := f.check(data, []field{{name: "ip_address", kind: "string", required: true}}); wrong != "" {
			return place{}, wrong
		}
		return placeOf(text(data, "ip_address"))
	}
	wrong := f.check(data, []field{
		{name: "latitude", kind: "number", required: true, min: -90, max: 90},
		{name: "longitude", kind: "number", required: true, min: -180, max: 180},
	})
	return readPlace(data), wrong
}

func readPlace(members map[string]any) place {
	latitude, _ := members["latitude"].(float64)
	longitude, _ := members["longitude"].(float64)
	return place{latitude, longitude}
}

// placeOf gives an IP address a place, always the same one.
func placeOf(ip string) (place, string) {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return place{}, "is not an IP address"
	}
	hash := fnv.New32a()
	_, _ = hash.Write(address.AsSlice())
	all := locations()
	at := all[int(hash.Sum32())%len(all)]
	return place{at.Latitude, at.Longitude}, ""
}

// start makes a deployment, or gives the refusal.
func (f *Fake) start(call *request, w wish) (*deployment, *reply) {
	bad := func(status int, format string, args ...any) (*deployment, *reply) {
		refused := refuse(status, format, args...)
		return nil, &refused
	}
	a := call.org.app(w.app)
	if a == nil {
		return bad(w.unknownStatus, invalidVersion)
	}
	v := a.version(w.version)
	if w.version == "" && len(a.Versions) > 0 {
		v = a.Versions[len(a.Versions)-1]
	}
	if v == nil {
		return bad(w.unknownStatus, invalidVersion)
	}
	if !a.Active || !flag(v.Fields, "is_active") {
		return bad(http.StatusBadRequest, "%s: the application or the version is not active", invalidVersion)
	}
	if wrong := f.checkWish(call, w); wrong != nil {
		return nil, wrong
	}
	d := f.newDeployment(call, w, v)
	if w.storage != "" {
		storage, wrong := call.org.logStorage(w.storage, text(v.Fields, "endpoint_storage"))
		if wrong != nil {
			return nil, wrong
		}
		d.Storage = storage
	}
	at := f.place(call, w, v, d)
	if at == nil {
		f.plan(d, v, Fate{Kind: FateUnallocated}, false)
	} else {
		f.settle(call, d, v, at)
	}
	call.org.Deployments = append(call.org.Deployments, d)
	return d, nil
}

// settle plans the life of a deployment at a location.
func (f *Fake) settle(call *request, d *deployment, v *version, at *location) {
	d.Location = at
	key := v.image() + " at " + at.City
	cached := call.org.Cached[key] || flag(v.Fields, "force_cache")
	fate := f.fate(d.App, d.Version, at.City)
	f.plan(d, v, fate, cached)
	if !d.since(ready).IsZero() {
		call.org.Cached[key] = true
	}
	if d.IP == "" {
		d.IP = at.IP
	}
	f.mapPorts(call.org, d, v)
}

func (f *Fake) checkWish(call *request, w wish) *reply {
	bad := func(format string, args ...any) *reply {
		refused := refuse(http.StatusBadRequest, format, args...)
		return &refused
	}
	for _, variable := range w.environment {
		if len(text(variable, "value")) > maxValue {
			return bad("the value of %.64s is longer than 4 KB - 'environment_variables'", text(variable, "key"))
		}
	}
	for i, name := range w.tags {
		if wrong := f.checkTag(name); wrong != "" {
			return bad("%s - 'tags'", wrong)
		}
		if slices.Contains(w.tags[:i], name) {
			return bad("has non-unique elements - 'tags'")
		}
	}
	if f.options.FreeTier {
		running := 0
		for _, d := range call.org.Deployments {
			if !d.ended(call.now) {
				running++
			}
		}
		if running > 0 {
			return bad("You have reached you Deployment limit of 1")
		}
		if w.cpu > 1536 || w.memory > 3072 {
			return bad("You have reached you resources limit of 1536 units and 3072 MB")
		}
	}
	return nil
}

func (f *Fake) newDeployment(call *request, w wish, v *version) *deployment {
	d := &deployment{
		ID: f.newID(), Key: strconv.Itoa(100000 + f.random.IntN(900000)), Token: f.hex(32),
		App: w.app, Version: v.name(), Image: v.image(), Created: call.now,
		CPU: or(w.cpu, number(v.Fields, "req_cpu")), Memory: or(w.memory, number(v.Fields, "req_memory")),
		Minutes: number(v.Fields, "max_duration"), Policy: text(v.Fields, "restart_policy"),
		Grace:   min(time.Duration(number(v.Fields, "termination_grace_period_seconds"))*time.Second, f.options.Pace.Grace),
		Storage: text(v.Fields, "endpoint_storage"), Command: w.command, Arguments: w.argument, Webhooks: w.webhooks,
	}
	if f.options.FreeTier {
		d.Minutes = 60
	}
	seen := map[string]bool{}
	for _, variable := range append(objects(v.Fields, "envs"), w.environment...) {
		if key := text(variable, "key"); !seen[key] {
			seen[key] = true
			d.EnvKeys = append(d.EnvKeys, key)
		}
	}
	for _, name := range w.tags {
		d.Tags = append(d.Tags, tag{Name: name, Created: call.now, Updated: call.now})
	}
	f.state.Sequence++
	return d
}

// newID gives 12 hexadecimal digits that nobody had.
func (f *Fake) newID() string {
	for {
		id := f.hex(12)
		if !f.taken(id) {
			return id
		}
	}
}

func (f *Fake) taken(id string) bool {
	for _, o := range f.state.Organizations {
		for _, d := range o.Deployments {
			if d.ID == id {
				return true
			}
		}
	}
	return false
}

func (f *Fake) hex(digits int) string {
	var b strings.Builder
	for b.Len() < digits {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], f.random.Uint64())
		fmt.Fprintf(&b, "%x", word)
	}
	return b.String()[:digits]
}

// mapPorts gives the ports numbers outside that nobody else has at the address.
func (f *Fake) mapPorts(o *organization, d *deployment, v *version) {
	used := map[int]bool{}
	for _, other := range o.Deployments {
		if other.IP == d.IP && !other.ended(d.Created) {
			for _, n := range other.Numbers {
				used[n] = true
			}
		}
	}
	d.Ports = map[string]any{}
	for _, port := range objects(v.Fields, "ports") {
		external := 30000 + f.random.IntN(2768)
		for used[external] {
			external = 30000 + f.random.IntN(2768)
		}
		used[external] = true
		internal := number(port, "port")
		if internal == 0 {
			internal = external
		}
		d.Numbers = append(d.Numbers, external)
		name := or(text(port, "name"), strconv.Itoa(internal))
		protocol := text(port, "protocol")
		link := fmt.Sprintf("%s:%d", d.fqdn(), external)
		switch {
		case protocol == "HTTP" && !flag(port, "tls_upgrade"):
			link = "http://" + link
		case protocol == "HTTP" || protocol == "HTTPS":
			link = "https://" + link
		case protocol == "WS" && !flag(port, "tls_upgrade"):
			link = "ws://" + link
		case protocol == "WS" || protocol == "WSS":
			link = "wss://" + link
		}
		d.Ports[name] = map[string]any{
			"name": name, "link": link, "internal": internal, "external": external, "protocol": protocol,
			"tls_upgrade": flag(port, "tls_upgrade"),
		}
	}
}
