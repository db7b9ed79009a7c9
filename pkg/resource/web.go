package resource

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// webAddress is what an http: or https: resource names.
type webAddress struct {
	url    *url.URL // without user and fragment
	user   *url.Userinfo
	digest string // sha256 in hex, lower case; empty when not given
}

// webAddressOf reads a location: with a version, .../hello stands for .../hello-<version>.jar, as in the reference; a
// query and a fragment stay behind. The fragment may give the digest, as #sha256=<64 hex digits>.
func webAddressOf(r Ref) (webAddress, error) {
	u, err := url.Parse(r.Location)
	if err != nil || u.Host == "" {
		return webAddress{}, skipper.Errorf(skipper.CodeInvalid, "resource %s is no web address; use https://host/path", r)
	}
	a := webAddress{user: u.User}
	if u.Fragment != "" {
		name, value, _ := strings.Cut(u.Fragment, "=")
		digest, err := hex.DecodeString(value)
		if name != "sha256" || err != nil || len(digest) != 32 {
			return webAddress{}, skipper.Errorf(skipper.CodeInvalid,
				"resource %s: what follows # must be the digest, as sha256= and 64 hex digits", r)
		}
		a.digest = hex.EncodeToString(digest)
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	if r.Version != "" {
		if strings.ContainsAny(r.Version, "/\\?#%") {
			return webAddress{}, skipper.Errorf(skipper.CodeInvalid, "resource %s: the version cannot be part of a file name", r)
		}
		u.Path += "-" + r.Version + ".jar"
		u.RawPath = ""
	}
	a.url = u
	return a, nil
}

var oddCharacters = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// name is the last part of the path, with characters that any system has in file names.
func (a webAddress) name() string {
	name := oddCharacters.ReplaceAllString(path.Base(a.url.Path), "_")
	name = strings.TrimLeft(name[max(0, len(name)-128):], ".-")
	if name == "" {
		return "resource"
	}
	return name
}

// key tells addresses apart, also those of different users.
func (a webAddress) key() string {
	u := *a.url
	u.User = a.user
	return u.String()
}

// web gives the file of an http: or https: resource. It is downloaded once; from then on the server is asked whether it
// has changed, by ETag and Last-Modified. With a digest, a file that is here is good without asking.
func (r Resolver) web(ctx context.Context, ref Ref) (string, error) {
	a, err := webAddressOf(ref)
	if err != nil {
		return "", err
	}
	c := r.cache()
	if a.digest != "" {
		if file, found, err := c.named(ctx, a.digest); found || err != nil {
			return file, stopped(ctx, ref, err)
		}
	}
	began := r.Clock()
	unlock, err := c.depot().lock(ctx, a.key(), false, func() { report(ctx, Progress{Resource: ref.String(), Waiting: true}) })
	if err != nil {
		return "", stopped(ctx, ref, err)
	}
	defer unlock()
	known, found, err := c.lookup(ctx, a.key())
	if err != nil {
		return "", stopped(ctx, ref, err)
	}
	fits := found && (a.digest == "" || a.digest == known.Digest)
	if fits && known.Checked >= began.UnixMicro() {
		return c.path(known), nil // while this one waited for the lock
	}
	return r.download(ctx, ref, a, known, fits)
}

func (r Resolver) download(ctx context.Context, ref Ref, a webAddress, known entry, fits bool) (string, error) {
	c, began := r.cache(), r.Clock()
	p, err := c.part()
	if err != nil {
		return "", stopped(ctx, ref, err)
	}
	defer discard(p.file)
	o := order{url: a.url, user: a.user, name: ref.String(), limit: r.maxFile(), header: http.Header{}}
	if fits && known.ETag != "" {
		o.header.Set("If-None-Match", known.ETag)
	}
	if fits && known.LastModified != "" {
		o.header.Set("If-Modified-Since", known.LastModified)
	}
	r.Logger.InfoContext(ctx, "asks for a resource", "resource", ref.String())
	resp, err := r.webFetcher.fetch(ctx, o, p)
	switch {
	case skipper.CodeOf(err) == skipper.CodeNotFound:
		return "", skipper.Errorf(skipper.CodeNotFound, "there is no resource %s: the server does not have it", ref)
	case err != nil:
		return "", skipper.Errorf(skipper.CodeOf(err), "resource %s: %w", ref, err)
	case resp.unchanged && !fits:
		return "", skipper.Errorf(skipper.CodeUnavailable, "resource %s: the server says that it has not changed, "+
			"and was not asked that", ref)
	case resp.unchanged:
		known.Checked = r.Clock().UnixMicro()
		return c.path(known), stopped(ctx, ref, c.note(a.key(), known))
	case a.digest != "" && p.digest() != a.digest:
		return "", skipper.Errorf(skipper.CodeInvalid, "resource %s has another digest: sha256=%s", ref, p.digest())
	}
	file, err := c.keep(ctx, a.key(), p, entry{
		Name: a.name(), ETag: resp.header.Get("ETag"), LastModified: resp.header.Get("Last-Modified"),
	})
	if err == nil {
		r.Logger.InfoContext(ctx, "downloaded a resource", "resource", ref.String(), "file", file, "bytes", p.size,
			"took", r.Clock().Sub(began).Round(time.Millisecond).String())
	}
	return file, stopped(ctx, ref, err)
}

// stopped names the resource in errors of the context and of the cache.
func stopped(ctx context.Context, ref Ref, err error) error {
	var known *skipper.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return skipper.Errorf(skipper.CodeUnavailable, "resource %s: the download was stopped: %w", ref, context.Cause(ctx))
	}
	return skipper.Errorf(skipper.CodeUnavailable, "resource %s: the cache: %w", ref, err)
}
