package deployertest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// reader gives the deployer as one of lines; false where it knows only Logs.
func (s *suite) reader() (deployer.LogReader, bool) {
	s.Helper()
	reader, ok := s.Deployer.(deployer.LogReader)
	return reader, ok
}

// lines reads all there is.
func (s *suite) lines(h deployer.Handle, o deployer.LogOptions) []deployer.LogLine {
	s.Helper()
	reader, _ := s.reader()
	var lines []deployer.LogLine
	require.NoError(s, reader.ReadLogs(s.Context(), h, o, func(l deployer.LogLine) error {
		lines = append(lines, l)
		return nil
	}))
	return lines
}

func readLogs(s *suite) {
	if _, ok := s.reader(); !ok {
		s.Skip("this deployer does not know lines")
	}
	r := s.Request("log")
	r.Count = 2
	h := s.deploy(r)
	ids := slices.Sorted(maps.Keys(s.await(h, skipper.StateDeployed).Instances))
	told := func(lines []deployer.LogLine) map[string]int {
		by := map[string]int{}
		for _, l := range lines {
			require.Contains(s, []string{"stdout", "stderr"}, l.Stream)
			require.NotContains(s, l.Text, "\n")
			if strings.Contains(l.Text, s.LogLine) {
				by[l.Instance]++
			}
		}
		return by
	}
	for range 2 {
		require.Eventually(s, func() bool {
			by := told(s.lines(h, deployer.LogOptions{}))
			return len(by) == 2 && by[ids[0]] == 1 && by[ids[1]] == 1
		}, patience, pause, "each instance logs one such line")
		s.Deployer = s.Again()
	}
	all := s.lines(h, deployer.LogOptions{})

	one := s.lines(h, deployer.LogOptions{Instance: ids[1]})
	for _, l := range one {
		require.Equal(s, ids[1], l.Instance)
	}
	require.Empty(s, cmp.Diff(slices.DeleteFunc(slices.Clone(all), func(l deployer.LogLine) bool {
		return l.Instance != ids[1]
	}), one), "those of one are the same")
	counts := map[string]int{}
	for _, l := range s.lines(h, deployer.LogOptions{Tail: 1}) {
		counts[l.Instance+" "+l.Stream]++
	}
	for stream, n := range counts {
		require.Equal(s, 1, n, stream)
	}
	require.Empty(s, s.lines(h, deployer.LogOptions{Tail: -1}))
	require.Len(s, s.lines(h, deployer.LogOptions{Tail: 1 << 20}), len(all))

	reader, _ := s.reader()
	err := reader.ReadLogs(s.Context(), h, deployer.LogOptions{Instance: "nobody-9"}, func(deployer.LogLine) error { return nil })
	require.ErrorIs(s, err, deployer.ErrNotFound)
	enough, seen := errors.New("enough"), 0
	err = reader.ReadLogs(s.Context(), h, deployer.LogOptions{Follow: true}, func(deployer.LogLine) error {
		seen++
		return enough
	})
	require.ErrorIs(s, err, enough)
	require.Equal(s, 1, seen, "an error of emit ends it")
}

// followLogs sees what new instances write, ends with the context, and when nothing of the deployment is left.
func followLogs(s *suite) {
	reader, ok := s.reader()
	if !ok {
		s.Skip("this deployer does not know lines")
	}
	r := s.Request("log")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)
	var mu sync.Mutex
	seen := map[string]int{}
	note := func(l deployer.LogLine) error {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(l.Text, s.LogLine) {
			seen[l.Instance]++
		}
		return nil
	}
	brief, leave := context.WithCancel(s.Context())
	defer leave()
	left, gone := make(chan error, 1), make(chan error, 1)
	go func() {
		left <- reader.ReadLogs(brief, h, deployer.LogOptions{Follow: true}, func(deployer.LogLine) error { return nil })
	}()
	go func() { gone <- reader.ReadLogs(s.Context(), h, deployer.LogOptions{Follow: true}, note) }()

	instances := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == n
		}
	}
	require.Eventually(s, instances(1), patience, pause)
	h, err := s.Deployer.Scale(s.Context(), r, h, 2, s.keep)
	require.NoError(s, err)
	require.NoError(s, s.keep(h))
	require.Eventually(s, instances(2), patience, pause, "also of instances that are new")
	leave()
	require.NoError(s, <-left, "the end of the context is how it ends")
	s.undeploy(h)
	require.NoError(s, <-gone)
	for id, n := range seen {
		require.Equal(s, 1, n, id)
	}
}

func logsOfNothing(s *suite) {
	nobody := deployer.Handle{ID: "nobody.knows-v1"}
	text, err := s.Deployer.Logs(s.Context(), nobody, 100)
	require.NoError(s, err)
	require.Empty(s, text)
	if _, ok := s.reader(); !ok {
		return
	}
	require.Empty(s, s.lines(nobody, deployer.LogOptions{}))
	require.Empty(s, s.lines(nobody, deployer.LogOptions{Follow: true}), "of which nothing is left")
}

func lastBytesOfLogs(s *suite) {
	h := s.deploy(s.Request("log"))
	s.await(h, skipper.StateDeployed)
	var whole string
	require.Eventually(s, func() bool {
		text, err := s.Deployer.Logs(s.Context(), h, 1<<20)
		whole = text
		return err == nil && strings.Contains(text, s.LogLine)
	}, patience, pause)
	require.True(s, strings.HasPrefix(whole, "stdout:\n") || strings.HasPrefix(whole, "stderr:\n"), whole)
	for _, limit := range []int64{1, 10, 60} {
		text, err := s.Deployer.Logs(s.Context(), h, limit)
		require.NoError(s, err)
		require.LessOrEqual(s, len(text), 2*(int(limit)+len("stdout:\n\n")), "at most limit bytes of each stream")
	}
}

func actuator(s *suite) {
	a, ok := s.Deployer.(deployer.Actuator)
	if !ok {
		s.Skip("this deployer does not reach endpoints")
	}
	h := s.deploy(s.Request("log"))
	guid := ""
	for _, i := range s.await(h, skipper.StateDeployed).Instances {
		guid = i.Attributes["guid"]
	}
	base, _, err := a.Instance(s.Context(), h, guid)
	if errors.Is(err, deployer.ErrUnsupported) {
		s.Skip("this application has none")
	}
	require.NoError(s, err)
	require.NotEmpty(s, base.Host)
	for _, wrong := range []string{"", "nobody-0", guid + "x"} {
		_, _, err = a.Instance(s.Context(), h, wrong)
		require.ErrorIs(s, err, deployer.ErrNotFound, wrong)
	}
	_, _, err = a.Instance(s.Context(), deployer.Handle{ID: "nobody.knows-v1"}, guid)
	require.ErrorIs(s, err, deployer.ErrNotFound)
	s.undeploy(h)
	_, _, err = a.Instance(s.Context(), h, guid)
	require.ErrorIs(s, err, deployer.ErrNotFound)
}

// idOfAnything is the same whatever is asked for under a name.
func idOfAnything(s *suite) {
	r := s.Request("log")
	want, err := s.Deployer.ID(r)
	require.NoError(s, err)
	r.Count, r.Indexed = 7, true
	r.Properties = map[string]string{"another": "one"}
	got, err := s.Deployer.ID(r)
	require.NoError(s, err)
	require.Equal(s, want, got)
	s.left(0)
}

// adoptsHalf goes on with a deployment that was left after its save, and adopts it with less and less known of it.
func adoptsHalf(s *suite) {
	r := s.Request("log")
	r.Count = 3
	ctx, end := context.WithCancel(s.Context())
	defer end()
	half, err := s.Deployer.Deploy(ctx, r, nil, func(h deployer.Handle) error {
		end()
		return s.keep(h)
	})
	s.owner = r.Owner
	require.Error(s, err)

	for _, previous := range []*deployer.Handle{&half, {ID: half.ID}, nil} {
		s.Deployer = s.Again()
		h, err := s.Deployer.Deploy(s.Context(), r, previous, s.keep)
		require.NoError(s, err)
		require.NoError(s, s.keep(h))
		require.Len(s, s.await(h, skipper.StateDeployed).Instances, 3)
		s.left(3)
	}
}

// previousOfAnother is a handle that was stored before anything was noted in it: it tells nothing, and does no harm.
func previousOfAnother(s *suite) {
	r := s.Request("log")
	id, err := s.Deployer.ID(r)
	require.NoError(s, err)
	h, err := s.Deployer.Deploy(s.Context(), r, &deployer.Handle{ID: id, SpecHash: "of an earlier try"}, s.keep)
	s.owner = r.Owner
	require.NoError(s, s.keep(h))
	require.NoError(s, err)
	require.Equal(s, deployer.SpecHash(r), h.SpecHash)
	s.await(h, skipper.StateDeployed)
}

func undeployTwice(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	for _, again := range []deployer.Handle{h, h, {ID: h.ID}, h} {
		require.NoError(s, s.Deployer.Undeploy(s.Context(), r.Owner, again))
	}
	s.await(h, skipper.StateUnknown)
	s.left(0)
	s.await(s.deploy(r), skipper.StateDeployed)
}

// statusOfAll answers for every handle, also twice the same and none at all.
func statusOfAll(s *suite) {
	none, err := s.Deployer.Status(s.Context(), nil)
	require.NoError(s, err)
	require.Empty(s, none)
	h := s.deploy(s.Request("log"))
	s.await(h, skipper.StateDeployed)
	all, err := s.Deployer.Status(s.Context(), []deployer.Handle{h, h, {ID: h.ID}, {ID: "nobody.knows-v1"}})
	require.NoError(s, err)
	require.Len(s, all, 2)
	require.Equal(s, skipper.StateDeployed, all[h.ID].State)
	require.Equal(s, skipper.StateUnknown, all["nobody.knows-v1"].State)
}

func discoversByPart(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)
	o := r.Owner
	for part, filter := range map[string]deployer.Owner{
		"installation": {Installation: o.Installation},
		"account":      {Installation: o.Installation, Account: o.Account},
		"release":      {Installation: o.Installation, Release: o.Release},
		"version":      {Installation: o.Installation, Version: o.Version},
		"app":          {Installation: o.Installation, App: o.App},
	} {
		found, err := s.Deployer.Discover(s.Context(), filter)
		require.NoError(s, err)
		require.Len(s, found, 1, part)
		require.Equal(s, h.ID, found[0].ID, part)
	}
	for part, filter := range map[string]deployer.Owner{
		"release": {Installation: o.Installation, Release: o.Release + "x"},
		"version": {Installation: o.Installation, Version: o.Version + 1},
		"app":     {Installation: o.Installation, App: o.App + "x"},
	} {
		found, err := s.Deployer.Discover(s.Context(), filter)
		require.NoError(s, err)
		require.Empty(s, found, part)
	}
}

// closes lets go of what a deployer holds; applications keep running.
func closes(s *suite) {
	h := s.deploy(s.Request("log"))
	before := s.await(h, skipper.StateDeployed)
	next := s.Again()
	require.NoError(s, s.Deployer.Close(s.Context()))
	s.Deployer = next
	require.Empty(s, cmp.Diff(before, s.await(h, skipper.StateDeployed)), "the very same instance")
	s.left(1)
}

func endedContextOfScale(s *suite) {
	r := s.Request("log")
	h := s.deploy(r)
	s.await(h, skipper.StateDeployed)
	ended, end := context.WithCancel(s.Context())
	end()
	_, err := s.Deployer.Scale(ended, r, h, 3, s.keep)
	require.Error(s, err)
	require.True(s, deployer.Retry(err))
	s.left(1)
	h, err = s.Deployer.Scale(s.Context(), r, h, 2, s.keep)
	require.NoError(s, s.keep(h))
	require.NoError(s, err)
	s.await(h, skipper.StateDeployed)
	s.left(2)
}

// handleRoundTrips is what a store does with it.
func handleRoundTrips(s *suite) {
	h := s.deploy(s.Request("log"))
	before := s.await(h, skipper.StateDeployed)
	text, err := json.Marshal(h)
	require.NoError(s, err)
	var back deployer.Handle
	require.NoError(s, json.Unmarshal(text, &back))
	s.Deployer = s.Again()
	require.Empty(s, cmp.Diff(before, s.await(back, skipper.StateDeployed)))
}
