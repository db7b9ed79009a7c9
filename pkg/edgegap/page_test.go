package edgegap_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestListsAreWalkedToTheirEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	for i := range 250 {
		b.deploy(t, fmt.Sprintf("n%d", i), "all")
	}
	seen := map[string]bool{}
	for d, err := range b.client.Deployments(t.Context(), edgegap.DeploymentQuery{Filters: []edgegap.Filter{edgegap.Tagged("all")}}) {
		require.NoError(t, err)
		require.False(t, seen[d.RequestID])
		seen[d.RequestID] = true
		require.True(t, d.Ready)
		require.Equal(t, edgegap.StateReady, d.State)
	}
	require.Len(t, seen, 250)
	require.Equal(t, 3, b.calls("list"))

	page, err := b.client.ListDeployments(t.Context(), edgegap.DeploymentQuery{}, edgegap.Paging{Number: 3, Limit: 100})
	require.NoError(t, err)
	require.Len(t, page.Items, 50)
	page.Items = nil
	require.Equal(t, edgegap.Page[edgegap.DeploymentSummary]{Total: 250, Number: 3, Pages: 3}, page)
	page, err = b.client.ListDeployments(t.Context(), edgegap.DeploymentQuery{}, edgegap.Paging{Limit: 7})
	require.NoError(t, err)
	require.Equal(t, 2, page.Next)

	for _, err := range b.client.Deployments(t.Context(), edgegap.DeploymentQuery{}) {
		require.NoError(t, err)
		break
	}
	require.Equal(t, 6, b.calls("list"), "a walk that ends early asks no more")
}

func TestAWalkEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{Attempts: 1})
	for i := range 101 {
		b.deploy(t, fmt.Sprintf("n%d", i))
	}
	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Call: "list", After: 1, Status: 503})
	given, failures := 0, 0
	for _, err := range b.client.Deployments(t.Context(), edgegap.DeploymentQuery{}) {
		given++
		if err != nil {
			failures++
			kind(t, edgegap.KindUnavailable, err)
		}
	}
	require.Equal(t, 101, given)
	require.Equal(t, 1, failures)
}

func TestAListThatGrowsGivesNothingTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	for i := range 150 {
		b.deploy(t, fmt.Sprintf("n%d", i))
	}
	seen := map[string]bool{}
	for d, err := range b.client.Deployments(t.Context(), edgegap.DeploymentQuery{}) {
		require.NoError(t, err)
		require.False(t, seen[d.RequestID])
		seen[d.RequestID] = true
		if len(seen) == 50 {
			b.deploy(t, "late") // the newest come first: everything moves by one
		}
	}
	require.Len(t, seen, 150)
}

func TestListsInOlderAndStrangeAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		total int
		kind  edgegap.Kind
	}{
		"count of old":      {`{"tags":[{"name":"a"}],"count":1}`, 1, ""},
		"null list":         {`{"tags":null,"total_count":0,"pagination":null}`, 0, ""},
		"no list":           {`{}`, 0, ""},
		"too small a total": {`{"tags":[{"name":"a"},{"name":"b"}],"total_count":1}`, 2, ""},
		"not a list":        {`{"tags":"none"}`, 0, edgegap.KindUnavailable},
		"not an object":     {`[]`, 0, edgegap.KindUnavailable},
		"no JSON":           {`<html>`, 0, edgegap.KindUnavailable},
		"cut":               {`{"tags":[{"name":`, 0, edgegap.KindUnavailable},
	} {
		client, _ := with(t, answers{status: 200, body: c.body}, edgegap.Options{})
		page, err := client.ListTags(t.Context(), "c0653765de3b", edgegap.Paging{})
		require.Equal(t, c.kind, edgegap.KindOf(err), name)
		require.Equal(t, c.total, page.Total, name)
	}
}

func TestAListWithoutAnEndIsAnError(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"1", "0", "-4"} {
		client, _ := with(t, answers{
			status: http.StatusOK, body: `{"tags":[{"name":"a"}],"pagination":{"has_next":true,"next_page_number":` + next + `}}`,
		}, edgegap.Options{})
		given := 0
		var last error
		for _, err := range client.Tags(t.Context(), "c0653765de3b") {
			given++
			last = err
		}
		if next == "0" {
			require.NoError(t, last)
			continue
		}
		require.Contains(t, kind(t, edgegap.KindUnavailable, last).Message, "does not end")
		require.Equal(t, 1, given)
	}
	client, _ := with(t, answers{status: http.StatusOK, body: `{"tags":[{"name":"a"}],"pagination":{"has_next":true}}`}, edgegap.Options{})
	given := 0
	var last error
	for _, last = range client.Tags(t.Context(), "c0653765de3b") {
		given++
	}
	require.Contains(t, kind(t, edgegap.KindUnavailable, last).Message, "does not end")
	require.Equal(t, 2, given, "the same item again and again")
}

func TestTimesInAllSpellings(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 4, 22, 12, 0, 46, 444265000, time.UTC)
	for text, at := range map[string]time.Time{
		`"2026-04-22 12:00:46.444265"`: want, `"2026-04-22T12:00:46.444265Z"`: want, `"2026-04-22T14:00:46.444265+02:00"`: want,
		`"2026-04-22 12:00:46"`: want.Truncate(time.Second), `"2026-04-22T12:00:46"`: want.Truncate(time.Second),
		`"2026-04-22 12:00:46.444265+00:00"`: want,
		`null`:                               {}, `""`: {}, `"soon"`: {}, `7`: {}, `{}`: {},
	} {
		got := edgegap.Time{Time: want}
		require.NoError(t, got.UnmarshalJSON([]byte(text)))
		require.True(t, at.Equal(got.Time), text)
	}
	text, err := edgegap.Time{Time: want}.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `"2026-04-22T12:00:46.444265Z"`, string(text))
	text, err = edgegap.Time{}.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `null`, string(text))
}

func TestStatesInAllSpellings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]edgegap.State{
		"Status.READY": edgegap.StateReady, "Ready": edgegap.StateReady, "ready": edgegap.StateReady,
		"Status.MIGRATING": "MIGRATING", "": "",
	} {
		require.Equal(t, want, edgegap.ParseState(text))
	}
	starting := []edgegap.State{
		edgegap.StateInitializing, edgegap.StateSeeking, edgegap.StateSeeked, edgegap.StateScanning, edgegap.StateDeploying,
	}
	for _, state := range starting {
		require.True(t, state.Starting())
		require.False(t, state.Ending())
	}
	for _, state := range []edgegap.State{edgegap.StateReady, edgegap.StateError, "MIGRATING"} {
		require.False(t, state.Starting())
		require.False(t, state.Ending())
	}
	require.True(t, edgegap.StateTerminating.Ending())
	require.True(t, edgegap.StateTerminated.Ending())
}

func TestStatusIsReadTolerantly(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nulls": `{"request_id":"c0653765de3b","current_status":"Status.READY","ports":null,"location":null,"public_ip":null,
			"fqdn":null,"error_detail":null,"removal_time":null,"command":null,"elapsed_time":null,"tags":null,"last_status":null}`,
		"missing":  `{"request_id":"c0653765de3b","current_status":"Ready"}`,
		"texts":    `{"request_id":"c0653765de3b","current_status":"ready","elapsed_time":"42","max_duration":"1440","sockets":"0"}`,
		"fraction": `{"request_id":"c0653765de3b","current_status":"Status.READY","elapsed_time":42.0,"new":{"deep":[1]}}`,
	} {
		client, _ := with(t, answers{status: 200, body: body}, edgegap.Options{})
		d, err := client.Status(t.Context(), "c0653765de3b")
		require.NoError(t, err, name)
		require.Equal(t, edgegap.StateReady, d.State, name)
		require.Equal(t, "c0653765de3b", d.RequestID)
		if name == "texts" || name == "fraction" {
			require.Equal(t, edgegap.Integer(42), d.ElapsedSeconds)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"message":"x","details":{"a":1}}`, `{"data":[{"request_id":"a"}],"pagination":{"has_next":true}}`, `<html>`, `null`,
		`{"current_status":"Status.READY","elapsed_time":1e400,"ports":{"a":{}}}`, `{"versions":[{"envs":[{"is_hidden":true}]}]}`,
	} {
		f.Add(200, seed)
		f.Add(422, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		client, _ := with(t, answers{status: status, body: body}, edgegap.Options{Attempts: 1})
		var err error
		if _, err = client.Status(t.Context(), "c0653765de3b"); err != nil {
			require.LessOrEqual(t, len(err.Error()), 700)
		}
		_, _ = client.Deploy(t.Context(), request())
		for _, err = range client.Deployments(t.Context(), edgegap.DeploymentQuery{}) {
			if err != nil {
				break
			}
		}
		for _, err = range client.Versions(t.Context(), "arena") {
			if err != nil {
				break
			}
		}
	})
}
