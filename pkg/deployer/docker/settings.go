package docker

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// prefix is what the deployment properties of this platform begin with.
const prefix = deployer.PropertyPrefix + "docker."

// nameKey is where the reference looks for the name of containers, on any platform.
const nameKey = prefix + "container.name"

// Settings are the properties of an account; deployment properties of an application override them.
type Settings struct {
	Network         string   // empty: the engine's own choice
	VolumeMounts    []string // source:target[:options] as docker run takes them
	PortMappings    []string // [[address:]port:]port[/protocol], beside the port of server.port
	AdditionalHosts []string // name:address
	ContainerName   string   // an instance adds -<index>; empty: <group>.<name>
	// DeleteContainerOnExit removes containers when they are undeployed; else they are stopped, renamed and kept.
	DeleteContainerOnExit bool
	PublishAddress        string // of the engine's machine; empty: the loopback address when that is this one, else all
	PortLow, PortHigh     int    // ports from low to below high are published; 0: any that the engine has
	// SamePort lets an application listen on the very port that is published, as the reference does.
	SamePort                 bool
	RestartPolicy            string // never, on-failure[:times], always
	ImagePullPolicy          string // always, if-not-present, never
	UseSpringApplicationJSON bool
	ShutdownTimeout          int    // seconds between SIGTERM and SIGKILL; below 1: the default
	Hostname                 string // in URLs; empty: where the container is reached
	StartupProbePath         string
	HealthProbePath          string
	AdminUser, AdminPassword string
	// JavaDebug gives the option for a debugger of one instance, and its port; nil: none.
	JavaDebug func(index int) (option string, port int)
}

const (
	defaultShutdownTimeout = 30
	defaultPort            = 8080 // where an application listens that is not told otherwise
)

const (
	pullAlways       = "always"
	pullIfNotPresent = "if-not-present"
	pullNever        = "never"

	restartNever     = "never"
	restartOnFailure = "on-failure"
	restartAlways    = "always"
)

// DefaultSettings are those of an account without properties.
func DefaultSettings() Settings {
	return Settings{
		DeleteContainerOnExit: true, RestartPolicy: restartNever, ImagePullPolicy: pullIfNotPresent,
		UseSpringApplicationJSON: true, ShutdownTimeout: defaultShutdownTimeout,
	}
}

// Bind gives the settings with properties laid over them. Names are without prefix, in any of Spring's spellings
// (port-mappings, portMappings). ErrInvalid names every one that there is not, and every value that cannot be.
func (s Settings) Bind(properties map[string]string) (Settings, error) {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		known, err := s.set(relaxed(name), properties[name])
		if err == nil && !known {
			err = fmt.Errorf("there is no such property; /api/deployers lists them")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return s, join(append(problems, s.check()...))
}

func relaxed(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

// list splits at commas.
func list(value string) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(value, " ", ""), ","), func(s string) bool { return s == "" })
}

func (s *Settings) set(name, value string) (known bool, err error) {
	texts := map[string]*string{
		"network": &s.Network, "container.name": &s.ContainerName, "publishaddress": &s.PublishAddress,
		"hostname": &s.Hostname, "startupprobe.path": &s.StartupProbePath, "healthprobe.path": &s.HealthProbePath,
		"appadmin.user": &s.AdminUser, "appadmin.password": &s.AdminPassword,
	}
	choices := map[string]*string{"restartpolicy": &s.RestartPolicy, "imagepullpolicy": &s.ImagePullPolicy}
	lists := map[string]*[]string{
		"volumemounts": &s.VolumeMounts, "portmappings": &s.PortMappings, "additionalhosts": &s.AdditionalHosts,
	}
	numbers := map[string]*int{
		"portrange.low": &s.PortLow, "portrange.high": &s.PortHigh, "shutdowntimeout": &s.ShutdownTimeout,
	}
	switches := map[string]*bool{
		"deletecontaineronexit": &s.DeleteContainerOnExit, "usespringapplicationjson": &s.UseSpringApplicationJSON,
	}
	switch {
	case texts[name] != nil:
		*texts[name] = strings.TrimSpace(value)
	case choices[name] != nil:
		*choices[name] = choice(value)
	case lists[name] != nil:
		*lists[name] = list(value)
	case numbers[name] != nil:
		if *numbers[name], err = strconv.Atoi(value); err != nil {
			err = fmt.Errorf("a number is due, found %q", value)
		}
	case switches[name] != nil:
		if *switches[name], err = strconv.ParseBool(value); err != nil {
			err = fmt.Errorf("true or false is due, found %q", value)
		}
	default:
		return false, nil
	}
	return true, err
}

// choice spells a choice as we do: IfNotPresent and if_not_present are if-not-present; Docker's no is never.
func choice(value string) string {
	plain := relaxed(strings.TrimSpace(value))
	base, times, counted := strings.Cut(plain, ":")
	names := map[string]string{
		"no": restartNever, "never": restartNever, "onfailure": restartOnFailure, "always": restartAlways,
		"ifnotpresent": pullIfNotPresent,
	}
	name, ok := names[base]
	switch {
	case !ok:
		return value
	case counted:
		return name + ":" + times
	}
	return name
}

// check says what is wrong with values, each by itself.
func (s *Settings) check() []error {
	var problems []error
	must := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if s.PortLow != 0 || s.PortHigh != 0 {
		if s.PortLow < 1 || s.PortHigh > 1<<16 || s.PortLow >= s.PortHigh {
			must(fmt.Errorf("port-range: low must be above 0 and below high, found { low=%d, high=%d }", s.PortLow, s.PortHigh))
		}
	}
	if _, err := restartPolicy(s.RestartPolicy); err != nil {
		must(err)
	}
	if !slices.Contains([]string{pullAlways, pullIfNotPresent, pullNever}, s.ImagePullPolicy) {
		must(fmt.Errorf("image-pull-policy is %q; always, if-not-present or never is due", s.ImagePullPolicy))
	}
	if s.PublishAddress != "" {
		if _, err := netip.ParseAddr(s.PublishAddress); err != nil {
			must(fmt.Errorf("publish-address is %q; an IP address is due", s.PublishAddress))
		}
	}
	if s.ContainerName != "" && !containerName.MatchString(s.ContainerName) {
		must(fmt.Errorf("container.name is %q; letters, digits, dots, dashes and underscores are due", s.ContainerName))
	}
	for _, mapping := range s.PortMappings {
		_, _, err := portMapping(mapping)
		must(err)
	}
	for _, mount := range s.VolumeMounts {
		if !strings.Contains(mount, ":") {
			must(fmt.Errorf("volume-mounts: %q is none; source:target is due", mount))
		}
	}
	for _, host := range s.AdditionalHosts {
		if name, address, ok := strings.Cut(host, ":"); !ok || name == "" || address == "" {
			must(fmt.Errorf("additional-hosts: %q is none; name:address is due", host)) // the reference drops it
		}
	}
	return problems
}

// settings are those of a request.
func (d *Deployer) settings(r deployer.Request) (Settings, error) {
	if d.Bind != nil {
		return d.Bind(r)
	}
	own := map[string]string{}
	for name, value := range r.Deployment {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			own[rest] = value
		}
	}
	return d.Settings.Bind(own)
}

// grace is how long a container has to end.
func (s *Settings) grace() int {
	if s.ShutdownTimeout < 1 {
		return defaultShutdownTimeout
	}
	return s.ShutdownTimeout
}
