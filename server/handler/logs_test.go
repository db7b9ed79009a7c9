package handler_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

func TestLogs_ChosenLines(t *testing.T) {
	t.Parallel()
	b := setup(t)

	w := b.ask(http.MethodGet, "/api/release/logs/one/one.a-v1?tail=5&since=10m&instance=one.a-v1-0", "")

	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"logs":{"one":"chosen"}}`, w.Body.String())
	require.Equal(t, skipper.LogQuery{
		DeploymentID: "one.a-v1", Instance: "one.a-v1-0", Tail: 5, Since: b.now.Add(-10 * time.Minute),
	}, b.releases.query)
	b.ask(http.MethodGet, "/api/release/logs/one?tail=0&since=2026-01-02T03:04:05Z", "")
	require.Equal(t, skipper.LogQuery{Tail: -1, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, b.releases.query)
}

func TestLogs_BadParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)

	for query, sentence := range map[string]string{
		"tail=x": "tail is", "tail=-1": "tail is", "tail=1000001": "tail is", "tail=": "tail is", "since=yesterday": "since is",
		"since=-5m": "since is", "follow=maybe": "follow is",
	} {
		w := b.ask(http.MethodGet, "/api/release/logs/one?"+query, "")
		require.Equal(t, http.StatusBadRequest, w.Code, query)
		require.Contains(t, w.Body.String(), sentence, query)
	}
}

func TestLogs_StreamEndsWhenNothingIsLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b.releases.read = func(_ context.Context, name string, emit func(skipper.LogLine) error) error {
		require.NoError(t, emit(skipper.LogLine{DeploymentID: name, Instance: "i", Stream: "stdout", Text: "up\u2028<&>"}))
		return emit(skipper.LogLine{DeploymentID: name, Stream: "stderr", Time: &at, Text: ""})
	}

	for _, ask := range []*httptest.ResponseRecorder{
		b.ask(http.MethodGet, "/api/release/logs/one?follow=true", ""),
		b.ask(http.MethodGet, "/api/release/logs/one", "", "Accept", "text/event-stream"),
	} {
		require.Equal(t, http.StatusOK, ask.Code)
		require.Equal(t, "text/event-stream", ask.Header().Get("Content-Type"))
		body := ask.Body.String()
		require.Contains(t, body, `data: {"deploymentId":"one","instance":"i","stream":"stdout","text":"up`)
		require.Contains(t, body, `data: {"deploymentId":"one","stream":"stderr","time":"2026-01-02T03:04:05Z","text":""}`)
		require.True(t, strings.HasSuffix(body, "event: ended\ndata: {}\n\n"), body)
	}
}

func TestLogs_AnErrorBeforeTheFirstLineIsNoStream(t *testing.T) {
	t.Parallel()
	b := setupWith(t, func(c *handler.Config) { c.EventPoll = time.Minute })
	b.releases.read = func(context.Context, string, func(skipper.LogLine) error) error {
		return skipper.Errorf(skipper.CodeNotFound, "no such instance")
	}

	w := b.ask(http.MethodGet, "/api/release/logs/one?follow=true&instance=x", "")

	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), "no such instance")
}

func TestLogs_AnErrorLaterIsAnEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.releases.read = func(_ context.Context, _ string, emit func(skipper.LogLine) error) error {
		require.NoError(t, emit(skipper.LogLine{Text: "one"}))
		return errors.New("the disk is gone")
	}

	w := b.ask(http.MethodGet, "/api/release/logs/one?follow", "")

	require.Contains(t, w.Body.String(), "event: error\ndata: {\"message\":")
}

// A client that goes ends the reading, and gives its place back.
func TestLogs_EndWithTheClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ended := make(chan struct{}, 100)
	b.releases.read = func(ctx context.Context, _ string, emit func(skipper.LogLine) error) error {
		defer func() { ended <- struct{}{} }()
		_ = emit(skipper.LogLine{Text: "first"})
		<-ctx.Done()
		return nil
	}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	for range 70 { // more than there are places
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/release/logs/one?follow=true", nil)
		require.NoError(t, err)
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		line, err := bufio.NewReader(answer.Body).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, "first")
		leave()
		<-ended
		require.NoError(t, answer.Body.Close())
	}
}

func TestLogs_TooManyFollowers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	begun := make(chan struct{}, 100)
	b.releases.read = func(ctx context.Context, _ string, _ func(skipper.LogLine) error) error {
		begun <- struct{}{}
		<-ctx.Done()
		return nil
	}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for range 64 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/release/logs/one?follow=true", nil)
		require.NoError(t, err)
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = answer.Body.Close() })
		<-begun
	}

	w := b.ask(http.MethodGet, "/api/release/logs/one?follow=true", "")

	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "64 clients follow logs already")
}
