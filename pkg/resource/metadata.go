package resource

import (
	"strings"
)

// metadata is a maven-metadata.xml: of an artifact, which lists its versions, or of a snapshot version.
type metadata struct {
	Versioning struct {
		Latest      string `xml:"latest"`
		Release     string `xml:"release"`
		LastUpdated string `xml:"lastUpdated"` // yyyyMMddHHmmss
		Snapshot    struct {
			Timestamp   string `xml:"timestamp"` // yyyyMMdd.HHmmss
			BuildNumber string `xml:"buildNumber"`
		} `xml:"snapshot"`
		SnapshotVersions []struct {
			Classifier string `xml:"classifier"`
			Extension  string `xml:"extension"`
			Value      string `xml:"value"`
			Updated    string `xml:"updated"`
		} `xml:"snapshotVersions>snapshotVersion"`
	} `xml:"versioning"`
}

func parseMetadata(text []byte) (metadata, error) {
	var m metadata
	err := decodeXML(text, &m)
	return m, err
}

// current gives the version that a snapshot stands for now, and when it was deployed; empty when there is none. What is
// not named as a version of the snapshot is not taken: it would become part of a path.
func (m metadata) current(c Coordinates) (version, updated string) {
	v := m.Versioning
	version, updated = "", v.LastUpdated
	for _, s := range v.SnapshotVersions {
		if s.Extension == c.Extension && s.Classifier == c.Classifier {
			version = s.Value
			if s.Updated != "" {
				updated = s.Updated
			}
		}
	}
	if version == "" && v.Snapshot.Timestamp != "" && v.Snapshot.BuildNumber != "" {
		version = strings.TrimSuffix(c.Version, "SNAPSHOT") + v.Snapshot.Timestamp + "-" + v.Snapshot.BuildNumber
	}
	of := c
	of.Version = version
	if version != c.Version && (of.base() != c.Version || !partName.MatchString(version)) {
		return "", ""
	}
	return version, updated
}

// newest gives the version that LATEST or RELEASE stands for; empty when the metadata does not say.
func (m metadata) newest(word string) string {
	v := m.Versioning.Release
	if word == versionLatest && m.Versioning.Latest != "" {
		v = m.Versioning.Latest
	}
	if !partName.MatchString(v) {
		return ""
	}
	return v
}

const (
	versionLatest  = "LATEST"
	versionRelease = "RELEASE"
)
