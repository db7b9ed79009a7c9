package resource

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Update policies say how often a repository is asked for what changes: UpdateInterval is followed by minutes.
const (
	UpdateAlways   = "always"
	UpdateDaily    = "daily"
	UpdateNever    = "never"
	UpdateInterval = "interval:"
)

// Checksum policies say what becomes of a file without the right checksum.
const (
	ChecksumFail   = "fail"
	ChecksumWarn   = "warn"
	ChecksumIgnore = "ignore"
)

// centralURL is Google's public mirror of Maven Central, the repository that is there without configuration.
const centralURL = "https://maven-central.storage-download.googleapis.com/maven2"

// centralID is the name that Maven gives Maven Central: mirrors are configured by it.
const centralID = "central"

// Repository is a remote repository of Maven.
type Repository struct {
	ID       string
	URL      string // http, https or file
	Username string // empty: the server of this id in Maven's settings, if there is one
	Password string

	Releases, Snapshots Policy

	header  http.Header
	origin  string // where it is configured, for people
	own     bool   // it is in the server's own configuration
	blocked string // why it is not asked, for people
}

// Policy says whether a repository is asked for a kind of version, and how.
type Policy struct {
	Enabled  bool
	Update   string // UpdateAlways …; empty: UpdateDaily
	Checksum string // ChecksumFail …; empty: ChecksumWarn
}

// due says whether what was fetched at a time is to be looked at again.
func (p Policy) due(fetched, now time.Time) bool {
	switch {
	case p.Update == UpdateAlways:
		return true
	case p.Update == UpdateNever:
		return false
	case strings.HasPrefix(p.Update, UpdateInterval):
		minutes, err := time.ParseDuration(strings.TrimPrefix(p.Update, UpdateInterval) + "m")
		return err != nil || now.Sub(fetched) >= minutes
	default:
		y, m, d := now.Date()
		return fetched.Before(time.Date(y, m, d, 0, 0, 0, 0, now.Location()))
	}
}

// String is how people call the repository: id (url), without credentials.
func (r Repository) String() string { return r.ID + " (" + Redact(r.URL) + ")" }

// mirror says where repositories are asked instead.
type mirror struct {
	ID      string `xml:"id"`
	Of      string `xml:"mirrorOf"`
	URL     string `xml:"url"`
	Blocked string `xml:"blocked"`
}

// matches reads mirrorOf as Maven does: ids, *, external:* and external:http:*, and !id, separated by commas.
func (m mirror) matches(r Repository) bool {
	if m.Of == r.ID {
		return true
	}
	found := false
	for pattern := range strings.SplitSeq(m.Of, ",") {
		pattern = strings.TrimSpace(pattern)
		switch {
		case pattern == "!"+r.ID:
			return false
		case pattern == r.ID:
			return true
		case pattern == "*",
			pattern == "external:*" && r.external(),
			pattern == "external:http:*" && r.external() && strings.HasPrefix(strings.ToLower(r.URL), "http:"):
			found = true
		}
	}
	return found
}

// external says that the repository is not on this machine.
func (r Repository) external() bool {
	u, err := url.Parse(r.URL)
	return err == nil && u.Scheme != "file" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1"
}

// mirrored gives the mirror of a repository: one that names just its id goes before patterns.
func mirrored(mirrors []mirror, r Repository) *mirror {
	for i := range mirrors {
		if mirrors[i].Of == r.ID {
			return &mirrors[i]
		}
	}
	for i := range mirrors {
		if mirrors[i].matches(r) {
			return &mirrors[i]
		}
	}
	return nil
}

// repositories gives what is asked, in order: the configured repositories, those of the active profiles of Maven's
// settings, Maven Central. The reference puts Maven Central in front; here a repository that somebody named goes first,
// so that names of internal artifacts are not told to the world.
func (m *Maven) repositories(s mavenSettings, around surroundings) ([]Repository, error) {
	var all []Repository
	add := func(r Repository) {
		if !slices.ContainsFunc(all, func(o Repository) bool {
			return o.ID == r.ID || strings.TrimRight(o.URL, "/") == strings.TrimRight(r.URL, "/")
		}) {
			all = append(all, r)
		}
	}
	for _, r := range m.Repositories {
		r.own, r.origin = true, "maven.remote-repositories."+r.ID
		add(r)
	}
	for _, p := range s.active() {
		for _, r := range p.Repositories {
			add(Repository{
				ID: r.ID, URL: r.URL, Releases: r.Releases.policy(), Snapshots: r.Snapshots.policy(),
				origin: "profile " + p.ID + " of the Maven settings",
			})
		}
	}
	if !m.NoDefault {
		add(Repository{
			ID: centralID, URL: centralURL, Releases: settingsPolicy{}.policy(), origin: "maven.include-default-remote-repos",
		})
	}
	var out []Repository
	for _, r := range all {
		r = m.overridden(divert(r, s.Mirrors))
		if i := slices.IndexFunc(out, func(o Repository) bool { return o.ID == r.ID && o.URL == r.URL }); i >= 0 {
			out[i].Releases, out[i].Snapshots = merged(out[i].Releases, r.Releases), merged(out[i].Snapshots, r.Snapshots)
			continue
		}
		if err := r.authenticate(s, around); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// divert puts the mirror in place of a repository. One that blocks does so for what Maven's settings and skiff itself
// bring in; a repository of the server's own configuration is the operator's word.
func divert(r Repository, mirrors []mirror) Repository {
	m := mirrored(mirrors, r)
	switch {
	case m == nil || m.Blocked == "true" && r.own:
		return r
	case m.Blocked == "true":
		r.blocked = "blocked by the mirror " + m.ID + " of the Maven settings"
		return r
	}
	return Repository{
		ID: m.ID, URL: m.URL, Releases: r.Releases, Snapshots: r.Snapshots, origin: "mirror " + m.ID + " of the Maven settings",
	}
}

// merged is the policy of a mirror of two repositories.
func merged(a, b Policy) Policy {
	if !a.Enabled {
		return b
	}
	return a
}

func (m *Maven) overridden(r Repository) Repository {
	for _, p := range []*Policy{&r.Releases, &r.Snapshots} {
		if m.UpdatePolicy != "" {
			p.Update = m.UpdatePolicy
		}
		if m.ChecksumPolicy != "" {
			p.Checksum = m.ChecksumPolicy
		}
	}
	return r
}

// authenticate takes credentials and headers from the server of the same id, unless there are some already.
func (r *Repository) authenticate(s mavenSettings, around surroundings) error {
	for _, server := range s.Servers {
		if server.ID != r.ID {
			continue
		}
		for _, h := range server.Headers {
			if r.header == nil {
				r.header = http.Header{}
			}
			r.header.Add(h.Name, h.Value)
		}
		if r.Username != "" || server.Username == "" {
			return nil
		}
		password, err := around.decrypt(server.Password)
		if err != nil {
			return skipper.Errorf(skipper.CodeInvalid, "the password of server %s in the Maven settings: %w", server.ID, err)
		}
		r.Username, r.Password = server.Username, password
		return nil
	}
	return nil
}

// Proxy is what stands between this machine and remote repositories.
type Proxy struct {
	Protocol string // http or https: how the proxy itself is spoken to; default http
	Host     string // empty: none
	Port     int
	// NonProxyHosts are hosts that are asked directly, separated by |; a * stands for anything.
	NonProxyHosts      string
	Username, Password string
}

// proxies chooses the proxy of a request: that of the configuration, else the active one of Maven's settings, else that
// of the environment (nil).
func (m *Maven) proxies(s mavenSettings, around surroundings) (func(*http.Request) (*url.URL, error), error) {
	if m.Proxy.Host != "" && m.Proxy.Port > 0 {
		return m.Proxy.choose, nil
	}
	bySchemes := map[string]Proxy{}
	for _, p := range s.Proxies {
		protocol := strings.ToLower(p.Protocol)
		if protocol == "" {
			protocol = "http"
		}
		if _, taken := bySchemes[protocol]; taken || p.Active == "false" || p.Host == "" {
			continue
		}
		password, err := around.decrypt(p.Password)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "the password of proxy %s in the Maven settings: %w", p.ID, err)
		}
		port := p.Port
		if port == 0 {
			port = 8080 // as Maven
		}
		// The protocol says for which addresses it is; it is spoken to in plain HTTP.
		bySchemes[protocol] = Proxy{
			Host: p.Host, Port: port, NonProxyHosts: p.NonProxyHosts, Username: p.Username, Password: password,
		}
	}
	if len(bySchemes) == 0 {
		return nil, nil
	}
	return func(r *http.Request) (*url.URL, error) {
		p, ok := bySchemes[r.URL.Scheme]
		if !ok {
			p = bySchemes["http"]
		}
		return p.choose(r)
	}, nil
}

func (p Proxy) choose(r *http.Request) (*url.URL, error) {
	if p.Host == "" || p.skips(r.URL.Hostname()) {
		return nil, nil
	}
	scheme := strings.ToLower(p.Protocol)
	if scheme != "https" {
		scheme = "http"
	}
	u := &url.URL{Scheme: scheme, Host: hostPort(p.Host, p.Port)}
	if p.Username != "" {
		u.User = url.UserPassword(p.Username, p.Password)
	}
	return u, nil
}

// skips says whether a host is asked directly.
func (p Proxy) skips(host string) bool {
	for _, pattern := range strings.FieldsFunc(p.NonProxyHosts, func(r rune) bool { return r == '|' || r == ',' }) {
		expression := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(pattern)), `\*`, ".*")
		if matched, err := regexp.MatchString("(?i)^"+expression+"$", host); err == nil && matched {
			return true
		}
	}
	return false
}
