package edgegap

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// DefaultBaseURL is where Edgegap answers. Paths carry their version themselves: /v1/status, /v2/deployments.
	DefaultBaseURL = "https://api.edgegap.com"
	// DefaultTimeout bounds one attempt of a call, its body included.
	DefaultTimeout = 30 * time.Second
	// DefaultAttempts is how often a call is sent at most.
	DefaultAttempts = 5
	// DefaultMaxWait is the longest pause before a repetition; a longer Retry-After ends the call instead.
	DefaultMaxWait = time.Minute
	// DefaultMaxAnswer is the longest answer that is read, in bytes.
	DefaultMaxAnswer = 32 << 20
)

// Clock tells the time and waits. Tests bring their own, so that limits and pauses take no time.
type Clock interface {
	// Now gives the time.
	Now() time.Time
	// Wait returns after d, or with the context's error when that ends first.
	Wait(ctx context.Context, d time.Duration) error
}

// Options say how a Client reaches Edgegap. Only Token is required.
type Options struct {
	// Token is the organization's API token, with or without the leading word "token".
	Token string
	// BaseURL is the root of the API, without a version; DefaultBaseURL if empty. Plain http is for this machine
	// only, unless AllowHTTP is set: the token would travel in clear.
	BaseURL string
	// AllowHTTP permits a plain http BaseURL on another machine.
	AllowHTTP bool
	// HTTPClient sends the requests; a client with bounded dialing if nil. Redirects are never followed, whatever it
	// says: the token stays with the BaseURL. A Timeout of its own counts besides Timeout here.
	HTTPClient *http.Client
	// Timeout bounds one attempt, its body included; DefaultTimeout if 0.
	Timeout time.Duration
	// Attempts is how often a call is sent at most; DefaultAttempts if 0. 1 never repeats.
	Attempts int
	// MaxWait is the longest pause before a repetition; DefaultMaxWait if 0.
	MaxWait time.Duration
	// MaxAnswer is the longest answer that is read, in bytes; DefaultMaxAnswer if 0.
	MaxAnswer int64
	// Rates are the calls per second the organization may make; what is 0 is as documented (DocumentedRates).
	Rates Rates
	// Clock is the system's if nil.
	Clock Clock
	// Random gives numbers from 0 to below 1 that spread repetitions; the runtime's generator if nil.
	Random func() float64
	// UserAgent names the program to Edgegap; "skiff" if empty.
	UserAgent string
}

// Client speaks to Edgegap for one organization. Its methods may be called at the same time; each waits for the rate
// limit, for the answer and for repetitions until the context ends. All methods return *Error.
type Client struct {
	http      *http.Client
	root      string // without a slash at the end
	authorize func() string
	timeout   time.Duration
	attempts  int
	maxWait   time.Duration
	maxAnswer int64
	limits    limits
	clock     Clock
	random    func() float64
	userAgent string
	oldFleets atomic.Bool // this Edgegap knows private-fleets:deploy only
}

// New gives a client, or an *Error of KindInvalid that names the option. It sends nothing.
func New(options Options) (*Client, error) {
	token, err := bareToken(options.Token)
	if err != nil {
		return nil, err
	}
	return newClient(options, func() string { return "token " + token })
}

// newClient builds a client. The token is kept in a function, which no way of printing looks into.
func newClient(options Options, authorize func() string) (*Client, error) {
	root, err := parseRoot(options.BaseURL, options.AllowHTTP)
	if err != nil {
		return nil, err
	}
	for name, negative := range map[string]bool{
		"Timeout": options.Timeout < 0, "Attempts": options.Attempts < 0,
		"MaxWait": options.MaxWait < 0, "MaxAnswer": options.MaxAnswer < 0, "Rates": options.Rates.negative(),
	} {
		if negative {
			return nil, invalid("configure", name, "%s is negative; use 0 for the default", name)
		}
	}
	c := &Client{
		http: ownHTTP(options.HTTPClient), root: root, authorize: authorize,
		timeout: or(options.Timeout, DefaultTimeout), attempts: or(options.Attempts, DefaultAttempts),
		maxWait: or(options.MaxWait, DefaultMaxWait), maxAnswer: or(options.MaxAnswer, DefaultMaxAnswer),
		limits: newLimits(options.Rates), clock: options.Clock, random: options.Random,
		userAgent: or(options.UserAgent, "skiff"),
	}
	if c.clock == nil {
		c.clock = systemClock{}
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	return c, nil
}

// BaseURL gives the root of the API the client speaks to.
func (c *Client) BaseURL() string { return c.root }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// String names the client without its token.
func (c *Client) String() string { return "edgegap client of " + c.root }

// GoString is String: no way of printing shows the token.
func (c *Client) GoString() string { return c.String() }

// LogValue is the client in a log: its address only.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// bareToken takes the word "token" off, which some configurations carry and others do not.
func bareToken(text string) (string, error) {
	text = strings.TrimSpace(text)
	for {
		word, rest, found := strings.Cut(text, " ")
		if !found || !strings.EqualFold(word, "token") {
			break
		}
		text = strings.TrimSpace(rest)
	}
	switch {
	case text == "" || strings.EqualFold(text, "token"):
		return "", invalid("configure", "token", "the token is empty; make one in Edgegap's dashboard and hand it in")
	case !printable(text):
		return "", invalid("configure", "token", "the token holds spaces or control characters; copy it again")
	}
	return text, nil
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func parseRoot(address string, allowHTTP bool) (string, error) {
	root, err := url.Parse(or(strings.TrimSpace(address), DefaultBaseURL))
	switch {
	case err != nil || root.Host == "" || (root.Scheme != "https" && root.Scheme != "http"):
		return "", invalid("configure", "base-url", "the base URL is not valid; give it as %s", DefaultBaseURL)
	case root.User != nil || root.RawQuery != "" || root.Fragment != "":
		return "", invalid("configure", "base-url", "the base URL holds a user, a query or a fragment; give the root only")
	case root.Scheme == "http" && !allowHTTP && !loopback(root.Hostname()):
		return "", invalid("configure", "base-url",
			"the base URL is plain http, which would show the token on the way; use https")
	}
	root.Path = strings.TrimRight(root.Path, "/")
	root.RawPath = ""
	return root.String(), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ownHTTP gives a client that never follows a redirect: the token must not go where an answer points.
func ownHTTP(given *http.Client) *http.Client {
	if given == nil {
		given = &http.Client{Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     time.Minute,
		}}
	}
	own := *given
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// or gives the value, or another where it is zero.
func or[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

type systemClock struct{}

// Now gives the system's time.
func (systemClock) Now() time.Time {
	return time.Now() //nolint:forbidigo // the default of a clock that is handed in
}

// Wait waits in real time.
func (systemClock) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

// Secret is a text that no way of printing shows. In a request to Edgegap it is sent as it is.
type Secret string

// Format prints a mark instead of the secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { writeHidden(f, string(s)) }

// LogValue is the mark in a log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden(string(s))) }

func hidden(text string) string {
	if text == "" {
		return ""
	}
	return "[hidden]"
}

func writeHidden(f fmt.State, text string) { _, _ = f.Write([]byte(hidden(text))) }
