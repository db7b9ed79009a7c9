package starter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/templates"
	"github.com/skiff-project/skiff/templates/starter"
)

func TestFiles_RenderToAnApplicationOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"demo", `a "b" #c %20 'd' ü & e`} {
		dir := filepath.Join(t.TempDir(), folder)
		files, err := starter.Files("demo", dir)
		require.NoError(t, err)
		executables := 0
		for _, f := range files {
			at := filepath.Join(dir, f.Path)
			require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
			require.NoError(t, os.WriteFile(at, []byte(f.Text), 0o600))
			require.NotContains(t, f.Path+f.Text, "@name@")
			require.NotContains(t, f.Text, "@resource@")
			if f.Executable {
				executables++
				require.True(t, strings.HasPrefix(f.Text, "#!/bin/sh\n"))
			}
		}
		require.Equal(t, 1, executables)
		p, err := archive.ReadFolder(dir)
		require.NoError(t, err)
		require.NotNil(t, p.Schema())
		text, err := templates.Render(p, "")
		require.NoError(t, err)
		applications, _, err := manifest.Parse(text)
		require.NoError(t, err)
		require.Len(t, applications, 1)
		require.Equal(t, "demo", applications[0].Name)
		require.Equal(t, "1.0.0", applications[0].Version)
	}
}

func TestIsName(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"demo": true, "a": true, "a-1": true, "": false, "Demo": false, "1a": false, "a-": false, "a_b": false, "a.b": false,
		"../a": false, "a b": false, "ä": false, "a\n": false, strings.Repeat("a", 40): true, strings.Repeat("a", 41): false,
	} {
		require.Equal(t, good, starter.IsName(name), "%q", name)
	}
}
