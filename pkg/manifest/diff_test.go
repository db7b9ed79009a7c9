package manifest

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

var update = flag.Bool("update", false, "write the golden files anew")

const before = `
apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata: {name: log, type: sink}
spec:
  resource: maven://org.example:log
  version: 1.0.0
  applicationProperties:
    server.port: 8080
    gone: ~
    spring.datasource.password: first
    spring.datasource.url: "jdbc:postgresql://app:s3cret@db/log?password=hidden&ssl=true"
    same: x
  deploymentProperties: {spring.cloud.deployer.count: 1}
---
apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata: {name: time}
spec: {resource: "maven://org.example:time", version: 1.0.0, applicationProperties: {api.token: t, plain: "two\nlines"}}
---
apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata: {name: same}
spec: {resource: "file:///same", version: 1.0.0}
`

const after = `
apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata: {name: same}
spec: {resource: "file:///same", version: 1.0.0}
---
apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata: {name: log, type: sink}
spec:
  resource: maven://org.example:log
  version: 1.1.0
  applicationProperties:
    spring.datasource.url: "jdbc:postgresql://app:s3cret@db2/log?password=hidden&ssl=true"
    spring.datasource.password: second
    same: x
    empty: ""
    server.port: 9090
  deploymentProperties: {spring.cloud.deployer.count: 3}
---
apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata: {name: filter}
spec: {resource: "docker:example/filter", version: latest, deploymentProperties: {spring.cloud.deployer.memory: 1g}}
`

const cloudFoundry = `
apiVersion: skipper.spring.io/v1
kind: CloudFoundryApplication
spec:
  resource: maven://org.example:app
  version: 1.0.0
  Manifest:
    memory: 1G
    disk-quota: "512"
    timeout: 60
    instances: 0
    no-route: yes
    health-check-type: HTTP
    health-check-http-endpoint: /health
    services: [db, mq]
    hosts: []
    env: {JAVA_OPTS: -Xmx512m, DB_PASSWORD: x, NONE: ~}
    unknown: ignored
`

func TestDiffOf_IsReadable(t *testing.T) {
	t.Parallel()
	next := strings.NewReplacer("1G", "2048M", "[db, mq]", "[db]", "timeout: 60", "timeout: 90", "DB_PASSWORD: x",
		"DB_PASSWORD: y", "instances: 0", "instances: 2", "-Xmx512m", "-Dpassword=x -Xmx1g").Replace(cloudFoundry)
	var got strings.Builder
	for _, c := range []struct{ title, old, next string }{
		{"changed, added and removed", before, after},
		{"installed", "", before},
		{"Cloud Foundry", cloudFoundry, next},
		{"of another kind", cloudFoundry, before},
	} {
		d, err := DiffOf(c.old, c.next)
		require.NoError(t, err)
		got.WriteString("# " + c.title + "\n" + d.Text())
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/diff.txt", []byte(got.String()), 0o600))
	}
	want, err := os.ReadFile("testdata/diff.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
	for _, secret := range []string{"s3cret", "hidden", "first", "second"} {
		require.NotContains(t, got.String(), secret)
	}
}

func TestDiffOf_IsEmptyForEqualManifests(t *testing.T) {
	t.Parallel()
	for _, text := range []string{before, after, cloudFoundry, "", " \n"} {
		d, err := DiffOf(text, text)
		require.NoError(t, err)
		require.Empty(t, d.Applications)
		require.Empty(t, d.Text())
		body, err := json.Marshal(d)
		require.NoError(t, err)
		require.JSONEq(t, `{"applications":[]}`, string(body))
	}
}

func TestDiffOf_ShowsCountsWhereCompareDoesNot(t *testing.T) {
	t.Parallel()
	next := strings.Replace(before, "count: 1", "count: 2", 1)
	compared, err := Compare(before, next, Force{})
	require.NoError(t, err)
	require.True(t, compared.None())
	d, err := DiffOf(before, next)
	require.NoError(t, err)
	body, err := json.Marshal(d)
	require.NoError(t, err)
	require.JSONEq(t, `{"applications":[{"name":"log","action":"changed","fields":[{"field":`+
		`"spec.deploymentProperties.spring.cloud.deployer.count","action":"changed","old":"1","new":"2"}]}]}`, string(body))
}

func TestDiffOf_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"kind: ConfigMap", "a: [", "kind: CloudFoundryApplication\nspec: {}", "- a"} {
		_, err := DiffOf(before, text)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
	}
}

func TestMask_HidesSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"spring.datasource.password", "DB_PASSWD", "my.secret", "clientSecret", "x.credentials.y", "access-token", "api.key",
		"sshKeys", "VCAP_SERVICES", "spring.kafka.jaas.options", "proxy.auth", "keystore.passphrase",
	} {
		require.Equal(t, "******", Mask(name, "value"), name)
	}
	for _, name := range []string{"server.port", "monkeys.per.tree", "author", "spec.version", "bypass.enabled"} {
		require.Equal(t, "value", Mask(name, "value"), name)
	}
	for value, want := range map[string]string{
		"":                                "",
		"null":                            "null",
		"https://u:p@host/x":              "https://******@host/x",
		"amqp://u:p@ss@host,amqp://v@two": "amqp://******@host,amqp://******@two",
		"https://host/a@b":                "https://host/a@b",
		"jdbc:mysql://host/db?user=u&password=p&x=y": "jdbc:mysql://host/db?user=u&password=******&x=y",
		`{"user":"u","password":"a\"b","n":1}`:       `{"user":"u","password":******,"n":1}`,
		"-Dtoken=abc -Xmx1g":                         "-Dtoken=****** -Xmx1g",
		"password: 'a b' and more":                   "password: ****** and more",
		"mailto:someone@example.com":                 "mailto:someone@example.com",
	} {
		require.Equal(t, want, Mask("x", value))
	}
}

func TestParseCloudFoundry_ReadsFields(t *testing.T) {
	t.Parallel()
	got, err := ParseCloudFoundry(cloudFoundry)
	require.NoError(t, err)
	text := func(s string) *string { return &s }
	require.Equal(t, []CloudFoundryApplication{{
		APIVersion: "skipper.spring.io/v1", Resource: "maven://org.example:app", Version: "1.0.0",
		Manifest: CloudFoundryManifest{
			Memory: 1024, DiskQuota: 512, Timeout: 60, Instances: new(0), NoRoute: new(true), HealthCheckType: "http",
			HealthCheckHTTPEndpoint: "/health", Services: []string{"db", "mq"}, Hosts: []string{},
			Env: Properties{{"JAVA_OPTS", text("-Xmx512m")}, {"DB_PASSWORD", text("x")}, {"NONE", nil}},
		},
	}}, got)
}

func TestParseCloudFoundry_NamesTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		"memory: 2048m":               `spec.manifest.memory in document 1 of the manifest must be a size such as 1024, 512M or 2G, found "2048m"`,
		"disk-quota: -1":              `spec.manifest.disk-quota in document 1 of the manifest must be a size such as 1024, 512M or 2G, found "-1"`,
		"instances: many":             `spec.manifest.instances in document 1 of the manifest must be a whole number from 0 on, found "many"`,
		"timeout: 1.5":                `spec.manifest.timeout in document 1 of the manifest must be a whole number from 0 on, found "1.5"`,
		"random-route: maybe":         `spec.manifest.random-route in document 1 of the manifest must be true or false, found "maybe"`,
		"health-check-type: ping":     `spec.manifest.health-check-type in document 1 of the manifest must be port, process, http, found "ping"`,
		"services: db":                `Can't parse Package's manifest YAML: spec.manifest.services in document 1 must be a list, found a text`,
		"hosts: [{a: b}]":             `Can't parse Package's manifest YAML: spec.manifest.hosts[0] in document 1 must be a text, found a map`,
		"env: [a]":                    `Can't parse Package's manifest YAML: spec.manifest.env in document 1 must be keys with values, found a list`,
		"command: [a]":                `Can't parse Package's manifest YAML: spec.manifest.command in document 1 must be a text, found a list`,
		"memory: 99999999999999999GB": `spec.manifest.memory in document 1 of the manifest must be a size such as 1024, 512M or 2G, found "99999999999999999GB"`,
	} {
		_, err := ParseCloudFoundry("kind: CloudFoundryApplication\nspec: {resource: r, manifest: {" + fields + "}}")
		require.EqualError(t, err, want)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
	}
	for text, want := range map[string]string{
		"kind: CloudFoundryApplication": "spec.resource in document 1 of the manifest is missing; " +
			"name what is to run, such as maven://org.example:app",
		"kind: CloudFoundryApplication\nspec: {resource: r}\n---\nkind: Other": "document 2 of the manifest is of kind 'Other'; " +
			"all documents of a release must be of kind 'CloudFoundryApplication'",
		"- a":  "document 1 of the manifest must have keys with values, found a list",
		"---":  "Can't parse manifest, it is empty",
		"a: [": "the manifest is not valid YAML: line 1: the [ that opens here is not closed; add ']'",
	} {
		_, err := ParseCloudFoundry(text)
		require.EqualError(t, err, want)
	}
}
