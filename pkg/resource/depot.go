package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// depot is a folder in which several goroutines and processes put files in place. A file appears under its name only
// when all of it is on the disk; what a killed process left is removed by the next one that writes.
type depot struct {
	work string // holds what is under way: tmp and locks
}

const (
	lockPoll      = 25 * time.Millisecond
	temporaryName = "part-*"
)

// lock keeps others from the same key until unlock. waits is called once, when it has to wait.
func (d depot) lock(ctx context.Context, key string, shared bool, waits func()) (unlock func(), err error) {
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(d.work, "locks", hex.EncodeToString(sum[:16]))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	for {
		f, err := lockFile(path, shared)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() {
				if !shared {
					_ = os.Remove(path) // nobody else can hold it now, and who waits looks whether it is still there
				}
				_ = f.Close()
			}, nil
		}
		if waits != nil {
			waits()
			waits = nil
		}
		timer := time.NewTimer(lockPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// lockFile gives the file when it was locked and is still the one of its name; nil when another holds it.
func lockFile(path string, shared bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	got, err := tryLock(f, shared)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if got && sameFile(f, path) {
		return f, nil
	}
	return nil, f.Close()
}

func sameFile(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

// temporary makes a file to write to, which is locked for as long as it is open; leftovers of others are removed first.
func (d depot) temporary() (*os.File, error) {
	folder := filepath.Join(d.work, "tmp")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	d.clean()
	f, err := os.CreateTemp(folder, temporaryName)
	if err != nil {
		return nil, err
	}
	if got, err := tryLock(f, false); err != nil || !got { // nobody else locks what was made this moment
		discard(f)
		return nil, errors.Join(err, fs.ErrExist)
	}
	return f, nil
}

// clean removes temporary files and locks that no process holds.
func (d depot) clean() {
	temporary, _ := filepath.Glob(filepath.Join(d.work, "tmp", temporaryName))
	locks, _ := filepath.Glob(filepath.Join(d.work, "locks", "*"))
	for _, path := range append(temporary, locks...) {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		// One that was made this moment may not be locked yet.
		info, err := f.Stat()
		if fresh := err != nil || info.Size() == 0 && time.Since(info.ModTime()) < time.Minute; !fresh {
			if got, err := tryLock(f, false); err == nil && got && sameFile(f, path) {
				_ = os.Remove(path)
			}
		}
		_ = f.Close()
	}
}

func discard(f *os.File) {
	_ = os.Remove(f.Name())
	_ = f.Close()
}

// place puts a temporary file under its name, for good.
func (d depot) place(f *os.File, path string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // Maven's repository is read by others too
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// write puts a small file in place at once.
func (d depot) write(path string, content []byte, mode fs.FileMode) error {
	f, err := d.temporary()
	if err != nil {
		return err
	}
	defer discard(f)
	if _, err := f.Write(content); err != nil {
		return err
	}
	return d.place(f, path, mode)
}

// syncFolder returns when the disk has the names in a folder.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // nothing was written through it
	return folder.Sync()
}
