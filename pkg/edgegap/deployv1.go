package edgegap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
)

// DeployV1Request asks for one game server in the way of v1. Only v1 knows filters of locations, another command and
// the storage of logs.
type DeployV1Request struct {
	// Application names what is deployed.
	Application string `json:"app_name"`
	// Version is the last one created if empty.
	Version string `json:"version_name,omitempty"`
	// IPs are the players' addresses. Either these or GeoIPs.
	IPs []string `json:"ip_list,omitempty"`
	// GeoIPs are addresses with a place. Either these or IPs.
	GeoIPs []GeoIP `json:"geo_ip_list,omitempty"`
	// Location is a wish for a place, besides the players.
	Location *Coordinates `json:"location,omitempty"`
	// Filters restrict the locations.
	Filters []LocationFilter `json:"filters,omitempty"`
	// Environment is set in the container.
	Environment []Variable `json:"env_vars,omitempty"`
	// Tags are given to the deployment, each of at most MaxTagLength characters.
	Tags []string `json:"tags,omitempty"`
	// WebhookURL is called when the deployment is READY or failed.
	WebhookURL string `json:"webhook_url,omitempty"`
	// LogStorage keeps the container's log after its end; nil is as the version says.
	LogStorage *LogStorage `json:"container_log_storage,omitempty"`
	// Command and Arguments replace those of the image; nil keeps them.
	Command   *string `json:"command,omitempty"`
	Arguments *string `json:"arguments,omitempty"`
	// SkipTelemetry deploys without measuring the players' distance; nil is true.
	SkipTelemetry *bool `json:"skip_telemetry,omitempty"`

	// IsPublicApp is not read any more by Edgegap.
	IsPublicApp bool `json:"is_public_app,omitempty"`
	// TelemetryProfiles are not read any more by Edgegap.
	TelemetryProfiles []string `json:"telemetry_profile_uuid_list,omitempty"`
	// SortStrategy is not read any more by Edgegap.
	SortStrategy string `json:"ap_sort_strategy,omitempty"`
}

// GeoIP is a player's address with a place.
type GeoIP struct {
	IP string `json:"ip"`
	Coordinates
}

// FilterType says how the values of a filter are meant.
type FilterType string

// How values are meant.
const (
	// MatchAny: one of the values.
	MatchAny FilterType = "any"
	// MatchAll: all of the values.
	MatchAll FilterType = "all"
	// MatchNot: none of the values.
	MatchNot FilterType = "not"
)

// LocationFilter restricts where a v1 deploy may go.
type LocationFilter struct {
	// Field is city, country, continent, region, administrative_division or location_tags.
	Field string `json:"field"`
	// Type says how Values are meant.
	Type FilterType `json:"filter_type"`
	// Values are names as ListLocations shows them.
	Values []string `json:"values"`
}

// LogStorage says where a container's log is kept.
type LogStorage struct {
	Enabled bool `json:"enabled"`
	// Endpoint names the storage; empty is the version's.
	Endpoint string `json:"endpoint_storage,omitempty"`
}

// ParseLogStorage reads what Stop takes as LogStorage: "true" or "false" for the version's storage, or the name of one.
// Empty is nil: as the version says.
func ParseLogStorage(text string) *LogStorage {
	switch text {
	case "":
		return nil
	case "true", "false":
		return &LogStorage{Enabled: text == "true"}
	}
	return &LogStorage{Enabled: true, Endpoint: text}
}

// DeployV1Result is what v1 answers to a deploy.
type DeployV1Result struct {
	RequestID   string           `json:"request_id"`
	FQDN        string           `json:"request_dns"`
	Application string           `json:"request_app"`
	Version     string           `json:"request_version"`
	UserCount   Integer          `json:"request_user_count"`
	Filters     []LocationFilter `json:"filters"`
	Tags        []string         `json:"tags"`
	LogStorage  *LogStorage      `json:"container_log_storage"`
}

func (r DeployV1Request) check(call string) error {
	switch {
	case r.Application == "":
		return invalid(call, "app_name", "the application is not named")
	case (len(r.IPs) == 0) == (len(r.GeoIPs) == 0):
		return invalid(call, "ip_list", "give either ip_list or geo_ip_list, with at least one player")
	}
	for _, ip := range r.IPs {
		if err := checkIP(call, "ip_list", ip); err != nil {
			return err
		}
	}
	for _, user := range r.GeoIPs {
		if err := checkIP(call, "geo_ip_list", user.IP); err != nil {
			return err
		}
		if err := user.check(call, "geo_ip_list"); err != nil {
			return err
		}
	}
	if r.Location != nil {
		if err := r.Location.check(call, "location"); err != nil {
			return err
		}
	}
	for _, filter := range r.Filters {
		if err := checkFilter(call, filter.Field, filter.Type, filter.Values); err != nil {
			return err
		}
	}
	if r.WebhookURL != "" {
		if err := checkWebhook(call, "webhook_url", r.WebhookURL); err != nil {
			return err
		}
	}
	if err := checkEnvironment(call, "env_vars", r.Environment); err != nil {
		return err
	}
	return checkTags(call, r.Tags)
}

func checkFilter(call, field string, kind FilterType, values []string) error {
	switch {
	case field == "":
		return invalid(call, "filters", "filters: a filter names no field")
	case kind != MatchAny && kind != MatchAll && kind != MatchNot:
		return invalid(call, "filters", "filters: the type of the filter on %s is not any, all or not", field)
	case len(values) == 0:
		return invalid(call, "filters", "filters: the filter on %s has no values", field)
	}
	return nil
}

// DeployV1 starts a game server in the old way (POST /v1/deploy). What is said of Deploy holds here too.
//
// Deprecated: Edgegap deprecates it since 2026-04-24; use Deploy unless filters, a command or log storage are needed.
func (c *Client) DeployV1(ctx context.Context, request DeployV1Request) (DeployV1Result, error) {
	const name = "deploy (v1)"
	if err := request.check(name); err != nil {
		return DeployV1Result{}, err
	}
	var result DeployV1Result
	status, err := c.do(ctx, call{
		name: name, method: http.MethodPost, path: "/v1/deploy", body: request, class: classDeploy,
	}, &result)
	if err != nil {
		return DeployV1Result{}, unallocated(err)
	}
	if result.RequestID == "" {
		return DeployV1Result{}, noID(name, status)
	}
	return result, nil
}

// LogValue is the request in a log, without the values of its variables.
func (r DeployV1Request) LogValue() slog.Value {
	r.WebhookURL = hidden(r.WebhookURL)
	return slog.StringValue(fmt.Sprintf("%+v", r))
}
