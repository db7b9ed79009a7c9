package kubernetes

import (
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"
)

// client has the few kinds of object that a deployer uses. The clientset of client-go would link all kinds there are,
// 12 MB more.
type client struct {
	core, apps *rest.RESTClient
	http       *http.Client

	pods         *gentype.ClientWithList[*corev1.Pod, *corev1.PodList]
	services     *gentype.ClientWithList[*corev1.Service, *corev1.ServiceList]
	events       *gentype.ClientWithList[*corev1.Event, *corev1.EventList]
	claims       *gentype.ClientWithList[*corev1.PersistentVolumeClaim, *corev1.PersistentVolumeClaimList]
	secrets      *gentype.Client[*corev1.Secret]
	deployments  *gentype.ClientWithList[*appsv1.Deployment, *appsv1.DeploymentList]
	statefulSets *gentype.ClientWithList[*appsv1.StatefulSet, *appsv1.StatefulSetList]
}

func newClient(c *rest.Config, namespace string) (client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return client{}, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	codecs, parameters := serializer.NewCodecFactory(scheme), runtime.NewParameterCodec(scheme)
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return client{}, err
	}
	group := func(path string, version schema.GroupVersion) (*rest.RESTClient, error) {
		own := rest.CopyConfig(c)
		own.APIPath, own.GroupVersion = path, &version
		own.NegotiatedSerializer = codecs.WithoutConversion()
		return rest.RESTClientForConfigAndClient(own, h)
	}
	core, err := group("/api", corev1.SchemeGroupVersion)
	if err != nil {
		return client{}, err
	}
	apps, err := group("/apis", appsv1.SchemeGroupVersion)
	if err != nil {
		return client{}, err
	}
	return client{
		core: core, apps: apps, http: h,
		pods: gentype.NewClientWithList("pods", core, parameters, namespace,
			func() *corev1.Pod { return &corev1.Pod{} }, func() *corev1.PodList { return &corev1.PodList{} }),
		services: gentype.NewClientWithList("services", core, parameters, namespace,
			func() *corev1.Service { return &corev1.Service{} }, func() *corev1.ServiceList { return &corev1.ServiceList{} }),
		events: gentype.NewClientWithList("events", core, parameters, namespace,
			func() *corev1.Event { return &corev1.Event{} }, func() *corev1.EventList { return &corev1.EventList{} }),
		claims: gentype.NewClientWithList("persistentvolumeclaims", core, parameters, namespace,
			func() *corev1.PersistentVolumeClaim { return &corev1.PersistentVolumeClaim{} },
			func() *corev1.PersistentVolumeClaimList { return &corev1.PersistentVolumeClaimList{} }),
		secrets: gentype.NewClient("secrets", core, parameters, namespace,
			func() *corev1.Secret { return &corev1.Secret{} }),
		deployments: gentype.NewClientWithList("deployments", apps, parameters, namespace,
			func() *appsv1.Deployment { return &appsv1.Deployment{} },
			func() *appsv1.DeploymentList { return &appsv1.DeploymentList{} }),
		statefulSets: gentype.NewClientWithList("statefulsets", apps, parameters, namespace,
			func() *appsv1.StatefulSet { return &appsv1.StatefulSet{} },
			func() *appsv1.StatefulSetList { return &appsv1.StatefulSetList{} }),
	}, nil
}

func (c client) close() { c.http.CloseIdleConnections() }
