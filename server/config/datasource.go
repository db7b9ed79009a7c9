package config

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// datasource is Spring's way to name a database.
type datasource struct {
	URL             Secret `koanf:"url"`
	Username        string `koanf:"username"`
	Password        Secret `koanf:"password"`
	DriverClassName string `koanf:"driver-class-name"` // follows from the URL
}

// takeDatasource makes Spring's data source the database, unless database.url names one.
func (l *loader) takeDatasource(c *Config, d datasource) error {
	if c.Database.URL != "" {
		return nil
	}
	if d.URL == "" {
		for _, name := range []string{"username", "password", "driver-class-name"} {
			if l.sources["spring/datasource/"+name] != "" {
				l.ignored = append(l.ignored, "spring.datasource."+name+" without spring.datasource.url")
			}
		}
		return nil
	}
	u, err := l.postgres(string(d.URL), d.Username, string(d.Password))
	if err != nil {
		return err
	}
	c.Database.URL = Secret(u.String())
	l.sources["database/url"] = l.sources["spring/datasource/url"]
	return nil
}

// postgres translates the URL of the Java driver. Errors do not show it: it may hold a password.
func (l *loader) postgres(address, user, password string) (*url.URL, error) {
	rest, found := strings.CutPrefix(address, "jdbc:postgresql:")
	if !found {
		return nil, errors.New(
			"spring.datasource.url must begin with jdbc:postgresql:, or be left out for SQLite in data.dir")
	}
	malformed := errors.New("spring.datasource.url must be jdbc:postgresql://host:port/name")
	rest, parameters, _ := strings.Cut(rest, "?")
	hosts, name := "localhost", strings.TrimPrefix(rest, "/") // jdbc:postgresql:name is on this machine
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		hosts, name, _ = strings.Cut(authority, "/")
	}
	query, err := url.ParseQuery(parameters)
	if err != nil {
		return nil, malformed
	}
	if name, err = url.PathUnescape(name); err != nil {
		return nil, malformed
	}
	ours, err := l.parameters(query)
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: "postgres", Path: "/" + name}
	if user = cmp.Or(user, query.Get("user")); user != "" {
		u.User = url.UserPassword(user, cmp.Or(password, query.Get("password")))
	}
	if !setHosts(u, ours, cmp.Or(hosts, "localhost")) {
		return nil, malformed
	}
	u.RawQuery = ours.Encode()
	return u, nil
}

// setHosts puts one host into a URL, or several into its parameters; false when one is malformed.
func setHosts(u *url.URL, parameters url.Values, list string) bool {
	var hosts, ports []string
	for host := range strings.SplitSeq(list, ",") {
		port := "5432"
		if name, number, err := net.SplitHostPort(host); err == nil {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > 65535 {
				return false
			}
			host, port = name, number
		}
		if host = strings.Trim(host, "[]"); !validHost(host) {
			return false
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	if len(hosts) == 1 {
		u.Host = list
		return true
	}
	parameters.Set("host", strings.Join(hosts, ","))
	parameters.Set("port", strings.Join(ports, ","))
	return true
}

// parameters translates those of the Java driver that have a counterpart; the others are named in the warning.
func (l *loader) parameters(theirs url.Values) (url.Values, error) {
	same := map[string]string{
		"sslmode": "sslmode", "sslcert": "sslcert", "sslkey": "sslkey", "sslrootcert": "sslrootcert",
		"sslpassword": "sslpassword", "options": "options", "currentSchema": "search_path",
		"connectTimeout": "connect_timeout", "ApplicationName": "application_name", "channelBinding": "channel_binding",
	}
	servers := map[string]string{
		"any": "any", "primary": "read-write", "master": "read-write", "secondary": "standby", "slave": "standby",
		"preferSecondary": "prefer-standby", "preferSlave": "prefer-standby",
	}
	ours := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		value := theirs.Get(name)
		switch {
		case name == "user" || name == "password":
		case name == "sslkey" && (strings.HasSuffix(value, ".pk8") || strings.HasSuffix(value, ".p12")):
			return nil, errors.New("spring.datasource.url: sslkey must name a file in PEM, not in Java's formats")
		case same[name] != "":
			ours.Set(same[name], value)
		case name == "ssl" && (value == "false" || theirs.Has("sslmode")):
		case name == "ssl":
			ours.Set("sslmode", "verify-full")
			if theirs.Get("sslfactory") == nonValidating {
				ours.Set("sslmode", "require")
			}
		case name == "sslfactory" && value == nonValidating && theirs.Has("ssl"):
		case name == "targetServerType" && servers[value] != "":
			ours.Set("target_session_attrs", servers[value])
		default:
			l.ignored = append(l.ignored, "parameter "+name+" of spring.datasource.url")
		}
	}
	return ours, nil
}

const nonValidating = "org.postgresql.ssl.NonValidatingFactory"
