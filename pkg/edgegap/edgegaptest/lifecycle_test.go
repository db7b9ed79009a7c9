package edgegaptest_test

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestDeploymentGoesThroughItsStates(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Limits: edgegaptest.Limits{Status: -1}})
	id := b.deploy()
	require.Regexp(t, `^[0-9a-f]{12}$`, id)
	first := b.want(200, "GET", "/v1/status/"+id, "").body
	require.Equal(t, id+".pr.edgegap.net", first["fqdn"])
	for _, name := range []string{"public_ip", "ports", "location", "start_time", "elapsed_time", "removal_time", "last_status"} {
		require.Nil(t, first[name], name)
	}
	var seen []any
	for range 50 {
		if state := b.state(id); len(seen) == 0 || seen[len(seen)-1] != state {
			seen = append(seen, state)
		}
		b.pass(50 * time.Millisecond)
	}
	require.Equal(t, []any{
		"Status.INITIALIZING", "Status.SEEKING", "Status.SEEKED", "Status.SCANNING", "Status.DEPLOYING", "Status.READY",
	}, seen)
	now := b.want(200, "GET", "/v1/status/"+id, "").body
	require.Equal(t, true, now["running"])
	require.Equal(t, false, now["error"])
	require.Equal(t, "Status.DEPLOYING", now["last_status"])
	require.Equal(t, "2026-06-01 12:00:00.450000", now["start_time"])
	require.InDelta(t, 2, now["elapsed_time"], 0)
	ports, _ := now["ports"].(map[string]any)
	game, _ := ports["game"].(map[string]any)
	require.InDelta(t, 7777, game["internal"], 0)
	external, _ := game["external"].(float64)
	require.True(t, external >= 30000 && external <= 32767)
	web, _ := ports["web"].(map[string]any)
	require.Contains(t, web["link"], "http://"+id)
	place, _ := now["location"].(map[string]any)
	require.Equal(t, "Montreal", place["city"])
}

func TestStopOfAReadyOneEndsAfterItsGrace(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Tombstone: 5 * time.Second})
	id := b.ready()
	got := b.want(200, "DELETE", "/v1/stop/"+id, "")
	require.Equal(t, id+" - Delete request will be processed soon", got.body["message"])
	require.NotNil(t, got.body["deployment_summary"])
	require.Equal(t, "Status.TERMINATING", b.state(id))
	require.InDelta(t, 1, b.want(200, "GET", "/v1/deployments", "").body["total_count"], 0)
	b.want(200, "DELETE", "/v1/stop/"+id, "")
	b.pass(100 * time.Millisecond)
	require.Equal(t, "Status.TERMINATED", b.state(id))
	require.Zero(t, b.want(200, "GET", "/v1/deployments", "").body["total_count"])
	require.Equal(t, "Instance Already terminated", b.want(410, "DELETE", "/v1/stop/"+id, "").message())
	b.want(404, "GET", "/v1/deployment/"+id+"/container-logs", "")
	require.Empty(t, b.fake.Running())
	b.pass(5 * time.Second)
	b.want(400, "GET", "/v1/status/"+id, "")
	b.want(404, "DELETE", "/v1/stop/"+id, "")
	require.Len(t, b.fake.Started(), 1)
	require.Equal(t, 1100*time.Millisecond, b.fake.Started()[0].Billed)
}

func TestStopWhileStartingIsQueuedAndReadyIsSeenFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	id := b.deploy()
	b.want(202, "DELETE", "/v1/stop/"+id, "")
	require.Empty(t, b.fake.Leaks())
	require.Len(t, b.fake.Running(), 1)
	b.pass(460 * time.Millisecond)
	require.Equal(t, "Status.READY", b.state(id))
	b.pass(50 * time.Millisecond)
	require.Equal(t, "Status.TERMINATING", b.state(id))
	b.pass(100 * time.Millisecond)
	require.Equal(t, "Status.TERMINATED", b.state(id))
}

func TestUnknownIDsAnswerAsConfigured(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{UnknownStatus: 410, UnknownStop: 400, GoneForever: true, Tombstone: time.Second})
	b.want(410, "GET", "/v1/status/aaaaaaaaaaaa", "")
	b.want(400, "DELETE", "/v1/stop/aaaaaaaaaaaa", "")
	id := b.ready()
	b.want(200, "DELETE", "/v1/stop/"+id, "")
	b.pass(time.Minute)
	b.want(410, "DELETE", "/v1/stop/"+id, "")
}

func TestSelfStopTakesTheContainersTokenOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Tombstone: time.Second})
	id := b.ready()
	record := b.fake.Started()[0]
	b.want(401, "DELETE", record.DeleteURL, "")
	b.want(401, "DELETE", record.DeleteURL, "", "Authorization", "")
	b.want(401, "DELETE", record.DeleteURL, "", "Authorization", "token "+record.DeleteToken)
	b.want(403, "DELETE", "/v1/self/stop/"+id+"/1", "", "Authorization", record.DeleteToken)
	b.want(404, "DELETE", "/v1/self/stop/aaaaaaaaaaaa/1", "", "Authorization", record.DeleteToken)
	require.Equal(t, "Status.READY", b.state(id))
	b.want(200, "DELETE", record.DeleteURL, "", "Authorization", record.DeleteToken)
	require.Equal(t, "Status.TERMINATING", b.state(id))
	b.pass(time.Second)
	b.want(410, "DELETE", record.DeleteURL, "", "Authorization", record.DeleteToken)
	starting := b.deploy()
	record = b.fake.Started()[1]
	b.want(202, "DELETE", record.DeleteURL, "", "Authorization", record.DeleteToken)
	require.NotEqual(t, id, starting)
}

func TestDeploymentsEndByThemselves(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{ErrorCleanup: time.Minute})
	b.want(200, "POST", versionTo, versionBody("short", `,"max_duration":1,"restart_policy":"never"`))
	b.want(200, "POST", versionTo, versionBody("endless", `,"max_duration":-1`))
	deploy := func(version string) string {
		body := strings.Replace(deployBody, `"version":"1"`, `"version":"`+version+`"`, 1)
		id, _ := b.want(202, "POST", deployTo, body).body["request_id"].(string)
		return id
	}
	short, endless := deploy("short"), deploy("endless")
	b.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateExit, Version: "short", After: 10 * time.Second})
	exits := deploy("short")
	b.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FatePullError})
	broken := deploy("1")
	b.pass(15 * time.Second)
	require.Equal(t, "Status.TERMINATED", b.state(exits))
	require.Equal(t, "Status.READY", b.state(short))
	require.Equal(t, "Status.ERROR", b.state(broken))
	b.pass(46 * time.Second)
	require.Equal(t, "Status.TERMINATED", b.state(short))
	require.Equal(t, "Status.TERMINATED", b.state(broken))
	b.pass(100 * 24 * time.Hour)
	require.Equal(t, "Status.READY", b.state(endless))
}

func TestFates(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	b.want(200, "POST", versionTo, strings.Replace(versionBody("gone", ""), `"1.0"`, `"missing"`, 1))
	status := func(id string) map[string]any { return b.want(200, "GET", "/v1/status/"+id, "").body }

	b.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateUnallocated, Version: "1"})
	got := b.want(422, "POST", deployTo, deployBody)
	unallocated, _ := got.body["request_id"].(string)
	require.Equal(t, "Couldn't allocate server", got.message())
	require.Equal(t, "Status.ERROR", b.state(unallocated))
	require.Len(t, b.fake.Leaks(), 1)

	b.fake.Doom(edgegaptest.Fate{Kind: edgegaptest.FateStuck, Skip: 1}, edgegaptest.Fate{Kind: edgegaptest.FatePullTimeout})
	timeout, stuck := b.deploy(), b.deploy()
	b.fake.Doom(
		edgegaptest.Fate{Kind: edgegaptest.FateReadyThenError, After: 10 * time.Second},
		edgegaptest.Fate{Kind: edgegaptest.FateCrashLoop, After: 10 * time.Second, ExitCode: 7},
		edgegaptest.Fate{Kind: edgegaptest.FateUnknownState, After: 10 * time.Second},
		edgegaptest.Fate{Kind: edgegaptest.FateExit, After: 10 * time.Second},
	)
	later, crashing, migrating, exits := b.deploy(), b.deploy(), b.deploy(), b.deploy()
	missing, _ := b.want(202, "POST", deployTo, strings.Replace(deployBody, `"1"`, `"gone"`, 1)).body["request_id"].(string)
	b.pass(time.Second)
	require.Equal(t, "Status.READY", b.state(later))
	require.Equal(t, "Status.MIGRATING", b.state(migrating))
	require.Equal(t, "Unable to pull image from registry", status(missing)["error_detail"])
	require.Equal(t, true, status(missing)["error"])
	b.pass(30 * time.Second)
	require.Equal(t, "Status.ERROR", b.state(later))
	require.Equal(t, "Status.READY", b.state(migrating))
	require.Equal(t, "Status.READY", b.state(exits), "restarted, for the policy is always")
	logs := b.want(200, "GET", "/v1/deployment/"+crashing+"/container-logs", "").body
	crash, _ := logs["crash_data"].(map[string]any)
	require.InDelta(t, 3, crash["restart_count"], 0)
	require.InDelta(t, 7, crash["exit_code"], 0)
	b.pass(2 * time.Minute)
	require.Equal(t, "Pull image timeout exceeded", status(timeout)["error_detail"])
	require.Equal(t, "Status.DEPLOYING", b.state(stuck))
	b.want(202, "DELETE", "/v1/stop/"+stuck, "")
	b.pass(time.Second)
	require.Equal(t, "Status.TERMINATED", b.state(stuck))
}

func TestPlacementFollowsPlayersCachesAndHosts(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{NoOverflow: true, Pace: edgegaptest.Real()})
	city := func(body string) any {
		t.Helper()
		id, _ := b.want(202, "POST", deployTo, body).body["request_id"].(string)
		b.pass(30 * time.Second)
		place, _ := b.want(200, "GET", "/v1/status/"+id, "").body["location"].(map[string]any)
		return place["city"]
	}
	cached := strings.TrimSuffix(deployBody, "}") + `,"require_cached_locations":true}`
	b.want(422, "POST", deployTo, cached)
	require.Equal(t, "Montreal", city(deployBody))
	tokyo := strings.NewReplacer("45.5", "36", "-73.5", "140").Replace(cached)
	require.Equal(t, "Montreal", city(tokyo), "only Montreal has the image")
	require.Equal(t, "Tokyo", city(strings.Replace(tokyo, "true", "false", 1)))

	require.NoError(t, b.fake.AddFleet("alpha",
		edgegaptest.Host{ID: "pending", Pending: true}, edgegaptest.Host{ID: "small", CPU: 1024, Memory: 2048, City: "Oslo"}))
	onHosts := strings.TrimSuffix(deployBody, "}") + `,"private_host_ids":["pending","small"]}`
	b.want(202, "POST", "/v2/private-fleets/deployments", onHosts)
	require.Equal(t, "small", b.fake.Running()[len(b.fake.Running())-1].Host)
	hosts := b.want(200, "GET", "/v2/private-fleets/alpha/hosts", "")
	require.Contains(t, hosts.text, `"allocated_cpu_units":1024`)
	require.Contains(t, hosts.text, `"status":"PENDING"`)
	b.want(422, "POST", "/v2/private-fleets/deployments", onHosts)
}

func TestExternalPortsAreUniqueAtAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Limits: edgegaptest.Limits{Deploy: -1, Status: -1}})
	seen := map[any]bool{}
	for range 200 {
		id := b.deploy()
		b.pass(time.Second)
		body := b.want(200, "GET", "/v1/status/"+id, "").body
		ports, _ := body["ports"].(map[string]any)
		for _, port := range ports {
			members, _ := port.(map[string]any)
			key := [2]any{body["public_ip"], members["external"]}
			require.False(t, seen[key])
			seen[key] = true
		}
	}
	require.Len(t, seen, 400)
}

func TestListFiltersOrdersAndPages(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Limits: edgegaptest.Limits{List: -1, Deploy: -1}})
	var ids []string
	for i := range 25 {
		body := strings.TrimSuffix(deployBody, "}") + `,"tags":["n` + string(rune('a'+i)) + `","all"]}`
		id, _ := b.want(202, "POST", deployTo, body).body["request_id"].(string)
		ids = append(ids, id)
		b.pass(time.Second)
	}
	list := func(query string) answer {
		t.Helper()
		return b.want(200, "GET", "/v1/deployments?limit=100&query="+url.QueryEscape(query), "")
	}
	count := func(query string) int {
		t.Helper()
		n, _ := list(query).body["total_count"].(float64)
		return int(n)
	}
	require.Equal(t, 25, count(``))
	require.Equal(t, 25, count(`{}`))
	require.Equal(t, 1, count(`{"filters":[{"field":"tags","operator":"eq","value":"na"}]}`))
	require.Equal(t, 24, count(`{"filters":[{"field":"tags","operator":"neq","value":"na"}]}`))
	require.Equal(t, 2, count(`{"filters":[{"field":"tags","operator":"in","value":["na","nb"]}]}`))
	require.Equal(t, 23, count(`{"filters":[{"field":"tags","operator":"nin","value":["na","nb"]}]}`))
	require.Equal(t, 1, count(`{"filters":[{"field":"request_id","operator":"eq","value":"`+ids[3]+`"}]}`))
	require.Equal(t, 24, count(`{"filters":[{"field":"status","operator":"eq","value":"ready"}]}`)+
		count(`{"filters":[{"field":"status","operator":"eq","value":"error"}]}`)-1)
	require.Equal(t, 25, count(`{"filters":[{"field":"application","operator":"eq","value":"arena"},{"field":"version","operator":"eq","value":"1"}]}`))
	require.Equal(t, 5, count(`{"filters":[{"field":"created_at","operator":"lte","value":"2026-06-01T12:00:04Z"}]}`))
	require.Equal(t, 21, count(`{"filters":[{"field":"created_at","operator":"gte","value":"2026-06-01T12:00:04Z"}]}`))
	require.Equal(t, 25, count(`{"filters":[{"field":"fleet_name","operator":"ilike","value":"%"}]}`))
	require.Zero(t, count(`{"filters":[{"field":"fleet_name","operator":"ilike","value":"al%pha"}]}`))
	first := func(query string) any {
		data, _ := list(query).body["data"].([]any)
		item, _ := data[0].(map[string]any)
		return item["request_id"]
	}
	require.Equal(t, ids[24], first(`{"order_by":[{"field":"created_at","order":"desc"}]}`))
	require.Equal(t, ids[0], first(`{"order_by":[{"field":"created_at","order":"asc"}]}`))
	for _, query := range []string{
		`nonsense`, `[]`, `{"filter":[]}`, `{"filters":[{"field":"colour","operator":"eq","value":"x"}]}`,
		`{"filters":[{"field":"status","operator":"in","value":["ready"]}]}`,
		`{"filters":[{"field":"status","operator":"eq","value":"READY"}]}`,
		`{"filters":[{"field":"tags","operator":"eq","value":["a"]}]}`, `{"filters":[{"field":"tags","operator":"in","value":"a"}]}`,
		`{"filters":[{"field":"tags","operator":"in","value":[]}]}`, `{"filters":[{"field":"tags","operator":"in","value":[1]}]}`,
		`{"filters":[{"field":"tags","operator":"eq","value":"a"},{"field":"tags","operator":"eq","value":"b"}]}`,
		`{"filters":[{"field":"tags","operator":"eq","value":"a","case":true}]}`,
		`{"filters":[{"field":"created_at","operator":"gte","value":"yesterday"}]}`,
		`{"order_by":[{"field":"name","order":"asc"}]}`, `{"order_by":[{"field":"created_at","order":"up"}]}`,
	} {
		b.want(400, "GET", "/v1/deployments?query="+url.QueryEscape(query), "")
	}
	for _, paging := range []string{"page=0", "limit=0", "limit=101", "page=x", "page=-1", "page=1&page=2", "size=3", "page=%zz"} {
		b.want(400, "GET", "/v1/deployments?"+paging, "")
	}
	last := b.want(200, "GET", "/v1/deployments?page=3", "").body
	data, _ := last["data"].([]any)
	require.Len(t, data, 5, "ten items are a page when no limit is given")
	pagination, err := json.Marshal(last["pagination"])
	require.NoError(t, err)
	require.JSONEq(t, `{"number":3,"next_page_number":null,"previous_page_number":2,"paginator":{"num_pages":3},`+
		`"has_next":false,"has_previous":true}`, string(pagination))
	require.Empty(t, b.want(200, "GET", "/v1/deployments?page=9", "").body["data"])
}

func TestListsCanBeLateAndBare(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{ListDelay: 2 * time.Second, BareLists: true})
	b.deploy()
	b.pass(time.Second)
	require.Zero(t, b.want(200, "GET", "/v1/deployments", "").body["total_count"])
	b.pass(time.Second)
	got := b.want(200, "GET", "/v1/deployments", "")
	require.InDelta(t, 1, got.body["total_count"], 0)
	require.NotContains(t, got.text, `"status"`)
	require.NotContains(t, got.text, `"application"`)
}

func TestLogsHoldNamesAndNoValuesAndCanBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	b.want(400, "POST", "/v1/storage/endpoint", `{"name":"s3"}`)
	b.want(200, "POST", "/v1/storage/endpoint", `{"name":"s3","access_key_id":"a","secret_access_key":"b","endpoint":"https://s3","bucket":"logs"}`)
	b.want(409, "POST", "/v1/storage/endpoint", `{"name":"s3","access_key_id":"a","secret_access_key":"b","endpoint":"https://s3","bucket":"logs"}`)
	require.NotContains(t, b.want(200, "GET", "/v1/storage/endpoint/s3", "").text, "secret")
	require.InDelta(t, 1, b.want(200, "GET", "/v1/storage/endpoints", "").body["total_count"], 0)
	body := strings.TrimSuffix(deployBody, "}") + `,"environment_variables":[{"key":"MAP","value":"desert-storm","is_hidden":true}]}`
	id, _ := b.want(202, "POST", deployTo, body).body["request_id"].(string)
	to := "/v1/deployment/" + id + "/container-logs"
	require.Empty(t, b.want(200, "GET", to, "").body["logs"])
	b.pass(3 * time.Second)
	early, _ := b.want(200, "GET", to, "").body["logs"].(string)
	require.Contains(t, early, " MAP")
	require.NotContains(t, early, "desert-storm")
	b.pass(3 * time.Second)
	later, _ := b.want(200, "GET", to, "").body["logs"].(string)
	require.True(t, strings.HasPrefix(later, early))
	require.Greater(t, len(later), len(early))
	b.want(400, "DELETE", "/v1/stop/"+id+"?container_log_storage=nobody", "")
	b.want(400, "DELETE", "/v1/stop/"+id+"?container_log_storage=true", "")
	b.want(200, "DELETE", "/v1/stop/"+id+"?container_log_storage=s3", "")
	b.pass(time.Second)
	require.Contains(t, b.want(200, "GET", to, "").body["logs_link"], "s3")
	b.want(204, "DELETE", "/v1/storage/endpoint/s3", "")
	b.want(404, "DELETE", "/v1/storage/endpoint/s3", "")
}

func TestMetricsCheckTheirParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	id := b.ready()
	b.pass(10 * time.Minute)
	to := "/v1/metrics/deployment/" + id
	got := b.want(200, "GET", to+"?steps=5m&raw=true", "")
	cpu, _ := got.body["cpu"].(map[string]any)
	require.Len(t, cpu["datasets"], 3)
	require.Len(t, cpu["labels"], 3)
	for _, query := range []string{
		"steps=2m", "raw=yes", "start_time=2026-06-01", "start_time=2026-06-01+12:00:00",
		"start_time=2026-06-01+12:05:00.00&end_time=2026-06-01+12:05:00.00", "end_time=2026-06-01+11:00:00.00",
	} {
		b.want(422, "GET", to+"?"+query, "")
	}
	b.want(200, "GET", to+"?start_time=2026-06-01+12:05:00.00&end_time=2026-06-01+12:06:00.00", "")
	b.want(404, "GET", "/v1/metrics/deployment/aaaaaaaaaaaa", "")
}

func TestLocationsBeaconsAndAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	require.InDelta(t, 10, b.want(200, "GET", "/v1/locations", "").body["total_count"], 0)
	require.Contains(t, b.want(200, "GET", "/v1/locations?tags=true&app=arena&version=1&type=standard", "").text, `"tags":[{`)
	require.Zero(t, b.want(200, "GET", "/v1/locations?type=premium", "").body["total_count"])
	b.want(400, "GET", "/v1/locations?app=nothing", "")
	b.want(400, "GET", "/v1/locations?app=arena&version=2", "")
	b.want(400, "GET", "/v1/locations?version=1", "")
	b.want(400, "GET", "/v1/locations?tags=yes", "")
	require.InDelta(t, 10, b.want(200, "GET", "/v1/locations/beacons", "").body["count"], 0)
	require.Equal(t, "203.0.113.10", b.want(200, "GET", "/v1/ip", "").body["public_ip"])
}

func TestRegistryTagsFollowVersions(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	body := strings.NewReplacer("docker.io", "registry.edgegap.com").Replace(versionBody("own", ""))
	b.want(200, "POST", versionTo, body)
	to := "/v1/container-registry/images/me/arena/tags"
	require.Contains(t, b.want(200, "GET", to, "").text, `"tag":"1.0"`)
	require.Equal(t, "1.0", b.want(200, "DELETE", to+"/1.0", "").body["deleted_tag"])
	b.want(404, "DELETE", to+"/1.0", "")
	b.want(404, "GET", "/v1/container-registry/images/me/other/tags", "")
}

func TestVersionAnswersItsPasswordInClear(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	b.want(200, "POST", versionTo, versionBody("2", `,"private_username":"me","private_token":"pa55word"`))
	require.Equal(t, "pa55word", b.want(200, "GET", versionTo+"/2", "").body["private_token"], "clients have to hide it")
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	b := setup(t, edgegaptest.Options{StateFile: file})
	id := b.ready()
	require.NoError(t, b.fake.Advance(time.Hour))
	later := b.want(200, "GET", "/v1/status/"+id, "").body
	fake, err := edgegaptest.New(edgegaptest.Options{StateFile: file, Now: b.clock})
	require.NoError(t, err)
	again := &bundle{t: t, fake: fake, now: b.now, http: b.http}
	again.http.Transport = fake.Transport()
	require.Equal(t, later, again.want(200, "GET", "/v1/status/"+id, "").body)
	require.NotEqual(t, id, again.deploy())
	require.Len(t, fake.Started(), 2)
	again.want(200, "DELETE", "/v1/stop/"+id, "")
	third, err := edgegaptest.New(edgegaptest.Options{StateFile: file, Now: b.clock})
	require.NoError(t, err)
	require.Equal(t, fake.Started(), third.Started(), "every change is kept when it is answered")

	_, err = edgegaptest.New(edgegaptest.Options{StateFile: t.TempDir()})
	require.Error(t, err)
	nowhere, err := edgegaptest.New(edgegaptest.Options{StateFile: filepath.Join(t.TempDir(), "no", "state.json")})
	require.NoError(t, err)
	require.Error(t, nowhere.Advance(time.Second))
}

func TestSameSeedSameIDs(t *testing.T) {
	t.Parallel()
	one, two := setup(t, edgegaptest.Options{Seed: 7}), setup(t, edgegaptest.Options{Seed: 7})
	other := setup(t, edgegaptest.Options{Seed: 8})
	id := one.deploy()
	require.Equal(t, id, two.deploy())
	require.NotEqual(t, id, other.deploy())
}
