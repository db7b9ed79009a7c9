package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// The line beats the environment, which beats the context; a context's credentials go to its own server only.
func TestTarget_Precedence(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "contexts.yml")
	require.NoError(t, os.WriteFile(file, []byte(`current: one
contexts:
- name: one
  url: http://one
  username: ann
  password: a
  caCert: one.pem
- name: two
  url: http://two
`), 0o600))
	tests := map[string]struct {
		args, env string
		want      Target
	}{
		"the context in use":             {want: Target{URL: "http://one", Username: "ann", Password: "a", CACert: "one.pem"}},
		"another, by the line":           {args: "--context two", want: Target{URL: "http://two"}},
		"another, by the environment":    {env: "SKIFF_CONTEXT=two", want: Target{URL: "http://two"}},
		"the line beats the environment": {args: "--context two", env: "SKIFF_CONTEXT=one SKIFF_URL=http://env", want: Target{URL: "http://two"}},
		"a URL of the environment":       {env: "SKIFF_URL=http://env", want: Target{URL: "http://env"}},
		"a URL of the line":              {args: "--server http://line", env: "SKIFF_URL=http://env", want: Target{URL: "http://line"}},
		"a URL and a context of the line": {
			args: "--server http://line --context one",
			want: Target{URL: "http://line", Username: "ann", Password: "a", CACert: "one.pem"},
		},
		"a context of the environment and another URL of the line": {
			args: "--server http://line", env: "SKIFF_CONTEXT=one", want: Target{URL: "http://line"},
		},
		"a context and another URL of the environment": {
			env: "SKIFF_CONTEXT=one SKIFF_URL=http://env", want: Target{URL: "http://env"},
		},
		"a context of the environment and its own URL": {
			args: "--server http://one/api", env: "SKIFF_CONTEXT=one",
			want: Target{URL: "http://one/api", Username: "ann", Password: "a", CACert: "one.pem"},
		},
		"a token of the environment": {
			env: "SKIFF_TOKEN=t", want: Target{URL: "http://one", Token: "t", CACert: "one.pem"},
		},
		"a token for a context without one": {
			args: "--context two", env: "SKIFF_TOKEN=t", want: Target{URL: "http://two", Token: "t"},
		},
		"a token is not for another context": {
			args: "--context one", env: "SKIFF_TOKEN=t",
			want: Target{URL: "http://one", Username: "ann", Password: "a", CACert: "one.pem"},
		},
		"a user of the line": {
			args: "--username bob", env: "SKIFF_PASSWORD=b",
			want: Target{URL: "http://one", Username: "bob", Password: "b", CACert: "one.pem"},
		},
		"certificates": {
			args: "--ca-cert line.pem --client-cert c --client-key k --skip-ssl-validation", env: "SKIFF_CA_CERT=env.pem",
			want: Target{
				URL: "http://one", Username: "ann", Password: "a", CACert: "line.pem", ClientCert: "c", ClientKey: "k",
				SkipSSLValidation: true,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"SKIFF_CONTEXTS": file}
			for variable := range strings.FieldsSeq(test.env) {
				name, value, _ := strings.Cut(variable, "=")
				env[name] = value
			}
			c := &cli{Deps: Deps{Env: func(name string) string { return env[name] }}}
			root := New(Deps{})
			root.ResetFlags()
			c.targetFlags(root.PersistentFlags())
			require.NoError(t, root.ParseFlags(strings.Fields(test.args)))
			got, err := c.target()
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(test.want, got))
		})
	}
	nothing := &cli{Deps: Deps{Env: func(string) string { return "" }}}
	got, err := nothing.target()
	require.NoError(t, err)
	require.Equal(t, Target{URL: defaultURL}, got)
}

func TestTarget_WhoAsks(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("from a file\n"), 0o600))
	for want, target := range map[string]Target{
		"":                         {},
		"Basic YW5uOmE=":           {Username: "ann", Password: "a"},
		"Basic YW5uOnR5cGVk":       {Username: "ann"},
		"Bearer t":                 {Token: "t"},
		"Bearer from a file":       {TokenFile: secret},
		"Negotiate of the program": {Command: "echo Negotiate of the program"},
	} {
		got := "nobody"
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			_, _ = io.WriteString(w, `{"_links": {}}`)
		}))
		target.URL = server.URL
		c, err := target.Open(Deps{Password: func(string) (string, error) { return "typed", nil }})
		require.NoError(t, err)
		_, _ = c.About(t.Context()) // what it gives does not matter
		require.Equal(t, want, got)
		c.Close()
		server.Close()
	}
	for _, wrong := range []Target{
		{Password: "a"},
		{Token: "a\r\nX-Header: b"},
		{TokenFile: secret + ".not"},
		{CACert: secret},
		{ClientCert: secret},
		{ClientCert: secret, ClientKey: secret},
	} {
		wrong.URL = "http://127.0.0.1:1"
		_, err := wrong.Open(Deps{})
		require.Equal(t, 2, ExitCode(err))
	}
	for _, command := range []string{"true", "false", "/nowhere/at/all"} {
		_, err := provided(t.Context(), command)
		require.Equal(t, 7, ExitCode(err), command)
	}
}

func TestTarget_WarnsOfWhatIsNotChecked(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"_links": {"about": {"href": "/about"}}}`)
	}))
	t.Cleanup(server.Close)
	url := strings.Replace(server.URL, "https://", "https://ann:topsecret@", 1)
	c, err := Target{URL: url, SkipSSLValidation: true}.Open(Deps{Err: &said})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.About(t.Context())
	require.NoError(t, err)
	require.Contains(t, said.String(), "is not checked")
	require.NotContains(t, said.String(), "topsecret")
}

func TestInterrupt_AsksWhatIsMeant(t *testing.T) {
	t.Parallel()
	waiting := info("DEPLOYED", "x", appStatus("hello.hello-v1", "deploying"))
	for name, test := range map[string]struct {
		in   string // what is answered; without an answer Ctrl-C is pressed again
		code int
		said string
		sent string
	}{
		"stop watching": {"s\n", 1, "stopped waiting; release hello is installed", ""},
		"cancel":        {"c\n", 1, "the install of hello was cancelled: it has been deleted", "DELETE /api/release/hello"},
		"twice":         {"", 1, "stopped waiting; release hello is installed", ""},
		"go on":         {"\n", 5, "were not enough", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, answers{
				"POST /api/package/install":       {"!201" + release("hello", 1, "1.0.0", waiting)},
				"GET /api/release/status/hello/1": {waiting},
				"DELETE /api/release/hello":       {release("hello", 1, "1.0.0", info("DELETED", "x", "null"))},
			})
			b.deps.IsTTY = true
			in, typed := io.Pipe()
			t.Cleanup(func() { _ = typed.Close() })
			b.deps.In = in
			pressed := make(chan struct{}, 2)
			b.deps.Interrupts = func() (<-chan struct{}, func()) { return pressed, func() {} }
			soon, once := b.deps.after, false
			b.deps.after = func(d time.Duration) <-chan time.Time {
				if b.err.Len() == 0 || once {
					return soon(d) // the server has not answered yet, or it was pressed before
				}
				once = true
				pressed <- struct{}{}
				if test.in == "" {
					pressed <- struct{}{}
				} else {
					go func() { _, _ = io.WriteString(typed, test.in) }()
				}
				return nil
			}
			require.Equal(t, test.code, b.run(t.Context(), "release", "install", "hello", "--package-name", "hello"), b.err.String())
			require.Contains(t, b.err.String(), "Cancel the install of hello (c), stop watching (s), or go on watching (Enter)?")
			require.Contains(t, b.err.String(), test.said)
			require.Contains(t, strings.Join(b.bodies, "\n"), test.sent)
		})
	}
}

func TestTable_FitsTheTerminal(t *testing.T) {
	t.Parallel()
	b := setup(t, answers{"GET /api/release/list": {`{"_embedded": {"releases": [` +
		release("a-release-with-a-long-name", 1, "1.0.0", info("DEPLOYED", "x", appStatus("a-release-with-a-long-name.app-v1", "deployed"))) +
		`]}}`}})
	b.deps.OutTTY, b.deps.Width = true, func() int { return 100 }
	b.deps.Clock = func() time.Time { return time.Date(2026, 11, 22, 22, 53, 5, 0, time.UTC) }
	require.Zero(t, b.run(t.Context(), "release", "list"))
	require.Contains(t, b.out.String(), "\x1b[32mDEPLOYED\x1b[0m")
	for line := range strings.Lines(b.out.String()) {
		plain := strings.NewReplacer("\x1b[32m", "", "\x1b[0m", "").Replace(strings.TrimRight(line, "\n"))
		require.LessOrEqual(t, len(plain), 100, line)
	}
	b.out.Reset()
	require.Zero(t, b.run(t.Context(), "release", "history", "--help"))
	require.Equal(t, "3 minutes ago", ago(3*time.Minute+time.Second))
	require.Equal(t, "1 day ago", ago(47*time.Hour))
	require.Equal(t, "in 2 hours", ago(-2*time.Hour))
	require.Equal(t, "now", ago(0))

	no := setup(t, answers{"GET /api/release/list": {`{"_embedded": {"releases": [` +
		release("a", 1, "1.0.0", info("FAILED", "x", "null")) + `]}}`}})
	no.deps.OutTTY = true
	env := no.deps.Env
	no.deps.Env = func(name string) string {
		if name == "NO_COLOR" {
			return "1"
		}
		return env(name)
	}
	require.Zero(t, no.run(t.Context(), "release", "list"))
	require.NotContains(t, no.out.String(), "\x1b")
	require.Contains(t, no.out.String(), "FAILED")
}

func TestExpression(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1500": 1500 * time.Millisecond, "60s": time.Minute, "5M": 5 * time.Minute, "1d": 24 * time.Hour, "PT60S": time.Minute,
		"pt1h30m": 90 * time.Minute, "P1DT0.5S": 24*time.Hour + 500*time.Millisecond, "-3ms": -3 * time.Millisecond,
		"99999999999999999999d": maxTimeout + 1, "PT99999999999S": maxTimeout + 1, "-PT1S": -time.Second,
	} {
		got, err := parseExpression(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"soon", "1x", "P", "PT", "", "1.5s", "PTS"} {
		_, err := parseExpression(text)
		require.Equal(t, 2, ExitCode(err), text)
	}
}
