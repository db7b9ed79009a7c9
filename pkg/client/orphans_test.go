package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestOrphans(t *testing.T) {
	t.Parallel()
	var asked []string
	answer := `{"problems":["account far cannot be asked"],"_embedded":{"orphans":[{"kind":"orphan","account":"default",
		"deploymentId":"one.hello-v1","releaseName":"one","version":1,"app":"hello","since":"2026-11-22T22:49:57Z"}]}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api" {
			_, _ = w.Write([]byte(`{"_links":{"orphans":{"href":"/api/o"},"orphans/remove":{"href":"/api/o/r"},
				"orphans/adopt":{"href":"/api/o/a"}}}`))
			return
		}
		body, _ := io.ReadAll(r.Body)

		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	want := skipper.Orphans{
		Problems: []string{"account far cannot be asked"},
		Items: []skipper.Orphan{{
			Kind: skipper.OrphanFound, Account: "default", DeploymentID: "one.hello-v1", ReleaseName: "one", Version: 1,
			App: "hello", Since: time.Date(2026, 11, 22, 22, 49, 57, 0, time.UTC),
		}},
	}
	got, err := c.Orphans(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = c.RemoveOrphans(t.Context(), skipper.OrphanRequest{All: true})
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = c.AdoptOrphans(t.Context(), skipper.OrphanRequest{
		Orphans: []skipper.OrphanRef{{Account: "default", DeploymentID: "one.hello-v1"}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"GET /api/o ", `POST /api/o/r {"all":true}`,
		`POST /api/o/a {"orphans":[{"account":"default","deploymentId":"one.hello-v1"}]}`,
	}, asked)

	answer = `{"_embedded":{}}`
	_, err = c.Orphans(t.Context())
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "another document is no empty list")
	answer = `{"problems":[],"_embedded":{"orphans":[{"version":"x"}]}}`
	_, err = c.Orphans(t.Context())
	require.Equal(t, skipper.CodeInternal, skipper.CodeOf(err))
}
