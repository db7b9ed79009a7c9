package edgegap_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is time that passes only when somebody waits.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	waited []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waited = append(c.waited, d)
	return nil
}

func (c *clock) waits() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration{}, c.waited...)
}

// bundle is a client of a fake, both on one clock, with an application "arena" and a version "1.0".
type bundle struct {
	client *edgegap.Client
	fake   *edgegaptest.Fake
	clock  *clock
}

func setup(t *testing.T, fakes edgegaptest.Options, options edgegap.Options) *bundle {
	t.Helper()
	b := &bundle{clock: newClock()}
	fakes.Now = b.clock.Now
	fakes.Wait = b.clock.Wait
	var err error
	b.fake, err = edgegaptest.New(fakes)
	require.NoError(t, err)
	options.Clock = b.clock
	b.client = newClient(t, b.fake, options)
	_, err = b.client.CreateApplication(t.Context(), edgegap.ApplicationSpec{Name: "arena", Active: true})
	require.NoError(t, err)
	_, err = b.client.CreateVersion(t.Context(), "arena", version("1.0"))
	require.NoError(t, err)
	return b
}

func newClient(t *testing.T, fake *edgegaptest.Fake, options edgegap.Options) *edgegap.Client {
	t.Helper()
	options.Token = edgegaptest.DefaultToken
	if options.HTTPClient == nil {
		options.HTTPClient = &http.Client{Transport: fake.Transport()}
	}
	if options.Random == nil {
		options.Random = func() float64 { return 0.5 }
	}
	client, err := edgegap.New(options)
	require.NoError(t, err)
	return client
}

func version(name string) edgegap.VersionSpec {
	return edgegap.VersionSpec{
		Name: name, Registry: "docker.io", Image: "me/arena", Tag: name, CPUUnits: 1024, MemoryMB: 2048,
		Ports: []edgegap.VersionPort{{Port: 7777, Protocol: "UDP", Name: "game"}},
	}
}

func request(tags ...string) edgegap.DeployRequest {
	return edgegap.DeployRequest{
		Application: "arena", Version: "1.0", Users: []edgegap.User{edgegap.UserNear(45.5, -73.5)}, Tags: tags,
	}
}

// calls counts what arrived of a call.
func (b *bundle) calls(name string) int { return len(b.fake.Journal(name)) }

// deploy makes a deployment that is READY.
func (b *bundle) deploy(t *testing.T, tags ...string) string {
	t.Helper()
	id, err := b.client.Deploy(t.Context(), request(tags...))
	require.NoError(t, err)
	require.NoError(t, b.clock.Wait(t.Context(), time.Second))
	return id
}

func kind(t *testing.T, want edgegap.Kind, err error) edgegap.Error {
	t.Helper()
	var e *edgegap.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Kind, err.Error())
	require.Equal(t, want, edgegap.KindOf(err))
	require.NotContains(t, err.Error(), edgegaptest.DefaultToken)
	return *e
}

// answers is a transport that always gives the same answer.
type answers struct {
	status int
	header http.Header
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	header := a.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: readCloser{strings.NewReader(a.body)}, Request: r}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// transportFunc is a transport that is a function.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// with gives a client on a transport, on a clock of its own.
func with(t *testing.T, transport http.RoundTripper, options edgegap.Options) (*edgegap.Client, *clock) {
	t.Helper()
	own := newClock()
	options.Clock, options.HTTPClient = own, &http.Client{Transport: transport}
	return newClient(t, nil, options), own
}
