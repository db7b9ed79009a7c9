package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// How often a container may be started again before its instance has failed: Skipper's defaults.
const (
	maxErrorRestarts = 2
	maxCrashRestarts = 4
	// maxPulling is how long an image may not be pulled before its instance has failed.
	maxPulling = 2 * time.Minute
)

// Status answers from what is watched. Before a deployment is called unknown, the API server is asked: the watch may be
// behind.
func (d *Deployer) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	if err := ended(ctx, "look at namespace "+d.namespace); err != nil {
		return nil, err
	}
	out := map[string]skipper.AppStatus{}
	if len(handles) == 0 {
		return out, nil
	}
	v, err := d.watched(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range handles {
		status, there := d.look(v, h.ID)
		if !there {
			workload, err := d.workload(ctx, h.ID)
			if err != nil {
				return nil, err
			}
			if workload != nil && d.belongs(workload, h.ID) {
				status = d.aggregate(h.ID, d.instances(v, workload, nil))
			}
		}
		out[h.ID] = status
	}
	return out, nil
}

// look gives the status of a deployment as it was seen last; false when nothing of it was seen.
func (d *Deployer) look(v *view, id string) (skipper.AppStatus, bool) {
	workload := d.seen(v, id)
	var pods []*corev1.Pod
	for _, pod := range of[*corev1.Pod](v.pods, byApp, id) {
		if d.belongs(pod, id) {
			pods = append(pods, pod)
		}
	}
	if workload == nil && len(pods) == 0 {
		return d.aggregate(id, nil), false
	}
	return d.aggregate(id, d.instances(v, workload, pods)), true
}

// seen is the workload of a deployment as it was seen last.
func (d *Deployer) seen(v *view, id string) metav1.Object {
	for _, o := range of[*appsv1.Deployment](v.deployments, byApp, id) {
		if d.belongs(o, id) {
			return o
		}
	}
	for _, o := range of[*appsv1.StatefulSet](v.sets, byApp, id) {
		if d.belongs(o, id) {
			return o
		}
	}
	return nil
}

func (d *Deployer) aggregate(id string, instances map[string]skipper.AppInstanceStatus) skipper.AppStatus {
	if instances == nil {
		instances = map[string]skipper.AppInstanceStatus{}
	}
	return skipper.AppStatus{DeploymentID: id, Instances: instances, State: skipper.Aggregate(instances)}
}

// instances are the pods of a workload, and one that is deploying for each pod that is not there yet.
func (d *Deployer) instances(v *view, workload metav1.Object, pods []*corev1.Pod) map[string]skipper.AppInstanceStatus {
	out := map[string]skipper.AppInstanceStatus{}
	if workload == nil { // removed: what is left of it is on its way out
		for _, pod := range pods {
			i := d.instance(v, pod)
			i.State = skipper.StateUndeployed
			out[i.ID] = i
		}
		return out
	}
	pods = slices.DeleteFunc(pods, func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil })
	id, indexed := workload.GetName(), false
	var wanted int32
	switch w := workload.(type) {
	case *appsv1.Deployment:
		wanted = v.wanted(id, deref(w.Spec.Replicas))
	case *appsv1.StatefulSet:
		wanted, indexed = v.wanted(id, deref(w.Spec.Replicas)), true
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(ordinal(a), ordinal(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			strings.Compare(a.Name, b.Name))
	})
	if int(wanted) < len(pods) { // the rest goes
		pods = pods[:wanted]
	}
	for _, pod := range pods {
		i := d.instance(v, pod)
		out[i.ID] = i
	}
	if workload.GetDeletionTimestamp() != nil {
		return out
	}
	why := missing(workload)
	if why == "" {
		why = v.warning(id)
	}
	for n := 0; len(out) < int(wanted); n++ {
		name := fmt.Sprintf("%s-pending-%d", id, n)
		if indexed {
			name = fmt.Sprintf("%s-%d", id, n)
		}
		if _, there := out[name]; there {
			continue
		}
		attributes := map[string]string{"guid": name}
		if why != "" {
			attributes[deployer.AttributeReason] = why
		}
		out[name] = skipper.AppInstanceStatus{ID: name, State: skipper.StateDeploying, Attributes: attributes}
	}
	return out
}

// ordinal is the index of a StatefulSet's pod; that of others is 0.
func ordinal(p *corev1.Pod) int {
	n, err := strconv.Atoi(p.Labels[appsv1.PodIndexLabel])
	if err != nil {
		return 0
	}
	return n
}

func deref(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// missing says why pods are not made, as for a quota.
func missing(workload metav1.Object) string {
	if o, ok := workload.(*appsv1.Deployment); ok {
		for _, c := range o.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				return oneLine(c.Reason + ": " + c.Message)
			}
		}
	}
	return ""
}

// main is the application's container: the one that is told its guid.
func main(pod *corev1.Pod) corev1.Container {
	for _, c := range pod.Spec.Containers {
		if len(c.Env) > 0 && slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == guidVariable }) {
			return c
		}
	}
	if len(pod.Spec.Containers) == 0 {
		return corev1.Container{}
	}
	return pod.Spec.Containers[0]
}

func (d *Deployer) instance(v *view, pod *corev1.Pod) skipper.AppInstanceStatus {
	container := main(pod)
	var status *corev1.ContainerStatus
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == container.Name {
			status = &pod.Status.ContainerStatuses[i]
		}
	}
	state, why := d.judge(pod, status)
	attributes := d.attributes(v, pod, container, status)
	if state != skipper.StateDeployed && why == "" {
		why = v.warning(pod.Name)
	}
	if state == skipper.StateFailed {
		attributes[deployer.AttributeReason], attributes[deployer.AttributeFinal] = cmp.Or(why, "the pod has failed"), "true"
		if t := terminated(status); t != nil {
			attributes[deployer.AttributeExitCode] = strconv.Itoa(int(t.ExitCode))
		}
	} else if state != skipper.StateDeployed && why != "" {
		attributes[deployer.AttributeReason] = why
	}
	return skipper.AppInstanceStatus{ID: pod.Name, State: state, Attributes: attributes}
}

// judge gives the state of a pod (deployers.md 4.6), and why. A pod that waits for a node or an image is deploying; it is
// unknown to Skipper.
func (d *Deployer) judge(pod *corev1.Pod, status *corev1.ContainerStatus) (skipper.DeploymentState, string) {
	switch pod.Status.Phase {
	case corev1.PodFailed:
		return skipper.StateFailed, cmp.Or(ending(terminated(status)), oneLine(pod.Status.Reason+" "+pod.Status.Message))
	case corev1.PodSucceeded:
		return skipper.StateUndeployed, "it ended by itself"
	case corev1.PodPending, corev1.PodRunning, corev1.PodUnknown: // its container tells more
	}
	if waits := pulling(pod, status); waits != "" {
		if d.Clock().Sub(pod.CreationTimestamp.Time) > maxPulling || strings.HasPrefix(waits, "InvalidImageName") ||
			strings.HasPrefix(waits, "ErrImageNeverPull") {
			return skipper.StateFailed, waits
		}
		return skipper.StateDeploying, waits
	}
	if status == nil {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				return skipper.StateDeploying, oneLine(c.Reason + ": " + c.Message)
			}
		}
		return skipper.StateDeploying, ""
	}
	last, now := status.LastTerminationState.Terminated, status.State.Terminated
	waiting := status.State.Waiting
	switch {
	case status.Ready:
		return skipper.StateDeployed, ""
	case status.RestartCount > maxErrorRestarts && last != nil && slices.Contains([]int32{1, 137, 143}, last.ExitCode),
		status.RestartCount > maxErrorRestarts && last != nil && now != nil && last.ExitCode == now.ExitCode &&
			strings.Contains(last.Reason, "Error") && strings.Contains(now.Reason, "Error"),
		status.RestartCount > maxCrashRestarts && last != nil && waiting != nil &&
			strings.Contains(waiting.Reason, "CrashLoopBackOff"):
		return skipper.StateFailed, fmt.Sprintf("%s, started %d times", ending(cmp.Or(now, last)), status.RestartCount+1)
	case status.RestartCount == 0 && now != nil:
		return skipper.StateUndeployed, ending(now)
	case last != nil || now != nil:
		return skipper.StateDeploying, ending(cmp.Or(now, last))
	case waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing":
		return skipper.StateDeploying, oneLine(waiting.Reason + " " + waiting.Message)
	}
	return skipper.StateDeploying, ""
}

// pulling says why an image, also one of another container, does not come or a container cannot be made.
func pulling(pod *corev1.Pod, status *corev1.ContainerStatus) string {
	all := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	if status != nil {
		all = append([]corev1.ContainerStatus{*status}, all...)
	}
	for _, s := range all {
		if w := s.State.Waiting; w != nil && slices.Contains([]string{
			"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
			"CreateContainerError", "ImageInspectError", "RegistryUnavailable",
		}, w.Reason) {
			return oneLine(w.Reason + ": " + cmp.Or(w.Message, "image "+s.Image))
		}
	}
	return ""
}

// terminated is how the container ended last.
func terminated(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if status == nil {
		return nil
	}
	return cmp.Or(status.State.Terminated, status.LastTerminationState.Terminated)
}

// ending says for people how a container ended.
func ending(t *corev1.ContainerStateTerminated) string {
	switch {
	case t == nil:
		return ""
	case t.Reason == "OOMKilled":
		return "killed for using more memory than its limit (OOMKilled)"
	case t.Message != "":
		return oneLine(fmt.Sprintf("exited with code %d: %s", t.ExitCode, t.Message))
	}
	return fmt.Sprintf("exited with code %d", t.ExitCode)
}

// attributes are those of Skipper.
func (d *Deployer) attributes(v *view, pod *corev1.Pod, c corev1.Container, s *corev1.ContainerStatus) map[string]string {
	out := map[string]string{
		"guid": string(pod.UID), "pod.name": pod.Name, "phase": string(pod.Status.Phase),
		"spring.app.id": pod.Labels[labelApp], "spring.deployment.id": pod.Labels[labelDeployment],
	}
	set := func(name, value string) {
		if value != "" {
			out[name] = value
		}
	}
	if pod.Status.StartTime != nil {
		out["pod.startTime"] = pod.Status.StartTime.UTC().Format(time.RFC3339)
	}
	set("pod.ip", pod.Status.PodIP)
	set("host.ip", pod.Status.HostIP)
	out["actuator.path"], out["actuator.port"] = "/actuator", strconv.Itoa(defaultPort)
	if p := c.LivenessProbe; p != nil && p.HTTPGet != nil {
		out["actuator.path"], out["actuator.port"] = path.Dir(p.HTTPGet.Path), p.HTTPGet.Port.String()
	}
	d.serviceAttributes(v, pod.Labels[labelApp], set)
	if s == nil {
		return out
	}
	out["container.restartCount"] = strconv.Itoa(int(s.RestartCount))
	for name, t := range map[string]*corev1.ContainerStateTerminated{
		"container.lastState": s.LastTerminationState.Terminated, "container.state": s.State.Terminated,
	} {
		if t != nil {
			out[name+".terminated.exitCode"] = strconv.Itoa(int(t.ExitCode))
			set(name+".terminated.reason", t.Reason)
		}
	}
	return out
}

// serviceAttributes tell the Service, and its address outside of the cluster when it has one.
func (d *Deployer) serviceAttributes(v *view, id string, set func(name, value string)) {
	for _, s := range of[*corev1.Service](v.services, byApp, id) {
		if !strings.HasPrefix(id, s.Name) {
			continue
		}
		set("service.name", s.Name)
		if len(s.Status.LoadBalancer.Ingress) == 0 || len(s.Spec.Ports) == 0 {
			continue
		}
		ingress, port := s.Status.LoadBalancer.Ingress[0], strconv.Itoa(int(s.Spec.Ports[0].Port))
		address := cmp.Or(ingress.IP, ingress.Hostname)
		set("service.external.ip", address)
		set("service.external.port", port)
		url := "http://" + address
		if port != "80" {
			url += ":" + port
		}
		set("url", url)
	}
}
