package release_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestLogsOf_HasSkippersFrames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")

	logs, err := b.LogsOf(t.Context(), "r", skipper.LogQuery{Tail: 1})

	require.NoError(t, err)
	const text = "stderr:\n2\nstdout:\n2\n"
	require.Equal(t, map[string]string{"r.ping": text, "r.pong": text}, logs.Logs)
	logs, err = b.LogsOf(t.Context(), "r", skipper.LogQuery{})
	require.NoError(t, err)
	require.Equal(t, "stderr:\n2\nstdout:\n2\n", logs.Logs["r.ping"], "no more bytes of each than Logs gives")
	b.delete()
	logs, err = b.LogsOf(t.Context(), "r", skipper.LogQuery{Tail: 1})
	require.NoError(t, err)
	require.Empty(t, logs.Logs)
	_, err = b.LogsOf(t.Context(), "nope", skipper.LogQuery{Tail: 1})
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err))
}
