package resource

import (
	"path"
	"regexp"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Coordinates name an artifact of a Maven repository.
type Coordinates struct {
	Group, Artifact string
	Extension       string // jar unless given
	Classifier      string // may be empty
	Version         string
}

var (
	coordinates = regexp.MustCompile(`^([^: ]+):([^: ]+)(:([^: ]*)(:([^: ]+))?)?:([^: ]+)$`)
	groupName   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	// partName keeps a part of coordinates from leaving its folder: it becomes part of a file's name.
	partName    = regexp.MustCompile(`^[A-Za-z0-9_+-][A-Za-z0-9_.+~-]*$`)
	timestamped = regexp.MustCompile(`^(.*-)?\d{8}\.\d{6}-\d+$`)
)

const maxCoordinates = 1024 // bytes

// ParseCoordinates reads group:artifact[:extension[:classifier]]:version. CodeInvalid, in Skipper's words, for what is
// not written so; CodeUnsupported for a version range.
func ParseCoordinates(text string) (Coordinates, error) {
	parts := coordinates.FindStringSubmatch(text)
	if parts == nil || len(text) > maxCoordinates {
		return Coordinates{}, skipper.Errorf(skipper.CodeInvalid, "Bad artifact coordinates %s, expected format is "+
			"<groupId>:<artifactId>[:<extension>[:<classifier>]]:<version>", text)
	}
	c := Coordinates{Group: parts[1], Artifact: parts[2], Extension: parts[4], Classifier: parts[6], Version: parts[7]}
	if c.Extension == "" {
		c.Extension = "jar"
	}
	if strings.ContainsAny(c.Version, "[](),") {
		return Coordinates{}, skipper.Errorf(skipper.CodeUnsupported,
			"artifact %s: version ranges are not resolved; name one version, or LATEST or RELEASE", text)
	}
	if !groupName.MatchString(c.Group) {
		return Coordinates{}, skipper.Errorf(skipper.CodeInvalid, "artifact %s: %q cannot be the name of a group", text, c.Group)
	}
	for _, part := range []string{c.Artifact, c.Extension, c.Classifier, c.Version} {
		if part != "" && !partName.MatchString(part) {
			return Coordinates{}, skipper.Errorf(skipper.CodeInvalid, "artifact %s: %q cannot be part of a file name", text, part)
		}
	}
	return c, nil
}

// String is group:artifact:extension[:classifier]:version.
func (c Coordinates) String() string {
	parts := []string{c.Group, c.Artifact, c.Extension}
	if c.Classifier != "" {
		parts = append(parts, c.Classifier)
	}
	return strings.Join(append(parts, c.Version), ":")
}

// folder is the path of the artifact's files in a repository.
func (c Coordinates) folder() string { return path.Join(c.home(), c.base()) }

// home is the path of the folder that holds all versions.
func (c Coordinates) home() string {
	return path.Join(strings.ReplaceAll(c.Group, ".", "/"), c.Artifact)
}

// base is the version that names the folder: 1.0-SNAPSHOT for 1.0-20260102.030405-6 too.
func (c Coordinates) base() string {
	if parts := timestamped.FindStringSubmatch(c.Version); parts != nil {
		return parts[1] + "SNAPSHOT"
	}
	return c.Version
}

// file is the name of the artifact's file for a version of it.
func (c Coordinates) file(version string) string {
	name := c.Artifact + "-" + version
	if c.Classifier != "" {
		name += "-" + c.Classifier
	}
	return name + "." + c.Extension
}

// changing says that the version names whatever was deployed last.
func (c Coordinates) changing() bool { return strings.HasSuffix(c.Version, "SNAPSHOT") }

// snapshot says that the artifact is in repositories of snapshots.
func (c Coordinates) snapshot() bool { return strings.HasSuffix(c.base(), "SNAPSHOT") }

// mavenCoordinates are those of a maven: resource; the version of the manifest is appended, unless it is there already.
func mavenCoordinates(r Ref) (Coordinates, error) {
	text := strings.TrimLeft(r.Location[len("maven:"):], "/")
	if r.Version != "" && !strings.HasSuffix(text, ":"+r.Version) {
		text += ":" + r.Version
	}
	return ParseCoordinates(text)
}
