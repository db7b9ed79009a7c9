package edgegap

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/resource"
)

var applicationName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{2,63}$`)

// check says all that is wrong with the settings of an account, and gives the defaults for requests.
func (s Settings) check() (map[string]string, error) {
	defaults, wrong := canonical(s.Deployment)
	must := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	must(s.Token != "", "connection.token is empty; set it, or name an environment variable that holds it in "+
		"connection.token-env")
	must(s.Timeout >= 0, "connection.timeout is negative")
	must(s.MaxConcurrent >= 0, "max-concurrent-deployments is negative; 0 is no bound")
	must(s.MaxPerApp >= 0, "max-instances-per-app is negative; 0 is no bound")
	must(s.PollInterval > 0 && s.PollIdle >= s.PollInterval, "poll-interval-idle is below poll-interval")
	must(s.Staleness >= s.PollInterval, "status-staleness is below poll-interval")
	login := s.Registry
	must(login == Registry{} || login.Host != "" && login.Username != "" && login.Password != "",
		"registry needs host, username and password, or none of them")
	must(s.Registry.Host == "" || imageHost.MatchString(s.Registry.Host), "registry.host is not the name of a host")
	for _, name := range s.Allowed {
		must(applicationName.MatchString(name), "allowed-applications: %q is not the name of an application", name)
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		must(err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.RawQuery == "",
			"webhook.public-url is not a URL as https://skiff.example.com")
	}
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if slices.Contains([]string{"application", "version-name"}, name) {
			must(false, "deployment.%s is not for all applications of an account; set it for each", name)
		}
	}
	// The values are those of a request that has no properties of its own.
	sample := deployer.Request{
		Count: 1, Resource: resource.Ref{Location: "docker:sample/sample:1"}, Name: "sample", Group: "sample",
	}
	if _, more := read(sample, defaults, map[string]string{
		"ports": or(defaults["ports"], "p:1/TCP"), "users.ip-addresses": or(defaults["users.ip-addresses"], "192.0.2.1"),
	}); len(wrong) == 0 {
		wrong = append(wrong, more...)
	}
	return defaults, problems(wrong)
}
