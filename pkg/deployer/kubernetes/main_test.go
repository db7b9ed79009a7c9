package kubernetes_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/kubernetes"
	"github.com/skiff-project/skiff/pkg/deployer/kubernetes/kubernetestest"
	"github.com/skiff-project/skiff/pkg/resource"
)

const prefix = "spring.cloud.deployer.kubernetes."

var cluster kubernetestest.Cluster

func TestMain(m *testing.M) { goleak.VerifyTestMain(stopping{m}) }

// stopping stops the control plane before goleak looks.
type stopping struct{ m *testing.M }

func (s stopping) Run() int { return cluster.Run(s.m) }

// account makes a deployer on a namespace; it is closed at the end of the test.
func account(t *testing.T, properties map[string]string, wrap func(http.RoundTripper) http.RoundTripper) *kubernetes.Deployer {
	t.Helper()
	d, err := kubernetes.New(kubernetes.Config{
		Account: "test", Installation: "installation-1", Properties: properties, Environ: []string{"HOME=/nowhere"},
		Clock: time.Now, Wrap: wrap,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close(t.Context())) })
	return d
}

// offline is an account whose cluster is never asked.
func offline(t *testing.T, properties map[string]string) *kubernetes.Deployer {
	t.Helper()
	all := map[string]string{"fabric8.master-url": "https://127.0.0.1:1", "namespace": "apps"}
	maps.Copy(all, properties)
	return account(t, all, nil)
}

// request is the one of deployers.md 4.10.
func request() deployer.Request {
	return deployer.Request{
		Owner: deployer.Owner{Installation: "installation-1", Account: "test", Release: "ticktock", Version: 1, App: "log"},
		Name:  "log-v1", Group: "ticktock", Count: 1,
		Properties: map[string]string{"spring.cloud.stream.bindings.input.destination": "ticktock.time"},
		Deployment: map[string]string{deployer.AppNameKey: "log"},
		Resource:   resource.Ref{Location: "docker:springcloudstream/log-sink-rabbit", Version: "3.2.1"},
	}
}
