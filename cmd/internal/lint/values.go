package lint

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/schema"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
	"github.com/skiff-project/skiff/templates"
)

// values checks the default values, the schemas, and all that is rendered with them.
func (l *linter) values(top *unit) {
	l.defaults(top)
	if l.failed() && !top.whole() {
		return
	}
	inspector, err := templates.NewInspector(top.p, l.overrides)
	if err != nil {
		l.fail(top.file(orElse(top.defaults, "values.yml")), err)
		return
	}
	l.violations(top)
	l.seen = true
	l.templates(inspector, top, inspector.View())
	if len(l.applications) == 0 && !l.failed() {
		l.add(Error, "templates", 0, "the package renders to no application; add a template")
	}
	if l.failed() || l.unanswered {
		return
	}
	if _, err := templates.Render(top.p, l.overrides); err != nil {
		l.fail(top.metadata, err)
	}
}

// whole says that a unit and its dependencies could be read.
func (u *unit) whole() bool {
	return u.readable && u.described && len(u.units) == len(u.p.Dependencies) &&
		!slices.ContainsFunc(u.units, func(d *unit) bool { return !d.whole() })
}

// defaults reads values.yml and the schema of every unit.
func (l *linter) defaults(u *unit) {
	file, text := u.file(u.defaults), u.p.ConfigValues.Text()
	v, err := l.budget.ParseOne(text)
	values, isMap := v.(*yamlx.Map)
	if err == nil && v != nil && !isMap {
		err = &yamlx.Error{Line: 1, Message: "values must be keys with values, found " + yamlx.Describe(v)}
	}
	switch {
	case err != nil:
		l.fail(file, err)
	case isMap:
		u.values, u.places, u.readable = values, placesOf(text), true
		l.twice(file, u.places)
		l.ambiguities(file, text)
	default:
		u.readable = true
	}
	switch text := u.p.Schema(); {
	case text != nil:
		u.declared = describedBy(text)
		if _, err := schema.Check(text, yamlx.NewMap()); err != nil {
			l.fail(u.file(skipper.SchemaFile), err)
		}
	case len(u.p.Templates) > 0:
		l.add(Warning, u.file(skipper.SchemaFile), 0, "there is none, so that misspelt values are not found")
	}
	for _, d := range u.units {
		l.defaults(d)
	}
}

// placesOf gives the places of a text that could be read.
func placesOf(text string) yamlx.Places {
	places, _ := yamlx.ParsePlaces(text)
	return places
}

// ambiguities warns of what others read otherwise.
func (l *linter) ambiguities(file, text string) {
	if l.compared += len(text); l.compared > maxCompared {
		return
	}
	for _, a := range yamlx.Ambiguities(text) {
		l.add(Warning, file, a.Line, a.Message)
	}
}

// violations reports values that do not fit a schema, where they stand.
func (l *linter) violations(top *unit) {
	found, err := templates.Violations(top.p, l.overrides)
	if err != nil {
		return // reported with the schema, or by who renders
	}
	for _, v := range found {
		severity, message := Error, v.String()
		if v.Missing != "" {
			severity, message = Warning, schema.PathText(v.Path)+" has no default value, and must be given"
			l.unanswered = true
		}
		if l.full(severity) {
			continue
		}
		file, line := l.where(top, v)
		l.add(severity, file, line, message)
	}
}

// where finds the file and line of a value: the values of the package come over those of the dependency.
func (l *linter) where(top *unit, v templates.Violation) (string, int) {
	whole := slices.Concat(v.Package, v.Path)
	around := whole
	if v.Missing != "" {
		around = whole[:len(whole)-1]
	}
	if v.Missing == "" && l.given.Has(whole...) {
		return Given, 0
	}
	candidates := []*unit{top}
	paths := [][]string{around}
	for u, rest := top, around; len(v.Package) > 0 && len(rest) > 0; {
		i := slices.IndexFunc(u.units, func(d *unit) bool { return d.p.Metadata.Name == rest[0] })
		if i < 0 {
			break
		}
		u, rest = u.units[i], rest[1:]
		candidates, paths = append(candidates, u), append(paths, rest)
	}
	for i, u := range candidates {
		last := i == len(candidates)-1
		if u.defaults != "" && (last || len(paths[i]) > 0 && u.places.Has(paths[i]...)) {
			return u.file(u.defaults), u.places.Line(paths[i]...)
		}
	}
	return candidates[len(candidates)-1].file("values.yml"), 0
}

// property is what a schema says of a value that templates use.
type property struct {
	Properties map[string]property `json:"properties"`
}

// describedBy takes from a schema which values it describes.
func describedBy(schema []byte) property {
	var all property
	// Where a schema has another form, as true for a property, nothing below it is described.
	if err := json.Unmarshal(schema, &all); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
			return property{}
		}
	}
	return all
}

// declares says whether the schema of a unit describes the value that a tag names, so that it may well be left to whoever
// installs the package.
func (u *unit) declares(name string) bool {
	at := u.declared
	for part := range strings.SplitSeq(name, ".") {
		inner, ok := at.Properties[part]
		if !ok {
			return false
		}
		at = inner
	}
	return true
}

func orElse(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}
