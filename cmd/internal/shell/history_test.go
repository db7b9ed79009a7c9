package shell

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, want string }{
		{`release status site 1`, `release status site 1`},
		{`skipper config --username joe --password "let me in"`, `skipper config --username joe --password ***`},
		{`skipper config --password=x1 --username joe`, `skipper config --password=*** --username joe`},
		{`skipper config --credentialsProviderCommand "pass show x"`, `skipper config --credentialsProviderCommand "pass show x"`},
		{`package install web --properties a.level=1,db.password=p,q,b.user=me`, `package install web --properties a.level=1,db.password=***,***,b.user=me`},
		{`package install web --properties "app.apiKey = s3cr3t"`, `package install web --properties "app.apiKey =***"`},
		{`skipper config --uri http://joe:secret@skipper.example/api`, `skipper config --uri http://***@skipper.example/api`},
		{`skipper config joe:secret@skipper.example/api`, `skipper config ***@skipper.example/api`},
		{`skipper config --uri=joe:secret@skipper.example`, `skipper config --uri=***@skipper.example`},
		{`context add prod joe:secret@skipper.example`, `context add prod ***@skipper.example`},
		{`skipper config http://x joe "let me in"`, `skipper config http://x joe ***`},
		{`skipper config --username joe http://x geheim`, `skipper config --username joe http://x ***`},
		{`skipper config --skipSslValidation http://x joe geheim`, `skipper config --skipSslValidation http://x joe ***`},
		{`skipper config http://x joe`, `skipper config http://x joe`},
		{`release list "two  blanks"`, `release list "two  blanks"`},
		{`release upgrade a --set spec.token=1 --set spec.count=2`, `release upgrade a --set spec.token=*** --set spec.count=2`},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, withoutSecrets(tt.line))
		})
	}
}

func TestHistory_IsKeptForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	path := historyPath(func(name string) string { return map[string]string{"XDG_STATE_HOME": state}[name] })
	require.Equal(t, filepath.Join(state, "skiff", "shell_history"), path)
	h, err := openHistory(path)
	require.NoError(t, err)
	for _, line := range []string{"release list", "release list", "skipper config --username a --password b"} {
		_, err := h.add(line)
		require.NoError(t, err)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := openHistory(path)
	require.NoError(t, err)
	require.Equal(t, []string{"release list", "skipper config --username a --password ***"}, again.lines)
}

func TestHistory_ClosesAFileThatOthersCanRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shell_history")
	require.NoError(t, os.WriteFile(path, []byte("release list\n\xff\n\n"), 0o644))
	h, err := openHistory(path)
	require.NoError(t, err)
	require.Equal(t, []string{"release list"}, h.lines)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestHistory_StaysWithinBounds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shell_history")
	long := strings.Repeat("x", 2000)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat(long+"\nrelease list\n", 900)), 0o600))
	h, err := openHistory(path)
	require.NoError(t, err)
	require.Len(t, h.lines, historyLines)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(historyBytes))
}

func TestHistory_WorksWithoutAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	h, err := openHistory(filepath.Join(file, "shell_history"))
	require.Error(t, err)
	_, err = h.add("release list")
	require.NoError(t, err)
	require.Equal(t, []string{"release list"}, h.lines)
	require.Empty(t, historyPath(func(string) string { return "" }))
}
