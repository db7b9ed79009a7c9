package templates

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/schema"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// maxViolations bounds how many violations one sentence names.
const maxViolations = 10

// Violation is one place where the values of a package, or of a dependency, do not fit its schema.
type Violation struct {
	schema.Violation

	Package []string // names of the dependencies that lead to it; empty for the package itself
}

// Violations checks the values of a package and those of the request against the schemas of the package and of its
// dependencies: merged as they are for templates, but with all that was given. An error says which values or which schema
// cannot be used.
func Violations(p skipper.Package, overrides string) ([]Violation, error) {
	over, err := parseOverrides(overrides, new(yamlx.Budget))
	if err != nil {
		return nil, err
	}
	if over == nil {
		over = yamlx.NewMap()
	}
	return violations(p, over)
}

func violations(p skipper.Package, overrides *yamlx.Map) ([]Violation, error) {
	if !hasSchema(p, 1) {
		return nil, nil
	}
	var budget yamlx.Budget
	own, err := ownValues(p, &budget)
	if err != nil {
		return nil, err
	}
	given, err := Merge(without(own, p.Dependencies), without(overrides, p.Dependencies))
	if err != nil {
		return nil, err
	}
	for _, d := range p.Dependencies {
		values, err := dependencyModel(d, own, overrides, &budget)
		if err != nil {
			return nil, err
		}
		given.Put(d.Metadata.Name, values)
	}
	return violationsOf(p, given, nil)
}

func hasSchema(p skipper.Package, depth int) bool {
	return depth <= maxPackages && (p.Schema() != nil ||
		slices.ContainsFunc(p.Dependencies, func(d skipper.Package) bool { return hasSchema(d, depth+1) }))
}

// violationsOf checks values that are merged already; deeper packages see their section of them, as their templates do.
func violationsOf(p skipper.Package, values *yamlx.Map, path []string) ([]Violation, error) {
	if len(path) > maxPackages {
		return nil, nil // rendering refuses it
	}
	var all []Violation
	if text := p.Schema(); text != nil {
		found, err := schema.Check(text, values)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "package %s: %w", p.Metadata.Name, err)
		}
		for _, v := range found {
			// The section of a dependency may be there always: the dependency itself says what may be in it.
			if !v.Unknown || len(v.Path) != 1 || !hasDependency(p, v.Path[0]) {
				all = append(all, Violation{v, path})
			}
		}
	}
	for _, d := range p.Dependencies {
		section, _ := values.Get(d.Metadata.Name)
		inner, ok := section.(*yamlx.Map)
		if !ok {
			inner = yamlx.NewMap()
		}
		found, err := violationsOf(d, inner, append(slices.Clone(path), d.Metadata.Name))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func hasDependency(p skipper.Package, name string) bool {
	return slices.ContainsFunc(p.Dependencies, func(d skipper.Package) bool { return d.Metadata.Name == name })
}

// checkValues refuses values that do not fit the schemas of a package, in one sentence.
func checkValues(p skipper.Package, overrides *yamlx.Map) error {
	found, err := violations(p, overrides)
	if err != nil || len(found) == 0 {
		return err
	}
	parts := []string{}
	for i, v := range found {
		if i == maxViolations {
			parts = append(parts, fmt.Sprintf("and %d more", len(found)-maxViolations))
			break
		}
		v.Path = slices.Concat(v.Package, v.Path)
		parts = append(parts, v.String())
	}
	return skipper.Errorf(skipper.CodeInvalid, "the values do not fit %s of package %s: %s",
		skipper.SchemaFile, p.Metadata.Name, strings.Join(parts, "; "))
}
