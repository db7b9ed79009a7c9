package edgegap

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
)

const (
	// MinTimeToDeploy is the shortest time for pulling an image, in seconds.
	MinTimeToDeploy = 15
	// MaxDurationMinutes is the longest life in the cloud, and the default.
	MaxDurationMinutes = 1440
	maxPort            = 59999
)

// RestartPolicy says what follows when the process in a container ends.
type RestartPolicy string

// What follows the end of a process.
const (
	// RestartAlways starts it again; the default.
	RestartAlways RestartPolicy = "always"
	// RestartNever ends the deployment.
	RestartNever RestartPolicy = "never"
	// RestartOnFailure starts it again unless it ended with 0.
	RestartOnFailure RestartPolicy = "on_failure"
)

// VersionPort is a port of a container.
type VersionPort struct {
	// Port is the number, at most 59999; 0 maps a port to the same number outside, and needs a name.
	Port int `json:"port"`
	// Protocol is TCP, UDP, TCP/UDP, HTTP, HTTPS, WS or WSS.
	Protocol string `json:"protocol"`
	// Check makes READY wait until the port answers; not for UDP.
	Check bool `json:"to_check"`
	// TLSUpgrade ends TLS before the port; for HTTP and WS.
	TLSUpgrade bool `json:"tls_upgrade"`
	// Name is the key in Deployment.Ports; the number if empty.
	Name string `json:"name,omitempty"`
}

// VersionSpec is a version to be made. Fields that are empty are left to Edgegap's defaults.
type VersionSpec struct {
	// Name is of 1 to 64 characters.
	Name string `json:"name"`
	// Registry is the host the image comes from, as docker.io or registry.edgegap.com.
	Registry string `json:"docker_repository"`
	// Image is its path there, as my-org/my-game.
	Image string `json:"docker_image"`
	// Tag is the image's. Edgegap caches images by tag: never use one twice.
	Tag string `json:"docker_tag"`
	// CPUUnits are 1024 for a whole CPU; at least MinUnits.
	CPUUnits int `json:"req_cpu"`
	// MemoryMB is at least MinUnits and at most twice the CPU units.
	MemoryMB int `json:"req_memory"`
	// GPUUnits are 0 for none.
	GPUUnits int `json:"req_video,omitempty"`
	// Username and Password log in to the registry.
	Username string `json:"private_username,omitempty"`
	Password Secret `json:"private_token,omitempty"`
	// Active versions can be deployed; nil is true.
	Active *bool `json:"is_active,omitempty"`
	// VerifyImage refuses an image that cannot be pulled (KindImage).
	VerifyImage bool `json:"verify_image,omitempty"`
	// ForceCache loads the image everywhere beforehand.
	ForceCache bool `json:"force_cache,omitempty"`
	// TimeToDeploySeconds bounds the pull, at least MinTimeToDeploy; 0 leaves it to Edgegap.
	TimeToDeploySeconds int `json:"time_to_deploy,omitempty"`
	// MaxDurationMinutes is the life of a deployment, at most MaxDurationMinutes, -1 for no end; nil is a day.
	MaxDurationMinutes *int `json:"max_duration,omitempty"`
	// RestartPolicy says what follows when the process ends; RestartAlways if empty.
	RestartPolicy RestartPolicy `json:"restart_policy,omitempty"`
	// GraceSeconds are between SIGTERM and the end, 5 to 3600; 0 leaves it to Edgegap.
	GraceSeconds int `json:"termination_grace_period_seconds,omitempty"`
	// MainlandChina is for images that are deployed there.
	MainlandChina bool `json:"will_deploy_in_mainland_china,omitempty"`
	// DNSConfig names a DNS configuration of the dashboard.
	DNSConfig string `json:"dns_config,omitempty"`
	// EndpointStorage names where logs are kept.
	EndpointStorage string `json:"endpoint_storage,omitempty"`
	// Ports are those the container listens on.
	Ports []VersionPort `json:"ports,omitempty"`
	// Environment is set in every container.
	Environment []Variable `json:"envs,omitempty"`
}

// Version is what can be deployed: an image and how it is run. The registry's password, and values of hidden
// variables, are not kept from answers.
type Version struct {
	Name                string        `json:"name"`
	Registry            string        `json:"docker_repository"`
	Image               string        `json:"docker_image"`
	Tag                 string        `json:"docker_tag"`
	CPUUnits            Integer       `json:"req_cpu"`
	MemoryMB            Integer       `json:"req_memory"`
	GPUUnits            Integer       `json:"req_video"`
	Username            string        `json:"private_username"`
	Active              bool          `json:"is_active"`
	VerifyImage         bool          `json:"verify_image"`
	ForceCache          bool          `json:"force_cache"`
	TimeToDeploySeconds Integer       `json:"time_to_deploy"`
	MaxDurationMinutes  Integer       `json:"max_duration"`
	RestartPolicy       RestartPolicy `json:"restart_policy"`
	GraceSeconds        Integer       `json:"termination_grace_period_seconds"`
	MainlandChina       bool          `json:"will_deploy_in_mainland_china"`
	DNSConfig           string        `json:"dns_config"`
	EndpointStorage     string        `json:"endpoint_storage"`
	// CachingPercent is how much of the world holds the image, from 0 to 1; above 0.8 is good.
	CachingPercent float64       `json:"caching_percent"`
	Ports          []VersionPort `json:"ports"`
	Environment    []Variable    `json:"envs"`
	CreatedAt      Time          `json:"create_time"`
	UpdatedAt      Time          `json:"last_updated"`
}

// UnmarshalJSON reads a version and forgets the values of hidden variables.
func (v *Version) UnmarshalJSON(data []byte) error {
	type plain Version
	if err := json.Unmarshal(data, (*plain)(v)); err != nil {
		return err
	}
	for i := range v.Environment {
		if v.Environment[i].Hidden {
			v.Environment[i].Value = ""
		}
	}
	return nil
}

// VersionChange changes what is not nil. Whether running deployments follow is not clear from Edgegap's documentation:
// do not change a version in use, make another.
type VersionChange struct {
	Name                *string        `json:"name,omitempty"`
	Registry            *string        `json:"docker_repository,omitempty"`
	Image               *string        `json:"docker_image,omitempty"`
	Tag                 *string        `json:"docker_tag,omitempty"`
	CPUUnits            *int           `json:"req_cpu,omitempty"`
	MemoryMB            *int           `json:"req_memory,omitempty"`
	GPUUnits            *int           `json:"req_video,omitempty"`
	Username            *string        `json:"private_username,omitempty"`
	Password            *Secret        `json:"private_token,omitempty"`
	Active              *bool          `json:"is_active,omitempty"`
	VerifyImage         *bool          `json:"verify_image,omitempty"`
	ForceCache          *bool          `json:"force_cache,omitempty"`
	TimeToDeploySeconds *int           `json:"time_to_deploy,omitempty"`
	MaxDurationMinutes  *int           `json:"max_duration,omitempty"`
	RestartPolicy       *RestartPolicy `json:"restart_policy,omitempty"`
	GraceSeconds        *int           `json:"termination_grace_period_seconds,omitempty"`
	MainlandChina       *bool          `json:"will_deploy_in_mainland_china,omitempty"`
	DNSConfig           *string        `json:"dns_config,omitempty"`
	EndpointStorage     *string        `json:"endpoint_storage,omitempty"`
	Ports               *[]VersionPort `json:"ports,omitempty"`
	Environment         *[]Variable    `json:"envs,omitempty"`
}

// Check tells what is wrong with the version before it is sent; CreateVersion does so itself.
func (s VersionSpec) Check() error { return s.check("create version") }

func (s VersionSpec) check(call string) error {
	if err := checkName(call, "name", s.Name, 1); err != nil {
		return err
	}
	for _, part := range []struct{ field, value, what string }{
		{"docker_repository", s.Registry, "host of the registry"},
		{"docker_image", s.Image, "path of the image"},
		{"docker_tag", s.Tag, "tag of the image"},
	} {
		if part.value == "" {
			return invalid(call, part.field, "%s is empty; give the %s", part.field, part.what)
		}
	}
	if err := checkUnits(call, "req_memory", s.CPUUnits, s.MemoryMB); err != nil {
		return err
	}
	if s.TimeToDeploySeconds != 0 && s.TimeToDeploySeconds < MinTimeToDeploy {
		return invalid(call, "time_to_deploy", "time_to_deploy is %d seconds; give at least %d", s.TimeToDeploySeconds, MinTimeToDeploy)
	}
	if s.MaxDurationMinutes != nil && (*s.MaxDurationMinutes < -1 || *s.MaxDurationMinutes > MaxDurationMinutes) {
		return invalid(call, "max_duration", "max_duration is %d minutes; give at most %d, or -1 for no end",
			*s.MaxDurationMinutes, MaxDurationMinutes)
	}
	if s.GraceSeconds != 0 && (s.GraceSeconds < 5 || s.GraceSeconds > 3600) {
		return invalid(call, "termination_grace_period_seconds",
			"termination_grace_period_seconds is %d; give 5 to 3600", s.GraceSeconds)
	}
	if s.GPUUnits < 0 {
		return invalid(call, "req_video", "req_video is negative")
	}
	if err := checkPorts(call, s.Ports); err != nil {
		return err
	}
	return checkEnvironment(call, "envs", s.Environment)
}

func checkPorts(call string, ports []VersionPort) error {
	for _, port := range ports {
		switch port.Protocol {
		case "TCP", "UDP", "TCP/UDP", "HTTP", "HTTPS", "WS", "WSS":
		default:
			return invalid(call, "ports", "ports: %.16q is not a protocol; use TCP, UDP, TCP/UDP, HTTP, HTTPS, WS or WSS", port.Protocol)
		}
		switch {
		case port.Port < 0 || port.Port > maxPort:
			return invalid(call, "ports", "ports: %d is not from 0 to %d", port.Port, maxPort)
		case port.Port == 0 && port.Name == "":
			return invalid(call, "ports", "ports: port 0 needs a name")
		case port.TLSUpgrade && port.Protocol != "HTTP" && port.Protocol != "WS":
			return invalid(call, "ports", "ports: tls_upgrade is for HTTP and WS, not for %s", port.Protocol)
		}
	}
	return nil
}

func versionPath(call, application, version string) (string, error) {
	return applicationPath(call, application, fixed("/version"), named("app_version", version))
}

// versionAnswer is what writing a version answers.
type versionAnswer struct {
	Version Version `json:"version"`
}

// CreateVersion makes a version of an application (POST /v1/app/{app_name}/version). A name that is taken is
// KindConflict; with VerifyImage an image that cannot be pulled is KindImage.
func (c *Client) CreateVersion(ctx context.Context, application string, spec VersionSpec) (Version, error) {
	const name = "create version"
	target, err := applicationPath(name, application, fixed("/version"))
	if err != nil {
		return Version{}, err
	}
	if err := spec.check(name); err != nil {
		return Version{}, err
	}
	var answer versionAnswer
	_, err = c.do(ctx, call{name: name, method: http.MethodPost, path: target, body: spec, class: classOther}, &answer)
	return answer.Version, hide(err, spec.Password)
}

// Version reads a version (GET /v1/app/{app_name}/version/{version}).
func (c *Client) Version(ctx context.Context, application, version string) (Version, error) {
	const name = "read version"
	target, err := versionPath(name, application, version)
	if err != nil {
		return Version{}, err
	}
	var got Version
	_, err = c.do(ctx, call{name: name, method: http.MethodGet, path: target, class: classOther, repeat: true}, &got)
	return got, err
}

func versionList(application string) (list, error) {
	const name = "list versions"
	target, err := applicationPath(name, application, fixed("/versions"))
	return list{name: name, path: target, key: "versions", class: classOther}, err
}

// ListVersions gives a page of an application's versions (GET /v1/app/{app_name}/versions).
func (c *Client) ListVersions(ctx context.Context, application string, paging Paging) (Page[Version], error) {
	l, err := versionList(application)
	if err != nil {
		return Page[Version]{}, err
	}
	return pageOf[Version](ctx, c, l, paging)
}

// Versions walks all pages of ListVersions.
func (c *Client) Versions(ctx context.Context, application string) iter.Seq2[Version, error] {
	l, err := versionList(application)
	if err != nil {
		return func(yield func(Version, error) bool) { yield(Version{}, err) }
	}
	return all(ctx, c, l, func(v Version) string { return v.Name })
}

// UpdateVersion changes a version (PATCH /v1/app/{app_name}/version/{version}).
func (c *Client) UpdateVersion(ctx context.Context, application, version string, change VersionChange) (Version, error) {
	const name = "update version"
	target, err := versionPath(name, application, version)
	if err != nil {
		return Version{}, err
	}
	if change.Ports != nil {
		if err := checkPorts(name, *change.Ports); err != nil {
			return Version{}, err
		}
	}
	var answer versionAnswer
	_, err = c.do(ctx, call{
		name: name, method: http.MethodPatch, path: target, body: change, class: classOther, repeat: change.Name == nil,
	}, &answer)
	if change.Password != nil {
		err = hide(err, *change.Password)
	}
	return answer.Version, err
}

// DeleteVersion deletes a version (DELETE /v1/app/{app_name}/version/{version}). Whether Edgegap refuses it for one
// with deployments is not documented.
func (c *Client) DeleteVersion(ctx context.Context, application, version string) error {
	const name = "delete version"
	target, err := versionPath(name, application, version)
	if err != nil {
		return err
	}
	return c.remove(ctx, name, target)
}

// LogValue is the version in a log, without the password and the values of its variables.
func (s VersionSpec) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", s)) }

// LogValue is the change in a log: nothing of its values.
func (c VersionChange) LogValue() slog.Value { return slog.StringValue("change of a version") }
