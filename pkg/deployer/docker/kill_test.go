package docker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// A server is this test binary once more. It deploys and stands still at the moment its mode names, to be killed there.
const (
	serverVariable       = "SKIFF_TEST_SERVER"
	hostVariable         = "SKIFF_TEST_HOST"
	installationVariable = "SKIFF_TEST_INSTALLATION"
	groupVariable        = "SKIFF_TEST_GROUP"

	atSave   = "save"   // the handle is saved, nothing was made
	atCreate = "create" // the first container was made, none was started
	atStart  = "start"  // the first container was started, the handle was not returned
	atReturn = "return" // the handle was returned
	atStop   = "stop"   // all were deployed, the first was stopped, none was removed
)

// serve writes handles as a store would keep them, for the test to read.
func serve(mode string) int {
	c := config(os.Getenv(hostVariable), os.Getenv(installationVariable))
	still := func() { <-time.After(time.Hour) }
	for at, message := range map[string]string{
		atCreate: "container created", atStart: "instance started", atStop: "instance stopped",
	} {
		if mode == at {
			c.Logger = slog.New(&onMessage{Handler: slog.DiscardHandler, message: message, do: still})
		}
	}
	d, err := docker.New(c)
	if err != nil {
		return 2
	}
	r := request(c.Installation, os.Getenv(groupVariable), "log")
	r.Count = 2
	ctx := context.Background()
	h, err := d.Deploy(ctx, r, nil, func(h deployer.Handle) error {
		if mode != atReturn && mode != atStop {
			write(h)
		}
		if mode == atSave {
			still()
		}
		return nil
	})
	if err != nil {
		return 3
	}
	write(h)
	if mode == atStop {
		if err := d.Undeploy(ctx, r.Owner, h); err != nil {
			return 4
		}
	}
	still()
	return 0
}

func write(h deployer.Handle) {
	text, err := json.Marshal(h)
	if err == nil {
		_, _ = os.Stdout.Write(append(text, '\n'))
	}
}

// onMessage does something when the deployer logs a message.
type onMessage struct {
	slog.Handler

	message string
	do      func()
}

func (s *onMessage) Enabled(context.Context, slog.Level) bool { return true }

func (s *onMessage) Handle(_ context.Context, r slog.Record) error {
	if r.Message == s.message {
		s.do()
	}
	return nil
}

// states counts the containers of an account by their state.
func (a *account) states() map[string]int {
	out := map[string]int{}
	for _, c := range a.list() {
		out[string(c.State)]++
	}
	return out
}

// killed runs a server up to a moment, kills it with SIGKILL and gives the handle it had saved.
func killed(t *testing.T, a *account, mode string, due func(states map[string]int) bool) deployer.Handle {
	t.Helper()
	id, err := a.deployer().ID(a.request("log"))
	require.NoError(t, err)
	a.undeployInTheEnd(deployer.Handle{ID: id})
	server := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	server.Env = append(os.Environ(), serverVariable+"="+mode, hostVariable+"="+a.config.Engine.Host,
		installationVariable+"="+a.config.Installation, groupVariable+"="+a.group)
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	require.Eventually(t, func() bool { return due(a.states()) }, patience, 10*time.Millisecond,
		"the moment of the kill does not come")
	require.NoError(t, server.Process.Kill())
	require.Error(t, server.Wait())
	var h deployer.Handle
	require.NoError(t, json.Unmarshal(line, &h))
	return h
}

// moments are those of a kill, with what the engine has then. The second of two containers is made at the same time as
// the first, so it may be anywhere.
func moments() map[string]func(map[string]int) bool {
	return map[string]func(map[string]int) bool{
		atSave:   func(s map[string]int) bool { return len(s) == 0 },
		atCreate: func(s map[string]int) bool { return s["created"] == 2 },
		atStart:  func(s map[string]int) bool { return s["running"] >= 1 },
		atReturn: func(s map[string]int) bool { return s["running"] == 2 },
	}
}

func TestKilledServer_ItsContainersAreTakenOver(t *testing.T) {
	t.Parallel()
	engine.Host(t)

	for mode, due := range moments() {
		for _, lost := range []string{"nothing", "handle"} {
			t.Run(mode+", lost: "+lost, func(t *testing.T) {
				t.Parallel()
				a := newAccount(t)
				saved := killed(t, a, mode, due)
				before := a.ids()
				previous := &saved
				if lost == "handle" {
					previous = nil
				}
				r := a.request("log")
				r.Count = 2

				d := a.deployer()
				h, err := d.Deploy(t.Context(), r, previous, nothing)
				require.NoError(t, err)
				status := await(t, d, h, skipper.StateDeployed)

				require.Len(t, status.Instances, 2)
				require.Len(t, a.ids(), 2, "no second container of any instance")
				require.Subset(t, a.ids(), before, "what was there is the same containers")
				require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
				require.Empty(t, a.containers())
				await(t, d, h, skipper.StateUnknown)
			})
		}
	}
}

func TestKilledServer_UndeployGoesByTheMark(t *testing.T) {
	t.Parallel()
	engine.Host(t)

	for mode, due := range moments() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			saved := killed(t, a, mode, due)

			d := a.deployer()
			require.NoError(t, d.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: saved.ID}))

			require.Empty(t, a.containers())
			await(t, d, deployer.Handle{ID: saved.ID}, skipper.StateUnknown)
		})
	}
}

func TestKilledServer_InTheMiddleOfUndeploy(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	saved := killed(t, a, atStop, func(s map[string]int) bool { return s["exited"] > 0 })

	require.NoError(t, a.deployer().Undeploy(t.Context(), deployer.Owner{}, saved))

	require.Empty(t, a.containers())
}

func TestKilledServer_TellsWhatDiedMeanwhile(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	saved := killed(t, a, atReturn, moments()[atReturn])
	d := a.deployer()
	await(t, d, saved, skipper.StateDeployed)
	a.kill(saved.ID + "-1")

	status := await(t, d, saved, skipper.StatePartial)

	attributes := status.Instances[saved.ID+"-1"].Attributes
	require.Equal(t, "exited with code 137", attributes["reason"])
	require.Equal(t, "137", attributes["exitCode"])
	r := a.request("log")
	r.Count = 2
	again, err := d.Deploy(t.Context(), r, &saved, nothing)
	require.NoError(t, err)
	await(t, d, again, skipper.StatePartial)
	require.Equal(t, map[string]int{"running": 1, "exited": 1}, a.states(), "what ran and died is not started again")
}
