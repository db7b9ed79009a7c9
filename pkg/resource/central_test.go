package resource_test

import (
	"archive/zip"
	"context"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Two artifacts of Maven Central: small, and not used by Maven's own plugins.
const (
	artifactOfMaven = "org.slf4j:slf4j-nop:2.0.16"
	artifactOfOurs  = "org.slf4j:slf4j-simple:2.0.16"
)

// central gives the installed Maven's program and the address it has for Maven Central. It needs the network, so it is
// asked for by name.
func central(t *testing.T) (mvn, address string) {
	t.Helper()
	if !slices.Contains(strings.Split(os.Getenv("SKIFF_TEST_REQUIRE"), ","), "maven") {
		t.Skip("downloads from Maven Central: set SKIFF_TEST_REQUIRE=maven")
	}
	mvn, err := exec.LookPath("mvn")
	require.NoError(t, err, "SKIFF_TEST_REQUIRE names maven")
	real, err := filepath.EvalSymlinks(mvn)
	require.NoError(t, err)
	jars, err := filepath.Glob(filepath.Join(filepath.Dir(real), "..", "lib", "maven-model-builder-*.jar"))
	require.NoError(t, err)
	require.NotEmpty(t, jars, "no super POM in the Maven at %s", real)
	archive, err := zip.OpenReader(jars[0])
	require.NoError(t, err)
	defer archive.Close()
	file, err := archive.Open("org/apache/maven/model/pom-4.0.0.xml")
	require.NoError(t, err)
	defer file.Close()
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	var pom struct {
		Repositories []struct {
			ID  string `xml:"id"`
			URL string `xml:"url"`
		} `xml:"repositories>repository"`
	}
	require.NoError(t, xml.Unmarshal(text, &pom))
	require.Equal(t, "central", pom.Repositories[0].ID)
	return mvn, pom.Repositories[0].URL
}

func TestMavenCentral_SharesTheLocalRepositoryWithMaven(t *testing.T) {
	t.Parallel()
	mvn, address := central(t)
	b := setup(t)
	b.Maven.NoSettings, b.Environ = false, os.Environ() // a mirror that this machine needs
	b.Maven.ResolvePOM, b.Maven.ConnectTimeout, b.Maven.RequestTimeout = true, 30*time.Second, time.Minute
	b.Maven.Repositories = []resource.Repository{{
		ID: "central", URL: address, Releases: resource.Policy{Enabled: true, Checksum: resource.ChecksumFail},
	}}
	get := func(artifact string, options ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		arguments := append([]string{
			"-B", "-ntp", "-Dmaven.repo.local=" + b.Maven.LocalRepository, "-Dtransitive=false", "-Dartifact=" + artifact,
		}, options...)
		c := exec.CommandContext(ctx, mvn, append(arguments, "dependency:get")...)
		c.Dir = t.TempDir()
		out, err := c.CombinedOutput()
		return string(out), err
	}

	// What Maven has fetched, we find without the network.
	out, err := get(artifactOfMaven)
	require.NoError(t, err, out)
	b.Maven.Offline = true
	require.NotEmpty(t, b.content(t, "maven://"+artifactOfMaven))
	b.refused(t, "maven://"+artifactOfOurs, skipper.CodeNotFound)

	// What we have fetched, Maven finds without the network.
	out, err = get(artifactOfOurs, "-o")
	require.Error(t, err, out)
	b.Maven.Offline = false
	file, err := b.file(t, "maven://"+artifactOfOurs)
	require.NoError(t, err)
	archive, err := zip.OpenReader(file)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	out, err = get(artifactOfOurs, "-o")
	require.NoError(t, err, out)
	require.Contains(t, b.refused(t, "maven://org.slf4j:no-such-artifact:1.0", skipper.CodeNotFound), "central: not found")
}
