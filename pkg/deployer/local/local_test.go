package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const prefix = "spring.cloud.deployer.local."

func TestOptions_AreThoseOfSkipper(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/options.json")
	require.NoError(t, err)
	var want, got any
	require.NoError(t, json.Unmarshal(text, &want))

	text, err = json.Marshal(newAccount(t).deployer().Options())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &got))

	all, _ := got.([]any)
	require.Len(t, want, 25)
	require.Empty(t, cmp.Diff(want, any(all[:25])))
	var ours []string
	for _, o := range newAccount(t).deployer().Options()[25:] {
		ours = append(ours, strings.TrimPrefix(o.ID, prefix))
		require.NotNil(t, o.Type, o.ID)
		require.NotNil(t, o.Description, o.ID)
	}
	require.Equal(t, []string{
		"restart-policy", "restart-delay", "on-lost", "on-server-exit", "log-max-size", "log-max-files", "limits.memory",
		"limits.cpu",
	}, ours)
}

func TestDescribe_InSkippersWords(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.config.Settings = local.DefaultSettings("/tmp")
	const rest = "ShutdownTimeout = [30], EnvVarsToInherit = [TMP,LANG,LANGUAGE,LC_.*,PATH,SPRING_APPLICATION_JSON], " +
		"JavaCmd = [java], WorkingDirectoriesRoot = [/tmp], DeleteFilesOnExit = [true]"
	require.Equal(t, rest, a.deployer().Describe())
	a.config.Settings.JavaOpts = "-Dx=y"
	require.Equal(t, "JavaOpts = [-Dx=y], "+rest, a.deployer().Describe())
}

func TestValidate_NamesEveryProblem(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	r := a.request("log")
	r.Count = 2
	r.Properties["server.port"] = "8080"
	r.Deployment[prefix+"shutdown-timeout"], r.Deployment["spring.cloud.deployer.memory"] = "soon", "lots"

	err := a.deployer().Validate(t.Context(), r)

	require.ErrorIs(t, err, deployer.ErrInvalid)
	for _, part := range []string{"server.port", "shutdown-timeout", "'lots' as a byte size"} {
		require.ErrorContains(t, err, part)
	}
}

func TestValidate_RefusesOtherSchemes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, location := range []string{"docker:acme/log", "maven://g:a:1", "https://example.com/a.jar"} {
		r := a.request("log")
		r.Resource.Location = location
		require.ErrorIs(t, a.deployer().Validate(t.Context(), r), deployer.ErrUnsupported)
		_, err := a.deployer().Deploy(t.Context(), r, nil, nothing)
		require.ErrorIs(t, err, deployer.ErrUnsupported)
	}
}

func TestDeploy_AcceptsAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("ghost")
	r.Resource.Version = "9.9.9"
	h := a.deploy(d, r)

	status := await(t, d, h, skipper.StateFailed)

	attributes := status.Instances["demo.ghost-v1-0"].Attributes
	dir := attributes["working.dir"]
	require.Empty(t, cmp.Diff(map[string]string{
		"guid": "demo.ghost-v1-0", "port": attributes["port"], "url": attributes["url"], "working.dir": dir,
		"stdout": filepath.Join(dir, "stdout_0.log"), "stderr": filepath.Join(dir, "stderr_0.log"),
		deployer.AttributeReason: attributes[deployer.AttributeReason], deployer.AttributeFinal: "true",
	}, attributes))
	require.Equal(t, "demo.ghost-v1", filepath.Base(dir))
	require.Equal(t, a.config.Settings.WorkingDirectoriesRoot, filepath.Dir(filepath.Dir(dir)))
	require.True(t, strings.HasSuffix(attributes["url"], ":"+attributes["port"]))
	require.Contains(t, attributes["reason"], "hello-9.9.9.jar")
	logs, err := d.Logs(t.Context(), h, 1<<10)
	require.NoError(t, err)
	require.Equal(t, "stderr:\nnot started: "+attributes["reason"]+"\n", logs)
	await(t, a.deployer(), h, skipper.StateFailed)
}

func TestDeploy_AcceptsAFileThatDoesNotRun(t *testing.T) {
	t.Parallel()
	a, file := newAccount(t), filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(file, []byte("no program"), 0o600))
	d, r := a.deployer(), a.request("text")
	r.Resource.Location, r.Resource.Version = "file://"+file, ""

	h := a.deploy(d, r)

	status := await(t, d, h, skipper.StateFailed)
	require.Contains(t, status.Instances[h.ID+"-0"].Attributes["reason"], "permission denied")
}

func TestStatus_TellsTheExitCode(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.exit"] = "7"

	h := a.deploy(d, r)

	attributes := await(t, d, h, skipper.StateFailed).Instances[h.ID+"-0"].Attributes
	require.Equal(t, "7", attributes[deployer.AttributeExitCode])
	require.Equal(t, "exited with code 7", attributes[deployer.AttributeReason])
	require.Equal(t, "true", attributes[deployer.AttributeFinal])
	require.NotEmpty(t, attributes["pid"])
	require.NotEmpty(t, attributes["ended.at"])
	require.Eventually(t, func() bool { // once it is noted, a later server tells the same
		again := await(t, a.deployer(), h, skipper.StateFailed).Instances[h.ID+"-0"].Attributes
		return cmp.Equal(attributes, again)
	}, patience, 25*time.Millisecond)
}

func TestStatus_TellsTheSignal(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	h := a.deploy(d, a.request("log"))
	pid := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["pid"]
	process, err := os.FindProcess(number(t, pid))
	require.NoError(t, err)
	require.NoError(t, process.Kill())

	attributes := await(t, d, h, skipper.StateFailed).Instances[h.ID+"-0"].Attributes
	require.Equal(t, "ended by signal: killed", attributes[deployer.AttributeReason])
	require.Equal(t, "true", attributes[deployer.AttributeFinal])
	require.NotContains(t, attributes, deployer.AttributeExitCode, "a process that a signal ended has none")
}

func TestStatus_OfAHealthProbeThatDoesNotAnswerIsNotFinal(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"health-probe.path"] = "/nowhere"
	r.Properties["hello.delay"] = "3600000"

	h := a.deploy(d, r)

	attributes := await(t, d, h, skipper.StateFailed).Instances[h.ID+"-0"].Attributes
	require.Equal(t, "its health probe /nowhere does not answer well", attributes[deployer.AttributeReason])
	require.NotContains(t, attributes, deployer.AttributeFinal)
}

func TestDiscover_OfTwoInstallationsOnOneMachine(t *testing.T) {
	t.Parallel()
	one, two := newAccount(t), newAccount(t)
	mine, theirs := one.deployer(), two.deployer()
	h := one.deploy(mine, one.request("log"))
	other := two.deploy(theirs, two.request("log"))
	require.Equal(t, h.ID, other.ID, "the mark tells them apart, not the id")
	for a, d := range map[*account]*local.Deployer{one: mine, two: theirs} {
		found, err := d.Discover(t.Context(), deployer.Owner{Installation: a.config.Installation})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, a.config.Installation, found[0].Owner.Installation)
	}

	require.NoError(t, mine.Undeploy(t.Context(), deployer.Owner{}, deployer.Handle{ID: h.ID}))

	require.Empty(t, marked(one.config.Installation))
	require.Len(t, marked(two.config.Installation), 1, "what is another installation's is left alone")
}

// A child that outlives what was deployed is still ours: it is found, and goes with the deployment.
func TestDiscover_FindsWhatOnlyAChildIsLeftOf(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.child"] = "true"
	h := a.deploy(d, r)
	pid := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["pid"]
	process, err := os.FindProcess(number(t, pid))
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	await(t, d, h, skipper.StateFailed)

	found, err := a.deployer().Discover(t.Context(), r.Owner)

	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, deployer.SpecHash(r), found[0].SpecHash)
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, deployer.Handle{ID: h.ID}))
	require.Empty(t, marked(a.config.Installation))
}

func TestLogs_AreFramedAsInSkipper(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	h := a.deploy(d, a.request("log"))
	port := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["port"]

	logs, err := d.Logs(t.Context(), h, 1<<20)
	require.NoError(t, err)
	require.Equal(t, "stdout:\nsample-app args=\nsample-app listening on "+port+"\n", logs)
	end, err := d.Logs(t.Context(), h, int64(len("sample-app listening on "+port+"\n"))+3)
	require.NoError(t, err)
	require.Equal(t, "stdout:\nsample-app listening on "+port+"\n", end, "whole lines")
}

func TestEnvironment(t *testing.T) {
	t.Parallel()

	for _, asJSON := range []string{"true", "false"} {
		t.Run("json "+asJSON, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			a.config.Settings.AdminUser, a.config.Settings.AdminPassword = "admin", "s3cr3t"
			a.config.Environ = append(a.config.Environ, "WANTED_ONE=1", "NOT_WANTED_ONE=never-arrives")
			d, r := a.deployer(), a.request("log")
			r.Deployment[prefix+"use-spring-application-json"] = asJSON
			r.Deployment[prefix+"env-vars-to-inherit"] = "PATH,WANTED_.*"
			r.Properties["server.name"] = "x"
			h := a.deploy(d, r)
			attributes := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes

			seen, err := told(t.Context(), attributes["url"])

			require.NoError(t, err)
			want := map[string]string{
				"PATH": os.Getenv("PATH"), "WANTED_ONE": "1", "server.name": "x", "server.port": attributes["port"],
				"SERVER_PORT": attributes["port"], "PORT": attributes["port"], "INSTANCE_INDEX": "0",
				"SPRING_APPLICATION_INDEX": "0", "SPRING_CLOUD_APPLICATION_GUID": "demo.log-v1-0",
				"spring.jmx.default-domain": "demo.log-v1", "endpoints.shutdown.enabled": "true",
				"endpoints.jmx.unique-names": "true", "spring.cloud.application.group": "demo",
				"spring.cloud.streamapp.security.admin-user":     "admin",
				"spring.cloud.streamapp.security.admin-password": "s3cr3t",
				"SKIFF_OWNER": seen["SKIFF_OWNER"],
			}
			if asJSON == "true" {
				for _, name := range []string{"instance.index", "spring.application.index", "spring.cloud.stream.instanceIndex"} {
					want[name] = "0"
				}
				want["spring.cloud.application.guid"] = "demo.log-v1-0"
				want["SPRING_APPLICATION_JSON"] = seen["SPRING_APPLICATION_JSON"]
			}
			require.Empty(t, cmp.Diff(want, seen))
			_, header, err := d.Instance(t.Context(), h, "demo.log-v1-0")
			require.NoError(t, err)
			require.Equal(t, "Basic YWRtaW46czNjcjN0", header.Get("Authorization"))
		})
	}
}

func TestEnvironment_OwnJSONGoesUnderTheProperties(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["SPRING_APPLICATION_JSON"] = `{"test.one": "json", "test.two": "json", "endpoints.shutdown.enabled": "x"}`
	r.Properties["test.two"] = "property"
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	url, _, err := d.Instance(t.Context(), h, h.ID+"-0")
	require.NoError(t, err)

	seen, err := told(t.Context(), url.String())

	require.NoError(t, err)
	require.Equal(t, "json", seen["test.one"])
	require.Equal(t, "property", seen["test.two"])
	r.Properties["SPRING_APPLICATION_JSON"] = "no json"
	require.ErrorIs(t, d.Validate(t.Context(), r), deployer.ErrInvalid)
}

func TestPorts_AreLeasedAndGivenBack(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Count = 3
	h := a.deploy(d, r)
	instances := await(t, d, h, skipper.StateDeployed).Instances
	ports := map[string]bool{}
	for _, i := range instances {
		ports[i.Attributes["port"]] = true
	}
	require.Len(t, ports, 3)
	require.Equal(t, 3, a.ports.count())
	require.Equal(t, 1, a.ports.calls, "all at once")

	h, err := d.Scale(t.Context(), r, h, 1, nothing)
	require.NoError(t, err)
	h, err = d.Scale(t.Context(), r, h, 3, nothing)
	require.NoError(t, err)
	for _, i := range await(t, d, h, skipper.StateDeployed).Instances {
		require.Contains(t, ports, i.Attributes["port"], "ports of scaled-away instances are used again")
	}
	require.Equal(t, 3, a.ports.count())
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.Zero(t, a.ports.count())
}

func TestPorts_TakenOnesAreNotChosen(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	taken := portOf(t, listener)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"port-range.low"] = strconv.Itoa(taken)
	r.Deployment[prefix+"port-range.high"] = strconv.Itoa(taken + 1)

	h, err := d.Deploy(t.Context(), r, nil, nothing)

	require.ErrorIs(t, err, deployer.ErrQuota)
	require.ErrorContains(t, err, "Could not find a free random port range")
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.Empty(t, marked(a.config.Installation))
}

func portOf(t *testing.T, l net.Listener) int {
	t.Helper()
	address, ok := l.Addr().(*net.TCPAddr)
	require.True(t, ok)
	return address.Port
}

func TestPorts_ThoseOfOtherOwnersAreNotChosen(t *testing.T) {
	t.Parallel()
	const low, high, count = 31000, 31060, 4
	a := newAccount(t)
	theirs := make([]int, 0, high-low)
	for port := low; port < high; port += 2 {
		theirs = append(theirs, port)
	}
	_, err := a.ports.ReservePorts(t.Context(), "", theirs, "somebody else")
	require.NoError(t, err)
	d, r := a.deployer(), a.request("log")
	r.Count = count
	r.Deployment[prefix+"port-range.low"], r.Deployment[prefix+"port-range.high"] = strconv.Itoa(low), strconv.Itoa(high)
	h := a.deploy(d, r)

	chosen := map[int]bool{}
	for _, i := range await(t, d, h, skipper.StateDeployed).Instances {
		chosen[number(t, i.Attributes["port"])] = true
	}

	require.Len(t, chosen, count)
	for port := range chosen {
		require.NotContains(t, theirs, port)
		require.True(t, low <= port && port < high, "port %d", port)
	}
	require.NoError(t, a.ports.ReleasePorts(t.Context(), "", "somebody else"))
}

func TestPorts_AFixedOneIsKept(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["server.port"] = "0"
	h := a.deploy(d, r)
	attributes := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes
	require.NotContains(t, attributes, "url", "the application chose a port that nobody else knows")

	_, _, err := d.Instance(t.Context(), h, h.ID+"-0")
	require.ErrorIs(t, err, deployer.ErrNotFound)
	require.Zero(t, a.ports.count())
}

// The probes ask a server of the test, which the application is said to be.
func TestProbes(t *testing.T) {
	t.Parallel()
	var ready, healthy atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ok := map[string]bool{"/ready": ready.Load(), "/health": healthy.Load()}; !ok[r.URL.Path] {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["server.port"] = strconv.Itoa(portOf(t, server.Listener))
	r.Properties["hello.delay"] = "3600000"
	r.Deployment[prefix+"hostname"] = "127.0.0.1"
	r.Deployment[prefix+"startup-probe.path"], r.Deployment[prefix+"health-probe.path"] = "ready", "/health"
	h := a.deploy(d, r)

	await(t, d, h, skipper.StateDeploying)
	ready.Store(true)
	await(t, d, h, skipper.StateFailed)
	healthy.Store(true)
	ready.Store(false)
	await(t, d, h, skipper.StateDeployed)
	url, _, err := d.Instance(t.Context(), h, h.ID+"-0")
	require.NoError(t, err)
	require.Equal(t, server.URL, url.String())
	healthy.Store(false)
	await(t, d, h, skipper.StateFailed)
}

func TestUndeploy_KillsTheWholeGroup(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.stubborn"], r.Properties["hello.child"] = "true", "true"
	r.Deployment[prefix+"shutdown-timeout"] = "1"
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	require.Len(t, marked(a.config.Installation), 2, "the application and its child")

	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))

	require.Empty(t, marked(a.config.Installation))
}

func TestUndeploy_TakesOrphansToo(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.child"] = "true"
	h := a.deploy(d, r)
	pid := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["pid"]
	process, err := os.FindProcess(number(t, pid))
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	await(t, d, h, skipper.StateFailed)
	require.Len(t, marked(a.config.Installation), 1, "the child")

	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))

	require.Empty(t, marked(a.config.Installation))
}

func TestUndeploy_GoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.stubborn"] = "true"
	r.Deployment[prefix+"shutdown-timeout"] = "2"
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)

	calls := 0
	require.Eventually(t, func() bool {
		brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := d.Undeploy(brief, r.Owner, h)
		calls++
		if err != nil && !deployer.Retry(err) {
			t.Errorf("call %d: %v", calls, err)
		}
		return err == nil
	}, patience, time.Millisecond)

	require.Greater(t, calls, 1, "one call is shorter than the grace period")
	require.Empty(t, marked(a.config.Installation))
}

func TestUndeploy_KeepsWhatTheApplicationWrote(t *testing.T) {
	t.Parallel()

	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("keep logs ", keep), func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			d, r := a.deployer(), a.request("log")
			r.Deployment[prefix+"delete-files-on-exit"] = strconv.FormatBool(!keep)
			h := a.deploy(d, r)
			dir := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["working.dir"]
			require.NoError(t, os.WriteFile(filepath.Join(dir, "precious"), nil, 0o600))

			require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))

			await(t, d, h, skipper.StateUnknown)
			require.FileExists(t, filepath.Join(dir, "precious"))
			_, err := os.Stat(filepath.Join(dir, "stdout_0.log"))
			require.Equal(t, keep, err == nil)
		})
	}
}

func TestUndeploy_RemovesTheWorkingDirectory(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)

	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))

	left, err := os.ReadDir(a.config.Settings.WorkingDirectoriesRoot)
	require.NoError(t, err)
	require.Empty(t, left)
}

// Another server on the same store must not take the processes of this machine for dead ones of its own.
func TestAnotherMachine(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	var data map[string]any
	require.NoError(t, json.Unmarshal(h.Data, &data))
	data["host"], data["boot"] = "elsewhere", "another boot"
	elsewhere := h
	var err error
	elsewhere.Data, err = json.Marshal(data)
	require.NoError(t, err)

	all, err := d.Status(t.Context(), []deployer.Handle{elsewhere})
	require.NoError(t, err)
	require.Equal(t, skipper.StateError, all[h.ID].State)
	require.ErrorIs(t, d.Undeploy(t.Context(), r.Owner, elsewhere), deployer.ErrUnavailable)
	_, err = d.Scale(t.Context(), r, elsewhere, 2, nothing)
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	_, err = d.Logs(t.Context(), elsewhere, 1)
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	_, err = d.Deploy(t.Context(), r, &elsewhere, nothing)
	require.ErrorIs(t, err, deployer.ErrUnavailable)
	await(t, d, h, skipper.StateDeployed)
}

func TestStatus_OneUnreadableHandleDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	h := a.deploy(d, a.request("log"))
	await(t, d, h, skipper.StateDeployed)

	all, err := d.Status(t.Context(), []deployer.Handle{
		h, {ID: "torn", Data: []byte("{")}, {ID: "newer", Data: []byte(`{"format":99}`)},
	})

	require.NoError(t, err)
	require.Equal(t, skipper.StateDeployed, all[h.ID].State)
	require.Equal(t, skipper.StateError, all["torn"].State)
	require.Equal(t, skipper.StateError, all["newer"].State)
}

func TestDiscover_KnowsOnlyItsAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	h := a.deploy(d, a.request("log"))
	await(t, d, h, skipper.StateDeployed)
	a.config.Account = "other"

	found, err := a.deployer().Discover(t.Context(), deployer.Owner{Installation: a.config.Installation})
	a.config.Account = "default"

	require.NoError(t, err)
	require.Empty(t, found)
}

func TestID_RefusesWhatHasNoName(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	for _, change := range []func(*deployer.Request){
		func(r *deployer.Request) { r.Group = "" },
		func(r *deployer.Request) { r.Name = "" },
		func(r *deployer.Request) { r.Group = strings.Repeat("x", 255) },
	} {
		r := a.request("log")
		change(&r)
		_, err := a.deployer().ID(r)
		require.ErrorIs(t, err, deployer.ErrInvalid)
	}
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Group, r.Owner.Release = "Odd_Name.1 x/../../%2F é", "Odd_Name.1 x/../../%2F é"
	h := a.deploy(d, r)

	status := await(t, d, h, skipper.StateDeployed)

	dir := status.Instances[h.ID+"-0"].Attributes["working.dir"]
	require.Equal(t, a.config.Settings.WorkingDirectoriesRoot, filepath.Dir(filepath.Dir(dir)))
	await(t, a.deployer(), deployer.Handle{ID: h.ID}, skipper.StateDeployed)
}

func TestJava_RunsJars(t *testing.T) {
	t.Parallel()
	jar := sampleJar(t)
	a := newAccount(t)
	d, r := a.deployer(), a.request("java")
	r.Resource.Location, r.Resource.Version = "file://"+strings.TrimSuffix(jar, "-1.0.0.jar"), "1.0.0"
	r.Deployment["spring.cloud.deployer.memory"] = "80m"
	h := a.deploy(d, r)
	port := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes["port"]

	require.Eventually(t, func() bool {
		logs, err := d.Logs(t.Context(), h, 1<<10)
		return err == nil && strings.Contains(logs, "stdout:\nheap ") && strings.Contains(logs, " listening on "+port)
	}, patience, 25*time.Millisecond)
	command, err := os.ReadFile("/proc/" + marked(a.config.Installation)[0] + "/cmdline")
	require.NoError(t, err)
	require.Contains(t, string(command), "\x00-Xmx80m\x00-jar\x00"+jar+"\x00")
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.Empty(t, marked(a.config.Installation))
}

// sampleJar builds a jar where there is a JDK.
func sampleJar(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"java", "javac", "jar"} {
		if _, err := exec.LookPath(tool); err != nil {
			require.NotContains(t, os.Getenv("SKIFF_TEST_REQUIRE"), "java", "%s is required", tool)
			t.Skip(tool + " is not installed")
		}
	}
	dir := t.TempDir()
	jar := filepath.Join(dir, "sample-1.0.0.jar")
	for _, args := range [][]string{
		{"javac", "-d", dir, "testdata/Sample.java"},
		{"jar", "--create", "--file", jar, "--main-class", "Sample", "-C", dir, "Sample.class"},
	} {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return jar
}

func TestJava_IsNamedWhenItIsMissing(t *testing.T) {
	t.Parallel()
	a, file := newAccount(t), filepath.Join(t.TempDir(), "app.jar")
	require.NoError(t, os.WriteFile(file, []byte("PK\x03\x04"), 0o600))
	d, r := a.deployer(), a.request("java")
	r.Resource.Location, r.Resource.Version = "file://"+file, ""
	r.Deployment[prefix+"javaCmd"] = "/no/such/java"

	_, err := d.Deploy(t.Context(), r, nil, nothing)

	require.ErrorIs(t, err, deployer.ErrInvalid)
	require.ErrorContains(t, err, "/no/such/java")
	require.ErrorContains(t, err, "JAVA_HOME")
}

func TestJava_OfTheApplicationsSpringBoot(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	file := filepath.Join(dir, "app.jar")
	require.NoError(t, os.WriteFile(file, []byte("PK\x03\x04"), 0o600))
	home := filepath.Join(dir, "java8")
	require.NoError(t, os.MkdirAll(filepath.Join(home, "bin"), 0o700))
	script := "#!/bin/sh\necho java8 \"$@\"\nexec tail -f /dev/null\n"
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o700))
	d, r := a.deployer(), a.request("java")
	r.Resource.Location, r.Resource.Version = "file://"+file, ""
	r.Deployment[prefix+"java-home-path.2"], r.Deployment["spring.cloud.deployer.bootVersion"] = home, "2"
	r.Deployment[prefix+"javaOpts"], r.Deployment["spring.cloud.deployer.memory"] = "-Da=b -Xmx33m", "1g"
	r.Deployment[prefix+"debug-port"], r.Deployment[prefix+"debug-suspend"] = "5005", "n"
	h := a.deploy(d, r)

	require.Eventually(t, func() bool {
		logs, err := d.Logs(t.Context(), h, 1<<10)
		return err == nil && logs == "stdout:\njava8 -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=5005 "+
			"-Da=b -Xmx33m -jar "+file+"\n"
	}, patience, 25*time.Millisecond)
}

func TestPing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	require.NoError(t, a.deployer().Ping(t.Context()))
	a.config.Settings.WorkingDirectoriesRoot = "/proc/no/such"
	d, err := local.New(a.config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close(context.WithoutCancel(t.Context()))) })

	require.ErrorIs(t, d.Ping(t.Context()), deployer.ErrUnavailable)
}
