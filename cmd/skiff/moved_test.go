package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// moved serves an API under other paths: only its index is where it was. Every fixed segment of a link has another name;
// a client that makes a path up is answered 404.
type moved struct {
	root string // of the server
	fail func(string)
}

const movedMark = "z-"

// words are the segments that the server's paths are made of.
var words = []string{
	"api", "about", "cancel", "deployers", "events", "history", "install", "list", "logs", "manifest", "operations",
	"orphans", "package", "packageMetadata", "preview", "release", "releases", "repositories", "retry", "rollback", "scale",
	"search", "status", "upgrade", "upload",
}

func rename(segment string) string {
	return movedMark + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, segment)
}

func (m moved) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if path != "/api" {
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		for i, s := range segments {
			if name, ok := strings.CutPrefix(s, movedMark); ok {
				segments[i] = strings.TrimPrefix(rename(name), movedMark)
			} else if slices.Contains(words, s) {
				m.fail(r.Method + " " + path)
				http.NotFound(w, r)
				return
			}
		}
		path = "/" + strings.Join(segments, "/")
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, m.root+path+"?"+r.URL.RawQuery, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request.Host, request.Header = r.Host, r.Header.Clone()
	request.Header.Del("Accept-Encoding")
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	link := regexp.MustCompile(`"http://` + regexp.QuoteMeta(r.Host) + `(/[^"]*)"`)
	body = link.ReplaceAllFunc(body, func(found []byte) []byte {
		path, query, _ := strings.Cut(string(link.FindSubmatch(found)[1]), "?")
		if strings.Contains(path, "{?") {
			path, query, _ = strings.Cut(path, "{?")
			query = "{?" + query
		} else if query != "" {
			query = "?" + query
		}
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		for i, s := range segments {
			if !strings.HasPrefix(s, "{") && s != "" {
				segments[i] = rename(s)
			}
		}
		return []byte(`"http://` + r.Host + "/" + strings.Join(segments, "/") + query + `"`)
	})
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
}

func TestLinks_TheCommandLineMakesNoPathUp(t *testing.T) {
	t.Parallel()
	p := serve(t, dataDir(t))
	var madeUp []string
	proxy := httptest.NewServer(moved{root: p.url, fail: func(what string) { madeUp = append(madeUp, what) }})
	t.Cleanup(proxy.Close)
	p.url = proxy.URL
	file := values(t)
	p.must("skipper", "info")
	p.must("platform", "list")
	p.must("repo", "list")
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	require.Contains(t, p.must("package", "list"), "1.1.0")
	require.Contains(t, p.must("package", "search", "hel"), "1.1.0")
	p.must("release", "install", "site", "--package-name", "hello", "--package-version", "1.0.0", "--file", file, "--wait")
	require.Contains(t, p.must("release", "list"), "DEPLOYED")
	require.Contains(t, p.must("release", "list", "sit"), "DEPLOYED")
	p.must("release", "status", "site")
	p.must("release", "status", "site", "1")
	p.must("release", "logs", "site")
	p.must("manifest", "get", "site")
	p.must("manifest", "get", "site", "1")
	declaration := write(t, "name: site\npackage: hello\n")
	require.Contains(t, p.must("release", "apply", "-f", declaration, "--values", file, "--dry-run"), "would be upgraded")
	p.must("release", "apply", "-f", declaration, "--values", file)
	require.Contains(t, p.must("release", "history", "site"), "Upgrade complete")
	p.must("release", "rollback", "site", "1", "--wait", "--timeout", "60s")
	p.must("release", "upgrade", "site", "hello", "--file", file, "--wait", "--timeout", "60s")
	p.must("release", "scale", "site", "--count", "hello=2")
	p.must("release", "watch", "site")
	_, code := p.skiff("release", "cancel", "site")
	require.Equal(t, 4, code)
	p.must("release", "orphans")
	p.must("release", "delete", "site")
	p.must("package", "delete", "hello")
	require.Empty(t, madeUp)
}
