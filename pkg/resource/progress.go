package resource

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress is how far the way to a file is.
type Progress struct {
	Resource string // without credentials
	Done     int64  // bytes that were read
	Total    int64  // bytes there are; below 0 when nobody said
	Waiting  bool   // another download of the same is under way, here or in another process
}

// String tells it to people.
func (p Progress) String() string {
	const mega = 1e6
	switch {
	case p.Waiting:
		return "waits for another download of " + p.Resource
	case p.Total > 0:
		return fmt.Sprintf("downloads %s: %.1f of %.1f MB (%d %%)",
			p.Resource, float64(p.Done)/mega, float64(p.Total)/mega, p.Done*100/p.Total)
	default:
		return fmt.Sprintf("downloads %s: %.1f MB", p.Resource, float64(p.Done)/mega)
	}
}

type progressKey struct{}

// WithProgress gives a context whose downloads tell how far they are: when one begins, and about twice a second while
// it lasts. tell is called by one goroutine at a time for each download, and must not block.
func WithProgress(ctx context.Context, tell func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, tell)
}

func report(ctx context.Context, p Progress) {
	if tell, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		tell(p)
	}
}

const (
	progressPeriod = 500 * time.Millisecond
	logPeriod      = 10 * time.Second
)

// meter reads a body and tells how far it is. It ends the read with an error when nothing comes for a while, or when
// more comes than is allowed.
type meter struct {
	body  io.Reader
	limit int64
	now   Progress
	tell  func(p Progress)
	clock func() time.Time
	told  time.Time
	idle  *idleTimer
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.body.Read(b)
	m.now.Done += int64(n)
	if n > 0 {
		m.idle.touch()
	}
	if m.now.Done > m.limit {
		return n, errTooLarge
	}
	if now := m.clock(); now.Sub(m.told) >= progressPeriod {
		m.told = now
		m.tell(m.now)
	}
	return n, err
}

// idleTimer cancels a request of which nothing was heard for a while.
type idleTimer struct {
	mu    sync.Mutex
	limit time.Duration
	timer *time.Timer
}

func newIdleTimer(limit time.Duration, expired func()) *idleTimer {
	return &idleTimer{limit: limit, timer: time.AfterFunc(limit, expired)}
}

func (t *idleTimer) touch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Reset(t.limit)
}

func (t *idleTimer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
}
