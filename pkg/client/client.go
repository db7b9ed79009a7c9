// Package client speaks to a skiff server as the server's own services would be called: the same methods, the same
// errors. It starts at GET /api and follows the links it finds there; only what Skipper never linked to (cancel, scale
// and delete) is found by its documented path where the server shows no link.
//
//	c, err := client.New("http://127.0.0.1:7577")
//	releases, err := c.Listed(ctx, "")
//
// Errors are *skipper.Error with the code the server meant. The package knows nothing of the server but its answers.
package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	dialPatience = 10 * time.Second
	readPatience = time.Minute
	// The server answers a command after ten minutes at the latest, with the release as it stands.
	commandPatience = 11 * time.Minute
	maxAnswer       = 64 << 20
)

// Client is a connection to one server. Its methods may be called at the same time; each blocks until the server
// answered, the context ended or the client lost patience.
type Client struct {
	http  *http.Client
	root  *url.URL
	limit int64 // of an answer, in bytes

	mu   sync.Mutex
	seen map[string]hal.Document // documents of links, by URL: they do not change while a server runs
}

// Options say how a server is reached. What is left out has its usual value.
type Options struct {
	// Address is the server's root, with or without /api, as http://127.0.0.1:7577. A user and a password in it are sent
	// by basic authentication.
	Address string
	// Authorization gives the value of the header of that name. It is asked before the first request, and once more when
	// the server no longer takes what it gave. Nil: only what the address says.
	Authorization func(ctx context.Context) (string, error)
	// TLS is how certificates are checked and which one is shown; nil: those of the system, and none.
	TLS       *tls.Config
	UserAgent string
}

// New gives a client of the server at an address; see Options.
func New(address string) (*Client, error) { return Open(Options{Address: address}) }

// Open gives a client. Nothing is asked yet. A proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name is used.
func Open(o Options) (*Client, error) {
	root, err := parseRoot(o.Address)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       (&net.Dialer{Timeout: dialPatience}).DialContext,
		IdleConnTimeout:   readPatience,
		TLSClientConfig:   o.TLS,
		ForceAttemptHTTP2: true,
	}
	return &Client{
		http: &http.Client{Transport: &introduced{
			next: transport, agent: o.UserAgent, authorization: o.Authorization, scheme: root.Scheme, host: root.Host,
		}},
		root: root, limit: maxAnswer, seen: map[string]hal.Document{},
	}, nil
}

// URL gives the server's root, without a password.
func (c *Client) URL() string { return c.root.Redacted() }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func parseRoot(address string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	root, err := url.Parse(address)
	if err != nil || root.Host == "" || (root.Scheme != "http" && root.Scheme != "https") {
		return nil, skipper.Errorf(skipper.CodeInvalid,
			"the server's URL is not valid: give its root as http://127.0.0.1:7577 with --server or SKIFF_URL")
	}
	root.Path = strings.TrimSuffix(strings.TrimRight(root.Path, "/"), "/api")
	root.RawPath, root.RawQuery, root.Fragment = "", "", ""
	return root, nil
}
