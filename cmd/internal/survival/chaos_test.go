package survival

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
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

// mostInASecond is how often a call may be repeated within a second: a second try after 200 ms, then after 400 ms, and the
// same again for the next command or for what an operation left.
const mostInASecond = 6

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
			calls, operations, fastest := counted(t, trace)
			require.Less(t, calls, mostCalls*operations, "a storm of retries")
			require.LessOrEqual(t, fastest, mostInASecond, "a storm of retries")
			t.Logf("%s; %d changing calls for %d operations, at most %d of one kind about one deployment in a second",
				w.summary(), calls, operations, fastest)
		})
	}
}

// counted gives the changing platform calls and the accepted operations of a trace, and how often at most a deployment
// met the same call within a second.
func counted(t *testing.T, trace string) (calls, operations, fastest int) {
	t.Helper()
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	times := map[string][]int64{} // of each call, the last second
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		switch name := fields[0]; name {
		case "platform.Deploy.before", "platform.Undeploy.before", "platform.Scale.before":
			calls++
			micros, err := strconv.ParseInt(fields[2], 10, 64)
			require.NoError(t, err)
			call := name + fields[1]
			times[call] = slices.DeleteFunc(append(times[call], micros), func(at int64) bool { return at < micros-1_000_000 })
			fastest = max(fastest, len(times[call]))
		case "store.Accept.after":
			operations++
		}
	}
	return calls, operations, fastest
}
