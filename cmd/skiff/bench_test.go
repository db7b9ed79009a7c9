package main_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The whole process, from its start to its end. Budgets on two cores: release list 50 ms, --help 20 ms.
func BenchmarkProcess(b *testing.B) {
	server := exec.Command(built.skiff, "server", "--port", "0", "--data-dir", b.TempDir())
	out, err := server.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, server.Start())
	b.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	line := make([]byte, 200)
	n, err := out.Read(line)
	require.NoError(b, err)
	_, url, _ := strings.Cut(strings.TrimSpace(string(line[:n])), " listens on ")
	for _, args := range []string{"--help", "release list", "release list -o json"} {
		b.Run(args, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(built.skiff, strings.Fields(args)...)
				cmd.Env = append(os.Environ(), "SKIFF_URL="+strings.Fields(url)[0])
				require.NoError(b, cmd.Run())
			}
		})
	}
}
