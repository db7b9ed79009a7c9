package config

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Edgegap holds the accounts that run game servers on Edgegap.
type Edgegap struct {
	Accounts map[string]EdgegapAccount `koanf:"accounts"` // by name; none unless configured
}

// EdgegapAccount says how one organization of Edgegap is used.
type EdgegapAccount struct {
	// Connection says how Edgegap is reached.
	Connection EdgegapConnection `koanf:"connection"`
	// Registry is the login of the registry where private images are; it is sent for images of that host only.
	Registry EdgegapRegistry `koanf:"registry"`
	// Deployment holds deployment properties, without spring.cloud.deployer.edgegap., for applications without them.
	Deployment Properties `koanf:"deployment"`
	// MaxConcurrentDeployments bounds the instances of the account; default 0: no bound.
	MaxConcurrentDeployments int `koanf:"max-concurrent-deployments"`
	// MaxInstancesPerApp bounds the instances of one application; default 0: no bound.
	MaxInstancesPerApp int `koanf:"max-instances-per-app"`
	// AllowedApplications are the applications of Edgegap that may be used; default: all.
	AllowedApplications []string `koanf:"allowed-applications"`
	// Webhook says whether Edgegap tells of changes by itself.
	Webhook EdgegapWebhook `koanf:"webhook"`
	// PollInterval is the least time between two looks at the account while something changes; default 5s.
	PollInterval time.Duration `koanf:"poll-interval"`
	// PollIntervalIdle is the same while nothing changes; default 30s.
	PollIntervalIdle time.Duration `koanf:"poll-interval-idle"`
	// StatusStaleness is how long the last look is good when Edgegap cannot be asked; default 60s.
	StatusStaleness time.Duration `koanf:"status-staleness"`
}

// EdgegapConnection says how Edgegap is reached. The token is given as it is or as the name of a variable.
type EdgegapConnection struct {
	BaseURL    string        `koanf:"base-url"`    // default https://api.edgegap.com
	Token      Secret        `koanf:"token"`       // the organization's API token
	TokenEnv   string        `koanf:"token-env"`   // the environment variable that holds it
	Timeout    time.Duration `koanf:"timeout"`     // of one attempt of a call; default 30s
	MaxRetries int           `koanf:"max-retries"` // of a call that may be repeated without harm; default 4
	Rate       EdgegapRate   `koanf:"rate"`
}

// EdgegapRate bounds the calls in any second; they count for the whole organization, other programs included.
type EdgegapRate struct {
	Deploy int `koanf:"deploy"` // default 40
	Status int `koanf:"status"` // default 20
	List   int `koanf:"list"`   // default 10
	Hosts  int `koanf:"hosts"`  // default 10
	Other  int `koanf:"other"`  // default 10
}

// EdgegapRegistry is the login of a registry, for images of its host only.
type EdgegapRegistry struct {
	Host        string `koanf:"host"` // as registry.edgegap.com
	Username    string `koanf:"username"`
	Password    Secret `koanf:"password"`
	PasswordEnv string `koanf:"password-env"` // the environment variable that holds the password
}

// EdgegapWebhook says where Edgegap may call this server.
type EdgegapWebhook struct {
	PublicURL string `koanf:"public-url"` // root of this server as seen from outside; default empty: no webhooks
}

// Properties are entries whose names may hold dots, so that they can be nested.
type Properties map[string]string

func defaultEdgegapAccount() EdgegapAccount {
	return EdgegapAccount{
		Connection: EdgegapConnection{
			BaseURL: "https://api.edgegap.com", Timeout: 30 * time.Second, MaxRetries: 4,
			Rate: EdgegapRate{Deploy: 40, Status: 20, List: 10, Hosts: 10, Other: 10},
		},
		PollInterval: 5 * time.Second, PollIntervalIdle: 30 * time.Second, StatusStaleness: time.Minute,
	}
}

func (c *check) edgegap(a EdgegapAccount, key string) {
	n := a.Connection
	u, err := url.Parse(n.BaseURL)
	c.must(err == nil && u.Host != "" && slices.Contains([]string{"https", "http"}, u.Scheme) && u.User == nil,
		key+"connection.base-url", "be the address of Edgegap, as https://api.edgegap.com")
	c.must((n.Token == "") != (n.TokenEnv == ""), key+"connection.token",
		"be set, or connection.token-env name the variable that holds it, and not both")
	c.between(n.Timeout, time.Second, 10*time.Minute, key+"connection.timeout")
	c.must(n.MaxRetries >= 0 && n.MaxRetries <= 20, key+"connection.max-retries", "be from 0 to 20")
	for _, rate := range []struct {
		name  string
		value int
	}{
		{"deploy", n.Rate.Deploy},
		{"status", n.Rate.Status},
		{"list", n.Rate.List},
		{"hosts", n.Rate.Hosts},
		{"other", n.Rate.Other},
	} {
		c.must(rate.value >= 1 && rate.value <= 1000, key+"connection.rate."+rate.name, "be from 1 to 1000")
	}
	r := a.Registry
	named := r.Host != "" || r.Username != "" || r.Password != "" || r.PasswordEnv != ""
	c.must(!named || r.Host != "" && r.Username != "" && (r.Password == "") != (r.PasswordEnv == ""), key+"registry",
		"have host, username, and password or password-env")
	c.must(a.MaxConcurrentDeployments >= 0, key+"max-concurrent-deployments", "not be negative")
	c.must(a.MaxInstancesPerApp >= 0, key+"max-instances-per-app", "not be negative")
	c.must(a.Webhook.PublicURL == "" || strings.HasPrefix(a.Webhook.PublicURL, "http"), key+"webhook.public-url",
		"be the address of this server as seen from outside, as https://skiff.example.com")
	c.between(a.PollInterval, 100*time.Millisecond, time.Hour, key+"poll-interval")
	c.between(a.PollIntervalIdle, a.PollInterval, time.Hour, key+"poll-interval-idle")
	c.between(a.StatusStaleness, a.PollInterval, time.Hour, key+"status-staleness")
}
