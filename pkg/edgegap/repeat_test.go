package edgegap_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestDeployIsNeverSentAgainBlindly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   edgegaptest.Fault
		started int
	}{
		"done but dropped":    {edgegaptest.Fault{Kind: edgegaptest.FaultDropAfter}, 1},
		"dropped before":      {edgegaptest.Fault{Kind: edgegaptest.FaultDropBefore}, 0},
		"done but 500":        {edgegaptest.Fault{Kind: edgegaptest.FaultAnswerAfter}, 1},
		"502 of a gateway":    {edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Status: 502, Body: "<html>"}, 0},
		"503 with a time":     {edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Status: 503, RetryAfter: "1"}, 0},
		"half an answer":      {edgegaptest.Fault{Kind: edgegaptest.FaultTruncate}, 1},
		"answer without body": {edgegaptest.Fault{Kind: edgegaptest.FaultAnswerAfter, Status: 202, Body: "{}"}, 1},
	} {
		for call, deploy := range map[string]func(*bundle) error{
			"deploy": func(b *bundle) error {
				_, err := b.client.Deploy(t.Context(), request())
				return err
			},
			"deploy-v1": func(b *bundle) error {
				_, err := b.client.DeployV1(t.Context(), edgegap.DeployV1Request{Application: "arena", IPs: []string{"1.2.3.4"}})
				return err
			},
			"fleet-deploy": func(b *bundle) error {
				_, err := b.client.DeployToFleet(t.Context(), edgegap.FleetDeployRequest{DeployRequest: request(), HostIDs: []string{"one"}})
				return err
			},
		} {
			b := setup(t, edgegaptest.Options{}, edgegap.Options{})
			require.NoError(t, b.fake.AddFleet("alpha", edgegaptest.Host{ID: "one"}))
			c.fault.Call = call
			b.fake.Script(c.fault)
			err := deploy(b)
			kind(t, edgegap.KindUnavailable, err)
			require.True(t, edgegap.MayHaveHappened(err), name)
			require.Equal(t, 1, b.calls(call), name)
			require.Len(t, b.fake.Started(), c.started, name)
		}
	}
}

func TestDeployIsRepeatedAfter429AndWhenItNeverLeft(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Call: "deploy", Times: 3})
	b.deploy(t)
	require.Equal(t, 4, b.calls("deploy"))
	require.Len(t, b.fake.Started(), 1)

	attempts := 0
	refused := transportFunc(func(r *http.Request) (*http.Response, error) {
		if attempts++; attempts < 3 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return b.fake.Transport().RoundTrip(r)
	})
	client, _ := with(t, refused, edgegap.Options{})
	_, err := client.Deploy(t.Context(), request())
	require.NoError(t, err)
	require.Equal(t, 3, attempts)

	attempts = -100
	_, err = client.Deploy(t.Context(), request())
	require.False(t, edgegap.MayHaveHappened(err), "it never left")
	require.Contains(t, kind(t, edgegap.KindUnavailable, err).Message, "cannot be reached")
	require.Equal(t, -95, attempts, "five attempts")
}

func TestReadsAndStopsAreRepeated(t *testing.T) {
	t.Parallel()
	for _, fault := range []edgegaptest.Fault{
		{Kind: edgegaptest.FaultDropBefore},
		{Kind: edgegaptest.FaultDropAfter},
		{Kind: edgegaptest.FaultAnswer, Status: 503},
		{Kind: edgegaptest.FaultAnswer, Status: 502, Body: "<html>"},
		{Kind: edgegaptest.FaultAnswerAfter},
	} {
		b := setup(t, edgegaptest.Options{}, edgegap.Options{})
		id := b.deploy(t, "one")
		_, err := b.client.CreateTag(t.Context(), id, "two")
		require.NoError(t, err)
		b.fake.Script(fault)
		_, err = b.client.Status(t.Context(), id)
		require.NoError(t, err)
		b.fake.Script(fault)
		require.NoError(t, b.client.DeleteTag(t.Context(), id, "two"), "gone with the first attempt, or with the second")
		b.fake.Script(fault)
		_, err = b.client.Stop(t.Context(), id, edgegap.StopOptions{})
		require.NoError(t, err)
		require.Equal(t, 2, b.calls("stop"))
		b.fake.Script(fault)
		require.NoError(t, b.client.DeleteVersion(t.Context(), "arena", "1.0"))
		b.fake.Script(fault)
		require.NoError(t, b.client.DeleteApplication(t.Context(), "arena"))
		kind(t, edgegap.KindNotFound, b.client.DeleteApplication(t.Context(), "arena"))
	}
}

func TestWritesThatAreNotTheSameTwiceAreNotRepeated(t *testing.T) {
	t.Parallel()
	name := "another"
	for call, write := range map[string]func(*bundle) error{
		"create-app": func(b *bundle) error {
			_, err := b.client.CreateApplication(t.Context(), edgegap.ApplicationSpec{Name: "other"})
			return err
		},
		"create-version": func(b *bundle) error {
			_, err := b.client.CreateVersion(t.Context(), "arena", version("2"))
			return err
		},
		"update-app": func(b *bundle) error {
			_, err := b.client.UpdateApplication(t.Context(), "arena", edgegap.ApplicationChange{Name: &name})
			return err
		},
		"update-version": func(b *bundle) error {
			_, err := b.client.UpdateVersion(t.Context(), "arena", "1.0", edgegap.VersionChange{Name: &name})
			return err
		},
		"bulk-stop": func(b *bundle) error {
			_, err := b.client.BulkStop(t.Context(), edgegap.StopFilter{Field: edgegap.StopByTag, Type: edgegap.MatchAny, Values: []string{"x"}})
			return err
		},
	} {
		b := setup(t, edgegaptest.Options{}, edgegap.Options{})
		before := b.calls(call)
		b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultDropAfter, Call: call})
		require.True(t, edgegap.MayHaveHappened(write(b)), call)
		require.Equal(t, before+1, b.calls(call), call)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how   edgegaptest.Refusal
		pause time.Duration
	}{
		"seconds": {edgegaptest.Refusal{RetryAfter: "seconds"}, time.Second},
		"date":    {edgegaptest.Refusal{RetryAfter: "date", Body: "html"}, time.Second},
		"absent":  {edgegaptest.Refusal{Body: "empty"}, 500 * time.Millisecond}, // half of a second: Random is 0.5
	} {
		b := setup(t, edgegaptest.Options{Refusal: c.how}, edgegap.Options{})
		b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany})
		before := len(b.clock.waits())
		_, err := b.client.PublicIP(t.Context())
		require.NoError(t, err)
		require.InDelta(t, c.pause, slices.Max(b.clock.waits()[before:]), float64(200*time.Millisecond), name) // dates have whole seconds
	}
	b := setup(t, edgegaptest.Options{}, edgegap.Options{MaxWait: 10 * time.Second})
	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, RetryAfter: "7"})
	start := b.clock.Now()
	_, err := b.client.PublicIP(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, b.clock.Now().Sub(start), 7*time.Second)

	b.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, RetryAfter: "11"})
	_, err = b.client.PublicIP(t.Context())
	require.Equal(t, 11*time.Second, kind(t, edgegap.KindRateLimited, err).RetryAfter, "longer than the caller waits")
	require.False(t, edgegap.MayHaveHappened(err))
}

func TestPausesDouble(t *testing.T) {
	t.Parallel()
	client, clock := with(t, answers{status: 503}, edgegap.Options{Attempts: 8, Random: func() float64 { return 1 }})
	_, err := client.PublicIP(t.Context())
	kind(t, edgegap.KindUnavailable, err)
	s := time.Second
	waits := slices.DeleteFunc(clock.waits(), func(d time.Duration) bool { return d < s })
	require.Equal(t, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s}, waits)
}

func TestA429KeepsTheOthersOfTheSameLimitAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, client := inBubble(t)
		fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Call: "status", RetryAfter: "5"})
		start := time.Now()
		var group sync.WaitGroup
		group.Go(func() { _, _ = client.Status(t.Context(), "c0653765de3b") })
		synctest.Wait()
		group.Go(func() { _, _ = client.Status(t.Context(), "c0653765de3c") })
		_, err := client.PublicIP(t.Context())
		require.NoError(t, err)
		require.Zero(t, time.Since(start), "other limits are not concerned")
		group.Wait()
		require.Equal(t, 5*time.Second, time.Since(start))
		entries := fake.Journal("status")
		require.Len(t, entries, 3)
		for _, entry := range entries[1:] {
			require.Equal(t, 5*time.Second, entry.At.Sub(start))
		}
	})
}

// inBubble gives a fake and a client in the time of testing/synctest.
func inBubble(t *testing.T) (*edgegaptest.Fake, *edgegap.Client) {
	t.Helper()
	fake, err := edgegaptest.New(edgegaptest.Options{Limits: edgegaptest.Limits{Other: 10}})
	require.NoError(t, err)
	client := newClient(t, fake, edgegap.Options{})
	_, err = client.CreateApplication(t.Context(), edgegap.ApplicationSpec{Name: "arena", Active: true})
	require.NoError(t, err)
	_, err = client.CreateVersion(t.Context(), "arena", version("1.0"))
	require.NoError(t, err)
	require.NoError(t, fake.AddFleet("alpha"))
	<-time.After(time.Minute)
	return fake, client
}

func TestCallsKeepToTheDocumentedLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit int
		do    func(context.Context, *edgegap.Client) error
	}{
		"deploy": {40, func(ctx context.Context, c *edgegap.Client) error {
			_, err := c.Deploy(ctx, request())
			return err
		}},
		"status": {20, func(ctx context.Context, c *edgegap.Client) error {
			if _, err := c.Status(ctx, "c0653765de3b"); edgegap.KindOf(err) != edgegap.KindNotFound {
				return err
			}
			return nil
		}},
		"list": {10, func(ctx context.Context, c *edgegap.Client) error {
			_, err := c.ListDeployments(ctx, edgegap.DeploymentQuery{}, edgegap.Paging{})
			return err
		}},
		"hosts": {10, func(ctx context.Context, c *edgegap.Client) error {
			_, err := c.ListFleetHosts(ctx, "alpha", edgegap.Paging{})
			return err
		}},
		"list-apps": {10, func(ctx context.Context, c *edgegap.Client) error {
			_, err := c.ListApplications(ctx, edgegap.Paging{})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, client := inBubble(t)
				count := 5 * c.limit
				start := time.Now()
				var group sync.WaitGroup
				failures := make(chan error, count)
				for range count {
					group.Go(func() { failures <- c.do(t.Context(), client) })
				}
				group.Wait()
				close(failures)
				for err := range failures {
					require.NoError(t, err)
				}
				require.Zero(t, fake.Refused())
				require.Len(t, fake.Journal(name), count)
				took := time.Since(start)
				require.Less(t, took, 7*time.Second, "four fifths of the limit are used")
				require.Greater(t, took, 5*time.Second)
			})
		})
	}
}

func TestCallersWithoutPatienceLeaveTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, client := inBubble(t)
		ctx, cancel := context.WithTimeout(t.Context(), 1010*time.Millisecond) // between two places
		defer cancel()
		var group sync.WaitGroup
		var mu sync.Mutex
		done, late := 0, 0
		for range 200 {
			group.Go(func() {
				_, err := client.Deploy(ctx, request())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
					return
				}
				late++
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.False(t, edgegap.MayHaveHappened(err), "it was not sent")
			})
		}
		group.Wait()
		require.Equal(t, 40, done)
		require.Equal(t, 200, done+late)
		require.Len(t, fake.Started(), done)
		start := time.Now()
		_, err := client.Deploy(t.Context(), request())
		require.NoError(t, err)
		require.Less(t, time.Since(start), 100*time.Millisecond, "who left the queue holds no place in it")
	})
}

func TestAttemptsEndAfterTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, client := inBubble(t)
		fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultSlow, Call: "deploy", Delay: time.Hour})
		start := time.Now()
		_, err := client.Deploy(t.Context(), request())
		require.Contains(t, kind(t, edgegap.KindUnavailable, err).Message, "30s")
		require.True(t, edgegap.MayHaveHappened(err))
		require.Equal(t, 30*time.Second, time.Since(start))

		fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultSlow, Call: "ip", Delay: time.Hour})
		_, err = client.PublicIP(t.Context())
		require.NoError(t, err, "a read is tried again")
	})
}

func TestCancelledCallsSayWhetherTheyMayHaveHappened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, client := inBubble(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultSlow, Call: "deploy", Delay: time.Hour})
		_, err := client.Deploy(ctx, request())
		kind(t, edgegap.KindCancelled, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, edgegap.MayHaveHappened(err))

		_, err = client.Deploy(ctx, request())
		kind(t, edgegap.KindCancelled, err)
		require.False(t, edgegap.MayHaveHappened(err))

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Call: "ip", Status: 503, RetryAfter: "20"})
		_, err = client.PublicIP(ctx)
		require.Contains(t, kind(t, edgegap.KindCancelled, err).Message, "before a repetition")
	})
}

// TestNothingLeaksWhenAnswersAreLost deploys a thousand times with every fault at random, in the way a caller has to:
// a tag of its own for every attempt, looked for when the outcome is not known.
func TestNothingLeaksWhenAnswersAreLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, client := inBubble(t)
		fake.SetChaos(edgegaptest.Chaos{Rate: 0.3, Calls: []string{"deploy", "list"}})
		var group sync.WaitGroup
		var mu sync.Mutex
		var known []string
		unknown := 0
		for i := range 1000 {
			group.Go(func() {
				tag := fmt.Sprintf("n-%d", i)
				id, err := client.Deploy(t.Context(), request(tag))
				if edgegap.MayHaveHappened(err) {
					id = find(t, client, tag)
				}
				mu.Lock()
				defer mu.Unlock()
				if edgegap.MayHaveHappened(err) {
					unknown++
				}
				if id != "" {
					known = append(known, id)
				}
			})
		}
		group.Wait()
		require.Empty(t, fake.Leaks(known...))
		require.Greater(t, unknown, 50)
		require.Greater(t, len(known), 800)
	})
}

// find looks for a tag, twice, for a list may be late; it does not give up.
func find(t *testing.T, client *edgegap.Client, tag string) string {
	t.Helper()
	for misses := 0; misses < 4; {
		found := ""
		var failed error
		for d, err := range client.Deployments(t.Context(), edgegap.DeploymentQuery{Filters: []edgegap.Filter{edgegap.Tagged(tag)}}) {
			if found, failed = d.RequestID, err; failed != nil {
				break
			}
		}
		switch {
		case failed != nil:
		case found != "":
			return found
		default:
			misses++
		}
	}
	return ""
}

func TestA429HalvesTheLimitForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, client := inBubble(t)
		sixty := func() time.Duration {
			start := time.Now()
			for range 60 {
				_, err := client.Status(t.Context(), "c0653765de3b")
				kind(t, edgegap.KindNotFound, err)
			}
			return time.Since(start)
		}
		usual := sixty()
		fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Call: "status", RetryAfter: "1"})
		require.Greater(t, sixty(), usual*3/2)
		<-time.After(time.Minute)
		require.Equal(t, usual, sixty())
	})
}
