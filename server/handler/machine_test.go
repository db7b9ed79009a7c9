package handler_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestMachine_ListsAndItems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ rel, item, want string }{
		{"jpaRepositoryActions", "scaleApps", `{"name":"scaleApps","description":"sets the numbers of instances"}`},
		{"jpaRepositoryGuards", "idle", `{"name":"idle","description":"no other operation runs on the release"}`},
		{"jpaRepositoryStates", "INITIAL", `{"name":"INITIAL","initial":true,"parent":null}`},
		{
			"jpaRepositoryTransitions", "INITIAL-SCALE",
			`{"source":"INITIAL","event":"SCALE","target":"SCALE_SCALE","guard":"idle","action":"scaleApps"}`,
		},
		{"jpaRepositoryStateMachines", "one", `{"machineId":"one","state":"SCALE_SCALE"}`},
	} {
		t.Run(tc.rel, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.machine.machines = []skipper.Machine{{MachineID: "one", State: skipper.StateScale}}
			list := recordedBase + "/api/" + tc.rel
			one := list + "/" + tc.item

			w := b.ask(http.MethodGet, list, "")
			require.Equal(t, http.StatusOK, w.Code)
			require.Len(t, w.Header().Values("Vary"), 3)
			d := document(t, w.Body.String())
			require.Nil(t, d.Page)
			require.Equal(t, []string{"self", "profile"}, d.Links.Relations())
			profile, _ := d.Links.Get("profile")
			require.Equal(t, http.StatusOK, b.ask(http.MethodGet, profile.Href, "").Code)
			self, _ := d.Embedded(tc.rel)[0].Links.Get("self")
			require.Equal(t, one, self.Href)

			w = b.ask(http.MethodGet, one, "")
			require.Equal(t, http.StatusOK, w.Code)
			requireAgrees(t, "", decoded(t, tc.want), decoded(t, w.Body.String()))
			require.Equal(t, http.StatusNotFound, b.ask(http.MethodGet, list+"/nope", "").Code)
			require.Equal(t, http.StatusNoContent, b.ask(http.MethodHead, list, "").Code)
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				for _, path := range []string{list, one} {
					w = b.ask(method, path, "{}")
					require.Equal(t, http.StatusMethodNotAllowed, w.Code, method+" "+path)
					require.Equal(t, "GET,HEAD,OPTIONS", w.Header().Get("Allow"))
				}
			}
		})
	}
}

func TestMachine_OfManyReleasesHasPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.machine.machines = make([]skipper.Machine, 1001)
	d := document(t, b.ask(http.MethodGet, "/api/jpaRepositoryStateMachines", "").Body.String())
	require.Len(t, d.Embedded("jpaRepositoryStateMachines"), 1000)
	next, found := d.Links.Get("next")
	require.True(t, found)
	d = document(t, b.ask(http.MethodGet, next.Href, "").Body.String())
	require.Len(t, d.Embedded("jpaRepositoryStateMachines"), 1)
	require.Equal(t, skipper.PageRequest{Page: 1, Size: 1000}, b.machine.page)
}
