package templates

import (
	"errors"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// countKey is the deployment property with the number of instances.
const countKey = "spring.cloud.deployer.count"

// maxPackages bounds how deep packages may hold each other.
const maxPackages = 16

// checkTemplates bounds the templates of a package and of its dependencies together.
func checkTemplates(p skipper.Package) error {
	if size := templatesSize(p, 1); size > maxTemplates {
		return skipper.Errorf(skipper.CodeInvalid, "the templates of package %s have %d bytes with those of its dependencies; "+
			"at most %d are allowed", p.Metadata.Name, size, maxTemplates)
	}
	return nil
}

func templatesSize(p skipper.Package, depth int) int {
	size := 0
	for _, t := range p.Templates {
		size += len(t.Name) + len(t.Data)
	}
	if depth > maxPackages {
		return size // refused when it is rendered
	}
	for _, d := range p.Dependencies {
		size += templatesSize(d, depth+1)
	}
	return size
}

// Render gives the manifest of a package: its templates, then those of its dependencies, each with the values of
// skipper-core.md 7.1, read as YAML and written again in the manifest's own layout. overrides is the YAML text of the
// request's values; one with only comments counts as none.
func Render(p skipper.Package, overrides string) (string, error) {
	values, err := modelOf(p, overrides, checkValues)
	if err != nil {
		return "", err
	}
	text, err := render(p, values)
	return text, locate(err, p, overrides)
}

// RenderWithCounts renders a package as Render and carries instance counts over: counts holds them by application name.
// As in Skipper, a count is only set where the values have deployment properties. An application is found by its exact
// name; when a package renders several, they share its values, and the first that has a count decides.
func RenderWithCounts(p skipper.Package, overrides string, counts map[string]int) (string, error) {
	values, err := modelOf(p, overrides, checkValues)
	if err != nil {
		return "", err
	}
	if len(p.Dependencies) == 0 {
		if values, err = withCount(p, values, counts); err != nil {
			return "", locate(err, p, overrides)
		}
	}
	for _, d := range p.Dependencies {
		section, ok := values.Get(d.Metadata.Name)
		inner, isMap := section.(*yamlx.Map)
		if !ok || !isMap {
			continue
		}
		if inner, err = withCount(d, inner, counts); err != nil {
			return "", locate(err, p, overrides)
		}
		values.Put(d.Metadata.Name, inner)
	}
	text, err := render(p, values)
	return text, locate(err, p, overrides)
}

// modelOf gives the values that the templates of a package see; check may refuse those of the request before.
func modelOf(p skipper.Package, overrides string, check func(skipper.Package, *yamlx.Map) error) (*yamlx.Map, error) {
	if err := checkTemplates(p); err != nil {
		return nil, err
	}
	var budget yamlx.Budget
	over, err := parseOverrides(overrides, &budget)
	if err != nil {
		return nil, err
	}
	if over == nil {
		over = yamlx.NewMap()
	}
	if err := check(p, over); err != nil {
		return nil, locate(err, p, overrides)
	}
	values, err := model(p, over, &budget)
	return values, locate(err, p, overrides)
}

// withCount sets the count of the application that a package renders with some values, if it has one.
func withCount(p skipper.Package, values *yamlx.Map, counts map[string]int) (*yamlx.Map, error) {
	spec, _ := values.Get("spec")
	specMap, ok := spec.(*yamlx.Map)
	if !ok {
		return values, nil
	}
	if properties, _ := specMap.Get("deploymentProperties"); !isMap(properties) {
		return values, nil
	}
	documents, err := documents(p, values)
	if err != nil {
		return nil, err
	}
	for _, document := range documents {
		if count, ok := counts[nameOf(document)]; ok {
			return Merge(values, mapOf("spec", mapOf("deploymentProperties", mapOf(countKey, strconv.Itoa(count)))))
		}
	}
	return values, nil
}

func isMap(v yamlx.Value) bool {
	_, ok := v.(*yamlx.Map)
	return ok
}

func mapOf(key string, value yamlx.Value) *yamlx.Map {
	m := yamlx.NewMap()
	m.Put(key, value)
	return m
}

// nameOf gives metadata.name of a document; empty when it has none.
func nameOf(document yamlx.Value) string {
	root, ok := document.(*yamlx.Map)
	if !ok {
		return ""
	}
	metadata, _ := root.Get("metadata")
	m, ok := metadata.(*yamlx.Map)
	if !ok {
		return ""
	}
	name, _ := m.Get("name")
	return yamlx.Text(name)
}

func render(p skipper.Package, values *yamlx.Map) (string, error) {
	all, err := documents(p, values)
	if err != nil {
		return "", err
	}
	text, ok := yamlx.DumpWithin(all, maxOutput)
	if !ok {
		return "", tooMuch()
	}
	return text, nil
}

// documents renders the templates of a package and of its dependencies, and reads what they came to.
func documents(p skipper.Package, values *yamlx.Map) ([]yamlx.Value, error) {
	root, err := newDict(values)
	if err != nil {
		return nil, err
	}
	var a assembly
	if err := a.add(p, root, 1); err != nil {
		return nil, err
	}
	all, err := yamlx.Parse(a.out.String())
	if err != nil {
		return nil, a.explain(err)
	}
	return all, nil
}

// assembly is the text of all templates of a package.
type assembly struct {
	renderer
	lines   int
	sources []rendered
}

// rendered remembers where the text of a template stands, so that errors can name it.
type rendered struct {
	name   string // of the template, and of its package where that is a dependency
	data   string
	values *dict
	line   int // of its first line in the whole, from 1
	start  int // of its first byte
	end    int
}

func (a *assembly) add(p skipper.Package, values *dict, depth int) error {
	if depth > maxPackages {
		return skipper.Errorf(skipper.CodeInvalid, "packages hold each other deeper than %d", maxPackages)
	}
	for _, t := range p.Templates {
		name := t.Name
		if depth > 1 {
			name += " of package " + p.Metadata.Name
		}
		a.out.WriteString("\n---\n# Source: " + strings.Map(oneLine, t.Name) + "\n")
		a.lines += 3
		source := rendered{name: name, data: t.Data, values: values, line: a.lines + 1, start: a.out.Len()}
		if err := a.template(t.Data, values); err != nil {
			return skipper.Errorf(skipper.CodeInvalid, "template %s, %w", name, err)
		}
		source.end = a.out.Len()
		a.lines += strings.Count(a.out.String()[source.start:], "\n")
		a.sources = append(a.sources, source)
	}
	for _, d := range p.Dependencies {
		if err := a.add(d, values.sub(d.Metadata.Name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(c rune) rune {
	if c < ' ' {
		return ' '
	}
	return c
}

// explain tells which template a YAML error is in, on which line of it, and which variables it may come from.
func (a *assembly) explain(err error) error {
	wrong, ok := errors.AsType[*yamlx.Error](err)
	if !ok {
		return err
	}
	var source rendered
	for _, s := range a.sources {
		if s.line <= max(wrong.Line, 1) || source.name == "" {
			source = s
		}
	}
	if wrong.Line == 0 || source.name == "" {
		return skipper.Errorf(skipper.CodeInvalid, "the templates render to text that is not valid YAML: %s", wrong.Message)
	}
	t := traceLine(source.data, source.values, a.out.String()[source.start:source.end], wrong.Line-source.line)
	return skipper.Errorf(skipper.CodeInvalid, "template %s renders to text that is not valid YAML: line %d%s: %s",
		source.name, t.line, t.causes(), wrong.Message)
}
