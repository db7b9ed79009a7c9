package edgegap_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	deploy "github.com/skiff-project/skiff/pkg/deployer/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// insist deploys until it is accepted, as the server does, with the handle that is known then.
func (a *account) insist(d *deploy.Deployer, r deployer.Request) deployer.Handle {
	a.Helper()
	id, err := d.ID(r)
	require.NoError(a, err)
	for range 200 {
		var previous *deployer.Handle
		if known, ok := a.handles[id]; ok {
			previous = &known
		}
		h, err := d.Deploy(a.Context(), r, previous, a.save)
		if h.Data != nil {
			a.handles[h.ID] = h
		}
		if err == nil {
			return h
		}
		require.True(a, deployer.Retry(err), "%v", err)
		a.clock.pass(time.Second)
	}
	require.Fail(a, "it is never accepted")
	return deployer.Handle{}
}

const html = "<html><body>500 Internal Server Error</body></html>"

func TestDeploy_MakesEachInstanceOnceWhateverGoesWrong(t *testing.T) {
	t.Parallel()

	for name, faults := range map[string][]edgegaptest.Fault{
		"an error":             {{Kind: edgegaptest.FaultAnswer, Call: "deploy", Times: 2}},
		"an error as HTML":     {{Kind: edgegaptest.FaultAnswer, Call: "deploy", Body: html, Times: 2}},
		"done, but an error":   {{Kind: edgegaptest.FaultAnswerAfter, Call: "deploy", Times: 2}},
		"done, but HTML":       {{Kind: edgegaptest.FaultAnswerAfter, Call: "deploy", Body: html}},
		"dropped":              {{Kind: edgegaptest.FaultDropBefore, Call: "deploy", Times: 2}},
		"done, but dropped":    {{Kind: edgegaptest.FaultDropAfter, Call: "deploy", Times: 3}},
		"half an answer":       {{Kind: edgegaptest.FaultTruncate, Call: "deploy", Times: 2}},
		"429":                  {{Kind: edgegaptest.FaultTooMany, Call: "deploy", Times: 40}},
		"429 for everything":   {{Kind: edgegaptest.FaultTooMany, Times: 20}},
		"slow":                 {{Kind: edgegaptest.FaultSlow, Delay: 20 * time.Second, Times: 8}},
		"the list fails":       {{Kind: edgegaptest.FaultAnswer, Call: "list", Times: 12, Status: 503}},
		"the list hides":       {{Kind: edgegaptest.FaultHideNewest, Call: "list", Times: 5}},
		"status fails":         {{Kind: edgegaptest.FaultAnswer, Call: "status", Times: 6, Body: html}},
		"creations fail":       {{Kind: edgegaptest.FaultAnswerAfter, Call: "create-version"}, {Kind: edgegaptest.FaultDropAfter, Call: "create-app"}},
		"done, dropped, blind": {{Kind: edgegaptest.FaultDropAfter, Call: "deploy", Times: 2}, {Kind: edgegaptest.FaultAnswer, Call: "list", Times: 9}},
	} {
		for late, options := range map[string]edgegaptest.Options{
			"": {}, ", with late lists": {ListDelay: 10 * time.Second, BareLists: true},
		} {
			t.Run(name+late, func(t *testing.T) {
				t.Parallel()
				a := newAccount(t, options)
				a.fake.Script(faults...)
				d, r := a.deployer(), a.request("log")
				r.Count = 3

				h := a.insist(d, r)

				require.Len(t, a.until(d, h, skipper.StateDeployed).Instances, 3)
				require.Len(t, a.fake.Started(), 3)
				a.remove(d, r, h)
				require.Empty(t, a.live())
			})
		}
	}
}

func TestDeploy_FindsWhatAKilledServerAskedFor(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{ListDelay: 5 * time.Second})
	r := a.request("log")
	r.Count = 20
	_, err := a.deployer().Deploy(a.Context(), r, nil, a.save) // what it gives back is lost
	require.NoError(t, err)
	require.Len(t, a.live(), 20)

	h := a.insist(a.deployer(), r)

	require.Len(t, a.until(a.deployer(), h, skipper.StateDeployed).Instances, 20)
	require.Len(t, a.fake.Started(), 20)
}

func TestDeploy_AsksAgainForWhatAKilledServerHadOnlyNoted(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	r := a.request("log")
	a.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultDropBefore, Call: "deploy"})
	_, err := a.deployer().Deploy(a.Context(), r, nil, a.save)
	require.ErrorIs(t, err, deployer.ErrAmbiguous)
	saved := a.handles["arena.log-v1"] // from before the call

	d := a.deployer()
	_, err = d.Deploy(a.Context(), r, &saved, a.save)
	require.ErrorIs(t, err, deployer.ErrAmbiguous, "it may still show up")
	require.Empty(t, a.live())

	a.clock.pass(time.Minute)
	_, err = d.Deploy(a.Context(), r, &saved, a.save)
	require.NoError(t, err)
	require.Len(t, a.live(), 1)
}

func TestDeploy_AdoptsWithoutAHandleAndAddsWhatIsMissing(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{})
	r := a.request("log")
	r.Count = 3
	h := a.deploy(a.deployer(), r)
	require.Len(t, a.until(a.deployer(), h, skipper.StateDeployed).Instances, 3)
	one := a.live()[1]
	a.stopped(one)

	d := a.deployer()
	h, err := d.Deploy(t.Context(), r, nil, a.save)

	require.NoError(t, err)
	require.Len(t, a.until(d, h, skipper.StateDeployed).Instances, 3)
	require.Len(t, a.live(), 3)
	require.NotContains(t, a.live(), one)
	require.Len(t, a.fake.Started(), 4)
}

// stopped ends a deployment behind the deployer's back.
func (a *account) stopped(id string) {
	a.Helper()
	request, err := http.NewRequestWithContext(a.Context(), http.MethodDelete, "https://api.edgegap.com/v1/stop/"+id, nil)
	require.NoError(a, err)
	request.Header.Set("Authorization", "token "+edgegaptest.DefaultToken)
	response, err := a.config.HTTPClient.Do(request)
	require.NoError(a, err)
	require.NoError(a, response.Body.Close())
	require.Equal(a, http.StatusOK, response.StatusCode)
	a.clock.pass(time.Second)
}

// A deploy that was refused for long is sent late: when the server is killed then, the time to show up does not begin
// with what it had noted before.
func TestDeploy_IsLookedForFromItsLastCallOn(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(a *account, d *deploy.Deployer) *deploy.Deployer{
		"the server was killed":   func(a *account, _ *deploy.Deployer) *deploy.Deployer { return a.deployer() },
		"the result was not kept": func(_ *account, d *deploy.Deployer) *deploy.Deployer { return d },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, edgegaptest.Options{ListDelay: 10 * time.Second})
			a.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultTooMany, Call: "deploy", RetryAfter: "55", Times: 2},
				edgegaptest.Fault{Kind: edgegaptest.FaultDropAfter, Call: "deploy"})
			d, r := a.deployer(), a.request("log")
			_, err := d.Deploy(t.Context(), r, nil, a.save)
			require.ErrorIs(t, err, deployer.ErrAmbiguous)
			saved := a.handles["arena.log-v1"] // from before the call
			d = again(a, d)

			_, err = d.Deploy(t.Context(), r, &saved, a.save)
			require.ErrorIs(t, err, deployer.ErrAmbiguous, "it may still show up")
			require.ErrorIs(t, d.Undeploy(t.Context(), r.Owner, saved), deployer.ErrAmbiguous)

			a.remove(d, r, saved)
			a.clock.pass(time.Hour)
			require.Empty(t, a.fake.Running())
			require.Len(t, a.fake.Started(), 1)
		})
	}
}

func TestUndeploy_WaitsForWhatMayStillShowUp(t *testing.T) {
	t.Parallel()
	a := newAccount(t, edgegaptest.Options{ListDelay: 10 * time.Second})
	d, r := a.deployer(), a.request("log")
	a.fake.Script(edgegaptest.Fault{Kind: edgegaptest.FaultDropAfter, Call: "deploy"})
	h, err := d.Deploy(t.Context(), r, nil, a.save)
	require.ErrorIs(t, err, deployer.ErrAmbiguous)
	require.Len(t, a.live(), 1)

	require.ErrorIs(t, d.Undeploy(t.Context(), r.Owner, h), deployer.ErrAmbiguous)
	require.Equal(t, skipper.StateUndeployed, a.status(d, h).State)

	a.remove(d, r, h)
	require.Empty(t, a.live())
}

// Leaks cost money: what deployments leave under faults of every kind, killed servers and stopped calls. LEAK_ROUNDS is
// how many of them each seed makes; CI makes a thousand in all.
func TestDeployAndUndeploy_LeaveNothingBehind(t *testing.T) {
	t.Parallel()
	rounds := 40
	if text := os.Getenv("LEAK_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err, "LEAK_ROUNDS is not a number")
	}
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			leaveNothingBehind(t, seed, rounds)
		})
	}
}

func leaveNothingBehind(t *testing.T, seed uint64, rounds int) {
	t.Helper()
	a := newAccount(t, edgegaptest.Options{
		Seed: seed, ListDelay: 2 * time.Second, GoneForever: seed%2 == 0, BareLists: seed%3 == 0,
	})
	random := rand.New(rand.NewPCG(seed, 8))
	a.fake.SetChaos(edgegaptest.Chaos{Rate: 0.25})
	d := a.deployer()
	lost, killed := 0, 0
	for n := range rounds {
		r := a.request("log")
		r.Count = 1 + n%3
		clear(a.handles)
		var h deployer.Handle
		for tries := 0; tries < 1+random.IntN(4); tries++ {
			var previous *deployer.Handle
			if known, ok := a.handles["arena.log-v1"]; ok {
				previous = &known
			}
			ctx, cancel := context.WithCancel(t.Context())
			save := a.save
			if random.IntN(10) == 0 {
				save = func(h deployer.Handle) error {
					cancel()
					return a.save(h)
				}
			}
			got, err := d.Deploy(ctx, r, previous, save)
			cancel()
			if err != nil {
				lost++
			}
			if random.IntN(4) == 0 { // killed before it could note what came of it
				killed++
				d = a.deployer()
			} else if got.Data != nil {
				a.handles[got.ID] = got
			}
			a.clock.pass(time.Duration(random.IntN(4000)) * time.Millisecond)
		}
		h = a.handles["arena.log-v1"]
		if h.ID == "" {
			h = deployer.Handle{ID: "arena.log-v1"}
		}
		if random.IntN(20) == 0 {
			d = a.deployer()
		}
		a.remove(d, r, h)
		if n%20 == 0 {
			require.Empty(t, a.live(), "round %d", n)
		}
	}
	a.fake.SetChaos(edgegaptest.Chaos{})
	a.clock.pass(time.Hour)
	require.Empty(t, a.live())
	require.Empty(t, a.fake.Running())
	t.Logf("%d rounds, %d deployments started, %d deploys failed, %d servers killed, %d left", rounds, len(a.fake.Started()),
		lost, killed, len(a.fake.Running()))
}
