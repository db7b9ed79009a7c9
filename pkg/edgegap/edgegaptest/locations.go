package edgegaptest

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
)

// place is a point on earth, in degrees.
type place struct{ latitude, longitude float64 }

// location is where deployments run.
type location struct {
	City, Country, Continent, Division, Timezone string
	Latitude, Longitude                          float64
	IP                                           string
	Tag                                          string
}

// data is LocationData.
func (l *location) data() map[string]any {
	return map[string]any{
		"city": l.City, "country": l.Country, "continent": l.Continent, "administrative_division": l.Division,
		"timezone": l.Timezone, "latitude": l.Latitude, "longitude": l.Longitude,
	}
}

// locations are those there are. The addresses are of the blocks that are kept for documentation.
func locations() []location {
	return []location{
		{"Montreal", "Canada", "North America", "Quebec", "Eastern Time", 45.508888, -73.561668, "192.0.2.10", "central"},
		{"Chicago", "United States", "North America", "Illinois", "Central Time", 41.881832, -87.623177, "192.0.2.20", "central"},
		{"Dallas", "United States", "North America", "Texas", "Central Time", 32.779167, -96.808891, "192.0.2.30", "edge"},
		{"Seattle", "United States", "North America", "Washington", "Pacific Time", 47.608013, -122.335167, "192.0.2.40", "edge"},
		{"Sao Paulo", "Brazil", "South America", "Sao Paulo", "Brasilia Time", -23.533773, -46.62529, "192.0.2.50", "edge"},
		{"London", "United Kingdom", "Europe", "England", "GMT", 51.509865, -0.118092, "198.51.100.10", "central"},
		{"Frankfurt", "Germany", "Europe", "Hesse", "Central European Time", 50.110924, 8.682127, "198.51.100.20", "central"},
		{"Tokyo", "Japan", "Asia", "Tokyo", "Japan Time", 35.652832, 139.839478, "198.51.100.30", "central"},
		{"Singapore", "Singapore", "Asia", "Singapore", "Singapore Time", 1.29027, 103.851959, "198.51.100.40", "edge"},
		{"Sydney", "Australia", "Oceania", "New South Wales", "Eastern Time", -33.865143, 151.2099, "198.51.100.50", "edge"},
	}
}

// place chooses where a deployment goes: the hosts that were asked for, else the nearest location to the players that
// passes the filters. Nil is "no server".
func (f *Fake) place(call *request, w wish, v *version, d *deployment) *location {
	for _, id := range w.hosts {
		fl, host := call.org.host(id)
		cpu, memory := call.org.allocated(id, call.now)
		if host.Status != "ACTIVE" || cpu+d.CPU > host.CPU || memory+d.Memory > host.Memory {
			continue
		}
		d.Fleet, d.Host, d.IP = fl.Name, id, host.IP
		return &location{
			City: host.City, Country: host.Country, Continent: host.Continent, Division: host.City, Timezone: "UTC",
			Latitude: host.Latitude, Longitude: host.Longitude, IP: host.IP,
		}
	}
	if len(w.hosts) > 0 && f.options.NoOverflow {
		return nil
	}
	var mean place
	for _, p := range w.places {
		mean.latitude += p.latitude / float64(len(w.places))
		mean.longitude += p.longitude / float64(len(w.places))
	}
	var best *location
	for _, at := range locations() {
		if w.cachedOnly && !flag(v.Fields, "force_cache") && !call.org.Cached[v.image()+" at "+at.City] {
			continue
		}
		if !passes(&at, w.filters) {
			continue
		}
		if best == nil || distance(mean, &at) < distance(mean, best) {
			best = &at
		}
	}
	return best
}

// distance is good enough to compare: on the flat map, with the shorter way around.
func distance(p place, l *location) float64 {
	east := math.Abs(p.longitude - l.Longitude)
	return math.Hypot(p.latitude-l.Latitude, min(east, 360-east))
}

func passes(l *location, filters []map[string]any) bool {
	for _, filter := range filters {
		own := map[string][]string{
			"city": {l.City}, "country": {l.Country}, "continent": {l.Continent}, "region": {l.Continent},
			"administrative_division": {l.Division}, "location_tags": {l.Tag},
		}[text(filter, "field")]
		if !compare(own, text(filter, "filter_type"), texts(filter, "values")) {
			return false
		}
	}
	return true
}

// compare is any, all or not.
func compare(own []string, kind string, values []string) bool {
	has := func(value string) bool { return slices.Contains(own, value) }
	switch kind {
	case "all":
		return !slices.ContainsFunc(values, func(v string) bool { return !has(v) })
	case "not":
		return !slices.ContainsFunc(values, has)
	}
	return slices.ContainsFunc(values, has)
}

func filterField(fields ...string) field {
	return listOf("filters", field{kind: "object", fields: []field{
		{name: "field", kind: "string", required: true, enum: fields},
		{name: "filter_type", kind: "string", required: true, enum: []string{"any", "all", "not"}},
		{name: "values", kind: "array", required: true, min: 1, items: &field{name: "values", kind: "string"}},
	}})
}

func (f *Fake) listLocations(call *request) reply {
	app, version := call.query.Get("app"), call.query.Get("version")
	if version != "" && app == "" {
		return refuse(http.StatusBadRequest, "version needs app - 'app'")
	}
	if app != "" {
		a := call.org.app(app)
		if a == nil || version != "" && a.version(version) == nil {
			return refuse(http.StatusBadRequest, "unknown application or version - 'app'")
		}
	}
	withTags := call.query.Get("tags")
	if withTags != "" && withTags != "true" && withTags != "false" {
		return refuse(http.StatusBadRequest, "is not true or false - 'tags'")
	}
	var all []any
	for _, at := range locations() {
		if kind := call.query.Get("type"); kind != "" && kind != "standard" {
			continue
		}
		item := at.data()
		item["type"] = "standard"
		if withTags == "true" {
			item["tags"] = []any{map[string]any{"key": "kind", "value": at.Tag}}
		}
		all = append(all, item)
	}
	return f.page(call, "locations", all, map[string]any{"messages": []string{}})
}

func (f *Fake) listBeacons(*request) reply {
	all := []any{}
	for _, at := range locations() {
		name := strings.ToLower(strings.ReplaceAll(at.City, " ", "-"))
		all = append(all, map[string]any{
			"host": at.IP, "fqdn": fmt.Sprintf("beacon-%s.edgegap.net", name), "udp_port": 30001, "tcp_port": 30002,
			"location": at.data(),
		})
	}
	return ok(map[string]any{"locations": all, "count": len(all)})
}

func (f *Fake) publicIP(*request) reply { return ok(map[string]any{"public_ip": f.options.ClientIP}) }
