package catalog_test

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestRun_RetriesWithBackOffThenLooksAtIntervals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	index := filepath.Join(dir, "index.yml")
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.repository("folder", "file://"+dir, false, 0)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			b.Run(ctx, time.Minute)
		}()
		write := func(versions ...string) {
			text := ""
			for _, v := range versions {
				text += describe("hello", v) + "---\n"
			}
			require.NoError(t, os.WriteFile(index, []byte(text), 0o600))
		}
		after := func(d time.Duration, want ...string) {
			<-time.After(d) // in the time of the bubble
			synctest.Wait()
			require.Equal(t, append([]string{}, want...), b.versions("hello"))
		}
		after(14 * time.Second) // asked at 0 and 5 s, next at 15 s
		write("1.0.0")
		after(500 * time.Millisecond)
		after(time.Second, "1.0.0")
		write("1.0.0", "1.1.0")
		after(59*time.Second, "1.0.0")
		after(time.Second, "1.0.0", "1.1.0")

		require.NoError(t, os.Remove(index))
		after(61*time.Second, "1.0.0", "1.1.0")
		write("1.2.0")
		after(5*time.Second, "1.0.0", "1.1.0", "1.2.0")
		stop()
		<-ended
		require.Equal(t, 2, strings.Count(b.log.String(), "a package repository cannot be read"), b.log.String())
		require.Equal(t, 3, strings.Count(b.log.String(), "read a package repository"), b.log.String())
	})
}

func TestRun_LooksOnceWithoutAnInterval(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.yml"), []byte(describe("hello", "1.0.0")), 0o600))
	b := setup(t)
	b.repository("folder", "file://"+dir, false, 0)
	b.Run(t.Context(), 0)
	require.Equal(t, []string{"1.0.0"}, b.versions("hello"))
}

func TestSync_AsksWhetherTheIndexChanged(t *testing.T) {
	t.Parallel()
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		etag     string
		modified time.Time
	}{"ETag": {etag: `"1"`}, "Last-Modified": {modified: then}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var mu sync.Mutex
			text, codes := describe("hello", "1.0.0"), []int{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				answer := httptest.NewRecorder()
				if test.etag != "" {
					answer.Header().Set("ETag", test.etag)
				}
				http.ServeContent(answer, r, "", test.modified, strings.NewReader(text))
				codes = append(codes, answer.Code)
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = answer.Body.WriteTo(w)
			}))
			t.Cleanup(server.Close)
			b.repository("remote", server.URL, false, 0)
			require.True(t, b.Sync(t.Context()))
			require.True(t, b.Sync(t.Context()))
			mu.Lock()
			text, test.etag, test.modified = text+"---\n"+describe("hello", "2.0.0"), `"2"`, then.Add(time.Hour)
			mu.Unlock()
			require.True(t, b.Sync(t.Context()))
			require.Equal(t, []string{"1.0.0", "2.0.0"}, b.versions("hello"))
			require.Equal(t, []int{200, 304, 200}, codes)
		})
	}
}

// An index that could not be kept is read again, although it did not change.
func TestSync_ReadsAnIndexAgainThatItCouldNotUse(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	b.repository("remote", web.URL, false, 0)
	web.put("/index.yml", []byte(describe("hello", "1.0.0")+"---\nname: broken\n"))
	require.False(t, b.Sync(t.Context()))
	require.False(t, b.Sync(t.Context()))
	require.Empty(t, b.versions("hello"), "all of an index, or nothing")
	require.Equal(t, 1, strings.Count(b.log.String(), "cannot be read"), "only news are logged")
	web.put("/index.yml", []byte(describe("hello", "1.0.0")))
	require.True(t, b.Sync(t.Context()))
	require.Equal(t, []string{"1.0.0"}, b.versions("hello"))
}

func TestSync_BoundsAnIndex(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	b.repository("remote", web.URL, false, 0)
	web.put("/index.yml", bytes.Repeat([]byte("# "+strings.Repeat("x", 1022)+"\n"), 16<<10))
	require.False(t, b.Sync(t.Context()))
	require.Contains(t, b.log.String(), "index.yml has more than 16777216 bytes")
}

func TestLoad_ComparesTheDigestOfTheIndex(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	b.repository("remote", web.URL, false, 0)
	digest := digestOf(packed("hello", "1.0.0"))
	web.put("/index.yml", []byte(describe("hello", "1.0.0")+"sha256: "+strings.ToUpper(digest)+"\n---\n"+
		describe("hello", "2.0.0")+"sha256: "+digest+"\n---\n"+describe("hello", "3.0.0")+"sha256: 'null'\n"))
	require.True(t, b.Sync(t.Context()))
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		web.put("/hello/hello-"+version+".zip", packed("hello", version))
	}
	for version, want := range map[string]string{
		"1.0.0": "", "3.0.0": "",
		"2.0.0": web.URL + "/hello/hello-2.0.0.zip has the SHA-256 digest " + digestOf(packed("hello", "2.0.0")) +
			", but the index of its repository says " + digest,
	} {
		m, err := b.Find(t.Context(), skipper.PackageIdentifier{PackageName: "hello", PackageVersion: version})
		require.NoError(t, err)
		_, err = b.Load(t.Context(), m)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		requireError(t, err, skipper.CodeConflict, want)
		_, err = b.store.PackageFile(t.Context(), m.ID)
		require.Equal(t, skipper.CodeNotFound, skipper.CodeOf(err), "what is not what was promised is not kept")
	}
}

func TestLoad_SaysWhatIsNotThePackage(t *testing.T) {
	t.Parallel()
	b, web := setup(t), serve(t)
	m := b.known(b.repository("remote", web.URL, false, 0), "hello", "1.0.0")
	web.put("/hello/hello-1.0.0.zip", []byte("<html>login</html>"))
	_, err := b.Load(t.Context(), m)
	require.ErrorContains(t, err, web.URL+"/hello/hello-1.0.0.zip is not package hello:1.0.0: ")
}
