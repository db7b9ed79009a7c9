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

// New gives a client of the server at an address: its root, with or without /api, as http://127.0.0.1:7577.
func New(address string) (*Client, error) {
	root, err := parseRoot(address)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		DialContext:     (&net.Dialer{Timeout: dialPatience}).DialContext,
		IdleConnTimeout: readPatience,
	}
	return &Client{
		http: &http.Client{Transport: transport}, root: root, limit: maxAnswer, seen: map[string]hal.Document{},
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
