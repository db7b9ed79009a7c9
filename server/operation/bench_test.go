package operation_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkInstall tells how many releases a second are installed on a platform that accepts at once: request, durable
// operation, steps, answer.
func BenchmarkInstall(b *testing.B) {
	s := fresh(b)
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
func BenchmarkUpgrades(b *testing.B) {
	s := fresh(b)
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

// each calls f for 0 to n-1, all at once.
func each(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}
