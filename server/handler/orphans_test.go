package handler_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

// fakeOrphans gives what it is told, and keeps what it was asked for.
type fakeOrphans struct {
	found  skipper.Orphans
	err    error
	asked  []string
	wanted skipper.OrphanRequest
}

func (f *fakeOrphans) List(context.Context) (skipper.Orphans, error) {
	f.asked = append(f.asked, "list")
	return f.found, f.err
}

func (f *fakeOrphans) Remove(_ context.Context, request skipper.OrphanRequest) (skipper.Orphans, error) {
	f.asked, f.wanted = append(f.asked, "remove"), request
	return f.found, f.err
}

func (f *fakeOrphans) Adopt(_ context.Context, request skipper.OrphanRequest) (skipper.Orphans, error) {
	f.asked, f.wanted = append(f.asked, "adopt"), request
	return f.found, f.err
}

func withOrphans(t *testing.T) (*bench, *fakeOrphans) {
	t.Helper()
	f := &fakeOrphans{}
	return setupWith(t, func(c *handler.Config) { c.Orphans = f }), f
}

func TestOrphans_AreListedWithWhatCanBeDone(t *testing.T) {
	t.Parallel()
	b, f := withOrphans(t)
	o := skipper.Orphan{
		Kind: skipper.OrphanFound, Account: "default", DeploymentID: "one.hello-v1", ReleaseName: "one", Version: 1,
		App: "hello", Since: time.Date(2026, 11, 22, 22, 49, 57, 0, time.UTC), SpecHash: "not shown",
	}
	going := o
	going.Kind, going.Message = skipper.OrphanCompensation, "it is stubborn"
	f.found = skipper.Orphans{Items: []skipper.Orphan{o, o, going}, Problems: []string{"account far cannot be asked"}}
	w := b.ask(http.MethodGet, "/api/orphans", "")
	require.Equal(t, http.StatusOK, w.Code)
	const item = `"account":"default","deploymentId":"one.hello-v1","releaseName":"one","version":1,"app":"hello",` +
		`"since":"2026-11-22T22:49:57Z"`
	require.JSONEq(t, `{"problems":["account far cannot be asked"],
		"_embedded":{"orphans":[{"kind":"orphan",`+item+`},{"kind":"orphan",`+item+`},
			{"kind":"compensation",`+item+`,"message":"it is stubborn"}]},
		"_links":{"self":{"href":"http://127.0.0.1:7577/api/orphans"},
			"remove":{"href":"http://127.0.0.1:7577/api/orphans/remove"},
			"adopt":{"href":"http://127.0.0.1:7577/api/orphans/adopt"}}}`, w.Body.String())

	f.found = skipper.Orphans{}
	w = b.ask(http.MethodGet, "/api/orphans", "")
	require.JSONEq(t, `{"problems":[],"_embedded":{"orphans":[]},
		"_links":{"self":{"href":"http://127.0.0.1:7577/api/orphans"}}}`, w.Body.String(), "nothing can be done with none")
}

func TestOrphans_Commands(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"remove", "adopt"} {
		b, f := withOrphans(t)
		w := b.ask(http.MethodPost, "/api/orphans/"+command, `{"all":true}`)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, skipper.OrphanRequest{All: true}, f.wanted)
		w = b.ask(http.MethodPost, "/api/orphans/"+command,
			`{"orphans":[{"account":"default","deploymentId":"a"},{"account":"far","deploymentId":"b"}]}`)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, skipper.OrphanRequest{Orphans: []skipper.OrphanRef{
			{Account: "default", DeploymentID: "a"}, {Account: "far", DeploymentID: "b"},
		}}, f.wanted)
		require.Equal(t, []string{command, command}, f.asked)

		for _, body := range []string{"", "[]", `{"orphans":"all"}`, `{"orphans":[1]}`} {
			w = b.ask(http.MethodPost, "/api/orphans/"+command, body)
			require.Equal(t, http.StatusBadRequest, w.Code, body)
		}
		require.Len(t, f.asked, 2)
		require.Equal(t, http.StatusMethodNotAllowed, b.ask(http.MethodGet, "/api/orphans/"+command, "").Code)
		f.err = skipper.Errorf(skipper.CodeNotFound, "there is no orphan")
		w = b.ask(http.MethodPost, "/api/orphans/"+command, `{"all":true}`)
		require.Equal(t, http.StatusNotFound, w.Code)
	}
}

func TestOrphans_OfAdoptedOnesTheReleaseIsLinked(t *testing.T) {
	t.Parallel()
	b, f := withOrphans(t)
	f.found.Items = []skipper.Orphan{{Kind: skipper.OrphanAdopted, ReleaseName: "a b", Version: 3}}
	w := b.ask(http.MethodPost, "/api/orphans/adopt", `{"all":true}`)
	require.Contains(t, w.Body.String(), `http://127.0.0.1:7577/api/release/status/a%20b/3`)
	require.NotContains(t, w.Body.String(), "orphans/remove")
}

func TestOrphans_OfAServerThatDoesNotLook(t *testing.T) {
	t.Parallel()
	require.Equal(t, http.StatusNotFound, setup(t).ask(http.MethodGet, "/api/orphans", "").Code)
}
