package handler_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestNames_AreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("n%d", i)
	}
	w := b.ask(http.MethodGet, "/api/release/states?names="+strings.Join(many, ","), "")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "at most 1000")
}

func TestBody_Charsets(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		contentType, body string
		status            int
		want              string
	}{
		"UTF-8":              {"application/json;charset=utf-8", `{"releaseName":"café"}`, http.StatusOK, "café"},
		"ISO-8859-1":         {"application/json;charset=ISO-8859-1", "{\"releaseName\":\"caf\xe9\"}", http.StatusOK, "café"},
		"none, and no UTF-8": {"application/json", "{\"releaseName\":\"caf\xe9\"}", http.StatusBadRequest, ""},
		"cut in a character": {"application/json", "{\"releaseName\":\"caf\xc3", http.StatusBadRequest, ""},
		"unknown":            {"application/json;charset=utf-7", `{}`, http.StatusUnsupportedMediaType, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			heard := ""
			b.releases.cancel = func(r skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error) {
				heard = r.ReleaseName
				return skipper.CancelResponse{}, nil, nil
			}
			w := b.ask(http.MethodPost, "/api/release/cancel", tc.body, "Content-Type", tc.contentType)
			require.Equal(t, tc.status, w.Code, w.Body)
			require.Equal(t, tc.want, heard)
		})
	}
}
