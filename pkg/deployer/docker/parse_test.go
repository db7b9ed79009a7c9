package docker

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/resource"
)

func TestParseImage(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("0a", 32)

	for _, c := range []struct{ location, version, want string }{
		{"docker:acme/log", "1.0.0", "acme/log:1.0.0"},
		{"docker:acme/log:1.0.0", "1.0.0", "acme/log:1.0.0"},
		{"docker:acme/log:1.0.0", "", "acme/log:1.0.0"},
		{"docker:acme/log", "", "acme/log:latest"},
		{"docker://log", "2", "log:2"},
		{"DOCKER:docker.io/library/log", "2", "log:2"},
		{"docker://registry:5000/a/b", "1", "registry:5000/a/b:1"},
		{"docker:registry:5000/a/b", "5000", "registry:5000/a/b:5000"},
		{"docker:acme/log" + digest, "", "acme/log" + digest},
		{"docker:acme/log:1" + digest, "", "acme/log:1" + digest},
	} {
		named, err := parseImage(resource.Ref{Location: c.location, Version: c.version})
		require.NoError(t, err, c.location)
		require.Equal(t, c.want, reference.FamiliarString(named))
	}
	for _, c := range []struct{ location, version string }{
		{"docker:", ""},
		{"docker:acme/LOG", ""},
		{"docker:acme/log:1.0.0", "2.0.0"},
		{"docker:acme/log", "a b"},
		{"docker:acme/log" + digest, "1"},
		{"docker:acme/log@sha256:12", ""},
	} {
		_, err := parseImage(resource.Ref{Location: c.location, Version: c.version})
		require.ErrorIs(t, err, deployer.ErrInvalid, c.location)
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add("docker:acme/log", "1.0.0")
	f.Add("docker://registry:5000/a/b@sha256:12", "")
	f.Fuzz(func(t *testing.T, location, version string) {
		if named, err := parseImage(resource.Ref{Location: location, Version: version}); err == nil {
			_, err := reference.ParseNormalizedNamed(reference.FamiliarString(named))
			require.NoError(t, err)
		}
	})
}

func TestPortMapping(t *testing.T) {
	t.Parallel()

	for text, want := range map[string][3]string{
		"80":                   {"80/tcp", "", ""},
		"8080:80":              {"80/tcp", "8080", ""},
		":80/udp":              {"80/udp", "", ""},
		"8000-8010:80/sctp":    {"80/sctp", "8000-8010", ""},
		"127.0.0.1:8080:80":    {"80/tcp", "8080", "127.0.0.1"},
		"127.0.0.1::80":        {"80/tcp", "", "127.0.0.1"},
		"[::1]:8080:80":        {"80/tcp", "8080", "::1"},
		"[2001:db8::1]::8/UDP": {"8/udp", "", "2001:db8::1"},
	} {
		port, binding, err := portMapping(text)
		require.NoError(t, err, text)
		address := ""
		if binding.HostIP.IsValid() {
			address = binding.HostIP.String()
		}
		require.Equal(t, want, [3]string{port.String(), binding.HostPort, address}, text)
	}
}

func FuzzPortMapping(f *testing.F) {
	for _, seed := range []string{"80", "1:2", "[::1]:8080:80/udp", "", ":::", "99999", "80/", "1-0:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if port, _, err := portMapping(text); err == nil {
			require.True(t, port.IsValid())
		}
	})
}

func FuzzDockerConfig(f *testing.F) {
	f.Add(`{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"r:5000":{"identitytoken":"t"}}}`, "docker.io")
	f.Add(`{"auths":{"r":{"auth":"%"}},"credHelpers":{"r":"../x"}}`, "r")
	f.Fuzz(func(t *testing.T, text, domain string) {
		var c dockerConfig
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		c.CredHelpers, c.CredsStore = nil, "" // programs are not for a fuzzer to choose
		if found, err := c.login(t.Context(), domain, nil); err == nil && found != nil {
			require.True(t, found.Username != "" || found.IdentityToken != "")
		}
	})
}

func FuzzLabels(f *testing.F) {
	f.Add("demo.log-v1", "0", "installation", "/demo.log-v1-0", "demo.log-v1-0")
	f.Add("x", "-1", "", "", "")
	f.Fuzz(func(t *testing.T, id, index, installation, name, own string) {
		i, ok := parse(container.Summary{Names: []string{name}, Labels: map[string]string{
			labelID: id, labelIndex: index, labelInstallation: installation, labelName: own,
		}})
		if ok {
			require.NotEmpty(t, i.guid())
			require.GreaterOrEqual(t, i.index, 0)
		}
	})
}

func TestLines_CutAndWithTheirTimes(t *testing.T) {
	t.Parallel()
	var got []deployer.LogLine
	l := &lines{instance: instance{id: "demo.log-v1"}, stream: "stdout", emit: func(_ instance, line deployer.LogLine) error {
		got = append(got, line)
		return nil
	}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	stamp := at.Format(time.RFC3339Nano) + " "
	for _, message := range []string{
		stamp + "one\r\n", stamp + strings.Repeat("x", 16<<10), stamp + "end\n", stamp + strings.Repeat("y", 100<<10) + "\n",
		stamp + "\n", "no time\n", stamp + "rest",
	} {
		n, err := l.Write([]byte(message))
		require.NoError(t, err)
		require.Equal(t, len(message), n)
	}
	require.NoError(t, l.flush())

	texts := []string{}
	for _, line := range got {
		texts = append(texts, line.Text)
		require.Equal(t, "demo.log-v1-0", line.Instance)
	}
	require.Equal(t, []string{
		"one", strings.Repeat("x", 16<<10) + "end", strings.Repeat("y", 64<<10), strings.Repeat("y", 36<<10), "", "no time", "rest",
	}, texts)
	require.Equal(t, at, got[0].Time)
	require.Equal(t, at, got[1].Time)
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("2026-01-02T03:04:05Z x\ny"), 3)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		size = max(size%100, 1)
		var out bytes.Buffer
		l := &lines{emit: func(_ instance, line deployer.LogLine) error {
			require.LessOrEqual(t, len(line.Text), longestLine)
			out.WriteString(line.Text)
			return nil
		}}
		for len(text) > 0 {
			n := min(size, len(text))
			_, err := l.Write(text[:n])
			require.NoError(t, err)
			text = text[n:]
		}
		require.NoError(t, l.flush())
	})
}

func TestEnd_KeepsWholeLines(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		limit int64
		want  string
	}{{100, "one\ntwo\nthree\n"}, {10, "three\n"}, {1, ""}, {0, ""}} {
		e := &end{limit: c.limit}
		for _, text := range []string{"one\n", "two\n", "three\n"} {
			_, err := e.Write([]byte(text))
			require.NoError(t, err)
		}
		require.Equal(t, c.want, e.String(), c.limit)
	}
	e := &end{limit: 10}
	for range 100 {
		_, err := e.Write(bytes.Repeat([]byte("x"), 10<<10))
		require.NoError(t, err)
	}
	require.Less(t, cap(e.buf), 1<<20)
}
