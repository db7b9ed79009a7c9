package cli

import (
	"bytes"
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestWait_EndsAtOnceWhenCancelled(t *testing.T) {
	t.Parallel()
	deploying := info("DEPLOYED", "x", appStatus("hello.hello-v1", "deploying"))
	b := setup(t, answers{
		"POST /api/package/install":       {"!201" + release("hello", 1, "1.0.0", deploying)},
		"GET /api/release/status/hello/1": {deploying},
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	soon := b.deps.after
	b.deps.after = func(d time.Duration) <-chan time.Time {
		if b.err.Len() == 0 {
			return soon(d) // the server has not answered yet
		}
		cancel()
		return nil // never comes: only the context ends it
	}
	require.Equal(t, 1, b.run(ctx, "release", "install", "hello", "--package-name", "hello", "--wait"))
	require.Empty(t, b.out.String())
	require.Equal(t, "  0s  install of hello: the applications are not healthy yet: hello.hello-v1 is deploying\n"+
		"error: stopped waiting; release hello is installed: 'skiff release status hello' shows how it is\n",
		b.err.String())
}

func TestProgress_InPlaceOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	unpainted := func(_ any, written string) string { return written }
	p := progress{out: &out, inPlace: true, width: 60, clock: func() time.Time { return now }, colour: unpainted}
	deploying := appSight{"hello.hello-v2", skipper.StateDeploying, ""}
	p.show("", sight{pending: "a"}, 0)
	require.Equal(t, "  0s  a", out.String())
	out.Reset()
	p.show("", sight{pending: "a", apps: []appSight{deploying}}, 1400*time.Millisecond)
	require.Equal(t, "\r\x1b[J  1s  a\n      hello.hello-v2                  deploying   0s", out.String())
	out.Reset()
	now = now.Add(2 * time.Second)
	deploying.why = "it does not answer yet, and this goes on"
	p.show("", sight{pending: "a", apps: []appSight{deploying}}, 3*time.Second)
	require.Equal(t, "\r\x1b[1A\x1b[J  3s  a\n      hello.hello-v2                  deploying   2s  it do", out.String(),
		"since when it is so; cut to the width of the terminal")
	out.Reset()
	p.show("", sight{pending: "b"}, 70*time.Second)
	p.end()
	require.Equal(t, "\r\x1b[1A\x1b[J  3s  a\n1m10s  b\n", out.String(), "what is done stays")

	out.Reset()
	(&progress{out: &out, inPlace: true}).end()
	require.Empty(t, out.String(), "nothing was shown, nothing is to be ended")
}

func TestDoing_KnowsEachState(t *testing.T) {
	t.Parallel()
	for state, want := range map[skipper.State]string{
		skipper.StateInitial: "it begins", skipper.StateUpgradeStart: "it begins", skipper.StateRollbackStart: "it begins",
		skipper.StateInstall:        "applications are handed to the platform",
		skipper.StateQueued:         "it waits for another operation on the release",
		skipper.StateInstallWait:    "the applications are not healthy yet",
		skipper.StateUpgradeSucceed: "the replaced applications are removed",
		skipper.StateUpgradeFailed:  "the new applications are removed",
	} {
		require.Equal(t, want, doing(state), state)
	}
}

// The server of a foreign operation may allow more than a duration can tell.
func TestFollow_BoundsTheTimeoutOfAnOperation(t *testing.T) {
	t.Parallel()
	for milliseconds, want := range map[int64]time.Duration{
		0:                           7 * time.Minute,
		6000:                        7 * time.Minute,
		3_600_000:                   62 * time.Minute,
		maxTimeout.Milliseconds():   720*time.Hour + 2*time.Minute,
		math.MaxInt64:               720*time.Hour + 2*time.Minute,
		math.MaxInt64/1_000_000 + 1: 720*time.Hour + 2*time.Minute,
		math.MinInt64:               7 * time.Minute,
	} {
		require.Equal(t, want, patienceFor(skipper.Plan{Timeout: milliseconds}), milliseconds)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"", "abc"}: 3, {"abc", ""}: 3, {"wait", "wait"}: 0, {"relese-name", "release-name"}: 1,
		{"kitten", "sitting"}: 3, {"wiat", "wait"}: 2, {"flaw", "lawn"}: 2,
	} {
		require.Equal(t, want, distance(pair[0], pair[1]), pair)
	}
}
