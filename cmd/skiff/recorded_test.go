package main_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recordings are answers of the released Skipper server; testdata/http/README.md tells what is where.
func recordings(name ...string) string {
	return filepath.Join(append([]string{"..", "..", "testdata", "http"}, name...)...)
}

// stage is a server under the configuration of the recordings, with its remote repository and its applications.
type stage struct {
	*process
	apps, remote string
}

// newStage starts a server; its applications are those of the folder, its remote repository is the test's own.
func newStage(t *testing.T, apps string) *stage {
	t.Helper()
	s := &stage{apps: apps}
	s.remote = s.serveRemote(t)
	text, err := os.ReadFile(recordings("server.yml"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "server.yml")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "{{remoteUrl}}", s.remote)), 0o600))
	s.process = serveWith(t, dataDir(t), time.Second, "--config", file)
	return s
}

// serveRemote serves the index of the remote repository and one of its two packages: the other one is listed only.
func (s *stage) serveRemote(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /index.yml", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, recordings("remote-index.yml"))
	})
	packed := s.pack(t, "farhello-1.0.0")
	mux.HandleFunc("GET /farhello/farhello-1.0.0.zip", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(packed) // whoever hung up does not read it
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// pack makes the zip of "NAME", or of "NAME as OTHER" under another root folder.
func (s *stage) pack(t *testing.T, spec string) []byte {
	t.Helper()
	name, root, found := strings.Cut(spec, " as ")
	if !found {
		root = name
	}
	folder := recordings("packages", name)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		entry := filepath.ToSlash(filepath.Join(root, relative))
		if d.IsDir() {
			_, err := z.Create(entry + "/")
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := z.Create(entry)
		if err != nil {
			return err
		}
		_, err = w.Write(bytes.ReplaceAll(text, []byte("{{apps}}"), []byte(s.apps)))
		return err
	}))
	require.NoError(t, z.Close())
	return out.Bytes()
}

// fill replaces {{zip:NAME}} and {{name}} in a request.
func (s *stage) fill(t *testing.T, text string, known map[string]string) string {
	t.Helper()
	for {
		before, rest, found := strings.Cut(text, "{{zip:")
		if !found {
			break
		}
		spec, after, found := strings.Cut(rest, "}}")
		require.True(t, found, text)
		text = before + base64.StdEncoding.EncodeToString(s.pack(t, spec)) + after
	}
	for name, value := range known {
		text = strings.ReplaceAll(text, "{{"+name+"}}", value)
	}
	return text
}

// unfill puts the recordings' words for what is this run's own.
func (s *stage) unfill(text string) string {
	return strings.NewReplacer(
		s.url, "{{baseUrl}}", "http://127.0.0.1:7577", "{{baseUrl}}", s.remote, "http://127.0.0.1:7600",
		s.apps, "{{apps}}", filepath.Join(s.dir, "apps", "default"), "{{workDir}}",
	).Replace(text)
}

// nativeApps is a folder with the sample application, built for this machine.
func nativeApps(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for version, like := range map[string]string{"1.0.0": "1.0.0", "1.1.0": "1.1.0", "2.0.0": "1.2.0"} {
		require.NoError(t, os.Symlink(filepath.Join(built.apps, "hello-"+like), filepath.Join(dir, "sample-app-"+version)))
	}
	return dir
}

// jarApps is a folder with the sample application of the recordings. Without java the test is skipped, unless
// SKIFF_TEST_REQUIRE names it.
func jarApps(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		require.NotContains(t, os.Getenv("SKIFF_TEST_REQUIRE"), "java", "java is required")
		t.Skip("java is missing: install a JRE")
	}
	dir := t.TempDir()
	jar, err := os.ReadFile(recordings("sample-app.jar"))
	require.NoError(t, err)
	for _, version := range []string{"1.0.0", "1.1.0", "2.0.0"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sample-app-"+version+".jar"), jar, 0o600))
	}
	return dir
}
