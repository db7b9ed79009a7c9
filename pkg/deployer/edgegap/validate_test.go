package edgegap_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	deploy "github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestValidate_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.MaxPerApp = 10
	a.config.Settings.Allowed = []string{"arena-log", "shared"}
	d := a.deployer()
	for name, c := range map[string]struct {
		change func(r *deployer.Request)
		want   []string
	}{
		"nothing": {func(*deployer.Request) {}, nil},
		"everything": {func(r *deployer.Request) {
			for key, value := range map[string]string{
				"ports": "game:7777/UDP,web:8080/WS+tls,admin:9000/TCP!check", "locations": "45.5:-73.6;35.6:139.8",
				"cpuUnits": "2048", "memory_mib": "4096", "tags": "ranked,eu", "env.MODE": "x", "secret-env.KEY": "y",
				"application": "shared", "actuator-port": "web", "link-port": "game", "webhook.ready": "https://example.com/x",
				"private-host-ids": "a,b", "recycle": "true", "upgrade-strategy": "drain", "drain-seconds": "60",
				"users[3].ip-addresses": "192.0.2.1", "restart-policy": "on-failure",
			} {
				r.Deployment[prefix+key] = value
			}
			r.Deployment["spring.cloud.deployer.memory"], r.Deployment["spring.cloud.deployer.cpu"] = "1g", "0.5"
			r.Indexed = true
		}, nil},
		"v1": {func(r *deployer.Request) {
			for key, value := range map[string]string{
				"api": "v1", "users.ip-addresses": "192.0.2.1", "filters": "country:any:Canada,Japan;city:not:Tokyo",
				"command": "/run", "arguments": "-x", "log-storage": "true",
			} {
				r.Deployment[prefix+key] = value
			}
			r.Deployment[prefix+"users.geo-coordinates"] = ""
		}, []string{"takes players by IP address only"}}, // those of the account
		"typos": {func(r *deployer.Request) {
			r.Deployment[prefix+"cpu-unit"], r.Deployment[prefix+"Port"] = "1", "2"
		}, []string{prefix + "cpu-unit is not known; did you mean " + prefix + "cpu-units?", "did you mean " + prefix + "ports?"}},
		"values": {func(r *deployer.Request) {
			for key, value := range map[string]string{
				"cpu-units": "99", "memory-mib": "x", "gpu-units": "-1", "recycle": "maybe", "on-exit": "explode", "api": "v3",
				"max-duration-minutes": "1441", "ports": "7777/UDP,a:1/SCTP,b:2/TCP+tls,c:3/UDP!check",
				"users.ip-addresses": "here", "users[1].geo-coordinates": "91:0", "tags": "skipper,äöü",
				"webhook.error": "ftp://x", "termination-grace-seconds": "4", "link-port": "nowhere", "application": "a",
			} {
				r.Deployment[prefix+key] = value
			}
		}, []string{
			`cpu-units is "99"; a number from 100`, `memory-mib is "x"`, `gpu-units is "-1"`, `recycle is "maybe"; true or false`,
			`on-exit is "explode"; replace or complete is due`, `api is "v3"; v2 or v1 is due`, "max-duration-minutes",
			`"7777/UDP" is not a port`, `"a:1/SCTP" is not a port`, "+tls is for HTTP", "a UDP port cannot be checked",
			`"here" is not an IP address`, `"91:0" is not a place`, `"skipper" is one of ours`, "is not a tag",
			"webhook.error is not an http or https URL", "termination-grace-seconds", `link-port names "nowhere"`,
			`application is "a"; a name of 3 to 64`,
		}},
		"together": {func(r *deployer.Request) {
			for key, value := range map[string]string{
				"users.ip-addresses": "192.0.2.1", "locations": "1:2", "private-fleet": "f", "private-host-ids": "h",
				"memory-mib": "4096", "command": "/run", "recycle": "true", "recycle-margin-minutes": "1440",
			} {
				r.Deployment[prefix+key] = value
			}
		}, []string{
			"exclude each other; give one", "private-fleet and", "at most twice as many MiB", "need " + prefix + "api=v1",
			"recycle-margin-minutes is not below",
		}},
		"account's": {func(r *deployer.Request) {
			r.Deployment[prefix+"registry.password-env"], r.Count = "DATABASE_URL", 11
			r.Owner.App = "other"
		}, []string{"is set for the account", "the account allows 10", "arena-other is not one that the account allows"}},
		"variables": {func(r *deployer.Request) {
			r.Properties = map[string]string{"a.b": "1", "a-b": "2", "arbitrium.x": "3", "long": strings.Repeat("x", 4097)}
			r.Deployment[prefix+"env.9lives"], r.Deployment[prefix+"env.LONG"] = "x", "y"
		}, []string{
			"make the same variable A_B", "Edgegap sets itself", "at most 4096", `"9lives", which is not the name`,
			"make the same variable LONG",
		}},
		"image, latest":  {image("docker:acme/arena"), []string{"has no tag of its own"}},
		"image, digest":  {image("docker:acme/arena@sha256:" + strings.Repeat("01", 32)), []string{"by digest"}},
		"image, odd":     {image("docker:ACME/arena:1"), []string{"is not the name of an image"}},
		"no image":       {image("maven://g:a:1.0"), []string{"resources with the scheme maven: cannot run on Edgegap"}},
		"negative count": {func(r *deployer.Request) { r.Count = -1 }, []string{"must not be negative"}},
		"long names": {func(r *deployer.Request) {
			r.Owner.Release, r.Deployment[prefix+"application"] = strings.Repeat("Ä", 200), "shared"
		}, []string{"names too long for tags"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := a.request("log")
			c.change(&r)

			err := d.Validate(t.Context(), r)

			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.False(t, deployer.Retry(err))
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			_, err = d.Deploy(t.Context(), r, nil, a.save)
			require.Error(t, err)
			require.Empty(t, a.fake.Journal(""), "nothing was asked")
		})
	}
}

func image(location string) func(r *deployer.Request) {
	return func(r *deployer.Request) { r.Resource.Location = location }
}

func TestValidate_NeedsPlacesAndPorts(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.Deployment = nil

	err := a.deployer().Validate(t.Context(), a.request("log"))

	require.ErrorContains(t, err, "nobody says where instance 0 is to run; set "+prefix+"users.ip-addresses")
	require.ErrorContains(t, err, prefix+"ports is not set")
	require.Len(t, strings.Split(err.Error(), "\n"), 2)
}

func TestNew_RefusesSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(s *deploy.Settings){
		"connection.token is empty":          func(s *deploy.Settings) { s.Token = "" },
		"token holds spaces":                 func(s *deploy.Settings) { s.Token = "a b" },
		"plain http":                         func(s *deploy.Settings) { s.BaseURL = "http://example.com" },
		"is not known; did you mean":         func(s *deploy.Settings) { s.Deployment = map[string]string{"prots": "x"} },
		"is not a port":                      func(s *deploy.Settings) { s.Deployment = map[string]string{"ports": "x"} },
		"deployment.application is not":      func(s *deploy.Settings) { s.Deployment = map[string]string{"application": "abc"} },
		"registry needs host, username":      func(s *deploy.Settings) { s.Registry.Host = "docker.io" },
		"webhook.public-url is not":          func(s *deploy.Settings) { s.PublicURL = "example.com" },
		"poll-interval-idle is below":        func(s *deploy.Settings) { s.PollIdle = 1 },
		"allowed-applications: \"x\" is not": func(s *deploy.Settings) { s.Allowed = []string{"x"} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, edgegaptest.Options{})
			change(&a.config.Settings)
			_, err := deploy.New(a.config)
			require.ErrorIs(t, err, deployer.ErrInvalid)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), edgegaptest.DefaultToken)
		})
	}
}

func TestOptions_AreAllUnderstood(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d := a.deployer()
	for _, o := range d.Options() {
		require.NotNil(t, o.Description)
		r := a.request("log")
		r.Deployment[o.ID] = ""
		if *o.Type == "java.util.Map<java.lang.String,java.lang.String>" {
			r.Deployment = map[string]string{o.ID + ".X": "y"}
		}
		require.NoError(t, d.Validate(t.Context(), r), o.ID)
	}
	require.Len(t, d.Options(), 44)
}
