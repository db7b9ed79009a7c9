package kubernetes

import (
	_ "embed" // for the table
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// prefix is what the deployment properties of this platform begin with.
const prefix = deployer.PropertyPrefix + "kubernetes."

//go:embed options.txt
var optionTable string

// Options lists the deployment properties in the order of Skipper's answer (deployers.md, appendix B).
func (d *Deployer) Options() []skipper.Option { return deployer.ParseOptions(prefix, optionTable) }

// more are names that Skipper understands and does not list. Those that end in a dot or a bracket begin names.
var more = []string{
	"create-node-port", "service-ports", "container-ports", "container-command", "boot-major-version",
	"affinity.node-affinity", "affinity.pod-affinity", "affinity.pod-anti-affinity",
	"lifecycle.post-start.exec.command", "lifecycle.pre-stop.exec.command",
	"pod-security-context", "container-security-context", "init-container",
	"startup-probe-delay", "startup-probe-path", "startup-probe-port", "startup-probe-timeout", "startup-probe-success",
	"startup-probe-failure", "readiness-probe-scheme", "readiness-probe-success", "readiness-probe-failure",
	"liveness-probe-scheme", "liveness-probe-success", "liveness-probe-failure",
	"limits.ephemeral-storage", "requests.ephemeral-storage", "limits.hugepages-2Mi", "limits.hugepages-1Gi",
	"app-admin.user", "app-admin.password", "maximum-concurrent-tasks", "cron.",
	"init-container.", "init-containers[", "additional-containers[", "volumes[", "volume-mounts[", "tolerations[",
	"environment-variables[", "secret-key-refs[", "config-map-key-refs[", "secret-refs[", "config-map-refs[",
	"image-pull-secrets[", "node-affinity.", "pod-affinity.", "pod-anti-affinity.", "pod-security-context.",
	"container-security-context.",
}

// fabric8 are the names of Skipper's client that are understood here; others of it have no effect.
var fabric8 = []string{
	"fabric8.master-url", "fabric8.namespace", "fabric8.oauth-token", "fabric8.username", "fabric8.password",
	"fabric8.trust-certs", "fabric8.ca-cert-file", "fabric8.ca-cert-data", "fabric8.client-cert-file",
	"fabric8.client-cert-data", "fabric8.client-key-file", "fabric8.client-key-data", "fabric8.http-proxy",
	"fabric8.https-proxy", "fabric8.request-timeout",
}

// ofAccount are names that only an account has: how it is reached.
var ofAccount = []string{
	"fabric8.", "kubeconfig", "context", "qps", "burst", "stateful-set-init-container-image-name",
}

// values are properties by canonical name.
type values map[string]string

// canonical is what Spring compares of a name.
func canonical(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

func (v values) text(name string) string { return strings.TrimSpace(v[canonical(name)]) }

// flag reads a boolean; nothing is false.
func (v values) flag(name string) (bool, error) {
	text := v.text(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, fmt.Errorf("%s must be true or false, found %q", name, text)
	}
	return on, nil
}

// listed gives the items name[0], name[1], … in order.
func (v values) listed(name string) []string {
	var out []string
	for i := 0; ; i++ {
		item, ok := v[canonical(name)+"["+strconv.Itoa(i)+"]"]
		if !ok {
			return out
		}
		out = append(out, item)
	}
}

// below gives the values whose names begin with name and a dot, without that.
func (v values) below(name string) values {
	out, start := values{}, canonical(name)+"."
	for key, value := range v {
		if rest, ok := strings.CutPrefix(key, start); ok {
			out[rest] = value
		}
	}
	return out
}

// settings are the properties of one application over those of its account.
type settings struct {
	own, account values
	problems     []error
}

func (s *settings) problem(format string, args ...any) {
	s.problems = append(s.problems, fmt.Errorf(format, args...))
}

// text is the value of a name, of the application or of the account.
func (s *settings) text(name string) string {
	if own := s.own.text(name); own != "" {
		return own
	}
	return s.account.text(name)
}

func (s *settings) flag(name string) bool {
	from := s.own
	if from.text(name) == "" {
		from = s.account
	}
	on, err := from.flag(name)
	if err != nil {
		s.problem("%s%w", prefix, err)
	}
	return on
}

// number is a whole number; nil where it is not set.
func (s *settings) number(name string) *int64 {
	text := s.text(name)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.problem("%s%s must be a number, found %q", prefix, name, text)
		return nil
	}
	return &n
}

// list is what is separated by commas, or given item by item; the application's replaces the account's.
func (s *settings) list(name string) []string {
	for _, from := range []values{s.own, s.account} {
		if items := from.listed(name); len(items) > 0 {
			return items
		}
		if text := from.text(name); text != "" {
			return items(text)
		}
	}
	return nil
}

func items(text string) []string {
	var out []string
	for item := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
		if item = strings.Trim(strings.TrimSpace(item), `"'`); item != "" {
			out = append(out, item)
		}
	}
	return out
}

var bracket = regexp.MustCompile(`\[\d{1,3}\]`)

// names are all that a deployment property may be called.
func names() []string {
	out := slices.Clone(more)
	for line := range strings.Lines(optionTable) {
		option, _, _ := strings.Cut(line, " ")
		out = append(out, option)
	}
	return out
}

// understood says whether a name means something, and which one was probably meant if not.
func understood(name string, also []string) (bool, string) {
	key, known := canonical(name), append(names(), also...)
	plain := bracket.ReplaceAllString(key, "[")
	for _, k := range known {
		c := canonical(k)
		if key == c || (strings.HasSuffix(c, ".") && strings.HasPrefix(key, c)) ||
			(strings.HasSuffix(c, "[") && strings.HasPrefix(plain, c)) {
			return true, ""
		}
	}
	return false, deployer.Nearest(name, known)
}

// settings reads the deployment properties of a request. Each that is not understood is a problem.
func (d *Deployer) settings(r deployer.Request) *settings {
	s := &settings{own: values{}, account: d.account}
	for _, key := range slices.Sorted(maps.Keys(r.Deployment)) {
		name, ok := cutPrefix(key)
		if !ok {
			continue
		}
		if known, nearest := understood(name, nil); !known {
			s.problem("%s%s is not known; did you mean %s%s?", prefix, name, prefix, nearest)
			continue
		}
		c := canonical(name)
		if _, twice := s.own[c]; twice {
			s.problem("%s%s is given twice, in two spellings; remove one", prefix, name)
			continue
		}
		s.own[c] = r.Deployment[key]
	}
	return s
}

// cutPrefix takes the prefix of this platform off, in any spelling.
func cutPrefix(key string) (string, bool) {
	if len(key) < len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) {
		return "", false
	}
	return key[len(prefix):], true
}

// accountValues reads the properties of an account.
func accountValues(properties map[string]string) (values, []error) {
	out := values{}
	var problems []error
	for _, given := range slices.Sorted(maps.Keys(properties)) {
		name := item.ReplaceAllString(given, "[$1]") // volumes.0 is volumes[0] in YAML
		known, nearest := understood(name, ofAccount)
		if !known {
			name, known = undotted(name)
		}
		if !known {
			problems = append(problems, fmt.Errorf("%s is not known; did you mean %s?", given, nearest))
			continue
		}
		out[canonical(name)] = properties[given]
	}
	return out, problems
}

var item = regexp.MustCompile(`\.(\d{1,3})\b`)

// undotted finds the name that a variable of the environment means, which has underscores for dots.
func undotted(name string) (string, bool) {
	plain := func(s string) string { return strings.ReplaceAll(canonical(s), ".", "") }
	for _, k := range slices.Concat(names(), fabric8) {
		if plain(k) == plain(name) {
			return k, true
		}
	}
	return "", false
}
