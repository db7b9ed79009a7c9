package main_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yosida95/uritemplate/v3"
)

// TestCrawler_EveryLinkLeadsSomewhere starts at the index of a server with packages and with releases in several
// states, one of them under way, and follows every link it is given.
func TestCrawler_EveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	s := newStage(t, nativeApps(t))
	releases := s.populate(values(t))
	op, _ := s.operation("one")
	c := crawler{t: t, base: s.url, seen: map[string]bool{}, releases: releases, operation: op.ID}
	c.add(s.url + "/")
	c.add(s.url + "/api")
	c.add(s.url + "/actuator")
	for len(c.queue) > 0 {
		url := c.queue[0]
		c.queue = c.queue[1:]
		c.visit(url)
	}
	t.Logf("%d URLs visited", len(c.seen))
	require.Greater(t, len(c.seen), 100)
	s.must("release", "cancel", "moving")
	for _, name := range []string{"one", "bad", "moving"} {
		eventually(t, "the operation has ended", func() bool { return s.ended(name) })
		s.must("release", "delete", name)
	}
}

// populate brings packages and releases to the server and gives the names of the releases.
func (s *stage) populate(file string) []string {
	s.t.Helper()
	for _, name := range []string{"hello-1.0.0", "hello-1.1.0", "hello-1.2.0", "pair-1.0.0"} {
		s.must("package", "upload", sample(name))
	}
	of := func(verb, release, version string, more ...string) []string {
		return append([]string{
			"release", verb, release, "--package-name", "hello", "--package-version", version, "--file", file,
		}, more...)
	}
	for _, name := range []string{"one", "bad", "moving", "gone"} {
		s.must(of("install", name, "1.0.0", "--wait")...)
	}
	s.must(of("upgrade", "one", "1.1.0", "--wait")...)
	_, code := s.skiff(of("upgrade", "bad", "1.2.0", "--timeout", "1s", "--wait")...)
	require.Equal(s.t, 1, code, "the upgrade fails")
	s.must("release", "delete", "gone")
	s.must(of("upgrade", "moving", "1.2.0")...)
	return []string{"one", "bad", "moving", "gone"}
}

// crawler visits each URL once.
type crawler struct {
	t         *testing.T
	base      string
	releases  []string
	operation string // the id of one
	queue     []string
	seen      map[string]bool
}

func (c *crawler) add(url string) {
	url, _, _ = strings.Cut(url, "#")
	if !c.seen[url] && strings.HasPrefix(url, c.base+"/") {
		c.seen[url] = true
		c.queue = append(c.queue, url)
	}
}

// visit gets a URL. What can only be posted or deleted says so, and tells what it allows.
func (c *crawler) visit(url string) {
	c.t.Helper()
	status, header, body := c.ask(http.MethodGet, url)
	switch {
	case status == http.StatusMethodNotAllowed:
		require.NotEmpty(c.t, header.Get("Allow"), url)
		status, header, _ = c.ask(http.MethodOptions, url)
		require.Equal(c.t, http.StatusOK, status, url)
		require.NotContains(c.t, header.Get("Allow"), http.MethodGet, url)
	case status >= 300 && status < 400:
		c.add(header.Get("Location"))
	case status == http.StatusBadRequest && bytes.Contains(body, []byte("parameter")):
		require.NotContains(c.t, url, "?", "%s", body) // links as recorded that leave out what has to be given
	case status != http.StatusOK:
		c.t.Errorf("%s: %d %s", url, status, body)
	default:
		if doc, err := decode(body); err == nil {
			c.follow(doc, url)
		}
	}
}

func (c *crawler) ask(method, url string) (int, http.Header, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, nil)
	require.NoError(c.t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res.StatusCode, res.Header, body
}

// follow takes every href of a document.
func (c *crawler) follow(v any, where string) {
	c.t.Helper()
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			c.follow(x, where)
		}
	case object:
		for key, x := range v.values {
			if href, ok := x.(string); ok && key == "href" {
				c.expand(href, where)
				continue
			}
			c.follow(x, where)
		}
	}
}

// expand fills the template of a link in each way that makes sense.
func (c *crawler) expand(href, where string) {
	c.t.Helper()
	template, err := uritemplate.New(strings.Replace(href, "{*path}", "{path}", 1)) // Spring's own, of the health groups
	require.NoError(c.t, err, where)
	if len(template.Varnames()) == 0 {
		c.add(href)
		return
	}
	for _, values := range c.choices(strings.TrimPrefix(href, c.base)) {
		vars := uritemplate.Values{}
		for _, name := range template.Varnames() {
			value, ok := values[name]
			require.True(c.t, ok, "no value for %s of %s in %s", name, href, where)
			vars.Set(name, uritemplate.String(value))
		}
		url, err := template.Expand(vars)
		require.NoError(c.t, err)
		c.add(url)
	}
}

// choices are values for the variables of a template: where it takes a release, those of each release.
func (c *crawler) choices(path string) []map[string]string {
	values := map[string]string{
		"tail": "1", "since": "1h", "instance": "", "follow": "false",
		"page": "0", "size": "2", "sort": "name,asc", "projection": "summary", "version": "1", "releaseName": "one",
		"names": "one,bad", "name": "hello", "app": "one.hello-v2", "id": "one.hello-v2-0", "endpoint": "/info",
		"path": "liveness", "kind": "install", "outcome": "succeeded", "state": "INITIAL",
	}
	switch {
	case strings.HasPrefix(path, "/api/repositories"):
		values["name"] = "local"
	case strings.HasPrefix(path, "/api/deployers"):
		values["name"] = "default"
	case strings.HasPrefix(path, "/api/operations"):
		values["id"] = c.operation
	case strings.HasPrefix(path, "/api/release/actuator"):
		values["name"] = "one"
	case strings.HasPrefix(path, "/api/release"):
		out := make([]map[string]string, len(c.releases))
		for i, name := range c.releases {
			out[i] = maps.Clone(values)
			out[i]["name"] = name
		}
		return out
	}
	return []map[string]string{values}
}
