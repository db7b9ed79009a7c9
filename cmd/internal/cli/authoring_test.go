package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/archive"
)

// made are the files of a package that authors work on.
func made(t *testing.T, dir string, more map[string]string) {
	t.Helper()
	files := map[string]string{
		"package.yml": "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: hello\nversion: 1.0.0\n",
		"values.yml":  "appBase: file:///opt\nversion: 1.0.0\nspec:\n  applicationProperties: {a.b: c}\n",
		"values.schema.json": `{"additionalProperties": false,
			"properties": {"appBase": {"type": "string"}, "version": {"type": "string"}, "spec": {}}}`,
		"templates/hello.yml": "apiVersion: skipper.spring.io/v1\nkind: SpringCloudDeployerApplication\nmetadata:\n  name: hello\nspec:\n" +
			"  resource: \"{{{appBase}}}/hello\"\n  version: \"{{version}}\"\n  applicationProperties:\n" +
			"    {{#spec.applicationProperties.entrySet}}\n    \"{{{key}}}\": \"{{{value}}}\"\n" +
			"    {{/spec.applicationProperties.entrySet}}\n",
	}
	maps.Copy(files, more)
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o700))
		require.NoError(t, os.WriteFile(at, []byte(text), 0o600))
	}
}

// TestAuthoring runs commands that no server hears of. {{dir}} is a folder with the packages good and bad.
func TestAuthoring(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ args, in string }{
		"group help":  {args: "package"},
		"init":        {args: "package init demo --dir {{dir}}/new/demo"},
		"init json":   {args: "package init --name demo --dir {{dir}}/demo -o json"},
		"init, there": {args: "package init good --dir {{dir}}/good"},
		"init, a bad name": {
			args: "package init Demo --dir {{dir}}/x",
		},
		"init, a path":  {args: "package init ../demo"},
		"init, no name": {args: "package init"},
		"init, in no folder": {
			args: "package init demo --dir {{dir}}/good/package.yml/demo",
		},
		"init help": {args: "package init --help"},

		"lint":            {args: "package lint {{dir}}/good"},
		"lint zip":        {args: "package lint {{dir}}/good.zip"},
		"lint json":       {args: "package lint {{dir}}/good -o json"},
		"lint, errors":    {args: "package lint {{dir}}/bad"},
		"lint, json":      {args: "package lint {{dir}}/bad -o json"},
		"lint, values":    {args: "package lint {{dir}}/good --set version=1.0"},
		"lint, nothing":   {args: "package lint {{dir}}/nothing"},
		"lint, no zip":    {args: "package lint {{dir}}/good/values.yml"},
		"lint, two":       {args: "package lint a b"},
		"lint help":       {args: "package lint --help"},
		"render":          {args: "package render {{dir}}/good"},
		"render zip json": {args: "package render {{dir}}/good.zip -o json"},
		"render, values in order": {
			args: "package render {{dir}}/good --values {{dir}}/one.yml --values {{dir}}/two.yml --set version=3.0.0",
		},
		"render, from standard input": {args: "package render {{dir}}/good --values -", in: "version: 9.9.9 # new\n"},
		"render, properties": {
			args: "package render {{dir}}/good --set spec.applicationProperties.server.port=0 " +
				"--set-string spec.applicationProperties.count=010 --set spec.applicationProperties.count2=010 " +
				`--set spec.applicationProperties.x\.y=a,b=c`,
		},
		"render, the last counts": {
			args: "package render {{dir}}/good --set-string version=1 --set version=x --set-string version=2",
		},
		"zip, into a folder": {args: "package zip {{dir}}/good -f {{dir}}/bad"},
		"render, nothing":    {args: "package render {{dir}}/nothing"},
		"render, violations": {args: "package render {{dir}}/good --set version=1.0 --set other=2"},
		"render, cannot":     {args: "package render {{dir}}/bad"},
		"render, no values":  {args: "package render {{dir}}/good --values {{dir}}/nothing.yml"},
		"render, bad values": {args: "package render {{dir}}/good --values {{dir}}/list.yml"},
		"render, bad set":    {args: "package render {{dir}}/good --set version"},
		"render, empty key":  {args: "package render {{dir}}/good --set a..b=c"},
		"render, no package": {args: "package render {{dir}}"},
		"render help":        {args: "package render --help"},
		"zip":                {args: "package zip {{dir}}/good -f {{dir}}/out.zip"},
		"zip json":           {args: "package zip {{dir}}/good --file {{dir}}/out.zip -o json"},
		"zip, no folder":     {args: "package zip {{dir}}/good.zip"},
		"zip, no package":    {args: "package zip {{dir}} -f {{dir}}/out.zip"},
		"zip, nowhere":       {args: "package zip {{dir}}/good -f {{dir}}/no/folder/x.zip"},
		"zip help":           {args: "package zip --help"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			made(t, filepath.Join(dir, "good"), nil)
			zip, err := archive.Write(filepath.Join(dir, "good"))
			require.NoError(t, err)
			made(t, filepath.Join(dir, "bad"), map[string]string{
				"values.yml":          "version: 1\nother: [\n  x]\n",
				"templates/hello.yml": "a: {{nope}}\nb: {{version}}\n",
			})
			for file, text := range map[string]string{
				"good.zip": string(zip), "one.yml": "version: 2.0.0\nappBase: file:///one\n", "two.yml": "appBase: file:///two\n",
				"list.yml": "- a\n",
			} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			b := setup(t, nil)
			b.deps.In = strings.NewReader(test.in)
			b.deps.Env = func(string) string { return "ftp://no.server.is.asked" }
			args := strings.Fields(strings.ReplaceAll(test.args, "{{dir}}", dir))
			code := b.run(t.Context(), args...)
			golden(t, strings.ReplaceAll(b.transcript(args, code), dir, "{{dir}}"))
			require.Empty(t, b.bodies)
		})
	}
}

func TestPackageInit_MakesWhatLintLikesAndTouchesNothingElse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	require.Equal(t, 0, setup(t, nil).run(t.Context(), "package", "init", "demo", "--dir", dir))
	b := setup(t, nil)
	require.Equal(t, 0, b.run(t.Context(), "package", "lint", dir))
	require.Equal(t, dir+": no errors, 0 warnings\n", b.out.String())
	info, err := os.Stat(filepath.Join(dir, "app", "demo-1.0.0"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o100), info.Mode()&0o100, "its user may run it")

	before, err := archive.Write(dir)
	require.NoError(t, err)
	b = setup(t, nil)
	require.Equal(t, 4, b.run(t.Context(), "package", "init", "demo", "--dir", dir))
	after, err := archive.Write(dir)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestPackageZip_IsWhatUploadSendsAndLeavesItselfOut(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "good")
	made(t, dir, nil)
	want, err := archive.Write(dir)
	require.NoError(t, err)
	out := filepath.Join(dir, "hello-1.0.0.zip")
	for range 2 {
		b := setup(t, nil)
		require.Equal(t, 0, b.run(t.Context(), "package", "zip", dir, "-f", out), b.err.String())
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.Equal(t, want, got)
		digest := sha256.Sum256(got)
		require.Equal(t, hex.EncodeToString(digest[:])+"  "+out+"\n", b.out.String())
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	require.Empty(t, left, "no temporary file stays")
}
