package shell

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/peterh/liner"
)

// errDropped says that a line was dropped with Ctrl-C.
var errDropped = errors.New("the line was dropped")

// terminal reads lines that a person edits, with history and completion; on a dumb terminal without them.
type terminal struct {
	editor     *liner.State
	plain, raw liner.ModeApplier // how the terminal is for commands, and for the editor
	s          *session
	interrupts <-chan struct{}
	failed     bool // the history could not be written; that was told
}

func newTerminal(ctx context.Context, s *session, interrupts <-chan struct{}) *terminal {
	t := &terminal{s: s, interrupts: interrupts}
	t.plain, _ = liner.TerminalMode() // a terminal without modes works as it is
	t.editor = liner.NewLiner()
	t.raw, _ = liner.TerminalMode()
	t.editor.SetCtrlCAborts(true)
	t.editor.SetTabCompletionStyle(liner.TabPrints)
	t.editor.SetWordCompleter(func(line string, pos int) (string, []string, string) {
		return s.complete(ctx, line, pos)
	})
	for _, line := range s.history.lines {
		t.editor.AppendHistory(line)
	}
	return t
}

// line reads a line and those that continue it. io.EOF at the end of the input, and when ctx has ended.
func (t *terminal) line(ctx context.Context, prompt string) (string, error) {
	var whole strings.Builder
	for {
		line, err := t.read(ctx, prompt)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			return "", errDropped
		case err != nil:
			return "", io.EOF
		}
		line, more := continued(line)
		whole.WriteString(line)
		if !more || whole.Len() > maxLine {
			return whole.String(), nil
		}
		prompt = "> "
	}
}

type typed struct {
	line string
	err  error
}

// read waits for one line. A terminal without line editing drops what was typed by itself when it is interrupted.
func (t *terminal) read(ctx context.Context, prompt string) (string, error) {
	lines := make(chan typed, 1)
	go func() {
		line, err := t.editor.Prompt(prompt)
		lines <- typed{line, err}
	}()
	for {
		select {
		case got := <-lines:
			return got.line, got.err
		case <-t.interrupts:
			t.s.tell("\n%s", prompt)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// remember puts a line into the history.
func (t *terminal) remember(line string) {
	kept, err := t.s.history.add(line)
	t.editor.AppendHistory(kept)
	if err != nil && !t.failed {
		t.failed = true
		t.s.tell("the history of this session is not kept: %v\n", err)
	}
}

// cooked runs f with the terminal as commands expect it.
func (t *terminal) cooked(f func() error) error {
	apply(t.plain)
	defer apply(t.raw)
	return f()
}

func (t *terminal) close() { _ = t.editor.Close() } // the terminal is gone when it fails

// apply ignores an error: the terminal is gone then, and the next read says so.
func apply(mode liner.ModeApplier) {
	if mode != nil {
		_ = mode.ApplyMode()
	}
}
