package resource_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// withSettings lets a resolver read Maven's settings: those of the user, and those of an installed Maven.
func withSettings(t *testing.T, b *bench, user, global string) string {
	t.Helper()
	home, maven := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		filepath.Join(home, ".m2", "settings.xml"): user, filepath.Join(maven, "conf", "settings.xml"): global,
	} {
		if text != "" {
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		}
	}
	b.Maven.NoSettings, b.Environ = false, []string{"HOME=" + home, "MAVEN_HOME=" + maven, "REPO_PASSWORD=secret"}
	return home
}

func TestSettings_RepositoriesServersAndProfiles(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		if user == "ann" && password == "secret" && r.Header.Get("X-Team") == "blue" {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	b := setup(t)
	b.Maven.LocalRepository = ""
	home := withSettings(t, b, `<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <localRepository>${user.home}/artifacts</localRepository>
  <servers><server><id>corp</id><username>ann</username><password>${env.REPO_PASSWORD}</password>
    <configuration><httpHeaders><property><name>X-Team</name><value>blue</value></property></httpHeaders></configuration>
  </server></servers>
  <profiles><profile><id>work</id><properties><where>`+f.URL+`</where></properties>
    <repositories><repository><id>corp</id><url>${where}/repo</url>
      <snapshots><enabled>false</enabled></snapshots></repository></repositories>
  </profile><profile><id>idle</id><repositories><repository><id>idle</id><url>http://idle.example/</url></repository></repositories>
  </profile></profiles>
</settings>`, `<settings><activeProfiles><activeProfile>work</activeProfile></activeProfiles></settings>`)

	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
	require.FileExists(t, filepath.Join(home, "artifacts/com/acme/hello/1.0/hello-1.0.jar"))
	message := b.refused(t, "maven://com.acme:ghost:1.0", skipper.CodeNotFound)
	require.Contains(t, message, "[corp ("+f.URL+"/repo)]", "profiles that are not active do not count")
}

func TestSettings_Mirrors(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")

	for of, asked := range map[string]bool{
		"*": true, "external:*": true, "external:http:*": true, "inner": true, "other,inner": true, "*,!inner": false,
		"!inner,*": false, "other": false, "*,!other": true, "external:https:*": false,
	} {
		b := setup(t)
		b.Maven.Repositories = []resource.Repository{{
			ID: "inner", URL: "http://nowhere.invalid/", Releases: resource.Policy{Enabled: true},
		}}
		b.Maven.Offline = !asked
		withSettings(t, b, `<settings><mirrors><mirror><id>near</id><url>`+f.URL+`/repo</url><mirrorOf>`+of+`</mirrorOf></mirror>
</mirrors></settings>`, "")
		if asked {
			require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"), of)
			tracking := read(t, filepath.Join(b.Maven.LocalRepository, "com/acme/hello/1.0/_remote.repositories"))
			require.Contains(t, tracking, "hello-1.0.jar>near=\n", "as Maven notes it")
			continue
		}
		b.Maven.Offline = false
		b.Maven.ConnectTimeout = 1 // nobody is asked for long
		message := b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeUnavailable)
		require.Contains(t, message, "[inner (http://nowhere.invalid/)]", of)
	}
}

func TestSettings_MirrorOfMavenCentral(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	b := setup(t)
	b.Maven.NoDefault = false
	withSettings(t, b, "", `<settings><mirrors>
<mirror><id>blocker</id><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url><blocked>true</blocked></mirror>
<mirror><id>near</id><mirrorOf>central</mirrorOf><url>`+f.URL+`/repo</url></mirror></mirrors></settings>`)

	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
}

func TestSettings_ABlockingMirrorStopsWhatNobodyConfigured(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	const blocker = `<mirrors><mirror><id>blocker</id><mirrorOf>*</mirrorOf><url>http://0.0.0.0/</url>
<blocked>true</blocked></mirror></mirrors>`
	b := setup(t, f)
	withSettings(t, b, `<settings>`+blocker+`</settings>`, "")
	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"), "the server's own configuration names it")

	b = setup(t)
	withSettings(t, b, `<settings>`+blocker+`<profiles><profile><id>p</id><activation><activeByDefault>true</activeByDefault>
</activation><repositories><repository><id>corp</id><url>`+f.URL+`/repo</url></repository></repositories></profile></profiles>
</settings>`, "")
	message := b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeInvalid)
	require.Contains(t, message, "corp: it is blocked by the mirror blocker of the Maven settings")
}

func TestSettings_Proxies(t *testing.T) {
	t.Parallel()
	proxy := newFake(t)
	proxy.putSummed(jarPath, "through the proxy")
	b := setup(t)
	b.Maven.Repositories = []resource.Repository{{
		ID: "far", URL: "http://far.example/repo", Releases: resource.Policy{Enabled: true},
	}}
	host, number, _ := strings.Cut(strings.TrimPrefix(proxy.URL, "http://"), ":")
	withSettings(t, b, `<settings><proxies><proxy><id>off</id><active>false</active><host>off.example</host></proxy>
<proxy><id>on</id><protocol>http</protocol><host>`+host+`</host><port>`+number+`</port></proxy></proxies></settings>`, "")

	require.Equal(t, "through the proxy", b.content(t, "maven://com.acme:hello:1.0"))
}

func TestSettings_OfflineAndUnreadable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	home := withSettings(t, b, `<settings><offline>true</offline></settings>`, "")
	require.Contains(t, b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeNotFound), "Maven is offline")

	file := filepath.Join(home, ".m2", "settings.xml")
	for text, sentence := range map[string]string{
		"<settings><servers></settings>":                    "XML syntax error",
		strings.Repeat("<a>", 100):                          "nested deeper than 64",
		"<!DOCTYPE s [<!ENTITY a \"b\">]><settings/>":       "it has a document type",
		`<?xml version="1.0" encoding="x-odd"?><settings/>`: "encoding x-odd is not read",
		"<settings>&secret;</settings>":                     "XML syntax error",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		message := b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeInvalid)
		require.Contains(t, message, file)
		require.Contains(t, message, sentence)
	}
}

// The vector was made by mvn --encrypt-master-password and mvn --encrypt-password of Maven 3.8.7.
func TestSettings_EncryptedPasswords(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if _, password, _ := r.BasicAuth(); password != "pässword" {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	b := setup(t, f)
	home := withSettings(t, b, `<settings><servers><server><id>one</id><username>ann</username>
<password>`+encryptedPassword+`</password></server></servers></settings>`, "")

	require.Contains(t, b.refused(t, "maven://com.acme:hello:1.0", skipper.CodeInvalid), "the master password cannot be read")
	security := filepath.Join(home, ".m2", "settings-security.xml")
	require.NoError(t, os.WriteFile(security, []byte(
		`<settingsSecurity><master>`+encryptedMaster+`</master></settingsSecurity>`), 0o600))
	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
	require.NoError(t, os.WriteFile(security, []byte(
		`<settingsSecurity><master>{AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}</master></settingsSecurity>`), 0o600))
	require.Contains(t, b.refused(t, "maven://com.acme:other:1.0", skipper.CodeInvalid), "not encrypted with")
}

func TestSettings_TheInstalledMavenIsFoundInThePath(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.putSummed(jarPath, "jar")
	maven, bin := t.TempDir(), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(maven, "bin"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(maven, "conf"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(maven, "bin", "mvn"), []byte("#!/bin/sh\n"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(maven, "conf", "settings.xml"), []byte(
		`<settings><mirrors><mirror><id>near</id><mirrorOf>*</mirrorOf><url>`+f.URL+`/repo</url></mirror></mirrors></settings>`), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(maven, "bin", "mvn"), filepath.Join(bin, "mvn")))
	b := setup(t)
	b.Maven.NoDefault, b.Maven.NoSettings = false, false
	b.Environ = []string{"PATH=/nowhere" + string(os.PathListSeparator) + bin}

	require.Equal(t, "jar", b.content(t, "maven://com.acme:hello:1.0"))
	_, err := exec.LookPath(filepath.Join(bin, "mvn"))
	require.NoError(t, err)
}

const (
	encryptedMaster   = "{RhxBCJbGglUHA0/x8cefvGqSVHLcJ0hK78fKPSERuDQ=}"
	encryptedPassword = "{CQTOcpxJqtoHGabEbiiLuTFvMMcGJsZuNE5HZWfPXz8=}"
)
