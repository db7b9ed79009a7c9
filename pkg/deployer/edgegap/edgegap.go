// Package edgegap runs applications as game servers at the edge, on Edgegap. An instance is a deployment of Edgegap, an
// application is an application there, and what of a request concerns the container is a version whose name follows from
// its content, so that a rollback finds the version it had.
//
// Every deployment carries tags that say whose it is (see tags.go). Before a deployment is asked for, its nonce is saved
// in the handle; an answer that is lost leads to a look for the nonce, never to a second server. Nothing is ever stopped
// by tags in bulk: only by request id.
//
// Deployments end after a day. Maintain renews them in time where the application asks for it (recycle), and replaces
// those that ended unasked.
//
//	d, err := edgegap.New(edgegap.Config{Account: "live", Installation: id, Settings: …, Clock: …, Logger: log})
package edgegap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

// Config is what a deployer needs. Account, Installation, Settings with a token, Clock and Logger are required.
type Config struct {
	Account      string // name of the platform account
	Installation string // tags of another installation are not ours
	Settings     Settings
	Clock        func() time.Time
	// Wait waits for limits and before repetitions; nil: with a timer.
	Wait       func(ctx context.Context, d time.Duration) error
	HTTPClient *http.Client // nil: one of the client's own
	Logger     *slog.Logger
}

// Settings are those of an account (edgegap.md 11.2). Zero values are the defaults.
type Settings struct {
	BaseURL   string // default https://api.edgegap.com
	AllowHTTP bool   // permits a plain http BaseURL on another machine
	// Token is the organization's API token; it is required.
	Token   edgegap.Secret
	Timeout time.Duration // of one attempt of a call; default 30s
	// MaxRetries is how often a call is repeated at most, where that does no harm; default 4, less than 0: never.
	MaxRetries int
	Rates      edgegap.Rates // calls in any second; default: as documented
	// Deployment holds deployment properties without their prefix, for requests that do not have them.
	Deployment map[string]string
	// Registry is where images need a login; its password goes nowhere else.
	Registry Registry
	// MaxConcurrent bounds the instances of the account and MaxPerApp those of one deployment; 0: no bound.
	MaxConcurrent, MaxPerApp int
	// Allowed are the applications that may be used, as Edgegap names them; none: all.
	Allowed []string
	// PublicURL is where this server is reached from outside; with it Edgegap is asked for webhooks.
	PublicURL string
	// PollInterval and PollIdle are the least time between two looks at the account, while something changes and
	// otherwise; default 5s and 30s.
	PollInterval, PollIdle time.Duration
	// Staleness is how long the last look is good when Edgegap cannot be asked; default 60s.
	Staleness time.Duration
}

// Registry is a login for images.
type Registry struct {
	Host     string // as registry.edgegap.com or docker.io; images of other hosts get no login
	Username string
	Password edgegap.Secret
}

const (
	defaultPoll      = 5 * time.Second
	defaultIdle      = 30 * time.Second
	defaultStaleness = time.Minute
	// settle is how long a deployment may be missing from lists after it was asked for. An unanswered deploy is not
	// repeated, nor taken for gone, before it has passed.
	settle = 15 * time.Second
)

// Deployer runs applications on one Edgegap account.
type Deployer struct {
	Config

	client   *edgegap.Client
	owner    string // tag of all that is ours
	secret   string // last part of the webhook's path
	defaults map[string]string
	began    time.Time

	mu       sync.Mutex
	versions map[[2]string]bool // application and version that exist, as far as we know
	logins   map[[2]string]bool // versions whose registry password was set anew since the start
	view     view
	looking  chan struct{} // held by whoever looks at the account
}

var (
	_ deployer.Deployer   = (*Deployer)(nil)
	_ deployer.Actuator   = (*Deployer)(nil)
	_ deployer.Maintainer = (*Deployer)(nil)
	_ deployer.Drainer    = (*Deployer)(nil)
	_ deployer.Hinter     = (*Deployer)(nil)
)

// New makes a deployer, without asking Edgegap anything. ErrInvalid names all settings that are wrong.
func New(c Config) (*Deployer, error) {
	s := &c.Settings
	s.PollInterval, s.PollIdle = or(s.PollInterval, defaultPoll), or(s.PollIdle, defaultIdle)
	s.Staleness = or(s.Staleness, defaultStaleness)
	defaults, err := s.check()
	if err != nil {
		return nil, err
	}
	attempts := 0 // the client's default
	if s.MaxRetries > 0 {
		attempts = s.MaxRetries + 1
	} else if s.MaxRetries < 0 {
		attempts = 1
	}
	client, err := edgegap.New(edgegap.Options{
		Token: string(s.Token), BaseURL: s.BaseURL, AllowHTTP: s.AllowHTTP, HTTPClient: c.HTTPClient, Timeout: s.Timeout,
		Attempts: attempts, Rates: s.Rates, Clock: waiter{c.Clock, c.Wait},
	})
	if err != nil {
		return nil, fault("configure", err)
	}
	return &Deployer{
		Config: c, client: client, owner: ownerTag(c.Installation, c.Account), defaults: defaults,
		secret: webhookSecret(string(s.Token), c.Installation, c.Account),
		began:  c.Clock(), versions: map[[2]string]bool{}, logins: map[[2]string]bool{}, view: newView(), looking: make(chan struct{}, 1),
	}, nil
}

// Type is edgegap.
func (d *Deployer) Type() string { return "edgegap" }

// Describe shows where the account is and how it is bounded.
func (d *Deployer) Describe() string {
	s := d.Settings
	return fmt.Sprintf("BaseUrl = [%s], MaxConcurrentDeployments = [%d], AllowedApplications = [%s], Webhooks = [%t]",
		d.client.BaseURL(), s.MaxConcurrent, strings.Join(s.Allowed, ","), s.PublicURL != "")
}

var plainText = regexp.MustCompile(`^[\x20-\x7e]*$`)

// ID is group.name. ErrInvalid when a part is missing, or it gets longer than 255 bytes.
func (d *Deployer) ID(r deployer.Request) (string, error) {
	id := r.Group + "." + r.Name
	switch {
	case r.Group == "" || r.Name == "":
		return "", deployer.Errorf(deployer.ErrInvalid, "a deployment needs a group and a name, found %q", id)
	case len(id) > 255 || !plainText.MatchString(id):
		return "", deployer.Errorf(deployer.ErrInvalid,
			"deployment id %q is longer than 255 bytes or not plain ASCII; use another release name", id)
	}
	return id, nil
}

// Ping asks for one application, which tells whether the token is good.
func (d *Deployer) Ping(ctx context.Context) error {
	_, err := d.client.ListApplications(ctx, edgegap.Paging{Limit: 1})
	return fault("ask the account", err)
}

// Close lets go of idle connections; deployments keep running.
func (d *Deployer) Close(context.Context) error {
	d.client.Close()
	return nil
}

// waiter is the clock of the client.
type waiter struct {
	now  func() time.Time
	wait func(ctx context.Context, d time.Duration) error
}

// Now tells the time.
func (w waiter) Now() time.Time { return w.now() }

// Wait returns after d, or with the context's error when that ends first.
func (w waiter) Wait(ctx context.Context, d time.Duration) error {
	if w.wait != nil {
		return w.wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err()
}

// or gives the value, or another where it is zero.
func or[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}
