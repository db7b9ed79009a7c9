package edgegap_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestDeploySendsAllItsFields(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	r := request("one", "two")
	r.Users = append(r.Users, edgegap.UserAt("203.0.113.7"))
	r.Resources = &edgegap.Resources{CPUUnits: 512, MemoryMiB: 1024}
	r.Environment = []edgegap.Variable{{Key: "MAP", Value: "desert"}, {Key: "KEY", Value: "x", Hidden: true}}
	r.OnReady, r.OnError = &edgegap.Webhook{URL: "https://h/r"}, &edgegap.Webhook{URL: "https://h/e"}
	r.OnTerminated = &edgegap.Webhook{URL: "https://h/t"}
	id, err := b.client.Deploy(t.Context(), r)
	require.NoError(t, err)
	require.JSONEq(t, `{"application":"arena","version":"1.0","users":[
		{"user_type":"geo_coordinates","user_data":{"latitude":45.5,"longitude":-73.5}},
		{"user_type":"ip_address","user_data":{"ip_address":"203.0.113.7"}}],
		"resources":{"cpu_units":512,"memory_mib":1024},"tags":["one","two"],
		"environment_variables":[{"key":"MAP","value":"desert","is_hidden":false},{"key":"KEY","value":"x","is_hidden":true}],
		"webhook_on_ready":{"url":"https://h/r"},"webhook_on_error":{"url":"https://h/e"},
		"webhook_on_terminated":{"url":"https://h/t"}}`, b.fake.Journal("deploy")[0].Body)
	require.Equal(t, "/v2/deployments", b.fake.Journal("deploy")[0].Path)
	require.NoError(t, b.clock.Wait(t.Context(), time.Second))
	d, err := b.client.Status(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, d.Tags)
	require.True(t, d.Running)
	require.Equal(t, edgegap.StateDeploying, d.LastState)
	require.Equal(t, "Montreal", d.Location.City)
	require.Equal(t, 7777, d.Ports["game"].Internal)
	require.NotEmpty(t, d.Ports["game"].Link)

	r.RequireCachedLocations = true
	_, err = b.client.Deploy(t.Context(), r)
	require.NoError(t, err, "the image is there by now")
}

func TestDeployWithoutAServerNamesTheDeploymentItLeft(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	b.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateUnallocated})
	_, err := b.client.Deploy(t.Context(), request())
	e := kind(t, edgegap.KindUnallocated, err)
	require.True(t, e.MayHaveHappened)
	d, err := b.client.Status(t.Context(), e.RequestID)
	require.NoError(t, err)
	require.Equal(t, edgegap.StateError, d.State)
	_, err = b.client.Stop(t.Context(), e.RequestID, edgegap.StopOptions{})
	require.NoError(t, err)
	require.Empty(t, b.fake.Leaks())

	_, err = b.client.DeployV1(t.Context(), edgegap.DeployV1Request{
		Application: "arena", IPs: []string{"1.2.3.4"},
		Filters: []edgegap.LocationFilter{{Field: "city", Type: edgegap.MatchAny, Values: []string{"Atlantis"}}},
	})
	require.NotEmpty(t, kind(t, edgegap.KindUnallocated, err).RequestID)
}

func TestFleetDeployUsesThePathThatEdgegapKnows(t *testing.T) {
	t.Parallel()
	const current, older = "/v2/private-fleets/deployments", "/v2/private-fleets:deploy"
	for name, c := range map[string]struct {
		options edgegaptest.Options
		paths   []string
	}{
		"both":    {edgegaptest.Options{}, []string{current, current}},
		"current": {edgegaptest.Options{NewFleets: true}, []string{current, current}},
		"older":   {edgegaptest.Options{OldFleets: true}, []string{current, older, older}},
	} {
		b := setup(t, c.options, edgegap.Options{})
		require.NoError(t, b.fake.AddFleet("alpha", edgegaptest.Host{ID: "one"}))
		for range 2 {
			_, err := b.client.DeployToFleet(t.Context(), edgegap.FleetDeployRequest{DeployRequest: request(), HostIDs: []string{"one"}})
			require.NoError(t, err, name)
		}
		var paths []string
		for _, entry := range b.fake.Journal("") {
			if entry.Path == current || entry.Path == older {
				paths = append(paths, entry.Path)
			}
		}
		require.Equal(t, c.paths, paths, name)
		require.Len(t, b.fake.Running(), 2)
	}
	client, _ := with(t, answers{status: 405, body: `{"message":"no fleets here"}`}, edgegap.Options{})
	_, err := client.DeployToFleet(t.Context(), edgegap.FleetDeployRequest{DeployRequest: request(), HostIDs: []string{"one"}})
	require.Contains(t, err.Error(), "no fleets here")
}

func TestLogStorageIsReadAsStopReadsIt(t *testing.T) {
	t.Parallel()
	require.Nil(t, edgegap.ParseLogStorage(""))
	require.Equal(t, &edgegap.LogStorage{Enabled: true}, edgegap.ParseLogStorage("true"))
	require.Equal(t, &edgegap.LogStorage{}, edgegap.ParseLogStorage("false"))
	require.Equal(t, &edgegap.LogStorage{Enabled: true, Endpoint: "bucket"}, edgegap.ParseLogStorage("bucket"))
}

func TestStopTellsWhatItLedTo(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	id, err := b.client.Deploy(t.Context(), request())
	require.NoError(t, err)
	got, err := b.client.Stop(t.Context(), id, edgegap.StopOptions{})
	require.NoError(t, err)
	require.Equal(t, edgegap.StopQueued, got.Stopping)
	require.Nil(t, got.Deployment)

	id = b.deploy(t)
	_, err = b.client.Stop(t.Context(), id, edgegap.StopOptions{LogStorage: "none"})
	require.Equal(t, "container_log_storage", kind(t, edgegap.KindInvalid, err).Field)
}

func TestSelfStopFromTheContainersVariables(t *testing.T) {
	t.Parallel()
	server, err := edgegaptest.Start(edgegaptest.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	outside, err := edgegap.New(edgegap.Options{Token: edgegaptest.DefaultToken, BaseURL: server.URL})
	require.NoError(t, err)
	defer outside.Close()
	_, err = outside.CreateApplication(t.Context(), edgegap.ApplicationSpec{Name: "arena", Active: true})
	require.NoError(t, err)
	_, err = outside.CreateVersion(t.Context(), "arena", version("1.0"))
	require.NoError(t, err)
	id, err := outside.Deploy(t.Context(), request())
	require.NoError(t, err)
	require.NoError(t, server.Fake.Advance(time.Second))
	record := server.Fake.Started()[0]
	environment := map[string]string{
		"ARBITRIUM_DELETE_URL": server.URL + record.DeleteURL, "ARBITRIUM_DELETE_TOKEN": record.DeleteToken,
	}
	getenv := func(name string) string { return environment[name] }
	inside, self, err := edgegap.FromContainer(getenv, edgegap.Options{})
	require.NoError(t, err)
	defer inside.Close()
	require.Equal(t, id, self.RequestID)
	_, err = inside.Status(t.Context(), id)
	kind(t, edgegap.KindUnauthorized, err)
	wrong := self
	wrong.Token = "wrong-token-of-mine"
	_, err = inside.SelfStop(t.Context(), wrong)
	kind(t, edgegap.KindUnauthorized, err)
	require.NotContains(t, err.Error(), "wrong-token-of-mine")
	got, err := inside.SelfStop(t.Context(), self)
	require.NoError(t, err)
	require.Equal(t, edgegap.StopAccepted, got.Stopping)
	require.NoError(t, server.Fake.Advance(time.Second))
	require.Empty(t, server.Fake.Running())

	for field, values := range map[string][2]string{
		"ARBITRIUM_DELETE_TOKEN": {environment["ARBITRIUM_DELETE_URL"], ""},
		"ARBITRIUM_DELETE_URL":   {"https://api.edgegap.com/v1/self/stop/abc", "t"},
		"base-url":               {"http://api.edgegap.com/v1/self/stop/abc/1", "t"},
	} {
		_, _, err := edgegap.FromContainer(func(name string) string {
			if name == "ARBITRIUM_DELETE_URL" {
				return values[0]
			}
			return values[1]
		}, edgegap.Options{})
		require.Equal(t, field, kind(t, edgegap.KindInvalid, err).Field)
	}
	_, err = inside.SelfStop(t.Context(), edgegap.SelfStopRequest{RequestID: id, AccessPoint: "1"})
	kind(t, edgegap.KindInvalid, err)
}

func TestBulkStopJoinsItsFilters(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 202} {
		b := setup(t, edgegaptest.Options{BulkStopStatus: status}, edgegap.Options{})
		keep, end := b.deploy(t, "all", "keep"), b.deploy(t, "all")
		other := b.deploy(t, "other")
		ids, err := b.client.BulkStop(
			t.Context(),
			edgegap.StopFilter{Field: edgegap.StopByTag, Type: edgegap.MatchAny, Values: []string{"all"}},
			edgegap.StopFilter{Field: edgegap.StopByTag, Type: edgegap.MatchNot, Values: []string{"keep"}},
		)
		require.NoError(t, err)
		require.Equal(t, []string{end}, ids)
		require.Empty(t, b.fake.Leaks(keep, other))
		require.Len(t, b.fake.Leaks(), 2)
	}
}

func TestApplicationsAndVersions(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	_, err := b.client.CreateApplication(t.Context(), edgegap.ApplicationSpec{Name: "arena"})
	kind(t, edgegap.KindConflict, err)
	off := false
	a, err := b.client.UpdateApplication(t.Context(), "arena", edgegap.ApplicationChange{Active: &off})
	require.NoError(t, err)
	require.False(t, a.Active)
	require.Equal(t, edgegap.PlaceholderImage, a.Image)
	_, err = b.client.Deploy(t.Context(), request())
	kind(t, edgegap.KindInvalid, err)

	_, err = b.client.CreateVersion(t.Context(), "arena", version("1.0"))
	kind(t, edgegap.KindConflict, err)
	minutes := -1
	spec := version("2")
	spec.Tag, spec.VerifyImage = edgegaptest.MissingTag, true
	_, err = b.client.CreateVersion(t.Context(), "arena", spec)
	kind(t, edgegap.KindImage, err)
	spec.VerifyImage, spec.Username, spec.Password = false, "me", "pa55word"
	spec.GPUUnits, spec.ForceCache, spec.TimeToDeploySeconds, spec.MaxDurationMinutes = 1, true, 60, &minutes
	spec.RestartPolicy, spec.GraceSeconds, spec.MainlandChina, spec.DNSConfig = edgegap.RestartNever, 60, true, "dns"
	spec.Environment = []edgegap.Variable{{Key: "A", Value: "b"}, {Key: "S", Value: "hidden", Hidden: true}}
	v, err := b.client.CreateVersion(t.Context(), "arena", spec)
	require.NoError(t, err)
	require.Equal(t, edgegap.Integer(-1), v.MaxDurationMinutes)
	read, err := b.client.Version(t.Context(), "arena", "2")
	require.NoError(t, err)
	require.Equal(t, v, read)
	require.Equal(t, "me", read.Username)
	require.Equal(t, []edgegap.Variable{{Key: "A", Value: "b"}, {Key: "S", Hidden: true}}, read.Environment)
	require.NotContains(t, printed(t, read), "pa55word")
	policy, password := edgegap.RestartOnFailure, edgegap.Secret("another")
	changed, err := b.client.UpdateVersion(t.Context(), "arena", "2", edgegap.VersionChange{RestartPolicy: &policy, Password: &password})
	require.NoError(t, err)
	require.Equal(t, policy, changed.RestartPolicy)
	page, err := b.client.ListVersions(t.Context(), "arena", edgegap.Paging{})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	require.NoError(t, b.client.DeleteVersion(t.Context(), "arena", "2"))
	kind(t, edgegap.KindNotFound, b.client.DeleteVersion(t.Context(), "arena", "2"))
	_, err = b.client.Version(t.Context(), "nothing", "2")
	kind(t, edgegap.KindNotFound, err)
}

func TestQuotasAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{FreeTier: true}, edgegap.Options{})
	b.deploy(t)
	_, err := b.client.Deploy(t.Context(), request())
	require.Equal(t, "You have reached you Deployment limit of 1", kind(t, edgegap.KindInvalid, err).Message)
	require.False(t, edgegap.MayHaveHappened(err))
}

func TestTagsOfADeployment(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	id := b.deploy(t, "one")
	created, err := b.client.CreateTag(t.Context(), id, "v 1.0 é")
	require.NoError(t, err)
	require.False(t, created.CreatedAt.IsZero())
	got, err := b.client.Tag(t.Context(), id, "v 1.0 é")
	require.NoError(t, err)
	require.Equal(t, created, got)
	_, err = b.client.CreateTag(t.Context(), id, "one")
	kind(t, edgegap.KindConflict, err)
	_, err = b.client.Tag(t.Context(), id, "two")
	kind(t, edgegap.KindNotFound, err)
	_, err = b.client.UpdateTag(t.Context(), id, "one", "two")
	require.NoError(t, err)
	require.NoError(t, b.client.DeleteTag(t.Context(), id, "v 1.0 é"))
	kind(t, edgegap.KindNotFound, b.client.DeleteTag(t.Context(), id, "v 1.0 é"))
	page, err := b.client.ListTags(t.Context(), id, edgegap.Paging{})
	require.NoError(t, err)
	require.Equal(t, "two", page.Items[0].Name)
}

func TestMetricsCheckAndSpellTheirQuery(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	id := b.deploy(t)
	start := b.clock.Now()
	require.NoError(t, b.clock.Wait(t.Context(), time.Hour))
	for _, step := range edgegap.MetricSteps() {
		got, err := b.client.Metrics(t.Context(), id, edgegap.MetricsQuery{Start: start, End: start.Add(time.Hour), Step: step, Raw: true})
		require.NoError(t, err)
		require.Len(t, got.CPU.Values, int(time.Hour/step)+1)
		require.Len(t, got.Network.Transmitted.Times, len(got.CPU.Values))
		require.True(t, got.CPU.Times[0].Equal(start.Truncate(time.Millisecond)))
	}
	for field, query := range map[string]edgegap.MetricsQuery{
		"end_time": {Start: start, End: start}, "steps": {Step: time.Second},
	} {
		_, err := b.client.Metrics(t.Context(), id, query)
		require.Equal(t, field, kind(t, edgegap.KindInvalid, err).Field)
	}
	_, err := b.client.Metrics(t.Context(), id, edgegap.MetricsQuery{End: start.Add(-24 * time.Hour)})
	require.Equal(t, 422, kind(t, edgegap.KindInvalid, err).Status)
}

func TestPlacesHostsAndLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	require.NoError(t, b.fake.AddFleet("alpha", edgegaptest.Host{ID: "one"}, edgegaptest.Host{ID: "two", Pending: true}))
	id, err := b.client.DeployToFleet(t.Context(), edgegap.FleetDeployRequest{DeployRequest: request(), HostIDs: []string{"one"}})
	require.NoError(t, err)
	var hosts []edgegap.Host
	for host, err := range b.client.FleetHosts(t.Context(), "alpha") {
		require.NoError(t, err)
		hosts = append(hosts, host)
	}
	require.Len(t, hosts, 2)
	require.Equal(t, edgegap.HostActive, hosts[0].Status)
	require.Equal(t, edgegap.Integer(1024), hosts[0].AllocatedCPUUnits)
	require.Equal(t, edgegap.HostPending, hosts[1].Status)
	require.False(t, hosts[0].CreatedAt.IsZero())

	page, err := b.client.ListLocations(t.Context(), edgegap.LocationQuery{Application: "arena", Version: "1.0", Type: "standard", WithTags: true}, edgegap.Paging{Limit: 3})
	require.NoError(t, err)
	require.Len(t, page.Items, 3)
	require.NotEmpty(t, page.Items[0].Tags)
	count := 0
	for _, err := range b.client.Locations(t.Context(), edgegap.LocationQuery{}) {
		require.NoError(t, err)
		count++
	}
	require.Equal(t, 10, count)

	_, err = b.client.Stop(t.Context(), id, edgegap.StopOptions{})
	require.NoError(t, err)
	require.NoError(t, b.clock.Wait(t.Context(), time.Minute))
	_, err = b.client.Logs(t.Context(), id)
	kind(t, edgegap.KindNotFound, err)
}
