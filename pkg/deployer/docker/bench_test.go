package docker_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// BenchmarkDeploy is the time from a request to healthy containers, and of one status of them.
func BenchmarkDeploy(b *testing.B) {
	host := engine.Host(b)
	program := filepath.Join(b.TempDir(), "hello")
	require.NoError(b, dockertest.Build(program, "../../../testdata/apps/hello"))
	engine.Import(b, imageName+":1.0.0", program)
	for _, count := range []int{1, 20} {
		b.Run(fmt.Sprintf("containers=%d", count), func(b *testing.B) {
			c := config(host, b.Name()+rand.Text())
			d, err := docker.New(c)
			require.NoError(b, err)
			defer func() { require.NoError(b, d.Close(b.Context())) }()
			var look, stop time.Duration
			for b.Loop() {
				r := request(c.Installation, "bench", "log")
				r.Count = count
				h, err := d.Deploy(b.Context(), r, nil, nothing)
				require.NoError(b, err)
				status := func() skipper.DeploymentState {
					all, err := d.Status(b.Context(), []deployer.Handle{h})
					require.NoError(b, err)
					return all[h.ID].State
				}
				for status() != skipper.StateDeployed {
					require.NoError(b, b.Context().Err())
				}
				b.StopTimer()
				began := c.Clock()
				require.Equal(b, skipper.StateDeployed, status())
				look += c.Clock().Sub(began)
				began = c.Clock()
				require.NoError(b, d.Undeploy(b.Context(), r.Owner, h))
				stop += c.Clock().Sub(began)
				b.StartTimer()
			}
			b.ReportMetric(float64(look.Milliseconds())/float64(b.N), "status-ms/op")
			b.ReportMetric(float64(stop.Milliseconds())/float64(b.N), "undeploy-ms/op")
		})
	}
}
