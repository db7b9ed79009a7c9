package repositorytest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func storeTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Open_KeepsAllThatWasCommitted": func(t *testing.T, b *bundle) {
			ctx := t.Context()
			op := b.leased(t, "log")
			deployment := b.wantDeployment(t, op, "log.log-v1")
			require.NoError(t, b.SetPackageFile(ctx, 1, []byte("zip")))
			b.reserve(t, "host", 20000, "log.log-v1", true)
			release, err := b.Release(ctx, "log", 1)
			require.NoError(t, err)
			installation, err := b.Installation(ctx)
			require.NoError(t, err)

			require.NoError(t, b.Close())
			again := b.open(t)

			got, err := again.Release(ctx, "log", 1)
			require.NoError(t, err)
			requireEqual(t, release, got)
			gotOp, err := again.Operation(ctx, op.ID)
			require.NoError(t, err)
			requireEqual(t, op, gotOp)
			gotDeployment, err := again.Deployment(ctx, "default", "log.log-v1")
			require.NoError(t, err)
			requireEqual(t, deployment, gotDeployment)
			zip, err := again.PackageFile(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, []byte("zip"), zip)
			taken, err := again.ReservePorts(ctx, "host", []int{20000}, "other")
			require.NoError(t, err)
			require.Empty(t, taken)
			gotInstallation, err := again.Installation(ctx)
			require.NoError(t, err)
			require.Equal(t, installation, gotInstallation)
		},
		"Installation_IsAUUIDThatStays": func(t *testing.T, b *bundle) {
			first, err := b.Installation(t.Context())
			require.NoError(t, err)
			require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, first)
			second, err := b.Installation(t.Context())
			require.NoError(t, err)
			require.Equal(t, first, second)
		},
		"Ping": func(t *testing.T, b *bundle) { require.NoError(t, b.Ping(t.Context())) },
		"Close_LaterCallsAreUnavailable": func(t *testing.T, b *bundle) {
			require.NoError(t, b.Close())
			require.NoError(t, b.Close(), "twice is once")
			_, err := b.Release(t.Context(), "log", 1)
			requireCode(t, skipper.CodeUnavailable, err)
			requireCode(t, skipper.CodeUnavailable, b.FreeLeases(t.Context()))
			requireCode(t, skipper.CodeUnavailable, b.Ping(t.Context()))
		},
		"Context_OfACallerWhoGaveUp": func(t *testing.T, b *bundle) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := b.Release(ctx, "log", 1)
			requireCode(t, skipper.CodeCancelled, err)
			require.ErrorIs(t, err, context.Canceled)
			expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			_, _, err = b.EnsureRepository(expired, skipper.Repository{Name: "local"})
			requireCode(t, skipper.CodeTimeout, err)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			_, err = b.RepositoryByName(t.Context(), "local")
			requireCode(t, skipper.CodeNotFound, err)
		},
	}
}
