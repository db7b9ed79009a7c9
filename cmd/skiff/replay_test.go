package main_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cassette is a recorded scenario: steps that are played in order.
type cassette struct {
	Name  string `json:"name"`
	Steps []step `json:"steps"`
}

type step struct {
	Name        string            `json:"name"`
	Request     request           `json:"request"`
	Until       map[string]string `json:"until"`       // by JSON pointer: a pattern; the step is repeated until all match
	WaitSeconds float64           `json:"waitSeconds"` // so long at most
	Save        map[string]string `json:"save"`        // by name: a JSON pointer to what later steps use
	SaveRe      map[string]string `json:"saveRe"`      // by name: which part of it
	Response    answer            `json:"response"`
}

type request struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Raw     *string           `json:"raw"`
}

// deviation is what skiff betters in one step on purpose.
type deviation struct {
	Skip   bool            `json:"skip"`   // not compared; it is no error of the server all the same
	Loose  []string        `json:"loose"`  // paths that are not compared
	Expect json.RawMessage `json:"expect"` // what is due instead of what was recorded
	Why    string          `json:"why"`
}

func read(t *testing.T, out any, name ...string) {
	t.Helper()
	text, err := os.ReadFile(recordings(name...))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, out))
}

func TestReplay_CassettesWithTheNativeApplication(t *testing.T) {
	t.Parallel()
	replay(t, nativeApps(t))
}

func TestReplay_CassettesWithTheJar(t *testing.T) {
	t.Parallel()
	replay(t, jarApps(t))
}

func replay(t *testing.T, apps string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out the recordings")
	}
	var known map[string]deviation
	read(t, &known, "deviations.json")
	files, err := filepath.Glob(recordings("cassettes", "*.json"))
	require.NoError(t, err)
	p := player{t: t, stage: newStage(t, apps)}
	p.known = map[string]string{"baseUrl": p.stage.url}
	total, agreed := 0, 0
	for _, file := range files {
		var c cassette
		read(t, &c, "cassettes", filepath.Base(file))
		for _, s := range c.Steps {
			name := c.Name + "/" + s.Name
			found := p.play(s, known[name])
			delete(known, name)
			total++
			if len(found) == 0 {
				agreed++
				continue
			}
			t.Errorf("%s: %s %s\n\t%s", name, s.Request.Method, s.Request.Path, strings.Join(found, "\n\t"))
		}
	}
	t.Logf("%d of %d steps agree", agreed, total)
	require.NotZero(t, total)
	require.Empty(t, known, "deviations of steps that are not played")
}

// player plays steps against one server.
type player struct {
	t     *testing.T
	stage *stage
	known map[string]string // what steps saved for later ones
}

func (p player) play(s step, d deviation) []string {
	p.t.Helper()
	got := p.ask(s)
	for name, pointer := range s.Save {
		p.known[name] = saved(at(got.body(), pointer), s.SaveRe[name])
	}
	if d.Skip {
		if got.Status >= 500 {
			return []string{"status: not compared, yet " + http.StatusText(got.Status)}
		}
		return nil
	}
	if d.Expect != nil {
		require.NoError(p.t, json.Unmarshal(d.Expect, &s.Response))
	}
	return differences(s.Response, got, d)
}

func saved(v any, part string) string {
	value := text(v)
	if m := regexp.MustCompile(part).FindStringSubmatch(value); len(m) > 1 {
		return m[1]
	}
	return value
}

// ask sends the request, again and again where the step waits for something.
func (p player) ask(s step) answer {
	p.t.Helper()
	deadline := time.After(time.Duration(s.WaitSeconds) * time.Second)
	for {
		got := p.send(s.Request)
		if s.Until == nil {
			return got
		}
		if came(s.Until, got) && p.idle(s.Request) {
			return got
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			require.Fail(p.t, "it did not come", "%s: %s\nlog: %s", s.Name, got.Body, p.stage.log)
		}
	}
}

// came says whether what a step waits for is there.
func came(until map[string]string, got answer) bool {
	for pointer, pattern := range until {
		found := show(at(got.body(), pointer))
		if !regexp.MustCompile(pattern).MatchString(found) {
			return false
		}
		if strings.Contains(pattern, "deployed") && strings.Contains(found, `\"deploying\"`) {
			return false // of several applications all are waited for
		}
	}
	return true
}

// idle says whether the operation has ended whose release a step waits for: its version is as it has to be a moment
// earlier, and the recording came later than that.
func (p player) idle(r request) bool {
	p.t.Helper()
	name, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/api/release/status/"), "/")
	return p.stage.ended(name)
}

func (p player) send(r request) answer {
	p.t.Helper()
	url := p.fill(p.fill(r.Path))
	if !strings.HasPrefix(url, "http") {
		url = p.stage.url + url
	}
	headers := http.Header{"Accept": {"*/*"}}
	var body io.Reader
	switch {
	case r.Body != nil:
		body = strings.NewReader(p.fill(string(r.Body)))
		headers.Set("Content-Type", "application/json")
	case r.Raw != nil:
		body = strings.NewReader(p.fill(*r.Raw))
	}
	for name, value := range r.Headers {
		headers.Set(name, p.fill(value))
	}
	req, err := http.NewRequestWithContext(p.t.Context(), r.Method, url, body)
	require.NoError(p.t, err)
	req.Header = headers
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	res, err := transport.RoundTrip(req) // follows no redirects
	require.NoError(p.t, err, "log: %s", p.stage.log)
	defer res.Body.Close()
	return p.shape(res)
}

func (p player) fill(text string) string {
	p.t.Helper()
	return p.stage.fill(p.t, text, p.known)
}

// shape gives an answer the form of the recorded ones.
func (p player) shape(res *http.Response) answer {
	p.t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	got := answer{Status: res.StatusCode, Headers: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		got.Headers[name] = p.stage.unfill(strings.Join(res.Header[name], " | "))
	}
	content := p.stage.unfill(string(body))
	if json.Valid([]byte(content)) && strings.Contains(res.Header.Get("Content-Type"), "json") {
		got.Body = json.RawMessage(content)
	} else {
		got.Text = content
	}
	return got
}
