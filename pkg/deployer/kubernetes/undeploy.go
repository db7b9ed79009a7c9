package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Undeploy removes the workload, whose pods follow, its claims, and the Service unless another version of the application
// is there: then that one gets the Service back. Skipper deletes the Service of the version that stays.
// What carries the mark of another installation or account is left alone.
func (d *Deployer) Undeploy(ctx context.Context, _ deployer.Owner, h deployer.Handle) error {
	if err := ended(ctx, "undeploy "+h.ID); err != nil {
		return err
	}
	workload, err := d.workload(ctx, h.ID)
	if err != nil {
		return err
	}
	if workload != nil && d.belongs(workload, h.ID) {
		if err := d.deleteWorkload(ctx, workload); err != nil {
			return err
		}
	}
	return errors.Join(d.deleteServices(ctx, h.ID), d.deleteClaims(ctx, h))
}

func (d *Deployer) deleteWorkload(ctx context.Context, o metav1.Object) error {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	uid, background := o.GetUID(), metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &background,
	}
	var err error
	if _, ok := o.(*appsv1.StatefulSet); ok {
		err = d.client.statefulSets.Delete(ctx, o.GetName(), options)
	} else {
		err = d.client.deployments.Delete(ctx, o.GetName(), options)
	}
	return gone("delete "+o.GetName(), err)
}

// gone is the error of a deletion; what is not there, or is another one by now, needs none.
func gone(doing string, err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return changing(doing, err)
}

// deleteServices looks at all Services that point at the deployment.
func (d *Deployer) deleteServices(ctx context.Context, id string) error {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	found, err := d.client.services.List(ctx, metav1.ListOptions{LabelSelector: labelApp + "=" + id})
	if err != nil {
		return fault("list the Services of "+id, err)
	}
	var problems []error
	for _, s := range found.Items {
		if !d.belongs(&s, id) {
			continue
		}
		survivor, err := d.survivor(ctx, &s, id)
		switch {
		case err != nil:
			problems = append(problems, err)
		case survivor != nil:
			problems = append(problems, d.handBack(ctx, &s, survivor))
		default:
			uid := s.UID
			err := d.client.services.Delete(ctx, s.Name, metav1.DeleteOptions{
				Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &s.ResourceVersion},
			})
			if apierrors.IsConflict(err) {
				err = deployer.Errorf(deployer.ErrUnavailable, "Service %s changes; it is looked at again", s.Name)
				problems = append(problems, err)
				continue
			}
			problems = append(problems, gone("delete Service "+s.Name, err))
		}
	}
	return errors.Join(problems...)
}

// survivor is the newest other version that the Service's selector matches; nil when there is none.
func (d *Deployer) survivor(ctx context.Context, s *corev1.Service, id string) (metav1.Object, error) {
	if s.Spec.Selector[labelApp] != "" { // of one version only
		return nil, nil
	}
	var pairs []string
	for key, value := range s.Spec.Selector {
		pairs = append(pairs, key+"="+value)
	}
	options := metav1.ListOptions{LabelSelector: strings.Join(pairs, ",")}
	deployments, err := d.client.deployments.List(ctx, options)
	if err != nil {
		return nil, fault("list the other versions of "+id, err)
	}
	sets, err := d.client.statefulSets.List(ctx, options)
	if err != nil {
		return nil, fault("list the other versions of "+id, err)
	}
	var newest metav1.Object
	consider := func(o metav1.Object) {
		other := o.GetLabels()[labelApp]
		if other == id || o.GetDeletionTimestamp() != nil || !d.belongs(o, other) {
			return
		}
		if newest == nil || newest.GetCreationTimestamp().Time.Before(o.GetCreationTimestamp().Time) {
			newest = o
		}
	}
	for i := range deployments.Items {
		consider(&deployments.Items[i])
	}
	for i := range sets.Items {
		consider(&sets.Items[i])
	}
	return newest, nil
}

// handBack makes the Service that of another version again: as that one wanted it, or, where a Java Skipper deployed it,
// with its labels.
func (d *Deployer) handBack(ctx context.Context, s *corev1.Service, to metav1.Object) error {
	var wanted corev1.Service
	if text := to.GetAnnotations()[annotationService]; text != "" && json.Unmarshal([]byte(text), &wanted) == nil {
		wanted.Name = s.Name
		return d.applyService(ctx, &wanted)
	}
	labels := map[string]string{labelApp: to.GetLabels()[labelApp], labelDeployment: to.GetLabels()[labelDeployment]}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"labels": labels, "resourceVersion": s.ResourceVersion, "annotations": map[string]any{annotationOwner: nil},
	}})
	if err != nil {
		return fmt.Errorf("encode Service %s: %w", s.Name, err)
	}
	_, err = d.client.services.Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	return changing("hand Service "+s.Name+" back", err)
}

// deleteClaims removes the storage of an indexed application, as Skipper does.
func (d *Deployer) deleteClaims(ctx context.Context, h deployer.Handle) error {
	if rec, err := load(h); err == nil && rec != nil && rec.Kind == "Deployment" {
		return nil
	}
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	found, err := d.client.claims.List(ctx, metav1.ListOptions{LabelSelector: labelApp + "=" + h.ID})
	if err != nil {
		return fault("list the volume claims of "+h.ID, err)
	}
	var problems []error
	for _, c := range found.Items {
		if c.DeletionTimestamp == nil && d.belongs(&c, h.ID) {
			uid := c.UID
			err := d.client.claims.Delete(ctx, c.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
			problems = append(problems, gone("delete volume claim "+c.Name, err))
		}
	}
	return errors.Join(problems...)
}
