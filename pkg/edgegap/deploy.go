package edgegap

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

const (
	// MaxTagLength is the longest name of a tag that all versions of the documentation allow.
	MaxTagLength = 20
	// MaxValueLength is the longest value of an environment variable, in bytes.
	MaxValueLength = 4096
	// MinUnits is the smallest number of CPU units and of MiB.
	MinUnits = 100
)

// DeployRequest asks for one game server.
type DeployRequest struct {
	// Application and Version name what is deployed. Both must exist and be active.
	Application string `json:"application"`
	Version     string `json:"version"`
	// Users are the players; their places decide where the server runs. At least one.
	Users []User `json:"users"`
	// Resources replace the version's; nil keeps those.
	Resources *Resources `json:"resources,omitempty"`
	// RequireCachedLocations takes only locations that hold the image already.
	RequireCachedLocations bool `json:"require_cached_locations,omitempty"`
	// Environment is set in the container; a variable replaces the version's of the same key.
	Environment []Variable `json:"environment_variables,omitempty"`
	// Tags are given to the deployment, each of at most MaxTagLength characters.
	Tags []string `json:"tags,omitempty"`
	// OnReady, OnError and OnTerminated are told about it: a POST of what Status answers, without a signature.
	OnReady      *Webhook `json:"webhook_on_ready,omitempty"`
	OnError      *Webhook `json:"webhook_on_error,omitempty"`
	OnTerminated *Webhook `json:"webhook_on_terminated,omitempty"`
}

// Resources are what one deployment gets.
type Resources struct {
	// CPUUnits are 1024 for a whole CPU; at least MinUnits.
	CPUUnits int `json:"cpu_units"`
	// MemoryMiB is at least MinUnits and at most twice the CPU units.
	MemoryMiB int `json:"memory_mib"`
}

// Webhook is an address that Edgegap calls. The URL often holds a secret: printing shows its host only.
type Webhook struct {
	URL string `json:"url"`
}

// Format prints the host only.
func (w Webhook) Format(f fmt.State, _ rune) {
	host := ""
	if parsed, err := url.Parse(w.URL); err == nil {
		host = parsed.Host
	}
	_, _ = fmt.Fprintf(f, "webhook at %s", host)
}

// LogValue is the host in a log.
func (w Webhook) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(w)) }

// Variable is an environment variable of a container. Values are not printed.
type Variable struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Hidden keeps the value from Edgegap's dashboard.
	Hidden bool `json:"is_hidden"`
}

// Format prints the key only.
func (v Variable) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%s=%s", v.Key, hidden(v.Value)) }

// LogValue is the key in a log.
func (v Variable) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }

// Coordinates are a place in degrees.
type Coordinates struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

func (c Coordinates) check(call, field string) error {
	if !(math.Abs(c.Latitude) <= 90) || !(math.Abs(c.Longitude) <= 180) {
		return invalid(call, field, "%s: a latitude is from -90 to 90 degrees, a longitude from -180 to 180", field)
	}
	return nil
}

// User is a player, by address or by place. Make one with UserAt or UserNear.
type User struct {
	// IP is the player's address; empty if Place is set.
	IP string
	// Place is where the player is; nil if IP is set.
	Place *Coordinates
}

// UserAt is a player at an IP address.
func UserAt(ip string) User { return User{IP: ip} }

// UserNear is a player at a place.
func UserNear(latitude, longitude float64) User {
	return User{Place: &Coordinates{Latitude: latitude, Longitude: longitude}}
}

// MarshalJSON writes the user as Edgegap wants it.
func (u User) MarshalJSON() ([]byte, error) {
	if u.Place != nil {
		return json.Marshal(map[string]any{"user_type": "geo_coordinates", "user_data": u.Place})
	}
	return json.Marshal(map[string]any{"user_type": "ip_address", "user_data": map[string]string{"ip_address": u.IP}})
}

func (u User) check(call string) error {
	switch {
	case (u.IP == "") == (u.Place == nil):
		return invalid(call, "users", "a user has either an IP address or a place")
	case u.Place != nil:
		return u.Place.check(call, "users")
	}
	return checkIP(call, "users", u.IP)
}

func checkIP(call, field, ip string) error {
	if _, err := netip.ParseAddr(ip); err != nil {
		return invalid(call, field, "%s: %.64q is not an IP address", field, ip)
	}
	return nil
}

// Check tells what is wrong with the request before it is sent, as an *Error of KindInvalid; Deploy does so itself.
func (r DeployRequest) Check() error { return r.check("deploy") }

func (r DeployRequest) check(call string) error {
	switch {
	case r.Application == "":
		return invalid(call, "application", "the application is not named")
	case r.Version == "":
		return invalid(call, "version", "the version is not named")
	case len(r.Users) == 0:
		return invalid(call, "users", "users are empty: name at least one, by IP address or place, for they decide the location")
	}
	for _, user := range r.Users {
		if err := user.check(call); err != nil {
			return err
		}
	}
	if r.Resources != nil {
		if err := checkUnits(call, "resources", r.Resources.CPUUnits, r.Resources.MemoryMiB); err != nil {
			return err
		}
	}
	for field, webhook := range map[string]*Webhook{
		"webhook_on_ready": r.OnReady, "webhook_on_error": r.OnError, "webhook_on_terminated": r.OnTerminated,
	} {
		if webhook == nil {
			continue
		}
		if err := checkWebhook(call, field, webhook.URL); err != nil {
			return err
		}
	}
	if err := checkEnvironment(call, "environment_variables", r.Environment); err != nil {
		return err
	}
	return checkTags(call, r.Tags)
}

func checkUnits(call, field string, cpu, memory int) error {
	switch {
	case cpu < MinUnits:
		return invalid(call, field, "%s: the CPU units are %d; give at least %d (1024 are one CPU)", field, cpu, MinUnits)
	case memory < MinUnits:
		return invalid(call, field, "%s: the memory is %d MiB; give at least %d", field, memory, MinUnits)
	case memory > 2*cpu:
		return invalid(call, field, "%s: %d MiB of memory are more than twice the %d CPU units", field, memory, cpu)
	}
	return nil
}

func checkWebhook(call, field, address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		return invalid(call, field, "%s: give an http or https URL", field)
	}
	return nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

func checkEnvironment(call, field string, variables []Variable) error {
	seen := map[string]bool{}
	for _, v := range variables {
		switch {
		case !variableName.MatchString(v.Key):
			return invalid(call, field, "%s: %.64q is not the name of a variable", field, v.Key)
		case strings.HasPrefix(v.Key, "ARBITRIUM_"):
			return invalid(call, field, "%s: %s is set by Edgegap itself; choose a name without ARBITRIUM_", field, v.Key)
		case seen[v.Key]:
			return invalid(call, field, "%s: %s is given twice", field, v.Key)
		case len(v.Value) > MaxValueLength:
			return invalid(call, field, "%s: the value of %s is longer than %d bytes", field, v.Key, MaxValueLength)
		}
		seen[v.Key] = true
	}
	return nil
}

func checkTags(call string, tags []string) error {
	for _, tag := range tags {
		if err := checkTag(call, "tags", tag); err != nil {
			return err
		}
	}
	return nil
}

// checkTag refuses what could not be asked for later: tags are part of paths, and joined with commas for the container.
func checkTag(call, field, tag string) error {
	if tag == "" || len([]rune(tag)) > MaxTagLength || strings.ContainsAny(tag, ",/") || strings.ContainsFunc(tag, control) {
		return invalid(call, field, "%s: %.64q is not a tag; use 1 to %d characters without comma and slash",
			field, tag, MaxTagLength)
	}
	return nil
}

// Deploy starts a game server (POST /v2/deployments) and gives its request id; it is READY later. A deploy whose
// outcome is not known is never repeated: MayHaveHappened tells, and a tag of your own finds what was started. With
// KindUnallocated a deployment in ERROR exists, whose id is in the error.
func (c *Client) Deploy(ctx context.Context, request DeployRequest) (string, error) {
	const name = "deploy"
	if err := request.check(name); err != nil {
		return "", err
	}
	return c.deploy(ctx, name, "/v2/deployments", request)
}

func (c *Client) deploy(ctx context.Context, name, target string, body any) (string, error) {
	var answer struct {
		RequestID string `json:"request_id"`
	}
	status, err := c.do(ctx, call{name: name, method: http.MethodPost, path: target, body: body, class: classDeploy}, &answer)
	if err != nil {
		return "", unallocated(err)
	}
	if answer.RequestID == "" {
		return "", noID(name, status)
	}
	return answer.RequestID, nil
}

// unallocated marks the 422 that left a deployment behind.
func unallocated(err error) error {
	var e *Error
	if asError(err, &e) && e.Status == http.StatusUnprocessableEntity && e.RequestID != "" {
		e.Kind, e.MayHaveHappened = KindUnallocated, true
	}
	return err
}

// noID is the answer to a deploy that names no deployment: one may run.
func noID(name string, status int) error {
	return &Error{
		Call: name, Kind: KindUnavailable, Status: status, Field: "request_id",
		Message: "the answer names no request_id", MayHaveHappened: true,
	}
}

// LogValue is the request in a log, without the values of its variables.
func (r DeployRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", r)) }
