package handler_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/server/handler"
)

// fakeWebhooks takes the calls of one account.
type fakeWebhooks struct{ bodies []string }

func (f *fakeWebhooks) Webhook(platform, account, secret string) (func([]byte), bool) {
	return func(body []byte) { f.bodies = append(f.bodies, string(body)) }, platform == "edgegap" && account == "live one" && secret == "s3cr3t"
}

func TestWebhooks_AnswerOnlyWhoKnowsTheSecret(t *testing.T) {
	t.Parallel()
	f := &fakeWebhooks{}
	b := setupWith(t, func(c *handler.Config) { c.Webhooks = f })
	const right = "/api/webhooks/edgegap/live%20one/s3cr3t"
	long := strings.Repeat("x", 64<<10)
	for _, body := range []string{`{"request_id":"1"}`, "", "no json", long} {
		for _, contentType := range []string{"application/json", "text/plain", ""} {
			f.bodies = nil
			w := b.ask(http.MethodPost, right, body, "Content-Type", contentType, "Accept", "text/html")
			require.Equal(t, http.StatusNoContent, w.Code, w.Body)
			require.Empty(t, w.Body.String())
			require.Equal(t, []string{body}, f.bodies)
		}
	}
	f.bodies = nil
	w := b.ask(http.MethodPost, right, long+"x")
	require.Equal(t, http.StatusNoContent, w.Code, "it may not be called again otherwise")
	require.Empty(t, f.bodies)

	for _, wrong := range []string{
		"/api/webhooks/edgegap/live%20one/other", "/api/webhooks/edgegap/other/s3cr3t", "/api/webhooks/local/live%20one/s3cr3t",
		"/api/webhooks/edgegap/live%20one", "/api/webhooks/edgegap/live%20one/s3cr3t/more",
	} {
		w := b.ask(http.MethodPost, wrong, `{}`)
		require.Equal(t, http.StatusNotFound, w.Code, wrong)
		require.NotContains(t, w.Body.String(), "live one")
	}
	require.Equal(t, http.StatusMethodNotAllowed, b.ask(http.MethodGet, right, "").Code)
	require.Empty(t, f.bodies)
	require.NotContains(t, b.log.String(), "s3cr3t")
}

func TestWebhooks_OfAServerThatNobodyCalls(t *testing.T) {
	t.Parallel()
	require.Equal(t, http.StatusNotFound, setup(t).ask(http.MethodPost, "/api/webhooks/edgegap/live/s3cr3t", "{}").Code)
}

func TestWithoutSecret(t *testing.T) {
	t.Parallel()
	require.Equal(t, "/api/webhooks/…", handler.WithoutSecret("/api/webhooks/edgegap/live/s3cr3t"))
	require.Equal(t, "/api/release/list", handler.WithoutSecret("/api/release/list"))
}
