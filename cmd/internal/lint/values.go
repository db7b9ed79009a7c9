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
	merged, err := templates.Values(top.p, l.overrides)
	if err != nil {
		l.fail(top.file(orElse(top.defaults, "values.yml")), err)
		return
	}
	l.violations(top)
	l.seen = true
	l.templates(top, merged)
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
	if u.defaults != "" {
		if _, err := yamlx.ParseMap(u.p.ConfigValues.Text()); err != nil {
			return false
		}
	}
	return u.described && len(u.units) == len(u.p.Dependencies) &&
		!slices.ContainsFunc(u.units, func(d *unit) bool { return !d.whole() })
}

// defaults checks that values.yml and the schema of every unit can be read.
func (l *linter) defaults(u *unit) {
	if u.defaults != "" {
		file, text := u.file(u.defaults), u.p.ConfigValues.Text()
		v, err := yamlx.ParseOne(text)
		if _, isMap := v.(*yamlx.Map); err == nil && v != nil && !isMap {
			err = &yamlx.Error{Line: 1, Message: "values must be keys with values, found " + yamlx.Describe(v)}
		}
		if err != nil {
			l.fail(file, err)
		}
		l.twice(file, text)
	}
	switch text := u.p.Schema(); {
	case text != nil:
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
	if over, err := yamlx.ParsePlaces(l.overrides); err == nil && v.Missing == "" && over.Has(whole...) {
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
		places, err := yamlx.ParsePlaces(u.p.ConfigValues.Text())
		last := i == len(candidates)-1
		if err == nil && u.defaults != "" && (last || len(paths[i]) > 0 && places.Has(paths[i]...)) {
			return u.file(u.defaults), places.Line(paths[i]...)
		}
	}
	return candidates[len(candidates)-1].file("values.yml"), 0
}

// unused warns of default values that no template names.
func (l *linter) unused(u *unit) {
	own, err := yamlx.ParseMap(u.p.ConfigValues.Text())
	if err == nil && u.defaults != "" {
		places, err := yamlx.ParsePlaces(u.p.ConfigValues.Text())
		if err == nil {
			for _, path := range u.idle(own, nil) {
				l.add(Warning, u.file(u.defaults), places.Line(path...), schema.PathText(path)+" is used by no template")
			}
		}
	}
	for _, d := range u.units {
		l.unused(d)
	}
}

// idle lists the paths of values that are not used, the whole of a map where nothing of it is.
func (u *unit) idle(m *yamlx.Map, path []string) [][]string {
	var all [][]string
	for _, e := range m.Entries() {
		at := append(slices.Clone(path), yamlx.Text(e.Key))
		inner, ok := e.Value.(*yamlx.Map)
		switch {
		case ok && inner.Len() > 0:
			below := u.idle(inner, at)
			if len(below) > 0 && !u.uses(at) && u.none(inner, at) {
				below = [][]string{at}
			}
			all = append(all, below...)
		case !u.uses(at):
			all = append(all, at)
		}
	}
	return all
}

// none says that nothing of a map is used.
func (u *unit) none(m *yamlx.Map, path []string) bool {
	for _, e := range m.Entries() {
		at := append(slices.Clone(path), yamlx.Text(e.Key))
		if inner, ok := e.Value.(*yamlx.Map); ok && inner.Len() > 0 {
			if !u.none(inner, at) {
				return false
			}
		} else if u.uses(at) {
			return false
		}
	}
	return true
}

// uses says whether a template may name a value: by its path, by the end of it in a section, or in a loop around it.
func (u *unit) uses(path []string) bool {
	for _, tag := range u.tags {
		name, loop := strings.CutSuffix(tag.Name, ".entrySet")
		if tag.Name == "entrySet" || name == "." || name == "this" {
			return true
		}
		for from := range path {
			for to := from + 1; to <= len(path); to++ {
				if name == strings.Join(path[from:to], ".") && (to == len(path) || loop || !tag.Section) {
					return true
				}
			}
		}
	}
	for _, d := range u.units {
		if d.p.Metadata.Name == path[0] && (len(path) == 1 || d.uses(path[1:])) {
			return true
		}
	}
	return false
}

// declared says whether the schema of a unit describes the value that a tag names, so that it may well be left to
// whoever installs the package.
func (u *unit) declared(name string) bool {
	type node struct {
		Properties map[string]node `json:"properties"`
	}
	var at node
	// Where a schema has another form, as true for a property, nothing below it is described.
	if err := json.Unmarshal(u.p.Schema(), &at); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
			return false
		}
	}
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
