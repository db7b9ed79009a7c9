package local_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// benchAccount is an account whose deployments are gone at the end.
func benchAccount(b *testing.B) (*local.Deployer, string) {
	b.Helper()
	c := config(b.TempDir(), b.Name()+" "+rand.Text())
	require.NoError(b, os.MkdirAll(c.Settings.WorkingDirectoriesRoot, 0o750))
	d, err := local.New(c)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.Close(context.WithoutCancel(b.Context()))) })
	return d, c.Installation
}

func awaitAll(b *testing.B, d *local.Deployer, handles ...deployer.Handle) {
	b.Helper()
	for {
		all, err := d.Status(b.Context(), handles)
		require.NoError(b, err)
		well := 0
		for _, h := range handles {
			if all[h.ID].State == skipper.StateDeployed {
				well++
			}
		}
		if well == len(handles) {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// BenchmarkHealthy is the time from the install of so many applications to the last one listening.
func BenchmarkHealthy(b *testing.B) {
	for _, count := range []int{1, 20, 100} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			d, installation := benchAccount(b)
			for b.Loop() {
				r := request(installation, "log")
				r.Count = count
				h, err := d.Deploy(b.Context(), r, nil, nothing)
				require.NoError(b, err)
				awaitAll(b, d, h)
				b.StopTimer()
				require.NoError(b, d.Undeploy(b.Context(), r.Owner, h))
				b.StartTimer()
			}
		})
	}
}

// BenchmarkStatus1000 is one status of 1,000 processes, of 50 deployments, and what they cost the server in memory and
// threads. It runs with SKIFF_BENCH_IDLE=1000, or as many.
func BenchmarkStatus1000(b *testing.B) {
	count, err := strconv.Atoi(os.Getenv("SKIFF_BENCH_IDLE"))
	if err != nil {
		b.Skip("starts 1,000 processes: set SKIFF_BENCH_IDLE=1000")
	}
	d, installation := benchAccount(b)
	program, err := filepath.Abs("testdata/idle.sh")
	require.NoError(b, err)
	before, threads := own(b, "VmRSS:"), own(b, "Threads:")
	const each = 20
	var handles []deployer.Handle
	for n := range count / each {
		r := request(installation, fmt.Sprint("idle", n))
		r.Resource.Location, r.Resource.Version = "file://"+program, ""
		r.Properties["server.port"], r.Count = "0", each
		h, err := d.Deploy(b.Context(), r, nil, nothing)
		handles = append(handles, h)
		b.Cleanup(func() { require.NoError(b, d.Undeploy(context.WithoutCancel(b.Context()), r.Owner, h)) })
		require.NoError(b, err)
	}
	awaitAll(b, d, handles...)
	for b.Loop() {
		_, err := d.Status(b.Context(), handles)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(own(b, "VmRSS:")-before)/float64(count), "KiB/process")
	b.ReportMetric(float64(own(b, "VmRSS:"))/1024, "MiB-resident")
	b.ReportMetric(float64(own(b, "Threads:")-threads), "more-threads")
}

// own reads a number of this process from /proc/self/status.
func own(b *testing.B, name string) int {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
			require.NoError(b, err)
			return n
		}
	}
	return 0
}
