package survival

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository/postgrestest"
)

// A store that fails while commands come: what was answered with 2xx is there afterwards, and all ends.

// A server whose files must not grow is one whose disk is full: SQLite's write fails in the middle of a transaction.
func TestStore_DiskFull(t *testing.T) {
	t.Parallel()
	full(t)
	dir := t.TempDir()
	p, data := fakePlatform(t, dir), filepath.Join(dir, "data")
	s := serve(t, data, quick(settings{faults: p.faults}))
	newUser(t, s, p, "").prepared(t, nil)
	s.end()
	size, err := os.Stat(filepath.Join(data, "skiff.db"))
	require.NoError(t, err)
	// In the blocks of sh, 512 bytes each: the write-ahead log gets two megabytes, and is full before it is folded back.
	limit := fmt.Sprintf(`trap "" XFSZ; ulimit -f %d; exec "$@"`, (size.Size()+2_000_000)/512)
	s = serve(t, data, quick(settings{faults: p.faults}), "sh", "-c", limit, "sh")
	c := s.client()
	w := newWorkload(t, p, releasesOf(5), 7, func() *client.Client { return c })
	w.run(within(t, 40*time.Second), 12)
	require.Regexp(t, "the disk of the data directory is full|cannot be written", s.log.String(), "it was not full: %s", w.summary())
	require.NoError(t, c.Ready(within(t, patience)), "the server is alive")
	s.kill()
	s = serve(t, data, quick(settings{faults: p.faults}))
	w.check(s)
	t.Log(w.summary())
}

// Another process holds SQLite's write lock for longer than is waited for it.
func TestStore_SQLiteBusy(t *testing.T) {
	t.Parallel()
	full(t)
	dir := t.TempDir()
	p, data := fakePlatform(t, dir), filepath.Join(dir, "data")
	s := serve(t, data, quick(settings{faults: p.faults}))
	newUser(t, s, p, "").prepared(t, nil)
	c := s.client()
	w := newWorkload(t, p, releasesOf(5), 8, func() *client.Client { return c })
	w.run(within(t, patience), 2)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "skiff.db")+"?_txlock=immediate")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 16*time.Second) // three times busy_timeout
	defer cancel()
	w.run(ctx, 100)
	<-ctx.Done()
	require.NoError(t, tx.Rollback())
	require.NotZero(t, w.refused[skipper.CodeUnavailable], "nobody noticed: %s", w.summary())
	w.run(within(t, patience), 2)
	w.check(s)
	t.Log(w.summary())
}

// onPostgres is a server on a database, with its packages.
func onPostgres(t *testing.T, p *platform, dir, database string, more settings) *server {
	t.Helper()
	s := quick(more)
	s[faults], s["DATABASE_URL"] = p.faults, database
	return serve(t, dir, s)
}

// PostgreSQL is stopped and started again, and crashes, while commands come.
func TestStore_PostgresRestarted(t *testing.T) {
	t.Parallel()
	full(t)
	own := &postgrestest.Cluster{Durable: true}
	t.Cleanup(func() { own.Run(nothing{}) })
	database := own.Database(t)
	dir := t.TempDir()
	p := fakePlatform(t, dir)
	s := onPostgres(t, p, filepath.Join(dir, "data"), database, nil)
	newUser(t, s, p, "").prepared(t, nil)
	c := s.client()
	w := newWorkload(t, p, releasesOf(5), 9, func() *client.Client { return c })
	for _, crash := range []bool{false, true} {
		ctx, cancel := context.WithCancel(within(t, patience))
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.run(ctx, 1000)
		}()
		require.True(t, wait(patience, func() bool { return w.acknowledged() >= 10 }))
		own.Halt(t, crash)
		require.True(t, wait(patience, func() bool { return w.unavailable() > 0 }))
		own.Start(t)
		before := w.acknowledged()
		require.True(t, wait(patience, func() bool { return w.acknowledged() >= before+10 }), "it does not come back: %s", s.log)
		cancel()
		<-done
		w.forgetRefused()
	}
	w.check(s)
	t.Log(w.summary())
}

// nothing is a test package without tests: running it just stops the cluster.
type nothing struct{}

func (nothing) Run() int { return 0 }

func (w *workload) acknowledged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.done)
}

func (w *workload) unavailable() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused[skipper.CodeUnavailable]
}

func (w *workload) forgetRefused() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.refused)
}

// The connection breaks at a COMMIT: before the database hears of it, and after it did, so that the answer is lost.
func TestStore_ConnectionLostAtCommit(t *testing.T) {
	t.Parallel()
	for name, heard := range map[string]bool{"before the database hears of it": false, "after it did": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if heard {
				full(t)
			}
			database := cluster.Database(t)
			cut := newCutter(t, cluster.Socket(), heard)
			dir := t.TempDir()
			p := fakePlatform(t, dir)
			s := onPostgres(t, p, filepath.Join(dir, "data"), through(t, database, cut.dir), nil)
			newUser(t, s, p, "").prepared(t, nil)
			c := s.client()
			w := newWorkload(t, p, releasesOf(5), 10, func() *client.Client { return c })
			cut.every.Store(7)
			w.run(within(t, patience), 10)
			cut.every.Store(0)
			w.check(s)
			require.Greater(t, cut.cuts.Load(), int64(10))
			t.Logf("%d commits cut; %s", cut.cuts.Load(), w.summary())
		})
	}
}

// through puts another socket into the URL of a database.
func through(t *testing.T, database, dir string) string {
	t.Helper()
	parsed, err := url.Parse(database)
	require.NoError(t, err)
	query := parsed.Query()
	require.True(t, strings.HasPrefix(query.Get("host"), "/"))
	query.Set("host", dir)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}
