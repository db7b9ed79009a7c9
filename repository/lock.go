package repository

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// lockFolder takes a folder for this process until unlock is called or the process ends, however it ends: two servers
// on one SQLite file would each free the other's leases. CodeConflict names the process that has it.
func lockFolder(dir string) (unlock func() error, err error) {
	file, err := os.OpenFile(filepath.Join(dir, "skiff.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(lockError(err, dir, file), file.Close())
	}
	if err := writePID(file); err != nil {
		return nil, errors.Join(unusable(err), file.Close())
	}
	return file.Close, nil // closing gives the lock back
}

func lockError(err error, dir string, file io.Reader) error {
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return skipper.Errorf(skipper.CodeUnavailable, "the data directory %s cannot be locked: %w", dir, err)
	}
	pid, err := io.ReadAll(io.LimitReader(file, 20))
	if err != nil || len(pid) == 0 {
		pid = []byte("unknown")
	}
	return skipper.Errorf(skipper.CodeConflict,
		"the data directory %s is used by another server (process %s); stop it, or choose another directory",
		dir, strings.TrimSpace(string(pid)))
}

func unusable(err error) error {
	return skipper.Errorf(skipper.CodeUnavailable, "the data directory cannot be used: %w", err)
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("empty %s: %w", file.Name(), err)
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
