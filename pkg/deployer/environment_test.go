package deployer_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
)

func TestEnvironment_AsJSON(t *testing.T) {
	t.Parallel()

	for own, extra := range map[string]map[string]string{
		"": {}, "null": {}, `{"below":"x","a":"hidden"}`: {"below": "x"},
	} {
		e := deployer.Environment{
			ID: "demo.log-v1", Group: "demo", Index: 2, Port: 8081, JSON: true, AdminUser: "u", AdminPassword: "p",
			Properties: map[string]string{"a": "<1>", "endpoints.shutdown.enabled": "false", deployer.JSONVariable: own},
		}
		got, err := e.Variables()
		require.NoError(t, err)

		var properties map[string]string
		require.NoError(t, json.Unmarshal([]byte(got[deployer.JSONVariable]), &properties))
		want := map[string]string{
			"a": "<1>", "endpoints.shutdown.enabled": "false", "endpoints.jmx.unique-names": "true",
			"spring.jmx.default-domain": "demo.log-v1", "spring.cloud.application.group": "demo", "server.port": "8081",
			"instance.index": "2", "spring.application.index": "2", "spring.cloud.stream.instanceIndex": "2",
			"spring.cloud.application.guid":                  "demo.log-v1-2",
			"spring.cloud.streamapp.security.admin-user":     "u",
			"spring.cloud.streamapp.security.admin-password": "p",
		}
		maps.Copy(want, extra)
		require.Empty(t, cmp.Diff(want, properties), own)
		delete(got, deployer.JSONVariable)
		require.Empty(t, cmp.Diff(map[string]string{
			"INSTANCE_INDEX": "2", "SPRING_APPLICATION_INDEX": "2", "SPRING_CLOUD_APPLICATION_GUID": "demo.log-v1-2",
			"SERVER_PORT": "8081", "PORT": "8081",
		}, got))
	}
}

func TestEnvironment_AsVariables(t *testing.T) {
	t.Parallel()

	got, err := deployer.Environment{ID: "demo.log-v1", Properties: map[string]string{"a": "1", "server.port": "0"}}.Variables()

	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]string{
		"a": "1", "server.port": "0", "endpoints.shutdown.enabled": "true", "endpoints.jmx.unique-names": "true",
		"spring.jmx.default-domain": "demo.log-v1", "INSTANCE_INDEX": "0", "SPRING_APPLICATION_INDEX": "0",
		"SPRING_CLOUD_APPLICATION_GUID": "demo.log-v1-0",
	}, got))
}

func TestEnvironment_RefusesWhatCannotBePassedOn(t *testing.T) {
	t.Parallel()

	for value, want := range map[string]string{"[1]": "must be a JSON object", strings.Repeat("x", 200<<10): "JSON object"} {
		properties := map[string]string{deployer.JSONVariable: value}
		require.ErrorContains(t, deployer.CheckProperties(properties), want)
		_, err := deployer.Environment{Properties: properties, JSON: true}.Variables()
		require.ErrorIs(t, err, deployer.ErrInvalid)
	}
	require.ErrorContains(t, deployer.CheckProperties(map[string]string{"a": strings.Repeat("x", 200<<10)}), "at most")
	require.NoError(t, deployer.CheckProperties(map[string]string{"a": "x"}))
}

func TestFixedPort(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]int{"8080": 8080, "0": 0, "-1": -1} {
		port, fixed, err := deployer.FixedPort(map[string]string{"server.port": text})
		require.NoError(t, err)
		require.True(t, fixed)
		require.Equal(t, want, port)
	}
	_, fixed, err := deployer.FixedPort(nil)
	require.NoError(t, err)
	require.False(t, fixed)
	for _, text := range []string{"x", "65536"} {
		_, _, err := deployer.FixedPort(map[string]string{"server.port": text})
		require.ErrorContains(t, err, "a port number is due")
	}
}

func TestOwner_Matches(t *testing.T) {
	t.Parallel()
	o := deployer.Owner{Installation: "i", Account: "a", Release: "r", Version: 1, App: "x"}

	for _, filter := range []deployer.Owner{o, {Installation: "i"}, {Installation: "i", Release: "r"}, {Installation: "i", Version: 1}} {
		require.True(t, o.Matches(filter), filter)
	}
	for _, filter := range []deployer.Owner{
		{},
		{Installation: "j"},
		{Installation: "i", Account: "b"},
		{Installation: "i", Release: "s"},
		{Installation: "i", Version: 2},
		{Installation: "i", App: "y"},
	} {
		require.False(t, o.Matches(filter), filter)
	}
}
