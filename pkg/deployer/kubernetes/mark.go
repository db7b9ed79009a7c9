package kubernetes

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Labels of Skipper (deployers.md 4.2).
const (
	labelApp         = "spring-app-id"
	labelDeployment  = "spring-deployment-id"
	labelGroup       = "spring-group-id"
	labelApplication = "spring-application-name"
	labelRole        = "role"
	role             = "spring-app"
	roleSelector     = labelRole + "=" + role
)

// Annotations of ours.
const (
	annotationOwner   = "io.skiff/owner"     // a mark, as JSON
	annotationService = "io.skiff/service"   // the Service that the version wants, as JSON: for when it gets it back
	annotationHash    = "io.skiff/spec-hash" // of the request
)

// mark says whose an object is. Objects of a Java Skipper have none.
type mark struct {
	Installation string `json:"installation"`
	Account      string `json:"account"`
	Release      string `json:"release"`
	Version      int    `json:"version"`
	App          string `json:"app"`
}

func (d *Deployer) markOf(o deployer.Owner) string {
	text, _ := json.Marshal(mark{d.Installation, d.Account, o.Release, o.Version, o.App}) // texts and a number
	return string(text)
}

// whose reads the mark of an object; false where there is none that can be read.
func whose(o metav1.Object) (deployer.Owner, bool) {
	var m mark
	text := o.GetAnnotations()[annotationOwner]
	if text == "" || json.Unmarshal([]byte(text), &m) != nil {
		return deployer.Owner{}, false
	}
	return deployer.Owner{
		Installation: m.Installation, Account: m.Account, Release: m.Release, Version: m.Version, App: m.App,
	}, true
}

// ours says that an object carries the mark of this account.
func (d *Deployer) ours(o metav1.Object) bool {
	owner, ok := whose(o)
	return ok && owner.Installation == d.Installation && owner.Account == d.Account
}

// belongs says that an object is of the deployment, and ours or without a mark, as one that a Java Skipper made.
func (d *Deployer) belongs(o metav1.Object, id string) bool {
	if o.GetLabels()[labelApp] != id || o.GetLabels()[labelRole] != role {
		return false
	}
	return o.GetAnnotations()[annotationOwner] == "" || d.ours(o)
}
