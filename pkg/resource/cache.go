package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cache keeps the files that applications run from:
//
//	files/<sha256>/<name>   never changed, only removed
//	index/<key>.json        which of them an address stands for, and how to ask whether it still does
//	tmp/ locks/             what is under way
//
// A file is used while a process of this machine has it in its command line, and for some time after it was asked for.
type cache struct {
	dir    string
	limit  int64 // bytes in all
	clock  func() time.Time
	logger *slog.Logger
}

// entry is what is known of an address.
type entry struct {
	Digest       string `json:"digest"` // sha256 in hex
	Name         string `json:"name"`
	Size         int64  `json:"size"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
	Stamp        string `json:"stamp,omitempty"` // of a local file: what changes when it does
	Checked      int64  `json:"checked"`         // microseconds since 1970
}

// unused is the time after which a file that was asked for may be removed, when no process has it.
const unused = time.Hour

func (c *cache) depot() depot { return depot{work: c.dir} }

func (c *cache) path(e entry) string { return filepath.Join(c.dir, "files", e.Digest, e.Name) }

func (c *cache) index(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(c.dir, "index", hex.EncodeToString(sum[:])+".json")
}

// lookup gives what an address stood for last, if the file is still there; it is not removed for some time from now on.
func (c *cache) lookup(ctx context.Context, key string) (entry, bool, error) {
	e, known := readEntry(c.index(key))
	if !known {
		return entry{}, false, nil
	}
	found, err := c.touch(ctx, e)
	return e, found, err
}

// readEntry reads a file of the index; one that cannot be read is as good as not there.
func readEntry(file string) (entry, bool) {
	var e entry
	text, err := readBounded(file)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	return e, err == nil && len(e.Digest) == 2*sha256.Size && e.Name == filepath.Base(e.Name)
}

// named gives the file with a digest, whatever address it came from.
func (c *cache) named(ctx context.Context, digest string) (string, bool, error) {
	found, _ := os.ReadDir(filepath.Join(c.dir, "files", digest)) // none when that cannot be read
	for _, file := range found {
		info, err := file.Info()
		if err != nil {
			continue
		}
		e := entry{Digest: digest, Name: file.Name(), Size: info.Size()}
		if ok, err := c.touch(ctx, e); ok || err != nil {
			return c.path(e), ok, err
		}
	}
	return "", false, nil
}

// touch says whether a file is there as a whole, and notes that it is in use.
func (c *cache) touch(ctx context.Context, e entry) (bool, error) {
	unlock, err := c.depot().lock(ctx, evictionLock, true, nil)
	if err != nil {
		return false, err
	}
	defer unlock()
	info, err := os.Stat(c.path(e))
	if err != nil || info.Size() != e.Size || !info.Mode().IsRegular() {
		return false, nil // as good as not there
	}
	now := c.clock()
	return true, os.Chtimes(filepath.Dir(c.path(e)), now, now)
}

// evictionLock is held shared by who takes a file into use, exclusively by who removes one.
const evictionLock = "eviction"

// part is a file that is being written to the cache.
type part struct {
	file *os.File
	sum  hash.Hash
	size int64
}

func (c *cache) part() (*part, error) {
	f, err := c.depot().temporary()
	if err != nil {
		return nil, err
	}
	return &part{file: f, sum: sha256.New()}, nil
}

func (p *part) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	_, _ = p.sum.Write(b[:n]) // a hash never fails
	p.size += int64(n)
	return n, err
}

func (p *part) digest() string { return hex.EncodeToString(p.sum.Sum(nil)) }

// keep puts a part in place and notes what address it stands for. The file may be run, and nobody may write it.
func (c *cache) keep(ctx context.Context, key string, p *part, e entry) (string, error) {
	e.Digest, e.Size, e.Checked = p.digest(), p.size, c.clock().UnixMicro()
	if found, err := c.touch(ctx, e); err != nil {
		return "", err
	} else if !found {
		if err := c.depot().place(p.file, c.path(e), 0o555); err != nil {
			return "", err
		}
		now := c.clock()
		if err := os.Chtimes(filepath.Dir(c.path(e)), now, now); err != nil {
			return "", err
		}
	}
	if err := c.note(key, e); err != nil {
		return "", err
	}
	c.evict(ctx)
	return c.path(e), nil
}

func (c *cache) note(key string, e entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return c.depot().write(c.index(key), text, 0o600)
}

// adopt copies a local file that others may change or remove, unless the copy is as new as it is.
func (c *cache) adopt(ctx context.Context, file string) (string, error) {
	key := "file:" + file
	unlock, err := c.depot().lock(ctx, key, false, nil)
	if err != nil {
		return "", err
	}
	defer unlock()
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }() // it is only read
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	stamp := fmt.Sprintf("%d %d %s", info.Size(), info.ModTime().UnixNano(), identity(info))
	if e, found, err := c.lookup(ctx, key); err != nil || found && e.Stamp == stamp {
		return c.path(e), err
	}
	p, err := c.part()
	if err != nil {
		return "", err
	}
	defer discard(p.file)
	if n, err := io.Copy(p, in); err != nil {
		return "", err
	} else if n != info.Size() {
		return "", fmt.Errorf("%s was changed while it was read", file)
	}
	return c.keep(ctx, key, p, entry{Name: filepath.Base(file), Stamp: stamp})
}

// kept is a folder of files, as eviction sees it.
type kept struct {
	path string
	size int64
	used time.Time
}

// evict removes what was not used for the longest time until the cache is within its limit. What cannot be removed now
// stays, and is looked at again with the next download.
func (c *cache) evict(ctx context.Context) {
	if _, total := c.inventory(); total <= c.limit {
		return
	}
	running := commandLines()
	unlock, err := c.depot().lock(ctx, evictionLock, false, nil)
	if err != nil {
		return
	}
	defer unlock()
	all, total := c.inventory()
	slices.SortFunc(all, func(a, b kept) int { return a.used.Compare(b.used) })
	for _, k := range all {
		if total <= c.limit {
			break
		}
		if c.clock().Sub(k.used) < unused || running.has(k.path) {
			continue
		}
		if err := os.RemoveAll(k.path); err != nil {
			c.logger.WarnContext(ctx, "a cached file cannot be removed", "file", k.path, "error", err)
			continue
		}
		total -= k.size
		c.logger.InfoContext(ctx, "removed a cached file that nothing uses", "file", k.path, "bytes", k.size)
	}
	c.forget()
	if total > c.limit {
		c.logger.WarnContext(ctx, "the cache of resources is larger than resource.cache-size, and all of it is in use",
			"bytes", total, "limit", c.limit)
	}
}

func (c *cache) inventory() (all []kept, total int64) {
	folders, _ := os.ReadDir(filepath.Join(c.dir, "files"))
	for _, folder := range folders {
		k := kept{path: filepath.Join(c.dir, "files", folder.Name())}
		info, err := folder.Info()
		if err != nil {
			continue
		}
		k.used = info.ModTime()
		files, _ := os.ReadDir(k.path)
		for _, f := range files {
			if info, err := f.Info(); err == nil {
				k.size += info.Size()
			}
		}
		all, total = append(all, k), total+k.size
	}
	return all, total
}

// forget removes entries of the index whose file is gone.
func (c *cache) forget() {
	entries, _ := filepath.Glob(filepath.Join(c.dir, "index", "*.json"))
	for _, file := range entries {
		if e, known := readEntry(file); known {
			if _, err := os.Stat(c.path(e)); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		_ = os.Remove(file)
	}
}

// processes is what the processes of this machine run, as text.
type processes []string

// commandLines reads the command lines and programs of all processes; none on systems without /proc, where no
// application runs from a file.
func commandLines() processes {
	var all processes
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range folders {
		if line, err := os.ReadFile(filepath.Join(p, "cmdline")); err == nil {
			all = append(all, string(line))
		}
		if program, err := os.Readlink(filepath.Join(p, "exe")); err == nil {
			all = append(all, program)
		}
	}
	return all
}

func (p processes) has(path string) bool {
	return slices.ContainsFunc(p, func(line string) bool { return strings.Contains(line, path) })
}
