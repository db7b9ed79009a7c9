package docker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// certificates makes an authority, and a certificate of it for an engine and its clients.
func certificates(t *testing.T) docker.Engine {
	t.Helper()
	dir, now := t.TempDir(), time.Now()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return k
	}
	write := func(name, kind string, content []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
		return file
	}
	authority, own := key(), key()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "engine"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, ca, ca, &authority.PublicKey, authority)
	require.NoError(t, err)
	cert, err := x509.CreateCertificate(rand.Reader, leaf, ca, &own.PublicKey, authority)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(own)
	require.NoError(t, err)
	return docker.Engine{
		CA: write("ca.pem", "CERTIFICATE", signed), Cert: write("cert.pem", "CERTIFICATE", cert),
		Key: write("key.pem", "EC PRIVATE KEY", private),
	}
}

// An engine that is reached by network is on another machine: its ports are published there on all addresses.
func TestEngine_ByNetworkWithTLS(t *testing.T) {
	t.Parallel()
	files, port := certificates(t), strconv.Itoa(freeRange(t, 1))
	own, a := ownEngine(t, "-H", "tcp://127.0.0.1:"+port, "--tlsverify", "--tlscacert", files.CA, "--tlscert", files.Cert,
		"--tlskey", files.Key)
	files.Host = "tcp://127.0.0.1:" + port
	local := a.config.Engine
	a.config.Engine = files
	d, r := a.deployer(), a.request("log")
	h, err := d.Deploy(t.Context(), r, nil, nothing)
	require.NoError(t, err)

	i := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]

	require.Equal(t, "http://127.0.0.1:"+i.Attributes["port"], i.Attributes["url"])
	seen, err := own.Client(t).ContainerInspect(t.Context(), h.ID+"-0", client.ContainerInspectOptions{})
	require.NoError(t, err)
	for _, bindings := range seen.Container.HostConfig.PortBindings {
		require.Equal(t, "0.0.0.0", bindings[0].HostIP.String())
	}
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	a.config.Engine = docker.Engine{Host: files.Host}
	require.ErrorIs(t, a.deployer().Ping(t.Context()), deployer.ErrUnavailable, "without TLS nothing is said")
	a.config.Engine = local
	require.Empty(t, a.containers())
}
