package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errInterrupted says that Ctrl-C ended a command.
var errInterrupted = errors.New("interrupted; what was begun at the server goes on")

// interrupts gives Ctrl-C to the command that runs, or ends it. The shell goes on.
type interrupts struct {
	pressed <-chan struct{}

	mu    sync.Mutex
	taker chan struct{} // nil: Ctrl-C ends the command
}

// take has Ctrl-C sent to a channel until release is called.
func (i *interrupts) take() (pressed <-chan struct{}, release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.taker = make(chan struct{}, 1)
	return i.taker, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.taker = nil
	}
}

// taken gives Ctrl-C to whoever took it. One that waits to be seen already is enough.
func (i *interrupts) taken() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.taker == nil {
		return false
	}
	select {
	case i.taker <- struct{}{}:
	default:
	}
	return true
}

// run runs f, whose context ends with Ctrl-C.
func (i *interrupts) run(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-i.pressed:
				if !i.taken() {
					cancel(errInterrupted)
				}
			case <-done:
				return
			}
		}
	}()
	err := f(ctx)
	close(done)
	<-ended
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
	return err
}

// lookPeriod is how soon a read that nobody waits for any more is over.
const lookPeriod = 100 * time.Millisecond

// patient reads a file that may have nothing to read for long, as a terminal or a pipe, until nobody waits any more: a
// read that is left behind takes nothing that comes later.
type patient struct {
	file *os.File
	done <-chan struct{} // nobody waits any more
}

// Read waits for something to read; io.EOF when nobody waits any more.
func (p patient) Read(b []byte) (int, error) {
	ready := []unix.PollFd{{Fd: int32(p.file.Fd()), Events: unix.POLLIN}} //nolint:gosec // it is a small number
	for {
		n, err := unix.Poll(ready, int(lookPeriod.Milliseconds()))
		select {
		case <-p.done:
			return 0, io.EOF
		default:
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n > 0:
			return p.file.Read(b)
		}
	}
}
