// Package shell is `skiff shell`: the Skipper shell's lines, over the commands of package cli. It reads a line, gives it
// to the command line in its words, and writes what comes back as the Skipper shell does. It knows nothing of HTTP.
//
//	skiff shell                    reads lines from the terminal, or from standard input
//	skiff shell --file tour.skipper
//	skiff shell "release list" @tour.skipper
package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/skiff-project/skiff/cmd/internal/cli"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	maxLine  = 1 << 20 // of a script, in bytes
	maxDepth = 10      // of scripts that run scripts
)

// Run is the shell: it runs what the options name, line by line, or what comes in. It ends at the first line that fails
// when lines or files were named; else a line that fails is told, and the next one runs.
func Run(ctx context.Context, d cli.Deps, o cli.ShellOptions) error {
	s, err := newSession(d, o)
	if err != nil {
		return err
	}
	in, isFile := d.In.(*os.File)
	if isFile && d.OutTTY && len(o.Lines) == 0 && term.IsTerminal(int(in.Fd())) {
		return s.converse(ctx, in)
	}
	if isFile {
		s.deps.In = patient{in, ctx.Done()}
	}
	if len(o.Lines) > 0 {
		s.scripts = true
		return s.runAll(ctx, o.Lines)
	}
	return s.runPiped(ctx, s.deps.In)
}

// runAll runs lines, and of @FILE the lines of the file, up to the first error.
func (s *session) runAll(ctx context.Context, lines []string) error {
	for _, line := range lines {
		err := s.runOne(ctx, line)
		switch {
		case errors.Is(err, errQuit):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

func (s *session) runOne(ctx context.Context, line string) error {
	if file, ok := strings.CutPrefix(strings.TrimSpace(line), "@"); ok {
		return s.runFile(ctx, file, func(n int, err error) error {
			s.report(err)
			return fmt.Errorf("stopped at line %d of %s; the lines below it did not run", n, name(file))
		})
	}
	if err := s.run(ctx, line); err != nil {
		if errors.Is(err, errQuit) {
			return err
		}
		s.report(err)
		return fmt.Errorf("stopped at '%s'; what was to come after it did not run", withoutSecrets(line))
	}
	return nil
}

func name(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// runPiped runs the lines that come in, whether one fails or not.
func (s *session) runPiped(ctx context.Context, in io.Reader) error {
	err := s.runLines(ctx, in, func(_ int, err error) error {
		s.report(err)
		return nil
	})
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

// runFile runs the lines of a file; - is standard input.
func (s *session) runFile(ctx context.Context, file string, failed func(line int, err error) error) error {
	if s.depth >= maxDepth {
		return fmt.Errorf("%s is not run: scripts that run scripts end after %d of them", file, maxDepth)
	}
	s.depth++
	defer func() { s.depth-- }()
	if file == "-" {
		return s.runLines(ctx, s.deps.In, failed)
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("the script cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return s.runLines(ctx, f, failed)
}

// runLines runs line by line. failed says whether to go on after an error: it gives nil then.
func (s *session) runLines(ctx context.Context, in io.Reader, failed func(line int, err error) error) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxLine)
	n, first, whole := 0, 0, ""
	for scanner.Scan() {
		n++
		line, more := continued(scanner.Text())
		if whole == "" {
			first = n
		}
		if whole += line; more && len(whole) < maxLine {
			continue
		}
		err := s.run(ctx, whole)
		whole = ""
		if err == nil {
			continue
		}
		if errors.Is(err, errQuit) || ctx.Err() != nil {
			return err
		}
		if err := failed(first, err); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return skipper.Errorf(skipper.CodeCancelled, "interrupted; the lines that were to come did not run")
	}
	if err := scanner.Err(); err != nil {
		return failed(n+1, fmt.Errorf("the line cannot be read: %w", err))
	}
	if whole == "" {
		return nil
	}
	if err := s.run(ctx, whole); err != nil {
		return failed(first, err)
	}
	return nil
}

// converse reads lines from a terminal until its end. Ctrl-C drops a line or ends a command, not the shell.
func (s *session) converse(ctx context.Context, in *os.File) error {
	i := &interrupts{}
	if s.deps.Interrupts != nil {
		var release func()
		i.pressed, release = s.deps.Interrupts()
		defer release()
		s.deps.Interrupts = i.take
	}
	h, err := openHistory(historyPath(s.deps.Env))
	if err != nil {
		s.tell("the history of this session is not kept: %v\n", err)
	}
	s.history = h
	t := newTerminal(ctx, s, i.pressed)
	defer t.close()
	_ = t.cooked(func() error { return i.run(ctx, s.check) }) // it was told
	for {
		line, err := t.line(ctx, s.prompt())
		switch {
		case errors.Is(err, errDropped):
			continue
		case err != nil:
			s.tell("\n")
			return nil // the end of the input
		}
		if isNothing(line) {
			continue
		}
		t.remember(line)
		err = t.cooked(func() error {
			return i.run(ctx, func(ctx context.Context) error {
				s.deps.In = patient{in, ctx.Done()}
				return s.run(ctx, line)
			})
		})
		if errors.Is(err, errQuit) {
			return nil
		}
		s.report(err)
	}
}
