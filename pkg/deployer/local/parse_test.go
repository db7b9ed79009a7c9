package local

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
)

func FuzzMark(f *testing.F) {
	f.Add("id/with/slashes", "a b", "", "100%", "/tmp/x y/z", 3, 20001)
	f.Add("", "é", "日本", "a=b", "", 0, 0)
	f.Fuzz(func(t *testing.T, installation, account, release, app, dir string, index, port int) {
		m := mark{
			owner: deployer.Owner{Installation: installation, Account: account, Release: release, Version: 7, App: app},
			id:    release + "." + app + "-v7", index: max(index, 0), nonce: "N", hash: "H", port: max(port, 0), dir: dir,
		}
		got, ok := parseMark(m.String())
		require.True(t, ok)
		require.Empty(t, cmp.Diff(m, got, cmp.AllowUnexported(mark{})))
		require.Equal(t, 10, strings.Count(m.String(), "/"))
	})
}

func FuzzParseMark(f *testing.F) {
	for _, seed := range []string{"", "///", "a/b/c/1/d/e/0/n/h/80/%2Ftmp", "a/b/c/x/d/e/0/n/h/80/d", "a/b/c/-1/d/e/0/n/h/8/%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := parseMark(text)
		if !ok {
			require.Equal(t, mark{}, m)
			return
		}
		again, ok := parseMark(m.String())
		require.True(t, ok)
		require.Equal(t, m, again)
	})
}

func FuzzParseStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	require.NoError(f, err)
	f.Add(own)
	f.Add([]byte("12 (a ) Z b) S 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1"))
	f.Add([]byte("12 (x) Z 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, stat []byte) {
		p, ok := parseStat(stat)
		if ok {
			require.Contains(t, string(stat), " ")
			require.Zero(t, p.mark)
		}
	})
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	const rest = " 1 13 14 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1\n"

	p, ok := parseStat([]byte("12 (a ) Z b) S" + rest))
	require.True(t, ok)
	require.Empty(t, cmp.Diff(process{pid: 12, group: 13, session: 14, start: 4711}, p, cmp.AllowUnexported(process{}, mark{})))
	_, ok = parseStat([]byte("12 (a) Z" + rest))
	require.False(t, ok, "a zombie has ended")

	own, ok := live(os.Getpid())
	require.True(t, ok)
	require.Equal(t, os.Getpid(), own.pid)
	require.Positive(t, own.start)
}

func TestSettings_BindInAnySpelling(t *testing.T) {
	t.Parallel()

	got, err := DefaultSettings("/tmp").Bind(map[string]string{
		"shutdownTimeout": "60", "debug-port": "5005", "javaHomePath.2": "/java8", "java-home-path.3": "/java17",
		"port-range.low": "30000", "portRange.high": "30100", "delete-files-on-exit": "false",
		"env-vars-to-inherit": "A,B.*", "app-admin.user": "admin", "startupProbe.path": "/ready", "docker.network": "x",
	})

	require.NoError(t, err)
	want := DefaultSettings("/tmp")
	want.ShutdownTimeout, want.DebugPort, want.PortLow, want.PortHigh = 60, 5005, 30000, 30100
	want.DeleteFilesOnExit, want.EnvVarsToInherit, want.AdminUser = false, []string{"A", "B.*"}, "admin"
	want.StartupProbePath, want.JavaHomePath = "/ready", map[string]string{"2": "/java8", "3": "/java17"}
	require.Empty(t, cmp.Diff(want, got))
}

func TestSettings_BindNamesEveryProblem(t *testing.T) {
	t.Parallel()

	_, err := DefaultSettings("/tmp").Bind(map[string]string{
		"shutdown-timeout": "soon", "delete-files-on-exit": "maybe", "env-vars-to-inherit": "(",
	})

	require.ErrorIs(t, err, deployer.ErrInvalid)
	for _, part := range []string{"shutdown-timeout", `"soon"`, "delete-files-on-exit", `"maybe"`, "env-vars-to-inherit"} {
		require.ErrorContains(t, err, part)
	}
}

func TestDebugOption(t *testing.T) {
	t.Parallel()
	const option = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address="

	for _, c := range []struct {
		address string
		port    int
		want    string
	}{
		{"", 0, ""},
		{"", 5005, option + "5006"},
		{"*:20075", 5005, option + "*:20076"},
		{"20075", 0, option + "20076"},
		{"192.0.2.1:20075", 0, option + "192.0.2.1:20076"},
		{"nonsense", 0, ""},
		{"a:b", 0, ""},
		{":65535", 0, ""},
	} {
		s := DefaultSettings("/tmp")
		s.DebugAddress, s.DebugPort = c.address, c.port
		require.Equal(t, c.want, s.debugOption(1), "%q %d", c.address, c.port)
	}
}

func TestDecode_ARecordWithWhatWasNotedSince(t *testing.T) {
	t.Parallel()
	const record = `{"format":1,"instances":[{"index":0,"nonce":"a"},{"index":1,"nonce":"b"},{"index":2,"nonce":"c"}]}`
	started := instance{Index: 0, Nonce: "a", PID: 7}
	refused := instance{Index: 1, Nonce: "b", Failed: "no such file"}
	idle := instance{Index: 2, Nonce: "c"}

	for name, c := range map[string]struct {
		noted string
		want  []instance
	}{
		"nothing": {"", []instance{{Nonce: "a"}, {Index: 1, Nonce: "b"}, idle}},
		"two lines": {
			`{"nonce":"a","pid":7}` + "\n" + `{"index":1,"nonce":"b","failed":"no such file"}`,
			[]instance{started, refused, idle},
		},
		"half a line": {
			`{"nonce":"a","pid":7}` + "\n" + `{"index":1,"nonce":"b","fai`,
			[]instance{started, {Index: 1, Nonce: "b"}, idle},
		},
		"of another": {`{"index":2,"nonce":"x","pid":9}`, []instance{{Nonce: "a"}, {Index: 1, Nonce: "b"}, idle}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, err := decode([]byte(record + "\n" + c.noted))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.want, rec.Instances))
		})
	}
	_, err := decode([]byte(record[:40]))
	require.Error(t, err)
}
