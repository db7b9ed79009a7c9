package handler_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// commands are all that take options, with a body.
func commands() map[string][2]string {
	return map[string][2]string{
		"install":            {"POST /api/package/install", `{"installProperties": {"releaseName": "one"}}`},
		"install by id":      {"POST /api/package/install/5", `{"releaseName": "one"}`},
		"upgrade":            {"POST /api/release/upgrade", `{"upgradeProperties": {"releaseName": "one"}}`},
		"rollback":           {"POST /api/release/rollback", `{"releaseName": "one", "version": 1}`},
		"rollback by path":   {"POST /api/release/rollback/one/1", ""},
		"delete":             {"DELETE /api/release/one", ""},
		"delete and package": {"DELETE /api/release/one/package", ""},
		"scale":              {"POST /api/release/scale/one", `{"scale": []}`},
		"retry":              {"POST /api/operations/op-1/retry", ""},
	}
}

func TestOptions_ReachEveryCommandAndAQueuedOneIsAnsweredByItsOperation(t *testing.T) {
	t.Parallel()
	for name, c := range commands() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
				return skipper.Release{}, skipper.Operation{
					ID: "op-2", Kind: skipper.KindUpgrade, State: skipper.StateQueued, Outcome: skipper.OutcomeQueued,
					Request: json.RawMessage(`"secret"`),
				}, nil
			}
			method, target, _ := strings.Cut(c[0], " ")
			w := b.ask(method, target+"?onConflict=queue&healthGate=true&timeout=1500", c[1], "Idempotency-Key", "a key: 1")
			require.Equal(t, http.StatusAccepted, w.Code, w.Body)
			require.Equal(t, skipper.CommandOptions{
				OnConflict: skipper.ConflictQueue, IdempotencyKey: "a key: 1", HealthGate: true, Timeout: new(int64(1500)),
			}, b.releases.options)
			d := document(t, w.Body.String())
			require.Equal(t, []string{"self", "events", "cancel", "operation"}, d.Links.Relations())
			link, _ := d.Links.Get("operation")
			require.Equal(t, recordedBase+"/api/operations/op-2", link.Href)
			require.NotContains(t, w.Body.String(), "secret")

			w = b.ask(method, target, c[1])
			require.Equal(t, http.StatusAccepted, w.Code)
			require.Equal(t, skipper.CommandOptions{}, b.releases.options)
		})
	}
}

func TestOptions_BadOnesAreNamed(t *testing.T) {
	t.Parallel()
	type header = []string
	for name, tc := range map[string]struct {
		query   string
		headers header
		message string
	}{
		"unknown conflict": {"?onConflict=wait", nil, `onConflict is \"wait\"; fail, queue or supersede is due`},
		"empty conflict":   {"?onConflict=", nil, "onConflict is empty; fail, queue or supersede is due"},
		"gate":             {"?healthGate=yes", nil, `healthGate is \"yes\"; true or false is due`},
		"timeout":          {"?timeout=60s", nil, `timeout is \"60s\"; milliseconds are due, as 60000`},
		"empty key":        {"", header{"Idempotency-Key", ""}, "Idempotency-Key must be given once and not be empty; a UUID serves well"},
		"long key": {
			"", header{"Idempotency-Key", strings.Repeat("k", 201)}, "Idempotency-Key has 201 bytes; at most 200 are possible",
		},
		"key that cannot be printed": {
			"", header{"Idempotency-Key", "a\x01"}, "Idempotency-Key must hold printable ASCII characters only; a UUID serves well",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for command, c := range commands() {
				b := setup(t)
				b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
					t.Error("it was passed on")
					return skipper.Release{}, skipper.Operation{}, nil
				}
				method, target, _ := strings.Cut(c[0], " ")
				w := b.ask(method, target+tc.query, c[1], tc.headers...)
				require.Equal(t, http.StatusBadRequest, w.Code, command)
				require.Contains(t, w.Body.String(), `"message":"`+tc.message+`"`, command)
			}
		})
	}
}

func TestOperations_Filter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.ask(http.MethodGet, "/api/operations?releaseName=one&kind=install,upgrade&kind=scale&outcome=queued&state=QUEUED,", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, skipper.OperationFilter{
		ReleaseName: "one", Kinds: []skipper.Kind{"install", "upgrade", "scale"},
		Outcomes: []skipper.Outcome{"queued"}, States: []skipper.State{"QUEUED"},
	}, b.operations.lastFilter)
	for query, message := range map[string]string{
		"kind=cancel": `kind is \"cancel\"; one of install upgrade rollback scale delete`,
		"outcome=bad": `outcome is \"bad\"; one of queued running succeeded failed cancelled rolled_back is due`,
		"state=bad":   `state is \"bad\"; one of INITIAL QUEUED`,
	} {
		w := b.ask(http.MethodGet, "/api/operations?"+query, "")
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), message)
	}
}

func TestOperation_ShowsStepsAndWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
	withOperation(b, skipper.Operation{ID: "op-1", ReleaseName: "one", Outcome: skipper.OutcomeQueued, State: skipper.StateQueued},
		skipper.OperationEvent{Time: at(1), From: skipper.StateInitial, Event: "queued", To: skipper.StateQueued})
	b.operations.waitsFor, b.operations.behind = "operation op-0 (upgrade), which is running", "op-0"
	d := document(t, b.ask(http.MethodGet, "/api/operations/op-1", "").Body.String())
	require.Equal(t, []string{"self", "events", "cancel", "waitsFor"}, d.Links.Relations())
	link, _ := d.Links.Get("waitsFor")
	require.Equal(t, recordedBase+"/api/operations/op-0", link.Href)
	var got skipper.OperationDetail
	require.NoError(t, d.Decode(&got))
	require.Equal(t, "operation op-0 (upgrade), which is running", got.WaitsFor)
	require.Equal(t, []skipper.OperationStep{{State: skipper.StateQueued, Began: at(1)}}, got.Steps)
}

func TestOperation_RetryIsOfferedWhereItWouldBeTaken(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[skipper.Outcome]bool{
		skipper.OutcomeFailed: true, skipper.OutcomeCancelled: true, skipper.OutcomeRolledBack: true,
		skipper.OutcomeSucceeded: false, skipper.OutcomeRunning: false, skipper.OutcomeQueued: false,
	} {
		for _, kept := range []bool{true, false} {
			for _, busy := range []bool{true, false} {
				b := setup(t)
				withOperation(b, skipper.Operation{ID: "op-1", ReleaseName: "one", Outcome: outcome, Retriable: kept})
				if busy {
					b.operations.operations = append(b.operations.operations,
						skipper.Operation{ID: "op-2", ReleaseName: "one", Outcome: skipper.OutcomeQueued})
				}
				_, one := document(t, b.ask(http.MethodGet, "/api/operations/op-1", "").Body.String()).Links.Get("retry")
				require.Equal(t, want && kept && !busy, one, "%s %v %v", outcome, kept, busy)
				list := document(t, b.ask(http.MethodGet, "/api/operations", "").Body.String()).Embedded("operations")
				_, listed := list[0].Links.Get("retry")
				require.Equal(t, one, listed)
			}
		}
	}
}

func TestOperation_Cancel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		operation skipper.Operation
		err       error
		status    int
		links     []string
	}{
		"running": {
			skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeRunning, Cancel: true, TargetVersion: 1},
			nil,
			http.StatusAccepted,
			[]string{"self", "release", "events", "operation"},
		},
		"queued": {
			skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeCancelled},
			nil,
			http.StatusOK,
			[]string{"self", "events", "operation"},
		},
		"ended": {skipper.Operation{}, skipper.Errorf(skipper.CodeConflict, "it has ended"), http.StatusConflict, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.releases.command = func(request any) (skipper.Release, skipper.Operation, error) {
				require.Equal(t, "cancel op-1", request)
				return skipper.Release{}, tc.operation, tc.err
			}
			w := b.ask(http.MethodPost, "/api/operations/op-1/cancel", "")
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, tc.links, document(t, w.Body.String()).Links.Relations())
		})
	}
}

// TestEvents_StreamGoesFromQueuedToItsEnd follows an operation that waits for its turn.
func TestEvents_StreamGoesFromQueuedToItsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withOperation(b, skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeQueued}, skipper.OperationEvent{Event: "queued"})
	looks := 0
	b.operations.looked = func() {
		b.operations.mu.Lock()
		defer b.operations.mu.Unlock()
		looks++
		switch looks {
		case 3:
			b.operations.events = append(b.operations.events, skipper.OperationEvent{ID: 2, OperationID: "op-1", Event: "UPGRADE"})
			b.operations.operations[0].Outcome = skipper.OutcomeRunning
		case 5:
			b.operations.events = append(b.operations.events, skipper.OperationEvent{ID: 3, OperationID: "op-1", Event: "DONE"})
			b.operations.operations[0].Outcome = skipper.OutcomeSucceeded
		}
	}
	w := b.ask(http.MethodGet, "/api/operations/op-1/events", "", "Accept", "text/event-stream")
	var kinds []string
	for block := range strings.SplitSeq(strings.TrimSuffix(w.Body.String(), "\n\n"), "\n\n") {
		first, _, _ := strings.Cut(block, "\ndata: ")
		kinds = append(kinds, first)
	}
	require.Equal(t, []string{"id: 1", "id: 2", "id: 3", "event: ended"}, kinds)

	withOperation(b, skipper.Operation{ID: "op-1", Outcome: skipper.OutcomeQueued}, skipper.OperationEvent{Event: "queued"})
	looks = 0
	w = b.ask(http.MethodGet, "/api/operations/op-1/events", "", "Accept", "text/event-stream", "Last-Event-ID", "1")
	require.Equal(t, http.StatusOK, w.Code, "it has not ended")
	require.True(t, strings.HasPrefix(w.Body.String(), "id: 2\n"), w.Body)
}
