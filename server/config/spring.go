package config

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// alias is a key of Skipper, or the beginning of keys, with skiff's own for the same thing.
type alias struct {
	theirs, ours string
	millis       bool // theirs is a number of milliseconds
}

func aliases() []alias {
	const server = "spring.cloud.skipper.server."
	return []alias{
		{theirs: "server.port", ours: "server.port"},
		{theirs: "server.address", ours: "server.address"},
		{theirs: server + "package-repositories", ours: "repositories"},
		{theirs: server + "platform.local.accounts", ours: "platform.local.accounts"},
		{theirs: server + "strategies.healthcheck.timeout-in-millis", ours: "healthcheck.timeout", millis: true},
		{theirs: server + "strategies.healthcheck.sleep-in-millis", ours: "healthcheck.period", millis: true},
	}
}

// datasource is Spring's way to name a database.
type datasource struct {
	URL             Secret `koanf:"url"`
	Username        string `koanf:"username"`
	Password        Secret `koanf:"password"`
	DriverClassName string `koanf:"driver-class-name"` // follows from the URL
}

// takeDatasource makes Spring's data source the database, unless database.url names one.
func (l *loader) takeDatasource(c *Config, d datasource) error {
	if c.Database.URL != "" || d.URL == "" {
		return nil
	}
	address, found := strings.CutPrefix(string(d.URL), "jdbc:postgresql:")
	if !found {
		return errors.New("spring.datasource.url must begin with jdbc:postgresql:, or be left out for SQLite in data.dir")
	}
	if !strings.HasPrefix(address, "//") { // jdbc:postgresql:name is on this machine
		address = "//localhost/" + strings.TrimPrefix(address, "/")
	}
	u, err := url.Parse("postgres:" + address)
	if err != nil { // the error would show the URL, which may hold a password
		return errors.New("spring.datasource.url must be jdbc:postgresql://host:port/name")
	}
	query := u.Query()
	user := cmp.Or(d.Username, query.Get("user"))
	password := cmp.Or(string(d.Password), query.Get("password"))
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	u.RawQuery = l.parameters(query).Encode()
	c.Database.URL = Secret(u.String())
	l.sources["database/url"] = l.sources["spring/datasource/url"]
	return nil
}

// parameters translates those of the Java driver that have a counterpart; the others are named in a warning.
func (l *loader) parameters(theirs url.Values) url.Values {
	ours := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		value := theirs.Get(name)
		switch name {
		case "user", "password":
		case "sslmode":
			ours.Set("sslmode", value)
		case "ssl":
			if value != "false" && !theirs.Has("sslmode") {
				ours.Set("sslmode", "verify-full")
			}
		case "currentSchema":
			ours.Set("search_path", value)
		case "connectTimeout":
			ours.Set("connect_timeout", value)
		case "ApplicationName":
			ours.Set("application_name", value)
		default:
			l.dropped = append(l.dropped, "parameter "+name+" of spring.datasource.url does nothing here")
		}
	}
	return ours
}
