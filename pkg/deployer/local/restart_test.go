package local_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// attributesOf waits until the attributes of the first instance are as wanted.
func attributesOf(t *testing.T, d *local.Deployer, h deployer.Handle, wanted func(skipper.AppInstanceStatus) bool,
) skipper.AppInstanceStatus {
	t.Helper()
	var last skipper.AppInstanceStatus
	require.Eventually(t, func() bool {
		all, err := d.Status(t.Context(), []deployer.Handle{h})
		last = all[h.ID].Instances[h.ID+"-0"]
		return err == nil && wanted(last)
	}, patience, 25*time.Millisecond, "%v", last)
	return last
}

func kill(t *testing.T, pid string) {
	t.Helper()
	process, err := os.FindProcess(number(t, pid))
	require.NoError(t, err)
	require.NoError(t, process.Kill())
}

func restartedTimes(n int) func(skipper.AppInstanceStatus) bool {
	return func(i skipper.AppInstanceStatus) bool {
		return i.State == skipper.StateDeployed && i.Attributes["restarts"] == strconv.Itoa(n)
	}
}

func TestRestart_KeepsIndexGuidPortAndID(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = "always", "0"
	h := a.deploy(d, r)
	before := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]

	kill(t, before.Attributes["pid"])

	after := attributesOf(t, d, h, restartedTimes(1))
	require.NotEqual(t, before.Attributes["pid"], after.Attributes["pid"])
	require.Equal(t, "ended by signal: killed", after.Attributes["last.reason"])
	for _, name := range []string{"guid", "port", "url", "working.dir", "stdout", "stderr"} {
		require.Equal(t, before.Attributes[name], after.Attributes[name], name)
	}
	require.Len(t, marked(a.config.Installation), 1)
	again, err := d.Deploy(t.Context(), r, &h, nothing)
	require.NoError(t, err)
	require.Equal(t, after, await(t, d, again, skipper.StateDeployed).Instances[h.ID+"-0"], "asked for again it is there")
	env, err := told(t.Context(), after.Attributes["url"])
	require.NoError(t, err)
	require.Equal(t, "0", env["INSTANCE_INDEX"])
	require.Equal(t, h.ID+"-0", env["SPRING_CLOUD_APPLICATION_GUID"])
}

func TestRestart_GoesByThePolicy(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		policy, code string
		restarts     bool
	}{
		"never": {"never", "3", false}, "on-failure of a failure": {"on-failure", "3", true},
		"on-failure of an end": {"on-failure", "0", false}, "always": {"always", "0", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			d, r := a.deployer(), a.request("log")
			r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = c.policy, "0"
			r.Properties["hello.exit"] = c.code
			h := a.deploy(d, r)

			i := attributesOf(t, d, h, func(i skipper.AppInstanceStatus) bool {
				return i.State == skipper.StateFailed && (i.Attributes["crash.loop"] == "true") == c.restarts
			})

			require.Equal(t, c.code, i.Attributes[deployer.AttributeExitCode])
			if c.restarts {
				require.Contains(t, i.Attributes[deployer.AttributeReason], "crash loop: ended ")
				require.Contains(t, i.Attributes[deployer.AttributeReason], "starts again at ")
				require.NotContains(t, i.Attributes, deployer.AttributeFinal)
			} else {
				require.Equal(t, "true", i.Attributes[deployer.AttributeFinal])
				require.NotContains(t, i.Attributes, "restarts")
			}
			require.NoError(t, d.Undeploy(t.Context(), r.Owner, h), "undeployed while it restarts")
			await(t, d, h, skipper.StateUnknown)
		})
	}
}

// A dead application must not keep its successor from the port.
func TestRestart_EndsWhatTheDeadOneLeft(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.child"] = "true"
	r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = "always", "0"
	h := a.deploy(d, r)
	before := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]
	require.Eventually(t, a.running(2), patience, 10*time.Millisecond)
	children := marked(a.config.Installation)

	kill(t, before.Attributes["pid"])

	attributesOf(t, d, h, restartedTimes(1))
	require.Eventually(t, a.running(2), patience, 10*time.Millisecond)
	for _, pid := range children {
		require.NotContains(t, marked(a.config.Installation), pid)
	}
}

// While it is stopped nobody starts it again, also when the call that stops it had too little time.
func TestRestart_NotWhatIsBeingStopped(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.stubborn"] = "true"
	r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = "always", "0"
	h := a.deploy(d, r)
	pid := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["pid"]
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, d.Undeploy(brief, r.Owner, h))
	kill(t, pid)

	i := attributesOf(t, d, h, func(i skipper.AppInstanceStatus) bool { return i.State == skipper.StateFailed })

	require.Equal(t, "true", i.Attributes[deployer.AttributeFinal])
	require.NoError(t, d.Close(t.Context()))
	await(t, a.deployer(), h, skipper.StateFailed)
	require.Empty(t, marked(a.config.Installation))
}

func TestRestart_ScaledDownStaysDown(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Count = 3
	r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = "always", "0"
	h := a.deploy(d, r)
	kill(t, await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["pid"])
	attributesOf(t, d, h, restartedTimes(1))

	h, err := d.Scale(t.Context(), r, h, 1, nothing)

	require.NoError(t, err)
	attributesOf(t, d, h, restartedTimes(1))
	require.Len(t, marked(a.config.Installation), 1)
	h, err = d.Scale(t.Context(), r, h, 2, nothing)
	require.NoError(t, err)
	require.Len(t, await(t, d, h, skipper.StateDeployed).Instances, 2)
	attributesOf(t, d, h, restartedTimes(1))
}

// rebooted rewrites all records as if the machine had been started anew since: other boot ids.
func rebooted(t *testing.T, a *account) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(a.config.DataDir, "local", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		other := strings.ReplaceAll(string(text), strings.TrimSpace(string(boot)), "00000000-0000-0000-0000-000000000000")
		require.NoError(t, os.WriteFile(file, []byte(other), 0o600))
	}
}

// lose ends the processes of an account while no server watches.
func lose(t *testing.T, a *account, d *local.Deployer) {
	t.Helper()
	require.NoError(t, d.Close(t.Context()))
	for _, pid := range marked(a.config.Installation) {
		kill(t, pid)
	}
	require.Eventually(t, a.running(0), patience, 10*time.Millisecond)
}

func TestLost_AfterAMachineRestart(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		policy, onLost string
		restarts       bool
	}{
		"default":                     {"never", "", false},
		"restarted though never":      {"never", "restart", true},
		"reported though always":      {"always", "report", false},
		"as the policy says: always":  {"always", "", true},
		"as the policy says: failure": {"on-failure", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			first, r := a.deployer(), a.request("log")
			r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = c.policy, "0"
			if c.onLost != "" {
				r.Deployment[prefix+"on-lost"] = c.onLost
			}
			h := a.deploy(first, r)
			await(t, first, h, skipper.StateDeployed)
			lose(t, a, first)
			rebooted(t, a)

			d := a.deployer()
			require.NoError(t, d.Ping(t.Context()), "the first call begins the care")

			if c.restarts {
				i := attributesOf(t, d, h, restartedTimes(1))
				require.Contains(t, i.Attributes["last.reason"], "lost: it ended with the machine")
				return
			}
			i := attributesOf(t, d, h, func(i skipper.AppInstanceStatus) bool { return i.State == skipper.StateFailed })
			require.Contains(t, i.Attributes[deployer.AttributeReason], "lost: it ended with the machine")
			require.Equal(t, "true", i.Attributes[deployer.AttributeFinal])
			require.Empty(t, marked(a.config.Installation))
		})
	}
}

// The next server needs nothing but the data folder to go on, not even to be asked.
func TestRestart_ByALaterServer(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	first, r := a.deployer(), a.request("log")
	r.Properties["test.password"] = "s3cr3t"
	r.Deployment[prefix+"restart-policy"], r.Deployment[prefix+"restart-delay"] = "on-failure", "0"
	h := a.deploy(first, r)
	pid := await(t, first, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["pid"]
	require.NoError(t, first.Close(t.Context()))
	d := a.deployer()
	require.NoError(t, d.Ping(t.Context()))

	kill(t, pid)
	require.Eventually(t, func() bool {
		now := marked(a.config.Installation)
		return len(now) == 1 && now[0] != pid
	}, patience, 10*time.Millisecond)

	i := attributesOf(t, d, h, restartedTimes(1))
	env, err := told(t.Context(), i.Attributes["url"])
	require.NoError(t, err)
	require.Equal(t, "s3cr3t", env["test.password"])
	files, err := filepath.Glob(filepath.Join(a.config.DataDir, "local", "*.launch"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds properties")
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.NoFileExists(t, files[0])
}

// Only its parent is told how a process ended; what was taken over tells it all the same, on kernels that can.
func TestAdopted_ExitCodeIsKnown(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	a.config = config(dir, a.config.Installation)
	saved := killed(t, a, dir, atReturn, a.running(2))
	d := a.deployer()
	status := await(t, d, saved, skipper.StateDeployed)

	kill(t, status.Instances[saved.ID+"-0"].Attributes["pid"])

	i := attributesOf(t, d, saved, func(i skipper.AppInstanceStatus) bool { return i.State == skipper.StateFailed })
	require.Contains(t, []string{
		"ended by signal: killed", "ended; how is not known, because an earlier server started it",
	}, i.Attributes[deployer.AttributeReason])
}

func TestClose_StopsWhatIsToEndWithTheServer(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	first := a.deployer()
	stays, ends := a.request("stays"), a.request("ends")
	ends.Deployment[prefix+"on-server-exit"] = "stop"
	ends.Deployment[prefix+"on-lost"] = "restart"
	one, two := a.deploy(first, stays), a.deploy(first, ends)
	await(t, first, one, skipper.StateDeployed)
	await(t, first, two, skipper.StateDeployed)

	require.NoError(t, first.Close(t.Context()))

	require.Len(t, marked(a.config.Installation), 1)
	d := a.deployer()
	await(t, d, one, skipper.StateDeployed)
	i := attributesOf(t, d, two, restartedTimes(1))
	require.Equal(t, "stopped together with the server", i.Attributes["last.reason"])
	require.NoError(t, d.Undeploy(t.Context(), stays.Owner, one))
}

// A server killed at any moment of a restart leaves neither two processes nor none.
func TestKilledServer_WhileItRestarts(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	ports := a.config.Ports
	a.config = config(dir, a.config.Installation)
	a.config.Ports = ports
	seen := func() int { return len(strings.Fields(string(read(filepath.Join(dir, "trace"))))) }
	for kills := 1; kills <= 4; kills++ {
		before := seen()
		saved := killed(t, a, dir, atRestarts, func() bool { return seen() >= before+kills })
		var rec struct{ Format int }
		require.NoError(t, json.Unmarshal(saved.Data, &rec))
	}
	d := a.deployer()
	h := deployer.Handle{ID: "demo.log-v1"}
	require.NoError(t, d.Ping(t.Context()))
	attributesOf(t, d, h, func(i skipper.AppInstanceStatus) bool { return i.Attributes["restarts"] != "" })
	for range 200 {
		require.LessOrEqual(t, len(marked(a.config.Installation)), 1, "one instance, one process")
	}
}

func read(path string) []byte {
	text, _ := os.ReadFile(path)
	return text
}

// Between the choice of a port and its use anybody may take it.
func TestPorts_AnotherOneWhenItWasTakenMeanwhile(t *testing.T) {
	t.Parallel()
	a, taken := newAccount(t), filepath.Join(t.TempDir(), "taken")
	d, r := a.deployer(), a.request("log")
	program, err := filepath.Abs("testdata/robbed.sh")
	require.NoError(t, err)
	r.Resource.Location, r.Resource.Version = "file://"+program, ""
	r.Deployment[prefix+"use-spring-application-json"] = "false"
	r.Properties["TAKEN"] = taken
	h := a.deploy(d, r)
	port := attributesOf(t, d, h, func(i skipper.AppInstanceStatus) bool { return i.Attributes["pid"] != "" }).Attributes["port"]
	var config net.ListenConfig
	robber, err := config.Listen(t.Context(), "tcp", ":"+port)
	require.NoError(t, err)
	t.Cleanup(func() { _ = robber.Close() })
	require.NoError(t, os.WriteFile(taken+".new", []byte(port), 0o600))
	require.NoError(t, os.Rename(taken+".new", taken))

	i := attributesOf(t, d, h, func(i skipper.AppInstanceStatus) bool {
		return i.Attributes["restarts"] == "1" && i.Attributes["pid"] != ""
	})

	require.NotEqual(t, port, i.Attributes["port"])
	require.Equal(t, "exited with code 1", i.Attributes["last.reason"])
}

// Where limits cannot hold the application runs all the same, and its status says so.
func TestLimits_TheStatusTellsWhenTheyDoNotHold(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"limits.memory"] = "1g"
	h := a.deploy(d, r)
	i := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]
	group, err := os.ReadFile("/proc/" + i.Attributes["pid"] + "/cgroup")
	require.NoError(t, err)
	if !strings.Contains(string(group), "/skiff-") {
		require.Contains(t, i.Attributes["limits"], "do not hold: ")
	}
}
