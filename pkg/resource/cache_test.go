package resource_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
)

func TestCache_OneDownloadForManyWhoAskAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put("/app", "body")
	f.putSummed(jarPath, "jar")
	b := setup(t, f)
	b.Clock = time.Now
	slow(f, "/app")
	slow(f, jarPath)
	var waited atomic.Int32
	ctx := resource.WithProgress(t.Context(), func(p resource.Progress) {
		if p.Waiting {
			waited.Add(1)
		}
	})
	var all sync.WaitGroup
	for i := range 20 {
		location := f.URL + "/app"
		if i%2 == 0 {
			location = "maven://com.acme:hello:1.0"
		}
		all.Go(func() {
			_, err := resource.New(b.Config).File(ctx, resource.Ref{Location: location})
			require.NoError(t, err)
		})
	}
	all.Wait()

	require.Equal(t, 1, f.count("/app"))
	require.Equal(t, 1, f.count(jarPath))
	require.Positive(t, waited.Load())
	require.Empty(t, leftovers(t, b.Dir))
}

// slow makes a path answer only after a while, so that others come meanwhile.
func slow(f *fake, path string) {
	before := f.hook
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			<-time.After(200 * time.Millisecond)
		}
		return before != nil && before(w, r)
	})
}

// start runs another process that asks for a file.
func (b *bench) start(t *testing.T, repository, location string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), executable)
	c.Env = append(os.Environ(), "RESOURCE_TEST_FILE="+location, "RESOURCE_TEST_DIR="+b.Dir,
		"RESOURCE_TEST_LOCAL="+b.Maven.LocalRepository, "RESOURCE_TEST_REPO="+repository+"/repo")
	out := &bytes.Buffer{}
	c.Stdout, c.Stderr = out, out
	require.NoError(t, c.Start())
	return c, out
}

func TestCache_IsSafeForSeveralProcesses(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	jar := strings.Repeat("jar", 1<<20)
	f.putSummed(jarPath, jar)
	slow(f, jarPath)
	b := setup(t, f)
	type process struct {
		c   *exec.Cmd
		out *bytes.Buffer
	}
	var all []process
	for range 6 {
		c, out := b.start(t, f.URL, "maven://com.acme:hello:1.0")
		all = append(all, process{c, out})
	}

	for _, p := range all {
		require.NoError(t, p.c.Wait(), "%s", p.out)
		require.Equal(t, jar, read(t, p.out.String()))
	}
	require.Equal(t, 1, f.count(jarPath))
	require.Empty(t, leftovers(t, b.Maven.LocalRepository))
}

func TestCache_AKilledDownloadLeavesNothingBehind(t *testing.T) {
	t.Parallel()

	for _, location := range []string{"/app", "maven://com.acme:hello:1.0"} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.put("/app", "the whole")
			f.putSummed(jarPath, "the whole")
			b := setup(t, f)
			if strings.HasPrefix(location, "/") {
				location = f.URL + location
			}
			hang, half := make(chan struct{}), make(chan struct{}, 1)
			f.on(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/app" && r.URL.Path != jarPath {
					return false
				}
				_, _ = w.Write([]byte("the"))
				_ = http.NewResponseController(w).Flush()
				half <- struct{}{}
				<-hang
				return true
			})
			c, _ := b.start(t, f.URL, location)
			<-half
			require.Eventually(t, func() bool { // what came is on the way to the disk
				all := append(leftovers(t, b.Dir), leftovers(t, b.Maven.LocalRepository)...)
				info, err := os.Stat(strings.Join(all, ""))
				return len(all) == 1 && err == nil && info.Size() == 3
			}, 10*time.Second, 10*time.Millisecond)
			require.NoError(t, c.Process.Kill())
			require.Error(t, c.Wait())
			close(hang)
			f.on(nil)

			require.Equal(t, "the whole", b.content(t, location))
			require.Empty(t, append(leftovers(t, b.Dir), leftovers(t, b.Maven.LocalRepository)...))
		})
	}
}

func TestCache_AHalfFileIsNotTaken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
		_, _ = w.Write([]byte("the whole"))
		return true
	})
	b := setup(t)
	file, err := b.file(t, f.URL+"/app")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(file, 0o600))
	require.NoError(t, os.Truncate(file, 3)) // as after a crash of the machine

	require.Equal(t, "the whole", b.content(t, f.URL+"/app"))
	indexes, err := filepath.Glob(filepath.Join(b.Dir, "index", "*.json"))
	require.NoError(t, err)
	require.Len(t, indexes, 1)
	require.NoError(t, os.WriteFile(indexes[0], []byte(`{"digest":"../../..","name":"../x"`), 0o600))
	require.Equal(t, "the whole", b.content(t, f.URL+"/app"))
}

func TestCache_RemovesWhatNothingUsesForTheLongestTime(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	program := read(t, sleep)
	b := setup(t)
	b.CacheSize = int64(len(program)) + 150
	f.put("/program", program)
	for i := range 4 {
		f.put(fmt.Sprintf("/%d", i), strings.Repeat(fmt.Sprint(i), 100))
	}
	files := map[string]string{}
	ask := func(name string) {
		file, err := b.file(t, f.URL+"/"+name)
		require.NoError(t, err)
		files[name] = file
	}

	ask("program")
	running := exec.CommandContext(t.Context(), files["program"], "600")
	require.NoError(t, running.Start())
	defer func() { _ = running.Process.Kill(); _ = running.Wait() }()
	ask("0")
	b.now = b.now.Add(30 * time.Minute)
	ask("1")
	require.FileExists(t, files["0"], "it was asked for a moment ago, and may be started any moment")
	require.Contains(t, b.log.String(), "all of it is in use")
	b.now = b.now.Add(40 * time.Minute)
	ask("2")
	require.NoFileExists(t, files["0"], "the oldest goes")
	require.FileExists(t, files["1"])
	b.now = b.now.Add(2 * time.Hour)
	ask("1")
	ask("3")
	require.FileExists(t, files["1"], "used again")
	require.NoFileExists(t, files["2"])
	require.FileExists(t, files["program"], "a process runs from it")
	indexes, err := filepath.Glob(filepath.Join(b.Dir, "index", "*.json"))
	require.NoError(t, err)
	require.Len(t, indexes, 3)
}
