package survival

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// platform is where the applications of a test run, seen without the server.
type platform struct {
	name    string
	account string
	file    string // of the scripted platform
	faults  string // instruction that makes the platform, for FAULTS
	// running gives the number of instances of each deployment.
	running func(t *testing.T) map[string]int

	packages []skipper.UploadRequest
	good     [3]target // version 1 and two that replace one application of it
	never    target    // never becomes healthy
	mended   target    // healthy also after never, whose values it would have otherwise
	clinging target    // can be removed only at the sixth try
	stubborn target    // an install of it goes on until it is cancelled; no package: there is none
	apps     []string  // of version 1
	scaled   string    // the application that is scaled
	newer    []byte    // version 2.0.0 of the first package
}

// target is what is installed.
type target struct{ pkg, version, values string }

func fakeIn(file string) *deployertest.Fake {
	return deployertest.NewFake(deployertest.FakeConfig{Account: "fake", File: file, Clock: time.Now})
}

// gone waits until nothing runs, or the server is dead. It is for those who have no test at hand.
func (p *platform) gone(dead <-chan struct{}) {
	wait(patience, func() bool {
		l, err := fakeIn(p.file).Ledger()
		select {
		case <-dead:
			return true
		default:
			return err == nil && len(l.Deployments) == 0
		}
	})
}

// fakePlatform is the scripted platform in a file of a folder.
func fakePlatform(t *testing.T, dir string) *platform {
	t.Helper()
	file := filepath.Join(dir, "platform.json")
	pair := func(values string) target { return target{"pair", "1.0.0", values} }
	return &platform{
		name: "fake", account: "fake", file: file, faults: "fake:fake=" + file,
		packages: []skipper.UploadRequest{scripted(t, "pair", "1.0.0", "a", "b"), scripted(t, "other", "1.0.0", "a")},
		good:     [3]target{pair(""), pair("b: {x: 2}"), pair("b: {x: 3}")},
		never:    pair("b: {fake.healthy-after: never}"),
		mended:   pair("b: {x: 2, fake.healthy-after: 0s}"),
		clinging: pair("a: {fake.undeploy-errors: 5}"),
		stubborn: pair("b: {fake.deploy-error: unavailable}"),
		apps:     []string{"a", "b"}, scaled: "a", newer: scripted(t, "pair", "2.0.0", "a", "b").PackageFileAsBytes,
		running: func(t *testing.T) map[string]int {
			t.Helper()
			l, err := fakeIn(file).Ledger()
			require.NoError(t, err)
			require.Empty(t, l.Violations)
			out := map[string]int{}
			for id, d := range l.Deployments {
				out[id] = d.Count
			}
			return out
		},
	}
}

// scripted is a package whose templates are applications; values script each of them.
func scripted(t *testing.T, name, version string, apps ...string) skipper.UploadRequest {
	t.Helper()
	files := map[string]string{
		"package.yml": "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: " + name + "\nversion: " + version +
			"\n",
	}
	for _, app := range apps {
		files["templates/"+app+".yml"] = strings.NewReplacer("APP", app, "VERSION", version).Replace(
			`apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata:
  name: APP
spec:
  resource: file:///app
  version: VERSION
  applicationProperties:
    {{#APP.entrySet}}
    {{key}}: "{{{value}}}"
    {{/APP.entrySet}}
`)
	}
	dir := filepath.Join(t.TempDir(), name+"-"+version)
	for file, text := range files {
		path := filepath.Join(dir, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return uploadOf(t, name, version, dir)
}

func uploadOf(t *testing.T, name, version, dir string) skipper.UploadRequest {
	t.Helper()
	zip, err := archive.Write(dir)
	require.NoError(t, err)
	return skipper.UploadRequest{
		Name: &name, Version: &version, RepoName: new("local"), Extension: new("zip"), PackageFileAsBytes: zip,
	}
}

// localPlatform runs processes, whose working folders are in the data folder of a server.
func localPlatform(t *testing.T, dir string) *platform {
	t.Helper()
	hello := func(version string) target {
		return target{"hello", version, "appBase: file://" + built.apps + "\nspec:\n  deploymentProperties:\n" +
			"    spring.cloud.deployer.local.shutdown-timeout: 3\n"}
	}
	p := &platform{
		name: "local", account: "default",
		good: [3]target{hello("1.0.0"), hello("1.1.0"), hello("1.0.0")}, never: hello("1.2.0"), mended: hello("1.1.0"),
		apps: []string{"hello"}, scaled: "hello",
		running: func(t *testing.T) map[string]int {
			t.Helper()
			out := map[string]int{}
			for _, id := range processes(t, dir) {
				out[id]++
			}
			return out
		},
	}
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		p.packages = append(p.packages, uploadOf(t, "hello", v, filepath.Join("..", "..", "..", "testdata", "packages", "hello-"+v)))
	}
	p.packages = append(p.packages, scripted(t, "other", "1.0.0", "a"))
	t.Cleanup(func() {
		for pid := range processes(t, dir) {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	})
	return p
}

// processes asks the process table for what carries an owner mark and works under a folder: deployment ids by process.
func processes(t *testing.T, dir string) map[int]string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	out := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // it has just ended
		}
		for variable := range bytes.SplitSeq(environ, []byte{0}) {
			mark, ok := strings.CutPrefix(string(variable), "SKIFF_OWNER=")
			parts := strings.Split(mark, "/")
			if !ok || len(parts) != 11 {
				continue
			}
			where, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
			if err == nil && strings.HasPrefix(where, dir+"/") && !dead(e.Name()) {
				out[pid] = parts[5]
			}
		}
	}
	return out
}

// dead tells processes that have ended and that nobody has looked after yet.
func dead(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	_, rest, ok := bytes.Cut(stat, []byte(") "))
	return err != nil || !ok || len(rest) == 0 || rest[0] == 'Z' || rest[0] == 'X'
}
