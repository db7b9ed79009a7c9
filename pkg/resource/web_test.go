package resource_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestWeb_AsksWhetherTheFileHasChanged(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	b := setup(t)
	body, tag := "first", `"1"`
	asked := []string{}
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		asked = append(asked, r.Header.Get("If-None-Match")+" "+r.Header.Get("If-Modified-Since"))
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
		_, _ = w.Write([]byte(body))
		return true
	})

	first, err := b.file(t, f.URL+"/apps/hello")
	require.NoError(t, err)
	b.now = b.now.Add(time.Second)
	same, err := b.file(t, f.URL+"/apps/hello")
	require.NoError(t, err)
	require.Equal(t, first, same)
	body, tag = "second", `"2"`
	b.now = b.now.Add(time.Second)
	second, err := b.file(t, f.URL+"/apps/hello")
	require.NoError(t, err)

	require.Equal(t, "first", read(t, first), "what may still run is not rewritten")
	require.Equal(t, "second", read(t, second))
	require.Equal(t, []string{
		" ", `"1" Mon, 02 Nov 2026 10:00:00 GMT`, `"1" Mon, 02 Nov 2026 10:00:00 GMT`,
	}, asked)
	info, err := os.Stat(first)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o555), info.Mode().Perm(), "a program can be run, and not be changed")
	require.Equal(t, "hello", filepath.Base(first))
}

func TestWeb_AppendsTheVersionAsTheReferenceDoes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put("/apps/hello-1.0.0.jar", "jar")
	b := setup(t)

	file, err := resource.New(b.Config).File(t.Context(), resource.Ref{
		Location: f.URL + "/apps/hello?token=secret#sha256=" + digestOf("jar"), Version: "1.0.0",
	})

	require.NoError(t, err)
	require.Equal(t, "hello-1.0.0.jar", filepath.Base(file))
}

func TestWeb_ADigestSavesTheRequestAndRefusesOtherBytes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put("/a", "right")
	f.put("/b", "wrong")
	b := setup(t)
	digest := "#sha256=" + digestOf("right")

	require.Equal(t, "right", b.content(t, f.URL+"/a"+digest))
	require.Equal(t, "right", b.content(t, f.URL+"/elsewhere"+digest))
	require.Equal(t, 1, f.total())
	b.Dir = filepath.Join(t.TempDir(), "other")
	require.Contains(t, b.refused(t, f.URL+"/b"+digest, skipper.CodeInvalid), "has another digest: sha256="+digestOf("wrong"))
	require.Contains(t, b.refused(t, f.URL+"/b#md5=00", skipper.CodeInvalid), "must be the digest")
	require.Empty(t, leftovers(t, b.Dir))
}

func TestWeb_SaysWhatWentWrong(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		code     skipper.Code
		sentence string
	}{
		"missing":   {http.NotFound, skipper.CodeNotFound, "the server does not have it"},
		"denied":    {status(401), skipper.CodeInvalid, "401 Unauthorized: credentials are missing, or refused"},
		"forbidden": {status(403), skipper.CodeInvalid, "403 Forbidden"},
		"broken":    {status(503), skipper.CodeUnavailable, "the server answers 503 Service Unavailable"},
		"busy":      {status(429), skipper.CodeUnavailable, "429 Too Many Requests"},
		"teapot":    {status(418), skipper.CodeInvalid, "418"},
		"lying":     {status(304), skipper.CodeUnavailable, "was not asked that"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		}, skipper.CodeUnavailable, "the connection ended before the file did"},
		"large": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.WriteHeader(http.StatusOK)
		}, skipper.CodeInvalid, "larger than"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 500)); err != nil {
					return
				}
			}
		}, skipper.CodeInvalid, "larger than"},
		"loop": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, skipper.CodeInvalid, "redirects more than 10 times"},
		"to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/hostname", http.StatusFound)
		}, skipper.CodeInvalid, "no web address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.on(func(w http.ResponseWriter, r *http.Request) bool { c.answer(w, r); return true })
			b := setup(t)
			b.MaxSize = 1000

			secret := strings.Replace(f.URL, "http://", "http://ann:pa%24s@", 1)
			message := b.refused(t, secret+"/apps/hello?token=t0ken", c.code)

			require.Contains(t, message, c.sentence)
			require.Contains(t, message, f.URL+"/apps/hello")
			for _, hidden := range []string{"ann", "pa%24s", "pa$s", "t0ken"} {
				require.NotContains(t, message+b.log.String(), hidden)
			}
			require.Empty(t, leftovers(t, b.Dir))
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestWeb_ARetryAfterAFailureSucceeds(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put("/a", "body")
	f.on(func(w http.ResponseWriter, _ *http.Request) bool {
		if f.count("/a") == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	b := setup(t)

	b.refused(t, f.URL+"/a", skipper.CodeUnavailable)
	require.Equal(t, "body", b.content(t, f.URL+"/a"))
}

func TestWeb_NobodyListens(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.Close()

	message := setup(t).refused(t, strings.Replace(f.URL, "http://", "http://ann:secret@", 1)+"/a", skipper.CodeUnavailable)

	require.Contains(t, message, "connection refused")
	require.NotContains(t, message, "secret")
}

func TestWeb_CredentialsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	elsewhere, f := newFake(t), newFake(t)
	elsewhere.put("/b", "body")
	seen := map[string]string{}
	note := func(name string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			seen[name] = r.Header.Get("Authorization")
			if name == "first" {
				http.Redirect(w, r, elsewhere.URL+"/b", http.StatusFound)
				return true
			}
			return false
		}
	}
	f.on(note("first"))
	elsewhere.on(note("second")) // the same address, another port

	require.Equal(t, "body", setup(t).content(t, strings.Replace(f.URL, "http://", "http://ann:secret@", 1)+"/a"))

	require.Equal(t, map[string]string{"first": "Basic YW5uOnNlY3JldA==", "second": ""}, seen)
}

func TestWeb_ASilentServerIsLeft(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	hang := make(chan struct{})
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("begin"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return true
	})
	defer close(hang)
	b := setup(t, f)
	b.Maven.RequestTimeout = 50 * time.Millisecond

	require.Contains(t, b.refused(t, "maven://g:a:1.0", skipper.CodeUnavailable), "one: the server was silent for too long")
}

func TestWeb_EndsWithItsContextAndTellsProgress(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "4000000")
		_, _ = w.Write(make([]byte, 1000000))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	})
	b := setup(t)
	ctx, cancel := contextWithCancel(t)
	var told []string
	ctx = resource.WithProgress(ctx, func(p resource.Progress) {
		told = append(told, p.String())
		cancel()
	})

	_, err := resource.New(b.Config).File(ctx, resource.Ref{Location: f.URL + "/a"})

	require.ErrorContains(t, err, "the download was stopped: context canceled")
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.NotEmpty(t, told)
	require.Regexp(t, `^downloads `+f.URL+`/a: [01]\.\d of 4\.0 MB \(\d+ %\)$`, told[0])
	require.Empty(t, leftovers(t, b.Dir))
}

func TestRedact(t *testing.T) {
	t.Parallel()

	for address, want := range map[string]string{
		"https://ann:pw@h/a?t=1#sha256=ab": "https://h/a?…#sha256=ab",
		"https://h/a#secret":               "https://h/a#…",
		"https://ann:p/w@h/a":              "https://…@h/a",
		"https://h/a@b":                    "https://h/a@b",
		"docker:acme/a@sha256:00":          "docker:acme/a@sha256:00",
		"docker://ann:pw@h/a:1":            "docker:…@h/a:1",
		"maven://ann:pw@g:a:1.0":           "maven:…@g:a:1.0",
		"maven://g:a:1.0":                  "maven://g:a:1.0",
		"file:///opt/what?#1":              "file:///opt/what?#1",
		"ftp://ann:pw@h/a":                 "ftp://h/a",
	} {
		require.Equal(t, want, resource.Ref{Location: address}.String())
	}
}
