package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Config is the configuration in force. A field's key is made of the names in the tags, joined with dots.
// Durations are written as 5s, 2m or 1h30m; a bare number means seconds, below maven milliseconds.
type Config struct {
	Server       Server                `koanf:"server"`
	Host         Host                  `koanf:"host"`
	Data         Data                  `koanf:"data"`
	Database     Database              `koanf:"database"`
	Log          Log                   `koanf:"log"`
	HealthCheck  HealthCheck           `koanf:"healthcheck"`
	Operation    Operation             `koanf:"operation"`
	Orphans      Orphans               `koanf:"orphans"`
	Platform     Platform              `koanf:"platform"`
	Repositories map[string]Repository `koanf:"repositories"` // by name; see Repository
	Catalog      Catalog               `koanf:"catalog"`
	Resource     Resource              `koanf:"resource"`
	Maven        Maven                 `koanf:"maven"`
	Hypermedia   Hypermedia            `koanf:"hypermedia"`

	// Sources tells where each value came from, by key; what is not in it is a default.
	Sources map[string]string `koanf:"-"`
}

// Server says where the API is served.
type Server struct {
	Address string `koanf:"address"` // IP or host name to listen on; default 127.0.0.1, this machine only
	Port    int    `koanf:"port"`    // TCP port; default 7577; 0 takes a free one

	// StopDelay is how long a server that was told to stop goes on answering, while /actuator/health/readiness says no,
	// so that load balancers take it out first; default 0s, at most 5s.
	StopDelay time.Duration `koanf:"stop-delay"`

	// TrustedProxies are addresses or networks (10.0.0.0/8) whose headers Forwarded and X-Forwarded-Proto, -Host, -Port
	// and -Prefix say which URL was asked for; default: none.
	TrustedProxies []string `koanf:"trusted-proxies"`
	// ForwardHeadersStrategy is Spring's setting: native and framework trust this machine and private networks too;
	// default none.
	ForwardHeadersStrategy string `koanf:"forward-headers-strategy"`
}

// Host says which machine this is.
type Host struct {
	// ID tells this machine from others with a server on the same database; local accounts belong to the machine that
	// used them first. It must stay the same when the server moves with its applications; default: the host name.
	ID string `koanf:"id"`
}

// Data says where files are kept.
type Data struct {
	Dir string `koanf:"dir"` // made when missing; default ./skiff-data
}

// Database says where state is kept.
type Database struct {
	URL Secret `koanf:"url"` // postgres://user:password@host:5432/name; default empty: SQLite in data.dir
}

// Log says what is logged, and how.
type Log struct {
	Level  string `koanf:"level"`  // debug, info, warn or error; default info
	Format string `koanf:"format"` // text or json; default text
}

// HealthCheck paces the wait for new applications.
type HealthCheck struct {
	Period  time.Duration `koanf:"period"`  // time between two looks; default 5s, from 10ms
	Timeout time.Duration `koanf:"timeout"` // time new applications have to become healthy; default 5m
}

// Operation limits the steps of an operation.
type Operation struct {
	DeployTimeout time.Duration `koanf:"deploy-timeout"` // for handing the applications to the platform; default 5m
	UndoTimeout   time.Duration `koanf:"undo-timeout"`   // for removing what a failed operation left; default 60s
	QueueTimeout  time.Duration `koanf:"queue-timeout"`  // for a queued operation to begin; default 10m
	Lease         time.Duration `koanf:"lease"`          // after it a dead server's operations are taken over; default 10s
}

// Orphans says how the server looks for applications that carry its mark and belong to no release.
type Orphans struct {
	Period time.Duration `koanf:"period"` // time between two looks, the first one at the start; default 10m
	Remove bool          `koanf:"remove"` // what is found is removed; default false: it is listed, and a warning is logged
}

// Platform holds the accounts that releases can be deployed to.
type Platform struct {
	Local      Local      `koanf:"local"`
	Docker     Docker     `koanf:"docker"`
	Edgegap    Edgegap    `koanf:"edgegap"`
	Kubernetes Kubernetes `koanf:"kubernetes"`
}

// Kubernetes holds the accounts that run applications on clusters, one namespace each; none unless configured.
type Kubernetes struct {
	// Accounts have, by name, the deployment properties of pkg/deployer/kubernetes without their prefix, for applications
	// that do not have them, and how the cluster is reached: kubeconfig, context, namespace, fabric8.*, qps, burst.
	Accounts map[string]Properties `koanf:"accounts"`
}

// Local holds the accounts that run processes on this machine.
type Local struct {
	Accounts map[string]LocalAccount `koanf:"accounts"` // by name; one named default when none is configured
}

// LocalAccount says how one account runs processes. Each of its keys is also a deployment property of one application.
type LocalAccount struct {
	// WorkingDirectoriesRoot holds a folder per application; default apps/<account> in data.dir.
	WorkingDirectoriesRoot string `koanf:"working-directories-root"`
	// DeleteFilesOnExit deletes an application's folder when it is undeployed; default true.
	DeleteFilesOnExit bool `koanf:"delete-files-on-exit"`
	// EnvVarsToInherit are regular expressions for whole names of the server's variables that applications get too;
	// default TMP, LANG, LANGUAGE, LC_.*, PATH, SPRING_APPLICATION_JSON.
	EnvVarsToInherit []string `koanf:"env-vars-to-inherit"`
	// JavaCmd is the program that runs a jar; default java.
	JavaCmd string `koanf:"java-cmd"`
	// JavaOpts are options for JavaCmd, separated by spaces.
	JavaOpts string `koanf:"java-opts"`
	// JavaHomePath is the Java home by major version of Spring Boot, 2 or 3.
	JavaHomePath map[string]string `koanf:"java-home-path"`
	// ShutdownTimeout is the time an application has to end before it is killed; default 30s, also for 0 and -1.
	ShutdownTimeout time.Duration `koanf:"shutdown-timeout"`
	// UseSpringApplicationJSON passes properties in one variable, SPRING_APPLICATION_JSON; default true.
	UseSpringApplicationJSON bool `koanf:"use-spring-application-json"`
	// PortRange is where the ports of applications are taken from.
	PortRange PortRange `koanf:"port-range"`
	// Hostname is the host in an application's URL; default: the deployer's choice.
	Hostname string `koanf:"hostname"`
	// DebugPort is the Java debugger's port, to which an instance adds its index; default 0: no debugger.
	DebugPort int `koanf:"debug-port"`
	// DebugAddress is host:port, *:port or port of the Java debugger; it beats DebugPort.
	DebugAddress string `koanf:"debug-address"`
	// DebugSuspend lets an application wait for its debugger, y or n; default y.
	DebugSuspend bool `koanf:"debug-suspend"`
	// InheritLogging lets applications write to the server's own output instead of files; default false.
	InheritLogging bool `koanf:"inherit-logging"`
	// AppAdmin is the user for the management endpoints of applications.
	AppAdmin AppAdmin `koanf:"app-admin"`
	// StartupProbe must have answered once before an application counts as deployed.
	StartupProbe Probe `koanf:"startup-probe"`
	// HealthProbe must answer for as long as an application runs.
	HealthProbe Probe `koanf:"health-probe"`
	// Docker says how applications with docker: resources run.
	Docker LocalDocker `koanf:"docker"`
	// RestartPolicy starts instances again that have ended: never, on-failure or always; default never.
	RestartPolicy string `koanf:"restart-policy"`
	// RestartDelay is the time before the first restart, which doubles up to a minute; default 1s.
	RestartDelay time.Duration `koanf:"restart-delay"`
	// OnLost is what becomes of an instance that ended while no server watched: report or restart; default: as the
	// restart policy says.
	OnLost string `koanf:"on-lost"`
	// OnServerExit is what an orderly end of the server does to applications: leave or stop; default leave.
	OnServerExit string `koanf:"on-server-exit"`
	// LogMaxSize is the size of a log file above which it is put aside, as 16m or 1g; default 16m, 0: never.
	LogMaxSize string `koanf:"log-max-size"`
	// LogMaxFiles is how many of those are kept of each stream of an instance; default 4.
	LogMaxFiles int `koanf:"log-max-files"`
	// Limits are what one instance may use at most.
	Limits Limits `koanf:"limits"`
}

// Limits of an instance hold only where control groups are delegated to the server; its status says so otherwise.
type Limits struct {
	Memory string `koanf:"memory"` // as 512m or 1g; default: none
	CPU    string `koanf:"cpu"`    // cores as 1.5 or 500m; default: none
}

// PortRange bounds the ports given to applications: from low to below high.
type PortRange struct {
	Low  int `koanf:"low"`  // default 20000
	High int `koanf:"high"` // default 61000
}

// AppAdmin is the user that may ask an application's management endpoints.
type AppAdmin struct {
	User     string `koanf:"user"`
	Password Secret `koanf:"password"`
}

// Probe is an HTTP path of an application that answers 2xx when all is well; empty: not asked.
type Probe struct {
	Path string `koanf:"path"` // begins with /
}

// Repository is a package repository to be known from the start. One named local, for uploads, is there unless another
// one is local.
type Repository struct {
	URL         string `koanf:"url"`        // where index.yml is; of a local one: this server
	SourceURL   string `koanf:"source-url"` // where the packages' sources are, for people
	Local       bool   `koanf:"local"`      // packages may be uploaded to it; default false
	Description string `koanf:"description"`
	RepoOrder   *int   `koanf:"repo-order"` // the higher number wins; nil when not given
}

// Catalog says how the indexes of remote package repositories are read.
type Catalog struct {
	Synchronize bool          `koanf:"synchronize"` // read them at all; default true
	Refresh     time.Duration `koanf:"refresh"`     // time between two looks at them; default 10m; 0: only at the start
}

// Hypermedia chooses the form of links.
type Hypermedia struct {
	LinksArray bool `koanf:"links-array"` // links as an array, as Skipper's guide shows them; default false: _links
}

// Secret is text that prints as asterisks; convert it to string to use it.
type Secret string

const mask = "******"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString hides the secret.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Default is the configuration when nothing is set, but for accounts and repositories.
func Default() Config {
	return Config{
		Server:      Server{Address: "127.0.0.1", Port: 7577},
		Data:        Data{Dir: "./skiff-data"},
		Log:         Log{Level: "info", Format: "text"},
		HealthCheck: HealthCheck{Period: 5 * time.Second, Timeout: 5 * time.Minute},
		Catalog:     Catalog{Synchronize: true, Refresh: 10 * time.Minute},
		Orphans:     Orphans{Period: 10 * time.Minute},
		Resource:    Resource{MaxSize: 2 << 30, CacheSize: 10 << 30},
		Maven:       defaultMaven(),
		Operation:   Operation{DeployTimeout: 5 * time.Minute, UndoTimeout: time.Minute, QueueTimeout: 10 * time.Minute, Lease: 10 * time.Second},
	}
}

const defaultShutdownTimeout = 30 * time.Second

// defaultLocalAccount is what a named account starts from; its working directory follows from data.dir.
func defaultLocalAccount() LocalAccount {
	return LocalAccount{
		DeleteFilesOnExit:        true,
		EnvVarsToInherit:         []string{"TMP", "LANG", "LANGUAGE", "LC_.*", "PATH", "SPRING_APPLICATION_JSON"},
		JavaCmd:                  "java",
		ShutdownTimeout:          defaultShutdownTimeout,
		UseSpringApplicationJSON: true,
		PortRange:                PortRange{Low: 20000, High: 61000},
		DebugSuspend:             true,
		Docker:                   defaultLocalDocker(),
		RestartPolicy:            "never",
		RestartDelay:             time.Second,
		OnServerExit:             "leave",
		LogMaxSize:               "16m",
		LogMaxFiles:              4,
	}
}

// defaultLocalRepository is what the repository local starts from; its URL follows from server.port.
func defaultLocalRepository() Repository {
	return Repository{Local: true, Description: "Default local database backed repository", RepoOrder: new(1)}
}

// String lists every key with its value and where that came from, one a line, secrets masked.
func (c Config) String() string {
	values := leaves(reflect.ValueOf(c), nil)
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(values)) {
		key := display(strings.Split(path, delimiter))
		source := c.Sources[key]
		if source == "" {
			source = "default"
		}
		fmt.Fprintf(&b, "%s: %v (%s)\n", key, values[path], source)
	}
	return b.String()
}
