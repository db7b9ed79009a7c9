// Package kubernetestest gives tests a real control plane of Kubernetes on loopback, built by make kube (testdata/kubernetes),
// and a node whose pods are played: no container runs.
//
//	var cluster kubernetestest.Cluster // in a test file
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }
//
//	file, namespace := cluster.Kubeconfig(t), cluster.Namespace(t) // in a test
//
// Without the program of make kube the test is skipped; it fails instead when SKIFF_TEST_REQUIRE names kubernetes.
package kubernetestest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Version is that of the control plane: the one of testdata/kubernetes/go.mod.
const Version = "v1.37.2"

const (
	startLimit = 3 * time.Minute // a busy machine takes its time
	startPoll  = 50 * time.Millisecond
	stopGrace  = 5 * time.Second
	token      = "administrator-of-the-tests"
)

var errNoProgram = errors.New("there is no control plane of Kubernetes: run make kube, or name its program in KUBE_BIN")

// Cluster is a control plane that starts with the first test that asks for it. The zero value can be used.
type Cluster struct {
	start sync.Once
	err   error
	plane *plane
	made  atomic.Int64
}

// Run runs the tests of a package, stops the control plane and gives the exit code.
func (c *Cluster) Run(m interface{ Run() int }) int {
	code := m.Run()
	c.Close()
	return code
}

// Close stops the control plane.
func (c *Cluster) Close() {
	if c.plane != nil {
		c.plane.stop()
	}
}

// started gives the control plane, or skips the test.
func (c *Cluster) started(t testing.TB) *plane {
	t.Helper()
	c.start.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		c.plane, c.err = start(ctx)
	})
	if errors.Is(c.err, errNoProgram) && !slices.Contains(strings.Split(os.Getenv("SKIFF_TEST_REQUIRE"), ","), "kubernetes") {
		t.Skip(c.err)
	}
	require.NoError(t, c.err)
	return c.plane
}

// Kubeconfig is a file that leads to the cluster, as its administrator.
func (c *Cluster) Kubeconfig(t testing.TB) string {
	t.Helper()
	return c.started(t).kubeconfig
}

// Client speaks to the cluster as its administrator.
func (c *Cluster) Client(t testing.TB) kubernetes.Interface {
	t.Helper()
	return c.started(t).client
}

// Namespace makes a namespace for one test, which is removed at its end.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	p := c.started(t)
	name := "test-" + strconv.FormatInt(c.made.Add(1), 10)
	_, err := p.client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		require.NoError(t, p.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}))
	})
	return name
}

// RestartAPIServer ends the API server with SIGKILL and starts it again.
func (c *Cluster) RestartAPIServer(t testing.TB) {
	t.Helper()
	p := c.started(t)
	p.kill("kube-apiserver")
	require.NoError(t, p.startAPIServer())
	require.NoError(t, p.ready(t.Context()))
}

// plane is a running control plane; its processes are our children.
type plane struct {
	dir, program, kubeconfig string
	etcd, peer, port         int
	config                   *rest.Config
	client                   kubernetes.Interface
	node                     *node

	mu        sync.Mutex
	processes map[string]*exec.Cmd
}

func program() (string, error) {
	file := os.Getenv("KUBE_BIN")
	if file == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", errNoProgram
		}
		file = filepath.Join(cache, "skiff", "tools", "kube-"+Version, "kube")
	}
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return "", errNoProgram
	}
	return file, nil
}

func start(ctx context.Context) (*plane, error) {
	file, err := program()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "skiff-kube-")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	p := &plane{
		dir: dir, program: file, kubeconfig: filepath.Join(dir, "kubeconfig"), etcd: ports[0], peer: ports[1], port: ports[2],
		processes: map[string]*exec.Cmd{},
	}
	if err := p.up(ctx); err != nil {
		logs := p.logs()
		p.stop()
		return nil, fmt.Errorf("start a control plane: %w\n%s", err, logs)
	}
	return p, nil
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all at the end, so that they differ
		ports = append(ports, portOf(l))
	}
	return ports, nil
}

func portOf(l net.Listener) int {
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0
}

// up brings the parts up one after the other.
func (p *plane) up(ctx context.Context) error {
	if err := p.files(); err != nil {
		return err
	}
	etcd := fmt.Sprintf("http://127.0.0.1:%d", p.etcd)
	peer := fmt.Sprintf("http://127.0.0.1:%d", p.peer)
	err := p.launch("etcd", "--data-dir="+filepath.Join(p.dir, "etcd"), "--listen-client-urls="+etcd,
		"--advertise-client-urls="+etcd, "--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer, "--unsafe-no-fsync", "--log-level=error")
	if err == nil {
		err = p.startAPIServer()
	}
	if err != nil {
		return err
	}
	p.config = &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", p.port), BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: 500, Burst: 1000,
	}
	if p.client, err = kubernetes.NewForConfig(p.config); err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	for _, part := range [][]string{
		{
			"kube-controller-manager", "--service-account-private-key-file=" + filepath.Join(p.dir, "sa.key"),
			"--use-service-account-credentials=false", "--concurrent-deployment-syncs=5", "--kube-api-qps=500",
			"--kube-api-burst=1000",
		},
		{"kube-scheduler", "--kube-api-qps=500", "--kube-api-burst=1000"},
	} {
		err := p.launch(part[0], append(part[1:], "--kubeconfig="+p.kubeconfig, "--leader-elect=false",
			"--bind-address=127.0.0.1", "--secure-port=0")...)
		if err != nil {
			return err
		}
	}
	p.node, err = newNode(ctx, p.client)
	return err
}

// files writes keys, tokens and the kubeconfig.
func (p *plane) files() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	config := api.NewConfig()
	config.Clusters["test"] = &api.Cluster{
		Server: fmt.Sprintf("https://127.0.0.1:%d", p.port), InsecureSkipTLSVerify: true,
	}
	config.AuthInfos["test"] = &api.AuthInfo{Token: token}
	config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return errors.Join(
		os.WriteFile(filepath.Join(p.dir, "sa.key"), private, 0o600),
		os.WriteFile(filepath.Join(p.dir, "sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600),
		os.WriteFile(filepath.Join(p.dir, "tokens.csv"), []byte(token+",admin,admin,system:masters\n"), 0o600),
		clientcmd.WriteToFile(*config, p.kubeconfig),
	)
}

func (p *plane) startAPIServer() error {
	return p.launch("kube-apiserver", fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", p.etcd),
		fmt.Sprintf("--secure-port=%d", p.port), "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", "--cert-dir="+filepath.Join(p.dir, "certs"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+filepath.Join(p.dir, "sa.pub"),
		"--service-account-signing-key-file="+filepath.Join(p.dir, "sa.key"),
		"--token-auth-file="+filepath.Join(p.dir, "tokens.csv"), "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/16", "--disable-admission-plugins=ServiceAccount",
		"--kubelet-preferred-address-types=InternalIP", "--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000")
}

// launch starts a part that ends with us.
func (p *plane) launch(part string, flags ...string) error {
	log, err := os.OpenFile(filepath.Join(p.dir, part+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.Command(p.program, append([]string{part}, flags...)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.mu.Lock()
	p.processes[part] = cmd
	p.mu.Unlock()
	return nil
}

// ready waits for the API server.
func (p *plane) ready(ctx context.Context) error {
	probe := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		Timeout:   5 * time.Second,
	}
	return poll(ctx, func() bool {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.config.Host+"/readyz", nil)
		if err != nil {
			return false
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := probe.Do(r)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func poll(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func (p *plane) kill(part string) {
	p.mu.Lock()
	cmd := p.processes[part]
	delete(p.processes, part)
	p.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func (p *plane) stop() {
	if p.node != nil {
		p.node.close()
	}
	for _, part := range []string{"kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"} {
		p.kill(part)
	}
	_ = os.RemoveAll(p.dir)
}

// logs are the last words of all parts.
func (p *plane) logs() string {
	var out strings.Builder
	for _, part := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		text, err := os.ReadFile(filepath.Join(p.dir, part+".log"))
		if err == nil {
			fmt.Fprintf(&out, "--- %s\n%s\n", part, text[max(0, len(text)-1500):])
		}
	}
	return out.String()
}
