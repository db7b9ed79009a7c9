package kubernetes

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Calls a second, and how many at once: the defaults of client-go are for people.
const (
	defaultQPS   = 50
	defaultBurst = 100
)

// defaultTimeout is how long a call may take that is neither a watch nor a log that is followed.
const defaultTimeout = 30 * time.Second

// connection says where an account is.
type connection struct {
	rest      *rest.Config
	namespace string
	timeout   time.Duration
}

// podNamespace is where a pod finds the namespace it is in.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// connect says how the cluster of an account is reached, and in which namespace its applications are. The address is
// that of fabric8.master-url; else what the kubeconfig says (property kubeconfig, KUBECONFIG, ~/.kube/config) in its
// present context or the one named; else, in a pod, the cluster around. Other fabric8 keys are laid over what was found.
func connect(account values, environ []string) (connection, error) {
	variable := func(name string) string {
		for _, entry := range environ {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}
	c, namespace, err := base(account, variable)
	if err != nil {
		return connection{}, err
	}
	for _, named := range []string{
		variable("KUBERNETES_NAMESPACE"), account.text("fabric8.namespace"), account.text("namespace"),
	} {
		if named != "" {
			namespace = named
		}
	}
	if namespace == "" {
		namespace = "default"
	}
	c.UserAgent, c.QPS, c.Burst = "skiff", defaultQPS, defaultBurst
	out := connection{rest: c, namespace: namespace, timeout: defaultTimeout}
	return out, errors.Join(credentials(c, account), out.limit(account))
}

func base(account values, variable func(string) string) (*rest.Config, string, error) {
	master := account.text("fabric8.master-url")
	if master != "" {
		u, err := url.Parse(master)
		if err != nil || u.Host == "" || u.User != nil {
			return nil, "", errors.New("fabric8.master-url must be the address of an API server, as https://10.0.0.1:6443")
		}
		return &rest.Config{Host: strings.TrimRight(master, "/")}, "", nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.Precedence = filepath.SplitList(variable("KUBECONFIG"))
	explicit := account.text("kubeconfig")
	if explicit != "" {
		rules.ExplicitPath = explicit
	} else if len(rules.Precedence) == 0 {
		rules.Precedence = []string{filepath.Join(variable("HOME"), ".kube", "config")}
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: account.text("context")})
	c, err := loader.ClientConfig()
	if err == nil {
		namespace, _, err := loader.Namespace()
		return c, namespace, err
	}
	if explicit != "" || !clientcmd.IsEmptyConfig(err) {
		return nil, "", fmt.Errorf("kubeconfig cannot be used: %w", err)
	}
	if c, err = rest.InClusterConfig(); err != nil {
		return nil, "", errors.New("no cluster is named: set kubeconfig (or the variable KUBECONFIG) or " +
			"fabric8.master-url, or run inside of a cluster")
	}
	namespace, err := os.ReadFile(podNamespace)
	if err != nil {
		return nil, "", fmt.Errorf("read the namespace of this pod: %w", err)
	}
	return c, strings.TrimSpace(string(namespace)), nil
}

// credentials lays the keys of fabric8 over a connection.
func credentials(c *rest.Config, account values) error {
	var problems []error
	data := func(name string, into *[]byte) {
		if text := account.text(name); text != "" {
			decoded, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s must be base64", name))
			}
			*into = decoded
		}
	}
	text := func(name string, into *string) {
		if value := account.text(name); value != "" {
			*into = value
		}
	}
	text("fabric8.oauth-token", &c.BearerToken)
	if account.text("fabric8.oauth-token") != "" {
		c.BearerTokenFile = ""
	}
	text("fabric8.username", &c.Username)
	text("fabric8.password", &c.Password)
	t := &c.TLSClientConfig
	text("fabric8.ca-cert-file", &t.CAFile)
	text("fabric8.client-cert-file", &t.CertFile)
	text("fabric8.client-key-file", &t.KeyFile)
	data("fabric8.ca-cert-data", &t.CAData)
	data("fabric8.client-cert-data", &t.CertData)
	data("fabric8.client-key-data", &t.KeyData)
	if trust, err := account.flag("fabric8.trust-certs"); err != nil {
		problems = append(problems, err)
	} else if trust {
		t.Insecure, t.CAFile, t.CAData = true, "", nil
	}
	for _, name := range []string{"fabric8.https-proxy", "fabric8.http-proxy"} {
		if proxy := account.text(name); proxy != "" {
			u, err := url.Parse(proxy)
			if err != nil || u.Host == "" {
				problems = append(problems, fmt.Errorf("%s must be the address of a proxy", name))
				continue
			}
			c.Proxy = http.ProxyURL(u)
			break
		}
	}
	return errors.Join(problems...)
}

// limit sets how long a call may take, and how many there may be.
func (c *connection) limit(account values) error {
	var problems []error
	number := func(name string, use func(int)) {
		text := account.text(name)
		if text == "" {
			return
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			problems = append(problems, fmt.Errorf("%s must be a number above 0, found %q", name, text))
			return
		}
		use(n)
	}
	number("fabric8.request-timeout", func(n int) { c.timeout = time.Duration(n) * time.Millisecond })
	number("qps", func(n int) { c.rest.QPS = float32(n) })
	number("burst", func(n int) { c.rest.Burst = n })
	return errors.Join(problems...)
}
