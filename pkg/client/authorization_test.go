package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const aboutAnswer = `{"_links": {"about": {"href": "/api/about"}}, "versionInfo": {"server": {"name": "skiff", "version": "1"}}}`

func open(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.Open(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestAuthorization_IsAskedOnceAndAgainWhenItIsRefused(t *testing.T) {
	t.Parallel()
	valid := "Bearer 1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != valid || r.UserAgent() != "skiff/x" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost && len(body) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, aboutAnswer)
	}))
	t.Cleanup(server.Close)
	asked := 0
	c := open(t, client.Options{
		Address: server.URL, UserAgent: "skiff/x",
		Authorization: func(context.Context) (string, error) { asked++; return fmt.Sprintf("Bearer %d", asked), nil },
	})
	for range 2 {
		_, err := c.About(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, 1, asked)
	valid = "Bearer 2" // the token has expired
	_, err := c.About(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, asked)
	valid = "another"
	_, err = c.About(t.Context())
	require.Equal(t, skipper.CodeUnauthorized, skipper.CodeOf(err))
	require.Equal(t, 3, asked, "it is not asked for ever")
}

func TestAuthorization_FailsWithTheErrorOfWhoeverGivesIt(t *testing.T) {
	t.Parallel()
	c := open(t, client.Options{Address: "http://127.0.0.1:1", Authorization: func(context.Context) (string, error) {
		return "", skipper.Errorf(skipper.CodeUnauthorized, "no token today")
	}})
	_, err := c.About(t.Context())
	require.Equal(t, skipper.CodeUnauthorized, skipper.CodeOf(err))
	require.EqualError(t, err, "no token today")
}

func TestAuthorization_GoesToNoOtherHost(t *testing.T) {
	t.Parallel()
	leaked := ""
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, aboutAnswer)
	}))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	c := open(t, client.Options{
		Address: server.URL, Authorization: func(context.Context) (string, error) { return "Bearer secret", nil },
	})
	_, err := c.About(t.Context())
	require.NoError(t, err)
	require.Empty(t, leaked)
}

// A redirect to the same host and port in clear would show the credentials to everybody.
func TestAuthorization_GoesNowhereInClear(t *testing.T) {
	t.Parallel()
	heard := &listening{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	heard.Listener, server.Listener = server.Listener, heard
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	c := open(t, client.Options{
		Address: server.URL, Authorization: func(context.Context) (string, error) { return "Bearer secret", nil },
		TLS: &tls.Config{InsecureSkipVerify: true},
	})
	_, err := c.About(t.Context())
	require.Error(t, err, "it speaks TLS only")
	server.Close()
	require.Contains(t, heard.String(), "GET /")
	require.NotContains(t, heard.String(), "Bearer secret")
}

// listening keeps what comes in, as others on the way see it.
type listening struct {
	net.Listener

	mu   sync.Mutex
	text strings.Builder
}

func (l *listening) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return tapped{c, l}, err
}

func (l *listening) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type tapped struct {
	net.Conn

	to *listening
}

func (c tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	c.to.text.Write(b[:n])
	return n, err
}

func TestTLS_OnlyWhatIsBelieved(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, aboutAnswer)
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	_, err := open(t, client.Options{Address: server.URL}).About(t.Context())
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "its certificate is signed by an authority that is not known here")
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, err = open(t, client.Options{Address: server.URL, TLS: &tls.Config{RootCAs: roots}}).About(t.Context())
	require.NoError(t, err)
}
