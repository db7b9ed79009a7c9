package handler_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/server/handler"
)

func TestForwarded(t *testing.T) {
	t.Parallel()
	b := setupWith(t, func(c *handler.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	const proxy, asIs = "10.1.2.3:4711", "http://inner:7577"
	for name, tc := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"nothing":             {proxy, nil, asIs},
		"not trusted":         {"11.1.2.3:4711", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"}, asIs},
		"no address":          {"@", []string{"X-Forwarded-Host", "evil"}, asIs},
		"IPv6 peer":           {"[::1]:9", []string{"X-Forwarded-Host", "outer"}, "http://outer"},
		"IPv4 in IPv6":        {"[::ffff:10.0.0.1]:9", []string{"X-Forwarded-Host", "outer"}, "http://outer"},
		"proto and host":      {proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "outer"}, "https://outer"},
		"proto alone":         {proxy, []string{"X-Forwarded-Proto", "https"}, "https://inner"},
		"ssl":                 {proxy, []string{"X-Forwarded-Ssl", "on", "X-Forwarded-Host", "outer"}, "https://outer"},
		"first of many":       {proxy, []string{"X-Forwarded-Host", "a.example, b.example"}, "http://a.example"},
		"host with port":      {proxy, []string{"X-Forwarded-Host", "outer:8443"}, "http://outer:8443"},
		"usual port":          {proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "outer:443"}, "https://outer"},
		"port":                {proxy, []string{"X-Forwarded-Host", "outer", "X-Forwarded-Port", "8080"}, "http://outer:8080"},
		"IPv6 host":           {proxy, []string{"X-Forwarded-Host", "[2001:db8::1]:8080"}, "http://[2001:db8::1]:8080"},
		"prefix":              {proxy, []string{"X-Forwarded-Host", "outer", "X-Forwarded-Prefix", "/a/, /b"}, "http://outer/a/b"},
		"Forwarded":           {proxy, []string{"Forwarded", `for=1.2.3.4;Proto=https;host="outer:8443", host=other`}, "https://outer:8443"},
		"Forwarded wins":      {proxy, []string{"Forwarded", "host=outer", "X-Forwarded-Host", "other"}, "http://outer"},
		"host that is none":   {proxy, []string{"X-Forwarded-Host", `a/"><b`}, asIs},
		"port that is none":   {proxy, []string{"X-Forwarded-Port", "0"}, asIs},
		"scheme that is none": {proxy, []string{"X-Forwarded-Proto", "javascript"}, asIs},
		"prefix that is none": {proxy, []string{"X-Forwarded-Prefix", "//evil"}, asIs},
		"prefix that climbs":  {proxy, []string{"X-Forwarded-Prefix", "/a/../b"}, asIs},
		"encoded prefix":      {proxy, []string{"X-Forwarded-Prefix", "/%0d%0aX"}, asIs},
		"endless host":        {proxy, []string{"X-Forwarded-Host", strings.Repeat("a", 256)}, asIs},
		"endless prefix":      {proxy, []string{"X-Forwarded-Prefix", "/" + strings.Repeat("a", 1024)}, asIs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ask := func(path string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Host, r.RemoteAddr = "inner:7577", tc.peer
				for i := 0; i+1 < len(tc.headers); i += 2 {
					r.Header.Set(tc.headers[i], tc.headers[i+1])
				}
				w := httptest.NewRecorder()
				b.ServeHTTP(w, r)
				return w
			}
			link, _ := document(t, ask("/api").Body.String()).Links.Get("about")
			require.Equal(t, tc.want+"/api/about", link.Href)
			self, _ := document(t, ask("/api/releases?page=0").Body.String()).Links.Get("self")
			require.Equal(t, tc.want+"/api/releases?page=0", self.Href)
			require.Equal(t, tc.want+"/api", ask("/").Header().Get("Location"))
		})
	}
}
