package status_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the store and the platforms at once.
type world struct {
	mu       sync.Mutex
	releases []skipper.Release
	broken   error                             // listing fails
	states   map[int64]skipper.DeploymentState // by release id; an empty one is a platform that cannot be asked
	lists    []time.Time                       // deployedSince of each first page
	asked    []int64
	written  map[int64]string
	writes   int
	asking   func(ctx context.Context)
}

func (w *world) ReleasesToPoll(_ context.Context, since time.Time, limit int, after int64) ([]skipper.Release, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if after == 0 {
		w.lists = append(w.lists, since)
	}
	var out []skipper.Release
	for _, rel := range w.releases {
		if rel.ID > after && len(out) < limit && !rel.Info.LastDeployed.Before(since) {
			if text, ok := w.written[rel.ID]; ok {
				rel.Info.Status.PlatformStatus = &text
			}
			out = append(out, rel)
		}
	}
	return out, w.broken
}

func (w *world) SetPlatformStatus(_ context.Context, id int64, text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	w.written[id] = text
	return nil
}

func (w *world) PlatformStatus(ctx context.Context, rel skipper.Release) ([]skipper.AppStatus, error) {
	if w.asking != nil {
		w.asking(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, rel.ID)
	if w.states[rel.ID] == "" {
		return nil, skipper.Errorf(skipper.CodeUnavailable, "gone")
	}
	return []skipper.AppStatus{{DeploymentID: rel.Apps[0].ID, State: w.states[rel.ID]}}, nil
}

// take gives the releases that were asked for since the last take, and how many statuses were written.
func (w *world) take() (asked []int64, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked, writes = slices.Sorted(slices.Values(w.asked)), w.writes
	w.asked, w.writes = nil, 0
	return asked, writes
}

func (w *world) setState(id int64, state skipper.DeploymentState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[id] = state
}

type bundle struct {
	*status.Updater
	*world
	now time.Time
}

func setup() *bundle {
	b := &bundle{now: time.Date(2026, 11, 22, 22, 49, 57, 0, time.UTC)}
	b.world = &world{states: map[int64]skipper.DeploymentState{}, written: map[int64]string{}}
	b.Updater = status.New(b.world, b.world, time.Millisecond, func() time.Time { return b.now },
		slog.New(slog.DiscardHandler))
	return b
}

// add adds a release that was deployed some time ago and whose application is deployed.
func (b *bundle) add(ago time.Duration) int64 {
	id := int64(len(b.releases) + 1)
	b.releases = append(b.releases, skipper.Release{
		ID: id, Name: "r", Version: int(id), Apps: []skipper.AppDeployment{{App: "a", ID: "r.a"}},
		Info: skipper.Info{LastDeployed: skipper.At(b.now.Add(-ago))},
	})
	b.states[id] = skipper.StateDeployed
	return id
}

func TestRound_WritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	b := setup()
	one, two := b.add(time.Second), b.add(time.Second)
	b.Round(t.Context())
	asked, writes := b.take()
	require.Equal(t, []int64{one, two}, asked)
	require.Equal(t, 2, writes)
	require.JSONEq(t, `[{"deploymentId":"r.a","instances":{},"state":"deployed"}]`, b.written[one])

	b.Round(t.Context())
	asked, writes = b.take()
	require.Len(t, asked, 2)
	require.Zero(t, writes, "nothing changed")

	b.setState(two, skipper.StateFailed)
	b.Round(t.Context())
	_, writes = b.take()
	require.Equal(t, 1, writes)
	require.Contains(t, b.written[two], "failed")
	require.Contains(t, b.written[one], "deployed")
}

func TestRound_RecentReleasesAlwaysAndAllEveryTenMinutes(t *testing.T) {
	t.Parallel()
	b := setup()
	old, recent := b.add(time.Hour), b.add(time.Minute)
	round := func(advance time.Duration) []int64 {
		b.now = b.now.Add(advance)
		b.Round(t.Context())
		asked, _ := b.take()
		return asked
	}
	require.Equal(t, []int64{old, recent}, round(0), "the first round is full")
	require.Equal(t, []int64{recent}, round(time.Minute), "deployed 120 s ago")
	require.Empty(t, round(time.Microsecond))
	require.Empty(t, round(9*time.Minute-2*time.Microsecond))
	require.Equal(t, []int64{old, recent}, round(time.Microsecond), "ten minutes after the first")
	require.Empty(t, round(time.Second))
}

func TestRound_OfManyReleasesTakesAllPages(t *testing.T) {
	t.Parallel()
	b := setup()
	for range 250 {
		b.add(time.Second)
	}
	b.Round(t.Context())
	asked, writes := b.take()
	require.Len(t, slices.Compact(asked), 250)
	require.Len(t, asked, 250)
	require.Equal(t, 250, writes)
}

func TestRound_AsksAFewAtOnce(t *testing.T) {
	t.Parallel()
	b := setup()
	for range 40 {
		b.add(time.Second)
	}
	var mu sync.Mutex
	now, most := 0, 0
	b.asking = func(context.Context) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-time.After(time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
	}
	b.Round(t.Context())
	require.LessOrEqual(t, most, 8)
	require.Greater(t, most, 1)
}

func TestRound_APlatformThatCannotBeAskedLeavesWhatIsStored(t *testing.T) {
	t.Parallel()
	b := setup()
	one, two := b.add(time.Second), b.add(time.Second)
	b.Round(t.Context())
	kept := b.written[one]
	b.take()
	b.setState(one, "")
	b.setState(two, skipper.StateFailed)
	b.Round(t.Context())
	asked, writes := b.take()
	require.Len(t, asked, 2)
	require.Equal(t, 1, writes)
	require.Equal(t, kept, b.written[one])
	require.Contains(t, b.written[two], "failed", "the others go on")
}

func TestRound_LeavesOutWhatWasNeverHandedOver(t *testing.T) {
	t.Parallel()
	b := setup()
	b.add(time.Second)
	b.releases[0].Apps = nil
	b.Round(t.Context())
	asked, writes := b.take()
	require.Empty(t, asked)
	require.Zero(t, writes)
}

// A full round that the store refused has not taken place: it is due again at once, not ten minutes later.
func TestRound_WhoseStoreFailsIsRepeated(t *testing.T) {
	t.Parallel()
	b := setup()
	old := b.add(time.Hour)
	b.broken = skipper.Errorf(skipper.CodeUnavailable, "gone")
	b.Round(t.Context())
	asked, _ := b.take()
	require.Empty(t, asked)
	b.broken = nil
	b.now = b.now.Add(5 * time.Second)
	b.Round(t.Context())
	asked, _ = b.take()
	require.Equal(t, []int64{old}, asked)
}

func TestRun_DoesRoundsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	b := setup()
	b.add(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	rounds := make(chan struct{})
	b.asking = func(ctx context.Context) {
		select {
		case rounds <- struct{}{}:
		case <-ctx.Done():
		}
	}
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx) }()
	for range 3 {
		<-rounds
	}
	cancel()
	<-ended
	b.mu.Lock()
	defer b.mu.Unlock()
	require.GreaterOrEqual(t, len(b.lists), 3)
}

func TestRun_WithAContextThatEndedDoesNothing(t *testing.T) {
	t.Parallel()
	b := setup()
	b.add(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Run(ctx)
	require.Empty(t, b.lists)
}

// A platform that hangs in the middle of a round does not keep the server from stopping.
func TestRun_EndsInTheMiddleOfARound(t *testing.T) {
	t.Parallel()
	b := setup()
	for range 150 {
		b.add(time.Second)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	began := make(chan struct{})
	b.asking = func(ctx context.Context) {
		once.Do(func() { close(began) })
		<-ctx.Done()
	}
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx) }()
	<-began
	cancel()
	<-ended
	require.Len(t, b.lists, 1)
	asked, _ := b.take()
	require.LessOrEqual(t, len(asked), 100, "no second page after the end")
}
