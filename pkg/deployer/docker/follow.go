package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	followPeriod = time.Second // between two looks for instances that are new
	longestLine  = 64 << 10
)

// stop is an error of the one who takes lines.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// ReadLogs gives the lines of all instances, one instance after the other; followed, as they come.
func (d *Deployer) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions,
	emit func(deployer.LogLine) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &follower{Deployer: d, options: o, emit: emit, cancel: cancel, since: map[string]time.Time{}, reading: map[string]bool{}}
	found, err := d.chosen(ctx, h, o)
	if err != nil {
		return err
	}
	for _, i := range found {
		if err := f.past(ctx, i); err != nil {
			return unwrapped(err)
		}
	}
	if !o.Follow {
		return nil
	}
	err = f.follow(ctx, h, found)
	f.group.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return err
}

// unwrapped is an error of emit as it was.
func unwrapped(err error) error {
	if s, ok := errors.AsType[stop](err); ok {
		return s.error
	}
	return err
}

func (d *Deployer) chosen(ctx context.Context, h deployer.Handle, o deployer.LogOptions) ([]instance, error) {
	found, err := d.find(ctx, h.ID)
	if err != nil || o.Instance == "" {
		return found, err
	}
	for _, i := range found {
		if i.guid() == o.Instance {
			return []instance{i}, nil
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	return nil, deployer.Errorf(deployer.ErrNotFound, "%s has no instance %s", h.ID, o.Instance)
}

// follower hands on lines of several containers at the same time.
type follower struct {
	*Deployer

	options deployer.LogOptions
	emit    func(deployer.LogLine) error
	cancel  context.CancelFunc
	group   sync.WaitGroup

	mu      sync.Mutex
	since   map[string]time.Time // of the last line, by container
	reading map[string]bool
	err     error // of emit
}

// past hands on what there is.
func (f *follower) past(ctx context.Context, i instance) error {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true}
	if !f.options.Since.IsZero() {
		o.Since = stamp(f.options.Since)
	}
	f.note(i.ID, f.options.Since)
	switch {
	case f.options.Tail < 0: // only what comes from now on
		f.note(i.ID, f.Clock())
		return nil
	case f.options.Tail == 0:
		out, errs := f.writers(i, f.line)
		if err := f.copyLog(ctx, i, o, out, errs); err != nil {
			return err
		}
		return errors.Join(out.flush(), errs.flush())
	}
	last, err := f.lastLines(ctx, i, o)
	if err != nil {
		return err
	}
	for _, l := range last {
		if err := f.line(i, l); err != nil {
			return err
		}
	}
	return nil
}

// lastLines gives the last lines of each stream. The engine counts those of both together.
func (f *follower) lastLines(ctx context.Context, i instance, o client.ContainerLogsOptions) ([]deployer.LogLine, error) {
	n := f.options.Tail
	for ask := min(2*n+16, mostLines); ; ask = min(ask*8, mostLines) {
		var all []deployer.LogLine
		count := map[string]int{}
		out, errs := f.writers(i, func(_ instance, l deployer.LogLine) error {
			all, count[l.Stream] = append(all, l), count[l.Stream]+1
			return nil
		})
		o.Tail = strconv.Itoa(ask)
		if err := f.copyLog(ctx, i, o, out, errs); err != nil {
			return nil, err
		}
		if err := errors.Join(out.flush(), errs.flush()); err != nil {
			return nil, err
		}
		if len(all) >= ask && ask < mostLines && (count["stdout"] < n || count["stderr"] < n) {
			continue
		}
		var last []deployer.LogLine
		for _, l := range all {
			if count[l.Stream]--; count[l.Stream] < n {
				last = append(last, l)
			}
		}
		return last, nil
	}
}

func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

func (f *follower) note(id string, t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since[id].Before(t) {
		f.since[id] = t
	}
}

// line hands on one line.
func (f *follower) line(i instance, l deployer.LogLine) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since[i.ID].Before(l.Time) {
		f.since[i.ID] = l.Time
	}
	if f.err != nil {
		return stop{f.err}
	}
	if f.err = f.emit(l); f.err != nil {
		f.cancel()
		return stop{f.err}
	}
	return nil
}

// follow reads what is written from now on, until nothing of the deployment runs any more or is there.
func (f *follower) follow(ctx context.Context, h deployer.Handle, found []instance) error {
	ticker := time.NewTicker(followPeriod)
	defer ticker.Stop()
	for {
		for _, i := range found {
			f.read(ctx, i)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var err error
		if found, err = f.chosen(ctx, h, f.options); ctx.Err() != nil {
			return nil
		} else if notFound(err) || err == nil && len(found) == 0 {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// read follows one container in the background while it runs.
func (f *follower) read(ctx context.Context, i instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reading[i.ID] || i.State == container.StateCreated {
		return
	}
	f.reading[i.ID] = true
	since := f.since[i.ID]
	f.group.Go(func() {
		o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: true}
		if !since.IsZero() {
			o.Since = stamp(since.Add(time.Nanosecond))
		}
		out, errs := f.writers(i, f.line)
		err := f.copyLog(ctx, i, o, out, errs)
		if err == nil {
			err = errors.Join(out.flush(), errs.flush())
		}
		if _, stopped := errors.AsType[stop](err); err != nil && ctx.Err() == nil && !stopped {
			f.Logger.WarnContext(ctx, "a log cannot be followed now", "instance", i.guid(), "error", err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.reading, i.ID) // it may be started again
	})
}

func (f *follower) writers(i instance, emit func(instance, deployer.LogLine) error) (out, errs *lines) {
	return &lines{instance: i, stream: "stdout", emit: emit}, &lines{instance: i, stream: "stderr", emit: emit}
}

// lines makes lines of the messages of one stream; a line of more than 16 KiB comes in several, each with its time.
type lines struct {
	instance instance
	stream   string
	emit     func(instance, deployer.LogLine) error

	at   time.Time
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	text := p
	if head, tail, found := bytes.Cut(p, []byte(" ")); found {
		if at, err := time.Parse(time.RFC3339Nano, string(head)); err == nil {
			text = tail
			if len(l.rest) == 0 {
				l.at = at
			}
		}
	}
	l.rest = append(l.rest, text...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			break
		}
		if err := l.hand(line); err != nil {
			return 0, err
		}
		l.rest = append(l.rest[:0], rest...)
	}
	for len(l.rest) >= longestLine {
		if err := l.hand(l.rest[:longestLine]); err != nil {
			return 0, err
		}
		l.rest = append(l.rest[:0], l.rest[longestLine:]...)
	}
	return len(p), nil
}

func (l *lines) hand(text []byte) error {
	text = bytes.TrimSuffix(text, []byte("\r"))
	for {
		n := min(len(text), longestLine)
		err := l.emit(l.instance, deployer.LogLine{
			Instance: l.instance.guid(), Stream: l.stream, Time: l.at.UTC(), Text: string(text[:n]),
		})
		if text = text[n:]; err != nil || len(text) == 0 {
			return err
		}
	}
}

// flush hands on what has no end of line.
func (l *lines) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	rest := l.rest
	l.rest = nil
	return l.hand(rest)
}
