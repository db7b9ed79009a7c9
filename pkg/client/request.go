package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const accept = "application/hal+json, application/json"

var errNotJSON = errors.New("something else than JSON")

// do sends a request and reads the answer into out; nil in sends no body, nil out ignores the answer's.
func (c *Client) do(ctx context.Context, method, href string, in, out any) error {
	_, err := c.ask(ctx, method, href, nil, in, out)
	return err
}

// ask is do with more headers; it gives the status of the answer, too.
func (c *Client) ask(ctx context.Context, method, href string, header http.Header, in, out any) (int, error) {
	target, err := c.resolve(href)
	if err != nil {
		return 0, err
	}
	patience := readPatience
	if method != http.MethodGet {
		patience = commandPatience
	}
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := newRequest(asked, method, target, in)
	if err != nil {
		return 0, err
	}
	maps.Copy(request.Header, header)
	status, body, err := c.exchange(request)
	if err != nil {
		return 0, c.unanswered(ctx, request, err)
	}
	if status >= http.StatusBadRequest {
		return status, restore(request, status, body)
	}
	if out == nil {
		return status, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return status, skipper.Errorf(skipper.CodeUnavailable,
			"%s answers %s %s with %w; is it the URL of a skiff server?", c.URL(), method, target.Path, errNotJSON)
	}
	return status, nil
}

// asked gives nil for a document that is whole. Any JSON object can be read as any document: one of another kind must
// not pass for an empty one of this kind.
func (c *Client) asked(whole bool, what string) error {
	if whole {
		return nil
	}
	return skipper.Errorf(skipper.CodeUnavailable, "the server at %s gave something else than the %s that was asked for; "+
		"is it a skiff server of this version?", c.URL(), what)
}

func newRequest(ctx context.Context, method string, target *url.URL, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInternal, "write the body of %s %s: %w", method, target.Path, err)
		}
		body = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInternal, "%s %s cannot be asked for: %w", method, target.Redacted(), err)
	}
	request.Header.Set("Accept", accept)
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

func (c *Client) exchange(request *http.Request) (int, []byte, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is left to be done with it
	body, err := io.ReadAll(io.LimitReader(response.Body, c.limit+1))
	if err != nil {
		return 0, nil, err
	}
	if int64(len(body)) > c.limit {
		return 0, nil, skipper.Errorf(skipper.CodeTooLarge,
			"the answer to %s %s is larger than %d bytes; ask for less", request.Method, request.URL.Path, c.limit)
	}
	return response.StatusCode, body, nil
}

// unanswered says why there is no answer. ctx is the caller's, without the client's own patience.
func (c *Client) unanswered(ctx context.Context, request *http.Request, err error) error {
	if known, ok := errors.AsType[*skipper.Error](err); ok {
		return known
	}
	dial, ok := errors.AsType[*net.OpError](err)
	unsent := ok && dial.Op == "dial"
	reading := request.Method == http.MethodGet
	switch {
	case errors.Is(ctx.Err(), context.Canceled) && reading:
		return skipper.Errorf(skipper.CodeCancelled, "stopped waiting for the server at %s", c.URL())
	case errors.Is(ctx.Err(), context.Canceled):
		return skipper.Errorf(skipper.CodeCancelled,
			"stopped waiting for the server at %s; it goes on with what was asked", c.URL())
	case ctx.Err() != nil:
		return skipper.Errorf(skipper.CodeTimeout, "the server at %s did not answer in time", c.URL())
	case unsent || reading:
		return skipper.Errorf(skipper.CodeUnavailable, "cannot reach the skiff server at %s: %s; is it running? "+
			"start one with 'skiff server' or set --server or SKIFF_URL", c.URL(), cause(err))
	default:
		return skipper.Errorf(skipper.CodeUnavailable, "the skiff server at %s gave no answer: %s; "+
			"it may have done what was asked: look before asking again", c.URL(), cause(err))
	}
}

// cause says in a few words why there is no answer; without the URL, which may hold a password.
func cause(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return untrusted(err)
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}

// untrusted says why the server's certificate is not believed.
func untrusted(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is signed by an authority that is not known here; name its certificate as the CA"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another host"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "its certificate has expired or is not valid yet"
	}
	return "its certificate cannot be verified"
}
