package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// The scripts are the command line as its users see it: the binary, a server of its own, and applications that run.
// 'exits CODE COMMAND…' checks an exit code; $SERVER is the server, $PACKAGES the sample packages, $VALUES the file that
// says where their applications are.
func TestScripts(t *testing.T) {
	t.Parallel()
	packages, err := filepath.Abs(filepath.Join("..", "..", "testdata", "packages"))
	require.NoError(t, err)
	scripts, err := filepath.Glob(filepath.Join("..", "..", "testdata", "scripts", "cli", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			p := serve(t, dataDir(t))
			testscript.Run(t, testscript.Params{
				Files: []string{script}, RequireExplicitExec: true, RequireUniqueNames: true,
				Setup: func(env *testscript.Env) error {
					env.Setenv("PATH", filepath.Dir(built.skiff)+string(os.PathListSeparator)+env.Getenv("PATH"))
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("SERVER", p.url)
					env.Setenv("SKIFF_URL", p.url)
					env.Setenv("PACKAGES", packages)
					env.Setenv("VALUES", filepath.Join(env.WorkDir, "values.yml"))
					return os.WriteFile(env.Getenv("VALUES"), []byte("appBase: file://"+built.apps+"\n"), 0o600)
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
			})
		})
	}
}

// exits runs a command and checks its exit code.
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG …]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = failed.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("%v: exit code %d, not %d", args[1:], got, want)
	}
}
