package kubernetestest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// Play is the annotation of a pod that says how it goes; without it, it becomes ready.
//
//	slow          its container is being created for ever
//	crash         its container ends with exit code 3 again and again, and has been started 6 times
//	crash-at=N    the same for the pod of index N only
//	oom           its container was killed for its memory, three times
//	refuse        its image cannot be pulled
const Play = "kubernetestest/play"

// CrashCode is the exit code of containers that crash.
const CrashCode = 3

// LogLine is what each pod that runs writes.
const LogLine = "the container is up"

const nodeName = "played"

// node plays a kubelet.
type node struct {
	client kubernetes.Interface
	server *http.Server
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newNode(ctx context.Context, client kubernetes.Interface) (*node, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &node{client: client, cancel: cancel}
	n.server = &http.Server{Handler: http.HandlerFunc(n.logs), ReadHeaderTimeout: time.Minute}
	n.done.Go(func() { _ = n.server.Serve(l) })
	if err := n.register(ctx, portOf(l)); err != nil {
		n.close()
		return nil, err
	}
	n.done.Go(func() { n.run(running) })
	return n, nil
}

func (n *node) close() {
	n.cancel()
	_ = n.server.Close()
	n.done.Wait()
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: nodeName}, NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// register makes the node ready for pods, and waits until the control plane lets them come.
func (n *node) register(ctx context.Context, port int) error {
	nodes := n.client.CoreV1().Nodes()
	made, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: nodeName, Labels: map[string]string{"kubernetes.io/hostname": nodeName},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("10000"), corev1.ResourceMemory: resource.MustParse("10Ti"),
		corev1.ResourcePods: resource.MustParse("10000"),
	}
	now := metav1.Now()
	made.Status = corev1.NodeStatus{
		Capacity: room, Allocatable: room,
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
	}
	if _, err = nodes.UpdateStatus(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return poll(ctx, func() bool {
		seen, err := nodes.Get(ctx, nodeName, metav1.GetOptions{})
		return err == nil && len(seen.Spec.Taints) == 0
	})
}

// run plays all pods of the node, and says from time to time that it is alive.
func (n *node) run(ctx context.Context) {
	n.done.Go(func() { n.beat(ctx) })
	here := fields.OneTermEqualSelector("spec.nodeName", nodeName).String()
	for ctx.Err() == nil {
		w, err := n.client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{FieldSelector: here})
		if err == nil {
			for e := range w.ResultChan() {
				if pod, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted {
					n.play(ctx, pod)
				}
			}
			w.Stop()
		}
		select {
		case <-ctx.Done():
		case <-time.After(startPoll):
		}
	}
}

// beat keeps the node ready: the control plane takes a silent one for dead after 40 seconds.
func (n *node) beat(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		text, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: metav1.Now(),
		}}}})
		if err == nil {
			_, _ = n.client.CoreV1().Nodes().Patch(ctx, nodeName, types.StrategicMergePatchType, text, metav1.PatchOptions{}, "status")
		}
	}
}

// play brings a pod to where it is to be.
func (n *node) play(ctx context.Context, pod *corev1.Pod) {
	pods := n.client.CoreV1().Pods(pod.Namespace)
	if pod.DeletionTimestamp != nil {
		now := int64(0)
		_ = pods.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		return
	}
	if pod.Status.StartTime != nil {
		return
	}
	pod = pod.DeepCopy()
	now := metav1.Now()
	pod.Status.Phase, pod.Status.StartTime, pod.Status.HostIP = corev1.PodPending, &now, "127.0.0.1"
	kind, index, _ := strings.Cut(pod.Annotations[Play], "=")
	if kind == "crash-at" {
		kind = ""
		if index == pod.Labels["apps.kubernetes.io/pod-index"] {
			kind = "crash"
		}
	}
	status := corev1.ContainerStatus{Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image}
	ready := corev1.ConditionFalse
	switch kind {
	case "slow":
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	case "refuse":
		status.State.Waiting = &corev1.ContainerStateWaiting{
			Reason: "ImagePullBackOff", Message: `Back-off pulling image "` + status.Image + `"`,
		}
	case "crash":
		pod.Status.Phase = corev1.PodRunning
		status.RestartCount = 5
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: CrashCode, Reason: "Error"}
	case "oom":
		pod.Status.Phase = corev1.PodRunning
		status.RestartCount = 3
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	default:
		pod.Status.Phase, pod.Status.PodIP = corev1.PodRunning, "10.244.0.9"
		pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
		started := true
		status.Ready, status.Started = true, &started
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: now}
		ready = corev1.ConditionTrue
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: kind, Status: ready, LastTransitionTime: now,
		})
	}
	_, _ = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}) // a pod that changed meanwhile comes again
}

// logs answers as a kubelet: /containerLogs/NAMESPACE/POD/CONTAINER.
func (n *node) logs(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "containerLogs" {
		http.NotFound(w, r)
		return
	}
	pod, err := n.client.CoreV1().Pods(parts[1]).Get(r.Context(), parts[2], metav1.GetOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	lines := []string{"starting " + parts[3], LogLine}
	if !pod.Status.ContainerStatuses[0].Ready {
		lines = []string{"starting " + parts[3], "it ends"}
	}
	if tail, err := strconv.Atoi(r.URL.Query().Get("tailLines")); err == nil {
		lines = lines[max(0, len(lines)-tail):]
	}
	for _, line := range lines {
		if r.URL.Query().Get("timestamps") == "true" {
			line = pod.Status.StartTime.UTC().Format(time.RFC3339Nano) + " " + line
		}
		_, _ = fmt.Fprintln(w, line) // whoever hung up does not read it
	}
	if r.URL.Query().Get("follow") == "true" {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		<-r.Context().Done()
	}
}
