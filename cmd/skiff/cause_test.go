package main_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestCause_OfAnUpgradeThatIsNotHealthyInTime(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	p.must("package", "upload", sample("hello-1.1.0"))
	p.must("release", "install", "one", "--package-name", "hello", "--package-version", "1.0.0", "--file", values(t), "--wait")
	crash := values(t, "spec:", "  applicationProperties:", "    hello.exit: 3")
	out, code := p.skiff("release", "upgrade", "one", "--package-name", "hello", "--package-version", "1.1.0",
		"--file", crash, "--timeout", "1s", "--wait")
	require.Equal(t, 1, code)
	require.Contains(t, out, "Did not detect apps in replacing release as healthy after 1000 ms")
	require.Contains(t, out, "\n  application: hello\n  instance:    one.hello-v2-0\n  reason:      exited with code 3\n"+
		"  exit code:   3\n  log:\n    stdout:\n    sample-app args=\n")
	require.Contains(t, p.must("release", "history", "one"), "Did not detect apps in replacing release as healthy after 1000 ms.")
	require.Equal(t, 1, instances(t, dir, "hello-1.0.0 one."))
	p.must("release", "delete", "one")
}

// gatedRequest asks for an install that counts only when it is healthy.
func (p *process) gatedRequest(name, timeout, property, value string) *http.Request {
	p.t.Helper()
	raw := "appBase: file://" + built.apps + "\nspec:\n  applicationProperties:\n    " + property + ": " + value + "\n"
	body, err := json.Marshal(skipper.InstallRequest{
		PackageIdentifier: &skipper.PackageIdentifier{PackageName: "hello", PackageVersion: "1.0.0"},
		InstallProperties: &skipper.InstallProperties{
			ReleaseName: name, PlatformName: "default", ConfigValues: &skipper.ConfigValues{Raw: &raw},
		},
	})
	require.NoError(p.t, err)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost,
		p.url+"/api/package/install?healthGate=true&timeout="+timeout, bytes.NewReader(body))
	require.NoError(p.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	return req
}

func (p *process) gatedInstall(name, timeout, property, value string) (int, map[string]any) {
	p.t.Helper()
	res, err := http.DefaultTransport.RoundTrip(p.gatedRequest(name, timeout, property, value))
	require.NoError(p.t, err)
	defer res.Body.Close()
	var answer map[string]any
	require.NoError(p.t, json.NewDecoder(res.Body).Decode(&answer))
	return res.StatusCode, answer
}

func TestHealthGate_OpensOrLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))

	status, answer := p.gatedInstall("one", "60000", "hello.exit", "3")
	require.Equal(t, http.StatusConflict, status, "what has failed for good is not waited for: %v", answer)
	require.Contains(t, answer["message"], "one.hello-v1 is failed (exited with code 3)")
	op, found := p.operation("one")
	require.True(t, found)
	require.Equal(t, skipper.OutcomeFailed, op.Outcome)
	three := 3
	require.Equal(t, &skipper.Cause{
		App: "hello", Instance: "one.hello-v1-0", Reason: "exited with code 3", ExitCode: &three,
		Log: []string{"stdout:", "sample-app args="},
	}, op.Error.Cause)
	require.Empty(t, running(t, dir))
	_, code := p.skiff("release", "status", "one")
	require.Equal(t, 3, code, "no release is left")

	status, answer = p.gatedInstall("one", "500", "hello.delay", "60000")
	require.Equal(t, http.StatusGatewayTimeout, status, "%v", answer)
	require.Contains(t, answer["message"], "were not healthy after 500 ms")
	require.Empty(t, running(t, dir))

	status, _ = p.gatedInstall("one", "60000", "hello.delay", "700")
	require.Equal(t, http.StatusCreated, status, "the name is free")
	require.Contains(t, p.must("release", "status", "one"), "DEPLOYED")
	p.must("release", "delete", "one")
}

func TestKill_WhileAGatedInstallWaits_ItGoesOn(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := serve(t, dir)
	p.must("package", "upload", sample("hello-1.0.0"))
	req := p.gatedRequest("one", "60000", "hello.delay", "2500")
	go func() { // its connection breaks
		if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(t, "it waits", func() bool { return p.state("one") == skipper.StateInstallWait })
	during := running(t, dir)
	p.kill()

	p = serve(t, dir)
	require.Contains(t, p.must("release", "status", "one"), "UNKNOWN")
	eventually(t, "the operation has ended", func() bool { return p.ended("one") })
	require.Contains(t, p.must("release", "status", "one"), "DEPLOYED")
	require.Equal(t, during, running(t, dir), "the very same process")
	p.must("release", "delete", "one")
}
