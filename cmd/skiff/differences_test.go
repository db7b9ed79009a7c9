package main_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDifferences_AreFoundWhereTheyMatter(t *testing.T) {
	t.Parallel()
	const at = "2026-11-22T22:50:04.176+00:00"
	const time = `"at":"` + at + `",`
	const release = `{"name":"a","info":{"deleted":null,` + time + `"status":{"platformStatus":` +
		`"[{\"deploymentId\":\"a.b-v1\",\"instances\":` +
		`{\"a.b-v1-0\":{\"state\":\"deploying\",\"port\":\"60179\"}}}]"}},` +
		`"repositoryId":2,"_links":{"self":{"href":"{{baseUrl}}/api/releases/7"},"next":{"href":"x"}}}`
	const words = `"exception":"java.lang.IllegalArgumentException","message":"Version can not be null","path":`
	const refused = `{"timestamp":"` + at + `","status":500,` + words + `"/p"}`
	for name, c := range map[string]struct {
		recorded, old, now string
		status             int
		differs            bool
	}{
		"nothing":                         {release, "", "", 200, false},
		"a status":                        {release, "", "", 201, true},
		"an id":                           {release, `"repositoryId":2`, `"repositoryId":31`, 200, false},
		"an id in a URL":                  {release, "releases/7", "releases/1234", 200, false},
		"a URL":                           {release, "releases/7", "release/7", 200, true},
		"a time":                          {release, "22:50:04.176", "01:02:03.004", 200, false},
		"how a time is written":           {release, "04.176+00:00", "04.176Z", 200, true},
		"the precision of a time":         {release, "04.176+", "04.17+", 200, true},
		"null":                            {release, `"deleted":null`, `"deleted":"` + at + `"`, 200, true},
		"a number as text":                {release, `"repositoryId":2`, `"repositoryId":true`, 200, true},
		"the order of members":            {release, `"deleted":null,` + time, time + `"deleted":null,`, 200, true},
		"a member twice":                  {release, `"name":"a"`, `"name":"a","name":"a"`, 200, true},
		"a member more":                   {release, `"name"`, `"more":1,"name"`, 200, true},
		"a member less":                   {release, `"name":"a",`, ``, 200, true},
		"a link more":                     {release, `"next"`, `"more":{"href":"y"},"next"`, 200, false},
		"a link less":                     {release, `,"next":{"href":"x"}`, ``, 200, true},
		"a port of an instance":           {release, "60179", "20001", 200, false},
		"an instance that has started":    {release, "deploying", "deployed", 200, false},
		"an instance that failed":         {release, "deploying", "failed", 200, true},
		"another instance":                {release, "a.b-v1-0", "a.b-v1-1", 200, true},
		"a refusal in the same words":     {refused, `"status":500`, `"status":400`, 400, false},
		"a refusal as the server's error": {refused, "", "", 500, true},
		"a refusal in other words":        {refused, "Version", "Name", 400, true},
		"a refusal with another status":   {refused, `"status":500`, `"status":404`, 400, true},
		"a refusal of another path":       {refused, `500,` + words + `"/p"`, `400,` + words + `"/q"`, 400, true},
	} {
		recorded := answer{Status: 200, Body: json.RawMessage(c.recorded)}
		if c.recorded == refused {
			recorded.Status = 500
		}
		now := answer{Status: c.status, Body: json.RawMessage(strings.Replace(c.recorded, c.old, c.now, 1))}
		found := differences(recorded, now, deviation{})
		require.Equal(t, c.differs, len(found) > 0, "%s: %v", name, found)
	}
}

func TestDifferences_OfHeaders(t *testing.T) {
	t.Parallel()
	with := func(headers map[string]string) answer { return answer{Status: 200, Headers: headers} }
	recorded := with(map[string]string{"Vary": "Access-Control-Request-Headers", "Allow": "HEAD,GET"})
	same := map[string]string{
		"Vary":  "Origin | Access-Control-Request-Method | Access-Control-Request-Headers",
		"Allow": "GET, HEAD", "X-Request-Id": "1",
	}
	require.Empty(t, differences(recorded, with(same), deviation{}))
	for name, value := range map[string]string{
		"Vary": "Access-Control-Request-Headers", "Allow": "GET", "Etag": `"0"`, "Content-Type": "text/plain",
		"Link": "<x>",
	} {
		other := maps.Clone(same)
		other[name] = value
		require.Len(t, differences(recorded, with(other), deviation{}), 1, name)
		require.Empty(t, differences(recorded, with(other), deviation{Loose: []string{"header " + name}}))
	}
}
