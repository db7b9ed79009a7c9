package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// A server is this test binary once more. It deploys and stands still at the moment its mode names, to be killed there.
const (
	serverVariable = "SKIFF_TEST_SERVER"
	dirVariable    = "SKIFF_TEST_DIR"
	nameVariable   = "SKIFF_TEST_NAME"

	atSave     = "save"     // the handle is saved, nothing was started
	atStart    = "start"    // one of two processes was started, the handle was not returned
	atReturn   = "return"   // the handle was returned
	atHalf     = "half"     // half of many applications that end at once were started
	atAnyOne   = "any"      // anywhere while many applications that end at once are started
	atRestarts = "restarts" // one that ends at once is started again and again

	stoodStill = "still" // a file that is there when half were started
)

// serve writes handles as a store would keep them, for the test to read.
func serve(mode string) int {
	c := config(os.Getenv(dirVariable), os.Getenv(nameVariable))
	still := func() { <-time.After(time.Hour) }
	switch mode {
	case atStart:
		c.Logger = atInstance(1, still)
	case atHalf:
		c.Logger = atInstance(tracers/2, func() {
			_ = os.WriteFile(filepath.Join(os.Getenv(dirVariable), stoodStill), nil, 0o600)
			still()
		})
	}
	d, err := local.New(c)
	if err != nil {
		return 2
	}
	r := request(os.Getenv(nameVariable), "log")
	r.Count = 2
	if mode == atHalf || mode == atAnyOne {
		r = tracing(os.Getenv(nameVariable), os.Getenv(dirVariable))
	}
	if mode == atRestarts {
		r = tracing(os.Getenv(nameVariable), os.Getenv(dirVariable))
		r.Count = 1
		r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = "always", "0"
	}
	h, err := d.Deploy(context.Background(), r, nil, func(h deployer.Handle) error {
		if mode != atReturn {
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
	still()
	return 0
}

func write(h deployer.Handle) {
	text, err := json.Marshal(h)
	if err == nil {
		_, _ = os.Stdout.Write(append(text, '\n'))
	}
}

// atInstance does something when the deployer logs that it has started its nth instance.
func atInstance(nth int, do func()) *slog.Logger {
	return slog.New(&onStart{Handler: slog.DiscardHandler, nth: nth, do: do})
}

type onStart struct {
	slog.Handler

	nth, seen int
	do        func()
}

func (s *onStart) Enabled(context.Context, slog.Level) bool { return true }

func (s *onStart) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "instance started" {
		if s.seen++; s.seen == s.nth {
			s.do()
		}
	}
	return nil
}

// killed runs a server up to a moment, kills it with SIGKILL and gives the handle it had saved.
func killed(t *testing.T, a *account, dir, mode string, due func() bool) deployer.Handle {
	t.Helper()
	id, err := a.deployer().ID(a.request("log"))
	require.NoError(t, err)
	a.undeployInTheEnd(deployer.Handle{ID: id})
	server := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	server.Env = append(os.Environ(), serverVariable+"="+mode, dirVariable+"="+dir, nameVariable+"="+a.config.Installation)
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	require.Eventually(t, due, patience, time.Millisecond, "the moment of the kill does not come")
	require.NoError(t, server.Process.Kill())
	require.Error(t, server.Wait())
	var h deployer.Handle
	require.NoError(t, json.Unmarshal(line, &h))
	return h
}

// running says that so many processes run.
func (a *account) running(processes int) func() bool {
	return func() bool { return len(marked(a.config.Installation)) == processes }
}

func TestKilledServer_ItsProcessesAreTakenOver(t *testing.T) {
	t.Parallel()

	for mode, running := range map[string]int{atSave: 0, atStart: 1, atReturn: 2} {
		for _, lost := range []string{"nothing", "handle", "data folder", "handle and data folder"} {
			t.Run(mode+", lost: "+lost, func(t *testing.T) {
				t.Parallel()
				a, dir := newAccount(t), t.TempDir()
				ports := a.config.Ports
				a.config = config(dir, a.config.Installation)
				a.config.Ports = ports
				saved := killed(t, a, dir, mode, a.running(running))
				before := marked(a.config.Installation)
				previous := &saved
				if lost != "nothing" && lost != "data folder" {
					previous = nil
				}
				if lost != "nothing" && lost != "handle" {
					require.NoError(t, os.RemoveAll(a.config.DataDir))
				}
				r := a.request("log")
				r.Count = 2

				d := a.deployer()
				h, err := d.Deploy(t.Context(), r, previous, nothing)
				require.NoError(t, err)
				status := await(t, d, h, skipper.StateDeployed)

				require.Len(t, status.Instances, 2)
				after := marked(a.config.Installation)
				require.Len(t, after, 2, "no second process of any instance")
				require.Subset(t, after, before, "what ran is the same processes")
				for _, i := range status.Instances {
					require.Contains(t, after, i.Attributes["pid"])
				}
				logs, err := d.Logs(t.Context(), h, 1<<20)
				require.NoError(t, err)
				require.Contains(t, logs, "sample-app listening on")
				require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
				require.Empty(t, marked(a.config.Installation))
				await(t, d, h, skipper.StateUnknown)
			})
		}
	}
}

func TestKilledServer_UndeployGoesByTheMark(t *testing.T) {
	t.Parallel()

	for mode, running := range map[string]int{atSave: 0, atStart: 1, atReturn: 2} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			a, dir := newAccount(t), t.TempDir()
			a.config = config(dir, a.config.Installation)
			saved := killed(t, a, dir, mode, a.running(running))
			require.NoError(t, os.RemoveAll(a.config.DataDir))

			d := a.deployer()
			require.NoError(t, d.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: saved.ID}))

			require.Empty(t, marked(a.config.Installation))
			await(t, d, deployer.Handle{ID: saved.ID}, skipper.StateUnknown)
		})
	}
}

func TestKilledServer_TellsWhatDiedMeanwhile(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	a.config = config(dir, a.config.Installation)
	saved := killed(t, a, dir, atReturn, a.running(2))
	d := a.deployer()
	status := await(t, d, saved, skipper.StateDeployed)
	victim := status.Instances[saved.ID+"-1"].Attributes["pid"]
	process, err := os.FindProcess(number(t, victim))
	require.NoError(t, err)
	require.NoError(t, process.Kill())

	status = await(t, d, saved, skipper.StatePartial)

	require.Equal(t, skipper.StateFailed, status.Instances[saved.ID+"-1"].State)
	require.NotEmpty(t, status.Instances[saved.ID+"-1"].Attributes["reason"])
	r := a.request("log")
	r.Count = 2
	again, err := d.Deploy(t.Context(), r, &saved, nothing)
	require.NoError(t, err)
	await(t, d, again, skipper.StatePartial)
	require.Len(t, marked(a.config.Installation), 1, "what ran and died is not started again")
	require.NotContains(t, marked(a.config.Installation), victim)
}
