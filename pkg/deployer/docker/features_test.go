package docker_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/docker/dockertest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const prefix = "spring.cloud.deployer.docker."

func TestDeploy_TheContainerIsAsAskedFor(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	network := a.group + "-net"
	a.createNetwork(network)
	volume := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(volume, "x"), nil, 0o600))
	for name, value := range map[string]string{
		"network": network, "portMappings": "127.0.0.1::9090, 5353/udp", "volume-mounts": volume + ":/data:ro," + a.group + ":/named",
		"additional-hosts": "db:10.1.2.3,six:::1", "restart-policy": "on-failure:4", "container.name": a.group + "-x",
	} {
		r.Deployment[prefix+name] = value
	}
	r.Deployment["spring.cloud.deployer.memory"], r.Deployment["spring.cloud.deployer.cpu"] = "64m", "500m"
	r.Properties["hello.greeting"] = "moin"
	t.Cleanup(func() { a.removeVolume(a.group) })
	h := a.deploy(d, r)

	status := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]

	c := a.inspect(a.group + "-x-0")
	require.Equal(t, a.group+"-x-0", status.Attributes["container.name"])
	require.Equal(t, imageName+":1.0.0", status.Attributes["image"])
	require.Equal(t, int64(64<<20), c.HostConfig.Memory)
	require.Equal(t, int64(500_000_000), c.HostConfig.NanoCPUs)
	require.Equal(t, container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 4}, c.HostConfig.RestartPolicy)
	require.False(t, c.HostConfig.AutoRemove)
	require.Equal(t, []string{"db:10.1.2.3", "six:::1"}, c.HostConfig.ExtraHosts)
	require.Equal(t, []string{volume + ":/data:ro", a.group + ":/named"}, c.HostConfig.Binds)
	require.Contains(t, c.NetworkSettings.Networks, network)
	require.Equal(t, 5, *c.Config.StopTimeout)
	require.Contains(t, c.Config.Env, "deployerId="+h.ID)
	ports := map[string]string{}
	for port, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			ports[port.String()] = b.HostIP.String()
			require.NotEmpty(t, b.HostPort)
		}
	}
	require.Equal(t, map[string]string{"8080/tcp": "127.0.0.1", "9090/tcp": "127.0.0.1", "5353/udp": "127.0.0.1"}, ports)
	for label, want := range map[string]string{
		"installation": a.config.Installation, "account": "box", "release": "demo", "version": "1", "app": "log",
		"deployment-id": h.ID, "index": "0", "spec-hash": h.SpecHash,
	} {
		require.Equal(t, want, c.Config.Labels["io.skiff."+label], label)
	}
	told, err := seen(d)(t.Context(), h)
	require.NoError(t, err)
	require.Equal(t, "moin", told["hello.greeting"])
	require.Equal(t, "8080", told["server.port"])
	require.NotContains(t, strings.Join(c.Config.Env, " "), "HOME=/nowhere", "nothing of the server is inherited")
}

func TestDeploy_WithVariables(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"useSpringApplicationJson"], r.Properties["a.b-c"] = "false", "x\ny"
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)

	told, err := seen(d)(t.Context(), h)

	require.NoError(t, err)
	require.Equal(t, "x\ny", told["a.b-c"])
	require.NotContains(t, told, "SPRING_APPLICATION_JSON")
}

func TestDeploy_Ports(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	low := freeRange(t, 3)

	fixed := a.request("fixed")
	fixed.Count, fixed.Properties["server.port"] = 2, "7070"
	ranged := a.request("ranged")
	ranged.Count, ranged.Deployment[prefix+"port-range.low"], ranged.Deployment[prefix+"port-range.high"] =
		2, strconv.Itoa(low), strconv.Itoa(low+3)
	one, two := a.deploy(d, fixed), a.deploy(d, ranged)

	for _, h := range []deployer.Handle{one, two} {
		used := map[string]bool{}
		for _, i := range await(t, d, h, skipper.StateDeployed).Instances {
			used[i.Attributes["port"]] = true
			require.Equal(t, "http://127.0.0.1:"+i.Attributes["port"], i.Attributes["url"])
			port, err := strconv.Atoi(i.Attributes["port"])
			require.NoError(t, err)
			if h.ID == two.ID {
				require.GreaterOrEqual(t, port, low)
				require.Less(t, port, low+3)
			}
		}
		require.Len(t, used, 2)
	}
	unknown := a.request("unknown")
	unknown.Properties["server.port"] = "0"
	h := a.deploy(d, unknown)
	require.NotContains(t, await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"].Attributes, "url")
}

// freeRange finds ports in a row that nobody listens on.
func freeRange(t *testing.T, count int) int {
	t.Helper()
	for low := 20000 + os.Getpid()%5000; ; low += count {
		open := 0
		for n := range count {
			listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(low+n))
			if err == nil {
				open++
				require.NoError(t, listener.Close())
			}
		}
		if open == count {
			return low
		}
		require.Less(t, low, 60000)
	}
}

func TestDeploy_InTheNetworkOfTheHost(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"network"] = "host"
	require.ErrorContains(t, d.Validate(t.Context(), r), "set the application property server.port")
	port := strconv.Itoa(freeRange(t, 1))
	r.Properties["server.port"] = port
	h := a.deploy(d, r)

	i := await(t, d, h, skipper.StateDeployed).Instances[h.ID+"-0"]

	require.Equal(t, "http://127.0.0.1:"+port, i.Attributes["url"])
}

func TestDeploy_RefusesWithASentence(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	for name, c := range map[string]struct {
		change func(r *deployer.Request)
		want   error
		says   string
	}{
		"an unknown property": {property("port-maping", "1:1"), deployer.ErrInvalid, "port-maping: there is no such property"},
		"a mapping":           {property("port-mappings", "80:x"), deployer.ErrInvalid, `"80:x" is none`},
		"a protocol":          {property("port-mappings", "80:80/ip"), deployer.ErrInvalid, `"80:80/ip" is none`},
		"a mount":             {property("volume-mounts", "/data"), deployer.ErrInvalid, "source:target is due"},
		"a host":              {property("additional-hosts", "db"), deployer.ErrInvalid, "name:address is due"},
		"a policy":            {property("restart-policy", "sometimes"), deployer.ErrInvalid, "restart-policy is"},
		"a pull policy":       {property("image-pull-policy", "x"), deployer.ErrInvalid, "image-pull-policy is"},
		"a range":             {property("port-range.low", "5"), deployer.ErrInvalid, "port-range"},
		"an address":          {property("publish-address", "here"), deployer.ErrInvalid, "an IP address is due"},
		"a name":              {property("container.name", "a b"), deployer.ErrInvalid, "container.name is"},
		"a switch":            {property("delete-container-on-exit", "x"), deployer.ErrInvalid, "true or false is due"},
		"a number":            {property("shutdown-timeout", "x"), deployer.ErrInvalid, "a number is due"},
		"a network":           {property("network", "no-such-network"), deployer.ErrInvalid, "has no network no-such-network"},
		"memory":              {func(r *deployer.Request) { r.Deployment["spring.cloud.deployer.memory"] = "1m" }, deployer.ErrInvalid, "at least 6m"},
		"processors": {
			func(r *deployer.Request) { r.Deployment["spring.cloud.deployer.cpu"] = "many" }, deployer.ErrInvalid,
			"a number of processors is due",
		},
		"one port for two": {func(r *deployer.Request) {
			r.Count, r.Deployment[prefix+"port-mappings"] = 2, "8080:80"
		}, deployer.ErrInvalid, "which 2 instances cannot share"},
		"a release that cannot be a name": {func(r *deployer.Request) { r.Group = "über" }, deployer.ErrInvalid, "cannot be the name"},
		"another scheme": {
			func(r *deployer.Request) { r.Resource = resource.Ref{Location: "file:///x"} }, deployer.ErrUnsupported,
			"use docker:",
		},
		"no image": {func(r *deployer.Request) { r.Resource = resource.Ref{Location: "docker:A b"} }, deployer.ErrInvalid, "is not the name of an image"},
		"a digest and a version": {
			func(r *deployer.Request) { r.Resource.Location += "@" + digestOf(nil) }, deployer.ErrInvalid,
			"leave one of them out",
		},
	} {
		r := a.request("log")
		c.change(&r)

		_, err := d.Deploy(t.Context(), r, nil, nothing)

		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, c.says, name)
	}
	require.Empty(t, a.containers())
}

func property(name, value string) func(r *deployer.Request) {
	return func(r *deployer.Request) { r.Deployment[prefix+name] = value }
}

func TestDeploy_LeavesTheContainersOfOthersAlone(t *testing.T) {
	t.Parallel()
	a, other := newAccount(t), newAccount(t)
	other.group = a.group
	theirs := other.deploy(other.deployer(), other.request("log"))
	before := other.inspect(theirs.ID + "-0")
	d, r := a.deployer(), a.request("log")

	_, err := d.Deploy(t.Context(), r, nil, nothing)

	require.ErrorIs(t, err, deployer.ErrExists)
	require.ErrorContains(t, err, "is there already and not ours")
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, deployer.Handle{ID: theirs.ID}))
	require.Equal(t, before.ID, other.inspect(theirs.ID+"-0").ID)
	require.Empty(t, a.containers())
}

func TestStatus_SaysWhyAnInstanceIsNotWell(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	engine.Import(t, a.group+":sick", program(t), `HEALTHCHECK --interval=1s --retries=1 CMD ["/hello","--hello.exit=x"]`)
	engine.Import(t, a.group+":well", program(t), `HEALTHCHECK --interval=1s --retries=1 CMD ["/hello","--hello.exit=0"]`)
	engine.Import(t, a.group+":none", program(t), `ENTRYPOINT ["/no-such-program"]`)
	d := a.deployer()
	for app, c := range map[string]struct {
		change func(r *deployer.Request)
		state  skipper.DeploymentState
		reason string
		final  string
	}{
		"sick":  {image(a.group, "sick"), skipper.StateFailed, "its health check fails: ", ""},
		"well":  {image(a.group, "well"), skipper.StateDeployed, "", ""},
		"none":  {image(a.group, "none"), skipper.StateFailed, "it cannot be started: ", "true"},
		"mount": {property("volume-mounts", "/dev/null:/proc/1"), skipper.StateFailed, "it cannot be started: ", "true"},
		"probe": {property("health-probe.path", "/missing/%zz"), skipper.StateFailed, "its health probe", ""},
		"alive": {property("health-probe.path", "/actuator/health"), skipper.StateDeployed, "", ""},
		"up":    {property("startup-probe.path", "actuator/health"), skipper.StateDeployed, "", ""},
		"loop": {func(r *deployer.Request) {
			r.Deployment[prefix+"restart-policy"], r.Properties["hello.exit"] = "always", "7"
		}, skipper.StateFailed, "exited with code 7; it was started again", ""},
		"three": {func(r *deployer.Request) {
			r.Deployment[prefix+"restart-policy"], r.Properties["hello.exit"] = "on-failure:1", "7"
		}, skipper.StateFailed, "exited with code 7", ""},
	} {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			r := a.request(app)
			c.change(&r)
			id, err := d.ID(r)
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, d.Undeploy(context.WithoutCancel(t.Context()), r.Owner, deployer.Handle{ID: id}))
			})
			h, err := d.Deploy(t.Context(), r, nil, nothing)
			require.NoError(t, err)

			attributes := await(t, d, h, c.state).Instances[h.ID+"-0"].Attributes

			require.Contains(t, attributes["reason"], c.reason)
			if c.final != "" {
				require.Equal(t, c.final, attributes["final"])
				again, err := d.Deploy(t.Context(), r, &h, nothing)
				require.NoError(t, err)
				await(t, d, again, c.state)
			}
		})
	}
}

// hog takes memory until it is stopped.
const hog = `package main

import "fmt"

func main() {
	var all [][]byte
	for n := 0; ; n++ {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		if all = append(all, b); n%10 == 0 {
			fmt.Println(n, "MiB")
		}
	}
}
`

func TestStatus_SaysThatThereWasNotEnoughMemory(t *testing.T) {
	t.Parallel()
	a, dir := newAccount(t), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(hog), 0o600))
	require.NoError(t, dockertest.Build(filepath.Join(dir, "hog"), filepath.Join(dir, "main.go")))
	engine.Import(t, a.group+":hog", filepath.Join(dir, "hog"))
	d, r := a.deployer(), a.request("log")
	image(a.group, "hog")(&r)
	r.Deployment["spring.cloud.deployer.memory"] = "32m"
	h := a.deploy(d, r)

	attributes := await(t, d, h, skipper.StateFailed).Instances[h.ID+"-0"].Attributes

	require.Equal(t, "exited with code 137: it ran out of memory (limit 32m)", attributes["reason"])
	require.Equal(t, "137", attributes["exitCode"])
}

func image(name, tag string) func(r *deployer.Request) {
	return func(r *deployer.Request) { r.Resource = resource.Ref{Location: "docker:" + name, Version: tag} }
}

func TestStatus_AContainerThatOthersRemoved(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Count = 2
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	_, err := engine.Client(t).ContainerRemove(t.Context(), h.ID+"-1", client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)

	status := await(t, d, h, skipper.StatePartial)

	require.Contains(t, status.Instances[h.ID+"-1"].Attributes["reason"], "was removed, but not by this server")
	h, err = d.Deploy(t.Context(), r, &h, nothing)
	require.NoError(t, err)
	require.Len(t, await(t, d, h, skipper.StateDeployed).Instances, 2)
}

func TestUndeploy_EndsWhatDoesNotWantTo(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.stubborn"], r.Properties["hello.child"] = "true", "true"
	r.Deployment[prefix+"shutdown-timeout"], r.Count = "1", 2
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	began := time.Now()

	// Calls with less time than the grace period come to the end of it together.
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := d.Undeploy(ctx, r.Owner, h)
		cancel()
		if err == nil {
			break
		}
		require.ErrorIs(t, err, deployer.ErrUnavailable)
		require.Less(t, time.Since(began), patience)
	}

	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.Empty(t, a.containers())
	await(t, d, h, skipper.StateUnknown)
}

func TestUndeploy_KeepsContainersThatAreToBeKept(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"delete-container-on-exit"], r.Deployment[prefix+"restart-policy"] = "false", "always"
	for n := range 2 {
		h := a.deploy(d, r)
		await(t, d, h, skipper.StateDeployed)
		require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))

		await(t, d, h, skipper.StateUnknown)
		found, err := d.Discover(t.Context(), deployer.Owner{Installation: a.config.Installation})
		require.NoError(t, err)
		require.Empty(t, found)
		require.Equal(t, map[string]int{"exited": n + 1}, a.states())
		for _, name := range a.containers() {
			require.True(t, strings.HasPrefix(name, h.ID+"-0.kept-"), name)
			require.EqualValues(t, "no", a.inspect(name).HostConfig.RestartPolicy.Name)
		}
	}
	for _, id := range a.ids() {
		_, err := engine.Client(t).ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true})
		require.NoError(t, err)
	}
}

func TestUndeploy_LeavesNoVolumeAndNoNetwork(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	engine.Import(t, a.group+":volume", program(t), "VOLUME /data")
	d, r := a.deployer(), a.request("log")
	image(a.group, "volume")(&r)
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	mounts := a.inspect(h.ID + "-0").Mounts
	require.Len(t, mounts, 1)

	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))

	_, err := engine.Client(t).VolumeInspect(t.Context(), mounts[0].Name, client.VolumeInspectOptions{})
	require.ErrorContains(t, err, "no such volume")
}

func TestScale_RemovesTheHighestIndexes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Count, r.Indexed = 3, true
	h := a.deploy(d, r)
	first := a.inspect(h.ID + "-0").ID

	h, err := d.Scale(t.Context(), r, h, 1, nothing)

	require.NoError(t, err)
	require.Equal(t, []string{first}, a.ids())
	require.Len(t, await(t, d, h, skipper.StateDeployed).Instances, 1)
}

func TestLogs_OfABigOneTheEnd(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Properties["hello.exit"] = "x" // it says so on stderr
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateFailed)

	text, err := d.Logs(t.Context(), h, 1<<20)
	require.NoError(t, err)
	require.Equal(t, "stderr:\nhello: hello.exit: strconv.Atoi: parsing \"x\": invalid syntax\nstdout:\nsample-app args=\n", text)
	text, err = d.Logs(t.Context(), h, 20)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), len("stderr:\nstdout:\n")+41)
}

func TestReadLogs(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	r.Count = 2
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	read := func(o deployer.LogOptions) (lines []deployer.LogLine) {
		require.NoError(t, d.ReadLogs(t.Context(), h, o, func(l deployer.LogLine) error {
			lines = append(lines, l)
			return nil
		}))
		return lines
	}
	texts := func(o deployer.LogOptions) (out []string) {
		for _, l := range read(o) {
			out = append(out, strings.TrimPrefix(l.Instance, h.ID)+" "+l.Stream+" "+l.Text)
		}
		return out
	}
	args, listens := "stdout sample-app args=", "stdout sample-app listening on 8080"

	require.Equal(t, []string{"-0 " + args, "-0 " + listens, "-1 " + args, "-1 " + listens}, texts(deployer.LogOptions{}))
	require.Equal(t, []string{"-0 " + listens, "-1 " + listens}, texts(deployer.LogOptions{Tail: 1}))
	require.Equal(t, []string{"-1 " + args, "-1 " + listens}, texts(deployer.LogOptions{Instance: h.ID + "-1"}))
	require.Empty(t, texts(deployer.LogOptions{Since: time.Now().Add(time.Hour)}))
	require.Empty(t, texts(deployer.LogOptions{Tail: -1}))
	all := read(deployer.LogOptions{})
	require.WithinDuration(t, time.Now(), all[0].Time, patience)
	require.Equal(t, []string{"-0 " + listens}, texts(deployer.LogOptions{Instance: h.ID + "-0", Since: all[1].Time}))
	require.ErrorIs(t, d.ReadLogs(t.Context(), h, deployer.LogOptions{Instance: "x"}, nil), deployer.ErrNotFound)
	require.NoError(t, d.ReadLogs(t.Context(), deployer.Handle{ID: "x.y"}, deployer.LogOptions{Instance: "x", Follow: true}, nil))
}

func TestReadLogs_FollowsWhatIsNewUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	await(t, d, h, skipper.StateDeployed)
	got, ended := make(chan deployer.LogLine, 100), make(chan error, 1)
	go func() {
		ended <- d.ReadLogs(t.Context(), h, deployer.LogOptions{Follow: true, Tail: 1}, func(l deployer.LogLine) error {
			got <- l
			return nil
		})
	}()
	require.Contains(t, (<-got).Text, "listening")

	h, err := d.Scale(t.Context(), r, h, 2, nothing)
	require.NoError(t, err)

	for _, want := range []string{"sample-app args=", "sample-app listening on 8080"} {
		l := <-got
		require.Equal(t, h.ID+"-1", l.Instance)
		require.Equal(t, want, l.Text)
	}
	require.NoError(t, d.Undeploy(t.Context(), r.Owner, h))
	require.NoError(t, <-ended)
	require.Empty(t, got)
}

func TestReadLogs_EndsWithAnErrorOfTheReader(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	d := a.deployer()
	h := a.deploy(d, a.request("log"))
	await(t, d, h, skipper.StateDeployed)
	for _, o := range []deployer.LogOptions{{}, {Tail: 5}, {Follow: true}} {
		err := d.ReadLogs(t.Context(), h, o, func(deployer.LogLine) error { return context.Canceled })
		require.Equal(t, context.Canceled, err)
	}
}
