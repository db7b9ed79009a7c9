package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	firstLines = 1000      // asked for at first, of both streams together
	mostLines  = 1_000_000 // asked for at most
)

// Logs joins the logs of all instances. The engine counts in lines: it is asked for more until one stream is full or
// there are no more, so the other may end where it has not all that it might.
func (d *Deployer) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	found, err := d.find(ctx, h.ID)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, i := range found {
		stdout, stderr, err := d.tail(ctx, i, limit)
		if err != nil {
			return "", err
		}
		for _, stream := range []struct{ name, text string }{{"stderr", stderr}, {"stdout", stdout}} {
			if strings.TrimSpace(stream.text) != "" {
				out.WriteString(stream.name + ":\n" + stream.text)
			}
		}
	}
	return out.String(), nil
}

func (d *Deployer) tail(ctx context.Context, i instance, limit int64) (stdout, stderr string, err error) {
	for lines := firstLines; ; lines = min(lines*8, mostLines) {
		out, errs := &end{limit: limit}, &end{limit: limit}
		err := d.copyLog(ctx, i, client.ContainerLogsOptions{
			ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines),
		}, out, errs)
		if err != nil {
			return "", "", err
		}
		if out.lines+errs.lines < lines || lines == mostLines || out.full() || errs.full() {
			return out.String(), errs.String(), nil
		}
	}
}

// copyLog copies the log of a container, each message of the engine in one Write. Nothing where there is no container
// any more.
func (d *Deployer) copyLog(ctx context.Context, i instance, o client.ContainerLogsOptions, out, errs io.Writer) error {
	stream, err := d.client.ContainerLogs(ctx, i.ID, o)
	if err == nil {
		_, err = stdcopy.StdCopy(out, errs, stream)
		_ = stream.Close() // it was only read
	}
	switch {
	case err == nil, errdefs.IsNotFound(err):
		return nil
	case errors.As(err, new(stop)):
		return err
	case ctx.Err() != nil:
		return deployer.Errorf(deployer.ErrUnavailable, "read the log of %s: %w", i.guid(), ctx.Err())
	case errdefs.IsNotImplemented(err), strings.Contains(err.Error(), "does not support reading"):
		return deployer.Errorf(deployer.ErrUnsupported, "the engine's log driver keeps no logs to be read: %w", said(err))
	default:
		return d.fault(reading, "read the log of "+i.guid(), err)
	}
}

// end keeps the last limit bytes that are written to it.
type end struct {
	limit int64
	lines int
	cut   bool
	buf   []byte
}

func (e *end) Write(p []byte) (int, error) {
	e.lines += max(bytes.Count(p, []byte("\n")), 1)
	e.buf = append(e.buf, p...)
	if over := int64(len(e.buf)) - e.limit; over > e.limit+64<<10 {
		e.drop(over)
	}
	return len(p), nil
}

func (e *end) drop(over int64) { e.buf, e.cut = append(e.buf[:0], e.buf[over:]...), true }

func (e *end) full() bool { return e.cut || int64(len(e.buf)) >= e.limit }

// String begins with a whole line.
func (e *end) String() string {
	if over := int64(len(e.buf)) - e.limit; over > 0 {
		e.drop(over)
	}
	text := e.buf
	if _, rest, found := bytes.Cut(text, []byte("\n")); found && e.cut {
		text = rest
	}
	if len(text) > 0 && text[len(text)-1] != '\n' { // what follows begins a line
		text = append(text, '\n')
	}
	return string(text)
}
