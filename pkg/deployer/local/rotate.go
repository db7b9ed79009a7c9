package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"
)

// rotatePeriod is how often log files are looked at; a program may write more than the limit in between.
const rotatePeriod = 5 * time.Second

// rotateAll puts log files aside that have grown too long.
func (d *Deployer) rotateAll() {
	for _, k := range d.deployments() {
		d.mu.Lock()
		rec := k.rec
		d.mu.Unlock()
		if rec == nil || rec.LogMaxSize < 1 || rec.InheritLogging {
			continue
		}
		for _, i := range rec.Instances {
			for _, path := range []string{rec.stdout(i), rec.stderr(i)} {
				if err := d.rotate(path, int64(rec.LogMaxSize)<<20, rec.LogMaxFiles); err != nil {
					d.Logger.Warn("a log file cannot be put aside", "file", path, "error", err)
				}
			}
		}
	}
}

// rotate copies a log file that is longer than a limit to path.1, and empties it: the process goes on writing into the
// same file, at its new end, because the file is open for appending. Older ones move on to path.2 and so on, and keep
// many stay. What is written between the last read and the emptying, some microseconds, is lost.
func (d *Deployer) rotate(path string, limit int64, keep int) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil || !info.Mode().IsRegular() || info.Size() <= limit {
		return err
	}
	d.rotating.Lock()
	defer d.rotating.Unlock()
	if keep < 1 {
		return os.Truncate(path, 0)
	}
	for n := keep; n > 1; n-- {
		if err := os.Rename(aside(path, n-1), aside(path, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return moveOut(path, aside(path, 1))
}

func aside(path string, n int) string { return path + "." + strconv.Itoa(n) }

// moveOut copies a file and empties it. A copy that fails leaves the file as it is.
func moveOut(path, target string) error {
	from, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only emptied
	temporary := target + ".new"
	to, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary, target)
	}
	if err == nil {
		err = from.Truncate(0)
	} else {
		_ = os.Remove(temporary)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	return nil
}
