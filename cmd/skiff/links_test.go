package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yosida95/uritemplate/v3"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// browser knows one URL, the index; every other one it finds in a link.
type browser struct {
	t    *testing.T
	root string
}

type page struct {
	b    browser
	doc  hal.Document
	body []byte
}

func (b browser) ask(method, url string, in any, status int) page {
	b.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		require.NoError(b.t, err)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, body)
	require.NoError(b.t, err)
	req.Header.Set("Accept", "application/hal+json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }() // it was read
	text, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, status, res.StatusCode, "%s %s: %s", method, url, text)
	doc, err := hal.Parse(text)
	require.NoError(b.t, err)
	return page{b, doc, text}
}

func (b browser) index() page { return b.ask(http.MethodGet, b.root+"/api", nil, http.StatusOK) }

// link gives the URL of a relation; values fill its template.
func (p page) link(rel string, values map[string]string) string {
	p.b.t.Helper()
	link, ok := p.doc.Links.Get(rel)
	require.True(p.b.t, ok, "no link %q in %s", rel, p.body)
	if !link.Templated {
		return link.Href
	}
	template, err := uritemplate.New(link.Href)
	require.NoError(p.b.t, err)
	vars := uritemplate.Values{}
	for k, v := range values {
		vars.Set(k, uritemplate.String(v))
	}
	url, err := template.Expand(vars)
	require.NoError(p.b.t, err)
	return url
}

func (p page) get(rel string, values map[string]string) page {
	p.b.t.Helper()
	return p.b.ask(http.MethodGet, p.link(rel, values), nil, http.StatusOK)
}

func (p page) post(rel string, in any) page {
	p.b.t.Helper()
	return p.b.ask(http.MethodPost, p.link(rel, nil), in, http.StatusCreated)
}

func (p page) decode(out any) {
	p.b.t.Helper()
	require.NoError(p.b.t, json.Unmarshal(p.body, out))
}

func (b browser) upload(pkg page, name, version string) {
	b.t.Helper()
	zip, err := archive.Write(sample(name + "-" + version))
	require.NoError(b.t, err)
	pkg.post("upload", map[string]any{
		"repoName": "local", "name": name, "version": version, "extension": "zip", "packageFileAsBytes": zip,
	})
}

// ended follows the operation of an answer until it has ended.
func (p page) ended() skipper.Operation {
	p.b.t.Helper()
	url := p.link("operation", nil)
	var op skipper.Operation
	eventually(p.b.t, "the operation has ended", func() bool {
		p.b.ask(http.MethodGet, url, nil, http.StatusOK).decode(&op)
		return !op.Running()
	})
	return op
}

func (p page) history(name string) []string {
	p.b.t.Helper()
	found := p.get("releases", nil).get("search", nil).
		get("findByNameIgnoreCaseContainingOrderByNameAscVersionDesc", map[string]string{"name": name})
	var out []string
	for _, item := range found.doc.Embedded("releases") {
		var rel skipper.Release
		require.NoError(p.b.t, item.Decode(&rel))
		out = append(out, string(rel.Info.Status.StatusCode)+" "+rel.Info.Description)
	}
	return out
}

func TestDemo_OverHTTPByFollowingLinksOnly(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	b := browser{t, p.url}
	index := b.index()
	pkg, releases := index.get("package", nil), index.get("release", nil)
	values := map[string]any{"raw": "appBase: file://" + built.apps + "\n"}
	one := map[string]string{"name": "one"}

	b.upload(pkg, "hello", "1.0.0")
	installed := pkg.post("install", map[string]any{
		"packageIdentifier": map[string]any{"packageName": "hello", "packageVersion": "1.0.0"},
		"installProperties": map[string]any{"releaseName": "one", "platformName": "default", "configValues": values},
	})
	require.Equal(t, skipper.OutcomeSucceeded, installed.ended().Outcome)
	eventually(t, "healthy", func() bool {
		var info skipper.Info
		installed.get("status", one).decode(&info)
		apps := info.Status.AppStatuses()
		return len(apps) == 1 && apps[0].State == skipper.StateDeployed
	})
	var m skipper.Manifest
	installed.get("status", one).get("manifest", one).decode(&m)
	require.Contains(t, m.Data, "Hello from 1.0.0")
	var logs skipper.LogInfo
	releases.get("logs/name", one).decode(&logs)
	require.Contains(t, logs.Logs["one.hello-v1"], "sample-app listening on ")

	b.upload(pkg, "hello", "1.1.0")
	upgrade := func(version string, timeout int) page {
		return releases.post("upgrade", map[string]any{
			"packageIdentifier": map[string]any{"packageName": "hello", "packageVersion": version},
			"upgradeProperties": map[string]any{"releaseName": "one", "configValues": values}, "timeout": timeout,
		})
	}
	require.Equal(t, skipper.OutcomeSucceeded, upgrade("1.1.0", 30000).ended().Outcome)
	require.Equal(t, []string{"DEPLOYED Upgrade complete", "DELETED Delete complete"}, index.history("one"))

	b.upload(pkg, "hello", "1.2.0")
	require.Equal(t, skipper.OutcomeRolledBack, upgrade("1.2.0", 1500).ended().Outcome)
	require.Equal(t, "FAILED Did not detect apps in replacing release as healthy after 1500 ms.", index.history("one")[0])
	require.Equal(t, []string{"hello-1.1.0 one.hello-v2"}, slices.Collect(maps.Values(running(t, dir))))

	listed := releases.get("list/name", one).doc.Embedded("releases")
	require.Len(t, listed, 2, "the one that stands and the one that failed")
	stands := page{b: b, doc: listed[0]}
	rollback := b.ask(http.MethodPost, stands.link("rollback", nil), map[string]any{"releaseName": "one", "version": 1},
		http.StatusCreated)
	require.Equal(t, skipper.OutcomeSucceeded, rollback.ended().Outcome)
	require.Equal(t, []string{"hello-1.0.0 one.hello-v4"}, slices.Collect(maps.Values(running(t, dir))))

	deleted := b.ask(http.MethodDelete, releases.link("delete/name", one), nil, http.StatusOK)
	require.Equal(t, skipper.OutcomeSucceeded, deleted.ended().Outcome)
	require.Empty(t, running(t, dir), "nothing is left running")
}
