package handler_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// FuzzBody checks that no body of an upgrade is answered with anything but an acceptance or a sentence.
func FuzzBody(f *testing.F) {
	f.Add(`{"packageIdentifier":{"packageName":"x"},"upgradeProperties":{"releaseName":1,"configValues":{"raw":null}}}`)
	f.Add(`{"timeout":"1e400","force":2,"appNames":[[],{}]}`)
	f.Add(`{"timeout":9223372036854775808}`)
	f.Fuzz(func(t *testing.T, body string) {
		b := setup(t)
		b.releases.command = func(any) (skipper.Release, skipper.Operation, error) {
			return skipper.Release{}, skipper.Operation{}, nil
		}
		w := b.ask(http.MethodPost, "/api/release/upgrade", body, "Content-Type", "application/json")
		if w.Code == http.StatusCreated {
			return
		}
		require.Equal(t, http.StatusBadRequest, w.Code, w.Body)
		require.Contains(t, w.Body.String(), "HttpMessageNotReadableException")
	})
}

// FuzzQuery checks that no paging is answered with an error.
func FuzzQuery(f *testing.F) {
	f.Add("page=1&size=2&sort=name,desc")
	f.Add("page=-1&size=99999999999&sort=,&sort=%zz")
	f.Add("page=2147483647&size=1000&sort=na_me,ignorecase")
	f.Fuzz(func(t *testing.T, query string) {
		b := setup(t)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h/api/repositories?"+query, nil)
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
	})
}
