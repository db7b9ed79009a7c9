package shell

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/cmd/internal/cli"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a shell that no terminal is at, and no server answers.
type bench struct {
	deps     cli.Deps
	options  cli.ShellOptions
	out, err bytes.Buffer
}

func newBench(in string) *bench {
	b := &bench{}
	now := time.Date(2026, 11, 22, 21, 14, 51, 0, time.UTC)
	b.deps = cli.Deps{
		In: strings.NewReader(in), Out: &b.out, Err: &b.err, Env: func(string) string { return "" }, Version: "1.2.3",
		Clock: func() time.Time { return now },
	}
	b.options.Target.URL = "http://127.0.0.1:1"
	return b
}

func (b *bench) session(t *testing.T) *session {
	t.Helper()
	s, err := newSession(b.deps, b.options)
	require.NoError(t, err)
	return s
}

func file(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lines.skipper")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want []string
	}{
		{`release status site 1`, []string{"release", "status", "site", "1"}},
		{`release status --releaseName site`, []string{"release", "status", "--release-name=site"}},
		{`release status --release-name site`, []string{"release", "status", "--release-name=site"}},
		{`release status --releaseName=site`, []string{"release", "status", "--releaseName=site"}},
		{`release list --releaseName ""`, []string{"release", "list", "--release-name="}},
		{`release list --releaseName "--all"`, []string{"release", "list", "--release-name=--all"}},
		{`release upgrade site web --force`, []string{"release", "upgrade", "site", "web", "--force=true"}},
		{`release upgrade site --force false web`, []string{"release", "upgrade", "site", "--force=false", "web"}},
		{`release upgrade site --force web`, []string{"release", "upgrade", "site", "--force=true", "web"}},
		{
			`release status --releaseName a --releaseVersion 1 --releaseName b`,
			[]string{"release", "status", "--release-name=b", "--release-version=1"},
		},
		{`package list --name web`, []string{"package", "list", "--name=web"}},
		{
			`package render . --set a=1 --set b=2`,
			[]string{"package", "render", ".", "--set=a=1", "--set=b=2"},
		},
		{`release list --nonsense x`, []string{"release", "list", "--nonsense", "x"}},
		{`release list -o json`, []string{"release", "list", "-o", "json"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			words := lex(tt.line).words
			cmd, used := find(newBench("").session(t).tree(newBench("").deps), words)
			got, err := arguments(cmd, used, words)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(tt.want, got))
		})
	}
}

func TestArguments_AValueIsMissing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{`release status --releaseName`, `release upgrade --releaseName --force`} {
		words := lex(line).words
		cmd, used := find(newBench("").session(t).tree(newBench("").deps), words)
		_, err := arguments(cmd, used, words)
		require.EqualError(t, err, "--releaseName has no value: write it behind the name")
	}
}

func TestRun_PipedLinesGoOnAfterAnError(t *testing.T) {
	t.Parallel()
	b := newBench("// nothing\nnonsense\n\nver\\\nsion\nversion")
	require.NoError(t, Run(t.Context(), b.deps, b.options))
	require.Equal(t, "skiff 1.2.3\nskiff 1.2.3\n", b.out.String(), "a backslash goes on with the next line")
	require.Equal(t, "No command found for 'nonsense'\n", b.err.String())
}

func TestRun_AnInterruptEndsTheWaitForLines(t *testing.T) {
	t.Parallel()
	in, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = in.Close(), writer.Close() })
	_, err = writer.WriteString("version\n")
	require.NoError(t, err)
	b := newBench("")
	b.deps.In = in
	ctx, cancel := context.WithCancel(t.Context())
	b.deps.Out = writing(func([]byte) { cancel() }) // once the line has run
	require.ErrorContains(t, Run(ctx, b.deps, b.options), "the lines that were to come did not run")
}

type writing func([]byte)

// Write tells of what is written.
func (w writing) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

func TestRun_QuitLeavesTheRest(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"quit", "exit"} {
		b := newBench("version\n" + word + "\nversion\n")
		require.NoError(t, Run(t.Context(), b.deps, b.options))
		require.Equal(t, "skiff 1.2.3\n", b.out.String())
	}
}

func TestRun_NamedLinesEndAtAnError(t *testing.T) {
	t.Parallel()
	path := file(t, "version", "", "// two", "nonsense", "version")
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"lines", []string{"version", "nonsense", "version"}, "stopped at 'nonsense'; what was to come after it did not run"},
		{"a file", []string{"@" + path}, "stopped at line 4 of " + path + "; the lines below it did not run"},
		{"no file", []string{"version", "@" + path + "x"}, "the script cannot be read"},
		{"secrets", []string{"version", "nonsense --password x"}, "stopped at 'nonsense --password ***'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench("")
			b.options.Lines = tt.lines
			require.ErrorContains(t, Run(t.Context(), b.deps, b.options), tt.want)
			require.Equal(t, "skiff 1.2.3\n", b.out.String())
		})
	}
}

func TestRun_AFileFromStandardInputEndsAtAnError(t *testing.T) {
	t.Parallel()
	b := newBench("version\nnonsense\nversion\n")
	b.options.Lines = []string{"@-"}
	require.EqualError(t, Run(t.Context(), b.deps, b.options),
		"stopped at line 2 of standard input; the lines below it did not run")
	require.Equal(t, "skiff 1.2.3\n", b.out.String())
}

// A change that were watched would fail: the answer names no operation.
func TestScript_DoesNotWatchOnATerminal(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"name": "hello", "version": 3, "info": {"status": {"statusCode": "UNKNOWN"}}}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"_links": {"release": {"href": "http://%s/api/release"},
			"rollback": {"href": "http://%[1]s/api/release/rollback"}}}`, r.Host)
	}))
	t.Cleanup(server.Close)
	path := file(t, "release rollback hello")
	for name, lines := range map[string][]string{"line": {"release rollback hello"}, "file": {"@" + path}, "script": nil} {
		b := newBench("script " + path + "\n")
		b.deps.IsTTY, b.options.Target.URL, b.options.Lines = true, server.URL, lines
		require.NoError(t, Run(t.Context(), b.deps, b.options), name)
		require.Equal(t, "hello has been rolled back.  Now at version v3.\n", b.out.String(), name)
		require.Empty(t, b.err.String(), name)
	}
}

func TestScript_GoesOnAfterAnErrorAndStaysWithinBounds(t *testing.T) {
	t.Parallel()
	path := file(t, "version", "nonsense", "version")
	loop := filepath.Join(t.TempDir(), "loop.skipper")
	require.NoError(t, os.WriteFile(loop, []byte("version\nscript "+loop+"\n"), 0o600))
	b := newBench("script --file " + path + "\nscript\n")
	require.NoError(t, Run(t.Context(), b.deps, b.options))
	require.Equal(t, "skiff 1.2.3\nskiff 1.2.3\n", b.out.String())
	require.Contains(t, b.err.String(), "--file is missing")

	b = newBench("script " + loop + "\n")
	require.NoError(t, Run(t.Context(), b.deps, b.options))
	require.Equal(t, maxDepth, strings.Count(b.out.String(), "skiff 1.2.3\n"))
	require.Contains(t, b.err.String(), "is not run: scripts that run scripts end after 10 of them")

	b = newBench(strings.Repeat("x", maxLine+1))
	require.NoError(t, Run(t.Context(), b.deps, b.options))
	require.Contains(t, b.err.String(), "the line cannot be read")
}

func TestBuiltInWords(t *testing.T) {
	t.Parallel()
	b := newBench("")
	s := b.session(t)
	s.history.lines = []string{"release list", "repo list"}
	to := filepath.Join(t.TempDir(), "history.skipper")
	tests := []struct{ line, want string }{
		{"history", "[release list, repo list]\n"},
		{"history --file " + to, "[Wrote 2 entries to " + to + "]\n"},
		{"stacktrace", "there was no error\n"},
		{"clear", ""},
		{"help release status", "release status"},
		{"help -C \"release status\"", "release status"},
		{"help --command release status", "release status"},
		{"help package list", "package search"},
		{"help release", "rollback"},
		{"release status --help", "release status"},
		{"help", "Built-In Commands\n"},
		{"help", "        package list, package search: "},
		{"help", "        quit, exit: "},
	}
	for _, tt := range tests {
		b.out.Reset()
		require.NoError(t, s.run(t.Context(), tt.line), tt.line)
		require.Contains(t, b.out.String(), tt.want, tt.line)
		require.NotContains(t, b.out.String(), "skiff release", tt.line)
	}
	lines, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "release list\nrepo list\n", string(lines))
}

func TestHelp_HasTheGroupsOfTheSkipperShellFirst(t *testing.T) {
	t.Parallel()
	b := newBench("help\n")
	require.NoError(t, Run(t.Context(), b.deps, b.options))
	groups := []string{}
	for line := range strings.Lines(b.out.String()) {
		if strings.HasSuffix(line, " Commands\n") {
			groups = append(groups, strings.TrimSpace(line))
		}
	}
	require.Empty(t, cmp.Diff([]string{
		"Built-In Commands", "Config Commands", "Manifest Commands", "Package Commands", "Platform Commands",
		"Release Commands", "Repository Commands",
	}, groups[:7]))
	require.NotContains(t, b.out.String(), "skiff shell")
	require.NotContains(t, b.out.String(), " server: ")
}

func TestErrors_AreToldInOneSentenceAndWhatToDo(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, want string }{
		{"releas list", "No command found for 'releas list'; did you mean 'release list'?\n"},
		{"# release list", "No command found for '# release list'\n"},
		{`release list "x`, "the quote \" is not closed\n"},
		{"release status", "--releaseName is missing; it may also be given without its name\n'help release status' shows how it is used\n"},
		{"help nonsense", "Unknown command 'nonsense'; 'help' lists them\n"},
		{"server", "No command found for 'server'\n"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			b := newBench(tt.line + "\n")
			require.NoError(t, Run(t.Context(), b.deps, b.options))
			require.Equal(t, tt.want, b.err.String())
		})
	}
}

func TestPrompt_TellsTheServerAndWhetherItAnswers(t *testing.T) {
	t.Parallel()
	b := newBench("")
	s := b.session(t)
	require.Equal(t, "skiff:>", s.prompt())
	s.label = "production"
	require.Equal(t, "skiff(production):>", s.prompt())
	require.Error(t, s.run(t.Context(), "release list"))
	require.Equal(t, "server-unknown:>", s.prompt())
	s.lost, s.label = false, "two\nlines"
	require.Equal(t, "skiff(two?lines):>", s.prompt())
	require.Error(t, s.run(t.Context(), "skipper config --uri http://127.0.0.1:2/api"))
	require.Equal(t, "server-unknown:>", s.prompt())
	require.Equal(t, "127.0.0.1:2", s.label)
}

func TestContext_OnlyUseChoosesAnotherServer(t *testing.T) {
	t.Parallel()
	b := newBench("")
	contexts := file(t, "current: here", "contexts:", "- name: here", "  url: http://127.0.0.1:2")
	b.deps.Env = func(name string) string { return map[string]string{"SKIFF_CONTEXTS": contexts}[name] }
	s := b.session(t)
	before := s.deps.Session.Client
	for _, line := range []string{"context list", "context show", "context use --help", "context use nowhere"} {
		_ = s.run(t.Context(), line)
		require.Same(t, before, s.deps.Session.Client, line)
		require.Empty(t, s.label, line)
	}
	require.NoError(t, s.run(t.Context(), "context use here"))
	require.Nil(t, s.deps.Session.Client, "the next line opens it")
	require.Equal(t, "here", s.label)
	require.NoError(t, s.run(t.Context(), "skipper config --help"))
	require.Error(t, s.run(t.Context(), "skipper config --nonsense"))
	require.Equal(t, "here", s.label)
}

func TestRed_OnlyForAPersonWhoseTerminalCan(t *testing.T) {
	t.Parallel()
	b := newBench("")
	b.deps.IsTTY = true
	require.Equal(t, "\x1b[31mno\x1b[0m", b.session(t).red("no"))
	b.deps.Env = func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	require.Equal(t, "no", b.session(t).red("no"))
	require.Equal(t, "no", newBench("").session(t).red("no"))
}

func TestComplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "web-1.0.0.zip"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "with blank"), 0o700))
	tests := []struct {
		line string
		want []string // what the line becomes, whole
	}{
		{"rele", []string{"release "}},
		{"release sta", []string{"release status "}},
		{"package l", []string{"package lint", "package list"}},
		{"st", []string{"stacktrace "}},
		{"help release sta", []string{"help release status "}},
		{"release status --releaseN", []string{"release status --releaseName "}},
		{"release status --releaseName x --rel", []string{"release status --releaseName x --releaseVersion "}},
		{"release status x --rel", []string{"release status x --releaseVersion "}},
		{"package upload " + dir + "/we", []string{"package upload " + dir + "/web-1.0.0.zip "}},
		{"package upload --path " + dir + "/wi", []string{`package upload --path "` + dir + `/with blank/" `}},
		{"nonsense x", nil},
		{"release nonsense x", nil},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			head, found, tail := newBench("").session(t).complete(t.Context(), tt.line, len([]rune(tt.line)))
			var got []string
			for _, c := range found {
				got = append(got, head+c+tail)
			}
			require.Empty(t, cmp.Diff(tt.want, got))
		})
	}
}

// A server that takes connections and says nothing delays a Tab only once, and not for long.
func TestComplete_IsBoundedInTime(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	b := newBench("")
	b.options.Target.URL = "http://" + listener.Addr().String()
	s := b.session(t)
	began := time.Now()
	_, found, _ := s.complete(t.Context(), "release status ", 15)
	require.Less(t, time.Since(began), 30*time.Second)
	require.Contains(t, found, "--releaseName", "the options are known all the same")
	require.Len(t, s.names.seen, 1)
	_, again, _ := s.complete(t.Context(), "release status ", 15)
	require.Empty(t, cmp.Diff(found, again))
}

func TestInterrupts_EndTheCommandUnlessItTakesThem(t *testing.T) {
	t.Parallel()
	pressed := make(chan struct{}, 1)
	i := &interrupts{pressed: pressed}
	pressed <- struct{}{}
	err := i.run(t.Context(), func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorIs(t, err, errInterrupted)

	err = i.run(t.Context(), func(ctx context.Context) error {
		taken, release := i.take()
		defer release()
		pressed <- struct{}{}
		<-taken
		return ctx.Err()
	})
	require.NoError(t, err)
}

func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		`release upgrade --releaseName site --properties a="b c" --force true`, `package render . --set a --set-string b=c -o`,
		`help -C`, `release`, `--output json release list`, `release list --`, `release list --=x --o=`,
	} {
		f.Add(line)
	}
	b := newBench("")
	s, err := newSession(b.deps, b.options)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, line string) {
		words := lex(line).words
		cmd, used := find(s.tree(b.deps), words)
		require.LessOrEqual(t, used, len(words))
		args, err := arguments(cmd, used, words)
		if err == nil {
			require.LessOrEqual(t, len(args), len(words))
		}
		options(cmd, words[used:])
		withoutSecrets(line)
	})
}
