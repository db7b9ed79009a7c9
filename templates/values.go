package templates

import (
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
		if base, ok := base.(*yamlx.Map); ok {
			return Merge(base, over)
		}
	case *yamlx.List:
		if base, ok := base.(*yamlx.List); ok {
			return mergeList(base, over), nil
		}
	}
	return over, nil
}

func mergeList(base, over *yamlx.List) *yamlx.List {
	merged := &yamlx.List{Items: slices.Clone(base.Items)}
	for _, item := range over.Items {
		if !slices.ContainsFunc(base.Items, func(b yamlx.Value) bool { return yamlx.Equal(b, item) }) {
			merged.Items = append(merged.Items, item)
		}
	}
	return merged
}

func keyError(key yamlx.Value) error {
	return skipper.Errorf(skipper.CodeInvalid, "values: the key %s is not a text; put it in quotes", yamlx.Text(key))
}

// MergeOverrides gives the values of an upgrade: those of the request over those the release has. Without any in the
// request there are none, as in Skipper.
func MergeOverrides(previousRaw, newRaw string) (string, error) {
	previous, err := parseOverrides(previousRaw)
	if err != nil {
		return "", err
	}
	next, err := parseOverrides(newRaw)
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
		return "", err
	}
	return yamlx.Plain(merged), nil
}

// parseOverrides reads the values of a request; nil when the text is blank or has only comments.
func parseOverrides(raw string) (*yamlx.Map, error) {
	v, err := yamlx.ParseOne(raw)
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
func ownValues(p skipper.Package) (*yamlx.Map, error) {
	v, err := yamlx.ParseOne(p.ConfigValues.Text())
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "values of package %s are not valid YAML: %w", p.Metadata.Name, err)
	}
	switch v := v.(type) {
	case nil:
		return yamlx.NewMap(), nil
	case *yamlx.Map:
		return v, nil
	default:
		return nil, skipper.Errorf(skipper.CodeInvalid, "Config Values that are not a map are not yet supported.")
	}
}

// model gives the values the templates of a package see: the package's own under those of the request, and for each
// dependency its own values under its sections in the package and in the request (skipper-core.md 7.1).
func model(p skipper.Package, overrides *yamlx.Map) (*yamlx.Map, error) {
	own, err := ownValues(p)
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
		if unsorted[d.Metadata.Name], err = dependencyModel(d, own, overrides); err != nil {
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
	kept := yamlx.NewMap()
	for _, e := range values.Entries() {
		if !slices.ContainsFunc(dependencies, func(d skipper.Package) bool { return d.Metadata.Name == e.Key }) {
			kept.Put(e.Key, e.Value)
		}
	}
	return kept
}

func dependencyModel(d skipper.Package, parent, overrides *yamlx.Map) (*yamlx.Map, error) {
	values, err := ownValues(d)
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
			return nil, skipper.Errorf(skipper.CodeInvalid, "values: %s is a dependency of the package, "+
				"so its section must hold keys with values; found %s", d.Metadata.Name, yamlx.Describe(section))
		}
		if values, err = Merge(values, over); err != nil {
			return nil, err
		}
	}
	return values, nil
}
