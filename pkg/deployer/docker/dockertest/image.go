package dockertest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
)

// Build builds a program of this module without cgo, for images with nothing else in them.
func Build(target, folder string, flags ...string) error {
	args := append(append([]string{"build", "-trimpath", "-o", target}, flags...), folder)
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	return nil
}

// Import makes an image of one program, without any registry. Changes are lines of a Dockerfile; the program is the
// entry point unless they name another.
func (e *Engine) Import(t testing.TB, name, program string, changes ...string) {
	t.Helper()
	ctx, cancel := bounded(t)
	defer cancel()
	base := "/" + filepath.Base(program)
	result, err := e.Client(t).ImageImport(ctx, client.ImageImportSource{Source: bytes.NewReader(Layer(t, program)), SourceName: "-"},
		name, client.ImageImportOptions{Changes: append([]string{`ENTRYPOINT ["` + base + `"]`, "EXPOSE 8080"}, changes...)})
	require.NoError(t, err)
	defer func() { _ = result.Close() }()
	answer := json.NewDecoder(result)
	for {
		var line struct{ Error string }
		if err := answer.Decode(&line); err == io.EOF {
			return
		} else if err != nil || line.Error != "" {
			require.NoError(t, err)
			require.Empty(t, line.Error)
		}
	}
}

// Layer is a tar of one program and a folder for files.
func Layer(t testing.TB, program string) []byte {
	t.Helper()
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	require.NoError(t, w.WriteHeader(&tar.Header{
		Name: filepath.Base(program), Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg,
	}))
	_, err = w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "tmp/", Mode: 0o1777, Typeflag: tar.TypeDir}))
	require.NoError(t, w.Close())
	return out.Bytes()
}
