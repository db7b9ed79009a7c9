package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestErrors_AreRestored(t *testing.T) {
	t.Parallel()
	const class = "org.springframework.cloud.skipper."
	busy := skipper.Busy("UPGRADE", "").Message
	body := func(exception, message, more string) string {
		return fmt.Sprintf(`{"timestamp":"2026-11-22T22:50:05.231+00:00","exception":%q,"message":%q,"path":"/x"%s}`,
			class+exception, message, more)
	}
	only := func(code skipper.Code) skipper.Error { return skipper.Error{Code: code, Message: "m"} }
	tests := map[string]struct {
		status int
		body   string
		want   skipper.Error
	}{
		"no such release": {
			404, body("ReleaseNotFoundException", "Release with the name [x] doesn't exist", `,"releaseName":"x"`),
			*skipper.ReleaseNotFound("x", 0),
		},
		"no such version": {
			404, body("ReleaseNotFoundException", "gone", `,"releaseName":"x","version":3`),
			skipper.Error{Code: skipper.CodeReleaseNotFound, Message: "gone", ReleaseName: "x", ReleaseVersion: 3},
		},
		"package in use": {409, body("PackageDeleteException", "m", ""), only(skipper.CodePackageDelete)},
		"no difference":  {409, body("ReleaseUpgradeException", "m", ""), only(skipper.CodeReleaseUpgrade)},
		"busy": {
			409, body("SkipperException", busy, `,"_links":{"operation":{"href":"http://h/api/operations/op-7"}}`),
			skipper.Error{Code: skipper.CodeBusy, Message: busy, OperationID: "op-7"},
		},
		"busy, of Skipper itself": {
			409, body("SkipperException", busy, ""), skipper.Error{Code: skipper.CodeBusy, Message: busy},
		},
		"an operation failed": {
			409, body("SkipperException", "m", `,"_links":{"operation":{"href":"http://h/api/operations/op-7"}}`),
			skipper.Error{Code: skipper.CodeConflict, Message: "m", OperationID: "op-7"},
		},
		"no such package": {
			409, body("SkipperException", "Can not find a package named 'p'", ""),
			skipper.Error{Code: skipper.CodeNotFound, Message: "Can not find a package named 'p'"},
		},
		"no such package version": {
			409, body("SkipperException", "Can not find package 'p', version '2'", ""),
			skipper.Error{Code: skipper.CodeNotFound, Message: "Can not find package 'p', version '2'"},
		},
		"no such platform": {
			409, body("SkipperException", "No deployer named 'p'", ""),
			skipper.Error{Code: skipper.CodeNotFound, Message: "No deployer named 'p'"},
		},
		"no such package id": {
			409, body("SkipperException", "Package with id='7' can not be found.", ""),
			skipper.Error{Code: skipper.CodeNotFound, Message: "Package with id='7' can not be found."},
		},
		"no such local repository": {
			409, body("SkipperException", "Could not find local repository to upload to named r", ""),
			skipper.Error{Code: skipper.CodeNotFound, Message: "Could not find local repository to upload to named r"},
		},
		"conflict":     {409, body("SkipperException", "m", ""), only(skipper.CodeConflict)},
		"invalid":      {400, body("SkipperException", "m", ""), only(skipper.CodeInvalid)},
		"media type":   {415, body("SkipperException", "m", ""), only(skipper.CodeInvalid)},
		"unauthorized": {401, body("SkipperException", "m", ""), only(skipper.CodeUnauthorized)},
		"forbidden":    {403, body("SkipperException", "m", ""), only(skipper.CodeForbidden)},
		"not found":    {404, body("SkipperException", "m", ""), only(skipper.CodeNotFound)},
		"method":       {405, body("SkipperException", "m", ""), only(skipper.CodeUnsupported)},
		"unsupported":  {501, body("SkipperException", "m", ""), only(skipper.CodeUnsupported)},
		"too large":    {413, body("SkipperException", "m", ""), only(skipper.CodeTooLarge)},
		"unavailable":  {503, body("SkipperException", "m", ""), only(skipper.CodeUnavailable)},
		"timeout":      {504, body("SkipperException", "m", ""), only(skipper.CodeTimeout)},
		"internal":     {500, body("SkipperException", "m", ""), only(skipper.CodeInternal)},
		"a proxy": {
			502, "<html>bad gateway</html>",
			skipper.Error{Code: skipper.CodeUnavailable, Message: "the server answers 502 Bad Gateway to GET /api/about"},
		},
		"empty": {
			404, "", skipper.Error{Code: skipper.CodeNotFound, Message: "the server answers 404 Not Found to GET /api/about"},
		},
		"unknown path": {
			404, `{"status":404,"message":"No message available"}`,
			skipper.Error{Code: skipper.CodeNotFound, Message: "the server answers 404 Not Found to GET /api/about"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := serve(t, map[string]string{"GET /api/about": fmt.Sprintf("!%d%s", test.status, test.body)})
			_, err := c.About(t.Context())
			e := &skipper.Error{}
			require.ErrorAs(t, err, &e)
			require.Empty(t, cmp.Diff(test.want, *e, cmpopts.EquateErrors()))
		})
	}
}

func TestErrors_NobodyListens(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	c, err := client.New("http://me:secret@" + address)
	require.NoError(t, err)
	_, err = c.Listed(t.Context(), "")
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "cannot reach the skiff server at http://me:xxxxx@"+address+
		": connection refused; is it running? "+
		"start one with 'skiff server' or set --server or SKIFF_URL")
	require.NotContains(t, err.Error(), "secret")
}

func TestErrors_OfTheCallersContext(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 1), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer s.Close()
	defer close(release)
	c, err := client.New(s.URL)
	require.NoError(t, err)
	defer c.Close()

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err = c.About(ctx)
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(err))
	require.ErrorContains(t, err, "stopped waiting for the server")

	late, done := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer done()
	_, err = c.About(late)
	require.Equal(t, skipper.CodeTimeout, skipper.CodeOf(err))
}

func TestErrors_ACommandWithoutAnswerMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`{"_links": {"release": {"href": "/r"}, "upgrade": {"href": "/u"}}}`))
			return
		}
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	c, err := client.New(s.URL)
	require.NoError(t, err)
	defer c.Close()
	_, _, err = c.Upgrade(t.Context(), skipper.UpgradeRequest{})
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "the connection was closed; it may have done what was asked: look before asking again")
}

func TestErrors_AnswersThatAreNone(t *testing.T) {
	t.Parallel()
	_, c := serve(t, map[string]string{"GET /api/about": "<html>hello</html>"})
	_, err := c.About(t.Context())
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "is it the URL of a skiff server?")

	_, c = serve(t, map[string]string{"GET /api": `{"_links": {
		"about": {"href": "/{unclosed", "templated": true}, "package": {"href": ":"}}}`})
	_, err = c.About(t.Context())
	require.ErrorContains(t, err, "no URI template")
	require.ErrorContains(t, c.DeletePackage(t.Context(), "p"), "no URL")

	_, c = serve(t, map[string]string{"GET /api/release/list": `{"_embedded": {"releases": [{"name": 1}]}}`})
	_, err = c.Listed(t.Context(), "")
	require.ErrorContains(t, err, "list of releases cannot be read")
}

func TestErrors_AServerThatIsNotSkiff(t *testing.T) {
	t.Parallel()
	for answer, why := range map[string]string{
		"!404<html>no such page</html>":     "it answered 404",
		`!404{"message": "page not found"}`: "it answered 404",
		"!405":                              "the server answers 405 Method Not Allowed to GET /api",
		"!400":                              "the server answers 400 Bad Request to GET /api",
		"<html>hello</html>":                "it answered with something else than JSON",
		"":                                  "it answered with something else than JSON",
		"[]":                                "it answered with something else than JSON",
		`{"hello": "world"}`:                "it answered without links",
	} {
		f, c := serve(t, map[string]string{"GET /api": answer})
		_, err := c.Status(t.Context(), "hello", 0)
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), answer)
		require.EqualError(t, err, "no skiff server at "+f.URL+" ("+why+"); set --server or SKIFF_URL")
	}
	_, c := serve(t, map[string]string{"GET /api": "!401"})
	_, err := c.About(t.Context())
	require.Equal(t, skipper.CodeUnauthorized, skipper.CodeOf(err))
}

// Any JSON object can be read as any document: one of another kind must not pass for an empty one of this kind.
func TestErrors_ADocumentOfAnotherKind(t *testing.T) {
	t.Parallel()
	_, c := serve(t, map[string]string{
		"GET /api/release/status/hello":               `{"_links": {}}`,
		"GET /api/release/manifest/hello":             `{"_links": {}}`,
		"GET /api/release/logs/hello":                 `{"_links": {}}`,
		"GET /api/release/list":                       `{"_embedded": {"releases": [{"id": 1}]}}`,
		"GET /api/releases/search/history?name=hello": `{"_embedded": {"releases": [{"name": "hello"}]}}`,
		"GET /api/operations/op-7":                    `{"_links": {}}`,
		"POST /api/release/upgrade":                   `{"name": "hello", "version": 1, "info": {}}`,
		"DELETE /api/release/hello":                   `{"version": 1, "info": {"status": {"statusCode": "DELETED"}}}`,
	})
	ctx := t.Context()
	refused := func(what string, err error) {
		t.Helper()
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
		require.ErrorContains(t, err, "gave something else than the "+what+" that was asked for; "+
			"is it a skiff server of this version?")
	}
	_, err := c.Status(ctx, "hello", 0)
	refused("status", err)
	_, err = c.Manifest(ctx, "hello", 0)
	refused("manifest", err)
	_, err = c.Logs(ctx, "hello")
	refused("logs", err)
	_, err = c.Listed(ctx, "")
	refused("release", err)
	_, err = c.History(ctx, "hello")
	refused("release", err)
	_, err = c.Operation(ctx, "op-7")
	refused("operation", err)
	_, _, err = c.Upgrade(ctx, skipper.UpgradeRequest{})
	refused("release", err)
	_, _, err = c.Delete(ctx, "hello", false)
	refused("release", err)
}

func TestErrors_AnAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	_, c := serve(t, map[string]string{"GET /api/about": `{"x":"` + strings.Repeat("x", 5000) + `"}`})
	client.SetLimit(c, 5000)
	_, err := c.About(t.Context())
	require.Equal(t, skipper.CodeTooLarge, skipper.CodeOf(err))
	require.ErrorContains(t, err, "GET /api/about is larger than 5000 bytes")
}
