package hal_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/hal"
)

// recordedBody gives the exact bytes of a recorded answer's body.
func recordedBody(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	_, answer, found := bytes.Cut(raw, []byte("--- answer\n"))
	require.True(t, found)
	_, body, found := bytes.Cut(answer, []byte("\n\n"))
	require.True(t, found)
	return body
}

// TestMarshalIndent_WritesRecordedBytes takes recorded bodies apart into compact JSON and lays them out again.
func TestMarshalIndent_WritesRecordedBytes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.http")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want := recordedBody(t, file)
			got, err := hal.MarshalIndent(json.RawMessage(want))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), string(got)))
		})
	}
}

func TestMarshalIndent_WritesResources(t *testing.T) {
	t.Parallel()
	const base = "http://127.0.0.1:7577/api/repositories"
	type repository struct {
		Name        string  `json:"name"`
		URL         string  `json:"url"`
		SourceURL   *string `json:"sourceUrl"`
		Local       bool    `json:"local"`
		Description string  `json:"description"`
		RepoOrder   int     `json:"repoOrder"`
	}
	source := "https://example.com/remote"
	rows := []repository{
		{"remote", "http://127.0.0.1:7600", &source, false, "A remote repository", 0},
		{"local", "http://127.0.0.1:7577", nil, true, "Default local database backed repository", 1},
	}
	embedded := hal.Embedded{Rel: "repositories"}
	for i, row := range rows {
		item := hal.Resource{Value: row}
		self := hal.NewLink(base + "/" + string(rune('1'+i)))
		item.Links.Add("self", self)
		item.Links.Add("repository", self)
		embedded.Items = append(embedded.Items, item)
	}
	page := hal.NewPage(0, 20, 2)
	list := hal.Resource{Embedded: &embedded, Page: &page}
	list.Links.AddPage(base, page, nil)
	list.Links.Add("profile", hal.NewLink("http://127.0.0.1:7577/api/profile/repositories"))
	list.Links.Add("search", hal.NewLink(base+"/search"))

	got, err := hal.MarshalIndent(list)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(recordedBody(t, "testdata/05-repositories.http")), string(got)))
}

func TestMarshal_EscapesAsJackson(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\u2028 \u2029 í <&> \"q\" / \\": "\"\u2028 \u2029 í <&> \\\"q\\\" / \\\\\"",
		"\x00\x1f\b\t\n\f\r\x7f":         "\"\\u0000\\u001F\\b\\t\\n\\f\\r\x7f\"",
		"\U0001F600":                     "\"\U0001F600\"",
	} {
		got, err := hal.Marshal(text)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	got, err := hal.Marshal(json.RawMessage(`"\u0022\u005c\u00ed\ud83d\ude00\u001f"`))
	require.NoError(t, err)
	require.Equal(t, "\"\\\"\\\\í\\ud83d\\ude00\\u001F\"", string(got))
}

func TestMarshal_Shapes(t *testing.T) {
	t.Parallel()
	repeated := hal.Resource{Value: map[string]int{"n": 1}}
	repeated.Links.Add("install", hal.NewLink("/a"))
	repeated.Links.Add("self", hal.NewLink("/s{?x}"))
	repeated.Links.Add("install", hal.NewLink("/b"))
	for name, tc := range map[string]struct {
		value  any
		want   string
		pretty string
	}{
		"nothing":      {hal.Resource{}, `{}`, `{ }`},
		"empty object": {map[string]any{"a": map[string]any{}}, `{"a":{}}`, "{\n  \"a\" : { }\n}"},
		"empty list": {
			hal.Resource{Embedded: &hal.Embedded{Rel: "r"}},
			`{"_embedded":{"r":[]}}`, "{\n  \"_embedded\" : {\n    \"r\" : [ ]\n  }\n}",
		},
		"repeated relation": {
			repeated,
			`{"n":1,"_links":{"install":[{"href":"/a"},{"href":"/b"}],"self":{"href":"/s{?x}","templated":true}}}`,
			"{\n  \"n\" : 1,\n  \"_links\" : {\n    \"install\" : [ {\n      \"href\" : \"/a\"\n    }, {\n" +
				"      \"href\" : \"/b\"\n    } ],\n    \"self\" : {\n      \"href\" : \"/s{?x}\",\n" +
				"      \"templated\" : true\n    }\n  }\n}",
		},
		"list of lists": {[][]int{{1, 2}, {}}, `[[1,2],[]]`, `[ [ 1, 2 ], [ ] ]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := hal.Marshal(tc.value)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
			got, err = hal.MarshalIndent(tc.value)
			require.NoError(t, err)
			require.Equal(t, tc.pretty, string(got))
		})
	}
	_, err := hal.Marshal(hal.Resource{Value: []int{1}})
	require.ErrorContains(t, err, "has to be an object")
}

func TestMarshalJSON_AgreesWithMarshal(t *testing.T) {
	t.Parallel()
	inner := hal.Resource{Value: map[string]string{"a": "b"}}
	inner.Links.Add("self", hal.NewLink("/1"))
	r := hal.Resource{Embedded: &hal.Embedded{Rel: "x", Items: []hal.Resource{inner}}}
	want, err := hal.Marshal(r)
	require.NoError(t, err)
	got, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestAddPage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		self string
		page hal.Page
		sort []string
		want []string
	}{
		"only page": {"/x?size=20", hal.NewPage(0, 20, 3), nil, []string{"self /x?size=20"}},
		"in the middle": {"/x?size=2&page=1", hal.NewPage(1, 2, 18), nil, []string{
			"first /x?page=0&size=2", "prev /x?page=0&size=2", "self /x?size=2&page=1", "next /x?page=2&size=2", "last /x?page=8&size=2",
		}},
		"beyond": {"/x?page=5&size=1", hal.NewPage(5, 1, 1), nil, []string{
			"first /x?page=0&size=1", "prev /x?page=4&size=1", "self /x?page=5&size=1", "last /x?page=0&size=1",
		}},
		"beyond an empty list": {"/x?page=5", hal.NewPage(5, 20, 0), nil, []string{
			"first /x?page=0&size=20", "prev /x?page=4&size=20", "self /x?page=5", "last /x?page=0&size=20",
		}},
		"sorted, with another parameter": {
			"/x?sort=name&projection=summary&page=1&size=1", hal.NewPage(1, 1, 2),
			[]string{"name,asc"},
			[]string{
				"first /x?projection=summary&page=0&size=1&sort=name,asc",
				"prev /x?projection=summary&page=0&size=1&sort=name,asc",
				"self /x?sort=name&projection=summary&page=1&size=1",
				"last /x?projection=summary&page=1&size=1&sort=name,asc",
			},
		},
		"sort that is not known": {"/x?sort=nope&size=1", hal.NewPage(0, 1, 2), nil, []string{
			"first /x?sort=nope&page=0&size=1", "self /x?sort=nope&size=1", "next /x?sort=nope&page=1&size=1",
			"last /x?sort=nope&page=1&size=1",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var links hal.Links
			links.AddPage(tc.self, tc.page, tc.sort)
			var got []string
			for _, rel := range links.Relations() {
				link, _ := links.Get(rel)
				got = append(got, rel+" "+link.Href)
			}
			require.Empty(t, cmp.Diff(tc.want, got))
		})
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	var links hal.Links
	links.Add("self", hal.NewLink("http://h/api/deployers"))
	links.Add("search", hal.NewLink("http://h/api/deployers/search"))
	require.Equal(t, `<http://h/api/deployers>;rel="self",<http://h/api/deployers/search>;rel="search"`, links.Header())
}

func TestParse(t *testing.T) {
	t.Parallel()
	d, err := hal.Parse(recordedBody(t, "testdata/09-package-page.http"))
	require.NoError(t, err)
	require.Equal(t, &hal.Page{Size: 2, TotalElements: 3, TotalPages: 2}, d.Page)
	next, found := d.Links.Get("next")
	require.True(t, found)
	require.Equal(t, "http://127.0.0.1:7577/api/packageMetadata?page=1&size=2&sort=name,asc", next.Href)
	items := d.Embedded("packageMetadata")
	require.Len(t, items, 2)
	var fields struct{ Name string }
	require.NoError(t, items[1].Decode(&fields))
	require.Equal(t, "farmissing", fields.Name)
	item, _ := items[1].Links.Get("packageMetadata")
	require.Equal(t, hal.Link{Href: "http://127.0.0.1:7577/api/packageMetadata/4{?projection}", Templated: true}, item)
	require.Empty(t, d.Embedded("nope"))
	_, found = d.Links.Get("nope")
	require.False(t, found)

	upload, err := hal.Parse(recordedBody(t, "testdata/07-upload.http"))
	require.NoError(t, err)
	require.Len(t, upload.Links.All("install"), 2)
	require.Equal(t, []string{"install"}, upload.Links.Relations())
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[]`, `{"_links":[]}`, `{"_links":{"self":"x"}}`, `{"_embedded":{"x":[1]}}`} {
		_, err := hal.Parse([]byte(body))
		require.Error(t, err, body)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":1,"_links":{"self":{"href":"/"},"x":[{"href":"/{y}","templated":true}]},"_embedded":{"r":[{}]},"page":{"size":1}}`))
	f.Add([]byte(`{"_links":null,"_embedded":{"one":{"b":"\u001f"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := hal.Parse(body)
		if err != nil {
			return
		}
		pretty, err := hal.MarshalIndent(json.RawMessage(body))
		require.NoError(t, err)
		require.True(t, json.Valid(pretty))
		again, err := hal.Parse(pretty)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(d.Links.Relations(), again.Links.Relations()))
		require.False(t, strings.HasSuffix(string(pretty), "\n"))
	})
}
