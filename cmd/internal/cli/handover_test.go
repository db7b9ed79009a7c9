package cli

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
)

// signal is a writer that tells when something was written.
type signal struct {
	text    bytes.Buffer
	written chan struct{}
}

func (s *signal) Write(b []byte) (int, error) {
	defer func() { s.written <- struct{}{} }()
	return s.text.Write(b)
}

func TestHandOver_TellsWhatACommandWaitsFor(t *testing.T) {
	t.Parallel()
	b := setup(t, answers{
		"GET /api": {`{"_links": {"operation": {"href": "{{base}}/api/operations/{id}", "templated": true},
			"operations": {"href": "{{base}}/api/operations{?releaseName,size}", "templated": true}}}`},
		"GET /api/operations?releaseName=hello&size=20": {`{"_embedded": {"operations": [` + operation("running", "INSTALL", "") +
			`]}, "page": {"size": 20, "totalElements": 1, "totalPages": 1, "number": 0}, "_links": {}}`},
		"GET /api/operations/op-7": {`{"id": "op-7", "outcome": "running", "steps": [],
			"waitsFor": "downloads g:a:jar:1.0: 1.0 of 4.0 MB (25 %)", "_links": {}}`},
	})
	said := &signal{written: make(chan struct{}, 10)}
	c := &cli{Deps: b.deps}
	c.Err, c.IsTTY = said, true
	s, err := client.New(b.url)
	require.NoError(t, err)
	defer s.Close()

	err = c.handOver(t.Context(), s, true, "install", "hello", func(context.Context) error {
		select {
		case <-said.written:
			return nil
		case <-time.After(time.Minute):
			return errors.New("nothing was told")
		}
	})

	require.NoError(t, err)
	require.Contains(t, said.text.String(), "0s  install of hello: downloads g:a:jar:1.0: 1.0 of 4.0 MB (25 %)")
}
