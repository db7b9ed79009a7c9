package shell

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestLex(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, line string
		want       []string
	}{
		{"blanks", "  release \t list ", []string{"release", "list"}},
		{"nothing", "   ", []string{}},
		{"double quotes", `package search --name "hello world"`, []string{"package", "search", "--name", "hello world"}},
		{"single quotes", `package search --name 'hello world'`, []string{"package", "search", "--name", "hello world"}},
		{"empty value", `release list ""`, []string{"release", "list", ""}},
		{"quotes inside a word", `--properties a="b c",d='e f'`, []string{"--properties", "a=b c,d=e f"}},
		{"a quote in the other", `"it's" 'say "x"'`, []string{"it's", `say "x"`}},
		{"quotes in quotes", `"say \"x\""`, []string{`say "x"`}},
		{"backslashes", `a\ b c\\d \x`, []string{"a b", `c\d`, "x"}},
		{"other scripts", "release status grüße-船", []string{"release", "status", "grüße-船"}},
		{"no comment", "release list # all", []string{"release", "list", "#", "all"}},
		{"broken bytes", "a\xffb", []string{"a\xffb"}},
		{"open quote", `a "b c`, []string{"a", "b c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, cmp.Diff(tt.want, texts(lex(tt.line).words)))
		})
	}
}

func TestLex_TellsHowTheLineEnds(t *testing.T) {
	t.Parallel()
	require.True(t, lex("release li").inner)
	require.False(t, lex("release ").inner)
	require.Equal(t, '"', lex(`a "b`).quote)
	require.Equal(t, 8, lex(`release "li`).words[1].start)
	require.False(t, lex(`"--name"`).words[0].isOption(), "what stands in quotes is a value")
}

func TestContinued(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line, want string
		more       bool
	}{
		{`release list`, `release list`, false},
		{`release \`, `release `, true},
		{`release \  `, `release `, true},
		{`a\\`, `a\\`, false},
		{`a\\\`, `a\\`, true},
		{`\`, ``, true},
	}
	for _, tt := range tests {
		got, more := continued(tt.line)
		require.Equal(t, tt.want, got, tt.line)
		require.Equal(t, tt.more, more, tt.line)
	}
}

func TestIsNothing(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"": true, " \t": true, "// a": true, "  //a": true, "# a": false, "release list // a": false,
	} {
		require.Equal(t, want, isNothing(line), line)
	}
}

func FuzzLex(f *testing.F) {
	for _, line := range []string{
		`release upgrade --releaseName site --properties a="b c",d=e --force true`, `\`, `"`, `'"\'`, "a\xff \\", `"" x`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l := lex(line)
		back := make([]string, 0, len(l.words))
		for _, w := range l.words {
			require.LessOrEqual(t, w.start, len(line))
			back = append(back, quoted(w.text))
		}
		again := lex(strings.Join(back, " "))
		require.Empty(t, cmp.Diff(texts(l.words), texts(again.words)), "what is quoted is read as it was")
		text, _ := continued(line)
		require.LessOrEqual(t, len(text), len(line))
	})
}
