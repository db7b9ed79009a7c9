package edgegaptest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a fake with a clock that only the test moves, and an application "arena" with a version "1".
type bundle struct {
	t    *testing.T
	fake *edgegaptest.Fake
	http *http.Client

	mu  sync.Mutex
	now time.Time
}

const (
	token      = "token " + edgegaptest.DefaultToken
	appBody    = `{"name":"arena","is_active":true,"image":"aGVsbG8="}`
	versionTo  = "/v1/app/arena/version"
	deployTo   = "/v2/deployments"
	userBody   = `"users":[{"user_type":"geo_coordinates","user_data":{"latitude":45.5,"longitude":-73.5}}]`
	deployBody = `{"application":"arena","version":"1",` + userBody + `}`
)

func versionBody(name, more string) string {
	return `{"name":"` + name + `","docker_repository":"docker.io","docker_image":"me/arena","docker_tag":"1.0",` +
		`"req_cpu":1024,"req_memory":2048,"ports":[{"port":7777,"protocol":"UDP","name":"game"},` +
		`{"port":80,"protocol":"HTTP","name":"web"}]` + more + `}`
}

func setup(t *testing.T, options edgegaptest.Options) *bundle {
	t.Helper()
	b := &bundle{t: t, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	options.Now = b.clock
	fake, err := edgegaptest.New(options)
	require.NoError(t, err)
	b.fake, b.http = fake, &http.Client{Transport: fake.Transport()}
	b.want(200, "POST", "/v1/app", appBody)
	b.want(200, "POST", versionTo, versionBody("1", ""))
	return b
}

func (b *bundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bundle) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) message() string {
	message, _ := a.body["message"].(string)
	return message
}

// call sends a request with the right token and Content-Type; headers are name, value and replace those.
func (b *bundle) call(method, path, body string, headers ...string) (answer, error) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, "http://fake"+path, strings.NewReader(body))
	require.NoError(b.t, err)
	request.Header.Set("Authorization", token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			request.Header.Del(headers[i])
		}
	}
	response, err := b.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	content, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	got := answer{status: response.StatusCode, header: response.Header, text: string(content)}
	if json.Valid(content) && bytes.HasPrefix(content, []byte("{")) {
		require.NoError(b.t, json.Unmarshal(content, &got.body))
	}
	return got, nil
}

func (b *bundle) want(status int, method, path, body string, headers ...string) answer {
	b.t.Helper()
	got, err := b.call(method, path, body, headers...)
	require.NoError(b.t, err)
	require.Equal(b.t, status, got.status, "%s %s: %s", method, path, got.text)
	return got
}

// deploy makes a deployment and gives its id.
func (b *bundle) deploy() string {
	b.t.Helper()
	id, is := b.want(202, "POST", deployTo, deployBody).body["request_id"].(string)
	require.True(b.t, is)
	return id
}

// ready makes a deployment that is READY.
func (b *bundle) ready() string {
	b.t.Helper()
	id := b.deploy()
	b.pass(time.Second)
	require.Equal(b.t, "Status.READY", b.state(id))
	return id
}

func (b *bundle) state(id string) any {
	b.t.Helper()
	return b.want(200, "GET", "/v1/status/"+id, "").body["current_status"]
}
