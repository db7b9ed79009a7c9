package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		memory, cpu string
		want        limits
		ok          bool
	}{
		{"", "", limits{}, true},
		{"512m", "1.5", limits{memory: 512 << 20, cpu: 1500}, true},
		{"1G", "500m", limits{memory: 1 << 30, cpu: 500}, true},
		{"0", "", limits{}, false},
		{"x", "", limits{}, false},
		{"", "0", limits{}, false},
		{"", "-1", limits{}, false},
		{"", "NaN", limits{}, false},
		{"", "m", limits{}, false},
	} {
		s := Settings{LimitMemory: c.memory, LimitCPU: c.cpu}
		got, err := s.limits()
		require.Equal(t, c.ok, err == nil, "%+v: %v", c, err)
		if c.ok {
			require.Equal(t, c.want, got)
		}
	}
}

// A folder stands for the control groups: it keeps what is written, as the kernel's files show it.
func TestCgroups_WhatIsWritten(t *testing.T) {
	t.Parallel()
	g := cgroups{base: t.TempDir()}
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(g.base, name), []byte(text), 0o600))
	}
	_, err := g.place("one", limits{memory: 1 << 20})
	require.ErrorContains(t, err, "the controller memory is not delegated")
	write("cgroup.controllers", "cpuset cpu memory\n")
	write("cgroup.subtree_control", "cpu\n")

	dir, err := g.place("one", limits{memory: 1 << 20, cpu: 1500})

	require.NoError(t, err)
	for file, want := range map[string]string{
		filepath.Join(dir, "memory.max"): "1048576", filepath.Join(dir, "cpu.max"): "150000 100000",
		filepath.Join(g.base, "cgroup.subtree_control"): "+memory",
	} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, want, string(text), file)
	}
}

func TestFindCgroups(t *testing.T) {
	t.Parallel()
	const mount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"

	for name, c := range map[string]struct{ own, mounts, base, sentence string }{
		"a unit with a group of its own": {"0::/system.slice/skiff.service/server\n", mount, "/sys/fs/cgroup/system.slice/skiff.service", ""},
		"the topmost":                    {"9:name=systemd:/\n0::/\n", mount, "", "topmost"},
		"version 1":                      {"9:memory:/\n", mount, "", "version 2"},
		"not mounted":                    {"0::/a/b\n", "", "", "version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proc := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(proc, "self"), 0o750))
			require.NoError(t, os.WriteFile(filepath.Join(proc, "self", "cgroup"), []byte(c.own), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(proc, "self", "mountinfo"), []byte(c.mounts), 0o600))
			g, err := findCgroups(proc)
			require.Equal(t, c.base, g.base)
			if c.sentence != "" {
				require.ErrorContains(t, err, c.sentence)
			}
		})
	}
}
