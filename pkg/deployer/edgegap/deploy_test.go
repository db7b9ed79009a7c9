package edgegap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skiff-project/skiff/pkg/deployer"
	deploy "github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestDeploy_TellsEdgegapWhatTheRequestAsksFor(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.PublicURL = "https://skiff.example.com/"
	r := a.request("log")
	r.Count, r.Indexed = 2, true
	r.Properties = map[string]string{"game.mode": "ranked"}
	for key, value := range map[string]string{
		"secret-env.API_KEY": "geheim", "tags": "eu", "cpu-units": "512", "memory-mib": "512",
		"webhook.error": "https://example.com/failed", "locations": "45.5:-73.6;35.6:139.8",
	} {
		r.Deployment[prefix+key] = value
	}
	d := a.deployer()

	h := a.deploy(d, r)

	bodies := a.bodies()
	require.Len(t, bodies, 2)
	slices.SortFunc(bodies, func(x, y body) int { return strings.Compare(x.tag("sk-i-"), y.tag("sk-i-")) })
	for n, b := range bodies {
		require.Equal(t, "arena-log", b.Application)
		require.Regexp(t, `^1\.0\.0-[0-9a-f]{12}$`, b.Version)
		require.Equal(t, 512, b.Resources.CPUUnits)
		require.Equal(t, fmt.Sprintf("sk-i-%d", n), b.tag("sk-i-"))
		for _, tag := range b.Tags {
			require.Regexp(t, `^[a-z0-9-]{1,20}$`, tag)
		}
		require.Contains(t, b.Tags, "skipper")
		require.Contains(t, b.Tags, "eu")
		require.Len(t, b.Environment, 3)
		for _, v := range b.Environment {
			require.Equal(t, map[string]string{
				"API_KEY": "geheim", "GAME_MODE": "ranked", "INSTANCE_INDEX": fmt.Sprint(n),
			}[v.Key], v.Value)
			require.Equal(t, v.Key == "API_KEY", v.Hidden)
		}
		require.Regexp(t, `^https://skiff.example.com/api/webhooks/edgegap/live/[0-9a-f]{32}$`, b.OnReady.URL)
	}
	i := a.until(d, h, skipper.StateDeployed).Instances["arena.log-v1-1"].Attributes
	require.Equal(t, "Tokyo", i["location.city"])
	require.Equal(t, "eu", i["tags"])
	require.Equal(t, "UDP", i["port.game.protocol"])
	require.Equal(t, i["port.game.link"], i["url"])
	require.Equal(t, i["edgegap.request-id"]+".pr.edgegap.net", i["fqdn"])
	for _, text := range []string{string(h.Data), fmt.Sprint(i)} {
		require.NotContains(t, text, "geheim")
		require.NotContains(t, text, edgegaptest.DefaultToken)
	}
}

func TestDeploy_UsesAVersionAgain(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.Registry = deploy.Registry{Host: "docker.io", Username: "robot", Password: "geheim"}
	one, two, three := a.request("log"), a.request("log"), a.request("log")
	two.Name, two.Owner.Version, two.Properties = "log-v2", 2, map[string]string{"a": "b"}
	three.Name, three.Owner.Version = "log-v3", 3
	three.Resource.Location = "docker:acme/arena:1.1.0"
	for _, r := range []deployer.Request{one, two, three} {
		a.deploy(a.deployer(), r) // a new deployer each time: nothing is remembered
	}

	require.Len(t, a.fake.Journal("create-app"), 1)
	require.Len(t, a.fake.Journal("create-version"), 2)
	require.Len(t, a.fake.Journal("update-version"), 1, "the registry's password, which may have changed")
	bodies := a.bodies()
	require.Equal(t, bodies[0].Version, bodies[1].Version)
	require.NotEqual(t, bodies[0].Version, bodies[2].Version)
}

func TestDeploy_SendsTheRegistryLoginToItsHostOnly(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.Registry = deploy.Registry{Host: "registry.edgegap.com", Username: "robot", Password: "geheim"}
	r := a.request("log")
	r.Resource.Location = "docker:evil.example/acme/arena:1"
	a.deploy(a.deployer(), r)
	r = a.request("time")
	r.Resource.Location = "docker:registry.edgegap.com/acme/arena:1"
	a.deploy(a.deployer(), r)

	created := a.fake.Journal("create-version")
	require.Len(t, created, 2)
	require.NotContains(t, created[0].Body, "geheim")
	require.Contains(t, created[1].Body, "geheim")
}

func TestDeploy_SaysInOneSentenceWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options edgegaptest.Options
		before  func(a *account, r *deployer.Request)
		kind    error
		want    string
	}{
		"token deleted": {edgegaptest.Options{}, func(a *account, _ *deployer.Request) {
			require.NoError(a, a.fake.RevokeToken(edgegaptest.DefaultToken))
		}, deployer.ErrDenied, "check the token of the account"},
		"token unknown": {edgegaptest.Options{}, func(a *account, _ *deployer.Request) {
			a.config.Settings.Token = "11111111-not-known"
		}, deployer.ErrDenied, "check the token of the account"},
		"image missing": {edgegaptest.Options{}, func(_ *account, r *deployer.Request) {
			r.Resource.Location = "docker:acme/arena:" + edgegaptest.MissingTag
		}, deployer.ErrInvalid, "check the image, its tag and the login of its registry"},
		"too many of all": {edgegaptest.Options{}, func(a *account, r *deployer.Request) {
			a.config.Settings.MaxConcurrent, r.Count = 2, 3
		}, deployer.ErrQuota, "the account allows 2 (max-concurrent-deployments)"},
		"too many applications": {edgegaptest.Options{FreeTier: true}, func(a *account, r *deployer.Request) {
			for _, app := range []string{"a", "b"} {
				a.deployFree(app)
			}
			freely(r)
		}, deployer.ErrQuota, "limit of 2"},
		"no server": {edgegaptest.Options{}, func(a *account, _ *deployer.Request) {
			a.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateUnallocated})
		}, deployer.ErrQuota, "deploy instance 0 of arena.log-v1: Edgegap said: Couldn't allocate server"},
		"another version of this name": {edgegaptest.Options{}, func(a *account, r *deployer.Request) {
			one := a.request("log")
			one.Name, one.Deployment[prefix+"version-name"] = "log-v0", "fixed"
			a.deploy(a.deployer(), one)
			r.Deployment[prefix+"version-name"], r.Deployment[prefix+"ports"] = "fixed", "other:1/TCP"
		}, deployer.ErrExists, "exists with another image, size or ports"},
		"unknown fleet": {edgegaptest.Options{}, func(_ *account, r *deployer.Request) {
			r.Deployment[prefix+"private-fleet"] = "nowhere"
		}, deployer.ErrInvalid, "private fleet nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, c.options)
			r := a.request("log")
			c.before(a, &r)
			d := a.deployer()

			h, err := d.Deploy(t.Context(), r, nil, a.save)

			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			for _, secret := range []string{edgegaptest.DefaultToken, "11111111-not-known", "api.edgegap.com", "\n\n"} {
				require.NotContains(t, err.Error(), secret)
			}
			if !errors.Is(err, deployer.ErrDenied) {
				a.remove(d, r, h)
				return
			}
			require.ErrorIs(t, d.Ping(t.Context()), deployer.ErrDenied)
			_, err = d.Status(t.Context(), []deployer.Handle{{ID: "arena.log-v1"}})
			require.ErrorIs(t, err, deployer.ErrDenied)
		})
	}
}

func freely(r *deployer.Request) {
	for key, value := range map[string]string{"max-duration-minutes": "60", "cpu-units": "512", "memory-mib": "512"} {
		r.Deployment[prefix+key] = value
	}
}

// deployFree deploys and removes within the free tier.
func (a *account) deployFree(app string) {
	a.Helper()
	d, r := a.deployer(), a.request(app)
	freely(&r)
	a.remove(d, r, a.deploy(d, r))
}

func TestDeploy_TakesPrivateHostsByRoom(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	require.NoError(t, a.fake.AddFleet("alpha",
		edgegaptest.Host{ID: "small", City: "Tokyo", CPU: 2048, Memory: 4096},
		edgegaptest.Host{ID: "large", City: "Tokyo", CPU: 8192, Memory: 16384},
		edgegaptest.Host{ID: "new", Pending: true, City: "Tokyo", CPU: 99999, Memory: 99999}))
	r := a.request("log")
	r.Deployment[prefix+"private-fleet"] = "alpha"

	a.deploy(a.deployer(), r)

	require.Equal(t, "large", a.fake.Started()[0].Host)
}

func TestDeploy_OldWayForWhatOnlyItKnows(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.Deployment = map[string]string{"ports": "game:7777/UDP"}
	r := a.request("log")
	for key, value := range map[string]string{
		"api": "v1", "users.ip-addresses": "192.0.2.1", "filters": "city:any:Tokyo", "arguments": "-x",
		"log-storage": "false",
	} {
		r.Deployment[prefix+key] = value
	}
	d := a.deployer()
	h := a.deploy(d, r)

	a.until(d, h, skipper.StateDeployed)
	require.Len(t, a.fake.Journal("deploy-v1"), 1)
	require.Contains(t, a.fake.Journal("deploy-v1")[0].Body, `"container_log_storage":{"enabled":false}`)
	require.Equal(t, "Tokyo", a.fake.Started()[0].City)
}

func TestTwoInstallations_NeverTouchEachOther(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	other := *a
	other.config.Installation, other.handles = "there", map[string]deployer.Handle{}
	mine, theirs := a.deployer(), other.deployer()
	r, s := a.request("log"), other.request("log")
	s.Properties = map[string]string{"another": "spec"}
	h, i := a.deploy(mine, r), other.deploy(theirs, s)
	require.Equal(t, h.ID, i.ID)
	a.until(mine, h, skipper.StateDeployed)
	b := a.until(theirs, i, skipper.StateDeployed)

	found, err := mine.Discover(t.Context(), deployer.Owner{Installation: "here"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Len(t, a.status(mine, deployer.Handle{ID: h.ID}).Instances, 1)
	a.remove(mine, r, deployer.Handle{ID: h.ID})
	require.Equal(t, running(b), a.live())
	require.Equal(t, skipper.StateDeployed, a.status(theirs, i).State)
}

func TestTwoHundredInstances_KeepToTheLimits(t *testing.T) {
	t.Parallel()
	const many = 200
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.PollInterval, a.config.Settings.PollIdle = 5*time.Second, 30*time.Second
	d, r := a.deployer(), a.request("log")
	r.Count = many
	began := a.clock.Now()

	h := a.deploy(d, r)

	took := a.clock.Now().Sub(began)
	require.GreaterOrEqual(t, took, 5*time.Second)
	require.Less(t, took, 15*time.Second)
	require.Less(t, len(h.Data), 64<<10)
	require.LessOrEqual(t, a.saves, many/16+1)
	require.Len(t, a.until(d, h, skipper.StateDeployed).Instances, many)
	for range 10 {
		a.clock.pass(time.Minute)
		a.status(d, h)
	}
	lists, details := len(a.fake.Journal("list")), len(a.fake.Journal("status"))
	require.LessOrEqual(t, details, many+40, "one look at each")
	for range 10 {
		a.status(d, h)
	}
	require.Len(t, a.fake.Journal("list"), lists, "what was seen a moment ago is good enough")
	for _, i := range a.status(d, h).Instances {
		require.NotEmpty(t, i.Attributes["location.city"])
	}
	a.remove(d, r, h)
	require.Empty(t, a.live())
	// The limits count where calls arrive: one that was late on its way may meet those behind it.
	require.LessOrEqual(t, a.fake.Refused(), 5)
	require.Len(t, a.fake.Journal("bulk-stop"), 4)
	for _, call := range a.fake.Journal("bulk-stop") {
		require.Contains(t, call.Body, `"request_id"`)
		require.NotContains(t, call.Body, "tags")
		require.NotContains(t, call.Body, `"not"`)
	}
	t.Logf("200 instances: asked for in %s at %d calls of list and %d of status", took, lists, details)
}

func TestScale_UpDownAndToNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	for _, count := range []int{20, 3, 0, 7, 1} {
		var err error
		h, err = d.Scale(t.Context(), r, h, count, a.save)
		require.NoError(t, err)
		if count > 0 {
			require.Len(t, a.until(d, h, skipper.StateDeployed).Instances, count)
		} else {
			require.Empty(t, a.status(d, h).Instances)
		}
		require.Len(t, a.live(), count)
		d = a.deployer()
	}
	a.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Call: "deploy", Status: 400, Times: -1})
	failed, err := d.Scale(t.Context(), r, h, 5, a.save)
	require.ErrorIs(t, err, deployer.ErrInvalid)
	require.Len(t, a.status(d, failed).Instances, 1, "what was never made is not waited for")
}

func TestScale_LeavesItToBeFoundByTheRequestOfTheDeploy(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	r := a.request("log")
	h := a.deploy(a.deployer(), r)
	_, err := a.deployer().Scale(t.Context(), r, h, 3, a.save)
	require.NoError(t, err)

	h, err = a.deployer().Deploy(t.Context(), r, nil, a.save)

	require.NoError(t, err)
	require.Len(t, a.until(a.deployer(), h, skipper.StateDeployed).Instances, 3)
	require.Len(t, a.fake.Started(), 3)
}

func TestStatus_ServesTheLastLookForAWhile(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	a.until(d, h, skipper.StateDeployed)
	a.status(d, h)
	a.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultAnswer, Call: "list", Status: 401, Times: -1})

	a.clock.pass(30 * time.Second)
	require.Equal(t, skipper.StateDeployed, a.status(d, h).State)
	a.clock.pass(31 * time.Second)
	_, err := d.Status(t.Context(), []deployer.Handle{h})
	require.ErrorIs(t, err, deployer.ErrDenied)
	_, err = a.deployer().Status(t.Context(), []deployer.Handle{h})
	require.Error(t, err, "never unknown")
}

func TestInstance_IsTheActuatorPort(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	r.Deployment[prefix+"ports"] = "game:7777/UDP,web:8080/HTTP"
	r.Deployment[prefix+"actuator-port"] = "web"
	h := a.deploy(d, r)
	attributes := a.until(d, h, skipper.StateDeployed).Instances["arena.log-v1-0"].Attributes

	base, header, err := d.Instance(t.Context(), h, attributes["guid"])

	require.NoError(t, err)
	require.Empty(t, header)
	require.Equal(t, attributes["fqdn"], base.Hostname())
	require.Equal(t, "/actuator", base.Path)
	require.Equal(t, attributes["port.web.external"], base.Port())
	_, _, err = d.Instance(t.Context(), h, "somebody-else")
	require.ErrorIs(t, err, deployer.ErrNotFound)
	plain := a.request("time")
	_, _, err = d.Instance(t.Context(), a.deploy(d, plain), "arena.time-v1-0")
	require.ErrorIs(t, err, deployer.ErrNotFound, "not ready")
	a.clock.pass(time.Minute)
	_, _, err = d.Instance(t.Context(), a.handles["arena.time-v1"], "arena.time-v1-0")
	require.ErrorIs(t, err, deployer.ErrUnsupported, "actuator-port is not set")
}

func TestHint_MakesTheNextLookComeAtOnce(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	a.config.Settings.PollInterval, a.config.Settings.PollIdle = time.Hour, time.Hour
	a.config.Settings.Staleness = time.Hour
	a.config.Settings.PublicURL = "https://skiff.example.com"
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	require.Equal(t, skipper.StateDeploying, a.status(d, h).State)
	a.clock.pass(time.Minute)
	require.Equal(t, skipper.StateDeploying, a.status(d, h).State, "nobody looks")
	hook, err := url.Parse(a.bodies()[0].OnReady.URL)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hook.Path, deploy.WebhookPath+"/live/"))
	require.True(t, d.VerifyWebhook(path.Base(hook.Path)))
	require.True(t, a.deployer().VerifyWebhook(path.Base(hook.Path)), "after a restart too")
	require.False(t, d.VerifyWebhook(""))
	require.False(t, d.VerifyWebhook("00000000000000000000000000000000"))

	d.Hint("no id")
	require.Equal(t, skipper.StateDeploying, a.status(d, h).State)
	for _, body := range []string{"", "null", "[]", "{", `{"request_id":1}`, `{"request_id":"` + a.live()[0] + `"`} {
		d.Webhook([]byte(body))
		require.Equal(t, skipper.StateDeploying, a.status(d, h).State, body)
	}
	d.Webhook([]byte(`{"request_id":"` + a.live()[0] + `","current_status":"Status.ERROR"}`))
	require.Equal(t, skipper.StateDeployed, a.status(d, h).State)
}

func TestDiscover_ReadsAnyOwner(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{Limits: edgegaptest.Limits{Deploy: -1, List: -1}})
	d := a.deployer()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := a.request("log")
		name := rapid.StringMatching(`[ -~]{1,40}`)
		n++
		r.Owner.Release, r.Owner.App = fmt.Sprint(n)+name.Draw(rt, "release"), name.Draw(rt, "app")
		r.Owner.Version = rapid.IntRange(1, 1<<30).Draw(rt, "version")
		r.Name = fmt.Sprintf("%s-v%d", r.Owner.App, r.Owner.Version)
		r.Group = rapid.SampledFrom([]string{r.Owner.Release, "another group"}).Draw(rt, "group")
		r.Deployment[prefix+"application"] = "shared"
		h, err := d.Deploy(t.Context(), r, nil, a.save)
		require.NoError(rt, err)

		found, err := d.Discover(t.Context(), r.Owner)

		require.NoError(rt, err)
		require.Len(rt, found, 1)
		require.Equal(rt, r.Owner, found[0].Owner)
		require.Equal(rt, h.ID, found[0].ID)
		require.NoError(rt, d.Undeploy(t.Context(), r.Owner, h))
	})
}

func TestNames_AreThoseEdgegapTakes(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	seen := map[string]bool{}
	for n, release := range []string{"arena", "Arena", "arena!", "arena-", strings.Repeat("long", 40), "ä", "-"} {
		r := a.request("log")
		r.Owner.Release, r.Group = release, fmt.Sprint("g", n)
		r.Resource.Location = "docker:acme/arena:" + strings.Repeat("v", 100)
		a.deploy(a.deployer(), r)
		b := a.bodies()[n]
		require.Regexp(t, `^[a-z0-9-]{3,64}$`, b.Application)
		require.LessOrEqual(t, len(b.Version), 64)
		require.False(t, seen[b.Application], b.Application)
		seen[b.Application] = true
	}
}

func TestHandle_OfAnotherFormatIsNotGuessedAt(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	d, r := a.deployer(), a.request("log")
	h := a.deploy(d, r)
	h.Data = json.RawMessage(`{"format":99,"slots":[]}`)

	_, err := d.Deploy(t.Context(), r, &h, a.save)
	require.ErrorIs(t, err, deployer.ErrInvalid)
	a.remove(d, r, h)
	require.Empty(t, a.live(), "its tags are known all the same")
}

func TestDeployer_SpeaksToEdgegapOnly(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	var hosts []string
	inner := a.config.HTTPClient.Transport
	a.config.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Scheme+"://"+r.URL.Host)
		return inner.RoundTrip(r)
	})}
	d := a.deployer()
	require.NoError(t, d.Ping(context.Background()))
	require.Equal(t, []string{"https://api.edgegap.com"}, hosts)
	require.NotContains(t, d.Describe(), edgegaptest.DefaultToken)
}

type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
