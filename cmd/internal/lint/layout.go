package lint

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// layout checks the files of a unit and what package.yml says, then those of its dependencies.
func (l *linter) layout(u *unit) {
	if u.metadata == "" {
		l.add(Error, u.file("package.yml"), 0, "there is none; every package needs one")
	} else {
		l.description(u)
	}
	l.only(u, u.metadata, "package.yml", "package.yaml")
	l.only(u, u.defaults, "values.yml", "values.yaml")
	for _, name := range u.list() {
		l.place(u, name)
	}
	for _, d := range u.units {
		l.layout(d)
		same := slices.ContainsFunc(u.units, func(other *unit) bool {
			return other.dir < d.dir && other.p.Metadata.Name == d.p.Metadata.Name && d.described
		})
		if same {
			l.add(Error, d.file(d.metadata), d.lines["name"],
				"another dependency has the name "+d.p.Metadata.Name+", so that both get the same values")
		}
		if d.depth > 1 && d.p.ConfigValues.Text() != "" {
			l.add(Warning, d.file(d.defaults), 0, "is not read two levels down: its templates see only what the package "+
				"around gives them")
		}
	}
}

// only refuses a file that is there under two names.
func (l *linter) only(u *unit, taken string, names ...string) {
	for _, name := range u.list() {
		if name != taken && slices.Contains(names, strings.ToLower(name)) {
			l.add(Error, u.file(name), 0, "there is also "+taken+"; keep one of them")
		}
	}
}

// place finds files that nobody reads where they are.
func (l *linter) place(u *unit, name string) {
	folder, rest, inFolder := strings.Cut(name, "/")
	switch {
	case name != skipper.SchemaFile && strings.EqualFold(name, skipper.SchemaFile):
		l.add(Warning, u.file(name), 0, "is not read; name it "+skipper.SchemaFile)
	case inFolder && folder != "templates" && strings.EqualFold(folder, "templates"):
		l.add(Warning, u.file(name), 0, "is not read; name the folder templates")
	case folder == "templates" && strings.Contains(rest, "/"):
		l.add(Warning, u.file(name), 0, "is not read: templates stand in templates/ itself, not in a folder of it")
	case inFolder && folder == "templates" && !isYAML(rest):
		l.add(Warning, u.file(name), 0, "is not read: the name of a template ends in .yml or .yaml")
	case inFolder && strings.EqualFold(folder, "packages") && !strings.Contains(rest, "/"):
		l.add(Warning, u.file(name), 0, "is not read, and Skipper fails on it: packages/ holds one folder for each dependency")
	}
	read := name == u.metadata || name == u.defaults || path.Dir(name) == "templates" && isYAML(name)
	if read && !utf8.Valid(u.files[name]) {
		l.add(Error, u.file(name), 0, "is not UTF-8")
	}
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, "yml") || strings.HasSuffix(name, "yaml")
}

// fields are the keys of package.yml that are read.
var fields = []string{
	"apiVersion", "kind", "name", "version", "displayName", "description", "maintainer", "tags", "origin",
	"packageHomeUrl", "packageSourceUrl", "iconUrl", "sha256", "repositoryId", "repositoryName",
}

// description checks package.yml.
func (l *linter) description(u *unit) {
	file, text := u.file(u.metadata), string(u.files[u.metadata])
	literals, err := yamlx.ParseLiterals(text)
	if err != nil {
		l.fail(file, err)
		return
	}
	given := map[string]string{}
	for _, literal := range literals {
		given[literal.Key], u.lines[literal.Key] = literal.Value, literal.Line
		if !slices.Contains(fields, literal.Key) {
			l.add(Warning, file, literal.Line, literal.Key+" is not read; the keys are "+strings.Join(fields, ", "))
		}
	}
	if places, err := yamlx.ParsePlaces(text); err == nil {
		l.twice(file, places)
	}
	l.required(u, given)
	version, name := given["version"], given["name"]
	if _, err := semver.StrictNewVersion(version); version != "" && err != nil && u.depth == 0 {
		l.add(Error, file, u.lines["version"], "version is "+version+"; a semantic version is due, as 1.0.0")
	}
	if name == "." || strings.Contains(name, "..") || strings.ContainsAny(name, "/\\\x00") {
		l.add(Error, file, u.lines["name"], "name must be the name of a folder; use letters, digits and dashes")
	}
}

// required finds what every upload must have; of dependencies only the name is used.
func (l *linter) required(u *unit, given map[string]string) {
	for _, field := range []struct{ name, as string }{
		{"apiVersion", "apiVersion: skipper.spring.io/v1"},
		{"kind", "kind: SkipperPackageMetadata"},
		{"name", "as name: hello"},
		{"version", "as version: 1.0.0"},
	} {
		if given[field.name] == "" && (u.depth == 0 || field.name == "name") {
			l.add(Error, u.file(u.metadata), 1, field.name+" is missing; add "+strings.TrimPrefix(field.as, "as "))
		}
	}
}

func (l *linter) twice(file string, places yamlx.Places) {
	for _, place := range places.Twice {
		l.add(Warning, file, place.Line, place.Key+" is there more than once; only the last counts")
	}
}

// root checks the name of the one folder in a zip.
func (l *linter) root(root string, u *unit) {
	m := u.p.Metadata
	if want := m.Name + "-" + m.Version; u.described && m.Version != "" && root != want {
		l.add(Error, u.metadata, 0, "the root folder of the zip is "+root+"; it must be "+want+
			" ('skiff package zip' makes it so)")
	}
}
