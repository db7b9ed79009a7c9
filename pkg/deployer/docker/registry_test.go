package docker_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"

	registryUser, registryPassword, registryToken = "robot", "s3cr3t:pass", "t0ken"
)

// registry speaks the part of the registry protocol that a pull needs. It asks for a login by token or, with basic, by
// name and password themselves.
type registry struct {
	*httptest.Server

	basic bool

	mu    sync.Mutex
	blobs map[string][]byte
	tags  map[string]string // digests of manifests by tag
	asked int               // for manifests
}

func newRegistry(t *testing.T, basic bool) *registry {
	t.Helper()
	r := &registry{basic: basic, blobs: map[string][]byte{}, tags: map[string]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) host() string { return strings.TrimPrefix(r.URL, "http://") }

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// push puts an image of one program under a tag and gives its digest.
func (r *registry) push(t *testing.T, tag, program, label string) string {
	t.Helper()
	layer := dockertest.Layer(t, program)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(layer)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/hello"}, "Labels": map[string]string{"is": label}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer)}},
	})
	require.NoError(t, err)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": map[string]any{"mediaType": configType, "size": len(config), "digest": digestOf(config)},
		"layers": []any{map[string]any{"mediaType": layerType, "size": packed.Len(), "digest": digestOf(packed.Bytes())}},
	})
	require.NoError(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, blob := range [][]byte{packed.Bytes(), config, manifest} {
		r.blobs[digestOf(blob)] = blob
	}
	r.tags[tag] = digestOf(manifest)
	return r.tags[tag]
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	user, password, _ := q.BasicAuth()
	known := user == registryUser && password == registryPassword
	fail := func(status int, code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, strings.ToLower(code))
	}
	if q.URL.Path == "/token" {
		if !known {
			fail(http.StatusUnauthorized, "UNAUTHORIZED")
			return
		}
		_, _ = fmt.Fprintf(w, `{"token":%q}`, registryToken)
		return
	}
	if r.basic && !known || !r.basic && q.Header.Get("Authorization") != "Bearer "+registryToken {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		if !r.basic {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+r.URL+`/token",service="registry",scope="repository:acme/hello:pull"`)
		}
		fail(http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	r.serve(w, q, fail)
}

func (r *registry) serve(w http.ResponseWriter, q *http.Request, fail func(int, string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	digest, kind := q.URL.Path[strings.LastIndexByte(q.URL.Path, '/')+1:], "application/octet-stream"
	if strings.Contains(q.URL.Path, "/manifests/") {
		kind = manifestType
		if tagged, ok := r.tags[digest]; ok {
			digest = tagged
		}
		r.asked++
	}
	content, ok := r.blobs[digest]
	switch {
	case q.URL.Path == "/v2/":
		return
	case !ok && kind == manifestType:
		fail(http.StatusNotFound, "MANIFEST_UNKNOWN")
	case !ok:
		fail(http.StatusNotFound, "BLOB_UNKNOWN")
	default:
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content)
	}
}

func (r *registry) image(version string) resource.Ref {
	return resource.Ref{Location: "docker://" + r.host() + "/acme/hello", Version: version}
}

// dockerConfig writes a configuration file as docker login does.
func dockerConfig(t *testing.T, text string) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600))
	return []string{"DOCKER_CONFIG=" + dir, "PATH=" + dir + ":" + os.Getenv("PATH")}
}

func TestPull_WithTheLoginThatIsThere(t *testing.T) {
	t.Parallel()
	engine.Host(t)

	auth := base64.StdEncoding.EncodeToString([]byte(registryUser + ":" + registryPassword))
	for name, prepare := range map[string]func(t *testing.T, a *account, host string){
		"of the account": func(_ *testing.T, a *account, host string) {
			a.config.Engine.Logins = []docker.Login{{Host: host, Username: registryUser, Password: registryPassword}}
		},
		"of docker login": func(t *testing.T, a *account, host string) {
			t.Helper()
			a.config.Environ = dockerConfig(t, fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, auth))
		},
		"of docker login, as an address": func(t *testing.T, a *account, host string) {
			t.Helper()
			a.config.Environ = dockerConfig(t, fmt.Sprintf(`{"auths":{"http://%s/v2/":{"auth":%q}}}`, host, auth))
		},
		"of a helper": func(t *testing.T, a *account, host string) {
			t.Helper()
			a.config.Environ = dockerConfig(t, fmt.Sprintf(`{"credHelpers":{%q:"mine"}}`, host))
			dir, _, _ := strings.Cut(strings.TrimPrefix(a.config.Environ[1], "PATH="), ":")
			script := fmt.Sprintf("#!/bin/sh\nread host\n[ \"$host\" = %s ] || exit 1\n"+
				"echo '{\"Username\":%q,\"Secret\":%q}'\n", host, registryUser, registryPassword)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-mine"), []byte(script), 0o700))
		},
	} {
		for _, basic := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, basic %t", name, basic), func(t *testing.T) {
				t.Parallel()
				a, r := newAccount(t), newRegistry(t, basic)
				digest := r.push(t, "1.0.0", program(t), t.Name())
				prepare(t, a, r.host())
				d, q := a.deployer(), a.request("log")
				q.Resource = r.image("1.0.0")

				h := a.deploy(d, q)
				i := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]

				require.Equal(t, digest, i.Attributes["image.digest"])
				require.Equal(t, r.host()+"/acme/hello:1.0.0", i.Attributes["image"])
				require.Contains(t, string(h.Data), digest)
				require.NotContains(t, string(h.Data), registryPassword)
				require.NotContains(t, fmt.Sprint(a.inspect(h.ID+"-0").Config), registryPassword)
			})
		}
	}
}

func TestPull_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	a, r := newAccount(t), newRegistry(t, false)
	r.push(t, "1.0.0", program(t), t.Name())
	right := []docker.Login{{Host: r.host(), Username: registryUser, Password: registryPassword}}
	closed := newRegistry(t, false)
	closed.Close()
	for name, c := range map[string]struct {
		logins  []docker.Login
		environ []string
		ref     resource.Ref
		want    error
		says    string
	}{
		"no login": {ref: r.image("1.0.0"), want: deployer.ErrDenied, says: "it was asked with no login"},
		"wrong password": {
			logins: []docker.Login{{Host: r.host(), Username: registryUser, Password: "wr0ng"}}, ref: r.image("1.0.0"),
			want: deployer.ErrDenied, says: "it was asked with the login of the account for " + r.host(),
		},
		"login of another registry": {
			logins: []docker.Login{{Host: "other:5000", Username: registryUser, Password: registryPassword}},
			ref:    r.image("1.0.0"), want: deployer.ErrDenied, says: "no login",
		},
		"a helper that fails": {
			environ: dockerConfig(t, `{"credsStore":"missing"}`), ref: r.image("1.0.0"), want: deployer.ErrDenied,
			says: "docker-credential-missing gives none",
		},
		"a configuration that is none": {
			environ: dockerConfig(t, `{"auths":"s3cr3t"`), ref: r.image("1.0.0"), want: deployer.ErrDenied, says: "must be a JSON file",
		},
		"missing tag": {logins: right, ref: r.image("9.9.9"), want: deployer.ErrInvalid, says: "the registry has no such image"},
		"missing digest": {
			logins: right, ref: resource.Ref{Location: "docker:" + r.host() + "/acme/hello@" + digestOf(nil)},
			want: deployer.ErrInvalid, says: "the registry has no such image",
		},
		"a registry that is away": {ref: closed.image("1.0.0"), want: deployer.ErrUnavailable, says: "pull " + closed.host()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := *a
			b.config.Engine.Logins, b.t = c.logins, t
			if c.environ != nil {
				b.config.Environ = c.environ
			}
			q := b.request("log")
			q.Resource = c.ref

			_, err := b.deployer().Deploy(t.Context(), q, nil, func(deployer.Handle) error {
				t.Error("nothing is saved for an image that is not there")
				return nil
			})

			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			for _, secret := range []string{"wr0ng", registryPassword, registryToken, "s3cr3t"} {
				require.NotContains(t, err.Error(), secret)
			}
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestScale_TakesTheImageOfTheDeploymentThoughItsTagHasMoved(t *testing.T) {
	t.Parallel()
	a, r := newAccount(t), newRegistry(t, true)
	a.config.Engine.Logins = []docker.Login{{Host: r.host(), Username: registryUser, Password: registryPassword}}
	a.config.Settings.ImagePullPolicy = "always"
	old := r.push(t, "latest", program(t), "old "+t.Name())
	d, q := a.deployer(), a.request("log")
	q.Resource = r.image("")
	h := a.deploy(d, q)
	await(t, d, h, skipper.StateDeployed)
	first := a.inspect(h.ID + "-0").Image
	moved := r.push(t, "latest", program(t), "new "+t.Name())
	other := a.request("time")
	other.Resource = q.Resource
	second := a.deploy(d, other)
	require.Equal(t, moved, await(t, d, second, skipper.StateDeployed).Instances[second.ID+"-0"].Attributes["image.digest"])

	for _, known := range []deployer.Handle{h, {ID: h.ID, SpecHash: h.SpecHash}} {
		scaled, err := d.Scale(t.Context(), q, known, 2, nothing)
		require.NoError(t, err)
		status := await(t, d, scaled, skipper.StateDeployed)
		require.Equal(t, first, a.inspect(h.ID+"-1").Image)
		require.Equal(t, old, status.Instances[h.ID+"-1"].Attributes["image.digest"])
		_, err = d.Scale(t.Context(), q, known, 1, nothing)
		require.NoError(t, err)
	}

	// What the engine has lost meanwhile is pulled by its digest.
	h, err := d.Scale(t.Context(), q, h, 0, nothing)
	require.NoError(t, err)
	a.removeImage(first)
	h, err = d.Scale(t.Context(), q, h, 1, nothing)
	require.NoError(t, err)
	require.Equal(t, old, await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["image.digest"])
	require.Equal(t, first, a.inspect(h.ID+"-0").Image)
}

func TestPull_OnlyWhenThePolicySaysSo(t *testing.T) {
	t.Parallel()
	a, r := newAccount(t), newRegistry(t, true)
	a.config.Engine.Logins = []docker.Login{{Host: r.host(), Username: registryUser, Password: registryPassword}}
	r.push(t, "1.0.0", program(t), t.Name())
	for n, c := range []struct {
		policy string
		asks   bool
		want   error
	}{
		{"Never", false, deployer.ErrInvalid},
		{"IfNotPresent", true, nil},
		{"if-not-present", false, nil},
		{"never", false, nil},
		{"Always", true, nil},
	} {
		q := a.request(fmt.Sprintf("log%d", n))
		q.Resource, q.Deployment["spring.cloud.deployer.docker.image-pull-policy"] = r.image("1.0.0"), c.policy
		r.mu.Lock()
		before := r.asked
		r.mu.Unlock()

		h, err := a.deployer().Deploy(t.Context(), q, nil, nothing)
		a.undeployInTheEnd(h)

		require.ErrorIs(t, err, c.want, c.policy)
		r.mu.Lock()
		require.Equal(t, c.asks, r.asked > before, c.policy)
		r.mu.Unlock()
	}
}
