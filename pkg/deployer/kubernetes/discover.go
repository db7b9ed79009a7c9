package kubernetes

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Discover lists the workloads that carry our mark. Those of a Java Skipper carry none and are left out.
func (d *Deployer) Discover(ctx context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	if filter.Installation == "" {
		return nil, deployer.Errorf(deployer.ErrInvalid, "discover needs the installation")
	}
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	options := metav1.ListOptions{LabelSelector: roleSelector}
	deployments, err := d.client.deployments.List(ctx, options)
	if err != nil {
		return nil, fault("list the Deployments of namespace "+d.namespace, err)
	}
	sets, err := d.client.statefulSets.List(ctx, options)
	if err != nil {
		return nil, fault("list the StatefulSets of namespace "+d.namespace, err)
	}
	var out []deployer.Found
	consider := func(o metav1.Object) {
		owner, ok := whose(o)
		if ok && d.ours(o) && o.GetDeletionTimestamp() == nil && matches(filter, owner) {
			out = append(out, deployer.Found{
				Owner: owner, ID: o.GetName(), SpecHash: o.GetAnnotations()[annotationHash], Since: o.GetCreationTimestamp().Time,
			})
		}
	}
	for i := range deployments.Items {
		consider(&deployments.Items[i])
	}
	for i := range sets.Items {
		consider(&sets.Items[i])
	}
	slices.SortFunc(out, func(a, b deployer.Found) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func matches(f, o deployer.Owner) bool {
	return f.Installation == o.Installation &&
		(f.Account == "" || f.Account == o.Account) && (f.Release == "" || f.Release == o.Release) &&
		(f.Version == 0 || f.Version == o.Version) && (f.App == "" || f.App == o.App)
}
