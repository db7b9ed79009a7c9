package templates

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Merge puts values over others, deep: maps are merged, lists get the items they do not have, anything else replaces.
// Neither argument is changed.
func Merge(base, over *yamlx.Map) (*yamlx.Map, error) {
	merged := yamlx.NewMap()
	for _, e := range base.Entries() {
		merged.Put(e.Key, e.Value)
	}
	for _, e := range over.Entries() {
		key, ok := e.Key.(string)
		if !ok {
			return nil, keyError(e.Key)
		}
		old, _ := merged.Get(key)
		v, err := mergeValue(old, e.Value)
		if err != nil {
			return nil, err
		}
		merged.Put(key, v)
	}
	return merged, nil
}

func mergeValue(base, over yamlx.Value) (yamlx.Value, error) {
	switch over := over.(type) {
	case *yamlx.Map:
		if base, ok := base.(*yamlx.Map); ok && !base.Set && !over.Set { // a set is no map in Java
			return Merge(base, over)
		}
	case *yamlx.List:
		if base, ok := base.(*yamlx.List); ok {
			return yamlx.Union(base, over), nil
		}
	}
	return over, nil
}

// valueError says what is wrong with values that are read and merged; locate finds out where it stands.
type valueError struct {
	message string
	path    []string // of the keys that lead to it; none when a key is wrong, which has no path of text
	file    bool     // it stands in the values of the package, not in those of the request
}

func (e *valueError) Error() string { return "values: " + e.message }

func keyError(key yamlx.Value) error {
	return skipper.Errorf(skipper.CodeInvalid, "%w",
		&valueError{message: fmt.Sprintf("the key %s is not a text; put it in quotes", yamlx.Text(key))})
}

// locate adds to an error about values which text it is in, and the line.
func locate(err error, p skipper.Package, overrides string) error {
	wrong, ok := errors.AsType[*valueError](err)
	if !ok {
		return err
	}
	if len(wrong.path) > 0 {
		where, text := "the values of the request", overrides
		if wrong.file {
			where, text = valuesOf(p), p.ConfigValues.Text()
		}
		places, _ := yamlx.ParsePlaces(text) // it was read before
		return skipper.Errorf(skipper.CodeInvalid, "%s, line %d: %s", where, places.Line(wrong.path...), wrong.message)
	}
	if place, found := oddKey(overrides); found {
		return skipper.Errorf(skipper.CodeInvalid, "the values of the request, line %d: %s", place.Line, wrong.message)
	}
	for _, q := range append([]skipper.Package{p}, p.Dependencies...) {
		if place, found := oddKey(q.ConfigValues.Text()); found {
			return skipper.Errorf(skipper.CodeInvalid, "%s, line %d: %s", valuesOf(q), place.Line, wrong.message)
		}
	}
	return err
}

func oddKey(text string) (yamlx.Place, bool) {
	places, err := yamlx.ParsePlaces(text)
	if err != nil {
		return yamlx.Place{}, false
	}
	return places.NoText()
}

func valuesOf(p skipper.Package) string { return "values.yml of package " + p.Metadata.Name }

// MergeOverrides gives the values of an upgrade: those of the request over those the release has. Without any in the
// request there are none, as in Skipper.
func MergeOverrides(previousRaw, newRaw string) (string, error) {
	var budget yamlx.Budget
	previous, err := parseOverrides(previousRaw, &budget)
	if err != nil {
		return "", err
	}
	next, err := parseOverrides(newRaw, &budget)
	switch {
	case err != nil:
		return "", err
	case next == nil:
		return "", nil
	case previous == nil:
		return newRaw, nil
	}
	merged, err := Merge(previous, next)
	if err != nil {
		return "", locate(err, skipper.Package{}, newRaw)
	}
	return yamlx.Plain(merged), nil
}

// parseOverrides reads the values of a request; nil when the text is blank or has only comments.
func parseOverrides(raw string, budget *yamlx.Budget) (*yamlx.Map, error) {
	v, err := budget.ParseOne(raw)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the values of the request are not valid YAML: %w", err)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *yamlx.Map:
		return v, nil
	default:
		// Clients know this sentence, class name, missing space and all.
		return nil, skipper.Errorf(skipper.CodeInvalid, "Was expecting override values to produce a Map, "+
			"instead got class = class %soverrideValues.getRaw() = %s", javaClass(v), raw)
	}
}

func javaClass(v yamlx.Value) string {
	switch v := v.(type) {
	case *yamlx.List:
		return "java.util.ArrayList"
	case bool:
		return "java.lang.Boolean"
	case int64:
		if v == int64(int32(v)) { //nolint:gosec // the question is whether it fits
			return "java.lang.Integer"
		}
		return "java.lang.Long"
	case *big.Int:
		return "java.math.BigInteger"
	case float64:
		return "java.lang.Double"
	case time.Time:
		return "java.util.Date"
	case []byte:
		return "[B"
	default:
		return "java.lang.String"
	}
}

// ownValues reads the values file of a package; empty without one.
func ownValues(p skipper.Package, budget *yamlx.Budget) (*yamlx.Map, error) {
	v, err := budget.ParseOne(p.ConfigValues.Text())
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "%s is not valid YAML: %w", valuesOf(p), err)
	}
	switch v := v.(type) {
	case nil:
		return yamlx.NewMap(), nil
	case *yamlx.Map:
		return v, nil
	default:
		places, _ := yamlx.ParsePlaces(p.ConfigValues.Text()) // it was read right now
		return nil, skipper.Errorf(skipper.CodeInvalid, "Config Values that are not a map are not yet supported. "+
			"%s, line %d: write keys with values; found %s", valuesOf(p), places.Line(), yamlx.Describe(v))
	}
}

// model gives the values the templates of a package see: the package's own under those of the request, and for each
// dependency its own values under its sections in the package and in the request (skipper-core.md 7.1).
func model(p skipper.Package, overrides *yamlx.Map, budget *yamlx.Budget) (*yamlx.Map, error) {
	own, err := ownValues(p, budget)
	if err != nil {
		return nil, err
	}
	top, err := Merge(without(own, p.Dependencies), overrides)
	if err != nil || len(p.Dependencies) == 0 {
		return top, err
	}
	unsorted := map[string]yamlx.Value{}
	for _, e := range top.Entries() {
		key, _ := e.Key.(string)
		_, isMap := e.Value.(*yamlx.Map)
		if _, known := own.Get(key); known && !isMap {
			unsorted[key] = e.Value
		}
	}
	for _, d := range p.Dependencies {
		if unsorted[d.Metadata.Name], err = dependencyModel(d, own, overrides, budget); err != nil {
			return nil, err
		}
	}
	sorted := yamlx.NewMap()
	for _, key := range slices.Sorted(maps.Keys(unsorted)) {
		sorted.Put(key, unsorted[key])
	}
	return sorted, nil
}

func without(values *yamlx.Map, dependencies []skipper.Package) *yamlx.Map {
	names := make(map[yamlx.Value]bool, len(dependencies))
	for _, d := range dependencies {
		names[d.Metadata.Name] = true
	}
	kept := yamlx.NewMap()
	for _, e := range values.Entries() {
		if name, isText := e.Key.(string); !isText || !names[name] {
			kept.Put(e.Key, e.Value)
		}
	}
	return kept
}

func dependencyModel(d skipper.Package, parent, overrides *yamlx.Map, budget *yamlx.Budget) (*yamlx.Map, error) {
	values, err := ownValues(d, budget)
	if err != nil {
		return nil, err
	}
	for _, from := range []*yamlx.Map{parent, overrides} {
		section, given := from.Get(d.Metadata.Name)
		if !given {
			continue
		}
		over, ok := section.(*yamlx.Map)
		if !ok {
			return nil, skipper.Errorf(skipper.CodeInvalid, "%w", &valueError{
				message: fmt.Sprintf("%s is a dependency of the package, so its section must hold keys with values; found %s",
					d.Metadata.Name, yamlx.Describe(section)),
				path: []string{d.Metadata.Name}, file: from == parent,
			})
		}
		if values, err = Merge(values, over); err != nil {
			return nil, err
		}
	}
	return values, nil
}
