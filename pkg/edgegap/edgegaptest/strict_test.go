package edgegaptest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestAuthenticationIsTheWordTokenAndAKnownToken(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"right":       {token, 200},
		"missing":     {"", 401},
		"bare":        {edgegaptest.DefaultToken, 401},
		"doubled":     {"token " + token, 401},
		"capital":     {"Token " + edgegaptest.DefaultToken, 401},
		"bearer":      {"Bearer " + edgegaptest.DefaultToken, 401},
		"unknown":     {"token 12345678-0000-4000-8000-000000000000", 401},
		"empty token": {"token ", 401},
	} {
		got := b.want(c.status, "GET", "/v1/apps", "", "Authorization", c.header)
		require.NotContains(t, got.text, edgegaptest.DefaultToken, name)
	}
	require.NoError(t, b.fake.RevokeToken(edgegaptest.DefaultToken))
	b.want(403, "GET", "/v1/apps", "")
	require.Error(t, b.fake.RevokeToken("nobody's"))
}

func TestOrganizationsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	id := b.ready()
	require.NoError(t, b.fake.AddOrganization("other", "other-token"))
	require.Error(t, b.fake.AddOrganization("third", "other-token"))
	other := []string{"Authorization", "token other-token"}
	require.Zero(t, b.want(200, "GET", "/v1/deployments", "", other...).body["total_count"], "list")
	b.want(400, "GET", "/v1/status/"+id, "", other...)
	b.want(403, "DELETE", "/v1/stop/"+id, "", other...)
	b.want(404, "GET", "/v1/app/arena", "", other...)
	b.want(404, "GET", "/v1/deployments/"+id+"/tags", "", other...)
	got := b.want(202, "POST", "/v1/deployments/bulk-stop",
		`{"filters":[{"field":"request_id","filter_type":"any","values":["`+id+`"]}]}`, other...)
	require.Empty(t, got.body["processable"])
	require.Len(t, b.fake.Leaks(), 1)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	b.want(404, "GET", "/v1/deployment/abc/logs", "")
	b.want(404, "POST", "/deployments", deployBody)
	b.want(404, "GET", "/v1/status/", "")
	b.want(404, "GET", "/_fake/running", "") // the control is off
	b.want(405, "GET", "/v1/stop/aaaaaaaaaaaa", "")
	b.want(405, "PUT", "/v1/app/arena", "{}")
	b.want(401, "GET", "/nowhere", "", "Authorization", "")
}

func TestDeployRefusesWhatEdgegapRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Limits: edgegaptest.Limits{Deploy: -1}})
	b.want(200, "POST", "/v1/app", `{"name":"idle","is_active":false,"image":"aGVsbG8="}`)
	b.want(200, "POST", "/v1/app/idle/version", versionBody("1", ""))
	b.want(200, "POST", versionTo, versionBody("idle", `,"is_active":false`))
	with := func(more string) string { return strings.TrimSuffix(deployBody, "}") + "," + more + "}" }
	for name, c := range map[string]struct{ body, message string }{
		"no JSON":            {`{`, "not valid JSON"},
		"two values":         {deployBody + deployBody, "not valid JSON"},
		"array":              {`[]`, "object"},
		"no application":     {`{"version":"1",` + userBody + `}`, "'application' is a required property"},
		"no version":         {`{"application":"arena",` + userBody + `}`, "'version'"},
		"no users":           {`{"application":"arena","version":"1"}`, "'users'"},
		"empty users":        {`{"application":"arena","version":"1","users":[]}`, "too short"},
		"null users":         {`{"application":"arena","version":"1","users":null}`, "'users'"},
		"user type":          {`{"application":"arena","version":"1","users":[{"user_type":"ip","user_data":{}}]}`, "'user_type'"},
		"user without data":  {`{"application":"arena","version":"1","users":[{"user_type":"ip_address","user_data":{}}]}`, "'ip_address'"},
		"user with both":     {`{"application":"arena","version":"1","users":[{"user_type":"ip_address","user_data":{"ip_address":"1.2.3.4","latitude":1}}]}`, "latitude"},
		"no IP":              {`{"application":"arena","version":"1","users":[{"user_type":"ip_address","user_data":{"ip_address":"1.2.3"}}]}`, "'users'"},
		"latitude":           {`{"application":"arena","version":"1","users":[{"user_type":"geo_coordinates","user_data":{"latitude":91,"longitude":0}}]}`, "'latitude'"},
		"application number": {`{"application":7,"version":"1",` + userBody + `}`, "not of type 'string'"},
		"unknown app":        {strings.Replace(deployBody, "arena", "nothing", 1), "Invalid Application"},
		"unknown version":    {strings.Replace(deployBody, `"1"`, `"2"`, 1), "Invalid Application"},
		"inactive app":       {strings.Replace(deployBody, "arena", "idle", 1), "not active"},
		"inactive version":   {strings.Replace(deployBody, `"1"`, `"idle"`, 1), "not active"},
		"v1 app_name":        {with(`"app_name":"arena"`), "'app_name' was unexpected"},
		"v1 ip_list":         {with(`"ip_list":["1.2.3.4"]`), "'ip_list' was unexpected"},
		"v1 env_vars":        {with(`"env_vars":[]`), "'env_vars'"},
		"v1 command":         {with(`"command":"x"`), "'command'"},
		"private hosts":      {with(`"private_host_ids":["x"]`), "'private_host_ids'"},
		"cpu":                {with(`"resources":{"cpu_units":99,"memory_mib":100}`), "'cpu_units'"},
		"cpu fraction":       {with(`"resources":{"cpu_units":100.5,"memory_mib":100}`), "'cpu_units'"},
		"no memory":          {with(`"resources":{"cpu_units":100}`), "'memory_mib'"},
		"memory":             {with(`"resources":{"cpu_units":100,"memory_mib":201}`), "'resources'"},
		"cached text":        {with(`"require_cached_locations":"yes"`), "bool"},
		"hidden missing":     {with(`"environment_variables":[{"key":"A","value":"b"}]`), "'is_hidden'"},
		"value not text":     {with(`"environment_variables":[{"key":"A","value":1,"is_hidden":false}]`), "'value'"},
		"value too long":     {with(`"environment_variables":[{"key":"A","value":"` + strings.Repeat("x", 4097) + `","is_hidden":false}]`), "4 KB"},
		"tag too long":       {with(`"tags":["` + strings.Repeat("x", 21) + `"]`), "'tags'"},
		"tag empty":          {with(`"tags":[""]`), "'tags'"},
		"tag with comma":     {with(`"tags":["a,b"]`), "'tags'"},
		"tag twice":          {with(`"tags":["a","a"]`), "'tags'"},
		"webhook text":       {with(`"webhook_on_ready":"http://x"`), "'webhook_on_ready'"},
		"webhook no URL":     {with(`"webhook_on_error":{"url":"x"}`), "'webhook_on_error'"},
		"webhook extra":      {with(`"webhook_on_terminated":{"url":"http://x","method":"GET"}`), "'method'"},
	} {
		got := b.want(400, "POST", deployTo, c.body)
		require.Contains(t, got.message(), c.message, name)
	}
	require.Contains(t, b.want(400, "POST", deployTo, deployBody, "Content-Type", "").message(), "Content-type")
	require.Contains(t, b.want(400, "POST", deployTo, deployBody, "Content-Type", "text/plain").message(), "Content-type")
	require.Contains(t, b.want(400, "POST", deployTo+"?wait=true", deployBody).message(), "'wait'")
	require.Empty(t, b.fake.Started())
	b.want(202, "POST", deployTo, with(`"require_cached_locations":null,"tags":["`+strings.Repeat("é", 20)+`"],`+
		`"resources":{"cpu_units":100,"memory_mib":200},"environment_variables":[{"key":"A","value":"`+
		strings.Repeat("x", 4096)+`","is_hidden":true}]`))
}

func TestLenientTakesUnknownFields(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{Lenient: true, MaxTag: 40})
	b.want(202, "POST", deployTo+"?wait=true", strings.TrimSuffix(deployBody, "}")+`,"app_name":"x","tags":["`+
		strings.Repeat("x", 40)+`"]}`, "Content-Type", "")
}

func TestDeployV1RefusesWhatEdgegapRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	for name, c := range map[string]struct {
		body    string
		status  int
		message string
	}{
		"no app":        {`{"ip_list":["1.2.3.4"]}`, 400, "'app_name'"},
		"v2 name":       {`{"application":"arena","ip_list":["1.2.3.4"]}`, 400, "'app_name'"},
		"no players":    {`{"app_name":"arena"}`, 400, "ip_list"},
		"both":          {`{"app_name":"arena","ip_list":["1.2.3.4"],"geo_ip_list":[{"ip":"1.2.3.4","latitude":1,"longitude":1}]}`, 400, "ip_list"},
		"no IP":         {`{"app_name":"arena","ip_list":["me"]}`, 400, "'ip_list'"},
		"geo no IP":     {`{"app_name":"arena","geo_ip_list":[{"ip":"me","latitude":1,"longitude":1}]}`, 400, "'geo_ip_list'"},
		"unknown app":   {`{"app_name":"nothing","ip_list":["1.2.3.4"]}`, 404, "Invalid Application"},
		"filter field":  {`{"app_name":"arena","ip_list":["1.2.3.4"],"filters":[{"field":"planet","filter_type":"any","values":["x"]}]}`, 400, "'field'"},
		"filter type":   {`{"app_name":"arena","ip_list":["1.2.3.4"],"filters":[{"field":"city","filter_type":"in","values":["x"]}]}`, 400, "'filter_type'"},
		"filter values": {`{"app_name":"arena","ip_list":["1.2.3.4"],"filters":[{"field":"city","filter_type":"any","values":[]}]}`, 400, "'values'"},
		"no storage":    {`{"app_name":"arena","ip_list":["1.2.3.4"],"container_log_storage":{"enabled":true}}`, 400, "'container_log_storage'"},
		"webhook":       {`{"app_name":"arena","ip_list":["1.2.3.4"],"webhook_url":"me"}`, 400, "'webhook_url'"},
		"nowhere":       {`{"app_name":"arena","ip_list":["1.2.3.4"],"filters":[{"field":"country","filter_type":"any","values":["Atlantis"]}]}`, 422, "Couldn't allocate"},
	} {
		got := b.want(c.status, "POST", "/v1/deploy", c.body)
		require.Contains(t, got.message(), c.message, name)
	}
	got := b.want(200, "POST", "/v1/deploy", `{"app_name":"arena","geo_ip_list":[{"ip":"1.2.3.4","latitude":1,"longitude":103}],`+
		`"env_vars":[{"key":"A","value":"b"}],"command":"run","arguments":null,"skip_telemetry":false,"is_public_app":true,`+
		`"telemetry_profile_uuid_list":["x"],"ap_sort_strategy":"basic","tags":["one"],`+
		`"filters":[{"field":"continent","filter_type":"not","values":["Asia"]}]}`)
	require.Equal(t, "1", got.body["request_version"])
	id, _ := got.body["request_id"].(string)
	b.pass(1e9)
	status := b.want(200, "GET", "/v1/status/"+id, "")
	require.Equal(t, "run", status.body["command"])
	place, _ := status.body["location"].(map[string]any)
	require.NotEqual(t, "Asia", place["continent"])
}

func TestApplicationsAndVersionsRefuse(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	apps := map[string]struct {
		body   string
		status int
	}{
		"short name":  {`{"name":"ab","is_active":true,"image":"aGVsbG8="}`, 400},
		"long name":   {`{"name":"` + strings.Repeat("a", 65) + `","is_active":true,"image":"aGVsbG8="}`, 400},
		"no image":    {`{"name":"other","is_active":true}`, 400},
		"no activity": {`{"name":"other","image":"aGVsbG8="}`, 400},
		"not base64":  {`{"name":"other","is_active":true,"image":"?"}`, 400},
		"taken":       {appBody, 409},
	}
	for name, c := range apps {
		got, err := b.call("POST", "/v1/app", c.body)
		require.NoError(t, err, name)
		require.Equal(t, c.status, got.status, name)
	}
	versions := map[string]struct {
		body   string
		status int
	}{
		"no image":       {`{"name":"2","docker_repository":"docker.io","docker_tag":"1","req_cpu":100,"req_memory":100}`, 400},
		"taken":          {versionBody("1", ""), 409},
		"long name":      {versionBody(strings.Repeat("v", 65), ""), 400},
		"tags":           {versionBody("2", `,"tags":["x"]`), 400},
		"verify":         {strings.Replace(versionBody("2", `,"verify_image":true`), `"1.0"`, `"missing"`, 1), 424},
		"deploy time":    {versionBody("2", `,"time_to_deploy":14`), 400},
		"too long":       {versionBody("2", `,"max_duration":1441`), 400},
		"below no limit": {versionBody("2", `,"max_duration":-2`), 400},
		"policy":         {versionBody("2", `,"restart_policy":"sometimes"`), 400},
		"grace":          {versionBody("2", `,"termination_grace_period_seconds":4`), 400},
		"memory":         {strings.Replace(versionBody("2", ""), `2048`, `2049`, 1), 400},
		"port":           {strings.Replace(versionBody("2", ""), `7777`, `60000`, 1), 400},
		"nameless 0":     {strings.Replace(versionBody("2", ""), `7777,"protocol":"UDP","name":"game"`, `0,"protocol":"UDP"`, 1), 400},
		"same name":      {strings.Replace(versionBody("2", ""), `"web"`, `"game"`, 1), 400},
		"protocol":       {strings.Replace(versionBody("2", ""), `"UDP"`, `"QUIC"`, 1), 400},
		"tls on UDP":     {strings.Replace(versionBody("2", ""), `"UDP"`, `"UDP","tls_upgrade":true`, 1), 400},
		"storage":        {versionBody("2", `,"endpoint_storage":"none"`), 400},
	}
	kept := b.want(200, "GET", versionTo+"/1", "").text
	require.Contains(t, kept, `"to_check":true`, "what was left out has its default")
	require.Contains(t, kept, `"tls_upgrade":false`)
	for name, c := range versions {
		got, err := b.call("POST", versionTo, c.body)
		require.NoError(t, err, name)
		require.Equal(t, c.status, got.status, "%s: %s", name, got.text)
	}
	b.want(404, "POST", "/v1/app/other/version", versionBody("1", ""))
	b.want(404, "PATCH", versionTo+"/2", `{}`)
	b.want(400, "PATCH", versionTo+"/1", `{"req_memory":9000}`)
	require.InDelta(t, 2048, b.want(200, "GET", versionTo+"/1", "").body["req_memory"], 0, "a refused change changes nothing")
	b.want(400, "PATCH", "/v1/app/arena", `{"name":"ab"}`)
	b.want(200, "DELETE", versionTo+"/1", "")
	b.want(404, "DELETE", versionTo+"/1", "")
	require.Empty(t, b.want(200, "DELETE", "/v1/app/arena", "").text)
	b.want(404, "DELETE", "/v1/app/arena", "")
}

func TestFreeTierHasQuotas(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{FreeTier: true})
	b.want(200, "POST", "/v1/app", strings.Replace(appBody, "arena", "second", 1))
	require.Equal(t, "You have reached you Application limit of 2",
		b.want(400, "POST", "/v1/app", strings.Replace(appBody, "arena", "third", 1)).message())
	b.want(200, "POST", versionTo, versionBody("2", ""))
	require.Equal(t, "You have reached you Application Version limit of 2",
		b.want(400, "POST", versionTo, versionBody("3", "")).message())
	id := b.deploy()
	require.Contains(t, b.want(400, "POST", deployTo, deployBody).message(), "limit of 1")
	b.pass(1e9)
	require.InDelta(t, 60, b.want(200, "GET", "/v1/status/"+id, "").body["max_duration"], 0)
	b.want(200, "DELETE", "/v1/stop/"+id, "")
	b.pass(1e9)
	b.want(202, "POST", deployTo, deployBody)
}

func TestBulkStopRefusesFiltersThatAreNone(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	id := b.ready()
	for name, body := range map[string]string{
		"nothing": `{}`, "empty": `{"filters":[]}`, "ids": `{"request_ids":["` + id + `"]}`,
		"field":  `{"filters":[{"field":"tags","filter_type":"any","values":["x"]}]}`,
		"type":   `{"filters":[{"field":"request_id","filter_type":"in","values":["x"]}]}`,
		"values": `{"filters":[{"field":"request_id","filter_type":"any"}]}`,
	} {
		got, err := b.call("POST", "/v1/deployments/bulk-stop", body)
		require.NoError(t, err)
		require.Equal(t, 400, got.status, name)
	}
	require.Len(t, b.fake.Leaks(), 1)
}

func TestFleetDeployRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	require.NoError(t, b.fake.AddFleet("alpha", edgegaptest.Host{ID: "one"}))
	fleetBody := func(hosts string) string {
		return strings.TrimSuffix(deployBody, "}") + `,"private_host_ids":` + hosts + `}`
	}
	const to = "/v2/private-fleets/deployments"
	b.want(400, "POST", to, deployBody)
	for _, hosts := range []string{`[]`, `["one","one"]`, `["two"]`, `"one"`, `[1]`, `null`} {
		b.want(400, "POST", to, fleetBody(hosts))
	}
	b.want(202, "POST", to, fleetBody(`["one"]`))
	b.want(202, "POST", "/v2/private-fleets:deploy", fleetBody(`["one"]`))
	b.want(400, "GET", "/v2/private-fleets/beta/hosts", "")

	old := setup(t, edgegaptest.Options{OldFleets: true})
	require.NoError(t, old.fake.AddFleet("alpha", edgegaptest.Host{ID: "one"}))
	old.want(404, "POST", to, fleetBody(`["one"]`))
	old.want(202, "POST", "/v2/private-fleets:deploy", fleetBody(`["one"]`))
	current := setup(t, edgegaptest.Options{NewFleets: true})
	current.want(404, "POST", "/v2/private-fleets:deploy", fleetBody(`["one"]`))
}

func TestTagsRefuse(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{})
	id := b.deploy()
	to := "/v1/deployments/" + id + "/tags"
	for _, body := range []string{
		`{}`, `{"name":""}`, `{"name":1}`, `{"name":"` + strings.Repeat("x", 21) + `"}`, `{"name":"a","colour":"red"}`,
	} {
		b.want(400, "POST", to, body)
	}
	b.want(200, "POST", to, `{"name":"one"}`)
	b.want(200, "POST", to, `{"name":"two"}`)
	b.want(409, "POST", to, `{"name":"one"}`)
	b.want(409, "PATCH", to+"/two", `{"name":"one"}`)
	b.want(404, "PATCH", to+"/three", `{"name":"four"}`)
	b.want(400, "PATCH", to+"/two", `{"name":""}`)
	b.want(404, "GET", to+"/three", "")
	b.want(404, "DELETE", to+"/three", "")
	b.want(404, "GET", "/v1/deployments/aaaaaaaaaaaa/tags", "")
	require.Equal(t, "three", b.want(200, "PATCH", to+"/two", `{"name":"three"}`).body["name"])
	require.Empty(t, b.want(204, "DELETE", to+"/three", "").text)
	require.InDelta(t, 1, b.want(200, "GET", to, "").body["total_count"], 0)
}
