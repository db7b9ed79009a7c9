package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func logsFrom(t *testing.T, serve http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api":
			_, _ = io.WriteString(w, `{"_links": {"release": {"href": "/r"}}}`)
		case "/r":
			_, _ = io.WriteString(w,
				`{"_links": {"logs": {"href": "/l/{name}{?tail,since,instance,follow}", "templated": true}}}`)
		default:
			serve(w, r)
		}
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestReadLogs(t *testing.T) {
	t.Parallel()
	const lines = ": hello\n\ndata: {\"instance\":\"i\",\"text\":\"one\"}\n\ndata: {\"text\":\"two\"}\n\n"
	enough := errors.New("enough")

	for name, tc := range map[string]struct {
		answer string
		saw    error
		texts  []string
		code   skipper.Code
	}{
		"ended":             {answer: lines + "event: ended\ndata: {}\n\n", texts: []string{"one", "two"}},
		"broken off":        {answer: lines, texts: []string{"one", "two"}, code: skipper.CodeUnavailable},
		"an error":          {answer: lines + "event: error\ndata: {\"message\":\"gone\"}\n\n", texts: []string{"one", "two"}, code: skipper.CodeUnavailable},
		"no JSON":           {answer: "data: x\n\n", code: skipper.CodeUnavailable},
		"the caller has it": {answer: lines, saw: enough, texts: []string{"one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked string
			c := logsFrom(t, func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.String()
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, tc.answer)
			})
			var texts []string
			err := c.ReadLogs(t.Context(), "a b", skipper.LogQuery{
				Tail: 3, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Instance: "x&y", Follow: true,
			}, func(l skipper.LogLine) error {
				texts = append(texts, l.Text)
				return tc.saw
			})
			require.Equal(t, "/l/a%20b?follow=true&instance=x%26y&since=2026-01-02T03%3A04%3A05Z&tail=3", asked)
			require.Equal(t, tc.texts, texts)
			if tc.saw != nil {
				require.ErrorIs(t, err, tc.saw)
				return
			}
			if tc.code == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tc.code, skipper.CodeOf(err))
		})
	}
}

func TestReadLogs_OfAServerWithoutThem(t *testing.T) {
	t.Parallel()
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })

	err := c.ReadLogs(t.Context(), "hello", skipper.LogQuery{}, nil)

	require.Equal(t, skipper.CodeUnsupported, skipper.CodeOf(err))
	require.ErrorContains(t, err, "gives logs only whole")
}
