package edgegaptest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
)

// errReset is what a caller sees of a connection that was dropped.
var errReset = errors.New("the connection was reset")

// Transport calls the fake without a network, whatever host is asked for. It suits tests under testing/synctest, whose
// time is that of the fake too.
func (f *Fake) Transport() http.RoundTripper { return transport{f} }

type transport struct{ fake *Fake }

// RoundTrip answers one call, or gives an error where the fake drops the connection or the caller lost patience.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	defer inner.Body.Close()
	w := &memory{header: http.Header{}, status: http.StatusOK}
	t.fake.ServeHTTP(w, inner)
	switch {
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case w.dropped:
		return nil, errReset
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1",
		ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
		Request: r,
	}, nil
}

// memory is an http.ResponseWriter that keeps the answer.
type memory struct {
	header  http.Header
	body    bytes.Buffer
	status  int
	dropped bool
}

// Header gives the answer's.
func (m *memory) Header() http.Header { return m.header }

// WriteHeader keeps the status.
func (m *memory) WriteHeader(status int) { m.status = status }

// Write keeps a part of the body.
func (m *memory) Write(content []byte) (int, error) { return m.body.Write(content) }

// Hijack notes that the connection is to be dropped.
func (m *memory) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	m.dropped = true
	here, there := net.Pipe()
	return here, nil, there.Close()
}
