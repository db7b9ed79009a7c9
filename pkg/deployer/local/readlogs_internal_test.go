package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// writer writes a log file as a process does: it holds it open for appending.
type writer struct {
	t    *testing.T
	path string
	file *os.File
	next int
}

func newWriter(t *testing.T) *writer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdout_0.log")
	file, err := openLog(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return &writer{t: t, path: path, file: file}
}

func (w *writer) lines(n int) {
	w.t.Helper()
	for range n {
		_, err := fmt.Fprintln(w.file, w.next)
		require.NoError(w.t, err)
		w.next++
	}
}

// read gives what a stream has to say now.
func read(t *testing.T, s *stream, last bool) []string {
	t.Helper()
	var texts []string
	require.NoError(t, s.emitAll(t.Context(), last, func(l deployer.LogLine) error {
		texts = append(texts, l.Text)
		return nil
	}))
	return texts
}

func opened(t *testing.T, path string, tail int) *stream {
	t.Helper()
	s := &stream{lock: &sync.RWMutex{}, path: path, name: "stdout"}
	require.NoError(t, s.open(tail))
	t.Cleanup(s.close)
	return s
}

func numbers(from, to int) []string {
	var texts []string
	for n := from; n < to; n++ {
		texts = append(texts, fmt.Sprint(n))
	}
	return texts
}

func TestRotate_NothingIsLostAndOldOnesGo(t *testing.T) {
	t.Parallel()
	w, d := newWriter(t), &Deployer{}
	followed := opened(t, w.path, 0)
	for round := range 5 {
		w.lines(100)
		require.Equal(t, numbers(100*round, 100*round+100), read(t, followed, false), "a reader sees each line once")
		require.NoError(t, d.rotate(w.path, 50, 2))
	}
	w.lines(3)

	require.Equal(t, numbers(500, 503), read(t, followed, false))
	files, err := filepath.Glob(w.path + "*")
	require.NoError(t, err)
	require.Len(t, files, 3)
	require.Equal(t, numbers(300, 503), read(t, opened(t, w.path, 0), true), "all that is kept")
	require.Equal(t, numbers(501, 503), read(t, opened(t, w.path, 2), true))
	require.Equal(t, numbers(380, 503), read(t, opened(t, w.path, 123), true), "the tail of several files")
	require.Empty(t, read(t, opened(t, w.path, -1), true))
}

// A reader that was held up while the file was put aside, once or more, misses nothing that is kept.
func TestRotate_ASlowReaderMissesNothing(t *testing.T) {
	t.Parallel()

	for rotations := range 4 {
		t.Run(fmt.Sprint(rotations), func(t *testing.T) {
			t.Parallel()
			w, d := newWriter(t), &Deployer{}
			w.lines(10)
			s := opened(t, w.path, 0)
			require.Len(t, read(t, s, false), 10)
			for range rotations {
				w.lines(100)
				require.NoError(t, d.rotate(w.path, 50, 4))
			}
			w.lines(7)

			require.Equal(t, numbers(10, w.next), read(t, s, false))
		})
	}
}

func TestRotate_WithoutCopies(t *testing.T) {
	t.Parallel()
	w, d := newWriter(t), &Deployer{}
	w.lines(100)
	s := opened(t, w.path, 0)
	require.Len(t, read(t, s, false), 100)

	require.NoError(t, d.rotate(w.path, 50, 0))
	w.lines(2)

	require.Equal(t, numbers(100, 102), read(t, s, false))
	files, err := filepath.Glob(w.path + "*")
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestRotate_SmallAndMissingFilesStay(t *testing.T) {
	t.Parallel()
	w, d := newWriter(t), &Deployer{}
	w.lines(1)
	require.NoError(t, d.rotate(w.path, 50, 2))
	require.NoError(t, d.rotate(w.path+"x", 50, 2))
	require.NoFileExists(t, w.path+".1")
	require.NoError(t, os.Symlink("/dev/zero", w.path+"z"))
	require.NoError(t, d.rotate(w.path+"z", 50, 2), "what the application put there is none of ours")
}

func TestStream_LinesWithoutEndAndLongOnes(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	long := strings.Repeat("x", longestLine+10)
	_, err := w.file.WriteString(long + "\r\nhalf")
	require.NoError(t, err)
	s := opened(t, w.path, 0)

	require.Equal(t, []string{long[:longestLine], long[longestLine:]}, read(t, s, false))
	require.Equal(t, []string{"half"}, read(t, s, true))
}

func TestStream_SinceGoesByTheTimesInLines(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	_, err := w.file.WriteString("banner\n2026-01-02T03:04:05.678Z INFO old\n\tat trace\n" +
		"2026-01-02T03:05:05,123+01:00 older\n2026-01-02 05:00:00.000  INFO new\n\tat new trace\n")
	require.NoError(t, err)
	s := opened(t, w.path, 0)
	s.since = time.Date(2026, 1, 2, 4, 0, 0, 0, time.Local)

	texts := read(t, s, true)

	require.Equal(t, "banner", texts[0], "before any time it is not known")
	require.Equal(t, "\tat new trace", texts[len(texts)-1])
	require.NotContains(t, texts[len(texts)-2], "old")
}

func FuzzLineTime(f *testing.F) {
	for _, seed := range []string{"", "2026-01-02T03:04:05Z x", "2026-01-02 03:04:05,678 x", "2026-99-02T03:04:05Z", "----------:::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if at, ok := lineTime(line); ok {
			require.False(t, at.IsZero() && !strings.HasPrefix(line, "0001"))
		}
	})
}

func TestLineTime(t *testing.T) {
	t.Parallel()

	for line, want := range map[string]time.Time{
		"2026-01-02T03:04:05.678Z  INFO":   time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		"2026-01-02T03:04:05+00:00":        time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"2026-01-02 03:04:05,678 [main] x": time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.Local),
		"2026-01-02T03:04:05.678901234Z|x": time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC),
	} {
		got, ok := lineTime(line)
		require.True(t, ok, line)
		require.True(t, want.Equal(got), "%s: %s", line, got)
	}
	for _, line := range []string{"", "INFO 2026-01-02T03:04:05Z", "2026-01-02", "1234567890123456789012"} {
		_, ok := lineTime(line)
		require.False(t, ok, line)
	}
}
