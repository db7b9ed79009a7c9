package repository_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// modernc.org/sqlite is C translated against one exact version of modernc.org/libc; another one may corrupt data.
func TestModules_LibcIsTheOneSQLiteWasMadeWith(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	version := func(module string) string {
		found := regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(text)
		require.NotNil(t, found, module)
		return string(found[1])
	}
	require.Equal(t, "v1.61.1", version("modernc.org/sqlite"), "look up the libc version in its go.mod, and change both")
	require.Equal(t, "v1.79.0", version("modernc.org/libc"))
}
