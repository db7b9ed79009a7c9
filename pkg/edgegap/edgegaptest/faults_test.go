package edgegaptest_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestRateLimitsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	require.NoError(t, b.fake.AddFleet("alpha"))
	require.NoError(t, b.fake.AddOrganization("other", "other-token"))
	for name, c := range map[string]struct {
		limit              int
		method, path, body string
	}{
		"deploy": {40, "POST", deployTo, "{}"},
		"status": {20, "GET", "/v1/status/aaaaaaaaaaaa", ""},
		"list":   {10, "GET", "/v1/deployments", ""},
		"hosts":  {10, "GET", "/v2/private-fleets/alpha/hosts", ""},
	} {
		b.pass(time.Minute)
		for range c.limit {
			got, err := b.call(c.method, c.path, c.body)
			require.NoError(t, err)
			require.NotEqual(t, 429, got.status, name)
		}
		require.Equal(t, "Too many requests", b.want(429, c.method, c.path, c.body).message(), name)
		got, err := b.call(c.method, c.path, c.body, "Authorization", "token other-token")
		require.NoError(t, err)
		require.NotEqual(t, 429, got.status, "organizations have limits of their own")
		b.pass(time.Second - time.Nanosecond)
		b.want(429, c.method, c.path, c.body)
		b.pass(time.Nanosecond)
		got, err = b.call(c.method, c.path, c.body)
		require.NoError(t, err)
		require.NotEqual(t, 429, got.status, name)
	}
	require.Equal(t, 8, b.fake.Refused())
	b.pass(time.Minute)
	for range 20 {
		b.want(400, "POST", deployTo, "{}")
		b.want(400, "POST", "/v1/deploy", "{}")
	}
	b.want(429, "POST", "/v2/private-fleets/deployments", "{}")
}

func TestRefusalsLookAsConfigured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how        edgegaptest.Refusal
		body       string
		retryAfter string
	}{
		"json":  {edgegaptest.Refusal{}, `{"message":"Too many requests"}`, ""},
		"html":  {edgegaptest.Refusal{Body: "html", RetryAfter: "seconds"}, "<html>", "1"},
		"empty": {edgegaptest.Refusal{Body: "empty", RetryAfter: "date"}, "", "Mon, 01 Jun 2026 12:00:01 GMT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, edgegaptest.Options{Refusal: c.how, Limits: edgegaptest.Limits{Other: 3}})
			b.want(200, "GET", "/v1/apps", "") // two calls were made by setup
			got := b.want(429, "GET", "/v1/apps", "")
			require.Contains(t, got.text, c.body)
			require.Equal(t, c.retryAfter, got.header.Get("Retry-After"))
		})
	}
}

func TestFaultsMeetTheCallsTheyAreFor(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	count := func() int { return len(b.fake.Started()) }
	b.fake.Script(
		edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Call: "deploy", Status: 502, Body: "<html>bad</html>"},
		edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Call: "deploy", Times: 2, RetryAfter: "3"},
		edgegaptest.Fault{Kind: edgegaptest.FaultDropBefore, Call: "deploy"},
	)
	require.Equal(t, "text/html", b.want(502, "POST", deployTo, deployBody).header.Get("Content-Type"))
	b.want(200, "GET", "/v1/deployments", "")
	require.Equal(t, "3", b.want(429, "POST", deployTo, deployBody).header.Get("Retry-After"))
	b.want(429, "POST", deployTo, deployBody)
	_, err := b.call("POST", deployTo, deployBody)
	require.Error(t, err)
	require.Zero(t, count())

	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultDropAfter, Call: "deploy"})
	_, err = b.call("POST", deployTo, deployBody)
	require.Error(t, err)
	require.Equal(t, 1, count())
	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswerAfter, Call: "deploy"})
	b.want(500, "POST", deployTo, deployBody)
	require.Equal(t, 2, count())
	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTruncate, Call: "deploy", After: 1})
	b.deploy()
	require.False(t, json.Valid([]byte(b.want(202, "POST", deployTo, deployBody).text)))
	require.Equal(t, 4, count())

	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultHideNewest, Call: "list"}, edgegaptest.Fault{Kind: edgegaptest.FaultShift, Call: "list"})
	require.InDelta(t, 3, b.want(200, "GET", "/v1/deployments", "").body["total_count"], 0)
	require.InDelta(t, 3, b.want(200, "GET", "/v1/deployments", "").body["total_count"], 0)
	require.InDelta(t, 4, b.want(200, "GET", "/v1/deployments", "").body["total_count"], 0)

	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Times: -1, Status: 503})
	b.want(503, "GET", "/v1/apps", "")
	b.want(503, "GET", "/v1/nowhere", "")
	faults := 0
	for _, entry := range b.fake.Journal("deploy") {
		if entry.Fault != "" {
			faults++
		}
		require.NotContains(t, entry.Body, edgegaptest.DefaultToken)
	}
	require.Equal(t, 7, faults)
}

func TestSlowAnswersWaitOnTheClockThatIsHandedIn(t *testing.T) {
	t.Parallel()
	var waited time.Duration
	b := setup(t, edgegaptest.Options{Wait: func(_ context.Context, d time.Duration) error {
		waited += d
		return nil
	}})
	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultSlow, Delay: time.Minute})
	b.want(200, "GET", "/v1/apps", "")
	require.Equal(t, time.Minute, waited)
}

func TestChaosIsRepeatable(t *testing.T) {
	t.Parallel()
	run := func() []int {
		b := setup(t, edgegaptest.Options{Seed: 3, Limits: edgegaptest.Limits{Deploy: -1}})
		b.fake.SetChaos(edgegaptest.Chaos{Rate: 0.5, Calls: []string{"deploy"}})
		var all []int
		for range 100 {
			got, err := b.call("POST", deployTo, deployBody)
			if err != nil {
				got.status = -1
			}
			all = append(all, got.status)
		}
		b.want(200, "GET", "/v1/apps", "")
		return all
	}
	first := run()
	require.Equal(t, first, run())
	require.Contains(t, first, 202)
	require.Contains(t, first, 502)
	require.Contains(t, first, 429)
	require.Contains(t, first, -1)
}

// hooks is a receiver of webhooks.
type hooks struct {
	mu     sync.Mutex
	states []string
}

func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct {
		State string `json:"current_status"`
	}
	if json.NewDecoder(r.Body).Decode(&body) == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.states = append(h.states, r.URL.Path+" "+body.State)
	}
}

func (h *hooks) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.states...)
}

func TestWebhooksAreSentOnceWhenTheirStateBegins(t *testing.T) {
	t.Parallel()
	received := &hooks{}
	server := httptest.NewServer(received)
	t.Cleanup(server.Close)
	b := setup(t, edgegaptest.Options{Webhooks: edgegaptest.Webhooks{Client: server.Client()}})
	body := strings.TrimSuffix(deployBody, "}") + `,"webhook_on_ready":{"url":"` + server.URL + `/ready"},` +
		`"webhook_on_error":{"url":"` + server.URL + `/error"},"webhook_on_terminated":{"url":"` + server.URL + `/end"}}`
	id, _ := b.want(202, "POST", deployTo, body).body["request_id"].(string)
	require.Zero(t, b.fake.Deliver(t.Context()))
	b.pass(time.Second)
	require.Equal(t, 1, b.fake.Deliver(t.Context()))
	require.Zero(t, b.fake.Deliver(t.Context()))
	b.want(200, "DELETE", "/v1/stop/"+id, "")
	b.pass(time.Second)
	b.fake.Deliver(t.Context())
	require.Equal(t, []string{"/ready Status.READY", "/end Status.TERMINATED"}, received.seen())
	require.Len(t, b.fake.Deliveries(), 2)

	b.want(200, "POST", "/v1/deploy", `{"app_name":"arena","ip_list":["1.2.3.4"],"webhook_url":"`+server.URL+`/v1"}`)
	b.pass(time.Second)
	require.Equal(t, 1, b.fake.Deliver(t.Context()))
	require.Equal(t, "/v1 Status.READY", received.seen()[2])
}

func TestWebhooksCanBeLostDoubledAndUnanswered(t *testing.T) {
	t.Parallel()
	received := &hooks{}
	server := httptest.NewServer(received)
	t.Cleanup(server.Close)
	run := func(webhooks edgegaptest.Webhooks, address string) *bundle {
		webhooks.Client = server.Client()
		b := setup(t, edgegaptest.Options{Webhooks: webhooks})
		b.want(202, "POST", deployTo, strings.TrimSuffix(deployBody, "}")+`,"webhook_on_ready":{"url":"`+address+`"},`+
			`"webhook_on_terminated":{"url":"`+address+`"}}`)
		b.pass(time.Second)
		b.fake.Deliver(t.Context())
		return b
	}
	run(edgegaptest.Webhooks{Drop: true}, server.URL+"/lost")
	run(edgegaptest.Webhooks{Delay: time.Hour}, server.URL+"/late")
	require.Empty(t, received.seen())
	run(edgegaptest.Webhooks{Duplicate: true}, server.URL+"/twice")
	require.Equal(t, []string{"/twice Status.READY", "/twice Status.READY"}, received.seen())
	b := run(edgegaptest.Webhooks{}, "http://127.0.0.1:1/")
	b.want(200, "DELETE", "/v1/stop/"+b.fake.Started()[0].RequestID, "")
	b.pass(time.Second)
	require.Zero(t, b.fake.Deliver(t.Context()), "who did not answer is not told again")
}

func TestControlScriptsAServedFake(t *testing.T) {
	t.Parallel()
	server, err := edgegaptest.Start(edgegaptest.Options{})
	require.NoError(t, err)
	ask := func(method, path, body string) answer {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", token)
		request.Header.Set("Content-Type", "application/json")
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return answer{text: err.Error()}
		}
		defer response.Body.Close()
		got := answer{status: response.StatusCode}
		var content json.RawMessage
		_ = json.NewDecoder(response.Body).Decode(&content)
		got.text = string(content)
		return got
	}
	require.Equal(t, 200, ask("POST", "/v1/app", appBody).status)
	require.Equal(t, 200, ask("POST", versionTo, versionBody("1", "")).status)
	require.Equal(t, 200, ask("POST", "/_fake/fleets", `{"name":"alpha","hosts":[{"id":"one"}]}`).status)
	require.Equal(t, 200, ask("GET", "/v2/private-fleets/alpha/hosts", "").status)
	require.Equal(t, 200, ask("POST", "/_fake/fates", `[{"kind":"pull-error"}]`).status)
	require.Equal(t, 202, ask("POST", deployTo, deployBody).status)
	require.Equal(t, 200, ask("POST", "/_fake/clock", `{"advance":"2s"}`).status)
	require.Contains(t, ask("GET", "/_fake/running", "").text, `"state":"Status.ERROR"`)
	require.Contains(t, ask("GET", "/_fake/started", "").text, `"state":"Status.ERROR"`)
	require.NotContains(t, ask("GET", "/_fake/started", "").text, server.Fake.Started()[0].DeleteToken)
	require.Equal(t, 200, ask("POST", "/_fake/faults", `[{"kind":"drop-after","call":"deploy"}]`).status)
	require.NotEmpty(t, ask("POST", deployTo, deployBody).text)
	require.Len(t, server.Fake.Started(), 2, "done, but the answer was dropped")
	require.Contains(t, ask("GET", "/_fake/journal?call=deploy", "").text, `"status":0`)
	require.Equal(t, 200, ask("POST", "/_fake/chaos", `{"rate":1,"faults":[{"kind":"answer","status":503}]}`).status)
	require.Equal(t, 503, ask("GET", "/v1/apps", "").status)
	require.Equal(t, "[]", ask("GET", "/_fake/deliveries", "").text)
	require.Equal(t, 400, ask("POST", "/_fake/clock", `{"advance":"soon"}`).status)
	require.Equal(t, 404, ask("POST", "/_fake/nothing", `{}`).status)
	require.Equal(t, 404, ask("GET", "/_fake/nothing", ``).status)
	require.Equal(t, 200, ask("POST", "/_fake/reset", ``).status)
	require.Empty(t, server.Fake.Started())
	require.NoError(t, server.Close())
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- edgegaptest.Serve(ctx, listener, edgegaptest.Options{Token: "mine"}) }()
	cancel()
	require.NoError(t, <-done)

	listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.Error(t, edgegaptest.Serve(t.Context(), listener, edgegaptest.Options{StateFile: t.TempDir()}))
	_, err = listener.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
