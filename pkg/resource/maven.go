package resource

import (
	"bytes"
	"context"
	"crypto/md5"  //nolint:gosec // what Maven repositories publish
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Maven says where artifacts come from, beside what the user's and the installed Maven's settings say.
type Maven struct {
	// LocalRepository is the folder that is shared with Maven; empty: as Maven's settings say, ~/.m2/repository, or a
	// folder of the cache where there is no home.
	LocalRepository string
	Repositories    []Repository  // asked in this order, before those of Maven's settings
	NoDefault       bool          // Maven Central is not asked unless it is configured
	NoSettings      bool          // Maven's settings are not read
	Offline         bool          // only what is in the local repository is found
	Proxy           Proxy         // beats those of Maven's settings
	UpdatePolicy    string        // for all repositories; empty: as each says
	ChecksumPolicy  string        // for all repositories; empty: as each says
	ResolvePOM      bool          // fetch the artifact's POM too
	ConnectTimeout  time.Duration // default 10 s
	RequestTimeout  time.Duration // the longest time without an answer, or a byte of it; default 1 min
}

// resolution finds one artifact, with the settings as they are now.
type resolution struct {
	Maven

	repos  []Repository
	proxy  func(*http.Request) (*url.URL, error)
	local  string // the local repository
	depot  depot
	fetch  *fetcher
	limit  int64
	clock  func() time.Time
	logger *slog.Logger
	want   Coordinates
}

// resolution reads Maven's settings anew, so that a change of them needs no restart.
func (r Resolver) resolution(c Coordinates) (*resolution, error) {
	around := newSurroundings(r.Environ)
	var settings mavenSettings
	if !r.Maven.NoSettings {
		var err error
		if settings, err = around.readSettings(around.userSettings(), around.globalSettings()); err != nil {
			return nil, err
		}
	}
	m := &resolution{
		Maven: r.Maven, fetch: r.mavenFetcher, limit: r.maxFile(), clock: r.Clock, logger: r.Logger, want: c,
	}
	m.Offline = m.Offline || settings.Offline == "true"
	var err error
	if m.repos, err = m.repositories(settings, around); err != nil {
		return nil, err
	}
	if m.proxy, err = m.proxies(settings, around); err != nil {
		return nil, err
	}
	m.local = m.LocalRepository
	switch {
	case m.local != "":
	case settings.LocalRepository != "":
		m.local = settings.LocalRepository
	case around.home != "":
		m.local = filepath.Join(around.home, ".m2", "repository")
	default:
		m.local = filepath.Join(r.Dir, "maven")
	}
	if m.local, err = filepath.Abs(m.local); err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "maven.local-repository: %w", err)
	}
	m.depot = depot{work: filepath.Join(m.local, ".skiff")}
	return m, nil
}

// artifact gives the file of an artifact in the local repository; it is fetched when it is not there, or when it is a
// snapshot that may have changed.
func (m *resolution) artifact(ctx context.Context) (string, error) {
	// A local repository that may only be read is good for what it has.
	if file := m.inLocal(m.want.folder(), m.want.file(m.want.Version)); !m.want.changing() && present(file) {
		return file, nil
	}
	if err := os.MkdirAll(m.local, 0o755); err != nil { //nolint:gosec // as Maven makes it
		return "", skipper.Errorf(skipper.CodeInvalid, "the local Maven repository %s cannot be made: %w; maven.local-repository names another", m.local, err)
	}
	c := m.want
	if c.Version == versionLatest || c.Version == versionRelease {
		version, err := m.named(ctx, c)
		if err != nil {
			return "", err
		}
		c.Version = version
	}
	unlock, err := m.depot.lock(ctx, c.String(), false, func() { report(ctx, Progress{Resource: c.String(), Waiting: true}) })
	if err != nil {
		return "", m.storage(ctx, err)
	}
	defer unlock()
	if c.changing() {
		return m.snapshot(ctx, c)
	}
	return m.fixed(ctx, c, c.Version, m.repos)
}

// fixed gives a version whose bytes never change: what is in the local repository is good, whoever put it there.
func (m *resolution) fixed(ctx context.Context, c Coordinates, version string, repos []Repository) (string, error) {
	file := m.inLocal(c.folder(), c.file(version))
	if present(file) {
		return file, nil
	}
	if m.Offline {
		return "", skipper.Errorf(skipper.CodeNotFound, "Failed to resolve %s: it is not in the local repository %s, "+
			"and Maven is offline (maven.offline)", m.want, m.local)
	}
	var causes causes
	for _, r := range repos {
		if policy := m.policy(r, c); policy.Enabled {
			err := m.download(ctx, r, policy, c, version)
			if err == nil {
				m.pom(ctx, r, c, version)
				return file, nil
			}
			if ctx.Err() != nil {
				return "", m.storage(ctx, err)
			}
			causes.add(r, err)
		}
	}
	return "", m.unresolved(causes)
}

// pom fetches the POM beside an artifact. Nothing needs it, so nothing fails without it.
func (m *resolution) pom(ctx context.Context, r Repository, c Coordinates, version string) {
	c.Extension, c.Classifier = "pom", ""
	if !m.ResolvePOM || present(m.inLocal(c.folder(), c.file(version))) {
		return
	}
	if err := m.download(ctx, r, m.policy(r, c), c, version); err != nil {
		m.logger.WarnContext(ctx, "the POM cannot be fetched", "artifact", c.String(), "repository", r.ID, "error", err)
	}
}

func (m *resolution) inLocal(folder, name string) string {
	return filepath.Join(m.local, filepath.FromSlash(folder), name)
}

func present(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

func (m *resolution) policy(r Repository, c Coordinates) Policy {
	if c.snapshot() {
		return r.Snapshots
	}
	return r.Releases
}

// snapshot gives what was deployed last of a snapshot version, to a remote repository or, by mvn install, to the local
// one. The file of a deployed snapshot has a timestamp in its name and does not change any more; it is copied to the
// name with SNAPSHOT, for Maven.
func (m *resolution) snapshot(ctx context.Context, c Coordinates) (string, error) {
	var best struct {
		version, updated string
		repo             *Repository
	}
	var problems causes
	for i, r := range m.repos {
		if !r.Snapshots.Enabled {
			continue
		}
		meta, err := m.metadata(ctx, &m.repos[i], r.Snapshots, c.folder())
		if ctx.Err() != nil {
			return "", m.storage(ctx, ctx.Err())
		}
		if err != nil {
			problems.add(r, err)
			continue
		}
		if version, updated := meta.current(c); version != "" && (best.version == "" || updated > best.updated) {
			best.version, best.updated, best.repo = version, updated, &m.repos[i]
		}
	}
	plain := m.inLocal(c.folder(), c.file(c.Version))
	if text, err := readBounded(m.inLocal(c.folder(), "maven-metadata-local.xml")); err == nil {
		meta, err := parseMetadata(text)
		version, updated := meta.current(c)
		if err == nil && version != "" && (best.repo == nil || updated > best.updated) && present(plain) {
			return plain, nil
		}
	}
	if best.repo == nil {
		return m.unlisted(ctx, c, plain, problems)
	}
	file, err := m.fixed(ctx, c, best.version, []Repository{*best.repo})
	if err != nil || file == plain {
		return file, err
	}
	if err := m.copyTo(file, plain); err != nil {
		m.logger.WarnContext(ctx, "the snapshot cannot be put in place for Maven", "artifact", c.String(), "error", err)
	} else {
		m.remember(ctx, filepath.Dir(plain), filepath.Base(plain), best.repo.ID)
	}
	return file, nil
}

// unlisted finds a snapshot of which no repository has metadata.
func (m *resolution) unlisted(ctx context.Context, c Coordinates, plain string, problems causes) (string, error) {
	if present(plain) || len(problems.list) == 0 || problems.code() == skipper.CodeNotFound {
		return m.fixed(ctx, c, c.Version, m.repos)
	}
	return "", m.unresolved(problems)
}

// named gives the version that LATEST or RELEASE stands for: the word of the repository that was changed last.
func (m *resolution) named(ctx context.Context, c Coordinates) (string, error) {
	version, updated := "", ""
	take := func(meta metadata) {
		if v := meta.newest(c.Version); v != "" && meta.Versioning.LastUpdated >= updated {
			version, updated = v, meta.Versioning.LastUpdated
		}
	}
	if text, err := readBounded(m.inLocal(c.home(), "maven-metadata-local.xml")); err == nil {
		if meta, err := parseMetadata(text); err == nil {
			take(meta)
		}
	}
	var problems causes
	for i, r := range m.repos {
		policy := r.Releases
		if !policy.Enabled {
			policy = r.Snapshots
		}
		if !policy.Enabled {
			continue
		}
		meta, err := m.metadata(ctx, &m.repos[i], policy, c.home())
		switch {
		case ctx.Err() != nil:
			return "", m.storage(ctx, ctx.Err())
		case err != nil:
			problems.add(r, err)
		default:
			take(meta)
		}
	}
	if version == "" {
		return "", m.unresolved(problems)
	}
	return version, nil
}

// metadata gives what a repository says of a folder: as it was fetched before, while the update policy is content with
// that or the repository cannot be asked. CodeNotFound when it has none.
func (m *resolution) metadata(ctx context.Context, r *Repository, p Policy, folder string) (metadata, error) {
	file := m.inLocal(folder, "maven-metadata-"+r.ID+".xml")
	info, err := os.Stat(file)
	known := err == nil
	if !m.Offline && (!known || p.due(info.ModTime(), m.clock())) {
		var text bytes.Buffer
		err := m.checked(ctx, *r, p, path.Join(folder, "maven-metadata.xml"), &text, true)
		var meta metadata
		if err == nil {
			if meta, err = parseMetadata(text.Bytes()); err != nil {
				err = skipper.Errorf(skipper.CodeUnavailable, "its maven-metadata.xml cannot be read: %w", err)
			}
		}
		if err == nil {
			return meta, m.storage(ctx, m.depot.write(file, text.Bytes(), 0o644))
		}
		if !known || ctx.Err() != nil || skipper.CodeOf(err) == skipper.CodeNotFound {
			return metadata{}, err
		}
		m.logger.WarnContext(ctx, "the repository cannot be asked; what it said before counts", "repository", r.ID,
			"error", err)
	}
	text, err := readBounded(file)
	if err != nil {
		return metadata{}, skipper.Errorf(skipper.CodeNotFound, "%w", errNoSuch)
	}
	meta, err := parseMetadata(text)
	if err != nil {
		return meta, skipper.Errorf(skipper.CodeInvalid, "%s cannot be read: %w", file, err)
	}
	return meta, nil
}

// download fetches one file of an artifact into the local repository.
func (m *resolution) download(ctx context.Context, r Repository, p Policy, c Coordinates, version string) error {
	f, err := m.depot.temporary()
	if err != nil {
		return m.storage(ctx, err)
	}
	defer discard(f)
	began := m.clock()
	name := c.file(version)
	m.logger.InfoContext(ctx, "downloads an artifact", "artifact", c.String(), "repository", r.String())
	if err := m.checked(ctx, r, p, path.Join(c.folder(), name), f, false); err != nil {
		return err
	}
	file := m.inLocal(c.folder(), name)
	if err := m.depot.place(f, file, 0o644); err != nil {
		return m.storage(ctx, err)
	}
	m.remember(ctx, filepath.Dir(file), name, r.ID)
	m.logger.InfoContext(ctx, "downloaded an artifact", "artifact", c.String(), "repository", r.ID,
		"file", file, "took", m.clock().Sub(began).Round(time.Millisecond).String())
	return nil
}

// checksums are the kinds that a repository may have beside a file, the strongest first; the first that is there counts.
var checksums = []struct {
	extension string
	hash      func() hash.Hash
}{
	{"sha512", sha512.New},
	{"sha256", sha256.New},
	{"sha1", sha1.New},
	{"md5", md5.New},
}

// checked fetches a file of a repository and compares its checksum, as the policy says.
func (m *resolution) checked(ctx context.Context, r Repository, p Policy, at string, w io.Writer, small bool) error {
	if r.blocked != "" {
		return skipper.Errorf(skipper.CodeInvalid, "it is %s", r.blocked)
	}
	o, err := m.order(r, at, small)
	if err != nil {
		return err
	}
	sums := make([]hash.Hash, len(checksums))
	writers := []io.Writer{w}
	for i, kind := range checksums {
		sums[i] = kind.hash()
		writers = append(writers, sums[i])
	}
	if _, err := m.fetch.fetch(ctx, o, io.MultiWriter(writers...)); err != nil {
		return err
	}
	if p.Checksum == ChecksumIgnore {
		return nil
	}
	err = m.compare(ctx, r, at, sums)
	if err == nil || ctx.Err() != nil || p.Checksum == ChecksumFail {
		return err
	}
	m.logger.WarnContext(ctx, "the checksum is not confirmed; the policy of the repository is to go on", "file", at,
		"repository", r.ID, "error", err)
	return nil
}

func (m *resolution) order(r Repository, at string, small bool) (order, error) {
	base, err := url.Parse(r.URL)
	if err != nil || !slices.Contains([]string{"http", "https", "file"}, base.Scheme) {
		return order{}, skipper.Errorf(skipper.CodeInvalid, "its address (%s) must begin with https:, http: or file:", r.origin)
	}
	o := order{
		url: base.JoinPath(at), header: r.header, user: base.User, proxy: m.proxy, name: m.want.String(), limit: m.limit,
	}
	o.url.User = nil
	if r.Username != "" {
		o.user = url.UserPassword(r.Username, r.Password)
	}
	if small {
		o.limit, o.quiet = maxSmallFile, true
	}
	return o, nil
}

func (m *resolution) compare(ctx context.Context, r Repository, at string, sums []hash.Hash) error {
	for i, kind := range checksums {
		o, err := m.order(r, at+"."+kind.extension, true)
		if err != nil {
			return err
		}
		o.limit = 4096
		var text bytes.Buffer
		_, err = m.fetch.fetch(ctx, o, &text)
		if skipper.CodeOf(err) == skipper.CodeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		got := hex.EncodeToString(sums[i].Sum(nil))
		for word := range strings.FieldsSeq(text.String()) { // some write the name beside it
			if strings.EqualFold(word, got) {
				return nil
			}
		}
		return skipper.Errorf(skipper.CodeUnavailable, "the %s checksum is not that of what came (%s)", kind.extension, got)
	}
	return skipper.Errorf(skipper.CodeInvalid, "it has no checksum of the file")
}

// remember notes for Maven from which repository a file of the local repository came; else Maven would fetch it again.
func (m *resolution) remember(ctx context.Context, folder, name, repository string) {
	const tracking = "_remote.repositories"
	file := filepath.Join(folder, tracking)
	lines := map[string]bool{name + ">" + repository + "=": true}
	if old, err := readBounded(file); err == nil {
		for line := range strings.Lines(string(old)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines[line] = true
			}
		}
	}
	text := "#NOTE: This is a Maven Resolver internal implementation file, its format can be changed without prior notice.\n" +
		"#" + m.clock().UTC().Format("Mon Jan 02 15:04:05 UTC 2006") + "\n" +
		strings.Join(slices.Sorted(maps.Keys(lines)), "\n") + "\n"
	if err := m.depot.write(file, []byte(text), 0o644); err != nil {
		m.logger.WarnContext(ctx, "where the file came from cannot be noted for Maven", "file", file, "error", err)
	}
}

func (m *resolution) copyTo(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it is only read
	f, err := m.depot.temporary()
	if err != nil {
		return err
	}
	defer discard(f)
	if _, err := io.Copy(f, in); err != nil {
		return err
	}
	return m.depot.place(f, to, 0o644)
}

// storage names the local repository in errors of files.
func (m *resolution) storage(ctx context.Context, err error) error {
	var known *skipper.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return skipper.Errorf(skipper.CodeUnavailable, "%s: the download was stopped: %w", m.want, context.Cause(ctx))
	case errors.Is(err, fs.ErrPermission):
		return skipper.Errorf(skipper.CodeInvalid, "the local Maven repository cannot be written: %w; "+
			"maven.local-repository names another", err)
	}
	return skipper.Errorf(skipper.CodeUnavailable, "the local Maven repository: %w", err)
}

// causes gathers why each repository did not give an artifact.
type causes struct {
	list  []string
	codes []skipper.Code
}

func (c *causes) add(r Repository, err error) {
	c.list = append(c.list, r.ID+": "+skipper.MessageOf(err))
	c.codes = append(c.codes, skipper.CodeOf(err))
}

// code is unavailable when a try later may help, else invalid when somebody has to change something.
func (c *causes) code() skipper.Code {
	for _, code := range []skipper.Code{skipper.CodeUnavailable, skipper.CodeInvalid} {
		if slices.Contains(c.codes, code) {
			return code
		}
	}
	return skipper.CodeNotFound
}

// unresolved says in Skipper's words that an artifact was not found, and why not in each repository.
func (m *resolution) unresolved(c causes) error {
	names := make([]string, len(m.repos))
	for i, r := range m.repos {
		names[i] = r.String()
	}
	text := fmt.Sprintf("Failed to resolve %s using remote repo(s): [%s]", m.want, strings.Join(names, ", "))
	if len(c.list) > 0 {
		text += "; " + strings.Join(c.list, "; ")
	}
	return skipper.Errorf(c.code(), "%s", text)
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
