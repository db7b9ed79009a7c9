package operation_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// command is what a server process of these tests is told to do before it is killed.
type command struct {
	Dir, Platform string
	Do            string // install, upgrade, delete, queue, drain or renew
	URL           string // of a database; empty: SQLite
	Values        string
	Install       string // queue: more values of the upgrade that is waited for
}

const commandVariable = "SKIFF_TEST_COMMAND"

// TestServerProcess is no test: it is the process that the tests below start and kill.
func TestServerProcess(t *testing.T) {
	text, ok := os.LookupEnv(commandVariable)
	if !ok {
		return
	}
	var c command
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	config := short()
	if c.Do == "renew" {
		config = caring()
	}
	s := start(t, c.Dir, newFake(t, c.Platform), config, at(c.URL), soonLost)
	var err error
	switch c.Do {
	case "install":
		_, _, err = s.install("r", "pair", c.Values)
	case "upgrade":
		var op skipper.Operation
		if _, op, err = s.upgrade("r", "pair", "1.0.0", c.Values, time.Minute); err == nil {
			s.end(op)
		}
	case "queue":
		busy := s.busyRelease(c.Install)
		op := s.queuedUpgrade(c.Values)
		s.cancel(busy)
		s.end(op)
	case "drain":
		if _, _, err = s.upgrade("r", "pair", "1.0.0", c.Values, time.Minute); err == nil {
			s.stay(t.Context())
		}
	case "renew":
		if _, _, err = s.install("r", "one", c.Values); err == nil {
			s.stay(t.Context())
		}
	case "delete":
		_, _, err = s.release.Delete(t.Context(), "r", false, skipper.CommandOptions{})
	}
	t.Fatal("the command ended before the process was killed: ", err)
}

// killedAt runs a command in a process of its own, and kills that with SIGKILL when the platform stands at the gate.
func (s *server) killedAt(platform string, c command) {
	s.tb.Helper()
	s.stop()
	c.Dir, c.Platform = s.dir, platform
	text, err := json.Marshal(c)
	require.NoError(s.tb, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerProcess$")
	cmd.Env = append(os.Environ(), commandVariable+"="+string(text))
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(s.tb, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	reached := make(chan error, 1)
	go func() { reached <- s.fake.Reached(s.tb.Context(), "gate") }()
	select {
	case err := <-reached:
		require.NoError(s.tb, err)
	case <-ended:
		s.tb.Fatal("the process ended by itself: ", out)
	}
	require.NoError(s.tb, cmd.Process.Kill())
	<-ended
	require.NoError(s.tb, s.fake.Open("gate"))
}

// A server is killed right before and right after a platform did what it was asked, and the next one finds exactly what
// has to be done: nothing is deployed twice, nothing is left.
func TestKill_AtAPlatformCall(t *testing.T) {
	t.Parallel()
	both, upgraded := []string{"r.a-v1", "r.b-v1"}, []string{"r.a-v1", "r.b-v2"}
	for name, c := range map[string]struct {
		install string // values of the release that stands before; none: there is none
		command command
		outcome skipper.Outcome
		runs    []string
	}{
		"install before the effect": {
			"", command{Do: "install", Values: "b: {fake.block: gate}"}, skipper.OutcomeSucceeded, both,
		},
		"install after the effect": {
			"", command{Do: "install", Values: "b: {fake.block-after: gate}"}, skipper.OutcomeSucceeded, both,
		},
		"install that has to be undone, at the undoing": {
			"",
			command{Do: "install", Values: "a: {fake.undeploy-block: gate}\nb: {fake.deploy-error: invalid}"},
			skipper.OutcomeFailed, nil,
		},
		"upgrade before the effect": {
			"b: {x: 1}", command{Do: "upgrade", Values: "b: {fake.block: gate}"}, skipper.OutcomeSucceeded, upgraded,
		},
		"upgrade after the effect": {
			"b: {x: 1}", command{Do: "upgrade", Values: "b: {fake.block-after: gate}"}, skipper.OutcomeSucceeded, upgraded,
		},
		"upgrade at the removal of the source": {
			"b: {fake.undeploy-block: gate}", command{Do: "upgrade", Values: "b: {x: 2}"}, skipper.OutcomeSucceeded, upgraded,
		},
		"delete": {
			"a: {fake.undeploy-block: gate}", command{Do: "delete"}, skipper.OutcomeSucceeded, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, platform := t.TempDir(), filepath.Join(t.TempDir(), "platform.json")
			s := start(t, dir, newFake(t, platform), short())
			s.upload("pair", "1.0.0", "a", "b")
			if c.install != "" {
				_, _, err := s.install("r", "pair", c.install)
				require.NoError(t, err)
			}
			s.killedAt(platform, c.command)

			killed := time.Now()
			s = start(t, dir, newFake(t, platform), short())
			t.Cleanup(s.stop)
			ops, err := s.store.Operations(t.Context(), skipper.OperationFilter{ReleaseName: "r"}, skipper.PageRequest{Size: 1})
			require.NoError(t, err)
			require.Len(t, ops.Items, 1)
			ended := ops.Items[0].Ended
			require.True(t, ended == nil || ended.After(killed), "it was killed in the middle")
			require.Equal(t, c.outcome, s.end(ops.Items[0]).Outcome)
			require.Equal(t, c.runs, s.runs())
		})
	}
}
