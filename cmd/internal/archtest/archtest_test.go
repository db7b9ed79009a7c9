package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArchitecture(t *testing.T) {
	t.Parallel()
	problems, err := check("../../..")
	require.NoError(t, err)
	for _, problem := range problems {
		t.Error(problem)
	}
}

func TestCheck_FindsEveryKindOfViolation(t *testing.T) {
	t.Parallel()
	importing := func(pkg, imported string) string { return "package " + pkg + "\nimport _ \"" + imported + "\"" }
	for name, test := range map[string]struct{ file, text, want string }{
		"import of ours":  {"pkg/hal/a.go", importing("hal", "m/pkg/skipper"), "pkg/hal must not import pkg/skipper"},
		"handler, store":  {"server/handler/a.go", importing("handler", "m/repository"), "must not import repository"},
		"pkg, templates":  {"pkg/manifest/a.go", importing("manifest", "m/templates"), "must not import templates"},
		"library's owner": {"server/a.go", importing("server", "gorm.io/gorm"), "which belongs to repository"},
		"unknown library": {"server/a.go", importing("server", "example.com/x"), "example.com/x, which has no owner"},
		"test library":    {"server/a.go", importing("server", "go.uber.org/goleak"), "which is for tests"},
		"test support":    {"server/a.go", importing("server", "m/pkg/deployer/deployertest"), "which is for tests"},
		"missing tag": {
			"cmd/internal/app/a.go", importing("app", "m/pkg/deployer/deployertest"), "which is for tests",
		},
		"no row":          {"server/news/a.go", "// Package news.\npackage news", "server/news: no row"},
		"banned name":     {"pkg/util/a.go", "// Package util.\npackage util", "pkg/util: the name says nothing"},
		"no comment":      {"pkg/hal/a.go", "package hal", "pkg/hal: no package comment"},
		"comment in test": {"pkg/hal/a_test.go", "// Package hal.\npackage hal", "pkg/hal: no package comment"},
		"init":            {"pkg/hal/a.go", "package hal\nfunc init() {}", "has an init function"},
		"sleep in a test": {"pkg/hal/a_test.go", "package hal\nfunc f() { time.Sleep(1) }", "sleeps"},
		"sample program":  {"testdata/apps/other/a.go", "package main", "testdata/apps/other: no row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := check(tree(t, test.file, test.text))
			require.NoError(t, err)
			require.Contains(t, strings.Join(problems, "\n"), test.want)
		})
	}
}

func TestCheck_LetsPassWhatTheRulesAllow(t *testing.T) {
	t.Parallel()
	importing := func(pkg, imported string) string {
		return "// Package " + pkg + ".\npackage " + pkg + "\nimport _ \"" + imported + "\""
	}
	for name, test := range map[string]struct{ file, text string }{
		"ours":         {"server/a.go", importing("server", "m/server/handler")},
		"a whole tree": {"cmd/internal/app/a.go", importing("app", "m/pkg/deployer/local")},
		"an owner":     {"repository/a.go", importing("repository", "gorm.io/gorm")},
		"the one init": {"templates/engine.go", "// Package templates.\npackage templates\nfunc init() {}"},
		"exception with tag": {
			"cmd/internal/app/a.go", "//go:build faults\n\n" + importing("app", "m/pkg/deployer/deployertest"),
		},
		"fixtures":            {"testdata/packages/a.go", "package x\nfunc init() {}"},
		"fixtures of its own": {"pkg/hal/testdata/a.go", "package x\nfunc init() {}"},
		"support in support": {
			"repository/repositorytest/a.go", importing("repositorytest", "m/repository/postgrestest"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, err := check(tree(t, test.file, test.text))
			require.NoError(t, err)
			require.Empty(t, problems)
		})
	}
}

// tree makes a module m with one file.
func tree(t *testing.T, name, text string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module m\n", name: text} {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	return root
}
