package edgegap

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

// Values of properties.
const (
	onExitReplace  = "replace"
	onExitComplete = "complete"
	strategyDrain  = "drain"
	apiV1          = "v1"
)

// spec is what a request asks for, read and checked.
type spec struct {
	image        image
	application  string // as asked for; may be empty
	versionName  string
	users        [][]edgegap.User // of instance n: n modulo the length
	userOf       map[int][]edgegap.User
	variables    []edgegap.Variable
	ports        []edgegap.VersionPort
	cpu, memory  int                // of the version
	resources    *edgegap.Resources // of this deployment alone
	gpu          int
	tags         []string
	cachedOnly   bool
	forceCache   bool
	fleet        string
	hosts        []string
	verify       bool
	maxMinutes   int
	pullSeconds  int
	graceSeconds int
	restart      edgegap.RestartPolicy
	storage      string
	dns          string
	china        bool
	ready        string // webhooks of the user's own
	failed       string
	terminated   string
	readyTimeout time.Duration
	onExit       string
	maxRestarts  int
	recycle      bool
	margin       time.Duration
	drains       bool
	drain        time.Duration
	actuatorPort string
	actuatorPath string
	linkPort     string
	v1           bool
	filters      []edgegap.LocationFilter
	command      *string
	arguments    *string
	logStorage   string
}

// reader reads properties by name, from the request before the account, and gathers what is wrong.
type reader struct {
	own, defaults map[string]string
	wrong         []error
}

func (r *reader) must(ok bool, format string, args ...any) {
	if !ok {
		r.wrong = append(r.wrong, fmt.Errorf(format, args...))
	}
}

func (r *reader) text(name, otherwise string) string {
	if value, ok := r.own[name]; ok && value != "" {
		return value
	}
	return or(r.defaults[name], otherwise)
}

func (r *reader) number(name string, otherwise, least, most int) int {
	text := r.text(name, "")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	r.must(err == nil && n >= least && n <= most, "%s%s is %q; a number from %d to %d is due", prefix, name, text, least, most)
	return n
}

func (r *reader) boolean(name string, otherwise bool) bool {
	text := r.text(name, "")
	if text == "" {
		return otherwise
	}
	on, err := strconv.ParseBool(text)
	r.must(err == nil, "%s%s is %q; true or false is due", prefix, name, text)
	return on
}

func (r *reader) choice(name, otherwise string, values ...string) string {
	text := strings.ToLower(r.text(name, otherwise))
	r.must(slices.Contains(values, text), "%s%s is %q; %s is due", prefix, name, text, strings.Join(values, " or "))
	return text
}

func (r *reader) list(name, separator string) []string {
	var out []string
	for part := range strings.SplitSeq(r.text(name, ""), separator) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// spec reads the deployment properties of a request, with the account's behind them.
func (d *Deployer) spec(req deployer.Request) (spec, []error) {
	return read(req, d.defaults, nil)
}

// read reads a request; assumed are properties for where neither the request nor the account has them.
func read(req deployer.Request, defaults, assumed map[string]string) (spec, []error) {
	own := map[string]string{}
	for name, value := range req.Deployment {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			own[rest] = value
		}
	}
	own, wrong := canonical(own)
	base := maps.Clone(assumed)
	if base == nil {
		base = map[string]string{}
	}
	maps.Copy(base, defaults)
	r := &reader{own: own, defaults: base, wrong: wrong}
	s := spec{}
	var err error
	if s.image, err = parseImage(req.Resource, r.boolean("allow-latest", false)); err != nil {
		r.wrong = append(r.wrong, err)
	}
	r.names(&s)
	r.places(&s, req.Count)
	r.container(&s, req)
	r.life(&s)
	r.extras(&s)
	r.environment(&s, req)
	return s, r.wrong
}

func (r *reader) names(s *spec) {
	s.application, s.versionName = r.own["application"], r.own["version-name"]
	r.must(s.application == "" || applicationName.MatchString(s.application),
		"%sapplication is %q; a name of 3 to 64 letters, digits, dots, dashes and underscores is due", prefix, s.application)
	r.must(s.versionName == "" || len(s.versionName) <= 64 && imageTag.MatchString(s.versionName),
		"%sversion-name is %q; a name of 1 to 64 letters, digits, dots, dashes and underscores is due", prefix, s.versionName)
	for _, tag := range r.list("tags", ",") {
		if err := checkTag(tag); err != nil {
			r.must(false, "%stags: %w", prefix, err)
		}
		s.tags = append(s.tags, tag)
	}
}

// places reads who the players of each instance are.
func (r *reader) places(s *spec, count int) {
	all := append(r.addresses("users.ip-addresses"), r.coordinates("users.geo-coordinates")...)
	locations := r.coordinates("locations")
	r.must(len(all) == 0 || len(locations) == 0 || r.own["locations"] == "" ||
		r.own["users.ip-addresses"] == "" && r.own["users.geo-coordinates"] == "",
		"%slocations and %susers exclude each other; give one of them", prefix, prefix)
	if len(locations) > 0 && (len(all) == 0 || r.own["locations"] != "") {
		for _, place := range locations {
			s.users = append(s.users, []edgegap.User{place})
		}
	} else if len(all) > 0 {
		s.users = [][]edgegap.User{all}
	}
	s.userOf = map[int][]edgegap.User{}
	for name := range r.own {
		rest, ok := strings.CutPrefix(name, "users[")
		if !ok {
			continue
		}
		index, what, _ := strings.Cut(rest, "].")
		n, _ := strconv.Atoi(index) // the pattern of the key has digits only
		if what == "ip-addresses" {
			s.userOf[n] = append(s.userOf[n], r.addresses(name)...)
		} else {
			s.userOf[n] = append(s.userOf[n], r.coordinates(name)...)
		}
	}
	for n := range count {
		if len(s.users) == 0 && len(s.userOf[n]) == 0 {
			r.must(false, "nobody says where instance %d is to run; set %susers.ip-addresses, %susers.geo-coordinates or "+
				"%slocations", n, prefix, prefix, prefix)
			break
		}
	}
}

func (r *reader) addresses(name string) []edgegap.User {
	var out []edgegap.User
	for _, text := range r.list(name, ",") {
		_, err := netip.ParseAddr(text)
		r.must(err == nil, "%s%s: %q is not an IP address", prefix, name, text)
		out = append(out, edgegap.UserAt(text))
	}
	return out
}

func (r *reader) coordinates(name string) []edgegap.User {
	var out []edgegap.User
	for _, text := range r.list(name, ";") {
		one, other, _ := strings.Cut(text, ":")
		latitude, err := strconv.ParseFloat(strings.TrimSpace(one), 64)
		longitude, err2 := strconv.ParseFloat(strings.TrimSpace(other), 64)
		r.must(err == nil && err2 == nil && latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180,
			"%s%s: %q is not a place; write latitude:longitude in degrees, as 45.5:-73.6", prefix, name, text)
		out = append(out, edgegap.UserNear(latitude, longitude))
	}
	return out
}

// container reads what the container gets.
func (r *reader) container(s *spec, req deployer.Request) {
	s.ports = r.readPorts()
	r.must(len(s.ports) > 0, "%sports is not set; name the ports of the container, as gameport:7777/UDP", prefix)
	r.size(s, req)
	s.gpu = r.number("gpu-units", 0, 0, 1<<20)
	s.forceCache, s.verify = r.boolean("force-cache", false), r.boolean("verify-image", true)
	s.pullSeconds = r.number("time-to-deploy-seconds", 120, edgegap.MinTimeToDeploy, 86400)
	s.storage, s.dns, s.china = r.text("endpoint-storage", ""), r.text("dns-config", ""), r.boolean("mainland-china", false)
	s.cachedOnly = r.boolean("require-cached-locations", false)
	s.fleet, s.hosts = r.text("private-fleet", ""), r.list("private-host-ids", ",")
	r.must(s.fleet == "" || len(s.hosts) == 0, "%sprivate-fleet and %sprivate-host-ids exclude each other; give one of them",
		prefix, prefix)
}

// size reads CPU and memory: those of the account are the version's, another wish is of this deployment alone, so that it
// needs no version of its own. v1 knows the version's only.
func (r *reader) size(s *spec, req deployer.Request) {
	account := &reader{defaults: r.defaults}
	s.cpu = account.number("cpu-units", 1024, edgegap.MinUnits, 1<<20)
	s.memory = account.number("memory-mib", 2048, edgegap.MinUnits, 1<<20)
	cpu, memory := s.cpu, s.memory
	if text := req.Deployment[deployer.MemoryKey]; text != "" {
		n, err := deployer.Megabytes(text)
		if err != nil {
			r.wrong = append(r.wrong, fmt.Errorf("%s: %w", deployer.MemoryKey, err))
		}
		memory = n
	}
	if text := req.Deployment[deployer.PropertyPrefix+"cpu"]; text != "" {
		cores, err := strconv.ParseFloat(text, 64)
		r.must(err == nil && cores > 0 && cores <= 1024, "%scpu is %q; a number of cores is due", deployer.PropertyPrefix, text)
		cpu = int(cores * 1024)
	}
	if r.own["cpu-units"] != "" {
		cpu = r.number("cpu-units", 0, edgegap.MinUnits, 1<<20)
	}
	if r.own["memory-mib"] != "" {
		memory = r.number("memory-mib", 0, edgegap.MinUnits, 1<<20)
	}
	r.must(cpu >= edgegap.MinUnits && memory >= edgegap.MinUnits && memory <= 2*cpu,
		"an instance would get %d CPU units and %d MiB; at least %d of each are due, and at most twice as many MiB as units",
		cpu, memory, edgegap.MinUnits)
	s.v1 = r.choice("api", "v2", "v2", apiV1) == apiV1
	if s.v1 {
		s.cpu, s.memory = cpu, memory
	} else if s.cpu != cpu || s.memory != memory {
		s.resources = &edgegap.Resources{CPUUnits: cpu, MemoryMiB: memory}
	}
}

var protocols = []string{"TCP", "UDP", "TCP/UDP", "HTTP", "HTTPS", "WS", "WSS"}

// readPorts reads name:port/PROTOCOL[+tls][!check], separated by commas.
func (r *reader) readPorts() []edgegap.VersionPort {
	var out []edgegap.VersionPort
	for _, text := range r.list("ports", ",") {
		p, rest := edgegap.VersionPort{}, text
		rest, p.Check = strings.CutSuffix(rest, "!check")
		rest, p.TLSUpgrade = strings.CutSuffix(rest, "+tls")
		name, rest, _ := strings.Cut(rest, ":")
		number, protocol, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(number)
		p.Name, p.Port, p.Protocol = name, n, strings.ToUpper(protocol)
		ok := err == nil && n >= 0 && n <= 59999 && imageTag.MatchString(name) && slices.Contains(protocols, p.Protocol)
		r.must(ok, "%sports: %q is not a port; write name:port/protocol, as gameport:7777/UDP, with %s", prefix, text,
			strings.Join(protocols, ", "))
		r.must(!p.TLSUpgrade || p.Protocol == "WS" || p.Protocol == "HTTP", "%sports: %q: +tls is for HTTP and WS", prefix, text)
		r.must(!p.Check || p.Protocol != "UDP", "%sports: %q: a UDP port cannot be checked", prefix, text)
		r.must(!slices.ContainsFunc(out, func(o edgegap.VersionPort) bool { return o.Name == name }),
			"%sports: the name %q is given twice", prefix, name)
		out = append(out, p)
	}
	return out
}

// life reads how instances end, and what follows.
func (r *reader) life(s *spec) {
	s.maxMinutes = r.number("max-duration-minutes", edgegap.MaxDurationMinutes, -1, edgegap.MaxDurationMinutes)
	r.must(s.maxMinutes != 0, "%smax-duration-minutes is 0; a number from 1 to %d is due, or -1", prefix,
		edgegap.MaxDurationMinutes)
	s.graceSeconds = r.number("termination-grace-seconds", 30, 5, 3600)
	s.restart = edgegap.RestartPolicy(strings.ReplaceAll(r.choice("restart-policy", "always", "always", "never", "on_failure",
		"on-failure"), "-", "_"))
	s.readyTimeout = time.Duration(r.number("ready-timeout-seconds", 300, 1, 86400)) * time.Second
	s.drains = r.choice("upgrade-strategy", "replace", "replace", strategyDrain) == strategyDrain
	longest := 86400
	if s.maxMinutes > 0 {
		longest = s.maxMinutes * 60
	}
	s.drain = time.Duration(r.number("drain-seconds", longest, 0, 7*86400)) * time.Second
	otherwise := onExitReplace
	if s.restart == edgegap.RestartNever || s.drains {
		otherwise = onExitComplete
	}
	s.onExit = r.choice("on-exit", otherwise, onExitReplace, onExitComplete)
	s.maxRestarts = r.number("max-restarts", 5, 0, 1000)
	s.recycle = r.boolean("recycle", false)
	s.margin = time.Duration(r.number("recycle-margin-minutes", 15, 1, edgegap.MaxDurationMinutes)) * time.Minute
	r.must(!s.recycle || s.maxMinutes < 0 || s.margin < time.Duration(s.maxMinutes)*time.Minute,
		"%srecycle-margin-minutes is not below %smax-duration-minutes", prefix, prefix)
}

// extras reads webhooks, addresses and what only v1 knows.
func (r *reader) extras(s *spec) {
	for name, target := range map[string]*string{
		"webhook.ready": &s.ready, "webhook.error": &s.failed, "webhook.terminated": &s.terminated,
	} {
		*target = r.text(name, "")
		u, err := url.Parse(*target)
		r.must(*target == "" || err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http"),
			"%s%s is not an http or https URL", prefix, name)
	}
	s.actuatorPort, s.linkPort = r.text("actuator-port", ""), r.text("link-port", "")
	s.actuatorPath = "/" + strings.TrimLeft(r.text("actuator-path", "/actuator"), "/")
	for name, port := range map[string]string{"actuator-port": s.actuatorPort, "link-port": s.linkPort} {
		at := slices.IndexFunc(s.ports, func(p edgegap.VersionPort) bool { return p.Name == port })
		r.must(port == "" || at >= 0, "%s%s names %q, which is none of %sports", prefix, name, port, prefix)
		r.must(name != "actuator-port" || at < 0 || !strings.HasSuffix(s.ports[at].Protocol, "UDP"),
			"%sactuator-port names the UDP port %q; an HTTP port is due", prefix, port)
	}
	s.filters = r.locationFilters()
	s.logStorage = r.text("log-storage", "")
	if text := r.text("command", ""); text != "" {
		s.command = &text
	}
	if text := r.text("arguments", ""); text != "" {
		s.arguments = &text
	}
	v1Only := len(s.filters) > 0 || s.command != nil || s.arguments != nil || s.logStorage != ""
	r.must(s.v1 || !v1Only, "%sfilters, command, arguments and log-storage need %sapi=v1", prefix, prefix)
	r.must(!s.v1 || s.fleet == "" && len(s.hosts) == 0, "private hosts need %sapi=v2", prefix)
	r.must(!s.v1 || !s.cachedOnly, "%srequire-cached-locations needs %sapi=v2", prefix, prefix)
	if s.v1 {
		for _, users := range append(slices.Clone(s.users), slices.Collect(maps.Values(s.userOf))...) {
			r.must(!slices.ContainsFunc(users, func(u edgegap.User) bool { return u.IP == "" }),
				"%sapi=v1 takes players by IP address only; set %susers.ip-addresses", prefix, prefix)
		}
	}
}

// locationFilters reads field:type:value,value, separated by semicolons.
func (r *reader) locationFilters() []edgegap.LocationFilter {
	fields := []string{"city", "country", "continent", "region", "administrative_division", "location_tags"}
	var out []edgegap.LocationFilter
	for _, text := range r.list("filters", ";") {
		field, rest, _ := strings.Cut(text, ":")
		kind, values, _ := strings.Cut(rest, ":")
		f := edgegap.LocationFilter{Field: strings.TrimSpace(field), Type: edgegap.FilterType(kind)}
		for value := range strings.SplitSeq(values, ",") {
			if value = strings.TrimSpace(value); value != "" {
				f.Values = append(f.Values, value)
			}
		}
		r.must(slices.Contains(fields, f.Field) && slices.Contains([]string{"any", "all", "not"}, kind) && len(f.Values) > 0,
			"%sfilters: %q is not a filter; write field:any:value,value, with %s and any, all or not", prefix, text,
			strings.Join(fields, ", "))
		out = append(out, f)
	}
	return out
}

// usersOf are the players of one instance.
func (s spec) usersOf(index int) []edgegap.User {
	if own := s.userOf[index]; len(own) > 0 {
		return own
	}
	if len(s.users) == 0 {
		return nil
	}
	return s.users[index%len(s.users)]
}
