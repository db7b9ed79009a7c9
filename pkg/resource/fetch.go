package resource

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Bounds of a download, where the configuration does not say otherwise.
const (
	defaultConnectTimeout = 10 * time.Second
	defaultRequestTimeout = time.Minute
	maxRedirects          = 10
	maxSmallFile          = 16 << 20 // bytes of metadata
	userAgent             = "skiff"
)

var (
	errTooLarge = errors.New("it is larger than allowed")
	errNoSuch   = errors.New("not found")
	errSilent   = errors.New("nothing came for a while")
)

// fetcher makes requests.
type fetcher struct {
	client  *http.Client
	silence time.Duration // the longest time without a byte
	clock   func() time.Time
}

type proxyKey struct{}

// newFetcher makes a fetcher; the proxy of a request comes with its context, see order.proxy.
func newFetcher(connect, silence time.Duration, clock func() time.Time) *fetcher {
	if connect <= 0 {
		connect = defaultConnectTimeout
	}
	if silence <= 0 {
		silence = defaultRequestTimeout
	}
	transport := &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if choose, ok := r.Context().Value(proxyKey{}).(func(*http.Request) (*url.URL, error)); ok {
				return choose(r)
			}
			return http.ProxyFromEnvironment(r)
		},
		DialContext:            (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout:    connect,
		ResponseHeaderTimeout:  silence,
		MaxResponseHeaderBytes: 1 << 20,
		IdleConnTimeout:        10 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	// Repositories of Maven may be folders. Nothing that a server says leads to one: see redirect.
	transport.RegisterProtocol("file", http.NewFileTransport(http.Dir("/"))) //nolint:gosec // the configuration names it
	return &fetcher{
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		silence: silence, clock: clock,
	}
}

// order is one file to fetch.
type order struct {
	url    *url.URL
	user   *url.Userinfo                         // sent to the host of url only
	header http.Header                           // more headers, sent to the host of url only
	proxy  func(*http.Request) (*url.URL, error) // nil: as the environment says
	name   string                                // how people call the file; without credentials
	limit  int64                                 // bytes
	quiet  bool                                  // no progress: the file is small
}

// response is what came: the header, and the body unless it has not changed.
type response struct {
	header    http.Header
	unchanged bool
}

// fetch gets a file and copies it to w. Redirects are followed; to another host they carry no credentials. Errors have
// codes: CodeNotFound, CodeUnavailable for what may be better later, CodeInvalid else. They do not name the file.
func (f *fetcher) fetch(ctx context.Context, o order, w io.Writer) (response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := newIdleTimer(f.silence, func() { cancel(errSilent) })
	defer idle.stop()
	if o.proxy != nil {
		ctx = context.WithValue(ctx, proxyKey{}, o.proxy)
	}
	resp, err := f.follow(ctx, o)
	if err != nil {
		return response{}, failure(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotModified {
		return response{header: resp.Header, unchanged: true}, nil
	}
	if err := refused(resp); err != nil {
		return response{}, err
	}
	if resp.ContentLength > o.limit {
		return response{}, tooLarge(o.limit)
	}
	m := &meter{
		body: resp.Body, limit: o.limit, idle: idle, clock: f.clock,
		now: Progress{Resource: o.name, Total: resp.ContentLength}, tell: func(Progress) {},
	}
	if !o.quiet {
		m.tell = func(p Progress) { report(ctx, p) }
	}
	switch _, err := io.Copy(w, m); {
	case errors.Is(err, errTooLarge):
		return response{}, tooLarge(o.limit)
	case err != nil:
		return response{}, failure(ctx, err)
	}
	return response{header: resp.Header}, nil
}

// follow makes the request, and the requests that it is redirected to.
func (f *fetcher) follow(ctx context.Context, o order) (*http.Response, error) {
	at := o.url
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "it is no address")
		}
		if at.Scheme == o.url.Scheme && at.Host == o.url.Host {
			if o.header != nil {
				req.Header = o.header.Clone()
			}
			if o.user != nil {
				password, _ := o.user.Password()
				pair := o.user.Username() + ":" + password
				req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
			}
		}
		req.Header.Set("User-Agent", userAgent)
		req.Header.Set("Accept-Encoding", "identity") // the length is that of the file
		resp, err := f.client.Do(req)
		if err != nil {
			return nil, err
		}
		location := resp.Header.Get("Location")
		if resp.StatusCode < 300 || resp.StatusCode > 399 || location == "" {
			return resp, nil
		}
		_ = resp.Body.Close() // a redirect says what it has to say in its header
		if at, err = redirect(at, location); err != nil {
			return nil, err
		}
	}
	return nil, skipper.Errorf(skipper.CodeInvalid, "the server redirects more than %d times", maxRedirects)
}

func redirect(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the server redirects to what is no web address")
	}
	if from.Scheme == "https" && to.Scheme == "http" {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the server redirects from https to http, on the host %s", to.Host)
	}
	to.User = nil // a server does not choose who we are
	return to, nil
}

func tooLarge(limit int64) error {
	return skipper.Errorf(skipper.CodeInvalid, "it is larger than the %.1f MB allowed (resource.max-size)", float64(limit)/1e6)
}

// refused turns a status into an error; nil for success.
func refused(resp *http.Response) error {
	status := strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return skipper.Errorf(skipper.CodeNotFound, "%w", errNoSuch)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return skipper.Errorf(skipper.CodeInvalid, "the server answers %s: credentials are missing, or refused", status)
	case code == http.StatusProxyAuthRequired:
		return skipper.Errorf(skipper.CodeInvalid, "the proxy answers %s: its credentials are missing, or refused", status)
	case code >= 500 || code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests:
		return skipper.Errorf(skipper.CodeUnavailable, "the server answers %s", status)
	default:
		return skipper.Errorf(skipper.CodeInvalid, "the server answers %s", status)
	}
}

// failure says why nothing, or not all, came. Addresses are cut from the errors of net/http: they may hold credentials.
func failure(ctx context.Context, err error) error {
	if _, known := errors.AsType[*skipper.Error](err); known {
		return err
	}
	if address, ok := errors.AsType[*url.Error](err); ok {
		err = address.Err
	}
	var certificate *tls.CertificateVerificationError
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSilent):
		return skipper.Errorf(skipper.CodeUnavailable, "the server was silent for too long")
	case cause != nil:
		return skipper.Errorf(skipper.CodeUnavailable, "the download was stopped: %w", cause)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return skipper.Errorf(skipper.CodeUnavailable, "the connection ended before the file did")
	case errors.As(err, &certificate):
		return skipper.Errorf(skipper.CodeInvalid, "%w", certificate)
	case err.Error() == "Proxy Authentication Required": // net/http has no other way to say it, for https
		return skipper.Errorf(skipper.CodeInvalid, "the proxy's credentials are missing, or refused")
	}
	return skipper.Errorf(skipper.CodeUnavailable, "%w", err)
}
