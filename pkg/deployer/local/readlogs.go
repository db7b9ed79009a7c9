package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	followPeriod = 200 * time.Millisecond
	longestLine  = 64 << 10
)

// ReadLogs reads the log files of instances, those put aside included. A line has the time that it begins with, if it
// begins with one, as those of Spring Boot do; one without has that of the line before, as a stack trace.
func (d *Deployer) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions,
	emit func(deployer.LogLine) error,
) error {
	d.begin()
	streams := map[string]*stream{}
	defer func() {
		for _, s := range streams {
			s.close()
		}
	}()
	ticker := time.NewTicker(followPeriod)
	defer ticker.Stop()
	for first := true; ; first = false {
		rec, err := d.view(h, sync.OnceValues(processes))
		if err != nil {
			return err
		}
		gone := rec == nil || rec.InheritLogging || !d.left(rec)
		if !gone {
			if err := d.openStreams(h.ID, rec, o, streams, first); err != nil {
				return err
			}
		}
		last := gone || !o.Follow
		for _, key := range order(streams) {
			if err := streams[key].emitAll(ctx, last, emit); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// left says whether anything is left of a deployment: its record, or a live process.
func (d *Deployer) left(rec *record) bool {
	return d.noted(rec.ID) || slices.ContainsFunc(slices.Clone(rec.Instances), func(i instance) bool {
		return d.settle(rec.ID, rec, &i) != nil
	})
}

// openStreams begins to read instances that were not read so far: from their tail at first, then from their beginning.
func (d *Deployer) openStreams(id string, rec *record, o deployer.LogOptions, streams map[string]*stream, first bool) error {
	found := false
	for _, i := range rec.Instances {
		if o.Instance != "" && o.Instance != guid(id, i) {
			continue
		}
		found = true
		for _, name := range []string{"stderr", "stdout"} {
			path := rec.log(name, i)
			if streams[path] != nil {
				continue
			}
			tail := o.Tail
			if !first {
				tail = 0
			}
			s := &stream{lock: &d.rotating, path: path, instance: guid(id, i), name: name, since: o.Since}
			if err := s.open(tail); errors.Is(err, fs.ErrNotExist) {
				continue // nothing written yet
			} else if err != nil {
				return deployer.Errorf(deployer.ErrUnavailable, "read the log of %s: %w", s.instance, err)
			}
			streams[path] = s
		}
	}
	if !found && o.Instance != "" {
		return deployer.Errorf(deployer.ErrNotFound, "deployment %s has no instance %s", id, o.Instance)
	}
	return nil
}

func order(streams map[string]*stream) []string {
	keys := make([]string, 0, len(streams))
	for key := range streams {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// stream reads one output of an instance, line by line, through the files it was put aside into.
type stream struct {
	lock                 *sync.RWMutex // see Deployer.rotating
	path, instance, name string
	since                time.Time

	queue  []*os.File  // put aside: to be read before main, each from where it stands
	main   *os.File    // the file that is written
	offset int64       // in main
	newest os.FileInfo // of path.1 when we looked last; nil: there was none
	rest   []byte      // of a line that has no end yet
	at     time.Time   // of the last line that had a time
}

// open finds the place of the last lines; 0: the first one, negative: the end.
func (s *stream) open(tail int) error {
	s.lock.RLock()
	defer s.lock.RUnlock()
	main, err := regular(s.path)
	if err != nil {
		return err
	}
	s.main, s.newest = main, stampOf(aside(s.path, 1)).info
	missing := tail
	if tail < 0 {
		s.offset, err = main.Seek(0, io.SeekEnd)
		return err
	}
	if tail > 0 {
		var found int
		if s.offset, found, err = lastLines(main, tail); err != nil {
			return err
		}
		missing -= found
	}
	for n := 1; tail == 0 || missing > 0; n++ {
		older, err := regular(aside(s.path, n))
		if errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		s.queue = slices.Insert(s.queue, 0, older)
		if tail > 0 {
			from, found, err := lastLines(older, missing)
			if err == nil {
				_, err = older.Seek(from, io.SeekStart)
			}
			if err != nil {
				return err
			}
			missing -= found
		}
	}
	return nil
}

// regular opens a file for reading. The application can put anything in its place; a pipe would hold us for ever.
func regular(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return os.Open(path)
}

// lastLines gives where the last lines of a file begin, and how many there are, at most n.
func lastLines(f *os.File, n int) (from int64, found int, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, 0, err
	}
	chunk := make([]byte, longestLine)
	for end := info.Size(); end > 0; {
		begin := max(end-int64(len(chunk)), 0)
		part := chunk[:end-begin]
		if _, err := f.ReadAt(part, begin); err != nil {
			return 0, 0, err
		}
		for at, b := range slices.Backward(part) {
			if b == '\n' && begin+int64(at) != info.Size()-1 {
				if found++; found == n {
					return begin + int64(at) + 1, found, nil
				}
			}
		}
		end = begin
	}
	return 0, found + 1, nil
}

func (s *stream) close() {
	for _, f := range append(s.queue, s.main) {
		_ = f.Close() // it was only read
	}
}

// emitAll hands out what there is; the last time also what has no end of line.
func (s *stream) emitAll(ctx context.Context, last bool, emit func(deployer.LogLine) error) error {
	chunk := make([]byte, 32<<10)
	for ctx.Err() == nil {
		n, err := s.read(chunk)
		if err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "read the log of %s: %w", s.instance, err)
		}
		if n == 0 {
			break
		}
		if err := s.cut(chunk[:n], emit); err != nil {
			return err
		}
	}
	if last && len(s.rest) > 0 {
		text := string(s.rest)
		s.rest = nil
		return s.hand(text, emit)
	}
	return nil
}

// read reads on, at most one chunk; 0 bytes: there is no more now.
func (s *stream) read(chunk []byte) (int, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	if len(s.queue) == 0 {
		if err := s.turn(); err != nil {
			return 0, err
		}
	}
	for len(s.queue) > 0 {
		n, err := s.queue[0].Read(chunk)
		if n > 0 {
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		_ = s.queue[0].Close() // it was only read
		s.queue = s.queue[1:]
	}
	n, err := s.main.ReadAt(chunk, s.offset)
	s.offset += int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// turn finds whether the file was put aside since, once or more, and queues what of it was not read.
func (s *stream) turn() error {
	newest := stampOf(aside(s.path, 1)).info
	if newest == nil {
		if info, err := s.main.Stat(); err == nil && info.Size() < s.offset { // emptied, and no copy is kept
			s.offset = 0
		}
		return nil
	}
	if s.newest != nil && os.SameFile(s.newest, newest) {
		return nil
	}
	var files []*os.File
	for n := 1; ; n++ {
		info := stampOf(aside(s.path, n)).info
		if info == nil || (s.newest != nil && os.SameFile(s.newest, info)) {
			break
		}
		f, err := regular(aside(s.path, n))
		if err != nil {
			return err
		}
		files = slices.Insert(files, 0, f)
	}
	if len(files) > 0 { // the oldest is the one we were reading
		if _, err := files[0].Seek(s.offset, io.SeekStart); err != nil {
			return err
		}
	}
	s.queue, s.offset, s.newest = files, 0, newest
	return nil
}

// cut makes lines of bytes.
func (s *stream) cut(text []byte, emit func(deployer.LogLine) error) error {
	s.rest = append(s.rest, text...)
	for {
		line, rest, ended := bytes.Cut(s.rest, []byte("\n"))
		if len(line) > longestLine {
			line, rest, ended = s.rest[:longestLine], s.rest[longestLine:], true
		}
		if !ended {
			return nil
		}
		whole := string(line)
		s.rest = rest
		if err := s.hand(whole, emit); err != nil {
			return err
		}
	}
}

func (s *stream) hand(text string, emit func(deployer.LogLine) error) error {
	if at, ok := lineTime(text); ok {
		s.at = at
	}
	if !s.at.IsZero() && s.at.Before(s.since) {
		return nil
	}
	return emit(deployer.LogLine{
		Instance: s.instance, Stream: s.name, Time: s.at, Text: strings.TrimSuffix(text, "\r"),
	})
}

// lineTime reads the time that a line begins with: as 2026-01-02T03:04:05.678Z, with or without zone and fraction, or
// with a space in place of the T. Without a zone it is the local one.
func lineTime(line string) (time.Time, bool) {
	const shortest = len("2006-01-02T15:04:05")
	if len(line) < shortest || line[4] != '-' || line[7] != '-' || line[13] != ':' {
		return time.Time{}, false
	}
	end := shortest + strings.IndexAny(line[shortest:]+" ", " \t|]")
	text := strings.Replace(line[:end], " ", "T", 1)
	text = strings.Replace(text, ",", ".", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
