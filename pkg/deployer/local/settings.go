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
}

const defaultShutdownTimeout = 30

// DefaultSettings are those of an account without properties; root is where working directories go.
func DefaultSettings(root string) Settings {
	return Settings{
		WorkingDirectoriesRoot: root, DeleteFilesOnExit: true,
		EnvVarsToInherit: []string{"TMP", "LANG", "LANGUAGE", "LC_.*", "PATH", "SPRING_APPLICATION_JSON"},
		JavaCmd:          "java", ShutdownTimeout: defaultShutdownTimeout, UseSpringApplicationJSON: true,
		PortLow: 20000, PortHigh: 61000, DebugSuspend: "y",
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
	}
	numbers := map[string]*int{
		"shutdowntimeout": &s.ShutdownTimeout, "portrange.low": &s.PortLow, "portrange.high": &s.PortHigh,
		"debugport": &s.DebugPort,
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
