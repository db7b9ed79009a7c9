package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// hostID is drawn once per data folder: names of hosts change, and two servers on one store must not take each other's
// processes for dead ones of their own. Should its file be lost, the records in the folder tell the id: with another
// one, all deployments there would be those of another machine for ever.
func hostID(dataDir string) (string, error) {
	file := filepath.Join(dataDir, "local", "host")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the id of this machine: %w", err)
	}
	id := strings.TrimSpace(string(text))
	if regexp.MustCompile(`^[a-z2-7]{26}$`).MatchString(id) {
		return id, nil
	}
	if id = recordedHost(filepath.Dir(file)); id == "" {
		id = strings.ToLower(rand.Text())
	}
	err = writeFile(file, []byte(id+"\n"))
	if err == nil {
		err = syncFolder(dataDir)
	}
	if err != nil {
		return "", fmt.Errorf("note the id of this machine: %w", err)
	}
	return id, nil
}

// recordedHost is the host in any of the records in a folder that can be read.
func recordedHost(folder string) string {
	files, _ := filepath.Glob(filepath.Join(folder, "*.json")) // the pattern is a good one
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if rec, err := decode(text); err == nil && rec.Host != "" {
			return rec.Host
		}
	}
	return ""
}
