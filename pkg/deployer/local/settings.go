package local

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// prefix is what the deployment properties of this platform begin with.
const prefix = deployer.PropertyPrefix + "local."

// Settings are the properties of an account; deployment properties of an application override them.
type Settings struct {
	WorkingDirectoriesRoot   string
	DeleteFilesOnExit        bool // log files go when the application is undeployed
	EnvVarsToInherit         []string
	JavaCmd                  string
	JavaHomePath             map[string]string // by major version of Spring Boot
	JavaOpts                 string
	ShutdownTimeout          int // seconds between SIGTERM and SIGKILL; below 1: the default
	UseSpringApplicationJSON bool
	PortLow, PortHigh        int // ports from low to below high
	DebugAddress             string
	DebugPort                int
	DebugSuspend             string
	InheritLogging           bool
	Hostname                 string // in URLs; empty: the address of this machine's name
	AdminUser, AdminPassword string
	StartupProbePath         string
	HealthProbePath          string
	LimitMemory, LimitCPU    string // of each instance, as 512m and 1.5 or 500m; empty: none. They need cgroups
	Care
}

// Care are the settings that count while an application runs.
type Care struct {
	RestartPolicy string `json:"restartPolicy,omitempty"` // never, on-failure or always; see the constants
	RestartDelay  int    `json:"restartDelay,omitempty"`  // seconds before the first restart; doubles up to a minute
	OnLost        string `json:"onLost,omitempty"`        // report or restart; empty: as the restart policy says
	OnServerExit  string `json:"onServerExit,omitempty"`  // leave or stop
	LogMaxSize    int    `json:"logMaxSize,omitempty"`    // megabytes of a log file before it is put aside; 0: never
	LogMaxFiles   int    `json:"logMaxFiles,omitempty"`   // of those put aside, how many are kept
}

// Values of settings.
const (
	RestartNever     = "never"      // an instance that ended has failed, as in the reference
	RestartOnFailure = "on-failure" // it starts again unless it ended with code 0
	RestartAlways    = "always"

	LostReport  = "report"  // what ended while no server watched has failed
	LostRestart = "restart" // it starts again

	ExitLeave = "leave" // applications outlive the server
	ExitStop  = "stop"  // an orderly end of the server stops them; one that is killed leaves them
)

const defaultShutdownTimeout = 30

// DefaultSettings are those of an account without properties; root is where working directories go.
func DefaultSettings(root string) Settings {
	return Settings{
		WorkingDirectoriesRoot: root, DeleteFilesOnExit: true,
		EnvVarsToInherit: []string{"TMP", "LANG", "LANGUAGE", "LC_.*", "PATH", "SPRING_APPLICATION_JSON"},
		JavaCmd:          "java", ShutdownTimeout: defaultShutdownTimeout, UseSpringApplicationJSON: true,
		PortLow: 20000, PortHigh: 61000, DebugSuspend: "y",
		Care: Care{
			RestartPolicy: RestartNever, RestartDelay: 1, OnServerExit: ExitLeave, LogMaxSize: 16, LogMaxFiles: 4,
		},
	}
}

// Bind gives the settings with properties laid over them. Names are Spring's, without prefix, in any of its spellings
// (debug-port, debugPort); those it does not know are none of its business. ErrInvalid names every value it cannot read.
func (s Settings) Bind(properties map[string]string) (Settings, error) {
	s.JavaHomePath = maps.Clone(s.JavaHomePath)
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if err := s.set(relaxed(name), properties[name]); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return s, join(problems)
}

func relaxed(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

func (s *Settings) set(name, value string) error {
	texts := map[string]*string{
		"workingdirectoriesroot": &s.WorkingDirectoriesRoot, "javacmd": &s.JavaCmd, "javaopts": &s.JavaOpts,
		"debugaddress": &s.DebugAddress, "debugsuspend": &s.DebugSuspend, "hostname": &s.Hostname,
		"appadmin.user": &s.AdminUser, "appadmin.password": &s.AdminPassword,
		"startupprobe.path": &s.StartupProbePath, "healthprobe.path": &s.HealthProbePath,
		"restartpolicy": &s.RestartPolicy, "onlost": &s.OnLost, "onserverexit": &s.OnServerExit,
		"limits.memory": &s.LimitMemory, "limits.cpu": &s.LimitCPU,
	}
	numbers := map[string]*int{
		"shutdowntimeout": &s.ShutdownTimeout, "portrange.low": &s.PortLow, "portrange.high": &s.PortHigh,
		"debugport": &s.DebugPort, "restartdelay": &s.RestartDelay, "logmaxfiles": &s.LogMaxFiles,
	}
	switches := map[string]*bool{
		"deletefilesonexit": &s.DeleteFilesOnExit, "usespringapplicationjson": &s.UseSpringApplicationJSON,
		"inheritlogging": &s.InheritLogging,
	}
	var err error
	if text, ok := texts[name]; ok {
		*text = value
	} else if number, ok := numbers[name]; ok {
		if *number, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("a number is due, found %q", value)
		}
	} else if on, ok := switches[name]; ok {
		if *on, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("true or false is due, found %q", value)
		}
	} else if version, ok := strings.CutPrefix(name, "javahomepath."); ok {
		if s.JavaHomePath == nil {
			s.JavaHomePath = map[string]string{}
		}
		s.JavaHomePath[version] = value
	} else if name == "logmaxsize" {
		s.LogMaxSize, err = deployer.Megabytes(value)
	} else if name == "envvarstoinherit" {
		s.EnvVarsToInherit = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		_, err = s.inherits()
	}
	return err
}

// inherits makes one expression of the names of variables to inherit; each matches a whole name.
func (s *Settings) inherits() (*regexp.Regexp, error) {
	return regexp.Compile(`^(?:` + strings.Join(s.EnvVarsToInherit, "|") + `)$`)
}

// check finds values that are out of their range.
func (s *Settings) check() []error {
	var problems []error
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"restart-policy", s.RestartPolicy, []string{RestartNever, RestartOnFailure, RestartAlways}},
		{"on-lost", s.OnLost, []string{"", LostReport, LostRestart}},
		{"on-server-exit", s.OnServerExit, []string{ExitLeave, ExitStop}},
		{"debug-suspend", s.DebugSuspend, []string{"y", "n"}},
	} {
		if !slices.Contains(c.allowed, c.value) {
			problems = append(problems, fmt.Errorf("%s is %q; one of %s is due", c.name, c.value,
				strings.TrimPrefix(strings.Join(c.allowed, ", "), ", ")))
		}
	}
	for _, c := range []struct {
		name       string
		value, low int
	}{
		{"shutdown-timeout", s.ShutdownTimeout, -1}, {"restart-delay", s.RestartDelay, 0}, {"log-max-files", s.LogMaxFiles, 0},
	} {
		if c.value < c.low || c.value > maxSetting {
			problems = append(problems, fmt.Errorf("%s is %d; a number from %d to %d is due", c.name, c.value, c.low, maxSetting))
		}
	}
	if s.PortLow < 1 || s.PortHigh > 1<<16 || s.PortLow >= s.PortHigh {
		problems = append(problems, fmt.Errorf(
			"port-range: low must be above 0 and below high, found { low=%d, high=%d }", s.PortLow, s.PortHigh))
	}
	if _, err := s.limits(); err != nil {
		problems = append(problems, err)
	}
	return problems
}

const maxSetting = 1_000_000

// settings are those of the account with the deployment properties of a request over them.
func (d *Deployer) settings(r deployer.Request) (Settings, error) {
	own := map[string]string{}
	for name, value := range r.Deployment {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			own[rest] = value
		}
	}
	return d.Settings.Bind(own)
}
