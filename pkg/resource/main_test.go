package resource_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestMain(m *testing.M) {
	if os.Getenv("RESOURCE_TEST_FILE") != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// child is another process that asks for one file and prints its path.
func child() int {
	c := resource.Config{
		Dir: os.Getenv("RESOURCE_TEST_DIR"),
		Maven: resource.Maven{
			LocalRepository: os.Getenv("RESOURCE_TEST_LOCAL"), NoDefault: true, NoSettings: true,
			Repositories: []resource.Repository{{ID: "fake", URL: os.Getenv("RESOURCE_TEST_REPO"), Releases: resource.Policy{Enabled: true}}},
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	file, err := resource.New(c).File(ctx, resource.Ref{Location: os.Getenv("RESOURCE_TEST_FILE")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, _ = io.WriteString(os.Stdout, file)
	return 0
}

// fake is a web server, or a Maven repository, or a proxy.
type fake struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string]string
	hits  map[string]int
	// hook may answer in place of the files; true when it did.
	hook func(w http.ResponseWriter, r *http.Request) bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{files: map[string]string{}, hits: map[string]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	f.mu.Lock()
	f.hits[path]++
	hook := f.hook
	body, found := f.files[path]
	f.mu.Unlock()
	switch {
	case hook != nil && hook(w, r):
	case !found:
		http.NotFound(w, r)
	default:
		_, _ = io.WriteString(w, body)
	}
}

func (f *fake) put(path, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = body
}

// putSummed adds a file with its SHA-1 beside it.
func (f *fake) putSummed(path, body string) {
	f.put(path, body)
	sum := sha1.Sum([]byte(body))
	f.put(path+".sha1", hex.EncodeToString(sum[:]))
}

func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits[path]
}

func (f *fake) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, hits := range f.hits {
		n += hits
	}
	return n
}

func (f *fake) on(hook func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// bench is a resolver with folders of its own.
type bench struct {
	resource.Config

	log *bytes.Buffer
	now time.Time
}

// setup makes the configuration of a resolver that knows the fakes as release and snapshot repositories one, two, ….
func setup(t *testing.T, fakes ...*fake) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{log: &bytes.Buffer{}, now: time.Now()}
	b.Config = resource.Config{
		Dir: filepath.Join(dir, "cache"), Clock: func() time.Time { return b.now },
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: b.log}, nil)),
		Maven: resource.Maven{
			LocalRepository: filepath.Join(dir, "m2"), NoDefault: true, NoSettings: true,
			ConnectTimeout: 5 * time.Second, RequestTimeout: 5 * time.Second,
		},
	}
	for i, f := range fakes {
		on := resource.Policy{Enabled: true, Update: resource.UpdateAlways, Checksum: resource.ChecksumFail}
		b.Maven.Repositories = append(b.Maven.Repositories, resource.Repository{
			ID: []string{"one", "two", "three"}[i], URL: f.URL + "/repo", Releases: on, Snapshots: on,
		})
	}
	return b
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (b *bench) file(t *testing.T, location string) (string, error) {
	t.Helper()
	return resource.New(b.Config).File(t.Context(), resource.Ref{Location: location})
}

// content resolves a resource and gives what its file holds.
func (b *bench) content(t *testing.T, location string) string {
	t.Helper()
	file, err := b.file(t, location)
	require.NoError(t, err)
	return read(t, file)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// refused resolves a resource that has to fail with the code, and gives the message.
func (b *bench) refused(t *testing.T, location string, code skipper.Code) string {
	t.Helper()
	_, err := b.file(t, location)
	require.Error(t, err)
	require.Equal(t, code, skipper.CodeOf(err), "%v", err)
	require.NotContains(t, err.Error(), "%!")
	return err.Error()
}

// leftovers lists what is under way in a cache or a local repository.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "part-") {
			all = append(all, path)
		}
		return nil
	}))
	return all
}

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

func port(t *testing.T, u *url.URL) int {
	t.Helper()
	n, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return n
}
