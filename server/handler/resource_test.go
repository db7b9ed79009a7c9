package handler_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

// TestResource_ReadsABodyBeforeItRefuses answers as Spring Data REST, which looks at the verb last.
func TestResource_ReadsABodyBeforeItRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.catalog.packages = []skipper.PackageMetadata{{ID: 1, Name: "hello"}}
	const one = "/api/packageMetadata/1"
	for name, tc := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		answer             string
	}{
		"good":            {http.MethodPut, one, "{}", nil, 405, ""},
		"delete":          {http.MethodDelete, one, "", nil, 405, ""},
		"no body":         {http.MethodPut, one, "", nil, 400, "JSON parse error"},
		"broken":          {http.MethodPatch, one, "{", nil, 400, "JSON parse error"},
		"broken, in list": {http.MethodPost, "/api/releases", "{", nil, 400, "JSON parse error"},
		"no object":       {http.MethodPut, one, "[]", nil, 400, "JSON parse error"},
		"another type": {
			http.MethodPut, one, "x",
			[]string{"Content-Type", "text/plain"},
			400,
			"No suitable HttpMessageConverter found to read request body into object of type class " +
				"org.springframework.cloud.skipper.domain.PackageMetadata from request with content type of text/plain!",
		},
		"patch of nothing":   {http.MethodPatch, "/api/packageMetadata/2", "{}", nil, 404, ""},
		"patch of no id":     {http.MethodPatch, "/api/packageMetadata/x", "{}", nil, 400, "must be a number"},
		"known":              {http.MethodPut, one, "{}", []string{"If-Match", `"7", W/"0"`}, 405, ""},
		"any":                {http.MethodDelete, one, "", []string{"If-Match", "*"}, 405, ""},
		"another":            {http.MethodDelete, one, "", []string{"If-Match", `"7"`}, 412, ""},
		"another of nothing": {http.MethodDelete, "/api/packageMetadata/2", "", []string{"If-Match", `"7"`}, 404, ""},
		"another, read only": {http.MethodDelete, "/api/repositories/2", "", []string{"If-Match", `"7"`}, 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := b.ask(tc.method, tc.path, tc.body, tc.headers...)
			require.Equal(t, tc.status, w.Code, w.Body)
			require.Len(t, w.Header().Values("Vary"), 3)
			if tc.status == http.StatusPreconditionFailed {
				require.Equal(t, []string{`"7"`}, w.Header()["ETag"])
			}
			if tc.answer == "" {
				require.Empty(t, w.Body.String())
				return
			}
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			var problem struct{ Message string }
			decodeInto(t, w, &problem)
			require.Contains(t, problem.Message, tc.answer)
		})
	}
	w := b.ask(http.MethodPut, one, "")
	require.Equal(t, "{\n  \"cause\" : null,\n  \"message\" : \"JSON parse error: the body must be a JSON object\"\n}",
		w.Body.String())
}

func TestResource_AsksNoOriginIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, tc := range map[string]struct {
		path, origin, method string
		status               int
	}{
		"other origin": {"/api/releases", "http://example.com", "GET", 403},
		"item":         {"/api/releases/1", "http://example.com", "GET", 403},
		"index":        {"/api", "http://example.com", "GET", 403},
		"same origin":  {"/api/releases", recordedBase, "GET", 200},
		"no preflight": {"/api/releases", "http://example.com", "", 200},
		"controller":   {"/api/about", "http://example.com", "GET", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := b.ask(http.MethodOptions, tc.path, "", "Origin", tc.origin, "Access-Control-Request-Method", tc.method)
			require.Equal(t, tc.status, w.Code)
			require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
			if tc.status == http.StatusForbidden {
				require.Equal(t, "Invalid CORS request", w.Body.String())
				require.Len(t, w.Header().Values("Vary"), 3)
			}
		})
	}
	w := b.ask(http.MethodOptions, "/api/releases/1", "")
	require.Equal(t, "application/merge-patch+json,application/json-patch+json,application/json",
		w.Header().Get("Accept-Patch"))
	require.Empty(t, b.ask(http.MethodOptions, "/api/releases", "").Header().Get("Accept-Patch"))
}

// TestLinksArray is given to those only who cannot take HAL, and only for models of controllers.
func TestLinksArray(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		off          bool
		path, accept string
		bare         bool
	}{
		"JSON":                    {false, "/api/package", "application/json", true},
		"other types":             {false, "/api/package", "application/json, text/plain, application/xml", true},
		"no HAL":                  {false, "/api/package", "application/json, application/hal+json;q=0", true},
		"the Java client's":       {false, "/api/package", "application/json, application/*+json", false},
		"HAL second":              {false, "/api/package", "application/json, application/hal+json;q=0.1", false},
		"anything":                {false, "/api/package", "application/json, */*;q=0.1", false},
		"all of application":      {false, "/api/package", "application/json, application/*;q=0.1", false},
		"nothing":                 {false, "/api/package", "", false},
		"off":                     {true, "/api/package", "application/json", false},
		"a resource":              {false, "/api", "application/json", false},
		"a list of releases":      {false, "/api/release/list", "application/json", true},
		"the profile of releases": {false, "/api/profile", "application/json", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupWith(t, func(c *handler.Config) { c.LinksArray = !tc.off })
			w := b.ask(http.MethodGet, tc.path, "", "Accept", tc.accept)
			require.Equal(t, http.StatusOK, w.Code)
			body, isObject := decoded(t, w.Body.String()).(map[string]any)
			require.True(t, isObject)
			require.Equal(t, tc.bare, body["links"] != nil, w.Body)
			require.Equal(t, !tc.bare, body["_links"] != nil, w.Body)
		})
	}
	b := setupWith(t, func(c *handler.Config) { c.LinksArray = true })
	about := b.ask(http.MethodGet, "/api/about", "", "Accept", "application/json")
	require.Contains(t, about.Body.String(), `"links" : [ ]`)
	list := b.ask(http.MethodGet, "/api/release/list", "", "Accept", "application/json")
	require.Equal(t, "{\n  \"links\" : [ ],\n  \"content\" : [ ]\n}", list.Body.String())
	statuses := b.ask(http.MethodGet, "/api/release/statuses?names=x", "", "Accept", "application/json")
	require.Equal(t, "{}", statuses.Body.String())
}
