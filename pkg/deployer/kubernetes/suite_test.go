package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/deployer/kubernetes/kubernetestest"
)

func TestKubernetes_KeepsTheContract(t *testing.T) {
	t.Parallel()

	deployertest.Run(t, func(t *testing.T) deployertest.Harness {
		t.Helper()
		return harness(t)
	})
}

// harness is a namespace of its own. Applications are indexed: which pod of a Deployment goes when it is scaled down is
// for Kubernetes to say.
func harness(t *testing.T) deployertest.Harness {
	t.Helper()
	namespace, client := cluster.Namespace(t), cluster.Client(t)
	properties := map[string]string{
		"kubeconfig": cluster.Kubeconfig(t), "namespace": namespace, "entry-point-style": "boot",
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		services, err := client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		require.Empty(t, services.Items, "Services are left")
		claims, err := client.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		require.Empty(t, claims.Items, "claims are left")
	})
	play := func(r *deployer.Request, what string) {
		r.Deployment[prefix+"pod-annotations"] = kubernetestest.Play + ":" + what
	}
	return deployertest.Harness{
		Deployer: account(t, properties, nil),
		Again:    func() deployer.Deployer { return account(t, properties, nil) },
		Request: func(app string) deployer.Request {
			r := request()
			r.Owner.App, r.Name, r.Indexed = app, app+"-v1", true
			r.Deployment = map[string]string{deployer.AppNameKey: app}
			r.Properties = map[string]string{"greeting": "hello"}
			return r
		},
		Slow:     func(r *deployer.Request) { play(r, "slow") },
		Failing:  func(r *deployer.Request) { play(r, "crash") },
		ExitCode: strconv.Itoa(kubernetestest.CrashCode),
		FailingAt: func(r *deployer.Request, index int) {
			play(r, fmt.Sprintf("crash-at=%d", index))
		},
		Seen: func(ctx context.Context, h deployer.Handle) (map[string]string, error) {
			set, err := client.AppsV1().StatefulSets(namespace).Get(ctx, h.ID, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			seen := map[string]string{}
			for _, v := range set.Spec.Template.Spec.Containers[0].Env {
				if v.Name == "SPRING_APPLICATION_JSON" {
					err = json.Unmarshal([]byte(v.Value), &seen)
				}
			}
			return seen, err
		},
		Left: func() ([]string, error) {
			ctx := context.WithoutCancel(t.Context())
			pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, err
			}
			var left []string
			for _, p := range pods.Items {
				if p.DeletionTimestamp == nil {
					left = append(left, p.Name)
				}
			}
			return left, nil
		},
		LogLine: kubernetestest.LogLine,
	}
}
