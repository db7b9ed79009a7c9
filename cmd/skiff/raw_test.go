package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// exchange is one file of testdata/http/raw: what was asked, and the answer as it was sent.
type exchange struct {
	method, target, asked string // asked: the other headers and the body
	answered              message
}

// message is a status, header lines by name, those of one name in their order, and the bytes of a body.
type message struct {
	Status int
	Lines  []string
	Body   string
}

func TestReplay_RawAnswers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves out the recordings")
	}
	s := newStage(t, nativeApps(t))
	files, err := filepath.Glob(recordings("raw", "*.http"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	others := notBytes()
	for _, file := range files {
		name := filepath.Base(file)
		e := readExchange(t, file)
		was, is := s.same(e.answered), s.same(s.exchange(t, e))
		if w, ok := others[name]; ok {
			delete(others, name)
			require.NotEqual(t, was.Body, is.Body, "%s can be compared as bytes", name)
			compareAsJSON(t, name, w, was, is)
			continue
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%s (-recorded +found):\n%s", name, diff)
		}
	}
	require.Empty(t, others, "files that are not there")
}

// notBytes are the answers that are compared as the cassettes are, and how.
func notBytes() map[string]*walking {
	return map[string]*walking{
		// skiff adds links; those of the index are in no order of their own in the reference
		"01-index-hal.http":     {anyOrder: true},
		"02-index-json.http":    {anyOrder: true},
		"04-release-links.http": {},
		"11-install.http":       {},
		"23-delete.http":        {},
		// names and versions are skiff's
		"03-about.http": {loose: []string{"/versionInfo"}},
	}
}

func compareAsJSON(t *testing.T, name string, w *walking, was, is message) {
	t.Helper()
	recorded, err := decode([]byte(was.Body))
	require.NoError(t, err)
	found, err := decode([]byte(is.Body))
	require.NoError(t, err)
	w.walk(recorded, found, "")
	was.Body, is.Body = "", ""
	if diff := cmp.Diff(was, is); diff != "" || len(w.found) > 0 {
		t.Errorf("%s (-recorded +found):\n%s%s", name, diff, strings.Join(w.found, "\n"))
	}
}

func readExchange(t *testing.T, file string) exchange {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	asked, answered, found := strings.Cut(string(text), "\n\n--- answer\n")
	require.True(t, found, file)
	first, rest, _ := strings.Cut(asked, "\n")
	e := exchange{asked: rest}
	e.method, e.target, _ = strings.Cut(first, " ")
	head, body, found := strings.Cut(answered, "\n\n")
	require.True(t, found, file)
	e.answered = parseHead(t, strings.Split(head, "\n"))
	e.answered.Body = body
	return e
}

func parseHead(t *testing.T, lines []string) message {
	t.Helper()
	var m message
	_, err := fmt.Sscanf(lines[0], "HTTP/1.1 %d", &m.Status)
	require.NoError(t, err, lines)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Date", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length": // the connection's own
			continue
		case "Content-Language", "X-Request-Id": // the reference's own, of a redirect; skiff's own
			continue
		case "Allow": // in no order in the reference
			methods := strings.Split(value, ",")
			slices.Sort(methods)
			line = name + ": " + strings.Join(methods, ",")
		}
		m.Lines = append(m.Lines, line)
	}
	slices.SortStableFunc(m.Lines, func(a, b string) int { // the order of names is of no meaning
		x, _, _ := strings.Cut(a, ":")
		y, _, _ := strings.Cut(b, ":")
		return strings.Compare(x, y)
	})
	return m
}

// exchange sends a request over a connection of its own and reads what is sent back, without HTTP in between.
func (s *stage) exchange(t *testing.T, e exchange) message {
	t.Helper()
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, s.request(t, e, address))
	require.NoError(t, err)
	sent, err := io.ReadAll(conn)
	require.NoError(t, err)
	head, _, found := strings.Cut(string(sent), "\r\n\r\n")
	require.True(t, found, "%q", sent)
	m := parseHead(t, strings.Split(head, "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(sent)), &http.Request{Method: e.method})
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	m.Body = string(body)
	return m
}

func (s *stage) request(t *testing.T, e exchange, address string) string {
	t.Helper()
	lines := []string{e.method + " " + e.target + " HTTP/1.1", "Host: " + address, "Connection: close"}
	body := ""
	for line := range strings.SplitSeq(e.asked, "\n") {
		switch {
		case strings.HasPrefix(line, "{"):
			body = s.fill(t, line, nil)
			lines = append(lines, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body)))
		case line != "":
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// same replaces in an answer what another run chooses differently.
func (s *stage) same(m message) message {
	all := append(patterns(),
		pattern{regexp.MustCompile(`("repositoryId" : |"id" : "|\\"port\\":\\")\d+`), "${1}0"},
		pattern{regexp.MustCompile(`\\"(pid|started\.at)\\":\\"[^"\\]+\\",`), ""}, // an instance may have more attributes
		pattern{regexp.MustCompile(`\\"state\\":\\"(deploying|deployed)\\"`), `\"state\":\"<starting>\"`},
	)
	replace := func(text string) string {
		text = s.unfill(text)
		for _, p := range all {
			text = p.re.ReplaceAllString(text, p.with)
		}
		return text
	}
	m.Body = replace(m.Body)
	for i, line := range m.Lines {
		m.Lines[i] = replace(line)
	}
	return m
}
