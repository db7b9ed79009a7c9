package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// record is what a handle holds: enough to find the objects again.
type record struct {
	Format    int    `json:"format"` // 1
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"` // Deployment or StatefulSet
	Service   string `json:"service"`
}

// load reads the data of a handle; nil where there are none.
func load(h deployer.Handle) (*record, error) {
	if len(h.Data) == 0 {
		return nil, nil
	}
	var r record
	if err := json.Unmarshal(h.Data, &r); err != nil || r.Format != 1 {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the handle of %s cannot be read; was it saved by a newer skiff?", h.ID)
	}
	return &r, nil
}

// Deploy sees to the workload of a request: what is there and ours is taken over, what is not ours is a conflict.
// The Service comes first, so that it is there when the pods are.
func (d *Deployer) Deploy(ctx context.Context, r deployer.Request, _ *deployer.Handle, save func(deployer.Handle) error,
) (deployer.Handle, error) {
	id, err := d.ID(r)
	if err != nil {
		return deployer.Handle{}, err
	}
	h := deployer.Handle{ID: id, SpecHash: deployer.SpecHash(r)}
	if err := ended(ctx, "deploy "+id); err != nil {
		return h, err
	}
	credentials, err := d.probeCredentials(ctx, r)
	if err != nil {
		return h, err
	}
	o, err := d.build(r, credentials)
	if err != nil {
		return h, err
	}
	if err := d.nameService(ctx, &o, r); err != nil {
		return h, err
	}
	rec := record{Format: 1, Namespace: d.namespace, Kind: "Deployment", Service: o.service.Name}
	if o.statefulSet != nil {
		rec.Kind = "StatefulSet"
	}
	if h.Data, err = json.Marshal(rec); err != nil {
		return h, fmt.Errorf("encode the handle of %s: %w", id, err)
	}
	there, err := d.workload(ctx, id)
	if err != nil {
		return h, err
	}
	if there != nil {
		return h, d.adopt(ctx, there, h, o)
	}
	if err := save(h); err != nil {
		return h, err
	}
	if err := ended(ctx, "deploy "+id); err != nil {
		return h, err
	}
	if err := d.applyService(ctx, o.service); err != nil {
		return h, err
	}
	return h, d.create(ctx, o, h)
}

// adopt takes over what is there, unless it is somebody else's or of another spec.
func (d *Deployer) adopt(ctx context.Context, there metav1.Object, h deployer.Handle, o objects) error {
	switch {
	case there.GetDeletionTimestamp() != nil:
		return deployer.Errorf(deployer.ErrUnavailable, "%s is still being removed", h.ID)
	case !d.ours(there):
		return deployer.Errorf(deployer.ErrExists,
			"%s exists in namespace %s and is not of this installation and account; remove it or use another release name",
			h.ID, d.namespace)
	case there.GetAnnotations()[annotationHash] != h.SpecHash:
		return deployer.Errorf(deployer.ErrExists, "App '%s' is already deployed with other properties", h.ID)
	}
	return d.applyService(ctx, o.service)
}

// create makes the workload. One that came up meanwhile is looked at like one that was there.
func (d *Deployer) create(ctx context.Context, o objects, h deployer.Handle) error {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	var err error
	if o.statefulSet != nil {
		_, err = d.client.statefulSets.Create(ctx, o.statefulSet, metav1.CreateOptions{FieldManager: fieldManager})
	} else {
		_, err = d.client.deployments.Create(ctx, o.deployment, metav1.CreateOptions{FieldManager: fieldManager})
	}
	if apierrors.IsAlreadyExists(err) {
		there, lookErr := d.workload(ctx, o.id)
		if lookErr != nil {
			return lookErr
		}
		if there != nil {
			return d.adopt(ctx, there, h, o)
		}
		return deployer.Errorf(deployer.ErrAmbiguous, "%s exists and is gone again", o.id)
	}
	return changing("create "+o.id, err)
}

// workload is the Deployment or StatefulSet of a name; nil where there is none.
func (d *Deployer) workload(ctx context.Context, id string) (metav1.Object, error) {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	deployment, err := d.client.deployments.Get(ctx, id, metav1.GetOptions{})
	if err == nil {
		return deployment, nil
	} else if !apierrors.IsNotFound(err) {
		return nil, fault("look for "+id, err)
	}
	set, err := d.client.statefulSets.Get(ctx, id, metav1.GetOptions{})
	if err == nil {
		return set, nil
	} else if !apierrors.IsNotFound(err) {
		return nil, fault("look for "+id, err)
	}
	return nil, nil
}

// probeCredentials are in a Secret of the namespace.
func (d *Deployer) probeCredentials(ctx context.Context, r deployer.Request) (string, error) {
	name := d.settings(r).own.text("probe-credentials-secret")
	if name == "" {
		return "", nil
	}
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	secret, err := d.client.secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", deployer.Errorf(deployer.ErrInvalid, "%sprobe-credentials-secret: there is no Secret %q in namespace %s",
			prefix, name, d.namespace)
	} else if err != nil {
		return "", fault("read the Secret of the probes", err)
	}
	data, ok := secret.Data["credentials"]
	if !ok {
		return "", deployer.Errorf(deployer.ErrInvalid, "Secret does not contain a key by the name of credentials")
	}
	return basic(data), nil
}

var versioned = regexp.MustCompile(`^-v\d+$`)

// nameService keeps Services with a version in their name, where old releases of Skipper left such.
func (d *Deployer) nameService(ctx context.Context, o *objects, r deployer.Request) error {
	if o.service.Name == o.id {
		return nil
	}
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	selector := labelApplication + "=" + o.service.Labels[labelApplication]
	if r.Group != "" {
		selector += "," + labelGroup + "=" + r.Group
	}
	found, err := d.client.services.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fault("list the Services of "+o.id, err)
	}
	for _, s := range found.Items {
		if rest, ok := strings.CutPrefix(s.Name, o.service.Name); ok && versioned.MatchString(rest) {
			o.service.Name = o.id
			return nil
		}
	}
	return nil
}

// applyService makes the Service what the version wants, and takes it over from the version before. One that Skipper
// or skiff did not make is a conflict.
func (d *Deployer) applyService(ctx context.Context, wanted *corev1.Service) error {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	there, err := d.client.services.Get(ctx, wanted.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fault("look for Service "+wanted.Name, err)
	}
	if err == nil {
		foreign := there.Labels[labelRole] != role || there.Labels[labelApplication] != wanted.Labels[labelApplication] ||
			there.Labels[labelGroup] != wanted.Labels[labelGroup] ||
			there.Annotations[annotationOwner] != "" && !d.ours(there)
		if foreign {
			return deployer.Errorf(deployer.ErrExists,
				"Service %s exists in namespace %s and is not of this release; remove it or use another release name",
				wanted.Name, d.namespace)
		}
		if there.DeletionTimestamp != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "Service %s is still being removed", wanted.Name)
		}
	}
	text, err := json.Marshal(wanted)
	if err != nil {
		return fmt.Errorf("encode Service %s: %w", wanted.Name, err)
	}
	force := true // fields that a Java Skipper owns become ours
	_, err = d.client.services.Patch(ctx, wanted.Name, types.ApplyPatchType, text,
		metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	return changing("apply Service "+wanted.Name, err)
}

// Scale sets the number of pods; those that are there keep running.
func (d *Deployer) Scale(ctx context.Context, _ deployer.Request, h deployer.Handle, instances int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if instances < 0 {
		return h, deployer.Errorf(deployer.ErrInvalid, "the count is %d; it must not be negative", instances)
	}
	if err := ended(ctx, "scale "+h.ID); err != nil {
		return h, err
	}
	there, err := d.workload(ctx, h.ID)
	if err != nil {
		return h, err
	}
	if there == nil || !d.belongs(there, h.ID) {
		return h, deployer.Errorf(deployer.ErrNotFound, "App '%s' is not deployed", h.ID)
	}
	if err := save(h); err != nil {
		return h, err
	}
	if err := ended(ctx, "scale "+h.ID); err != nil {
		return h, err
	}
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	resource := "deployments"
	if _, ok := there.(*appsv1.StatefulSet); ok {
		resource = "statefulsets"
	}
	replicas := count(instances)
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	err = d.client.apps.Patch(types.MergePatchType).Namespace(d.namespace).Resource(resource).Name(h.ID).
		SubResource("scale").Param("fieldManager", fieldManager).Body(patch).Do(ctx).Error()
	if err != nil {
		return h, changing("scale "+h.ID, err)
	}
	d.scaled(h.ID, replicas)
	return h, nil
}
