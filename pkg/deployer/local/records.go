package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Records are the files by which a server knows its local deployments and itself again: a record of each deployment and
// the id of the host. A backup of the store carries them. Names are paths with slashes, relative to the data folder.
//
// Working directories and logs are not among them: they stay where they are.
type Records struct {
	DataDir string
}

// List names the files there are.
func (r Records) List() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(r.DataDir, "local"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name := "local/" + e.Name(); isRecord(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func isRecord(name string) bool {
	return regexp.MustCompile(`^local/(host|[0-9a-f]{32}\.json)$`).MatchString(name)
}

// Read gives one of the files. A server that works may be adding to it: what is cut off at the end is ignored by whoever
// reads it as a record.
func (r Records) Read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(r.DataDir, filepath.FromSlash(name)))
}

// Write puts one of the files in place. A host that has an id keeps it. CodeInvalid for another file.
func (r Records) Write(name string, content []byte) error {
	if !isRecord(name) {
		return skipper.Errorf(skipper.CodeInvalid, "%q is no record of a local deployment", name)
	}
	path := filepath.Join(r.DataDir, filepath.FromSlash(name))
	if name == "local/host" {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	if err := writeFile(path, content); err != nil {
		return skipper.Errorf(skipper.CodeUnavailable, "the data directory cannot be written: %w", err)
	}
	return nil
}
