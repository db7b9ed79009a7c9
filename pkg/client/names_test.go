package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Names arrive as they were given. The library of URI templates escapes what is not ASCII by code points: 焀 would
// arrive as the byte 0x71 and 0x00 left out, which is the name q.
func TestNames_ArriveAsGiven(t *testing.T) {
	t.Parallel()
	names := []string{
		"ü", "日本", "ű", "焀", "🚢", "a b", "a+b", "100%", "%41", "a&b=c", "#", "?", "a;b", "a,b", "~0~", "{name}", "\xff",
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan *url.URL, 1)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/api":
					_, _ = io.WriteString(w, `{"_links": {"release": {"href": "/r"}, "packageMetadata": {"href": "/p"},
						"operations": {"href": "/o?all=1{&releaseName,size}", "templated": true}}}`)
				case "/r":
					_, _ = io.WriteString(w, `{"_links": {"status/name": {"href": "/s/{name}", "templated": true},
						"status/name/version": {"href": "/s/{name}/{version}", "templated": true},
						"history": {"href": "/h{?name}", "templated": true}}}`)
				default:
					asked <- r.URL
					w.WriteHeader(http.StatusTeapot)
				}
			}))
			defer s.Close()
			c, err := client.New(s.URL)
			require.NoError(t, err)
			defer c.Close()

			last := func() *url.URL {
				t.Helper()
				require.NotEmpty(t, asked)
				return <-asked
			}
			_, err = c.Status(t.Context(), name, 0)
			require.Error(t, err)
			require.Equal(t, "/s/"+name, last().Path)
			_, err = c.Status(t.Context(), name, 12)
			require.Error(t, err)
			require.Equal(t, "/s/"+name+"/12", last().Path)
			_, _, err = c.Delete(t.Context(), name, true)
			require.Error(t, err)
			require.Equal(t, "/r/"+name+"/package", last().Path)
			_, err = c.History(t.Context(), name)
			require.Error(t, err)
			require.Empty(t, cmp.Diff(map[string][]string{"name": {name}}, map[string][]string(last().Query())))
			_, err = c.Operations(t.Context(), name)
			require.Error(t, err)
			require.Empty(t, cmp.Diff(map[string][]string{"all": {"1"}, "releaseName": {name}, "size": {"20"}},
				map[string][]string(last().Query())))
		})
	}
}

// A path loses such names on the way, and what is left of it leads to something else.
func TestNames_NoPathCanHoldDots(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".", ".."} {
		f, c := serve(t, nil)
		_, err := c.Status(t.Context(), name, 0)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		require.ErrorContains(t, err, `a name must not be "`+name+`": no URL can hold it`)
		_, _, err = c.Delete(t.Context(), name, true)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(c.DeletePackage(t.Context(), name)))
		for _, asked := range f.asked {
			require.Contains(t, []string{"GET /api", "GET /api/release", "GET /api/package"}, asked)
		}
	}
}
