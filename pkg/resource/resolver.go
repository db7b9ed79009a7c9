package resource

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Defaults of Config.
const (
	DefaultMaxSize   = 2 << 30  // bytes
	DefaultCacheSize = 10 << 30 // bytes
)

// Config says where files come from and where they are kept.
type Config struct {
	Dir       string           // the cache; needed for all but file:
	MaxSize   int64            // bytes of one download; default DefaultMaxSize
	CacheSize int64            // bytes of the cache, kept while what is in it allows; default DefaultCacheSize
	Maven     Maven            // repositories
	Environ   []string         // as os.Environ; tells where Maven's settings are, and what they name as ${env.X}
	Clock     func() time.Time // default: the system's
	Logger    *slog.Logger     // default: nothing is logged
}

// Resolver finds the files that resources name. Safe for concurrent use, in several processes too. Its zero value knows
// file: only.
type Resolver struct {
	Config

	mavenFetcher, webFetcher *fetcher
}

// New makes a resolver; it touches no file and asks nobody.
func New(c Config) Resolver {
	if c.Clock == nil {
		c.Clock = time.Now //nolint:forbidigo // the default
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dir != "" {
		if dir, err := filepath.Abs(c.Dir); err == nil { // a later server may be started in another folder
			c.Dir = dir
		}
	}
	return Resolver{
		Config:       c,
		mavenFetcher: newFetcher(c.Maven.ConnectTimeout, c.Maven.RequestTimeout, c.Clock),
		webFetcher:   newFetcher(0, 0, c.Clock),
	}
}

func (r Resolver) maxFile() int64 {
	if r.MaxSize > 0 {
		return r.MaxSize
	}
	return DefaultMaxSize
}

func (r Resolver) cache() *cache {
	limit := r.CacheSize
	if limit <= 0 {
		limit = DefaultCacheSize
	}
	return &cache{dir: r.Dir, limit: limit, clock: r.Clock, logger: r.Logger}
}

// Schemes lists the schemes of the resources that have files here.
func (r Resolver) Schemes() []string {
	if r.Dir == "" {
		return []string{"file"}
	}
	return []string{"file", "http", "https", "maven"}
}

// File gives the absolute path of the local file a resource names. The file is not changed, nor removed while a process
// runs from it or an hour after it was asked for; a file: resource is its owner's.
//
//   - file:PATH with a version is PATH-<version>.jar, or PATH-<version> where only that exists; without one, PATH.
//   - http(s)://HOST/PATH with a version is PATH-<version>.jar. After a #, sha256=<hex> gives the digest.
//   - maven://group:artifact[:extension[:classifier]]:version; the manifest's version may stand for the last part.
//
// It downloads what is not here, which ends with the context; see WithProgress. CodeNotFound when there is no such file,
// CodeUnavailable when a later try may find it, CodeInvalid when the resource or the configuration has to be changed,
// CodeUnsupported for a scheme that has no files here.
func (r Resolver) File(ctx context.Context, ref Ref) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	scheme := ref.Scheme()
	if !slices.Contains(r.Schemes(), scheme) {
		return "", skipper.Errorf(skipper.CodeUnsupported, "resources with the scheme %s: have no file here; use %s:", scheme,
			strings.Join(r.Schemes(), ":, "))
	}
	switch scheme {
	case "file":
		return localFile(ref)
	case "maven":
		defer r.mavenFetcher.client.CloseIdleConnections()
		return r.artifact(r.watched(ctx), ref)
	default:
		defer r.webFetcher.client.CloseIdleConnections()
		return r.web(r.watched(ctx), ref)
	}
}

// artifact gives the file of a maven: resource: a copy, which `mvn install` and a purge of the local repository leave
// alone.
func (r Resolver) artifact(ctx context.Context, ref Ref) (string, error) {
	c, err := mavenCoordinates(ref)
	if err != nil {
		return "", err
	}
	m, err := r.resolution(c)
	if err != nil {
		return "", err
	}
	file, err := m.artifact(ctx)
	if err != nil {
		return "", err
	}
	copied, err := r.cache().adopt(ctx, file)
	return copied, stopped(ctx, ref, err)
}

// watched logs long downloads now and then, beside whoever else wants to know.
func (r Resolver) watched(ctx context.Context) context.Context {
	tell, _ := ctx.Value(progressKey{}).(func(Progress))
	last := r.Clock()
	return WithProgress(ctx, func(p Progress) {
		if tell != nil {
			tell(p)
		}
		if now := r.Clock(); now.Sub(last) >= logPeriod {
			last = now
			r.Logger.InfoContext(ctx, "a download goes on", "progress", p.String())
		}
	})
}
