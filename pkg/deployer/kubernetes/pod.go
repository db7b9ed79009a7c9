package kubernetes

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	portProperty = "server.port"
	defaultPort  = 8080
)

// template is the pod of an application (deployers.md 4.4). credentials are those of its probes.
func (s *settings) template(id string, r deployer.Request, image, credentials string) corev1.PodTemplateSpec {
	s.checkRestartPolicy()
	port := s.port(r)
	args, env := s.told(r)
	probes := s.probes(port, credentials)
	c := corev1.Container{
		Name: id, Image: image, ImagePullPolicy: s.pullPolicy(), Command: words(s.text("container-command")), Args: args,
		Env: env, EnvFrom: s.envFrom(), Resources: s.resources(r), VolumeMounts: s.mounts(), Lifecycle: s.lifecycle(),
		StartupProbe: probes[0], ReadinessProbe: probes[1], LivenessProbe: probes[2],
	}
	hostNetwork := s.flag("host-network")
	for _, p := range s.ports(port, probes) {
		containerPort := corev1.ContainerPort{ContainerPort: p}
		if hostNetwork {
			containerPort.HostPort = p
		}
		c.Ports = append(c.Ports, containerPort)
	}
	own := s.containerSecurity()
	c.SecurityContext = own
	spec := corev1.PodSpec{
		Containers: append([]corev1.Container{c}, s.additional()...), InitContainers: s.initContainers(),
		HostNetwork: hostNetwork, RestartPolicy: corev1.RestartPolicyAlways, ServiceAccountName: s.text("deployment-service-account-name"),
		NodeSelector: s.nodeSelector(), Tolerations: s.tolerations(), Affinity: s.affinity(),
		SecurityContext: s.podSecurity(), ImagePullSecrets: s.pullSecrets(),
		TerminationGracePeriodSeconds: s.number("termination-grace-period-seconds"),
		PriorityClassName:             s.text("priority-class-name"),
	}
	if s.text("share-process-namespace") != "" {
		share := s.flag("share-process-namespace")
		spec.ShareProcessNamespace = &share
	}
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			if containers[i].SecurityContext == nil {
				containers[i].SecurityContext = own
			}
		}
	}
	spec.Volumes = s.volumes(spec.Containers)
	out := corev1.PodTemplateSpec{Spec: spec}
	out.Annotations = s.pairs("pod-annotations")
	return out
}

// port is where the application listens.
func (s *settings) port(r deployer.Request) int32 {
	text := strings.TrimSpace(r.Properties[portProperty])
	if text == "" {
		return defaultPort
	}
	return s.portNumber(portProperty, text)
}

func (s *settings) portNumber(name, text string) int32 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil || n == 0 {
		s.problem("%s must be a port number, found %q", name, text)
	}
	return int32(n)
}

// ports are those of the application, of the property container-ports and of its probes, each once.
func (s *settings) ports(port int32, probes [3]*corev1.Probe) []int32 {
	out := []int32{port}
	for _, text := range s.list("container-ports") {
		out = append(out, s.portNumber(prefix+"container-ports", text))
	}
	for _, p := range probes {
		if p != nil && p.HTTPGet != nil {
			out = append(out, p.HTTPGet.Port.IntVal)
		} else if p != nil && p.TCPSocket != nil {
			out = append(out, p.TCPSocket.Port.IntVal)
		}
	}
	var unique []int32
	for _, p := range out {
		if p > 0 && !slices.Contains(unique, p) {
			unique = append(unique, p)
		}
	}
	return unique
}

// pullPolicy is IfNotPresent unless something that can be read is said.
func (s *settings) pullPolicy() corev1.PullPolicy {
	for _, policy := range []corev1.PullPolicy{corev1.PullAlways, corev1.PullNever} {
		if canonical(s.text("image-pull-policy")) == strings.ToLower(string(policy)) {
			return policy
		}
	}
	return corev1.PullIfNotPresent
}

// checkRestartPolicy refuses what Kubernetes does not take for an application that keeps running.
func (s *settings) checkRestartPolicy() {
	if text := s.text("restart-policy"); text != "" && canonical(text) != "always" {
		s.problem("%srestart-policy must be Always for an application that keeps running, found %q", prefix, text)
	}
}

func (s *settings) pullSecrets() []corev1.LocalObjectReference {
	var out []corev1.LocalObjectReference
	for _, name := range append(items(s.text("image-pull-secret")), s.list("image-pull-secrets")...) {
		out = append(out, corev1.LocalObjectReference{Name: name})
	}
	return out
}

// resources are limits and requests. The properties that all platforms share, memory and cpu, count where the application
// says nothing of limits for Kubernetes; Skipper does not look at them.
func (s *settings) resources(r deployer.Request) corev1.ResourceRequirements {
	out := corev1.ResourceRequirements{Limits: corev1.ResourceList{}, Requests: corev1.ResourceList{}}
	shared := map[string]string{
		"memory": r.Deployment[deployer.MemoryKey], "cpu": r.Deployment[deployer.PropertyPrefix+"cpu"],
	}
	for _, name := range []string{"memory", "cpu", "ephemeral-storage", "hugepages-2Mi", "hugepages-1Gi"} {
		if text := s.text("limits." + name); text != "" {
			s.quantity(out.Limits, corev1.ResourceName(name), text)
		} else if text := shared[name]; text != "" {
			s.quantity(out.Limits, corev1.ResourceName(name), s.sharedSize(name, text))
		}
		if text := s.text("requests." + name); text != "" {
			s.quantity(out.Requests, corev1.ResourceName(name), text)
		}
	}
	vendor, count := s.text("limits.gpu-vendor"), s.text("limits.gpu-count")
	if vendor != "" && count != "" {
		s.quantity(out.Limits, corev1.ResourceName(vendor+"/gpu"), count)
	}
	return out
}

func (s *settings) sharedSize(name, text string) string {
	if name != "memory" {
		return text
	}
	n, err := deployer.Megabytes(text)
	if err != nil {
		s.problem("%s: %w", deployer.MemoryKey, err)
	}
	return fmt.Sprintf("%dMi", n)
}

func (s *settings) quantity(into corev1.ResourceList, name corev1.ResourceName, text string) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		s.problem("%s is no quantity of %s; one is 500m or 512Mi", text, name)
		return
	}
	into[name] = q
}

// merged are the items of the application, and those of the account with other names.
func merged[T any](s *settings, name string, key func(T) string) []T {
	out := listOf[T](s, s.own, name)
	for _, item := range listOf[T](s, s.account, name) {
		if !slices.ContainsFunc(out, func(o T) bool { return key(o) == key(item) }) {
			out = append(out, item)
		}
	}
	return out
}

func (s *settings) mounts() []corev1.VolumeMount {
	return merged(s, "volume-mounts", func(m corev1.VolumeMount) string { return m.Name })
}

// volumes are those that a container mounts; Skipper leaves the others out.
func (s *settings) volumes(containers []corev1.Container) []corev1.Volume {
	all := merged(s, "volumes", func(v corev1.Volume) string { return v.Name })
	return slices.DeleteFunc(all, func(v corev1.Volume) bool {
		return !slices.ContainsFunc(containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
		})
	})
}

// lifecycle runs commands after the start and before the stop.
func (s *settings) lifecycle() *corev1.Lifecycle {
	handler := func(name string) *corev1.LifecycleHandler {
		text := s.text("lifecycle." + name + ".exec.command")
		if text == "" {
			return nil
		}
		var command []string
		for word := range strings.SplitSeq(text, ",") {
			command = append(command, strings.TrimSpace(word))
		}
		return &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: command}}
	}
	out := corev1.Lifecycle{PostStart: handler("post-start"), PreStop: handler("pre-stop")}
	if out.PostStart == nil && out.PreStop == nil {
		return nil
	}
	return &out
}

// whole reads a structure given as YAML, or field by field; the application's replaces the account's.
func whole[T any](s *settings, name string) *T {
	for _, from := range []values{s.own, s.account} {
		if one, ok := structured[T](s, from, name); ok {
			return &one
		}
		if fields := from.below(name); len(fields) > 0 {
			one := dotted[T](s, fields, name)
			return &one
		}
	}
	return nil
}

func (s *settings) podSecurity() *corev1.PodSecurityContext {
	return whole[corev1.PodSecurityContext](s, "pod-security-context")
}

func (s *settings) containerSecurity() *corev1.SecurityContext {
	return whole[corev1.SecurityContext](s, "container-security-context")
}

// nodeSelector is k: v,k2: v2; the application's replaces the account's.
func (s *settings) nodeSelector() map[string]string {
	text := s.text("node-selector")
	if text == "" {
		return nil
	}
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, ":")
		if !ok {
			s.problem("Invalid nodeSelector value: '%s'", pair)
			return nil
		}
		out[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return out
}

func (s *settings) tolerations() []corev1.Toleration {
	return merged(s, "tolerations", func(t corev1.Toleration) string { return t.Key })
}

// affinity is set part by part; each part of the application replaces that of the account.
func (s *settings) affinity() *corev1.Affinity {
	out := corev1.Affinity{
		NodeAffinity:    part[corev1.NodeAffinity](s, "node-affinity"),
		PodAffinity:     part[corev1.PodAffinity](s, "pod-affinity"),
		PodAntiAffinity: part[corev1.PodAntiAffinity](s, "pod-anti-affinity"),
	}
	if out == (corev1.Affinity{}) {
		return nil
	}
	return &out
}

func part[T any](s *settings, name string) *T {
	if one, ok := structured[T](s, s.own, "affinity."+name); ok {
		return &one
	}
	return whole[T](s, name)
}

// initContainer has the fields that Skipper takes.
type initContainer struct {
	ContainerName        string               `json:"containerName"`
	ImageName            string               `json:"imageName"`
	Commands             []string             `json:"commands"`
	Args                 []string             `json:"args"`
	EnvironmentVariables []string             `json:"environmentVariables"`
	VolumeMounts         []corev1.VolumeMount `json:"volumeMounts"`
}

func (s *settings) initContainers() []corev1.Container {
	var all []initContainer
	for _, from := range []values{s.own, s.account} {
		var found []initContainer
		if one, ok := structured[initContainer](s, from, "init-container"); ok {
			found = append(found, one)
		} else if fields := from.below("init-container"); len(fields) > 0 {
			found = append(found, dotted[initContainer](s, fields, "init-container"))
		}
		for _, c := range append(found, listOf[initContainer](s, from, "init-containers")...) {
			if !slices.ContainsFunc(all, func(o initContainer) bool { return o.ContainerName == c.ContainerName }) {
				all = append(all, c)
			}
		}
	}
	var out []corev1.Container
	for _, c := range all {
		if c.ContainerName == "" || c.ImageName == "" {
			s.problem("%sinit-container: containerName and imageName are due", prefix)
			continue
		}
		made := corev1.Container{
			Name: c.ContainerName, Image: c.ImageName, Command: c.Commands, Args: c.Args, VolumeMounts: c.VolumeMounts,
			ImagePullPolicy: s.pullPolicy(),
		}
		for _, variable := range c.EnvironmentVariables {
			name, value, _ := strings.Cut(variable, "=")
			made.Env = append(made.Env, corev1.EnvVar{Name: strings.TrimSpace(name), Value: value})
		}
		out = append(out, made)
	}
	return out
}

func (s *settings) additional() []corev1.Container {
	return merged(s, "additional-containers", func(c corev1.Container) string { return c.Name })
}

var quotedText = regexp.MustCompile(`"[^"]*"`)

// pairs reads k:v,k2:v2; the first colon splits, and commas in double quotes are kept. The application's replaces the
// account's.
func (s *settings) pairs(name string) map[string]string {
	return s.pairsOf(name, s.text(name))
}

func (s *settings) pairsOf(name, text string) map[string]string {
	if text == "" {
		return nil
	}
	const comma = "\x00"
	kept := quotedText.ReplaceAllStringFunc(text, func(q string) string { return strings.ReplaceAll(q, ",", comma) })
	out := map[string]string{}
	for pair := range strings.SplitSeq(kept, ",") {
		key, value, ok := strings.Cut(pair, ":")
		if !ok {
			s.problem("%s%s: %q is no key:value", prefix, name, pair)
			continue
		}
		out[strings.TrimSpace(key)] = strings.Trim(strings.ReplaceAll(strings.TrimSpace(value), comma, ","), `"`)
	}
	return out
}

// deploymentLabels are those of the account and over them those of the application.
func (s *settings) deploymentLabels() map[string]string {
	out := map[string]string{}
	for _, from := range []values{s.account, s.own} {
		maps.Copy(out, s.pairsOf("deployment-labels", from.text("deployment-labels")))
	}
	return out
}

// count is a number of instances as Kubernetes takes it.
func count(n int) int32 { return int32(max(0, min(n, math.MaxInt32))) }
