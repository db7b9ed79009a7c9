package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	testToken   = "11111111-2222-4333-8444-555555555555"
	otherToken  = "99999999-2222-4333-8444-555555555555"
	hiddenValue = "swordfish-4711"
)

// stage is a fake of Edgegap with an application, and the command line before it. Time passes only where something
// waits, and by later.
type stage struct {
	*bundle

	t     *testing.T
	fake  *edgegaptest.Fake
	url   string
	now   time.Time
	env   map[string]string
	lines []string // what was typed, and what came of it
}

func onStage(t *testing.T, o edgegaptest.Options) *stage {
	t.Helper()
	s := &stage{bundle: setup(t, nil), t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	o.Token, o.Seed, o.Now = testToken, 1, func() time.Time { return s.now }
	server, err := edgegaptest.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	s.fake, s.url = server.Fake, server.URL
	s.env = map[string]string{"EDGEGAP_TOKEN": testToken, "EDGEGAP_URL": s.url, "MATCH_KEY": hiddenValue}
	s.deps.Env = func(name string) string { return s.env[name] }
	s.deps.Clock = func() time.Time { return s.now }
	s.deps.after = func(d time.Duration) <-chan time.Time {
		s.now = s.now.Add(d)
		done := make(chan time.Time, 1)
		done <- s.now
		return done
	}
	return s
}

// types runs a command line; {1} is the request id of the first deployment there ever was, and so on.
func (s *stage) types(line string) int {
	s.t.Helper()
	var ids []string
	for i, d := range s.fake.Started() {
		ids = append(ids, fmt.Sprintf("{%d}", i+1), d.RequestID)
	}
	s.out.Reset()
	s.err.Reset()
	args := strings.Fields(strings.NewReplacer(ids...).Replace(line))
	code := s.run(s.t.Context(), args...)
	text := strings.ReplaceAll(s.transcript(args, code), s.url, "{{edgegap}}")
	for i, d := range s.fake.Started() { // as long as an id is, so that columns stay
		text = strings.ReplaceAll(text, d.RequestID, fmt.Sprintf("deployment-%d", i+1))
	}
	require.NotContains(s.t, text, testToken, "the token is not for everybody's eyes")
	require.NotContains(s.t, text, hiddenValue)
	s.lines = append(s.lines, text)
	return code
}

func (s *stage) later(d time.Duration) { s.now = s.now.Add(d) }

// ready makes an application with a version and starts deployments of it, of which the last still starts.
func (s *stage) ready(tags ...string) {
	s.t.Helper()
	for _, line := range []string{
		"edgegap apps create arena",
		"edgegap versions create arena 1.4.0 --image docker.io/acme/arena:1.4.0 --port game:7777/UDP --port web:8080/WS+tls",
	} {
		require.Zero(s.t, s.types(line), s.err.String())
	}
	for i, tag := range tags {
		require.Zero(s.t, s.types("edgegap deploy arena 1.4.0 --user-at 45.5:-73.6 --tag "+tag), s.err.String())
		if i < len(tags)-1 {
			s.later(2 * time.Second)
		}
	}
	s.lines = nil
}

func TestEdgegap(t *testing.T) {
	t.Parallel()
	const created = "edgegap versions create arena 1.5.0 --image docker.io/acme/arena:1.5.0"
	for name, test := range map[string]struct {
		tags   []string // of deployments that are there
		in     string
		person bool
		lines  []string
	}{
		"help":           {lines: []string{"edgegap --help", "edgegap tags", "edgegap bulk-stop --help"}},
		"locations":      {lines: []string{"edgegap locations", "edgegap locations --limit 2 --page 2 -o json"}},
		"locations, for": {lines: []string{"edgegap locations --app arena --app-version 1.4.0 --limit 1", "edgegap locations --app-version 1"}},
		"apps": {lines: []string{
			"edgegap apps create duel --inactive", "edgegap apps create duel", "edgegap apps create x", "edgegap apps list",
			"edgegap apps list --limit 1", "edgegap apps get duel -o json", "edgegap apps delete duel", "edgegap apps get duel",
			"edgegap apps create y --image nope.png", "edgegap apps",
		}},
		"versions": {lines: []string{
			created + " --port game:7777/UDP --env A=b=c --secret-env MATCH_KEY --max-minutes 60 --restart never",
			"edgegap versions list arena", "edgegap versions get arena 1.5.0 -o json", "edgegap versions get arena 9",
			"edgegap versions list nope", "edgegap versions delete arena 1.5.0 -o json", "edgegap versions list arena --page 1",
		}},
		"versions, wrong": {lines: []string{
			"edgegap versions create arena 2 --image arena", created + " --port game", created + " --registry-user robot",
			created + " --restart sometimes", created + " --memory-mb 9999", created + " --env novalue",
			created + " --secret-env NOT_SET", "edgegap versions create arena 2 --image docker.io/acme/arena:missing",
			"edgegap versions create arena", "edgegap versions create nope 1 --image docker.io/acme/arena:1",
		}},
		"deployments": {tags: []string{"ranked", "casual", "ranked"}, lines: []string{
			"edgegap deployments", "edgegap deployments --tag ranked --status ready", "edgegap deployments --tag casual -o json",
			"edgegap deployments --id {1},{2} --order created_at:desc", "edgegap deployments --app nope",
			"edgegap deployments --limit 2 --app arena --app-version 1.4.0", "edgegap deployments --filter tags:nin:ranked,other",
			"edgegap deployments --filter tags", "edgegap deployments --status starting", "edgegap deployments --order x",
			"edgegap deployments --tag a --filter tags:eq:b", "edgegap deployments --page 0", "edgegap deployments --limit 101",
		}},
		"status": {tags: []string{"ranked", "casual"}, lines: []string{
			"edgegap status {1}", "edgegap status {2}", "edgegap status {1} -o json", "edgegap status 0123456789ab",
			"edgegap status", "edgegap status {1} {2}",
		}},
		"logs": {tags: []string{"ranked", "casual"}, lines: []string{
			"edgegap logs {1}", "edgegap logs {1} -o json", "edgegap logs 0123456789ab",
		}},
		"metrics": {tags: []string{"ranked", "casual"}, lines: []string{
			"edgegap metrics {1} --step 30s", "edgegap metrics {1} --start 2026-11-22T12:00:00Z --end 2026-11-22T12:01:00Z",
			"edgegap metrics {1} --start yesterday", "edgegap metrics {1} --step 7s",
			"edgegap metrics {1} --start 2026-11-22T12:00:00Z --end 2026-11-22T11:00:00Z",
		}},
		"tags": {tags: []string{"ranked"}, lines: []string{
			"edgegap tags list {1}", "edgegap tags create {1} final", "edgegap tags create {1} final",
			"edgegap tags rename {1} final semi-final", "edgegap tags get {1} semi-final -o json", "edgegap tags delete {1} semi-final",
			"edgegap tags delete {1} semi-final", "edgegap tags list {1} -o json", "edgegap tags create {1} much-too-long-for-a-tag",
			"edgegap tags create {1}",
		}},
		"fleets": {lines: []string{
			"edgegap fleets hosts alpha", "edgegap fleets deploy arena 1.4.0 --host alpha-host-0 --user-ip 203.0.113.7",
			"edgegap fleets hosts alpha -o json", "edgegap fleets hosts nope",
			"edgegap fleets deploy arena 1.4.0 --user-ip 203.0.113.7", "edgegap fleets deploy arena --host alpha-host-0",
		}},
		"deploy": {lines: []string{
			"edgegap deploy arena 1.4.0 --user-ip 203.0.113.7 --env MODE=duel --secret-env MATCH_KEY --cpu-units 512 --memory-mib 1024",
			"edgegap deploy arena 1.4.0 --user-at 45.5:-73.6 -o json", "edgegap deploy arena 1.4.0", "edgegap deploy arena",
			"edgegap deploy arena 9.9.9 --user-ip 203.0.113.7", "edgegap deploy arena 1.4.0 --user-ip nonsense",
			"edgegap deploy arena 1.4.0 --user-at here", "edgegap deploy arena 1.4.0 --user-ip 203.0.113.7 --cpu-units 512",
			"edgegap deploy arena 1.4.0 --user-ip 203.0.113.7 --filter country:any:Canada",
		}},
		"deploy v1": {lines: []string{
			"edgegap deploy arena --v1 --user-ip 203.0.113.7 --filter country:any:Japan --command run --arguments fast",
			"edgegap deploy arena 1.4.0 --v1 --user-ip 203.0.113.7 -o json", "edgegap deploy arena --v1",
			"edgegap deploy arena --v1 --user-ip 203.0.113.7 --filter country:Japan",
			"edgegap deploy arena --v1 --user-ip 203.0.113.7 --user-at 45:45",
			"edgegap deploy arena --v1 --user-ip 203.0.113.7 --log-storage nowhere",
		}},
		"stop": {tags: []string{"a", "b", "c"}, lines: []string{
			"edgegap stop {3}", "edgegap stop {1} 0123456789ab -o json", "edgegap stop 0123456789ab", "edgegap stop",
			"edgegap stop {2} --log-storage nowhere", "edgegap deployments",
		}},
		"bulk-stop, nobody to ask": {tags: []string{"ranked", "casual"}, lines: []string{
			"edgegap bulk-stop --tag ranked", "edgegap deployments --tag ranked",
		}},
		"bulk-stop, no": {tags: []string{"ranked"}, person: true, in: "n\n", lines: []string{
			"edgegap bulk-stop --tag ranked", "edgegap deployments",
		}},
		"bulk-stop, no answer": {tags: []string{"ranked"}, person: true, lines: []string{"edgegap bulk-stop --all"}},
		"bulk-stop, yes": {tags: []string{"ranked", "casual", "ranked"}, person: true, in: "y\n", lines: []string{
			"edgegap bulk-stop --tag ranked", "edgegap deployments",
		}},
		"bulk-stop, unasked": {tags: []string{"ranked", "casual"}, lines: []string{
			"edgegap bulk-stop --app arena --app-version 1.4.0 --yes -o json", "edgegap bulk-stop --tag ranked --yes",
			"edgegap bulk-stop --tag ranked --yes -o json",
		}},
		"bulk-stop, wrong": {tags: []string{"ranked"}, lines: []string{
			"edgegap bulk-stop", "edgegap bulk-stop --yes", "edgegap bulk-stop --all --tag x", "edgegap bulk-stop everything",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, edgegaptest.Options{})
			require.NoError(t, s.fake.AddFleet("alpha", edgegaptest.Host{}, edgegaptest.Host{Pending: true}))
			s.ready(test.tags...)
			s.deps.In, s.deps.IsTTY = strings.NewReader(test.in), test.person
			for _, line := range test.lines {
				s.types(line)
			}
			golden(t, strings.Join(s.lines, "\n"))
		})
	}
}

func TestEdgegap_WhenItGoesWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options edgegaptest.Options
		prepare func(s *stage)
		line    string
		code    int
		want    string
	}{
		"no token at all": {
			prepare: func(s *stage) { delete(s.env, "EDGEGAP_TOKEN") }, line: "apps list", code: 7,
			want: "the configuration has no account of Edgegap",
		},
		"an empty token":  {prepare: func(s *stage) { s.env["EDGEGAP_TOKEN"] = " " }, line: "apps list", code: 7, want: "the token is empty"},
		"a wrong token":   {prepare: func(s *stage) { s.env["EDGEGAP_TOKEN"] = otherToken }, line: "apps list", code: 7, want: "check the token in EDGEGAP_TOKEN"},
		"a wrong address": {prepare: func(s *stage) { s.env["EDGEGAP_URL"] = "ftp://x" }, line: "apps list", code: 7, want: "the base URL is not valid"},
		"in clear": {
			prepare: func(s *stage) { s.env["EDGEGAP_URL"] = "http://edge.example" }, line: "apps list", code: 7, want: "use https",
		},
		"nobody is there": {
			prepare: func(s *stage) { s.env["EDGEGAP_URL"] = "http://127.0.0.1:1" }, line: "apps list", code: 6, want: "cannot be reached",
		},
		"an account":                     {line: "apps list --account live", code: 0},
		"an account, its token is wrong": {line: "apps list --account wrong", code: 7, want: "check the token of the account"},
		"an account that is not there":   {line: "apps list --account nope", code: 3, want: "no account nope"},
		"a configuration":                {line: "apps list --config skiff.yml", code: 0},
		"too often": {
			prepare: func(s *stage) { s.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Times: -1}) },
			line:    "status 0123456789ab", code: 6, want: "asks too often",
		},
		"too often for a while": {
			prepare: func(s *stage) { s.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Times: 2}) },
			line:    "apps list", code: 0,
		},
		"a gateway": {
			prepare: func(s *stage) {
				s.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Status: http.StatusBadGateway, Times: -1})
			}, line: "apps list", code: 6, want: "Edgegap answered 502",
		},
		"a deploy without an answer": {
			prepare: func(s *stage) { s.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultDropAfter, Call: "deploy"}) },
			line:    "deploy arena 1.4.0 --user-ip 203.0.113.7", code: 6, want: "it may have happened all the same",
		},
		"no room": {
			prepare: func(s *stage) { s.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateUnallocated}) },
			line:    "deploy arena 1.4.0 --user-ip 203.0.113.7", code: 1, want: "is there in error: stop it",
		},
		"a quota": {
			options: edgegaptest.Options{FreeTier: true}, line: "apps create third", code: 7, want: "limit of 2",
			prepare: func(s *stage) { s.types("edgegap apps create second") },
		},
		"an image that is not there": {
			line: "versions create arena 2 --image docker.io/acme/arena:missing", code: 7, want: "check the image, its tag",
		},
		"a page instead of an answer": {
			prepare: func(s *stage) { s.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTruncate, Times: -1}) },
			line:    "apps get arena", code: 6, want: "not the JSON it should be",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, test.options)
			s.types("edgegap apps create arena")
			s.types("edgegap versions create arena 1.4.0 --image docker.io/acme/arena:1.4.0 --cpu-units 512 --memory-mb 512")
			s.deps.Edgegap = func(config, account string) (edgegap.Options, error) {
				tokens := map[string]string{"live": testToken, "wrong": otherToken}
				switch {
				case config == "" && account == "":
					return edgegap.Options{}, skipper.Errorf(skipper.CodeInvalid, "the configuration has no account of Edgegap")
				case config == "" && tokens[account] == "":
					return edgegap.Options{}, skipper.Errorf(skipper.CodeNotFound, "the configuration has no account %s", account)
				case config != "":
					account = "live"
				}
				return edgegap.Options{Token: tokens[account], BaseURL: s.url}, nil
			}
			if test.prepare != nil {
				test.prepare(s)
			}
			if strings.Contains(test.line, "--account") || strings.Contains(test.line, "--config") {
				s.env["EDGEGAP_TOKEN"] = otherToken // what is named counts more
			}
			require.Equal(t, test.code, s.types("edgegap "+test.line), s.err.String())
			if test.want == "" {
				require.Empty(t, s.err.String())
				return
			}
			said := s.err.String()
			require.Contains(t, said, test.want)
			require.True(t, strings.HasPrefix(said, "error: "), said)
			require.Equal(t, 1, strings.Count(said, "\n"), "one sentence: %s", said)
			require.NotContains(t, said, "skiff package list", "no hint about another thing")
			require.NotContains(t, said, otherToken)
		})
	}
}

// Every endpoint of the document has a command that reaches it.
func TestEdgegap_EveryEndpoint(t *testing.T) {
	t.Parallel()
	s := onStage(t, edgegaptest.Options{OldFleets: true})
	require.NoError(t, s.fake.AddFleet("alpha", edgegaptest.Host{}))
	s.ready("ranked", "casual", "load-test")
	s.later(time.Second)
	d := s.fake.Started()[1]
	s.env["ARBITRIUM_DELETE_URL"], s.env["ARBITRIUM_DELETE_TOKEN"] = s.url+d.DeleteURL, d.DeleteToken
	for _, test := range []struct{ endpoint, line string }{
		{"POST /v2/deployments", "deploy arena 1.4.0 --user-ip 203.0.113.7"},
		{"GET /v1/status/{1}", "status {1}"},
		{"GET /v1/deployments", "deployments"},
		{"GET /v1/locations", "locations"},
		{"GET /v1/deployment/{1}/container-logs", "logs {1}"},
		{"GET /v1/metrics/deployment/{1}", "metrics {1}"},
		{"POST /v1/deploy", "deploy arena --v1 --user-ip 203.0.113.7"},
		{"POST /v2/private-fleets:deploy", "fleets deploy arena 1.4.0 --host alpha-host-0 --user-ip 203.0.113.7"},
		{"GET /v2/private-fleets/alpha/hosts", "fleets hosts alpha"},
		{"POST /v1/deployments/{1}/tags", "tags create {1} final"},
		{"GET /v1/deployments/{1}/tags", "tags list {1}"},
		{"GET /v1/deployments/{1}/tags/final", "tags get {1} final"},
		{"PATCH /v1/deployments/{1}/tags/final", "tags rename {1} final semi-final"},
		{"DELETE /v1/deployments/{1}/tags/semi-final", "tags delete {1} semi-final"},
		{"DELETE /v1/stop/{1}", "stop {1}"},
		{"DELETE " + d.DeleteURL, "self-stop"},
		{"POST /v1/deployments/bulk-stop", "bulk-stop --tag load-test --yes"},
		{"POST /v1/app", "apps create duel"},
		{"GET /v1/apps", "apps list"},
		{"GET /v1/app/duel", "apps get duel"},
		{"POST /v1/app/duel/version", "versions create duel 1 --image docker.io/acme/duel:1"},
		{"GET /v1/app/duel/versions", "versions list duel"},
		{"GET /v1/app/duel/version/1", "versions get duel 1"},
		{"DELETE /v1/app/duel/version/1", "versions delete duel 1"},
		{"DELETE /v1/app/duel", "apps delete duel"},
	} {
		before := len(s.fake.Journal(""))
		require.Zero(t, s.types("edgegap "+test.line), "%s: %s", test.line, s.err.String())
		want := strings.ReplaceAll(test.endpoint, "{1}", s.fake.Started()[0].RequestID)
		var reached []string
		for _, call := range s.fake.Journal("")[before:] {
			reached = append(reached, call.Method+" "+call.Path)
		}
		require.Contains(t, reached, want, test.line)
		s.later(time.Second)
	}
	s.later(time.Minute)
	require.Len(t, s.fake.Leaks(), 3, "those of the three deploys")
}

func TestEdgegap_DeployTheOldWay(t *testing.T) {
	t.Parallel()
	s := onStage(t, edgegaptest.Options{})
	s.ready("ranked")
	const line = "edgegap deploy arena 1.4.0 --user-ip 203.0.113.7"
	require.Zero(t, s.types(line+" --v1"), s.err.String())
	require.Zero(t, s.types(line+" --v1 --telemetry --command run --arguments fast --webhook-ready https://edge.example/h"), s.err.String())
	require.Equal(t, 2, s.types(line+" --telemetry"))
	sent := s.fake.Journal("deploy-v1")
	require.Len(t, sent, 2)
	require.JSONEq(t, `{"app_name":"arena","version_name":"1.4.0","ip_list":["203.0.113.7"]}`, sent[0].Body)
	require.JSONEq(t, `{"app_name":"arena","version_name":"1.4.0","ip_list":["203.0.113.7"],"command":"run",
		"arguments":"fast","skip_telemetry":false,"webhook_url":"https://edge.example/h"}`, sent[1].Body)
}

func TestEdgegap_SelfStop(t *testing.T) {
	t.Parallel()
	s := onStage(t, edgegaptest.Options{})
	s.ready("ranked", "casual")
	delete(s.env, "EDGEGAP_TOKEN") // a container has none
	require.Equal(t, 7, s.types("edgegap self-stop"))
	require.Contains(t, s.err.String(), "ARBITRIUM_DELETE_TOKEN is not set")
	d := s.fake.Started()[0]
	s.env["ARBITRIUM_DELETE_URL"], s.env["ARBITRIUM_DELETE_TOKEN"] = s.url+d.DeleteURL, "wrong-token-4711"
	require.Equal(t, 7, s.types("edgegap self-stop"), "another token")
	require.NotContains(t, s.err.String(), "wrong-token-4711")
	s.env["ARBITRIUM_DELETE_TOKEN"] = d.DeleteToken
	require.Zero(t, s.types("edgegap self-stop"), s.err.String())
	require.Contains(t, s.out.String(), d.RequestID+"\taccepted")
	require.NotContains(t, s.out.String(), d.DeleteToken)
	require.True(t, s.fake.Started()[0].Stopping)
	require.False(t, s.fake.Started()[1].Stopping)
	s.later(time.Second)
	require.Zero(t, s.types("edgegap self-stop -o json"), "it may be repeated")
	require.Contains(t, s.out.String(), `"stopping": "ended"`)
}

func TestEdgegap_BulkStopOfMany(t *testing.T) {
	t.Parallel()
	s := onStage(t, edgegaptest.Options{})
	tags := make([]string, 60)
	for i := range tags {
		tags[i] = "load-test"
	}
	s.ready(tags...)
	require.Zero(t, s.types("edgegap bulk-stop --tag load-test --yes"), s.err.String())
	require.Len(t, s.fake.Journal("bulk-stop"), 2, "50 at once")
	require.Empty(t, s.fake.Leaks())
	for _, call := range s.fake.Journal("bulk-stop") {
		require.NotContains(t, call.Body, "deployment_tags", "never by tags")
	}
}

// What Edgegap gives beyond what was asked for is not stopped.
func TestEdgegap_BulkStopLooksAgain(t *testing.T) {
	t.Parallel()
	s := onStage(t, edgegaptest.Options{})
	s.ready("ranked", "casual")
	all, err := json.Marshal(map[string]any{"data": []map[string]any{
		{"request_id": s.fake.Started()[0].RequestID, "tags": []string{"ranked"}, "ready": true},
		{"request_id": s.fake.Started()[1].RequestID, "tags": []string{"casual"}, "ready": true},
	}, "total_count": 2})
	require.NoError(t, err)
	s.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Call: "list", Status: http.StatusOK, Body: string(all)})
	require.Zero(t, s.types("edgegap bulk-stop --tag ranked --yes"), s.err.String())
	require.Len(t, s.fake.Leaks(), 1)
	require.Equal(t, "casual", s.fake.Leaks()[0].Tags[0])
}

func TestEdgegap_BulkStopOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	s := onStage(t, edgegaptest.Options{})
	s.ready("ranked")
	s.fake.Script(edgegaptest.Fault{
		Kind: edgegaptest.FaultAnswer, Call: "bulk-stop", Status: http.StatusAccepted, Body: `{"processable": []}`,
	})
	require.Equal(t, 4, s.types("edgegap bulk-stop --all --yes"))
	require.Contains(t, s.err.String(), "1 of 1 were not stopped")
	require.Contains(t, s.out.String(), "refused")
}

func TestEdgegapFake(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	env := served(t, "--state", state, "--token", testToken)
	s := onStage(t, edgegaptest.Options{})
	s.env = env
	require.Equal(t, testToken, env["EDGEGAP_TOKEN"])
	require.Zero(t, s.types("edgegap apps create arena"), s.err.String())
	answer, err := http.Get(env["EDGEGAP_URL"] + "/_fake/journal")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)

	s.env = served(t, "--state", state, "--token", testToken)
	require.Zero(t, s.types("edgegap apps get arena"), "it is kept: %s", s.err)
	require.Zero(t, s.types("edgegap fleets hosts alpha"), s.err.String())
	require.Equal(t, 2, strings.Count(s.out.String(), "alpha-host-"), "there is one fleet still: %s", s.out)
	s.env = served(t, "--pace", "real", "--free-tier")
	require.Zero(t, s.types("edgegap apps list -o json"), s.err.String())
	require.Equal(t, "[]\n", s.out.String())
}

// served runs a fake as the command does, and gives the variables it prints.
func served(t *testing.T, args ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, Deps{Out: writer, Err: io.Discard, Clock: time.Now}, append([]string{"edgegap", "fake"}, args...))
		_ = writer.Close()
	}()
	lines := bufio.NewScanner(reader)
	env := map[string]string{}
	for len(env) < 2 {
		require.True(t, lines.Scan(), "it says how to use it")
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		require.True(t, ok, lines.Text())
		env[name] = value
	}
	t.Cleanup(func() {
		cancel()
		require.Zero(t, <-done)
	})
	return env
}

func TestEdgegapFake_Refuses(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	broken := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(broken, []byte("no state"), 0o600))
	taken := strings.TrimPrefix(b.url, "http://127.0.0.1:")
	for line, code := range map[string]int{
		"--port 70000": 2, "--pace slow": 2, "more": 2, "--port " + taken: 6,
		"--state " + broken: 6, "--state " + filepath.Join(broken, "none", "state.json"): 6,
	} {
		b.err.Reset()
		require.Equal(t, code, b.run(t.Context(), append([]string{"edgegap", "fake"}, strings.Fields(line)...)...), line)
		require.True(t, strings.HasPrefix(b.err.String(), "error: "), "%s: %s", line, &b.err)
	}
	require.Empty(t, b.out.String())
}
