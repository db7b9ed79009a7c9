package main_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

// edge is a fake of Edgegap and the configuration of a server with an account there, named live.
type edge struct {
	*edgegaptest.Fake

	t      *testing.T
	url    string
	config string // file
}

func onEdge(t *testing.T, o edgegaptest.Options, settings ...string) *edge {
	t.Helper()
	server, err := edgegaptest.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	e := &edge{Fake: server.Fake, t: t, url: server.URL, config: filepath.Join(t.TempDir(), "skiff.yml")}
	e.account(append([]string{
		"connection: {base-url: '" + server.URL + "', token: " + edgegaptest.DefaultToken + ", timeout: 2s}",
		"poll-interval: 200ms", "poll-interval-idle: 300ms",
	}, settings...)...)
	return e
}

// account writes the settings of the account.
func (e *edge) account(settings ...string) {
	e.t.Helper()
	text := "operation: {undo-timeout: 2s}\nplatform.edgegap.accounts.live:\n  " + strings.Join(settings, "\n  ") + "\n"
	require.NoError(e.t, os.WriteFile(e.config, []byte(text), 0o600))
}

// serve starts a server with the account, and gives it the packages of the game server.
func (e *edge) serve(dir string) *process {
	e.t.Helper()
	p := serveWith(e.t, dir, 200*time.Millisecond, "--config", e.config)
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		if out, code := p.skiff("package", "upload", sample("game-server-"+version)); code != 0 {
			require.Contains(e.t, out, "already exists", "it is there since the last start")
		}
	}
	return p
}

// playing counts the game servers of a version that are ready, and that nobody asked to stop.
func (e *edge) playing(tag string) int {
	n := 0
	for _, d := range e.Running() {
		if d.Image == "docker.io/acme/arena:"+tag && d.State == "Status.READY" && !d.Stopping {
			n++
		}
	}
	return n
}

// empty waits until nothing costs money any more, and looks at everything there ever was.
func (e *edge) empty() {
	e.t.Helper()
	eventually(e.t, "nothing is left", func() bool { return len(e.Running()) == 0 })
	for _, d := range e.Started() {
		require.False(e.t, d.Ended.IsZero(), "%s %s", d.RequestID, d.State)
	}
	require.Empty(e.t, e.Leaks())
}

// gameValues writes a values file with deployment properties.
func gameValues(t *testing.T, properties ...string) string {
	t.Helper()
	if len(properties) == 0 {
		return write(t, "{}\n")
	}
	text := "spec:\n  deploymentProperties:\n"
	for _, p := range properties {
		text += "    spring.cloud.deployer." + p + "\n"
	}
	return write(t, text)
}

func TestEdgegap_ReleasesAGameServer(t *testing.T) {
	t.Parallel()
	e := onEdge(t, edgegaptest.Options{})
	p := e.serve(dataDir(t))
	require.Contains(t, p.must("platform", "list"), "edgegap")
	p.must("release", "install", "match", "--package-name", "game-server", "--package-version", "1.0.0", "--platform-name", "live",
		"--wait", "--timeout", "60s")
	require.Equal(t, 2, e.playing("1.0.0"))
	require.ElementsMatch(t, []string{"Montreal", "Frankfurt"}, []string{e.Running()[0].City, e.Running()[1].City})
	status := p.must("release", "status", "match")
	require.Contains(t, status, "match.arena-v1-1")
	require.Contains(t, status, e.Running()[0].RequestID+".pr.edgegap.net:", "where players go to")
	require.Contains(t, p.must("release", "logs", "match"), "match-arena 1.0.0")
	listed := p.must("edgegap", "deployments", "--app", "match-arena", "--config", e.config)
	require.Equal(t, 2, strings.Count(listed, "\tREADY\t"), listed)

	answer, err := http.Post(p.url+"/api/release/scale/match", "application/json",
		strings.NewReader(`{"scale":[{"name":"arena","count":3}]}`))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusCreated, answer.StatusCode)
	eventually(t, "a third one is ready", func() bool { return e.playing("1.0.0") == 3 })

	t.Log("upgrade: the matches of the version before go on")
	p.must("release", "upgrade", "match", "--package-name", "game-server", "--package-version", "1.1.0", "--wait", "--timeout", "60s",
		"--file", gameValues(t, "edgegap.drain-seconds: 2"))
	require.Equal(t, 3, e.playing("1.1.0"), "as many as were scaled to")
	require.Equal(t, 3, e.playing("1.0.0"), "nobody was thrown out")
	status = p.must("release", "status", "match")
	require.Contains(t, status, "DEPLOYED")
	require.Contains(t, status, "Draining:         match.arena-v1 of version 1, 3 instances run, until ")
	over := e.Running()[0]
	require.Equal(t, "docker.io/acme/arena:1.0.0", over.Image)
	e.selfStop(over)
	eventually(t, "one match has ended by itself, and the server knows", func() bool {
		return e.playing("1.0.0") == 2 && strings.Contains(p.must("release", "status", "match"), "2 instances run")
	})

	t.Log("upgrades that fail: the image is looked at first, or only when it is pulled")
	out, code := p.skiff("release", "upgrade", "match", "--package-name", "game-server", "--package-version", "1.2.0", "--wait",
		"--timeout", "30s")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "The image docker.io/acme/arena:missing cannot be pulled")
	require.Equal(t, 3, e.playing("1.1.0"))
	unverified := gameValues(t, "edgegap.verify-image: false")
	out, code = p.skiff("release", "upgrade", "match", "--package-name", "game-server", "--package-version", "1.2.0", "--wait",
		"--timeout", "4s", "--file", unverified)
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "Unable to pull image from registry")
	require.Equal(t, 3, e.playing("1.1.0"))
	eventually(t, "what failed is gone", func() bool { return len(e.Running()) == 3+2 })

	t.Log("rollback: the version that was made for the first install is found again")
	versions := len(e.Journal("create-version"))
	p.must("release", "rollback", "match", "--release-version", "1", "--wait", "--timeout", "60s")
	require.Equal(t, 3+2, e.playing("1.0.0"), "the first two play still")
	require.Len(t, e.Journal("create-version"), versions)
	eventually(t, "the matches on 1.1.0 have had their time", func() bool { return e.playing("1.1.0") == 0 })
	require.Contains(t, p.must("release", "status", "match"), "Draining:         match.arena-v1")
	p.must("release", "delete", "match")
	e.empty()
	eventually(t, "nothing is remembered as running", func() bool {
		return strings.Contains(p.must("release", "orphans"), "No orphans")
	})
	status = p.must("release", "status", "match")
	require.Contains(t, status, "DELETED")
	require.NotContains(t, status, "Draining")
}

// selfStop is what a game server does at the end of its match, in its container.
func (e *edge) selfStop(d edgegaptest.Record) {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), built.skiff, "edgegap", "self-stop")
	cmd.Env = append(os.Environ(), "ARBITRIUM_DELETE_URL="+e.url+d.DeleteURL, "ARBITRIUM_DELETE_TOKEN="+d.DeleteToken)
	out, err := cmd.CombinedOutput()
	require.NoError(e.t, err, string(out))
}

// The server dies while answers are on their way: some deployments were made and nobody heard of it, others never were.
func TestEdgegap_KillInTheMiddleOfAnInstall_LeaksAndDoublesNothing(t *testing.T) {
	t.Parallel()
	const count = 8
	slow := func(call string, after, times int) edgegaptest.Fault {
		return edgegaptest.Fault{
			Kind: edgegaptest.FaultSlow, Call: call, After: after, Times: times, Delay: 1500 * time.Millisecond,
		}
	}
	for name, faults := range map[string][]edgegaptest.Fault{
		"deploys that were not made":  {slow("deploy", 3, count-3)},
		"answers that were never got": {{Kind: edgegaptest.FaultDropAfter, Call: "deploy", Times: count}, slow("list", 0, 5)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onEdge(t, edgegaptest.Options{})
			dir := dataDir(t)
			p := e.serve(dir)
			e.Script(faults...)
			file := gameValues(t, "count: 8")
			go p.skiff("release", "install", "match", "--package-name", "game-server", "--package-version", "1.0.0",
				"--platform-name", "live", "--file", file) // its connection breaks
			eventually(t, "some are made", func() bool { return len(e.Started()) >= 3 })
			p.kill()
			t.Logf("killed with %d of %d made", len(e.Started()), count)

			p = e.serve(dir)
			eventually(t, "the operation has ended", func() bool { return p.ended("match") })
			eventually(t, "all are ready", func() bool { return e.playing("1.0.0") == count })
			require.Contains(t, p.must("release", "status", "match"), "DEPLOYED")
			require.Len(t, e.Started(), count, "none was asked for twice")
			p.must("release", "delete", "match")
			e.empty()
		})
	}
}

// What is wrong with a configuration is said in one sentence, as early as it can be known, and leaves nothing running.
func TestEdgegap_BadConfiguration(t *testing.T) {
	t.Parallel()
	const key = "spring.cloud.deployer.edgegap."
	for name, test := range map[string]struct {
		token    string // another one than the right one
		settings []string
		values   []string // of the package
		hello    bool     // another package
		fake     edgegaptest.Options
		before   string // a command line for Edgegap

		start bool // it is known when the server starts
		want  string
	}{
		"no token": {
			token: "max-retries: 2", start: true,
			want: "platform.edgegap.accounts.live.connection.token must be set, or connection.token-env name the variable that holds it",
		},
		"no variable with the token": {
			token: "token-env: NO_SUCH_VARIABLE", start: true, want: "platform.edgegap.accounts.live: connection.token is empty; set it",
		},
		"a default that is not known": {
			settings: []string{"deployment: {cpu-unit: 512}"}, start: true,
			want: "platform.edgegap.accounts.live: " + key + "cpu-unit is not known; did you mean " + key + "cpu-units?",
		},
		"a wrong token": {
			token: "token: 22222222-2222-4333-8444-555555555555", want: "Unauthorized: the header must be Authorization: token <token>; " +
				"check the token of the account",
		},
		"an application that is not allowed": {
			settings: []string{"allowed-applications: [duel]"},
			want:     "application match-arena is not one that the account allows (allowed-applications); set " + key + "application to one",
		},
		"an application that is not active": {
			before: "apps create match-arena --inactive", want: "application match-arena is not active on Edgegap; activate it there",
		},
		"the bound of the account": {
			settings: []string{"max-concurrent-deployments: 1"},
			want:     "needs 2 more deployments, 0 are there, and the account allows 1 (max-concurrent-deployments)",
		},
		"the bound of an application": {
			settings: []string{"max-instances-per-app: 1"},
			want:     "spring.cloud.deployer.count is 2; the account allows 1 (max-instances-per-app)",
		},
		"the quota of the organization": {
			fake: edgegaptest.Options{FreeTier: true}, want: "Edgegap said: You have reached you Deployment limit of 1; remove what is not " +
				"needed, or raise the limit of the organization",
		},
		"an image that cannot be pulled": {want: "cannot be pulled; check the image, its tag and the login of its registry"},
		"a property that is not known": {
			values: []string{"edgegap.cpu-unit: 512"}, want: key + "cpu-unit is not known; did you mean " + key + "cpu-units?",
		},
		"a value out of bounds": {
			values: []string{"edgegap.max-duration-minutes: 2000"}, want: key + `max-duration-minutes is "2000"; a number from -1 to 1440 is due`,
		},
		"a property of the older call": {
			values: []string{"edgegap.command: run"}, want: key + "filters, command, arguments and log-storage need " + key + "api=v1",
		},
		"no place": {
			values: []string{"edgegap.locations: ''"}, want: "nobody says where instance 0 is to run; set " + key + "users.ip-addresses",
		},
		"an application of another platform": {
			hello: true, want: "resources with the scheme file: cannot run on Edgegap; use docker: and an image",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := onEdge(t, test.fake)
			token := "token: " + edgegaptest.DefaultToken
			if test.token != "" {
				token = test.token
			}
			e.account(append([]string{
				"connection: {base-url: '" + e.url + "', " + token + ", timeout: 2s}", "poll-interval: 200ms",
			}, test.settings...)...)
			if test.start {
				out, said, code := author(t, t.TempDir(), "server", "--port", "0", "--data-dir", t.TempDir(), "--config", e.config)
				require.Equal(t, 7, code)
				require.Empty(t, out)
				e.oneSentence(said, test.want)
				return
			}
			p := e.serve(dataDir(t))
			if test.before != "" {
				p.must(append(append([]string{"edgegap"}, strings.Fields(test.before)...), "--config", e.config)...)
			}
			name, version := "game-server", "1.0.0"
			switch {
			case test.hello:
				p.must("package", "upload", sample("hello-1.0.0"))
				name = "hello"
			case strings.Contains(test.want, "cannot be pulled"):
				version = "1.2.0"
			}
			out, code := p.skiff("release", "install", "match", "--package-name", name, "--package-version", version,
				"--platform-name", "live", "--file", gameValues(t, test.values...), "--wait", "--timeout", "20s")
			require.Equal(t, 4, code, out)
			e.oneSentence(out, test.want)
			require.Empty(t, e.Leaks())
			_, code = p.skiff("release", "status", "match")
			require.Equal(t, 3, code, "there is no such release")
		})
	}
}

// oneSentence is the error of a command line: it says what is wanted, once, and no token.
func (e *edge) oneSentence(out, want string) {
	e.t.Helper()
	at := max(0, strings.Index(out, "error: ")) // progress stands before it
	sentence, details, _ := strings.Cut(out[at:], "\n")
	require.True(e.t, strings.HasPrefix(sentence, "error: "), out)
	require.Equal(e.t, 1, strings.Count(sentence, want), out)
	require.NotContains(e.t, details, "error: ")
	require.NotContains(e.t, out, edgegaptest.DefaultToken)
	require.NotContains(e.t, out, "22222222-")
}
