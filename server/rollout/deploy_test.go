package rollout_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
	"github.com/skiff-project/skiff/server/rollout"
)

func parsed(t *testing.T, document string) manifest.Application {
	t.Helper()
	apps, _, err := manifest.Parse(document)
	require.NoError(t, err)
	require.Len(t, apps, 1)
	return apps[0]
}

func TestRequest_IsWhatTheManifestSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, err := b.Request(skipper.Release{Name: "r", Version: 3, PlatformName: "default"}, parsed(t, app("log",
		"a: 1, empty: null", "spring.cloud.deployer.count: 4, spring.cloud.deployer.indexed: true, "+
			"spring.cloud.deployer.appName: other, x: y")))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(deployer.Request{
		Owner: deployer.Owner{Installation: "test", Account: "default", Release: "r", Version: 3, App: "log"},
		Name:  "log-v3", Group: "r", Count: 4, Indexed: true,
		Resource:   resource.Ref{Location: "file:///app", Version: "1.0.0"},
		Properties: map[string]string{"a": "1", "empty": ""},
		Deployment: map[string]string{
			deployer.CountKey: "4", deployer.IndexedKey: "true", deployer.GroupKey: "r", deployer.AppNameKey: "log", "x": "y",
		},
	}, got))
}

func TestRequest_GroupAndCount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rel := skipper.Release{Name: "r", Version: 1}
	got, err := b.Request(rel, parsed(t, app("log", "", "spring.cloud.deployer.group: g")))
	require.NoError(t, err)
	require.Equal(t, "g", got.Group)
	require.Equal(t, 1, got.Count)
	require.False(t, got.Indexed)
	for text, want := range map[string]int{"0": 0, "1": 1, "1000": 1000, "''": 1} {
		got, err := b.Request(rel, parsed(t, app("log", "", "spring.cloud.deployer.count: "+text)))
		require.NoError(t, err, text)
		require.Equal(t, want, got.Count, text)
	}
	for _, text := range []string{"-1", "1001", "many", "1.5", "99999999999999999999"} {
		_, err := b.Request(rel, parsed(t, app("log", "", "spring.cloud.deployer.count: '"+text+"'")))
		require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), text)
		require.EqualError(t, err, `spring.cloud.deployer.count is "`+text+`"; a number of instances from 0 to 1000 is due`)
	}
}

func TestRequest_OfNoResource(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for location, reason := range map[string]string{
		"": "Spec resource must not be empty", "/app": "a scheme (prefix) is required",
	} {
		_, err := b.Request(skipper.Release{Name: "r"}, manifest.Application{Name: "log", Resource: location})
		require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err))
		require.Equal(t, "Could not load Resource "+location+". Message = "+reason, skipper.MessageOf(err))
	}
}

func TestInstall_HandsOverOneApplicationAStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", ""), app("pong", "", ""))
	op := b.operation(skipper.KindInstall, skipper.StateInstall, 1)

	res := b.step(op)
	require.Equal(t, machine.More, res.Event)
	require.Empty(t, cmp.Diff([]skipper.ReleaseChange{{
		Name: "r", Version: 1, Apps: []skipper.AppDeployment{{App: "ping", ID: "r.ping-v1"}},
	}}, res.Release))
	require.Equal(t, []string{"deploy r.ping-v1"}, b.calls())
	b.store.apply(res)

	res = b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, skipper.OutcomeSucceeded, res.Outcome)
	require.Len(t, res.Release, 1)
	change := res.Release[0]
	require.Equal(t, skipper.StatusDeployed, change.Status)
	require.Equal(t, "Install complete", change.Description)
	require.Equal(t, []skipper.AppDeployment{{App: "ping", ID: "r.ping-v1"}, {App: "pong", ID: "r.pong-v1"}}, change.Apps)
	require.Contains(t, *change.PlatformStatus, `"state":"deployed"`)
	require.Equal(t, []string{"deploy r.ping-v1", "deploy r.pong-v1"}, b.calls())
	require.Equal(t, []string{
		"want r.ping-v1", "check", "save r.ping-v1", "save r.ping-v1",
		"want r.pong-v1", "check", "save r.pong-v1", "save r.pong-v1",
	}, b.store.seen(), "the intent, the token, the handle before the effect, the handle after it")
}

func TestInstall_OfWhatWasHandedOverAlreadyIsDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("ping", "", ""))
	b.fake.status = deployer.Errorf(deployer.ErrUnavailable, "gone")
	res := b.step(b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.Equal(t, machine.Done, res.Event)
	require.Nil(t, res.Release[0].PlatformStatus, "the next status round brings it")
	require.Equal(t, []string{"deploy r.ping-v1"}, b.calls())
}

func TestDeploy_GivesThePreviousHandleAndSavesTheNewOneBeforeTheEffect(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", ""))
	var previous []*deployer.Handle
	b.fake.deploy = func(r deployer.Request, p *deployer.Handle, save func(deployer.Handle) error,
	) (deployer.Handle, error) {
		previous = append(previous, p)
		h := deployer.Handle{ID: "r.ping-v1", SpecHash: deployer.SpecHash(r), Data: []byte(`{"pid":1}`)}
		require.NoError(t, save(h))
		require.JSONEq(t, `{"pid":1}`, string(b.store.rows[h.ID].Handle))
		h.Data = []byte(`{"pid":1,"half":true}`)
		return h, deployer.Errorf(deployer.ErrAmbiguous, "the line broke")
	}
	op := b.operation(skipper.KindInstall, skipper.StateInstall, 1)
	require.Equal(t, machine.Retry, b.step(op).Event)
	require.JSONEq(t, `{"pid":1,"half":true}`, string(b.store.rows["r.ping-v1"].Handle), "also with an error")
	require.Equal(t, machine.Retry, b.step(op).Event)
	require.Nil(t, previous[0])
	require.JSONEq(t, `{"pid":1,"half":true}`, string(previous[1].Data))
	require.Equal(t, b.store.rows["r.ping-v1"].SpecHash, previous[1].SpecHash)
}

func TestDeploy_Errors(t *testing.T) {
	t.Parallel()
	const refused = "Could not install application [ping] of release [r] to platform [default].  " +
		"Error Message = [scripted: "
	for name, test := range map[string]struct {
		script  string
		late    bool
		event   machine.Event
		message string
	}{
		"transient":           {"fake.deploy-error: unavailable", false, machine.Retry, "ping: scripted: unavailable"},
		"rate limited":        {"fake.deploy-error: rate-limited", false, machine.Retry, "ping: scripted: rate-limited"},
		"ambiguous":           {"fake.deploy-error: ambiguous", false, machine.Retry, "ping: scripted: ambiguous"},
		"too late":            {"fake.deploy-error: unavailable", true, machine.Failed, refused + "unavailable]"},
		"permanent":           {"fake.deploy-error: invalid", false, machine.Failed, refused + "invalid]"},
		"no capacity":         {"fake.deploy-error: quota", false, machine.Failed, refused + "quota]"},
		"somebody else's":     {"fake.deploy-error: exists", false, machine.Failed, refused + "exists]"},
		"permanent, too late": {"fake.deploy-error: denied", true, machine.Failed, refused + "denied]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for number, state := range []skipper.State{1: skipper.StateInstall, 2: skipper.StateUpgradeDeploy} {
				if number == 0 {
					continue
				}
				b.version(number, skipper.StatusUnknown, app("ping", test.script, ""))
				op := b.operation(skipper.KindUpgrade, state, number)
				op.Plan.Apps = []string{"ping"}
				if test.late {
					op.Deadline = b.now
				}
				res := b.step(op)
				require.Equal(t, test.event, res.Event)
				require.Equal(t, test.message, res.Message)
				if test.event == machine.Retry {
					require.Nil(t, res.Error)
					require.Empty(t, res.Release)
					continue
				}
				_, kind, _ := strings.Cut(test.script, ": ")
				require.Equal(t, &skipper.OperationError{
					Code: skipper.CodeConflict, Message: test.message,
					Cause: &skipper.Cause{App: "ping", Reason: "scripted: " + kind},
				}, res.Error)
				if state == skipper.StateUpgradeDeploy {
					require.Empty(t, cmp.Diff([]skipper.ReleaseChange{{
						Name: "r", Version: number, Status: skipper.StatusFailed, Description: "Could not deploy app.",
					}}, res.Release))
				}
			}
		})
	}
}

func TestDeploy_OfWhatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", "spring.cloud.deployer.count: many"))
	op := b.operation(skipper.KindInstall, skipper.StateInstall, 1)
	res := b.step(op)
	require.Equal(t, machine.Failed, res.Event)
	require.Contains(t, res.Error.Message, `spring.cloud.deployer.count is "many"`)
	op.Plan.Account = "gone"
	res = b.step(op)
	require.Equal(t, machine.Failed, res.Event)
	require.Contains(t, res.Error.Message, "No deployer named 'gone'")
	require.Empty(t, b.calls())
	require.Empty(t, b.store.ids())
}

func TestDeploy_OfAnIDThatAnotherReleaseHas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", ""))
	b.store.wantedBy = "other"
	res := b.step(b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.Equal(t, machine.Failed, res.Event)
	require.Contains(t, res.Error.Message, `belongs to release "other"`)
	require.Empty(t, b.calls())
}

// What the store answers is no answer of a platform: the step comes to nothing, and whoever has the lease repeats it.
func TestDeploy_WhenTheStoreFails(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"release", "want", "check", "save"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.version(1, skipper.StatusUnknown, app("ping", "", ""))
			b.store.broken = method
			_, err := b.Step(t.Context(), b.operation(skipper.KindInstall, skipper.StateInstall, 1))
			require.ErrorIs(t, err, errBroken)
			require.Empty(t, b.runs(), "nothing has an effect")
		})
	}
}

func TestDeploy_WithAnOldTokenCallsNoPlatform(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", ""))
	op := b.operation(skipper.KindInstall, skipper.StateInstall, 1)
	b.store.stale = true
	_, err := b.Step(t.Context(), op)
	require.ErrorIs(t, err, skipper.ErrStale)

	b.store.stale = false
	b.store.checked = func() { b.store.stale = true } // lost between the intent and the effect
	_, err = b.Step(t.Context(), op)
	require.ErrorIs(t, err, skipper.ErrStale)
	require.Empty(t, b.calls())
}

func TestDeploy_OfAServerThatStops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Step(ctx, b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.Error(t, err, "no verdict on the operation")
}

func TestUpgradeDeploy_DeploysThePlanAndCarriesTheRestOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""), app("b", "", ""), app("c", "", ""), app("gone", "", ""))
	b.version(2, skipper.StatusUnknown, app("new", "", ""), app("a", "", ""), app("b", "x: 1", ""), app("c", "", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDeploy, 2)
	op.Plan.Apps, op.Plan.Drop = []string{"new", "b"}, []string{"gone"}

	res := b.step(op)
	require.Equal(t, machine.More, res.Event)
	require.Equal(t, []skipper.AppDeployment{{App: "new", ID: "r.new-v2"}}, res.Release[0].Apps)
	require.Nil(t, res.Plan)
	b.store.apply(res)

	res = b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Empty(t, res.Outcome)
	require.Empty(t, cmp.Diff([]skipper.ReleaseChange{{Name: "r", Version: 2, Apps: []skipper.AppDeployment{
		{App: "new", ID: "r.new-v2"}, {App: "a", ID: "r.a-v1"}, {App: "b", ID: "r.b-v2"}, {App: "c", ID: "r.c-v1"},
	}}}, res.Release), "in manifest order")
	want := op.Plan
	want.HandedOver, want.CutOff = &b.now, new(b.now.Add(time.Minute))
	require.Empty(t, cmp.Diff(&want, res.Plan))
	require.Equal(t, b.now.Add(5*time.Second), res.Due, "the first check is one period later")
	require.Equal(t, []string{"deploy r.new-v2", "deploy r.b-v2"}, b.calls()[4:])

	b.store.apply(res)
	res = b.step(op)
	require.Equal(t, machine.Done, res.Event, "repeated after a crash")
	require.Len(t, b.calls(), 6)
}

func TestUpgradeDeploy_OfNothingButDrops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""), app("gone", "", ""))
	b.version(2, skipper.StatusUnknown, app("a", "", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDeploy, 2)
	op.Plan.Drop = []string{"gone"}
	res := b.step(op)
	require.Equal(t, machine.Done, res.Event)
	require.Equal(t, []skipper.AppDeployment{{App: "a", ID: "r.a-v1"}}, res.Release[0].Apps)
}

func TestNextCheck_IsNotAfterTheCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "", ""))
	b.version(2, skipper.StatusUnknown, app("a", "fake.healthy-after: never", ""))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeDeploy, 2)
	op.Plan.Apps, op.Plan.Timeout = []string{"a"}, 12_000
	res := b.step(op)
	b.store.apply(res)
	op.Plan, op.State = *res.Plan, skipper.StateUpgradeCheck
	op.Deadline = b.Deadline(op, skipper.StateUpgradeWait)
	cutOff := b.now.Add(12 * time.Second)
	require.Equal(t, cutOff, op.Deadline)
	for _, want := range []time.Duration{5, 10, 12} {
		require.Equal(t, cutOff.Add((want-12)*time.Second), res.Due)
		b.now = res.Due
		if want < 12 {
			res = b.step(op)
			require.Equal(t, machine.Pending, res.Event)
		}
	}
	require.Equal(t, machine.Timeout, b.step(op).Event)

	op.Plan.Timeout, op.State = 1000, skipper.StateUpgradeDeploy
	res = b.step(op)
	require.Equal(t, b.now.Add(time.Second), res.Due)
}

func TestCount_DefaultsToOne(t *testing.T) {
	t.Parallel()
	count, err := rollout.Count(nil)
	require.NoError(t, err)
	require.Equal(t, 1, count)
}

func TestSlots_BoundWhatHappensAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	documents := []string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		documents = append(documents, app(name, "", ""))
	}
	b.installed(1, documents...)
	op := b.operation(skipper.KindDelete, skipper.StateDelete, 1)
	b.store.apply(b.step(op))

	entered, leave := make(chan struct{}, 5), make(chan struct{})
	b.fake.undeploy = func(h deployer.Handle) error {
		entered <- struct{}{}
		<-leave
		return b.fake.Fake.Undeploy(t.Context(), deployer.Owner{}, h)
	}
	ended := make(chan rollout.Result)
	go func() {
		res, _ := b.Step(t.Context(), op)
		ended <- res
	}()
	<-entered
	<-entered
	select {
	case <-entered:
		require.Fail(t, "a third call at once, where two are allowed")
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	require.Equal(t, machine.Done, (<-ended).Event)
	require.Empty(t, b.runs())
}
