package repository_test

import (
	"bytes"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

// BenchmarkBackup backs up and restores 10,000 release versions with their operations. SKIFF_BENCH_DIR, when set, is
// where the store is made and stays, to be looked at from outside.
func BenchmarkBackup(b *testing.B) {
	dir := os.Getenv("SKIFF_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	config := repository.Config{Dir: dir, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)}
	store, err := repository.Open(b.Context(), config)
	require.NoError(b, err)
	local, _, err := store.EnsureRepository(b.Context(), skipper.Repository{Name: "local", Local: true})
	require.NoError(b, err)
	p, err := store.AddPackage(b.Context(), skipper.PackageMetadata{Name: "log", Version: "1", RepositoryID: &local.ID}, nil)
	require.NoError(b, err)
	s := bench{store, p}
	for version := range benchVersions {
		s.version(b, "log", version+1)
	}
	require.NoError(b, store.Close())
	none := func(string, int64) {}
	var out bytes.Buffer
	b.Run("Backup", func(b *testing.B) {
		for b.Loop() {
			out.Reset()
			_, err := repository.Backup(b.Context(), config, memoryFiles{}, "", &out, none)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(out.Len()), "bytes")
	})
	if out.Len() == 0 {
		_, err := repository.Backup(b.Context(), config, memoryFiles{}, "", &out, none)
		require.NoError(b, err)
	}
	b.Run("Restore", func(b *testing.B) {
		for b.Loop() {
			to := config
			to.Dir = b.TempDir()
			_, err := repository.Restore(b.Context(), to, memoryFiles{}, bytes.NewReader(out.Bytes()), none)
			require.NoError(b, err)
		}
	})
}
