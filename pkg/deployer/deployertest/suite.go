package deployertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Harness is one fresh account of a platform and what a test needs to know of it. Everything but ExitCode is required.
type Harness struct {
	Deployer deployer.Deployer
	// Again gives another deployer on the same account, as after a restart of the server. It knows nothing but what
	// the platform and its own records tell.
	Again func() deployer.Deployer
	// Request asks for one instance of an application that becomes healthy within seconds.
	Request func(app string) deployer.Request
	// Slow, Failing and FailingAt change a request: its instances never become healthy, all fail, or the one of the
	// index does.
	Slow, Failing func(r *deployer.Request)
	// ExitCode is that of failing instances, as the deployer tells it that deployed them; empty: it cannot.
	ExitCode  string
	FailingAt func(r *deployer.Request, index int)
	// Seen gives everything that the first instance of a healthy deployment was told, by name.
	Seen func(ctx context.Context, h deployer.Handle) (map[string]string, error)
	// Left lists what lives on the platform, one entry an instance, as asked from outside.
	Left func() ([]string, error)
	// LogLine is part of what a healthy instance logs.
	LogLine string
}

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// pause is the time between two looks.
const pause = 25 * time.Millisecond

// Run holds a deployer to the contract. Each test gets an account of its own and must leave nothing behind.
func Run(t *testing.T, setup func(t *testing.T) Harness) {
	t.Helper()
	for name, test := range map[string]func(*suite){
		"describes itself":                        describes,
		"id is pure":                              idIsPure,
		"unknown ids are unknown":                 unknownIDs,
		"deployed, undeployed, deployed again":    lifeCycle,
		"deploying twice is deploying once":       deployTwice,
		"another spec under the same id":          otherSpec,
		"adopted without a handle":                adopts,
		"saved before the effect":                 savesFirst,
		"a failed save stops it":                  failedSave,
		"an ended context changes nothing":        endedContext,
		"a context that ends before the effect":   contextEndsInSave,
		"many at once":                            manyAtOnce,
		"a slow one is deploying":                 slow,
		"a failed one":                            failing,
		"why it failed":                           whyItFailed,
		"one of three fails":                      oneFails,
		"no instances":                            noInstances,
		"undeploy of nothing":                     undeployNothing,
		"undeploy without data":                   undeployWithoutData,
		"status after a restart":                  statusAfterRestart,
		"scaled up and down":                      scales,
		"scaled though nothing is there":          scaleNothing,
		"a failed save stops scaling":             failedSaveOfScale,
		"logs":                                    logs,
		"logs line by line":                       readLogs,
		"followed logs":                           followLogs,
		"logs of nothing":                         logsOfNothing,
		"the last bytes of logs":                  lastBytesOfLogs,
		"where its endpoints are":                 actuator,
		"the id is the request's alone":           idOfAnything,
		"adopted by any of several":               adoptsHalf,
		"deployed with what is of no use":         previousOfAnother,
		"undeploying twice at a time apart":       undeployTwice,
		"status of many handles":                  statusOfAll,
		"discovered by each part of its owner":    discoversByPart,
		"closed and used again by another":        closes,
		"an ended context scales nothing":         endedContextOfScale,
		"a handle round trips as JSON":            handleRoundTrips,
		"discovered":                              discovers,
		"discovered until it is gone":             discoversNoMore,
		"properties arrive unchanged":             properties,
		"a negative count is refused":             negativeCount,
		"the handle stays small and free of text": handleIsSmall,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t, Harness: setup(t), handles: map[string]deployer.Handle{}}
			t.Cleanup(s.cleanUp)
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	Harness

	handles map[string]deployer.Handle // all that were deployed
	owner   deployer.Owner
}

// cleanUp undeploys everything and looks whether that was all.
func (s *suite) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), patience)
	defer cancel()
	for _, h := range s.handles {
		require.NoError(s, s.Deployer.Undeploy(ctx, s.owner, h))
	}
	require.Eventually(s, func() bool {
		left, err := s.Left()
		return err == nil && len(left) == 0
	}, patience, 25*time.Millisecond, "something was left behind")
}

func (s *suite) keep(h deployer.Handle) error {
	s.handles[h.ID] = h
	return nil
}

// deploy deploys and keeps the handle, as a server does.
func (s *suite) deploy(r deployer.Request) deployer.Handle {
	s.Helper()
	h, err := s.Deployer.Deploy(s.Context(), r, nil, s.keep)
	s.handles[h.ID], s.owner = h, r.Owner
	require.NoError(s, err)
	return h
}

func (s *suite) undeploy(h deployer.Handle) {
	s.Helper()
	require.NoError(s, s.Deployer.Undeploy(s.Context(), s.owner, h))
	s.await(h, skipper.StateUnknown)
}

func (s *suite) status(h deployer.Handle) skipper.AppStatus {
	s.Helper()
	all, err := s.Deployer.Status(s.Context(), []deployer.Handle{h})
	require.NoError(s, err)
	require.Len(s, all, 1)
	require.Equal(s, h.ID, all[h.ID].DeploymentID)
	require.NotNil(s, all[h.ID].Instances)
	require.Equal(s, skipper.Aggregate(all[h.ID].Instances), all[h.ID].State)
	return all[h.ID]
}

// await waits for a state and checks what every status must have.
func (s *suite) await(h deployer.Handle, want skipper.DeploymentState) skipper.AppStatus {
	s.Helper()
	var last skipper.AppStatus
	require.Eventually(s, func() bool {
		all, err := s.Deployer.Status(s.Context(), []deployer.Handle{h})
		last = all[h.ID]
		return err == nil && last.State == want
	}, patience, 25*time.Millisecond, "%s does not become %s", h.ID, want)
	for id, i := range last.Instances {
		require.Equal(s, id, i.ID)
		require.NotEmpty(s, i.Attributes["guid"])
	}
	return s.status(h)
}

// left checks how many instances live on the platform, as asked from outside.
func (s *suite) left(want int) {
	s.Helper()
	var last []string
	require.Eventually(s, func() bool {
		left, err := s.Left()
		last = left
		return err == nil && len(left) == want
	}, patience, 25*time.Millisecond, "%d instances are due", want)
	require.Len(s, last, want)
}

func describes(s *suite) {
	require.NotEmpty(s, s.Deployer.Type())
	require.NotEmpty(s, s.Deployer.Describe())
	require.Empty(s, cmp.Diff(s.Deployer.Options(), s.Deployer.Options()))
	require.NoError(s, s.Deployer.Ping(s.Context()))
	require.NoError(s, s.Deployer.Validate(s.Context(), s.Request("log")))
}

func idIsPure(s *suite) {
	one, err := s.Deployer.ID(s.Request("log"))
	require.NoError(s, err)
	again, err := s.Again().ID(s.Request("log"))
	require.NoError(s, err)
	other, err := s.Deployer.ID(s.Request("time"))
	require.NoError(s, err)

	require.Equal(s, one, again)
	require.NotEqual(s, one, other)
	require.LessOrEqual(s, len(one), 255)
}

func unknownIDs(s *suite) {
	ids := []deployer.Handle{{ID: "nobody.knows-v1"}, {ID: "nor.this-v2"}}

	all, err := s.Deployer.Status(s.Context(), ids)

	require.NoError(s, err)
	want := map[string]skipper.AppStatus{}
	for _, h := range ids {
		want[h.ID] = skipper.AppStatus{
			DeploymentID: h.ID, Instances: map[string]skipper.AppInstanceStatus{}, State: skipper.StateUnknown,
		}
	}
	require.Empty(s, cmp.Diff(want, all))
}

func lifeCycle(s *suite) {
	r := s.Request("log")
	for range 2 {
		h := s.deploy(r)
		id, err := s.Deployer.ID(r)
		require.NoError(s, err)
		require.Equal(s, id, h.ID)
		require.Equal(s, deployer.SpecHash(r), h.SpecHash)
		require.Len(s, s.await(h, skipper.StateDeployed).Instances, 1)
		s.left(1)
		s.undeploy(h)
		s.left(0)
	}
}

func deployTwice(s *suite) {
	r := s.Request("log")
	first := s.deploy(r)
	before := s.await(first, skipper.StateDeployed)

	second, err := s.Deployer.Deploy(s.Context(), r, &first, s.keep)
	require.NoError(s, err)

	require.Equal(s, first.ID, second.ID)
	require.Empty(s, cmp.Diff(before, s.await(second, skipper.StateDeployed)), "the very same instance")
	s.left(1)
}

func otherSpec(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)
	r.Properties = maps.Clone(r.Properties)
	if r.Properties == nil {
		r.Properties = map[string]string{}
	}
	r.Properties["another"] = "one"

	for _, d := range []deployer.Deployer{s.Deployer, s.Again()} {
		for _, previous := range []*deployer.Handle{&h, {ID: h.ID}, nil} {
			_, err := d.Deploy(s.Context(), r, previous, func(deployer.Handle) error { return nil })
			require.ErrorIs(s, err, deployer.ErrExists)
		}
	}
	s.await(h, skipper.StateDeployed)
	s.left(1)
}

func adopts(s *suite) {
	r := s.Request("log")
	first := s.deploy(r)
	before := s.await(first, skipper.StateDeployed)

	for _, previous := range []*deployer.Handle{nil, {ID: first.ID, SpecHash: first.SpecHash}, &first} {
		s.Deployer = s.Again()
		h, err := s.Deployer.Deploy(s.Context(), r, previous, s.keep)
		require.NoError(s, err)
		require.Empty(s, cmp.Diff(before, s.await(h, skipper.StateDeployed)), "the very same instance")
		s.left(1)
	}
}

func savesFirst(s *suite) {
	r, saves := s.Request("log"), 0

	h, err := s.Deployer.Deploy(s.Context(), r, nil, func(h deployer.Handle) error {
		saves++
		require.NotEmpty(s, h.ID)
		require.NotEmpty(s, h.Data)
		require.Equal(s, deployer.SpecHash(r), h.SpecHash)
		s.left(0)
		return s.keep(h)
	})
	require.NoError(s, s.keep(h))

	require.NoError(s, err)
	require.Positive(s, saves)
	s.await(h, skipper.StateDeployed)
}

func failedSave(s *suite) {
	r, refused := s.Request("log"), errors.New("the store is read-only")

	h, err := s.Deployer.Deploy(s.Context(), r, nil, func(deployer.Handle) error { return refused })

	require.ErrorIs(s, err, refused)
	s.left(0)
	require.Equal(s, skipper.StateUnknown, s.status(deployer.Handle{ID: h.ID, SpecHash: h.SpecHash}).State)
	s.await(s.deploy(r), skipper.StateDeployed)
}

func endedContext(s *suite) {
	ended, end := context.WithCancel(s.Context())
	end()
	r := s.Request("log")

	_, err := s.Deployer.Deploy(ended, r, nil, s.keep)
	require.Error(s, err)
	require.True(s, deployer.Retry(err))
	s.left(0)
	h := s.deploy(r)
	_, err = s.Deployer.Status(ended, []deployer.Handle{h})
	require.Error(s, err, "a platform that cannot be asked is no answer")
	require.True(s, deployer.Retry(err))
	s.await(h, skipper.StateDeployed)
}

// contextEndsInSave is a server that stops, or loses its lease, in the middle.
func contextEndsInSave(s *suite) {
	ctx, end := context.WithCancel(s.Context())
	r := s.Request("log")

	h, err := s.Deployer.Deploy(ctx, r, nil, func(h deployer.Handle) error {
		end()
		return s.keep(h)
	})

	require.Error(s, err)
	require.True(s, deployer.Retry(err))
	s.left(0)
	require.NotEmpty(s, h.Data, "the handle is valid also with an error")
	again, err := s.Again().Deploy(s.Context(), r, &h, s.keep)
	require.NoError(s, err)
	s.await(again, skipper.StateDeployed)
	s.left(1)
}

func manyAtOnce(s *suite) {
	const many = 5
	type answer struct {
		h   deployer.Handle
		err error
	}
	answers := make(chan answer, many)
	for n := range many {
		r := s.Request(fmt.Sprintf("log%d", n))
		s.owner = r.Owner
		go func() {
			h, err := s.Deployer.Deploy(s.Context(), r, nil, func(deployer.Handle) error { return nil })
			answers <- answer{h, err}
		}()
	}
	handles := []deployer.Handle{{ID: "nobody.knows-v1"}}
	for range many {
		a := <-answers
		require.NoError(s, s.keep(a.h))
		handles = append(handles, a.h)
		require.NoError(s, a.err)
	}
	for _, h := range handles[1:] {
		s.await(h, skipper.StateDeployed)
	}

	all, err := s.Deployer.Status(s.Context(), handles)

	require.NoError(s, err)
	require.Len(s, all, many+1)
	for _, h := range handles[1:] {
		require.Equal(s, skipper.StateDeployed, all[h.ID].State)
	}
	require.Equal(s, skipper.StateUnknown, all[handles[0].ID].State)
	s.left(many)
}

func slow(s *suite) {
	r := s.Request("log")
	s.Slow(&r)
	h := s.deploy(r)

	require.Equal(s, skipper.StateDeploying, s.status(h).State)
	s.undeploy(h)
	s.left(0)
}

func failing(s *suite) {
	r := s.Request("log")
	s.Failing(&r)
	h := s.deploy(r)
	require.Len(s, s.await(h, skipper.StateFailed).Instances, 1)

	again, err := s.Deployer.Deploy(s.Context(), r, &h, s.keep)

	require.NoError(s, err)
	require.Equal(s, skipper.StateFailed, s.status(again).State, "what has failed is not started again")
	s.undeploy(again)
}

// whyItFailed is what people are told: the deployer that saw it end knows the exit code, one that came later at least
// that it ended, and both its log.
func whyItFailed(s *suite) {
	r := s.Request("log")
	s.Failing(&r)
	h := s.deploy(r)
	for again, d := range []deployer.Deployer{s.Deployer, s.Again()} {
		s.Deployer = d
		for id, i := range s.await(h, skipper.StateFailed).Instances {
			require.NotEmpty(s, i.Attributes[deployer.AttributeReason], id)
			require.NotContains(s, i.Attributes[deployer.AttributeReason], "\n")
			require.Equal(s, "true", i.Attributes[deployer.AttributeFinal], id)
			if code, told := i.Attributes[deployer.AttributeExitCode]; told || again == 0 {
				require.Equal(s, s.ExitCode, code, id)
			}
		}
		text, err := d.Logs(s.Context(), h, 1<<20)
		require.NoError(s, err)
		require.NotEmpty(s, text)
	}
	s.undeploy(h)
	healthy := s.deploy(s.Request("time"))
	for id, i := range s.await(healthy, skipper.StateDeployed).Instances {
		for _, name := range []string{deployer.AttributeReason, deployer.AttributeExitCode, deployer.AttributeFinal} {
			require.NotContains(s, i.Attributes, name, id)
		}
	}
}

func oneFails(s *suite) {
	r := s.Request("log")
	r.Count, r.Indexed = 3, true
	s.FailingAt(&r, 1)
	h := s.deploy(r)

	instances := s.await(h, skipper.StatePartial).Instances

	require.Len(s, instances, 3)
	deployed, failed := skipper.StateDeployed, skipper.StateFailed
	for index, want := range []skipper.DeploymentState{deployed, failed, deployed} {
		for id, i := range instances {
			if strings.HasSuffix(id, fmt.Sprintf("-%d", index)) {
				require.Equal(s, want, i.State, id)
			}
		}
	}
}

func noInstances(s *suite) {
	r := s.Request("log")
	r.Count = 0
	h := s.deploy(r)

	require.Empty(s, s.status(h).Instances)
	s.left(0)
}

func undeployNothing(s *suite) {
	r := s.Request("log")
	id, err := s.Deployer.ID(r)
	require.NoError(s, err)
	require.NoError(s, s.Deployer.Undeploy(s.Context(), r.Owner, deployer.Handle{ID: id}))
	h := s.deploy(r)
	s.undeploy(h)

	require.NoError(s, s.Deployer.Undeploy(s.Context(), r.Owner, h))
	require.NoError(s, s.Again().Undeploy(s.Context(), r.Owner, h))
}

func undeployWithoutData(s *suite) {
	r := s.Request("log")
	r.Count = 2
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)

	s.Deployer = s.Again()
	s.undeploy(deployer.Handle{ID: h.ID, SpecHash: h.SpecHash})

	s.left(0)
	require.Equal(s, skipper.StateUnknown, s.status(h).State)
}

func statusAfterRestart(s *suite) {
	h := s.deploy(s.Request("log"))
	before := s.await(h, skipper.StateDeployed)

	s.Deployer = s.Again()

	require.Empty(s, cmp.Diff(before, s.await(h, skipper.StateDeployed)))
	require.Empty(s, cmp.Diff(before, s.await(deployer.Handle{ID: h.ID}, skipper.StateDeployed)))
}

func scales(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	first := s.await(h, skipper.StateDeployed)
	for n, count := range []int{3, 1, 2, 2, 0, 1} {
		scaled, err := s.Deployer.Scale(s.Context(), r, h, count, s.keep)
		require.NoError(s, s.keep(scaled))
		require.NoError(s, err)
		require.Equal(s, h.ID, scaled.ID)
		require.Equal(s, h.SpecHash, scaled.SpecHash)
		h = scaled
		s.left(count)
		if count > 0 {
			now := s.await(h, skipper.StateDeployed).Instances
			require.Len(s, now, count)
			for id, i := range first.Instances {
				require.True(s, n > 3 || cmp.Equal(i, now[id]), "the first instance is left alone")
			}
		}
		s.Deployer = s.Again()
	}
	// A deployment asked for again stays as it was scaled.
	again, err := s.Deployer.Scale(s.Context(), r, h, 2, s.keep)
	require.NoError(s, s.keep(again))
	require.NoError(s, err)
	_, err = s.Deployer.Deploy(s.Context(), r, &again, s.keep)
	require.NoError(s, err)
	s.left(2)
}

func scaleNothing(s *suite) {
	r := s.Request("log")
	id, err := s.Deployer.ID(r)
	require.NoError(s, err)

	_, err = s.Deployer.Scale(s.Context(), r, deployer.Handle{ID: id}, 2, s.keep)

	require.ErrorIs(s, err, deployer.ErrNotFound)
	s.left(0)
	delete(s.handles, id)
}

func failedSaveOfScale(s *suite) {
	r, refused := s.Request("log"), errors.New("the store is read-only")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)

	_, err := s.Deployer.Scale(s.Context(), r, h, 3, func(deployer.Handle) error { return refused })

	require.ErrorIs(s, err, refused)
	s.left(1)
	s.await(h, skipper.StateDeployed)
}

func logs(s *suite) {
	r := s.Request("log")
	r.Count = 2
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)
	for _, d := range []deployer.Deployer{s.Deployer, s.Again()} {
		var text string
		require.Eventually(s, func() bool {
			got, err := d.Logs(s.Context(), h, 1<<20)
			text = got
			return err == nil && strings.Count(got, s.LogLine) == 2
		}, patience, 25*time.Millisecond)
		require.Equal(s, 2, strings.Count(text, "stdout:\n"))
	}
	short, err := s.Deployer.Logs(s.Context(), h, 1)
	require.NoError(s, err)
	require.Less(s, len(short), 40)
	none, err := s.Deployer.Logs(s.Context(), deployer.Handle{ID: "nobody.knows-v1"}, 1<<20)
	require.NoError(s, err)
	require.Empty(s, none)
}

func discovers(s *suite) {
	started := time.Now()
	one, two := s.Request("log"), s.Request("time")
	handles := map[string]deployer.Request{s.deploy(one).ID: one, s.deploy(two).ID: two}
	for _, h := range s.handles {
		s.await(h, skipper.StateDeployed)
	}
	for _, d := range []deployer.Deployer{s.Deployer, s.Again()} {
		all, err := d.Discover(s.Context(), deployer.Owner{Installation: one.Owner.Installation})
		require.NoError(s, err)
		require.Len(s, all, 2)
		for _, found := range all {
			require.Empty(s, cmp.Diff(handles[found.ID].Owner, found.Owner))
			require.Contains(s, []string{"", deployer.SpecHash(handles[found.ID])}, found.SpecHash)
			require.WithinDuration(s, started, found.Since, patience)
		}
		only, err := d.Discover(s.Context(), two.Owner)
		require.NoError(s, err)
		require.Len(s, only, 1)
		require.Equal(s, two.Owner, only[0].Owner)
		for _, foreign := range []deployer.Owner{
			{Installation: "somebody-else"}, {Installation: one.Owner.Installation, Account: "another"},
		} {
			none, err := d.Discover(s.Context(), foreign)
			require.NoError(s, err)
			require.Empty(s, none)
		}
		_, err = d.Discover(s.Context(), deployer.Owner{})
		require.ErrorIs(s, err, deployer.ErrInvalid)
	}
}

// discoversNoMore is a platform of which nothing lives but what a server knows nothing of.
func discoversNoMore(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)
	s.Deployer = s.Again()
	s.undeploy(deployer.Handle{ID: h.ID}) // as what nobody remembers is removed: by its mark
	all, err := s.Deployer.Discover(s.Context(), deployer.Owner{Installation: r.Owner.Installation})
	require.NoError(s, err)
	require.Empty(s, all)
}

func properties(s *suite) {
	r := s.Request("log")
	r.Properties, r.Deployment = maps.Clone(r.Properties), maps.Clone(r.Deployment)
	if r.Properties == nil {
		r.Properties = map[string]string{}
	}
	if r.Deployment == nil {
		r.Deployment = map[string]string{}
	}
	awkward := map[string]string{
		"test.plain": "value", "test.empty": "", "test.blank": " ", "test.quotes": `"double" 'single' ` + "`back`",
		"test.shell": `$HOME $(id) ${x} %PATH% ; & | < > \ *`, "test.lines": "one\ntwo\r\n\tthree",
		"test.unicode": "naïve – 日本語 🚣", "test.markup": "é <&> &amp;", "test.equals": "a=b,c=d", "test.dashes": "--x=y",
		"test.odd key/with:signs": "x", "test.json": `{"a":[1,2]}`,
	}
	maps.Copy(r.Properties, awkward)
	r.Deployment["test.deployment"] = "never-arrives"
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)

	seen, err := s.Seen(s.Context(), h)

	require.NoError(s, err)
	for name, value := range awkward {
		got, ok := seen[name]
		require.True(s, ok, name)
		require.Equal(s, value, got, name)
	}
	for name, value := range seen {
		require.NotContains(s, name, "test.deployment")
		require.NotContains(s, value, "never-arrives", name)
	}
}

func negativeCount(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)

	_, err := s.Deployer.Scale(s.Context(), r, h, -1, s.keep)
	require.ErrorIs(s, err, deployer.ErrInvalid)
	r.Count = -1
	require.ErrorIs(s, s.Deployer.Validate(s.Context(), r), deployer.ErrInvalid)
	s.left(1)
}

func handleIsSmall(s *suite) {
	r := s.Request("log")
	r.Count = 2
	r.Properties, r.Deployment = maps.Clone(r.Properties), maps.Clone(r.Deployment)
	if r.Properties == nil {
		r.Properties = map[string]string{}
	}
	r.Properties["test.password"] = "s3cr3t-of-the-application"
	h := s.deploy(r)

	require.Less(s, len(h.Data), 64<<10)
	require.NotContains(s, string(h.Data), "s3cr3t")
}
