package kubernetes_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/kubernetes"
	"github.com/skiff-project/skiff/pkg/deployer/kubernetes/kubernetestest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const patience = 30 * time.Second

// place is a namespace and an account on it.
type place struct {
	t         *testing.T
	namespace string
	d         *kubernetes.Deployer
}

func newPlace(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) *place {
	t.Helper()
	namespace := cluster.Namespace(t)
	return &place{t, namespace, account(t, map[string]string{
		"kubeconfig": cluster.Kubeconfig(t), "namespace": namespace,
	}, wrap)}
}

func nothing(deployer.Handle) error { return nil }

func (p *place) deploy(r deployer.Request) deployer.Handle {
	p.t.Helper()
	h, err := p.d.Deploy(p.t.Context(), r, nil, nothing)
	require.NoError(p.t, err)
	return h
}

func (p *place) await(h deployer.Handle, want skipper.DeploymentState) skipper.AppStatus {
	p.t.Helper()
	var last skipper.AppStatus
	require.Eventually(p.t, func() bool {
		all, err := p.d.Status(p.t.Context(), []deployer.Handle{h})
		last = all[h.ID]
		return err == nil && last.State == want
	}, patience, 25*time.Millisecond, "%s does not become %s", h.ID, want)
	return last
}

// version is a request of the same application in another version.
func version(n int) deployer.Request {
	r := request()
	r.Owner.Version, r.Name = n, "log-v"+string(rune('0'+n))
	return r
}

func (p *place) service() *corev1.Service {
	p.t.Helper()
	s, err := cluster.Client(p.t).CoreV1().Services(p.namespace).Get(p.t.Context(), "ticktock-log", metav1.GetOptions{})
	require.NoError(p.t, err)
	return s
}

func TestUndeploy_GivesTheServiceBackToTheVersionThatStays(t *testing.T) {
	t.Parallel()
	p := newPlace(t, nil)
	one, two := version(1), version(2)
	two.Properties["server.port"] = "9090"
	first := p.deploy(one)
	second := p.deploy(two)
	require.Equal(t, "ticktock-log-v2", p.service().Labels["spring-app-id"])
	require.EqualValues(t, 9090, p.service().Spec.Ports[0].Port)

	require.NoError(t, p.d.Undeploy(t.Context(), two.Owner, second))

	require.Equal(t, "ticktock-log-v1", p.service().Labels["spring-app-id"])
	require.Len(t, p.service().Spec.Ports, 1)
	require.EqualValues(t, 8080, p.service().Spec.Ports[0].Port)
	p.await(first, skipper.StateDeployed)
	require.NoError(t, p.d.Undeploy(t.Context(), one.Owner, first))
	_, err := cluster.Client(t).CoreV1().Services(p.namespace).Get(t.Context(), "ticktock-log", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
}

func TestDeploy_LeavesForeignObjectsAlone(t *testing.T) {
	t.Parallel()
	p, client := newPlace(t, nil), cluster.Client(t)
	labels := map[string]string{"app": "theirs"}
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "ticktock-log", Labels: labels},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	_, err := client.CoreV1().Services(p.namespace).Create(t.Context(), foreign, metav1.CreateOptions{})
	require.NoError(t, err)

	_, err = p.d.Deploy(t.Context(), request(), nil, nothing)
	require.ErrorIs(t, err, deployer.ErrExists)

	require.NoError(t, client.CoreV1().Services(p.namespace).Delete(t.Context(), "ticktock-log", metav1.DeleteOptions{}))
	_, err = client.AppsV1().Deployments(p.namespace).Create(t.Context(), workload(labels), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = p.d.Deploy(t.Context(), request(), nil, nothing)
	require.ErrorIs(t, err, deployer.ErrExists)
	require.NoError(t, p.d.Undeploy(t.Context(), request().Owner, deployer.Handle{ID: "ticktock-log-v1"}))
	_, err = client.AppsV1().Deployments(p.namespace).Get(t.Context(), "ticktock-log-v1", metav1.GetOptions{})
	require.NoError(t, err, "it is still there")
	require.NoError(t, client.AppsV1().Deployments(p.namespace).Delete(t.Context(), "ticktock-log-v1", metav1.DeleteOptions{}))
}

// workload is a Deployment of the name that ours would have.
func workload(labels map[string]string) *appsv1.Deployment {
	one := int32(1)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "ticktock-log-v1", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "ticktock-log-v1", Image: "log:1", Env: []corev1.EnvVar{{Name: "SPRING_CLOUD_APPLICATION_GUID", Value: "x"}},
				}}},
			},
		},
	}
}

// What a Java Skipper deployed carries its labels and no mark of ours.
func TestJavaSkippersDeployments_AreSeenScaledReplacedAndRemoved(t *testing.T) {
	t.Parallel()
	p, client := newPlace(t, nil), cluster.Client(t)
	labels := map[string]string{
		"spring-app-id": "ticktock-log-v1", "spring-deployment-id": "ticktock-log-v1", "spring-group-id": "ticktock",
		"spring-application-name": "log", "role": "spring-app",
	}
	_, err := client.AppsV1().Deployments(p.namespace).Create(t.Context(), workload(labels), metav1.CreateOptions{})
	require.NoError(t, err)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "ticktock-log", Labels: labels},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"spring-application-name": "log", "spring-group-id": "ticktock"},
			Ports:    []corev1.ServicePort{{Name: "port-8080", Port: 8080}},
		},
	}
	_, err = client.CoreV1().Services(p.namespace).Create(t.Context(), service, metav1.CreateOptions{})
	require.NoError(t, err)
	h := deployer.Handle{ID: "ticktock-log-v1"}

	before := p.await(h, skipper.StateDeployed)
	_, err = p.d.Scale(t.Context(), request(), h, 2, nothing)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(p.await(h, skipper.StateDeployed).Instances) == 2 }, patience, 25*time.Millisecond)
	for id := range before.Instances {
		require.Contains(t, p.await(h, skipper.StateDeployed).Instances, id, "its pod was not restarted")
	}
	found, err := p.d.Discover(t.Context(), deployer.Owner{Installation: "installation-1"})
	require.NoError(t, err)
	require.Empty(t, found, "an orphan of ours it is not")

	two := p.deploy(version(2))
	require.Equal(t, "ticktock-log-v2", p.service().Labels["spring-app-id"])
	require.NoError(t, p.d.Undeploy(t.Context(), version(2).Owner, two))
	require.Equal(t, "ticktock-log-v1", p.service().Labels["spring-app-id"])
	require.NoError(t, p.d.Undeploy(t.Context(), request().Owner, h))
	p.await(h, skipper.StateUnknown)
}

func TestStatus_SaysWhyPodsAreNotReady(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		change func(r *deployer.Request)
		state  skipper.DeploymentState
		reason string
	}{
		"no image": {playing("refuse"), skipper.StateDeploying, "ImagePullBackOff: Back-off pulling image"},
		"memory":   {playing("oom"), skipper.StateFailed, "OOMKilled"},
		"crash":    {playing("crash"), skipper.StateFailed, "exited with code 3, started 6 times"},
		"no node":  {func(r *deployer.Request) { r.Deployment[prefix+"node-selector"] = "disk: none" }, skipper.StateDeploying, "Unschedulable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newPlace(t, nil), request()
			c.change(&r)
			h := p.deploy(r)

			require.Eventually(t, func() bool {
				for _, i := range p.await(h, c.state).Instances {
					return strings.Contains(i.Attributes[deployer.AttributeReason], c.reason)
				}
				return false
			}, patience, 25*time.Millisecond)

			require.NoError(t, p.d.Undeploy(t.Context(), r.Owner, h))
		})
	}
}

func playing(what string) func(r *deployer.Request) {
	return func(r *deployer.Request) { r.Deployment[prefix+"pod-annotations"] = kubernetestest.Play + ":" + what }
}

// losing loses answers to calls that change something, after their effect.
type losing struct {
	next http.RoundTripper
	left *atomic.Int64
}

func (l losing) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err == nil && r.Method != http.MethodGet && l.left.Add(-1) >= 0 {
		_ = res.Body.Close()
		return nil, errors.New("the connection was lost")
	}
	return res, err
}

func TestLostAnswers_LeaveOneDeploymentAndNothingAfterIt(t *testing.T) {
	t.Parallel()
	left := &atomic.Int64{}
	p := newPlace(t, func(next http.RoundTripper) http.RoundTripper { return losing{next, left} })
	r := request()
	again := func(do func() error) {
		left.Store(2)
		tries := 0
		for err := do(); err != nil; err = do() {
			require.True(t, deployer.Retry(err), "%v", err)
			tries++
			require.Less(t, tries, 10)
		}
		require.Positive(t, tries)
	}
	var h deployer.Handle

	again(func() (err error) {
		h, err = p.d.Deploy(t.Context(), r, nil, nothing)
		return err
	})
	require.Len(t, p.await(h, skipper.StateDeployed).Instances, 1)
	again(func() error { return p.d.Undeploy(t.Context(), r.Owner, h) })

	p.await(h, skipper.StateUnknown)
	services, err := cluster.Client(t).CoreV1().Services(p.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, services.Items)
}

// counting counts calls but watches.
type counting struct {
	next  http.RoundTripper
	calls *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") == "" {
		c.calls.Add(1)
	}
	return c.next.RoundTrip(r)
}

func TestStatus_CostsNoCall(t *testing.T) {
	t.Parallel()
	calls := &atomic.Int64{}
	p := newPlace(t, func(next http.RoundTripper) http.RoundTripper { return counting{next, calls} })
	h := p.deploy(request())
	p.await(h, skipper.StateDeployed)
	before := calls.Load()

	for range 100 {
		p.await(h, skipper.StateDeployed)
	}

	require.Equal(t, before, calls.Load())
	require.NoError(t, p.d.Undeploy(t.Context(), request().Owner, h))
}

// It has a control plane of its own: the other tests need theirs all the time.
func TestWatches_SurviveARestartOfTheAPIServer(t *testing.T) {
	t.Parallel()
	var own kubernetestest.Cluster
	t.Cleanup(own.Close)
	namespace := own.Namespace(t)
	p := &place{t, namespace, account(t, map[string]string{"kubeconfig": own.Kubeconfig(t), "namespace": namespace}, nil)}
	h := p.deploy(request())
	p.await(h, skipper.StateDeployed)

	own.RestartAPIServer(t)

	_, err := p.d.Scale(t.Context(), request(), h, 2, nothing)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(p.await(h, skipper.StateDeployed).Instances) == 2 }, 2*patience, 50*time.Millisecond)
}
