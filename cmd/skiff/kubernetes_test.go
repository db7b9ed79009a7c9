package main_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer/kubernetes/kubernetestest"
)

// TestKubernetes_AReleaseOfPods goes through the life of a release on a control plane.
func TestKubernetes_AReleaseOfPods(t *testing.T) {
	t.Parallel()
	var cluster kubernetestest.Cluster
	t.Cleanup(cluster.Close)
	namespace, client := cluster.Namespace(t), cluster.Client(t)
	dir, file := dataDir(t), filepath.Join(t.TempDir(), "skiff.yml")
	require.NoError(t, os.WriteFile(file, []byte(`platform.kubernetes.accounts.cluster:
  kubeconfig: `+cluster.Kubeconfig(t)+`
  namespace: `+namespace+`
  limits: {memory: 512Mi}
  environment-variables: [A=1, B=2]
`), 0o600))
	values := func(text string) string {
		path := filepath.Join(t.TempDir(), "values.yml")
		require.NoError(t, os.WriteFile(path, []byte("appBase: docker:acme\n"+text), 0o600))
		return path
	}
	workloads := func() []string {
		found, err := client.AppsV1().Deployments(namespace).List(context.WithoutCancel(t.Context()), metav1.ListOptions{})
		require.NoError(t, err)
		names := []string{}
		for _, d := range found.Items {
			names = append(names, d.Name)
		}
		return names
	}
	start := func() *process { return serveWith(t, dir, 200*time.Millisecond, "--config", file) }
	p := start()
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		p.must("package", "upload", sample("hello-"+v))
	}

	p.must("release", "install", "web", "--package-name", "hello", "--package-version", "1.0.0", "--platform-name", "cluster",
		"--file", values(""), "--wait")
	require.Equal(t, []string{"web-hello-v1"}, workloads())
	made, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web-hello-v1", metav1.GetOptions{})
	require.NoError(t, err)
	container := made.Spec.Template.Spec.Containers[0]
	require.Equal(t, "acme/hello:1.0.0", container.Image)
	require.Equal(t, "512Mi", container.Resources.Limits.Memory().String())
	require.Equal(t, "A", container.Env[0].Name)
	require.Contains(t, p.must("release", "logs", "web"), kubernetestest.LogLine)

	p.kill()
	p = start()
	p.must("release", "upgrade", "web", "--package-name", "hello", "--package-version", "1.1.0", "--file", values(""), "--wait")
	require.Equal(t, []string{"web-hello-v2"}, workloads())

	// An upgrade that fails leaves the version before, and its Service.
	text, code := p.skiff("release", "upgrade", "web", "--package-name", "hello", "--package-version", "1.2.0", "--file",
		values("spec:\n  deploymentProperties:\n    spring.cloud.deployer.kubernetes.pod-annotations: "+
			kubernetestest.Play+":crash\n"), "--wait", "--timeout", "5s")
	require.Equal(t, 1, code)
	require.Contains(t, text, "exited with code 3")
	require.Equal(t, []string{"web-hello-v2"}, workloads())
	service, err := client.CoreV1().Services(namespace).Get(t.Context(), "web-hello", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "web-hello-v2", service.Labels["spring-app-id"])

	p.must("release", "delete", "web")
	require.Empty(t, workloads())
	services, err := client.CoreV1().Services(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, services.Items)
	p.terminate()
}
