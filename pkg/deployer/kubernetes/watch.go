package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/tools/cache"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	// staleness is how long the status is answered from what was seen last while a watch is broken.
	staleness = time.Minute
	// firstLook is how long a status waits for the first list of everything.
	firstLook = 20 * time.Second

	byApp    = "app"    // index: by the label of the deployment
	byObject = "object" // index of events: by the name of what they are about
)

// view keeps what the cluster has of an account by watching it, so that a status costs no call.
type view struct {
	pods, services, events, deployments, sets cache.SharedIndexInformer

	stop  context.CancelFunc
	done  sync.WaitGroup
	clock func() time.Time

	mu     sync.Mutex
	broken map[string]time.Time // by kind: since when it cannot be watched
	counts map[string]int32     // by deployment: the count that was asked for, until the watch has it
}

// watched gives the view, made at the first call, when it has seen everything once. ErrUnavailable while the cluster
// cannot be watched.
func (d *Deployer) watched(ctx context.Context) (*view, error) {
	d.mu.Lock()
	if d.view == nil {
		d.view = d.watch(context.WithoutCancel(ctx))
	}
	v := d.view
	d.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	synced := cache.WaitForCacheSync(limited.Done(), v.pods.HasSynced, v.services.HasSynced, v.events.HasSynced,
		v.deployments.HasSynced, v.sets.HasSynced)
	if err := ended(ctx, "look at namespace "+d.namespace); err != nil {
		return nil, err
	}
	if !synced {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "namespace %s cannot be watched now", d.namespace)
	}
	if kind, since := v.brokenSince(); kind != "" && d.Clock().Sub(since) > staleness {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "the %s of namespace %s could not be watched since %s",
			kind, d.namespace, since.UTC().Format(time.RFC3339))
	}
	return v, nil
}

func (d *Deployer) watch(parent context.Context) *view {
	ctx, stop := context.WithCancel(parent)
	v := &view{stop: stop, clock: d.Clock, broken: map[string]time.Time{}, counts: map[string]int32{}}
	roles, warnings := metav1.ListOptions{LabelSelector: roleSelector}, metav1.ListOptions{FieldSelector: "type=Warning"}
	apps := cache.Indexers{byApp: func(o any) ([]string, error) {
		if object, ok := o.(metav1.Object); ok {
			return []string{object.GetLabels()[labelApp]}, nil
		}
		return nil, nil
	}}
	v.pods = informer(v, "pods", d.client.pods, roles, &corev1.Pod{}, apps, slimPod)
	v.services = informer(v, "services", d.client.services, roles, &corev1.Service{}, apps, slim)
	v.deployments = informer(v, "deployments", d.client.deployments, roles, &appsv1.Deployment{}, apps, slim)
	v.sets = informer(v, "statefulsets", d.client.statefulSets, roles, &appsv1.StatefulSet{}, apps, slim)
	v.events = informer(v, "events", d.client.events, warnings, &corev1.Event{}, cache.Indexers{
		byObject: func(o any) ([]string, error) {
			if e, ok := o.(*corev1.Event); ok {
				return []string{e.InvolvedObject.Name}, nil
			}
			return nil, nil
		},
	}, slim)
	for _, i := range []cache.SharedIndexInformer{v.pods, v.services, v.events, v.deployments, v.sets} {
		v.done.Go(func() { i.RunWithContext(ctx) })
	}
	return v
}

// informer keeps one kind of object.
func informer[T interface {
	runtime.Object
	metav1.Object
}, L runtime.Object](v *view, kind string, c *gentype.ClientWithList[T, L], which metav1.ListOptions, example T,
	indexers cache.Indexers, transform cache.TransformFunc,
) cache.SharedIndexInformer {
	choose := func(o metav1.ListOptions) metav1.ListOptions {
		o.LabelSelector, o.FieldSelector = which.LabelSelector, which.FieldSelector
		return o
	}
	i := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := c.List(ctx, choose(o))
			v.heard(ctx, kind, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := c.Watch(ctx, choose(o))
			v.heard(ctx, kind, err)
			return w, err
		},
	}, example, 0, indexers)
	_ = i.SetTransform(transform) // only refused once it runs
	return i
}

// heard notes whether a kind can be watched.
func (v *view) heard(ctx context.Context, kind string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		delete(v.broken, kind)
	} else if _, known := v.broken[kind]; !known && ctx.Err() == nil {
		v.broken[kind] = v.clock()
	}
}

func (v *view) brokenSince() (string, time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	kind, first := "", time.Time{}
	for k, since := range v.broken {
		if kind == "" || since.Before(first) {
			kind, first = k, since
		}
	}
	return kind, first
}

func (v *view) close() {
	v.stop()
	v.done.Wait()
}

// scaled notes a count that was asked for: the watch tells it a moment later.
func (d *Deployer) scaled(id string, wanted int32) {
	d.mu.Lock()
	v := d.view
	d.mu.Unlock()
	if v != nil {
		v.mu.Lock()
		v.counts[id] = wanted
		v.mu.Unlock()
	}
}

// wanted is the number of instances of a workload, as it was asked for.
func (v *view) wanted(id string, seen int32) int32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	count, ok := v.counts[id]
	if !ok {
		return seen
	}
	if count == seen {
		delete(v.counts, id)
	}
	return count
}

// slim drops what is not looked at; there may be many thousands.
func slim(o any) (any, error) {
	if object, ok := o.(metav1.Object); ok {
		object.SetManagedFields(nil)
	}
	switch o := o.(type) {
	case *appsv1.Deployment:
		o.Spec.Template = slimTemplate(o.Spec.Template)
	case *appsv1.StatefulSet:
		o.Spec.Template = slimTemplate(o.Spec.Template)
		o.Spec.VolumeClaimTemplates = nil
	}
	return o, nil
}

func slimTemplate(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	var out corev1.PodTemplateSpec
	for _, c := range t.Spec.Containers {
		out.Spec.Containers = append(out.Spec.Containers, slimContainer(c))
	}
	return out
}

func slimPod(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	pod.ManagedFields = nil
	containers := make([]corev1.Container, 0, len(pod.Spec.Containers))
	for _, c := range pod.Spec.Containers {
		containers = append(containers, slimContainer(c))
	}
	pod.Spec = corev1.PodSpec{Containers: containers, NodeName: pod.Spec.NodeName}
	return pod, nil
}

// slimContainer keeps what tells the application's container, and where it answers.
func slimContainer(c corev1.Container) corev1.Container {
	out := corev1.Container{Name: c.Name, LivenessProbe: c.LivenessProbe}
	for _, variable := range c.Env {
		if variable.Name == guidVariable {
			out.Env = []corev1.EnvVar{variable}
		}
	}
	return out
}

// of lists what an index has, as its type.
func of[T any](i cache.SharedIndexInformer, index, key string) []T {
	found, err := i.GetIndexer().ByIndex(index, key)
	if err != nil {
		return nil
	}
	var out []T
	for _, o := range found {
		if typed, ok := o.(T); ok {
			out = append(out, typed)
		}
	}
	return out
}

// warning is what an event says last about an object; empty when there is none.
func (v *view) warning(object string) string {
	var last *corev1.Event
	for _, e := range of[*corev1.Event](v.events, byObject, object) {
		if last == nil || at(last).Before(at(e)) {
			last = e
		}
	}
	if last == nil {
		return ""
	}
	return oneLine(fmt.Sprintf("%s: %s", last.Reason, last.Message))
}

func at(e *corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}

// oneLine is a text for people, in one line of bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return text
}
