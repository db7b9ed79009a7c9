package operation_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/repository/postgrestest"
)

// BenchmarkInstall tells how many releases a second are installed on a platform that accepts at once: request, durable
// operation, steps, answer.
func BenchmarkInstall(b *testing.B) { onStores(b, benchmarkInstall) }

func benchmarkInstall(b *testing.B, s *server) {
	b.Helper()
	s.upload("one", "1.0.0", "a")
	var n atomic.Int64
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.install(fmt.Sprintf("r%d", n.Add(1)), "one", ""); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "installs/s")
}

// BenchmarkUpgrades tells how long many upgrades take that are asked for at once.
func BenchmarkUpgrades(b *testing.B) { onStores(b, benchmarkUpgrades) }

func benchmarkUpgrades(b *testing.B, s *server) {
	b.Helper()
	s.upload("one", "1.0.0", "a")
	round := 0
	for b.Loop() {
		b.StopTimer()
		const releases = 500
		name := func(i int) string { return fmt.Sprintf("r%d-%d", round, i) }
		round++
		each(releases, func(i int) {
			if _, _, err := s.install(name(i), "one", "a: {x: 1}"); err != nil {
				b.Error(err)
			}
		})
		b.StartTimer()
		each(releases, func(i int) {
			_, op, err := s.upgrade(name(i), "one", "1.0.0", "a: {x: 2}", time.Minute)
			if err != nil {
				b.Error(err)
				return
			}
			s.end(op)
		})
	}
}

// onStores runs a benchmark on SQLite and on a PostgreSQL that waits for the disk.
func onStores(b *testing.B, run func(b *testing.B, s *server)) {
	b.Helper()
	config := short()
	config.DeployTimeout, config.UndoTimeout = 5*time.Minute, time.Minute // as a server has them: only speed is asked
	b.Run("SQLite", func(b *testing.B) {
		s := start(b, b.TempDir(), newFake(b, ""), config)
		b.Cleanup(func() { s.stop() })
		run(b, s)
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		cluster := &postgrestest.Cluster{Durable: true}
		b.Cleanup(func() { require.Zero(b, cluster.Run(nothing{})) })
		url := cluster.Database(b)
		s := start(b, b.TempDir(), newFake(b, ""), config, func(p *parts) { p.url = url })
		b.Cleanup(func() { s.stop() })
		run(b, s)
	})
}

// nothing is a test package without tests: running it just stops a cluster.
type nothing struct{}

func (nothing) Run() int { return 0 }

// each calls f for 0 to n-1, all at once.
func each(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}
