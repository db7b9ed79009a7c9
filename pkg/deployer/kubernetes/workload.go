package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// objects are all that an application needs on the platform; one of deployment and statefulSet is nil.
type objects struct {
	id          string
	service     *corev1.Service
	deployment  *appsv1.Deployment
	statefulSet *appsv1.StatefulSet
}

// Validate finds everything that can be known to be wrong without asking the cluster.
func (d *Deployer) Validate(_ context.Context, r deployer.Request) error {
	_, err := d.build(r, "")
	return err
}

// build makes the objects of a request. ErrInvalid names everything that is wrong.
func (d *Deployer) build(r deployer.Request, credentials string) (objects, error) {
	s := d.settings(r)
	id, err := d.ID(r)
	if err != nil {
		s.problems = append(s.problems, err)
	}
	image := s.image(r)
	if r.Count < 0 {
		s.problem("%s is %d; it must not be negative", deployer.CountKey, r.Count)
	}
	labels := s.labels(r, id)
	out := objects{id: id, service: s.service(r, id, labels)}
	template := s.template(id, r, image, credentials)
	marks := map[string]string{annotationOwner: d.markOf(r.Owner)}
	template.Annotations = with(template.Annotations, marks)
	template.Labels = with(labels, map[string]string{labelRole: role}, s.deploymentLabels())
	meta := metav1.ObjectMeta{
		Name: id, Namespace: d.namespace, Labels: maps.Clone(template.Labels),
		Annotations: with(marks, map[string]string{annotationHash: deployer.SpecHash(r)}),
	}
	out.service.Annotations = with(out.service.Annotations, marks)
	out.service.Namespace = d.namespace
	wanted, err := json.Marshal(out.service)
	if err != nil {
		return objects{}, fmt.Errorf("encode the service of %s: %w", id, err)
	}
	meta.Annotations[annotationService] = string(wanted)
	replicas := count(r.Count)
	if r.Indexed {
		out.statefulSet = s.statefulSet(id, meta, labels, template, replicas)
	} else {
		out.deployment = &appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: meta,
			Spec: appsv1.DeploymentSpec{
				Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template,
			},
		}
	}
	if err := invalid(s.problems); err != nil {
		return objects{}, err
	}
	return out, nil
}

// with joins maps; later entries win.
func with(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// image is what follows docker:, with the version of the manifest.
func (s *settings) image(r deployer.Request) string {
	if r.Resource.Scheme() != "docker" {
		s.problem("resource %s cannot run on Kubernetes; use the image of a registry, as docker:organisation/name", r.Resource)
		return ""
	}
	image := strings.TrimPrefix(r.Resource.Location[len("docker:"):], "//")
	if v := r.Resource.Version; v != "" && !strings.HasSuffix(image, ":"+v) && !strings.Contains(image, "@") {
		image += ":" + v
	}
	if image == "" || strings.ContainsAny(image, " \t\n") {
		s.problem("resource %s names no image", r.Resource)
	}
	return image
}

// labels are those by which Skipper finds what belongs to a deployment.
func (s *settings) labels(r deployer.Request, id string) map[string]string {
	out := map[string]string{labelApp: id, labelDeployment: id}
	for label, value := range map[string]string{
		labelGroup: r.Group, labelApplication: r.Deployment[deployer.AppNameKey],
	} {
		if value == "" {
			continue
		}
		if len(validation.IsValidLabelValue(value)) > 0 {
			s.problem("%q cannot be a label of Kubernetes: at most 63 letters, digits, dashes, dots and underscores", value)
		}
		out[label] = value
	}
	return out
}

// serviceName is group-application, without version: each version takes the Service over.
func serviceName(r deployer.Request, id string) string {
	app := r.Deployment[deployer.AppNameKey]
	switch {
	case app == "":
		return id
	case r.Group == "":
		return objectName(app)
	}
	return objectName(r.Group + "-" + app)
}

// service is the address of an application (deployers.md 4.3).
func (s *settings) service(r deployer.Request, id string, labels map[string]string) *corev1.Service {
	name := serviceName(r, id)
	if problems := validation.IsDNS1035Label(name); len(problems) > 0 {
		s.problem("%q cannot name a Service of Kubernetes: at most 63 lower case letters, digits and dashes, a letter first",
			name)
	}
	selector := labels
	if name != id {
		selector = map[string]string{labelApplication: labels[labelApplication]}
		if group := labels[labelGroup]; group != "" {
			selector[labelGroup] = group
		}
	}
	out := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: with(labels, map[string]string{labelRole: role})},
		Spec:       corev1.ServiceSpec{Selector: selector, Type: corev1.ServiceTypeClusterIP},
	}
	out.Annotations = s.pairs("service-annotations")
	seen := map[int32]bool{}
	add := func(port int32) {
		if port > 0 && !seen[port] {
			seen[port] = true
			out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
				Name: "port-" + strconv.Itoa(int(port)), Port: port, TargetPort: intstr.FromInt32(port), Protocol: corev1.ProtocolTCP,
			})
		}
	}
	add(s.port(r))
	for _, text := range s.list("service-ports") {
		add(s.portNumber(prefix+"service-ports", text))
	}
	s.exposed(out)
	return out
}

// exposed gives the Service a port of its nodes or a load balancer, where that is asked for.
func (s *settings) exposed(service *corev1.Service) {
	node, balancer := s.own.text("create-node-port"), s.own.text("create-load-balancer")
	if node != "" && balancer != "" {
		s.problem("Cannot create NodePort and LoadBalancer at the same time.")
		return
	}
	switch {
	case node == "" && s.flag("create-load-balancer"):
		service.Spec.Type = corev1.ServiceTypeLoadBalancer
	case node == "" || strings.EqualFold(node, "false"):
	case strings.EqualFold(node, "true"):
		service.Spec.Type = corev1.ServiceTypeNodePort
	default:
		port, err := strconv.ParseUint(node, 10, 16)
		if err != nil || len(service.Spec.Ports) == 0 {
			s.problem("Invalid value: %s: provided port is not valid.", node)
			return
		}
		service.Spec.Type = corev1.ServiceTypeNodePort
		service.Spec.Ports[0].NodePort = int32(port)
	}
}

const claimPrefix = "stateful-set.volume-claim-template."

// statefulSet is an indexed application (deployers.md 4.8). Each pod knows its index by its label, as an environment
// variable; clusters before 1.28 need the init container that writes it to a file.
func (s *settings) statefulSet(id string, meta metav1.ObjectMeta, labels map[string]string,
	template corev1.PodTemplateSpec, replicas int32,
) *appsv1.StatefulSet {
	app := &template.Spec.Containers[0]
	index := &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
		FieldPath: "metadata.labels['" + appsv1.PodIndexLabel + "']",
	}}
	app.Env = append(app.Env, corev1.EnvVar{Name: "INSTANCE_INDEX", ValueFrom: index},
		corev1.EnvVar{Name: "SPRING_APPLICATION_INDEX", ValueFrom: index},
		corev1.EnvVar{Name: "SPRING_CLOUD_STREAM_INSTANCEINDEX", ValueFrom: index})
	claim := s.claim(id, labels)
	selector := with(labels, map[string]string{labelRole: role})
	return &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: meta,
		Spec: appsv1.StatefulSetSpec{
			ServiceName: id, PodManagementPolicy: appsv1.ParallelPodManagement, Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: selector}, Template: template,
			VolumeClaimTemplates: claim,
		},
	}
}

// claim is the storage of each instance. Skipper makes a claim always and mounts it never by itself; ours is there when
// the application mounts a volume of its name or says anything of it.
func (s *settings) claim(id string, labels map[string]string) []corev1.PersistentVolumeClaim {
	name := s.text(claimPrefix + "name")
	class, storage := s.text(claimPrefix+"storage-class-name"), s.text(claimPrefix+"storage")
	mounted := name != "" || class != "" || storage != ""
	if name == "" {
		name = id
	}
	for _, m := range s.mounts() {
		mounted = mounted || m.Name == name
	}
	if !mounted {
		return nil
	}
	if storage == "" {
		storage = "10m"
	}
	if digits := regexp.MustCompile(`(?i)^(\d+)([mg]?)$`).FindStringSubmatch(storage); digits != nil {
		n, err := deployer.Megabytes(storage)
		if err != nil {
			s.problem("%s%sstorage: %w", prefix, claimPrefix, err)
		}
		storage = fmt.Sprintf("%dMi", n)
	}
	size, err := resource.ParseQuantity(storage)
	if err != nil {
		s.problem("%s%sstorage: %q is no quantity; one is 10m or 1Gi", prefix, claimPrefix, storage)
	}
	out := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: with(labels, map[string]string{labelRole: role})},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: size}, Limits: corev1.ResourceList{corev1.ResourceStorage: size},
			},
		},
	}
	if class != "" {
		out.Spec.StorageClassName = &class
	}
	return []corev1.PersistentVolumeClaim{out}
}
