package survival

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
)

// commands is how many commands the chaos test gives; the variable is for longer runs.
func commands(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("CHAOS_COMMANDS"), "60"))
	require.NoError(t, err)
	return n
}

// mostCalls is how many changing platform calls an operation may come to on average: two applications, each tried with
// growing waits for four seconds, and what is undone the same.
const mostCalls = 20

// A platform that refuses, times out, does what it reports as failed, limits rates, is out of order for as long as a
// deploy may take, and whose applications flap: every operation ends, and in the end exactly that runs which is named.
func TestChaos_OfThePlatform(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3} {
		t.Run("seed "+strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			if seed > 1 {
				full(t)
			}
			dir := t.TempDir()
			arm, outage, trace := filepath.Join(dir, "arm"), filepath.Join(dir, "outage"), filepath.Join(dir, "trace")
			p := fakePlatform(t, dir)
			s := serve(t, filepath.Join(dir, "data"), quick(settings{faults: strings.Join([]string{
				p.faults, "arm:" + arm, "outage:" + outage, "trace:" + trace, "chaos:" + strconv.FormatUint(seed, 10),
			}, ";")}))
			newUser(t, s, p, "").prepared(t, nil)
			c := s.client()
			w := newWorkload(t, p, releasesOf(10), seed, func() *client.Client { return c })
			require.NoError(t, os.WriteFile(arm, nil, 0o600))
			n := commands(t) / len(w.releases)
			w.run(within(t, 10*time.Minute), n/2)
			require.NoError(t, os.WriteFile(outage, nil, 0o600))
			over := time.AfterFunc(4*time.Second, func() { _ = os.Remove(outage) }) // as long as the deploy timeout
			defer over.Stop()
			w.run(within(t, 10*time.Minute), n-n/2)
			_ = os.Remove(outage)
			require.NoError(t, os.Remove(arm))
			w.check(s)
			calls, operations := counted(t, trace)
			require.Less(t, calls, mostCalls*operations, "a storm of retries")
			t.Logf("%s; %d changing calls for %d operations", w.summary(), calls, operations)
		})
	}
}

// counted gives the changing platform calls and the accepted operations of a trace.
func counted(t *testing.T, trace string) (calls, operations int) {
	t.Helper()
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "\t")
		switch name {
		case "platform.Deploy.before", "platform.Undeploy.before", "platform.Scale.before":
			calls++
		case "store.Accept.after":
			operations++
		}
	}
	return calls, operations
}
