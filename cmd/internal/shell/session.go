package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/cmd/internal/cli"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// errQuit says that the shell is to be left.
var errQuit = errors.New("quit")

// startPatience is how long the server may take to answer before the first prompt.
const startPatience = 3 * time.Second

// session is one shell from its start to its end.
type session struct {
	deps    cli.Deps
	history *history
	last    error  // of a line
	label   string // names the server in the prompt; empty: the usual one
	lost    bool   // the server gave no answer when it was last asked
	depth   int    // of scripts that run scripts
	scripts bool   // the lines are not typed, but named when the shell was started
	names   *names
}

func newSession(d cli.Deps, o cli.ShellOptions) (*session, error) {
	d.Shell = nil // there is none in a shell
	d.Session = &cli.Session{}
	d.Style = style(d.Width, d.Clock)
	s := &session{deps: d, history: &history{}, label: o.Label}
	var err error
	if d.Session.Client, err = o.Target.Open(d); err != nil {
		return nil, err
	}
	s.names = newNames(d.Clock)
	return s, nil
}

// run carries out one line. Its error is not told yet.
func (s *session) run(ctx context.Context, line string) error {
	if isNothing(line) {
		return nil
	}
	l := lex(line)
	if l.quote != 0 {
		return fmt.Errorf("the quote %c is not closed", l.quote)
	}
	d := s.deps
	d.IsTTY = d.IsTTY && !s.scripts && s.depth == 0 // nobody watches what a script does
	root := s.tree(d)                               //nolint:contextcheck // cobra hands the context to the command it runs
	cmd, used := find(root, l.words)
	if !cmd.Runnable() || used == 0 || cmd.HasSubCommands() && used < len(l.words) && !l.words[used].isOption() {
		return unknown(root, line, l.words)
	}
	args, err := arguments(cmd, used, l.words)
	if err != nil {
		return err
	}
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	s.notice(cmd, err)
	return lineError{err, path(cmd)}.orNil()
}

// notice keeps what a command tells of the server.
func (s *session) notice(cmd *cobra.Command, err error) {
	client := s.deps.Session.Client
	switch {
	case cmd.Flags().Changed("help"):
		return
	case path(cmd) == "context use" && err == nil:
		s.deps.Session.Client, s.label = nil, cli.ContextInUse(s.deps) // the next line opens it
	case path(cmd) == "skipper config" && client != nil:
		s.label = host(client.URL())
	case !asksServer(cmd):
		return
	}
	s.lost = skipper.CodeOf(err) == skipper.CodeUnavailable
	s.names.forget()
}

// host gives of a URL whom it leads to.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// capture runs words without telling what comes of it, and gives what they write.
func (s *session) capture(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	d := s.deps
	d.In, d.Out, d.Err, d.IsTTY, d.OutTTY, d.Password = strings.NewReader(""), &out, &bytes.Buffer{}, false, false, nil
	root := s.tree(d) //nolint:contextcheck // as above
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

// check asks the server who it is, so that the prompt can tell whether it is there.
func (s *session) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	_, err := s.capture(ctx, "skipper", "info")
	s.lost = err != nil
	s.report(err)
	return err
}

// lineError is the error of a command with its words.
type lineError struct {
	error

	command string
}

// Unwrap gives the error itself.
func (e lineError) Unwrap() error { return e.error }

func (e lineError) orNil() error {
	if e.error == nil {
		return nil
	}
	return e
}

// report tells an error: one sentence, then what to do next.
func (s *session) report(err error) {
	if err == nil {
		return
	}
	s.last = err
	sentence, next, _ := cli.Describe(err)
	command, of := errors.AsType[lineError](err)
	_, answered := errors.AsType[*skipper.Error](err)
	switch {
	case errors.Is(err, errInterrupted):
		sentence, next = errInterrupted.Error(), ""
	case of && cli.ExitCode(err) == 2:
		sentence = inCamelCase(sentence)
		next = "'help " + command.command + "' shows how it is used"
	case next == "" && answered:
		next = "'stacktrace' shows all that is known of the error"
	}
	s.tell("%s\n", s.red(sentence))
	if next != "" {
		s.tell("%s\n", strings.ReplaceAll(next, "'skiff ", "'"))
	}
}

var dashed = regexp.MustCompile(`--[a-z]+(-[a-z]+)+`)

// inCamelCase spells the options in a sentence as the Skipper shell does.
func inCamelCase(sentence string) string { return dashed.ReplaceAllStringFunc(sentence, camel) }

// tell writes what is not the answer of a command. That nobody can read it changes nothing.
func (s *session) tell(format string, args ...any) { _, _ = fmt.Fprintf(s.deps.Err, format, args...) }

func (s *session) say(format string, args ...any) error {
	_, err := fmt.Fprintf(s.deps.Out, format, args...)
	return err
}

// red colours an error for a person; the word tells as much without it.
func (s *session) red(text string) string {
	if !s.deps.IsTTY || s.deps.Env("NO_COLOR") != "" || s.deps.Env("TERM") == "dumb" {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
}

// asksServer tells whether a command speaks to the server.
func asksServer(cmd *cobra.Command) bool {
	noun, verb, _ := strings.Cut(path(cmd), " ")
	local := []string{"init", "lint", "render", "zip"}
	return slices.Contains([]string{"skipper", "package", "release", "platform", "repo", "manifest"}, noun) &&
		!slices.Contains(local, verb)
}

// prompt tells which server is asked, and whether it gave an answer.
func (s *session) prompt() string {
	if s.lost {
		return "server-unknown:>"
	}
	label := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.C, r) { // the editor takes none of these
			return '?'
		}
		return r
	}, s.label)
	if label == "" {
		return "skiff:>"
	}
	return "skiff(" + label + "):>"
}

func commandOf(err error) string {
	e, _ := errors.AsType[lineError](err)
	return e.command
}

// kind names the kind of an error.
func kind(err error) string {
	if _, ok := errors.AsType[*skipper.Error](err); ok {
		return string(skipper.CodeOf(err))
	}
	if cli.ExitCode(err) == 2 {
		return "usage"
	}
	return "failed"
}
