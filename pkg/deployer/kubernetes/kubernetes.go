// Package kubernetes runs applications on a Kubernetes cluster, in the objects that Skipper 2.11.5 makes: a Deployment (a
// StatefulSet when the application is indexed) per version of an application, and a Service per application. Their names,
// labels and selectors are the compatibility contract (deployers.md 4.2): what a Java Skipper deployed is found, scaled
// and removed under the same id, without a restart of its pods.
//
// What is ours carries an annotation that says whose it is (mark.go). A Deployment is created, never overwritten: an
// object of the same name that is not ours is a conflict. Status comes from watches and costs no call (watch.go).
//
//	d, err := kubernetes.New(kubernetes.Config{Account: "prod", Installation: id, Properties: …, Clock: …})
package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Config is what a deployer needs. All but Environ and Wrap is required.
type Config struct {
	Account      string // name of the platform account
	Installation string // marks of another installation are not ours
	// Properties are those of the account, in any of Spring's spellings: deployment properties without their prefix, for
	// applications that do not have them, and how the cluster is reached (connection.go). Structured values are YAML text.
	Properties map[string]string
	Environ    []string // as os.Environ gives it: KUBECONFIG and KUBERNETES_NAMESPACE
	Clock      func() time.Time
	// Wrap stands between the deployer and the API server; nil: nothing does.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Deployer runs applications in one namespace of a cluster.
type Deployer struct {
	Config

	connection

	client  client
	account values // properties of the account

	mu   sync.Mutex
	view *view // nil until somebody asks for a status
}

var (
	_ deployer.Deployer  = (*Deployer)(nil)
	_ deployer.Actuator  = (*Deployer)(nil)
	_ deployer.LogReader = (*Deployer)(nil)
)

// fieldManager owns the fields that we set, for server-side apply.
const fieldManager = "skiff"

// New makes a deployer, without asking the cluster anything. ErrInvalid names all properties that are wrong.
func New(c Config) (*Deployer, error) {
	account, problems := accountValues(c.Properties)
	to, err := connect(account, c.Environ)
	if err != nil {
		problems = append(problems, err)
	}
	if err := invalid(problems); err != nil {
		return nil, err
	}
	if c.Wrap != nil {
		to.rest.Wrap(c.Wrap)
	}
	made, err := newClient(to.rest, to.namespace)
	if err != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the connection to the cluster cannot be made: %w", err)
	}
	return &Deployer{Config: c, connection: to, client: made, account: account}, nil
}

// Type is kubernetes.
func (d *Deployer) Type() string { return "kubernetes" }

// Describe shows where the account is, in Skipper's words.
func (d *Deployer) Describe() string {
	return fmt.Sprintf("master url = [%s/], namespace = [%s], api version = [v1]",
		strings.TrimRight(d.rest.Host, "/"), d.namespace)
}

// dnsLabel is what the API server takes as the name of a container and as the value of a label.
var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// longestName is that of a label's value; a StatefulSet needs room for a hash.
const (
	longestName     = 63
	longestStateful = 52
)

// ID is group-name with dots as dashes, in lower case, as Skipper names it. ErrInvalid when that is no name for the
// objects of Kubernetes.
func (d *Deployer) ID(r deployer.Request) (string, error) {
	id := r.Name
	if r.Group != "" {
		id = r.Group + "-" + r.Name
	}
	id = objectName(id)
	longest := longestName
	if r.Indexed {
		longest = longestStateful
	}
	if len(id) > longest || !dnsLabel.MatchString(id) {
		return "", deployer.Errorf(deployer.ErrInvalid,
			"deployment id %q cannot name objects of Kubernetes: at most %d letters, digits and dashes; "+
				"use a shorter release or application name", id, longest)
	}
	return id, nil
}

func objectName(name string) string { return strings.ToLower(strings.ReplaceAll(name, ".", "-")) }

// Ping asks whether workloads of the namespace can be listed.
func (d *Deployer) Ping(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	_, err := d.client.deployments.List(ctx, metav1.ListOptions{Limit: 1, LabelSelector: roleSelector})
	return fault("list the deployments of namespace "+d.namespace, err)
}

// Close ends the watches; applications keep running.
func (d *Deployer) Close(context.Context) error {
	d.mu.Lock()
	v := d.view
	d.view = nil
	d.mu.Unlock()
	if v != nil {
		v.close()
	}
	d.client.close()
	return nil
}
