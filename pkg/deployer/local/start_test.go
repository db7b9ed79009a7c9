package local_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// tracers is how many instances leave a trace.
const tracers = 20

// tracing asks for applications that note their index in a file and end at once: no process table tells of them.
func tracing(installation, dir string) deployer.Request {
	r := request(installation, "log")
	program, _ := filepath.Abs("testdata/trace.sh")
	r.Resource.Location, r.Resource.Version = "file://"+program, ""
	r.Deployment[prefix+"use-spring-application-json"] = "false"
	r.Properties["TRACE"] = filepath.Join(dir, "trace")
	r.Count = tracers
	return r
}

// traces are the indexes of all instances that ever ran.
func traces(dir string) []int {
	text, _ := os.ReadFile(filepath.Join(dir, "trace"))
	var indexes []int
	for line := range strings.Lines(string(text)) {
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			indexes = append(indexes, n)
		}
	}
	slices.Sort(indexes)
	return indexes
}

// ran waits until every instance ran and none runs any more.
func ran(t *testing.T, a *account, dir string) []int {
	t.Helper()
	require.Eventually(t, func() bool {
		return a.running(0)() && len(slices.Compact(traces(dir))) == tracers
	}, patience, 10*time.Millisecond, "every instance is due")
	return traces(dir)
}

func once() []int {
	var indexes []int
	for index := range tracers {
		indexes = append(indexes, index)
	}
	return indexes
}

func TestDeploy_InterruptedGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	const reached = 7

	for _, kept := range []string{"returned handle", "saved handle", "no handle"} {
		t.Run(kept, func(t *testing.T) {
			t.Parallel()
			a, dir := newAccount(t), t.TempDir()
			r, quiet := tracing(a.config.Installation, dir), a.config.Logger
			ctx, interrupt := context.WithCancel(t.Context())
			a.config.Logger = atInstance(reached, interrupt)
			var saved deployer.Handle
			returned, err := a.deployer().Deploy(ctx, r, nil, func(h deployer.Handle) error {
				saved = h
				return nil
			})
			a.undeployInTheEnd(returned)
			require.ErrorIs(t, err, deployer.ErrUnavailable)
			require.ErrorIs(t, err, context.Canceled)
			require.Eventually(t, func() bool { return len(traces(dir)) == reached }, patience, 10*time.Millisecond)
			previous := map[string]*deployer.Handle{"returned handle": &returned, "saved handle": &saved}[kept]
			if kept == "returned handle" { // it alone is enough
				require.NoError(t, os.RemoveAll(a.config.DataDir))
			}

			a.config.Logger = quiet
			_, err = a.deployer().Deploy(t.Context(), r, previous, nothing)

			require.NoError(t, err)
			require.Equal(t, once(), ran(t, a, dir))
		})
	}
}

func TestScale_InterruptedGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	r, quiet := tracing(a.config.Installation, dir), a.config.Logger
	r.Count = 2
	ctx, interrupt := context.WithCancel(t.Context())
	a.config.Logger = atInstance(7, interrupt)
	d := a.deployer()
	h := a.deploy(d, r)

	_, err := d.Scale(ctx, r, h, tracers, func(saved deployer.Handle) error {
		h = saved
		return nil
	})
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	a.config.Logger = quiet
	_, err = a.deployer().Scale(t.Context(), r, h, tracers, nothing)

	require.NoError(t, err)
	require.Equal(t, once(), ran(t, a, dir))
}

// What cannot be noted is not started further, and this server remembers what it has started.
func TestDeploy_WithoutARecordStops(t *testing.T) {
	t.Parallel()
	const reached = 7
	a, dir := newAccount(t), t.TempDir()
	r := tracing(a.config.Installation, dir)
	a.config.Logger = atInstance(reached, func() { _ = os.RemoveAll(a.config.DataDir) })
	d := a.deployer()
	var saved deployer.Handle
	h, err := d.Deploy(t.Context(), r, nil, func(h deployer.Handle) error {
		saved = h
		return nil
	})
	a.undeployInTheEnd(h)
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	require.Eventually(t, func() bool { return len(traces(dir)) == reached+1 }, patience, 10*time.Millisecond)

	_, err = d.Deploy(t.Context(), r, &saved, nothing)

	require.NoError(t, err)
	require.Equal(t, once(), ran(t, a, dir))
}

func TestKilledServer_StartsNothingTwice(t *testing.T) {
	t.Parallel()

	for _, kept := range []string{"saved handle", "no handle"} {
		t.Run(kept, func(t *testing.T) {
			t.Parallel()
			a, dir := newAccount(t), t.TempDir()
			a.config = config(dir, a.config.Installation)
			saved := killed(t, a, dir, atHalf, func() bool {
				_, err := os.Stat(filepath.Join(dir, stoodStill))
				return err == nil && len(traces(dir)) == tracers/2
			})
			previous := map[string]*deployer.Handle{"saved handle": &saved}[kept]
			r := tracing(a.config.Installation, dir)

			h, err := a.deployer().Deploy(t.Context(), r, previous, nothing)

			require.NoError(t, err)
			require.Equal(t, once(), ran(t, a, dir))
			require.Len(t, await(t, a.deployer(), h, skipper.StateFailed).Instances, tracers)
		})
	}
}

// Killed between the start of an instance and its note, the server does not know of this one, and of no other.
func TestKilledServer_StartsAtMostOneTwice(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	a.config = config(dir, a.config.Installation)
	saved := killed(t, a, dir, atAnyOne, func() bool { return len(traces(dir)) > 3 })

	_, err := a.deployer().Deploy(t.Context(), tracing(a.config.Installation, dir), &saved, nothing)

	require.NoError(t, err)
	require.LessOrEqual(t, len(ran(t, a, dir)), tracers+1)
}

// A power cut may leave a file empty, or full of zeros.
func TestHost_IsFoundInTheRecordsWhenItsFileIsLost(t *testing.T) {
	t.Parallel()

	for name, damage := range map[string]func(file string) error{
		"missing": os.Remove,
		"empty":   func(file string) error { return os.WriteFile(file, nil, 0o600) },
		"zeros":   func(file string) error { return os.WriteFile(file, make([]byte, 27), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			r := a.request("log")
			h := a.deploy(a.deployer(), r)
			require.NoError(t, os.WriteFile(filepath.Join(a.config.DataDir, "local", "torn.json"), nil, 0o600))
			require.NoError(t, damage(filepath.Join(a.config.DataDir, "local", "host")))
			var data map[string]any
			require.NoError(t, json.Unmarshal(h.Data, &data))
			data["boot"] = "before the power cut"
			var err error
			h.Data, err = json.Marshal(data)
			require.NoError(t, err)

			d := a.deployer()

			await(t, d, h, skipper.StateDeployed)
			require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
			await(t, d, h, skipper.StateUnknown)
		})
	}
}

func TestDataFolder_MayBeMoved(t *testing.T) {
	t.Parallel()

	for _, lost := range []string{"nothing", "handle", "handle and record"} {
		t.Run("lost: "+lost, func(t *testing.T) {
			t.Parallel()
			a, dir := newAccount(t), t.TempDir()
			at := func(place string) {
				a.config.DataDir = filepath.Join(dir, place)
				a.config.Settings.WorkingDirectoriesRoot = filepath.Join(dir, place, "apps")
			}
			at("here")
			r := a.request("log")
			h := a.deploy(a.deployer(), r)
			await(t, a.deployer(), h, skipper.StateDeployed)
			require.NoError(t, os.Rename(filepath.Join(dir, "here"), filepath.Join(dir, "there")))
			at("there")
			if lost != "nothing" {
				h.Data = nil
			}
			if lost == "handle and record" {
				require.NoError(t, os.RemoveAll(filepath.Join(a.config.DataDir, "local")))
			}

			d := a.deployer()
			attributes := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes
			logs, err := d.Logs(t.Context(), h, 1<<10)

			require.NoError(t, err)
			require.Contains(t, logs, "sample-app listening on")
			require.FileExists(t, attributes["stdout"])
			require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
			left, err := os.ReadDir(a.config.Settings.WorkingDirectoriesRoot)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestDataFolder_MayBeGivenAsRelativePath(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	here, err := os.Getwd()
	require.NoError(t, err)
	relative := a.config
	relative.DataDir, err = filepath.Rel(here, a.config.DataDir)
	require.NoError(t, err)
	relative.Settings.WorkingDirectoriesRoot = filepath.Join(relative.DataDir, "apps")
	d, err := local.New(relative)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close(context.WithoutCancel(t.Context()))) })
	h := a.deploy(d, a.request("log"))

	status := await(t, a.deployer(), h, skipper.StateDeployed)

	require.True(t, filepath.IsAbs(status.Instances[h.ID+"-0"].Attributes["working.dir"]))
}

// A new store beside old files is a new installation.
func TestRecord_OfAnotherInstallationIsNotOurs(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	r := a.request("log")
	r.Count = 0
	h := a.deploy(a.deployer(), r)
	a.config.Installation += " another"
	r.Properties["another"] = "one"

	other, err := a.deployer().Deploy(t.Context(), r, nil, nothing)

	require.NoError(t, err)
	require.NoError(t, a.deployer().Undeploy(t.Context(), r.Owner, other))
	a.config.Installation = strings.TrimSuffix(a.config.Installation, " another")
	_, err = a.deployer().Scale(t.Context(), r, h, 0, nothing)
	require.NoError(t, err, "its record is still there")
}
