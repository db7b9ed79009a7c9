package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// answering is a server with an index, whose other answers serve gives.
func answering(t *testing.T, serve http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api":
			_, _ = io.WriteString(w, `{"_links": {"release": {"href": "/r"}, "package": {"href": "/p"},
				"operation": {"href": "/o/{id}", "templated": true},
				"operations": {"href": "/o{?releaseName,kind,outcome,state,page,size,sort}", "templated": true}}}`)
		case "/r":
			_, _ = io.WriteString(w, `{"_links": {"upgrade": {"href": "/r/upgrade"}}}`)
		case "/p":
			_, _ = io.WriteString(w, `{"_links": {"install": {"href": "/p/install"}}}`)
		default:
			serve(w, r)
		}
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

const queuedAnswer = `{"id": "op-2", "kind": "upgrade", "state": "QUEUED", "outcome": "queued",
	"_links": {"self": {"href": "/o/op-2"}, "operation": {"href": "/o/op-2"}}}`

func TestCommandOptions_AreSentAndAQueuedCommandHasAnOperationOnly(t *testing.T) {
	t.Parallel()
	var got *http.Request
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(t.Context())
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, queuedAnswer)
	})
	o := skipper.CommandOptions{
		OnConflict: skipper.ConflictSupersede, IdempotencyKey: "key", HealthGate: true, Timeout: new(int64(1500)),
	}
	for path, command := range map[string]func() (skipper.Release, string, error){
		"POST /p/install": func() (skipper.Release, string, error) {
			return c.Install(t.Context(), skipper.InstallRequest{}, o)
		},
		"POST /r/upgrade": func() (skipper.Release, string, error) {
			return c.Upgrade(t.Context(), skipper.UpgradeRequest{}, o)
		},
		"POST /r/rollback": func() (skipper.Release, string, error) {
			return c.Rollback(t.Context(), skipper.RollbackRequest{}, o)
		},
		"POST /r/scale/one": func() (skipper.Release, string, error) {
			return c.Scale(t.Context(), "one", skipper.ScaleRequest{}, o)
		},
		"DELETE /r/one": func() (skipper.Release, string, error) { return c.Delete(t.Context(), "one", false, o) },
		"DELETE /r/one/package": func() (skipper.Release, string, error) {
			return c.Delete(t.Context(), "one", true, o)
		},
	} {
		release, operation, err := command()
		require.NoError(t, err, path)
		require.Empty(t, cmp.Diff(skipper.Release{}, release))
		require.Equal(t, "/o/op-2", operation)
		require.Equal(t, path, got.Method+" "+got.URL.Path)
		require.Equal(t, "healthGate=true&onConflict=supersede&timeout=1500", got.URL.RawQuery)
		require.Equal(t, "key", got.Header.Get("Idempotency-Key"))
	}
	got = nil
	_, _, err := c.Install(t.Context(), skipper.InstallRequest{}, skipper.CommandOptions{OnConflict: "wait"})
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
	require.Nil(t, got, "it is not sent")
	_, _, err = c.Install(t.Context(), skipper.InstallRequest{})
	require.NoError(t, err)
	require.Empty(t, got.URL.RawQuery)
	require.Empty(t, got.Header.Values("Idempotency-Key"))
}

func TestOperation_CancelAndRetry(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.RequestURI {
		case "GET /o/op-1": // has a link for one of them; the other one's path is the documented one
			_, _ = io.WriteString(w, `{"id": "op-1", "outcome": "running", "_links": {"cancel": {"href": "/o/stop/op-1"}}}`)
		case "POST /o/op-1/retry?onConflict=queue":
			_, _ = io.WriteString(w, queuedAnswer)
		case "POST /o/stop/op-1":
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id": "op-1", "outcome": "running", "cancelRequested": true}`)
		default:
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"message": "Statemachine is not in state ready to do UPGRADE",
				"_links": {"operation": {"href": "http://x/o/op-0"}}}`)
		}
	})
	op, err := c.CancelOperation(t.Context(), "op-1")
	require.NoError(t, err)
	require.True(t, op.Cancel)
	op, err = c.RetryOperation(t.Context(), "/o/op-1", skipper.CommandOptions{OnConflict: skipper.ConflictQueue})
	require.NoError(t, err)
	require.Equal(t, "op-2", op.ID)
	_, err = c.RetryOperation(t.Context(), "op-1")
	busy, ok := errors.AsType[*skipper.Error](err)
	require.True(t, ok)
	require.Equal(t, skipper.CodeBusy, busy.Code)
	require.Equal(t, "op-0", busy.OperationID)
}

func TestFindOperations_SendsTheFilterAndReadsAPage(t *testing.T) {
	t.Parallel()
	asked := ""
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		_, _ = io.WriteString(w, `{"_embedded": {"operations": [{"id": "a"}, {"id": "b"}]},
			"page": {"size": 2, "totalElements": 7, "totalPages": 4, "number": 1}}`)
	})
	page, err := c.FindOperations(t.Context(), skipper.OperationFilter{
		ReleaseName: "one two", Kinds: []skipper.Kind{"install", "scale"}, Outcomes: []skipper.Outcome{"queued"},
		States: []skipper.State{"QUEUED"},
	}, skipper.PageRequest{Page: 1, Size: 2, Sort: []skipper.Sort{{Property: "created", Descending: true}}})
	require.NoError(t, err)
	require.Equal(t, 7, page.Total)
	require.Len(t, page.Items, 2)
	require.Equal(t, "releaseName=one%20two&kind=install%2Cscale&outcome=queued&state=QUEUED&page=1&size=2&sort=created%2Cdesc", asked)
	_, err = c.FindOperations(t.Context(), skipper.OperationFilter{}, skipper.PageRequest{})
	require.NoError(t, err)
	require.Equal(t, "page=0", asked)
}

func TestOperationDetail_HasStepsAndWhatItWaitsBehind(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id": "op-1", "outcome": "queued", "waitsFor": "operation op-0",
			"steps": [{"state": "QUEUED", "began": "2026-01-02T03:04:05Z", "ended": null, "tries": 0}],
			"_links": {"waitsFor": {"href": "http://x/o/op-0"}}}`)
	})
	d, err := c.OperationDetail(t.Context(), "op-1")
	require.NoError(t, err)
	require.Equal(t, "op-0", d.Behind)
	require.Equal(t, "operation op-0", d.WaitsFor)
	require.Equal(t, []skipper.OperationStep{{
		State: skipper.StateQueued, Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}, d.Steps)
}

const stream = "id: 2\ndata: {\"id\":2,\"event\":\"TICK\"}\n\nid: 3\ndata: {\"id\":3,\"event\":\"DONE\"}\n\n"

func TestFollowOperation(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for name, tc := range map[string]struct {
		answer  string
		status  int
		plain   bool
		saw     error
		events  []int64
		outcome skipper.Outcome
		code    skipper.Code
	}{
		"to its end": {
			answer: stream + "event: ended\ndata: {\"id\":\"op-1\",\"outcome\":\"succeeded\"}\n\n",
			events: []int64{2, 3}, outcome: skipper.OutcomeSucceeded,
		},
		"with a comment":    {answer: ": hello\n\n" + stream + "event: ended\ndata: {\"outcome\":\"failed\"}\n\n", events: []int64{2, 3}, outcome: "failed"},
		"broken off":        {answer: stream, events: []int64{2, 3}, code: skipper.CodeUnavailable},
		"no JSON":           {answer: "data: <html>\n\n", code: skipper.CodeUnavailable},
		"no stream":         {answer: `{}`, plain: true, code: skipper.CodeUnavailable},
		"not there":         {answer: `{"message": "no"}`, status: http.StatusNotFound, code: skipper.CodeNotFound},
		"the caller has it": {answer: stream, saw: enough, events: []int64{2}},
		"it ended before":   {status: http.StatusNoContent, outcome: skipper.OutcomeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/o/op-1" {
					_, _ = io.WriteString(w, `{"id": "op-1", "outcome": "failed"}`)
					return
				}
				if r.URL.Path != "/o/op-1/events" || r.Header.Get("Last-Event-ID") != "1" {
					http.Error(w, fmt.Sprint(r.URL, r.Header), http.StatusTeapot)
					return
				}
				if !tc.plain {
					w.Header().Set("Content-Type", "text/event-stream")
				}
				if tc.status != 0 {
					w.WriteHeader(tc.status)
				}
				_, _ = io.WriteString(w, tc.answer)
			})
			var seen []int64
			op, err := c.FollowOperation(t.Context(), "op-1", 1, func(e skipper.OperationEvent) error {
				seen = append(seen, e.ID)
				return tc.saw
			})
			require.Equal(t, tc.events, seen)
			switch {
			case tc.saw != nil:
				require.Equal(t, tc.saw, err)
			case tc.code != "":
				require.Equal(t, tc.code, skipper.CodeOf(err), "%v", err)
			default:
				require.NoError(t, err)
				require.Equal(t, tc.outcome, op.Outcome)
			}
		})
	}
}
