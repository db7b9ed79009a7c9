package edgegaptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPage = 10
	largestPage = 100
)

// page answers a part of a list, in the envelope all lists have.
func (f *Fake) page(call *request, key string, all []any, more map[string]any) reply {
	at, limit := 1, defaultPage
	for name, target := range map[string]*int{"page": &at, "limit": &limit} {
		given := call.query.Get(name)
		if given == "" {
			continue
		}
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || name == "limit" && n > largestPage {
			return refuse(http.StatusBadRequest, "%.20q is out of bounds - '%s'", given, name)
		}
		*target = n
	}
	pages := max((len(all)+limit-1)/limit, 1)
	from := min((at-1)*limit, len(all))
	part := append([]any{}, all[from:min(from+limit, len(all))]...)
	var next, previous any
	if at < pages {
		next = at + 1
	}
	if at > 1 {
		previous = at - 1
	}
	body := map[string]any{
		key: part, "total_count": len(all),
		"pagination": map[string]any{
			"number": at, "next_page_number": next, "previous_page_number": previous,
			"paginator": map[string]any{"num_pages": pages}, "has_next": next != nil, "has_previous": previous != nil,
		},
	}
	maps.Copy(body, more)
	return ok(body)
}

// operators are those each field of a query has.
var operators = map[string][]string{
	"status":      {"eq", "neq"},
	"request_id":  {"eq", "neq", "in", "nin"},
	"tags":        {"eq", "neq", "in", "nin"},
	"application": {"eq", "neq", "in", "nin"},
	"version":     {"eq", "neq", "in", "nin"},
	"fleet_name":  {"eq", "neq", "in", "nin", "ilike"},
	"host_name":   {"eq", "neq", "in", "nin", "ilike"},
	"created_at":  {"eq", "gte", "lte"},
}

// condition is one filter of a query.
type condition struct {
	field, operator string
	values          []string
	at              time.Time
}

func (f *Fake) listDeployments(call *request) reply {
	conditions, order, wrong := f.readQuery(call.query.Get("query"))
	if wrong != "" {
		return refuse(http.StatusBadRequest, "%s - 'query'", wrong)
	}
	var found []*deployment
	for _, d := range call.org.Deployments {
		if d.ended(call.now) || call.now.Sub(d.Created) < f.options.ListDelay {
			continue
		}
		if !slices.ContainsFunc(conditions, func(c condition) bool { return !c.passes(d, call.now) }) {
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b *deployment) int { return b.Created.Compare(a.Created) })
	if order == "asc" {
		slices.Reverse(found)
	}
	if call.fault.Kind == FaultHideNewest {
		newest := -1
		for i, d := range found {
			if newest < 0 || d.Created.After(found[newest].Created) {
				newest = i
			}
		}
		if newest >= 0 {
			found = slices.Delete(found, newest, newest+1)
		}
	}
	if call.fault.Kind == FaultShift && len(found) > 0 {
		found = found[1:]
	}
	var all []any
	for _, d := range found {
		all = append(all, f.summary(d, call.now))
	}
	return f.page(call, "data", all, map[string]any{"message": []string{""}})
}

func (f *Fake) summary(d *deployment, now time.Time) map[string]any {
	state, _ := d.at(now)
	item := map[string]any{
		"request_id": d.ID, "fqdn": d.fqdn(), "ready": state == ready, "start_time": stamp(d.readyAt(now)),
		"public_ip": nil, "ports": nil, "tags": d.tagNames(),
	}
	if d.placed(now) {
		item["public_ip"], item["ports"] = d.IP, d.portsBody()
	}
	if !f.options.BareLists {
		item["status"], item["application"], item["version"] = state, d.App, d.Version
		item["sockets"], item["is_joinable_by_session"] = "0", false
	}
	return item
}

// readQuery reads the filters and the order of a list; wrong is empty if they are right.
func (f *Fake) readQuery(given string) (conditions []condition, order, wrong string) {
	if given == "" {
		return nil, "", ""
	}
	var query map[string]any
	if json.Unmarshal([]byte(given), &query) != nil {
		return nil, "", "is not a JSON object"
	}
	wrong = f.check(query, []field{
		listOf("filters", field{kind: "object"}),
		listOf("order_by", field{kind: "object", fields: []field{
			{name: "field", kind: "string", required: true, enum: []string{"created_at", "available_session_sockets"}},
			{name: "order", kind: "string", required: true, enum: []string{"asc", "desc"}},
		}}),
	})
	if wrong != "" {
		return nil, "", wrong
	}
	seen := map[string]bool{}
	for _, filter := range objects(query, "filters") {
		c, wrong := readCondition(filter)
		if wrong != "" {
			return nil, "", wrong
		}
		if seen[c.field] {
			return nil, "", "only one filter per field is allowed: " + c.field
		}
		seen[c.field] = true
		conditions = append(conditions, c)
	}
	for _, by := range objects(query, "order_by") {
		if text(by, "field") == "created_at" {
			order = text(by, "order")
		}
	}
	return conditions, order, ""
}

func readCondition(filter map[string]any) (condition, string) {
	for name := range filter {
		if name != "field" && name != "operator" && name != "value" {
			return condition{}, "a filter has field, operator and value only"
		}
	}
	c := condition{field: text(filter, "field"), operator: text(filter, "operator")}
	allowed, known := operators[c.field]
	if !known {
		return c, "unknown field of a filter"
	}
	if !slices.Contains(allowed, c.operator) {
		return c, "the field " + c.field + " does not have this operator"
	}
	if c.operator == "in" || c.operator == "nin" {
		for _, item := range items(filter, "value") {
			value, is := item.(string)
			if !is {
				return c, "the value of " + c.field + " is not a list of texts"
			}
			c.values = append(c.values, value)
		}
		if len(c.values) == 0 {
			return c, "the value of " + c.field + " is not a list of texts"
		}
		return c, ""
	}
	value, is := filter["value"].(string)
	if !is {
		return c, "the value of " + c.field + " is not a text"
	}
	c.values = []string{value}
	switch c.field {
	case "status":
		if !slices.Contains(states, value) {
			return c, "unknown status"
		}
	case "created_at":
		var err error
		if c.at, err = time.Parse(time.RFC3339, value); err != nil {
			return c, "created_at is not an ISO 8601 time"
		}
	}
	return c, ""
}

// states are the values of a filter by status.
var states = []string{"initializing", "seeking", "seeked", "scanning", "deploying", "ready", "error", "terminating"}

func (c condition) passes(d *deployment, now time.Time) bool {
	var own []string
	switch c.field {
	case "status":
		state, _ := d.at(now)
		own = []string{strings.ToLower(strings.TrimPrefix(state, "Status."))}
	case "request_id":
		own = []string{d.ID}
	case "tags":
		own = d.tagNames()
	case "application":
		own = []string{d.App}
	case "version":
		own = []string{d.Version}
	case "fleet_name":
		own = []string{d.Fleet}
	case "host_name":
		own = []string{d.Host}
	case "created_at":
		switch c.operator {
		case "gte":
			return !d.Created.Before(c.at)
		case "lte":
			return !d.Created.After(c.at)
		}
		return d.Created.Equal(c.at)
	}
	switch c.operator {
	case "neq", "nin":
		return compare(own, "not", c.values)
	case "ilike":
		return slices.ContainsFunc(own, func(s string) bool { return like(strings.ToLower(c.values[0]), strings.ToLower(s)) })
	}
	return compare(own, "any", c.values)
}

// like compares with a pattern in which % stands for anything.
func like(pattern, s string) bool {
	parts := strings.Split(pattern, "%")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, starts := strings.CutPrefix(s, parts[0])
	if !starts {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
