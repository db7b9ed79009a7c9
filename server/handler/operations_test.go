package handler_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func withOperation(b *bench, o skipper.Operation, events ...skipper.OperationEvent) {
	b.operations.operations = []skipper.Operation{o}
	for i := range events {
		events[i].ID, events[i].OperationID = int64(i+1), o.ID
	}
	b.operations.events = events
}

func TestOperation_Links(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		operation skipper.Operation
		want      []string
	}{
		"waiting": {
			skipper.Operation{Kind: skipper.KindUpgrade, State: skipper.StateUpgradeWait, Outcome: skipper.OutcomeRunning},
			[]string{"self", "release", "events", "cancel"},
		},
		"ended": {
			skipper.Operation{Kind: skipper.KindUpgrade, State: skipper.StateUpgradeWait, Outcome: skipper.OutcomeRolledBack},
			[]string{"self", "release", "events"},
		},
		"failed install leaves no release": {
			skipper.Operation{Kind: skipper.KindInstall, Outcome: skipper.OutcomeFailed}, []string{"self", "events"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tc.operation.ID, tc.operation.ReleaseName, tc.operation.TargetVersion = "op-1", "one", 2
			withOperation(b, tc.operation)
			d := document(t, b.ask(http.MethodGet, "/api/operations/op-1", "").Body.String())
			require.Equal(t, tc.want, d.Links.Relations())
			if link, found := d.Links.Get("release"); found {
				require.Equal(t, recordedBase+"/api/release/status/one/2", link.Href)
			}
			var got skipper.Operation
			require.NoError(t, d.Decode(&got))
			require.Empty(t, cmp.Diff(tc.operation, got))
		})
	}
}

func TestOperations_List(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.operations.operations = []skipper.Operation{
		{ID: "a", ReleaseName: "one"}, {ID: "b", ReleaseName: "two"}, {ID: "c", ReleaseName: "one"},
	}
	w := b.ask(http.MethodGet, "/api/operations?releaseName=one&size=1&sort=created,desc&sort=secret", "")
	d := document(t, w.Body.String())
	require.Equal(t, 2, d.Page.TotalElements)
	require.Len(t, d.Embedded("operations"), 1)
	next, _ := d.Links.Get("next")
	require.Equal(t, recordedBase+"/api/operations?releaseName=one&page=1&size=1&sort=created,desc", next.Href)
	require.Equal(t, []skipper.Sort{{Property: "created", Descending: true}}, b.operations.lastPage.Sort)
}

func TestOperation_Unknown(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api/operations/nope", "/api/operations/nope/events"} {
		w := setup(t).ask(http.MethodGet, path, "")
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Contains(t, w.Body.String(), `"message":"nothing is there"`)
	}
}

func TestEvents_List(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withOperation(b, skipper.Operation{ID: "op-1"}, skipper.OperationEvent{Event: "DONE"}, skipper.OperationEvent{Event: "MORE"})
	w := b.ask(http.MethodGet, "/api/operations/op-1/events", "", "Accept", "application/json", "Last-Event-ID", "1")
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Len(t, document(t, w.Body.String()).Embedded("events"), 2, "a list is whole")
}

// TestEvents_StreamEndsWithTheOperation follows an operation that goes on while it is looked at.
func TestEvents_StreamEndsWithTheOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withOperation(b, skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeRunning},
		skipper.OperationEvent{Event: "FIRST"}, skipper.OperationEvent{Event: "SECOND"})
	looks := 0
	b.operations.looked = func() {
		b.operations.mu.Lock()
		defer b.operations.mu.Unlock()
		if looks++; looks == 4 {
			b.operations.events = append(b.operations.events, skipper.OperationEvent{ID: 3, OperationID: "op-1", Event: "THIRD"})
			b.operations.operations[0].Outcome = skipper.OutcomeSucceeded
		}
	}
	server := httptest.NewServer(b)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/operations/op-1/events", nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Last-Event-ID", "1")
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	var text strings.Builder
	_, err = io.Copy(&text, response.Body)
	require.NoError(t, err)

	var kinds []string
	for block := range strings.SplitSeq(strings.TrimSuffix(text.String(), "\n\n"), "\n\n") {
		first, data, found := strings.Cut(block, "\ndata: ")
		require.True(t, found, block)
		require.True(t, strings.HasPrefix(data, "{"), data)
		require.NotContains(t, data, "\n")
		kinds = append(kinds, first)
	}
	require.Equal(t, []string{"id: 2", "id: 3", "event: ended"}, kinds)
	require.Contains(t, text.String(), `"outcome":"succeeded"`)
}

func TestEvents_StreamIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withOperation(b, skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeFailed}, skipper.OperationEvent{})
	w := b.ask(http.MethodGet, "/api/operations/op-1/events", "", "Accept", "text/event-stream", "Last-Event-ID", "1")
	require.Equal(t, http.StatusNoContent, w.Code)
	w = b.ask(http.MethodGet, "/api/operations/op-1/events", "", "Accept", "text/event-stream")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "event: ended\n")
}
