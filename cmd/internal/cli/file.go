package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// writing makes a file of what write writes: all of it under the name, for good, or nothing. Only its owner can read
// it. The name - is standard output.
func (c *cli) writing(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(c.Out)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return usagef("%s is there and is no file", name)
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // for its owner alone
	if err != nil {
		return unusable(name, err)
	}
	err = write(temporary)
	if err == nil {
		err = unusable(name, temporary.Sync())
	}
	if closed := temporary.Close(); err == nil {
		err = unusable(name, closed)
	}
	if err == nil {
		err = unusable(name, os.Rename(temporary.Name(), name))
	}
	if err != nil {
		_ = os.Remove(temporary.Name()) // why it could not be made matters more
		return err
	}
	return unusable(name, syncFolder(filepath.Dir(name)))
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

// reading opens a file; done closes it. Of standard input, whose name is -, it makes a file that goes with done.
func (c *cli) reading(name string) (file *os.File, done func(), err error) {
	if name != "-" {
		file, err = os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, usagef("there is no file %s", name)
		}
		return file, func() { _ = file.Close() }, unusable(name, err)
	}
	if file, err = os.CreateTemp("", "skiff-*"); err != nil {
		return nil, nil, unusable("standard input", err)
	}
	done = func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	if _, err = io.Copy(file, c.In); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		done()
		return nil, nil, unusable("standard input", err)
	}
	return file, done, nil
}

// unusable says that a file cannot be read or written; nil for nil.
func unusable(name string, err error) error {
	if err == nil {
		return nil
	}
	return skipper.Errorf(skipper.CodeUnavailable, "%s cannot be used: %w", name, err)
}

// counter counts what is written.
type counter struct {
	out io.Writer
	n   int64
}

// Write writes and counts.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.out.Write(b)
	c.n += int64(n)
	return n, err
}
