package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// author runs the command line in a folder, with no server to ask.
func author(t *testing.T, dir string, args ...string) (out, sentence string, code int) {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), built.skiff, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "SKIFF_URL=http://127.0.0.1:1")
	if err := cmd.Run(); cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func TestAuthoring_FromNothingToARunningRelease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, line := range []string{"init demo", "lint demo", "render demo", "zip demo"} {
		out, sentence, code := author(t, dir, strings.Fields("package "+line)...)
		require.Zero(t, code, "%s\n%s%s", line, out, sentence)
		require.Empty(t, sentence)
	}
	zip := filepath.Join(dir, "demo-1.0.0.zip")
	content, err := os.ReadFile(zip)
	require.NoError(t, err)
	digest := sha256.Sum256(content)
	out, _, _ := author(t, filepath.Join(dir, "demo"), "package", "zip", ".")
	require.Equal(t, hex.EncodeToString(digest[:])+"  demo-1.0.0.zip\n", out, "from within, and with another zip beside")
	manifest, _, _ := author(t, dir, "package", "render", zip, "--set", "greeting=Hi")

	data := dataDir(t)
	p := serve(t, data)
	require.Equal(t, "Package uploaded successfully:[demo:1.0.0]\n", p.must("package", "upload", zip))
	values := filepath.Join(dir, "values.yml")
	require.NoError(t, os.WriteFile(values, []byte("greeting: Hi\n"), 0o600))
	p.must("release", "install", "demo", "--package-name", "demo", "--file", values, "--wait", "--timeout", "60s")
	require.Contains(t, p.must("release", "list"), "DEPLOYED")
	require.Equal(t, manifest, p.must("release", "manifest", "demo"), "what render shows is what is installed")
	eventually(t, "the application has said what it was told", func() bool {
		return strings.Contains(p.must("release", "logs", "demo"), "Hi\n")
	})

	said, code := p.skiff("release", "upgrade", "demo", "--package-name", "demo", "--file", write(t, "greeting: ''\ntitle: x\n"))
	require.Equal(t, 4, code, said)
	require.Equal(t, "error: the values do not fit values.schema.json of package demo: "+
		"greeting must have at least 1 character, has 0; title is not a known key\n", said)
	p.must("release", "upgrade", "demo", "--package-name", "demo", "--file", write(t, "greeting: Again\n"), "--wait",
		"--timeout", "60s")
	said, code = p.skiff("release", "install", "other", "--package-name", "demo", "--file", write(t, "version: 1.0\n"))
	require.Equal(t, 4, code, said)
	require.Contains(t, said, "version must be a text, found a number")
	p.must("release", "delete", "demo", "--delete-package")
	require.Empty(t, running(t, data))
}

func TestAuthoring_TheStarterIsInstalledAsItIs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a folder")
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, _, code := author(t, dir, "package", "init", "demo")
	require.Zero(t, code)
	p := serve(t, dataDir(t))
	p.must("package", "upload", filepath.Join(dir, "demo"))
	p.must("release", "install", "demo", "--package-name", "demo", "--wait", "--timeout", "60s")
	require.Contains(t, p.must("release", "status", "demo"), "deployed")
	p.must("release", "delete", "demo")
}

// write makes a file of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
