package edgegap

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
)

// DeploymentSummary is a deployment in a list: less than Status tells, for all at the price of one call.
type DeploymentSummary struct {
	RequestID string          `json:"request_id"`
	FQDN      string          `json:"fqdn"`
	PublicIP  string          `json:"public_ip"`
	Ready     bool            `json:"ready"`
	StartTime Time            `json:"start_time"`
	Ports     map[string]Port `json:"ports"`
	Tags      []string        `json:"tags"`
	// State, Application and Version are not in Edgegap's specification but seen in its answers; they may be empty.
	State       State  `json:"status"`
	Application string `json:"application"`
	Version     string `json:"version"`
}

// QueryField is what a Filter looks at.
type QueryField string

// What a Filter looks at.
const (
	// ByStatus: ready or error, in small letters; Equal and NotEqual.
	ByStatus QueryField = "status"
	// ByRequestID: the id.
	ByRequestID QueryField = "request_id"
	// ByTag: has the tag (Equal), has one of them (In).
	ByTag QueryField = "tags"
	// ByApplication: the application.
	ByApplication QueryField = "application"
	// ByVersion: the version.
	ByVersion QueryField = "version"
	// ByFleet: the private fleet; also Like.
	ByFleet QueryField = "fleet_name"
	// ByHost: the private host; also Like.
	ByHost QueryField = "host_name"
	// ByCreated: the time it was made, ISO 8601; Equal, AtLeast and AtMost.
	ByCreated QueryField = "created_at"
)

// Operator is how a Filter compares.
type Operator string

// How a Filter compares.
const (
	// Equal compares with one value.
	Equal Operator = "eq"
	// NotEqual compares with one value.
	NotEqual Operator = "neq"
	// In compares with a list.
	In Operator = "in"
	// NotIn compares with a list.
	NotIn Operator = "nin"
	// Like compares with a pattern that has % for anything.
	Like Operator = "ilike"
	// AtLeast compares times.
	AtLeast Operator = "gte"
	// AtMost compares times.
	AtMost Operator = "lte"
)

// Filter is one condition of a DeploymentQuery. Edgegap takes one for each field.
type Filter struct {
	Field    QueryField `json:"field"`
	Operator Operator   `json:"operator"`
	// Value is a text, or a []string for In and NotIn.
	Value any `json:"value"`
}

// Tagged is the filter for deployments that carry a tag.
func Tagged(tag string) Filter { return Filter{Field: ByTag, Operator: Equal, Value: tag} }

// Order sorts a list.
type Order struct {
	// Field is created_at or available_session_sockets.
	Field string `json:"field"`
	// Direction is asc or desc.
	Direction string `json:"order"`
}

// DeploymentQuery chooses deployments. The zero value is all that are active.
type DeploymentQuery struct {
	// Filters must all pass; at most one for each field, so two tags cannot be asked for at once.
	Filters []Filter `json:"filters,omitempty"`
	// OrderBy sorts.
	OrderBy []Order `json:"order_by,omitempty"`
}

func (q DeploymentQuery) list() (list, error) {
	l := list{name: "list deployments", path: "/v1/deployments", key: "data", class: classList}
	seen := map[QueryField]bool{}
	for _, filter := range q.Filters {
		if err := filter.check(l.name); err != nil {
			return l, err
		}
		if seen[filter.Field] {
			return l, invalid(l.name, "query", "query: two filters on %s; Edgegap takes one for each field", filter.Field)
		}
		seen[filter.Field] = true
	}
	for _, order := range q.OrderBy {
		if order.Field == "" || order.Direction != "asc" && order.Direction != "desc" {
			return l, invalid(l.name, "query", "query: an order has a field and a direction, asc or desc")
		}
	}
	if len(q.Filters) == 0 && len(q.OrderBy) == 0 {
		return l, nil
	}
	text, err := json.Marshal(q)
	if err != nil {
		return l, invalid(l.name, "query", "query: a value cannot be written as JSON")
	}
	l.query = url.Values{"query": {string(text)}}
	return l, nil
}

func (f Filter) check(call string) error {
	_, text := f.Value.(string)
	_, texts := f.Value.([]string)
	switch {
	case f.Field == "" || f.Operator == "":
		return invalid(call, "query", "query: a filter has a field and an operator")
	case f.Operator == In || f.Operator == NotIn:
		if !texts {
			return invalid(call, "query", "query: %s on %s compares with a list of texts", f.Operator, f.Field)
		}
	case !text:
		return invalid(call, "query", "query: %s on %s compares with one text", f.Operator, f.Field)
	}
	return nil
}

// ListDeployments gives a page of the active deployments (GET /v1/deployments), those in ERROR included. Whether it is
// up to date with a deploy that was answered just before is not documented.
func (c *Client) ListDeployments(ctx context.Context, query DeploymentQuery, paging Paging) (Page[DeploymentSummary], error) {
	l, err := query.list()
	if err != nil {
		return Page[DeploymentSummary]{}, err
	}
	return pageOf[DeploymentSummary](ctx, c, l, paging)
}

// Deployments walks all pages of ListDeployments. What moves between two pages meanwhile may be missed: take a
// deployment for gone only when Status says so.
func (c *Client) Deployments(ctx context.Context, query DeploymentQuery) iter.Seq2[DeploymentSummary, error] {
	l, err := query.list()
	if err != nil {
		return func(yield func(DeploymentSummary, error) bool) { yield(DeploymentSummary{}, err) }
	}
	return all(ctx, c, l, func(d DeploymentSummary) string { return d.RequestID })
}
