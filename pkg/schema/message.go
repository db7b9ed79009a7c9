package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

// plain turns values into what the library takes. What aliases repeat stays one.
func plain(values *yamlx.Map) any {
	done := map[yamlx.Value]any{}
	var convert func(v yamlx.Value) any
	convert = func(v yamlx.Value) any {
		switch v := v.(type) {
		case *yamlx.Map:
			if done[v] == nil {
				object := make(map[string]any, v.Len())
				for _, e := range v.Entries() {
					object[yamlx.Text(e.Key)] = convert(e.Value)
				}
				done[v] = object
			}
			return done[v]
		case *yamlx.List:
			if done[v] == nil {
				list := make([]any, len(v.Items))
				for i, item := range v.Items {
					list[i] = convert(item)
				}
				done[v] = list
			}
			return done[v]
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return yamlx.Text(v)
			}
			return v
		case *big.Int:
			return json.Number(v.String())
		case time.Time, []byte:
			return yamlx.Text(v)
		default:
			return v
		}
	}
	return convert(values)
}

// violations lists what a check found, one for each place and reason.
func violations(failed *jsonschema.ValidationError) []Violation {
	var all []Violation
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		switch e.ErrorKind.(type) {
		case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
			for _, cause := range e.Causes {
				walk(cause)
			}
		default:
			all = append(all, sentences(e)...)
		}
	}
	walk(failed)
	return sorted(all)
}

// sorted brings violations in the order of their texts, each once.
func sorted(all []Violation) []Violation {
	byText := make(map[string]Violation, len(all))
	for _, v := range all {
		byText[v.String()] = v
	}
	all = all[:0]
	for _, text := range slices.Sorted(maps.Keys(byText)) {
		all = append(all, byText[text])
	}
	return all
}

// sentences says what one keyword of a schema wants. No value is shown: it may be a secret.
func sentences(e *jsonschema.ValidationError) []Violation {
	at := slices.Clone(e.InstanceLocation)
	one := func(format string, args ...any) []Violation {
		return []Violation{{Path: at, Message: fmt.Sprintf(format, args...)}}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		var all []Violation
		for _, name := range k.Missing {
			all = append(all, Violation{Path: append(slices.Clone(at), name), Message: "must be given", Missing: name})
		}
		return all
	case *kind.AdditionalProperties:
		var all []Violation
		for _, name := range k.Properties {
			all = append(all, Violation{Path: append(slices.Clone(at), name), Message: "is not a known key", Unknown: true})
		}
		return all
	case *kind.PropertyNames:
		return []Violation{{Path: append(at, k.Property), Message: "is not an allowed key"}}
	case *kind.FalseSchema:
		return one("must not be given")
	case *kind.Type:
		if slices.Contains(k.Want, "string") && slices.Contains([]string{"integer", "number", "boolean"}, k.Got) {
			return one("must be %s, found %s; put it in quotes", either(k.Want, typeName), typeName(k.Got))
		}
		return one("must be %s, found %s", either(k.Want, typeName), typeName(k.Got))
	case *kind.Enum:
		return one("must be %s", either(k.Want, literal))
	case *kind.Const:
		return one("must be %s", literal(k.Want))
	case *kind.Pattern:
		return one("must match the pattern %s", k.Want)
	case *kind.Format:
		return one("must be a valid %s", k.Want)
	case *kind.DependentRequired:
		return one("needs %s beside %s", either(k.Missing, quoted), k.Prop)
	case *kind.Dependency:
		return one("needs %s beside %s", either(k.Missing, quoted), k.Prop)
	case *kind.AnyOf:
		return one("fits none of the allowed forms")
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return one("fits more than one of the forms of which it must have exactly one")
		}
		return one("fits none of the allowed forms")
	case *kind.Not:
		return one("has a form that is not allowed")
	case *kind.RefCycle:
		return one("is described by a $ref that leads back to itself")
	default:
		return one("%s", size(e.ErrorKind))
	}
}

// size says what the keywords of sizes and numbers want.
func size(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return "must be at least " + rational(k.Want)
	case *kind.Maximum:
		return "must be at most " + rational(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be above " + rational(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be below " + rational(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + rational(k.Want)
	case *kind.MinLength:
		return bounds("least", k.Want, k.Got, "character")
	case *kind.MaxLength:
		return bounds("most", k.Want, k.Got, "character")
	case *kind.MinItems:
		return bounds("least", k.Want, k.Got, "item")
	case *kind.MaxItems:
		return bounds("most", k.Want, k.Got, "item")
	case *kind.MinProperties:
		return bounds("least", k.Want, k.Got, "key")
	case *kind.MaxProperties:
		return bounds("most", k.Want, k.Got, "key")
	case *kind.UniqueItems:
		return fmt.Sprintf("must not have equal items; items %d and %d are", k.Duplicates[0]+1, k.Duplicates[1]+1)
	case *kind.Contains, *kind.MinContains:
		return "has too few items of the form it must contain"
	case *kind.MaxContains:
		return "has too many items of a form it may contain"
	case *kind.AdditionalItems:
		return "has more items than allowed"
	default:
		return "does not fit the schema's " + strings.Join(k.KeywordPath(), " ")
	}
}

// bounds says how many things there may be.
func bounds(at string, want, got int, thing string) string {
	if want != 1 {
		thing += "s"
	}
	return fmt.Sprintf("must have at %s %d %s, has %d", at, want, thing, got)
}

func rational(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return fmt.Sprint(f)
}

func typeName(name string) string {
	names := map[string]string{
		"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
		"object": "keys with values", "array": "a list", "null": "nothing",
	}
	return names[name]
}

func literal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "what the schema says"
	}
	return string(text)
}

func quoted(name string) string { return name }

// either lists alternatives, at most ten of them.
func either[T any](all []T, name func(T) string) string {
	const most = 10
	names := make([]string, 0, len(all))
	for i, v := range all {
		if i == most {
			names = append(names, fmt.Sprintf("one of %d others", len(all)-most))
			break
		}
		names = append(names, name(v))
	}
	return strings.Join(names, " or ")
}

// PathText writes a path as people do: keys with dots between them, a key with a dot in brackets, a long one cut.
func PathText(path []string) string {
	const longest = 100
	var b strings.Builder
	for i, key := range path {
		if len(key) > longest {
			key = strings.ToValidUTF8(key[:longest], "") + "…"
		}
		switch {
		case strings.ContainsAny(key, ".[] ") || key == "":
			fmt.Fprintf(&b, "[%s]", key)
		case i > 0:
			b.WriteString("." + key)
		default:
			b.WriteString(key)
		}
	}
	return b.String()
}
