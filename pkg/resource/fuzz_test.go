package resource

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		`<settings><localRepository>${user.home}/m2</localRepository><offline>true</offline></settings>`,
		`<settings><servers><server><id>a</id><username>u</username><password>{COQLCE6DU6GtcS5P=}</password></server></servers></settings>`,
		`<settings><mirrors><mirror><id>m</id><mirrorOf>*,!x</mirrorOf><url>http://h/</url></mirror></mirrors></settings>`,
		`<settings><profiles><profile><id>p</id><properties><x>${x}</x></properties><repositories><repository><id>r</id>` +
			`<url>${x}</url></repository></repositories></profile></profiles><activeProfiles><activeProfile>p</activeProfile>` +
			`</activeProfiles></settings>`,
		`<settings><proxies><proxy><host>h</host><port>-1</port><nonProxyHosts>*|a.*</nonProxyHosts></proxy></proxies></settings>`,
		`<!DOCTYPE x><settings/>`, strings.Repeat("<a>", 70),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		around := newSurroundings([]string{"HOME=/nowhere"})
		s, err := around.parseSettings([]byte(text))
		if err != nil {
			return
		}
		m := Maven{Repositories: []Repository{{ID: "x", URL: "http://h/"}}}
		repos, err := m.repositories(s, around)
		if err == nil {
			require.NotEmpty(t, repos)
		}
		_, _ = m.proxies(s, around)
		for _, p := range s.Proxies {
			Proxy{Host: p.Host, NonProxyHosts: p.NonProxyHosts}.skips("h")
		}
	})
}

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{
		`<metadata><versioning><snapshot><timestamp>20261201.090000</timestamp><buildNumber>1</buildNumber></snapshot></versioning></metadata>`,
		`<metadata><versioning><latest>2</latest><release>1</release><lastUpdated>20261201090000</lastUpdated></versioning></metadata>`,
		`<metadata><versioning><snapshotVersions><snapshotVersion><extension>jar</extension><value>../1.0-20261201.090000-1</value>` +
			`</snapshotVersion></snapshotVersions></versioning></metadata>`,
	} {
		f.Add(seed)
	}
	c := Coordinates{Group: "g", Artifact: "a", Extension: "jar", Version: "1.0-SNAPSHOT"}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMetadata([]byte(text))
		if err != nil {
			return
		}
		current, _ := m.current(c)
		for _, version := range []string{current, m.newest(versionLatest), m.newest(versionRelease)} {
			require.NotContains(t, c.file(version), "/", "it becomes the name of a file")
		}
		if current != "" {
			require.Regexp(t, `^1\.0-(SNAPSHOT|\d{8}\.\d{6}-\d+)$`, current)
		}
	})
}

func FuzzWebAddress(f *testing.F) {
	f.Add("https://ann:secret@host/apps/hello?token=x", "1.0")
	f.Fuzz(func(t *testing.T, location, version string) {
		a, err := webAddressOf(Ref{Location: location, Version: version})
		if err != nil {
			return
		}
		require.NotEmpty(t, a.url.Host)
		require.Nil(t, a.url.User)
		require.Regexp(t, `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`, a.name())
		require.LessOrEqual(t, len(a.name()), 128)
	})
}
