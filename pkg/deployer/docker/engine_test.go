package docker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// ownEngine is one that a test may stop, with an account on it.
func ownEngine(t *testing.T, args ...string) (*dockertest.Engine, *account) {
	t.Helper()
	engine.Restartable(t)
	own := &dockertest.Engine{Args: args}
	host := own.Host(t)
	t.Cleanup(func() { require.NoError(t, own.Close()) })
	own.Import(t, imageName+":1.0.0", program(t))
	return own, newAccountOn(t, host)
}

// everyQuestion asks a deployer all that it can be asked about a deployment.
func everyQuestion(t *testing.T, d *docker.Deployer, r deployer.Request, h deployer.Handle) map[string]error {
	t.Helper()
	answers := map[string]error{"ping": d.Ping(t.Context()), "undeploy": d.Undeploy(t.Context(), r.Owner, h)}
	_, answers["status"] = d.Status(t.Context(), []deployer.Handle{h})
	_, answers["status without data"] = d.Status(t.Context(), []deployer.Handle{{ID: h.ID}})
	_, answers["deploy"] = d.Deploy(t.Context(), r, &h, nothing)
	_, answers["scale"] = d.Scale(t.Context(), r, h, 2, nothing)
	_, answers["logs"] = d.Logs(t.Context(), h, 100)
	_, answers["discover"] = d.Discover(t.Context(), deployer.Owner{Installation: "x"})
	_, _, answers["instance"] = d.Instance(t.Context(), h, h.ID+"-0")
	answers["lines"] = d.ReadLogs(t.Context(), h, deployer.LogOptions{}, func(deployer.LogLine) error { return nil })
	return answers
}

func requireUnavailable(t *testing.T, answers map[string]error) {
	t.Helper()
	for question, err := range answers {
		require.ErrorIs(t, err, deployer.ErrUnavailable, question)
		require.True(t, deployer.Retry(err), question)
		require.NotContains(t, err.Error(), "\n", question)
	}
}

func TestEngine_AwayIsNoAnswer(t *testing.T) {
	t.Parallel()
	own, a := ownEngine(t)
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	r2 := a.request("time")
	r2.Deployment["spring.cloud.deployer.docker.restart-policy"] = "always"
	always := a.deploy(d, r2)
	await(t, d, h, skipper.StateDeployed)
	await(t, d, always, skipper.StateDeployed)

	own.Halt(t, false)
	requireUnavailable(t, everyQuestion(t, d, r, h))
	own.Start(t)

	// The engine has stopped the containers. What is to be started again was; what is not tells how it ended.
	status := await(t, d, h, skipper.StateFailed)
	require.Contains(t, status.Instances[h.ID+"-0"].Attributes["reason"], "exited with code")
	await(t, d, always, skipper.StateDeployed)
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, always))
	require.Empty(t, a.containers())
}

func TestEngine_StartedAgainBesideItsContainers(t *testing.T) {
	t.Parallel()
	own, a := ownEngine(t, "--live-restore")
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	before := await(t, d, h, skipper.StateDeployed)

	own.Halt(t, true)
	requireUnavailable(t, everyQuestion(t, d, r, h))
	own.Start(t)

	require.Equal(t, before, await(t, d, h, skipper.StateDeployed))
	again, err := a.deployer().Deploy(t.Context(), r, &h, nothing)
	require.NoError(t, err)
	require.Equal(t, before, await(t, d, again, skipper.StateDeployed))
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.Empty(t, a.containers())
}

func TestEngine_ThatStandsStillIsNoAnswer(t *testing.T) {
	t.Parallel()
	own, a := ownEngine(t)
	r := a.request("log")
	h := a.deploy(a.deployer(), r)
	await(t, a.deployer(), h, skipper.StateDeployed)
	a.config.Timeout = 50 * time.Millisecond
	d := a.deployer()

	resume := own.Pause(t)
	answers := everyQuestion(t, d, r, h)
	resume()

	requireUnavailable(t, answers)
	a.config.Timeout = patience
	await(t, a.deployer(), h, skipper.StateDeployed)
}

func TestNew_ThereIsNoEngine(t *testing.T) {
	t.Parallel()
	a := newAccountOn(t, "unix://"+t.TempDir()+"/docker.sock")
	d := a.deployer()

	requireUnavailable(t, everyQuestion(t, d, a.request("log"), deployer.Handle{ID: "demo.log-v1"}))
	require.NoError(t, d.Validate(t.Context(), a.request("log")), "nothing is asked")
}

func TestNew_TheAddressOfTheEngine(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		host    string
		environ []string
		want    string
	}{
		{"unix:///run/podman/podman.sock", []string{"DOCKER_HOST=tcp://other:1"}, "unix:///run/podman/podman.sock"},
		{"", []string{"DOCKER_HOST=tcp://other:2375"}, "tcp://other:2375"},
		{"", nil, "unix:///var/run/docker.sock"},
	} {
		d, err := docker.New(docker.Config{Engine: docker.Engine{Host: c.host}, Environ: c.environ})
		require.NoError(t, err)
		require.Equal(t, c.want, d.Host())
	}
	for _, e := range []docker.Engine{{Host: "docker.sock"}, {Host: "tcp://h:1", CA: "/not/there", Cert: "/not", Key: "/not"}} {
		_, err := docker.New(docker.Config{Engine: e})
		require.ErrorIs(t, err, deployer.ErrInvalid)
	}
}
