package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Resource bounds what is downloaded for applications. Downloads are kept in resources in data.dir.
type Resource struct {
	MaxSize   Bytes `koanf:"max-size"`   // of one file; default 2GB
	CacheSize Bytes `koanf:"cache-size"` // of all files that are kept, but for those in use; default 10GB
}

// Maven says where maven: resources come from. The keys are Skipper's, as are their meanings unless said otherwise.
type Maven struct {
	// LocalRepository is the folder that is shared with Maven; default: the one of Maven's settings, ~/.m2/repository.
	LocalRepository string `koanf:"local-repository"`
	// RemoteRepositories are asked in the order of their names, then those of Maven's settings and Maven Central.
	RemoteRepositories map[string]MavenRepository `koanf:"remote-repositories"`
	// IncludeDefaultRemoteRepos asks Maven Central too, through Google's public mirror; default true. Skipper asks it first,
	// and repositories of Spring as well: here they are configured.
	IncludeDefaultRemoteRepos bool `koanf:"include-default-remote-repos"`
	// UseSettings reads ~/.m2/settings.xml and those of the installed Maven: mirrors, servers, proxies, repositories of
	// active profiles; default true. Skipper does not read them.
	UseSettings bool `koanf:"use-settings"`
	// Offline finds only what is in the local repository; default false.
	Offline bool `koanf:"offline"`
	// Proxy stands between this machine and the repositories; default: the one of Maven's settings, else HTTPS_PROXY.
	Proxy MavenProxy `koanf:"proxy"`
	// ConnectTimeout is the time to reach a server; a bare number is milliseconds; default 10s.
	ConnectTimeout time.Duration `koanf:"connect-timeout"`
	// RequestTimeout is the longest time without an answer or a byte of it; a bare number is milliseconds; default 1m.
	RequestTimeout time.Duration `koanf:"request-timeout"`
	// UpdatePolicy beats that of all repositories: always, daily, interval:<minutes> or never.
	UpdatePolicy string `koanf:"update-policy"`
	// ChecksumPolicy beats that of all repositories: fail, warn or ignore.
	ChecksumPolicy string `koanf:"checksum-policy"`
	// ResolvePOM fetches the POM of an artifact too; default false.
	ResolvePOM bool `koanf:"resolve-pom"`
}

// MavenRepository is a remote repository. Without a policy it has releases and snapshots, looks for new snapshots daily,
// and warns of wrong checksums.
type MavenRepository struct {
	URL            string      `koanf:"url"` // https, http or file
	Auth           MavenAuth   `koanf:"auth"`
	Policy         MavenPolicy `koanf:"policy"`          // for releases and snapshots
	ReleasePolicy  MavenPolicy `koanf:"release-policy"`  // beats policy
	SnapshotPolicy MavenPolicy `koanf:"snapshot-policy"` // beats policy
}

// MavenAuth is a login; both or none.
type MavenAuth struct {
	Username string `koanf:"username"`
	Password Secret `koanf:"password"`
}

// MavenPolicy says whether a repository has a kind of versions. With any of its keys set, the others have the defaults
// named here.
type MavenPolicy struct {
	Enabled        *bool  `koanf:"enabled"`         // default true
	UpdatePolicy   string `koanf:"update-policy"`   // default always
	ChecksumPolicy string `koanf:"checksum-policy"` // default warn
}

// MavenProxy is an HTTP proxy; it is used when host and port are set.
type MavenProxy struct {
	Protocol      string    `koanf:"protocol"` // of the proxy itself, http or https; default http
	Host          string    `koanf:"host"`
	Port          int       `koanf:"port"`
	NonProxyHosts string    `koanf:"non-proxy-hosts"` // hosts that are asked directly, separated by |; * stands for anything
	Auth          MavenAuth `koanf:"auth"`
}

func defaultMaven() Maven {
	return Maven{
		IncludeDefaultRemoteRepos: true, UseSettings: true, ConnectTimeout: 10 * time.Second, RequestTimeout: time.Minute,
		Proxy: MavenProxy{Protocol: "http"},
	}
}

func (c *check) maven(m Maven) {
	for _, name := range slices.Sorted(maps.Keys(m.RemoteRepositories)) {
		r, key := m.RemoteRepositories[name], display([]string{"maven", "remote-repositories", name})+"."
		u, err := url.Parse(r.URL)
		c.must(err == nil && slices.Contains([]string{"https", "http", "file"}, strings.ToLower(u.Scheme)), key+"url",
			"be the address of the repository, as https://host/path")
		c.must(err != nil || u.User == nil, key+"url", "hold no login; use %sauth", key)
		c.auth(r.Auth, key+"auth")
		c.policies(r.Policy.UpdatePolicy, r.Policy.ChecksumPolicy, key+"policy.")
		c.policies(r.ReleasePolicy.UpdatePolicy, r.ReleasePolicy.ChecksumPolicy, key+"release-policy.")
		c.policies(r.SnapshotPolicy.UpdatePolicy, r.SnapshotPolicy.ChecksumPolicy, key+"snapshot-policy.")
	}
	c.policies(m.UpdatePolicy, m.ChecksumPolicy, "maven.")
	c.must(slices.Contains([]string{"http", "https"}, strings.ToLower(m.Proxy.Protocol)), "maven.proxy.protocol",
		"be http or https")
	c.port(m.Proxy.Port, 0, "maven.proxy.port")
	c.auth(m.Proxy.Auth, "maven.proxy.auth")
	c.between(m.ConnectTimeout, time.Millisecond, time.Hour, "maven.connect-timeout")
	c.between(m.RequestTimeout, time.Millisecond, 24*time.Hour, "maven.request-timeout")
}

func (c *check) auth(a MavenAuth, key string) {
	c.must((a.Username == "") == (a.Password == ""), key, "have username and password, or neither")
}

func (c *check) policies(update, checksum, key string) {
	c.must(slices.Contains([]string{"", "always", "daily", "never"}, update) || intervalPolicy.MatchString(update),
		key+"update-policy", "be always, daily, interval:<minutes> or never")
	c.must(slices.Contains([]string{"", "fail", "warn", "ignore"}, checksum), key+"checksum-policy",
		"be fail, warn or ignore")
}

var intervalPolicy = regexp.MustCompile(`^interval:\d{1,6}$`)

func (c *check) resource(r Resource) {
	c.must(r.MaxSize >= 1<<20, "resource.max-size", "be from 1MB")
	c.must(r.CacheSize >= r.MaxSize, "resource.cache-size", "be at least resource.max-size, which is %s", r.MaxSize)
}

// Bytes is a size, written as Spring does: 512MB, 10GB; the units are powers of 1024, and a bare number is bytes.
type Bytes int64

var byteUnits = []string{"B", "KB", "MB", "GB", "TB"}

// String writes the size in the largest unit that divides it.
func (b Bytes) String() string {
	unit := 0
	for b != 0 && b%1024 == 0 && unit < len(byteUnits)-1 {
		b /= 1024
		unit++
	}
	return strconv.FormatInt(int64(b), 10) + byteUnits[unit]
}

var bytesPattern = regexp.MustCompile(`^(\d{1,12}) ?([KMGT]?B)?$`)

func bytesOf(text string) (Bytes, error) {
	parts := bytesPattern.FindStringSubmatch(strings.ToUpper(text))
	if parts == nil {
		return 0, because(strconv.ErrSyntax, "must be a size such as 512MB or 10GB")
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	for range max(0, slices.Index(byteUnits, parts[2])) {
		if n > 1<<52 {
			return 0, because(strconv.ErrRange, "must be a size below 1000000TB")
		}
		n *= 1024
	}
	return Bytes(n), err
}
