package catalog

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const fetchTimeout = 60 * time.Second

func remoteClient() *http.Client { return &http.Client{Timeout: fetchTimeout} }

// validators are what a server said of a document, by which it can tell later whether the document changed.
type validators struct{ etag, modified string }

// document is what was found at an address.
type document struct {
	address   string // without credentials
	body      []byte
	tags      validators
	unchanged bool // the server says so; there is no body
}

// fetch reads an http, https or file URL of at most limit bytes. Errors name it without credentials: CodeUnavailable
// when it cannot be reached, CodeConflict when it does not have what is asked for.
func (s *Service) fetch(ctx context.Context, address string, limit int, tags validators) (document, error) {
	u, err := url.Parse(address)
	if err != nil {
		return document{}, skipper.Errorf(skipper.CodeInvalid, "the URL of a package repository cannot be read")
	}
	d := document{address: u.Redacted()}
	switch u.Scheme {
	case "file":
		return d.open(u.Path, limit)
	case "http", "https":
		return s.ask(ctx, d, address, limit, tags)
	default:
		return d, skipper.Errorf(skipper.CodeUnsupported,
			"%s: the URL of a package repository must begin with https:, http: or file:", d.address)
	}
}

func (d document) open(path string, limit int) (document, error) {
	f, err := os.Open(path)
	if err != nil {
		return d, skipper.Errorf(skipper.CodeConflict, "cannot read %s: %w", d.address, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return d.take(f, limit)
}

func (s *Service) ask(ctx context.Context, d document, address string, limit int, tags validators) (document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return d, skipper.Errorf(skipper.CodeInvalid, "cannot ask for %s", d.address)
	}
	if tags.etag != "" {
		req.Header.Set("If-None-Match", tags.etag)
	}
	if tags.modified != "" {
		req.Header.Set("If-Modified-Since", tags.modified)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return d, &skipper.Error{Code: skipper.CodeUnavailable, Message: "cannot reach " + d.address, Err: err}
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	d.tags = validators{etag: res.Header.Get("ETag"), modified: res.Header.Get("Last-Modified")}
	switch {
	case res.StatusCode == http.StatusOK:
		return d.take(res.Body, limit)
	case res.StatusCode == http.StatusNotModified && tags != (validators{}):
		d.unchanged = true
		return d, nil
	default:
		return d, skipper.Errorf(skipper.CodeConflict, "%s answered %s", d.address, res.Status)
	}
}

func (d document) take(r io.Reader, limit int) (document, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return d, &skipper.Error{Code: skipper.CodeUnavailable, Message: "cannot read " + d.address, Err: err}
	}
	if len(body) > limit {
		return d, skipper.Errorf(skipper.CodeConflict, "%s has more than %d bytes", d.address, limit)
	}
	d.body = body
	return d, nil
}
