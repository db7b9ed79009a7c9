package resource_test

import (
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const jarPath = "/repo/com/acme/hello/1.0/hello-1.0.jar"

func TestMaven_FetchesOnceAndSharesWithMaven(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	b := setup(t, f)

	for _, ref := range []resource.Ref{
		{Location: "maven://com.acme:hello:1.0"},
		{Location: "maven:com.acme:hello", Version: "1.0"},
		{Location: "maven://com.acme:hello:1.0", Version: "1.0"},
	} {
		file, err := resource.New(b.Config).File(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, "jar", read(t, file))
		require.Equal(t, "hello-1.0.jar", filepath.Base(file))
	}

	require.Equal(t, 1, f.count(jarPath))
	folder := filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0")
	require.Equal(t, "jar", read(t, filepath.Join(folder, "hello-1.0.jar")))
	require.Contains(t, read(t, filepath.Join(folder, "_remote.repositories")), "\nhello-1.0.jar>one=\n")
	require.Empty(t, leftovers(t, b.Maven.LocalRepository))
	require.Contains(t, b.log.String(), "downloaded an artifact")
}

func TestMaven_ReadsWhatMavenInstalled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0/hello-1.0-linux.exe")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o644))

	first, err := b.file(t, "maven://com.acme:hello:exe:linux:1.0")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("new one"), 0o644)) // mvn install, once more
	require.Equal(t, "new one", b.content(t, "maven://com.acme:hello:exe:linux:1.0"))
	require.Equal(t, "old", read(t, first), "what may still run is not rewritten")
	info, err := os.Stat(first)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o555), info.Mode().Perm(), "a program that Maven stored can be run")
}

func TestMaven_GoesOnToTheNextRepositoryAndSaysWhyEachFailed(t *testing.T) {
	t.Parallel()
	one, two := newFake(t), newFake(t)
	b := setup(t, one, two)
	b.Maven.Repositories[0].URL = strings.Replace(one.URL, "http://", "http://ann:secret@", 1) + "/repo?token=t"
	two.putSummed(jarPath, "jar")

	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))

	message := b.refused(t, "maven://com.acme:ghost:1.0", skipper.CodeNotFound)
	require.Equal(t, "Failed to resolve com.acme:ghost:jar:1.0 using remote repo(s): [one ("+one.URL+"/repo?…), two ("+
		two.URL+"/repo)]; one: not found; two: not found", message)
	one.on(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusUnauthorized); return true })
	require.Contains(t, b.refused(t, "maven://com.acme:ghost:1.0", skipper.CodeInvalid), "one: the server answers 401")
	two.on(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true })
	message = b.refused(t, "maven://com.acme:ghost:1.0", skipper.CodeUnavailable)
	require.Contains(t, message, "two: the server answers 502 Bad Gateway")
	require.NotContains(t, message+b.log.String(), "secret")
	require.Empty(t, leftovers(t, b.Maven.LocalRepository))
}

func TestMaven_ComparesChecksums(t *testing.T) {
	t.Parallel()
	md := md5.Sum([]byte("jar"))
	strong := sha512.Sum512([]byte("jar"))

	for name, c := range map[string]struct {
		policy, extension, sum string
		sentence               string // empty: the file is taken
	}{
		"sha512":                  {resource.ChecksumFail, "sha512", hex.EncodeToString(strong[:]), ""},
		"md5 in capitals, a name": {resource.ChecksumFail, "md5", strings.ToUpper(hex.EncodeToString(md[:])) + "  hello-1.0.jar", ""},
		"wrong":                   {resource.ChecksumFail, "sha1", "00", "the sha1 checksum is not that of what came"},
		"none":                    {resource.ChecksumFail, "asc", "00", "it has no checksum of the file"},
		"wrong, warn":             {resource.ChecksumWarn, "sha1", "00", ""},
		"wrong, ignore":           {resource.ChecksumIgnore, "sha1", "00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.put(jarPath, "jar")
			f.put(jarPath+"."+c.extension, c.sum)
			b := setup(t, f)
			b.Maven.ChecksumPolicy = c.policy
			if c.sentence != "" {
				_, err := b.file(t, "maven://com.acme:hello:1.0")
				require.ErrorContains(t, err, c.sentence)
				require.NoFileExists(t, filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0/hello-1.0.jar"))
				return
			}
			require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
			require.Equal(t, c.policy == resource.ChecksumWarn, strings.Contains(b.log.String(), "the checksum is not confirmed"))
			require.Equal(t, c.policy == resource.ChecksumIgnore, f.total() == 1)
		})
	}
}

func TestMaven_ATruncatedFileIsNotTaken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "the whole jar")
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != jarPath || f.count(jarPath) > 1 {
			return false
		}
		w.Header().Set("Content-Length", "13")
		_, _ = w.Write([]byte("the"))
		return true
	})
	b := setup(t, f)

	require.Contains(t, b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeUnavailable), "ended before the file did")
	require.Equal(t, "the whole jar", b.content(t, "maven://com.acme:hello:1.0"))
}

func TestMaven_Offline(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	b := setup(t, f)
	b.Maven.Offline = true

	require.Contains(t, b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeNotFound), "Maven is offline (maven.offline)")
	require.Zero(t, f.total())
	b.Maven.Offline = false
	b.content(t, "maven://com.acme:hello:1.0")
	b.Maven.Offline = true
	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
}

const (
	snapshots = "/repo/com/acme/hello/1.0-SNAPSHOT/"
	snapshot  = "maven://com.acme:hello:1.0-SNAPSHOT"
)

// putSnapshot deploys a snapshot: at 09:00 with build 1, at 10:00 with build 2, ….
func putSnapshot(f *fake, build int, body string) {
	stamp, n := "20261201."+[]string{"", "090000", "100000", "110000"}[build], string(rune('0'+build))
	updated := strings.ReplaceAll(stamp, ".", "")
	f.putSummed(snapshots+"hello-1.0-"+stamp+"-"+n+".jar", body)
	f.putSummed(snapshots+"maven-metadata.xml", `<?xml version="1.0" encoding="UTF-8"?>
<metadata modelVersion="1.1.0"><groupId>com.acme</groupId><artifactId>hello</artifactId><version>1.0-SNAPSHOT</version>
<versioning><snapshot><timestamp>`+stamp+`</timestamp><buildNumber>`+n+`</buildNumber></snapshot>
<lastUpdated>`+updated+`</lastUpdated><snapshotVersions>
<snapshotVersion><extension>pom</extension><value>1.0-`+stamp+`-`+n+`</value><updated>`+updated+`</updated></snapshotVersion>
<snapshotVersion><extension>jar</extension><value>1.0-`+stamp+`-`+n+`</value><updated>`+updated+`</updated></snapshotVersion>
</snapshotVersions></versioning></metadata>`)
}

func TestMaven_SnapshotIsTheOneDeployedLast(t *testing.T) {
	t.Parallel()
	one, two := newFake(t), newFake(t)
	putSnapshot(one, 1, "first")
	putSnapshot(two, 2, "second")
	b := setup(t, one, two)

	file, err := b.file(t, snapshot)
	require.NoError(t, err)
	require.Equal(t, "second", read(t, file))
	require.Equal(t, "hello-1.0-20261201.100000-2.jar", filepath.Base(file))
	folder := filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0-SNAPSHOT")
	require.Equal(t, "second", read(t, filepath.Join(folder, "hello-1.0-SNAPSHOT.jar")))
	require.FileExists(t, filepath.Join(folder, "maven-metadata-one.xml"))
	tracking := read(t, filepath.Join(folder, "_remote.repositories"))
	require.Contains(t, tracking, "hello-1.0-SNAPSHOT.jar>two=\n")
	require.Contains(t, tracking, "hello-1.0-20261201.100000-2.jar>two=\n")

	putSnapshot(one, 3, "third")
	require.Equal(t, "third", b.content(t, snapshot))
	require.Equal(t, "second", read(t, file), "what may still run is not rewritten")
	require.Equal(t, "first", b.content(t, "maven://com.acme:hello:1.0-20261201.090000-1"), "one build of it")
}

func TestMaven_SnapshotIsLookedAtAsOftenAsThePolicySays(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	b := setup(t, f)
	b.now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.Local)
	look := func(policy string) string {
		b.Maven.Repositories[0].Snapshots.Update = policy
		return b.content(t, snapshot)
	}
	fetched := func(at time.Time) { // the file's time is the machine's own
		file := filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0-SNAPSHOT/maven-metadata-one.xml")
		require.NoError(t, os.Chtimes(file, at, at))
	}
	putSnapshot(f, 1, "first")
	require.Equal(t, "first", look(resource.UpdateNever))
	fetched(b.now.Add(-5 * time.Minute))
	putSnapshot(f, 2, "second")

	require.Equal(t, "first", look(resource.UpdateNever))
	require.Equal(t, "first", look(resource.UpdateDaily))
	require.Equal(t, "first", look(resource.UpdateInterval+"10"))
	require.Equal(t, "second", look(resource.UpdateInterval+"5"))
	putSnapshot(f, 3, "third")
	fetched(b.now.Add(-13 * time.Hour))
	require.Equal(t, "third", look(resource.UpdateDaily))
}

func TestMaven_SnapshotThatCannotBeAskedForIsTheLastOneKnown(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	putSnapshot(f, 1, "first")
	b := setup(t, f)
	require.Equal(t, "first", b.content(t, snapshot))
	f.on(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})

	require.Equal(t, "first", b.content(t, snapshot))
	require.Contains(t, b.log.String(), "what it said before counts")
	b.Maven.Offline = true
	require.Equal(t, "first", b.content(t, snapshot))
	require.Contains(t, b.refused(t, "maven://com.acme:other:1.0-SNAPSHOT", skipper.CodeNotFound), "is offline")
	b.Maven.Offline = false
	b.refused(t, "maven://com.acme:other:1.0-SNAPSHOT", skipper.CodeUnavailable)
}

func TestMaven_SnapshotThatWasInstalledLocallyCompetes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	putSnapshot(f, 1, "deployed")
	b := setup(t, f)
	folder := filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0-SNAPSHOT")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	install := func(updated string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "hello-1.0-SNAPSHOT.jar"), []byte("installed "+updated), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "maven-metadata-local.xml"), []byte(`<metadata><versioning>
<snapshot><localCopy>true</localCopy></snapshot><lastUpdated>`+updated+`</lastUpdated><snapshotVersions><snapshotVersion>
<extension>jar</extension><value>1.0-SNAPSHOT</value><updated>`+updated+`</updated></snapshotVersion></snapshotVersions>
</versioning></metadata>`), 0o644))
	}

	install("20261201100000")
	require.Equal(t, "installed 20261201100000", b.content(t, snapshot))
	install("20261201080000")
	require.Equal(t, "deployed", b.content(t, snapshot))
}

func TestMaven_SnapshotWithoutMetadata(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(snapshots+"hello-1.0-SNAPSHOT.jar", "plain")

	require.Equal(t, "plain", setup(t, f).content(t, snapshot))
}

func TestMaven_MetadataCannotLeadElsewhere(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(snapshots+"maven-metadata.xml", `<metadata><versioning><lastUpdated>2</lastUpdated><snapshotVersions>
<snapshotVersion><extension>jar</extension><value>../../../../x-20261201.090000-1</value></snapshotVersion>
</snapshotVersions></versioning></metadata>`)

	require.Contains(t, setup(t, f).refused(t, snapshot, skipper.CodeNotFound), "not found")
	for path := range f.hits {
		require.True(t, strings.HasPrefix(path, snapshots), path)
	}
}

func TestMaven_LatestAndRelease(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed("/repo/com/acme/hello/maven-metadata.xml", `<metadata><versioning><latest>1.0-SNAPSHOT</latest>
<release>1.0</release><lastUpdated>20261201090000</lastUpdated></versioning></metadata>`)
	f.putSummed(jarPath, "released")
	putSnapshot(f, 1, "snapshot")
	b := setup(t, f)

	require.Equal(t, "released", b.content(t, "maven://com.acme:hello:RELEASE"))
	require.Equal(t, "snapshot", b.content(t, "maven://com.acme:hello:LATEST"))
	require.Contains(t, b.refused(t, "maven://com.acme:none:LATEST", skipper.CodeNotFound), "Failed to resolve com.acme:none:jar:LATEST")
}

func TestMaven_SendsCredentialsAndHeaders(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	})
	b := setup(t, f)

	message := b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeInvalid)
	require.Contains(t, message, "one: the server answers 401 Unauthorized: credentials are missing, or refused")
	b.Maven.Repositories[0].Username, b.Maven.Repositories[0].Password = "ann", "secret"
	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
}

func TestMaven_GoesThroughAProxy(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	behind, err := url.Parse(f.URL)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	asked := []string{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Host)
		if r.Header.Get("Proxy-Authorization") != "Basic cHJveHk6c2VjcmV0" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	b := setup(t, f)
	b.Maven.Repositories[0].URL = "http://repo.example/repo"
	b.Maven.Proxy = resource.Proxy{Host: at.Hostname(), Port: port(t, at)}

	require.Contains(t, b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeInvalid), "one: the proxy answers 407")
	b.Maven.Proxy.Username, b.Maven.Proxy.Password = "proxy", "secret"
	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
	require.Contains(t, asked, "repo.example")

	// A proxy for https: is asked to connect; its refusal is told the same way.
	b.Maven.Repositories[0].URL = "https://repo.example/repo"
	b.Maven.Proxy.Password = "wrong"
	message := b.refused(t, "maven://com.acme:other:1.0", skipper.CodeInvalid)
	require.Contains(t, message, "the proxy's credentials are missing, or refused")
	require.NotContains(t, message, "wrong")

	// Hosts that are named are asked directly.
	b.Maven.Repositories[0].URL = f.URL + "/repo"
	b.Maven.Proxy.NonProxyHosts = "*.example|127.0.*"
	f.putSummed("/repo/com/acme/direct/1/direct-1.jar", "direct")
	require.Equal(t, "direct", b.content(t, "maven://com.acme:direct:1"))
}

func TestMaven_ReadsAFolderAsRepository(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "com/acme/hello/1.0/hello-1.0.jar")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte("jar"), 0o644))
	b := setup(t)
	b.Maven.Repositories = []resource.Repository{{ID: "folder", URL: "file://" + dir, Releases: resource.Policy{Enabled: true}}}

	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
	b.Maven.Repositories[0].URL = "ftp://h/x"
	require.Contains(t, b.refused(t, "maven://com.acme:other:1.0", skipper.CodeInvalid), "must begin with https:, http: or file:")
}

func TestMaven_FetchesThePOMWhenAsked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	f.putSummed(strings.TrimSuffix(jarPath, "jar")+"pom", "pom")
	b := setup(t, f)
	b.Maven.ResolvePOM = true

	b.content(t, "maven://com.acme:hello:1.0")
	require.Equal(t, "pom", read(t, filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0/hello-1.0.pom")))
}

func TestMaven_TheLocalRepositoryMustBeWritable(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	b := setup(t, f)
	require.NoError(t, os.WriteFile(b.Maven.LocalRepository, nil, 0o600)) // a file in its place

	require.Contains(t, b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeInvalid), "cannot be made")
}

func TestMaven_ALocalRepositoryMayBeReadOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0/hello-1.0.jar")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte("jar"), 0o644))

	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
	require.NoDirExists(t, filepath.Join(b.Maven.LocalRepository, ".skiff"), "nothing is written")
}
