package machine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/server/machine"
)

// The README shows the table as it is; go test ./server/machine -update draws it anew.
func TestMermaid_IsTheDiagramOfTheREADME(t *testing.T) {
	t.Parallel()
	const file, begin, end = "../../README.md", "```mermaid\n", "```\n"
	want, err := machine.Mermaid()
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, "the README has a diagram")
	got, after, found := strings.Cut(rest, end)
	require.True(t, found)
	if *update {
		got = want
		require.NoError(t, os.WriteFile(file, []byte(before+begin+got+end+after), 0o600))
	}
	require.Equal(t, want, got, "go test ./server/machine -update")
}
