package kubernetes

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

// bind reads YAML text, as it stands in a property, into a type of Kubernetes, the way Spring binds it: names of fields in
// camel or kebab case and in any case, and texts for numbers and booleans (readOnly: 'true').
func bind(text string, into any) error {
	document, err := yamlx.ParseOne(text)
	if err != nil {
		return err
	}
	return fill(reflect.ValueOf(into).Elem(), yamlx.Simple(document), "")
}

func fill(v reflect.Value, raw any, at string) error {
	if raw == nil {
		return nil
	}
	if u, ok := reflect.TypeAssert[json.Unmarshaler](v.Addr()); ok {
		text, err := json.Marshal(raw)
		if err == nil {
			err = u.UnmarshalJSON(text)
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", place(at), err)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), raw, at)
	case reflect.Struct:
		return fillStruct(v, raw, at)
	case reflect.Slice:
		return fillSlice(v, raw, at)
	case reflect.Map:
		return fillMap(v, raw, at)
	default:
		return fillScalar(v, raw, at)
	}
}

func fillStruct(v reflect.Value, raw any, at string) error {
	object, ok := raw.(map[string]any)
	if !ok {
		return fmt.Errorf("%s must have fields, found %v", place(at), raw)
	}
	for name, value := range object {
		field, ok := fieldNamed(v, name)
		if !ok {
			return fmt.Errorf("%s has no field %q", place(at), name)
		}
		if err := fill(field, value, strings.TrimPrefix(at+"."+name, ".")); err != nil {
			return err
		}
	}
	return nil
}

// fieldNamed finds a field by the name in its JSON; those of embedded structs are as its own.
func fieldNamed(v reflect.Value, name string) (reflect.Value, bool) {
	for f, value := range v.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" && f.Anonymous {
			if inner, ok := fieldNamed(value, name); ok {
				return inner, true
			}
		} else if tag != "-" && canonical(tag) == canonical(name) {
			return value, true
		}
	}
	return reflect.Value{}, false
}

func fillSlice(v reflect.Value, raw any, at string) error {
	list, ok := raw.([]any)
	if !ok {
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Errorf("%s cannot be given here", place(at))
		}
		list = []any{raw} // one is as good as a list of one
		if text, ok := raw.(string); ok && v.Type().Elem().Kind() == reflect.String {
			list = nil
			for item := range strings.SplitSeq(text, ",") {
				list = append(list, strings.TrimSpace(item))
			}
		}
	}
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, item := range list {
		if err := fill(out.Index(i), item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func fillMap(v reflect.Value, raw any, at string) error {
	object, ok := raw.(map[string]any)
	if !ok {
		return fmt.Errorf("%s must have entries, found %v", place(at), raw)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(object))
	for name, item := range object {
		value := reflect.New(v.Type().Elem()).Elem()
		if err := fill(value, item, at+"."+name); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), value)
	}
	v.Set(out)
	return nil
}

func fillScalar(v reflect.Value, raw any, at string) error {
	text := fmt.Sprint(raw)
	switch raw.(type) {
	case map[string]any, []any:
		return fmt.Errorf("%s must be one value", place(at))
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		on, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return fmt.Errorf("%s must be true or false, found %q", place(at), text)
		}
		v.SetBool(on)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%s must be a number, found %q", place(at), text)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("%s cannot be given here", place(at))
	}
	return nil
}

func place(at string) string {
	if at == "" {
		return "the value"
	}
	return at
}

// structured reads a property that holds YAML; false where it is not set. Skipper's sentence names what cannot be read.
func structured[T any](s *settings, from values, name string) (T, bool) {
	var out T
	text := from.text(name)
	if text == "" {
		return out, false
	}
	if err := bind(text, &out); err != nil {
		s.problem("Invalid binding property '%s': %w", text, err)
		return out, false
	}
	return out, true
}

// listOf reads a list of structures: as YAML, or item by item. The items are in the order given.
func listOf[T any](s *settings, from values, name string) []T {
	if list, ok := structured[[]T](s, from, name); ok {
		return list
	}
	var out []T
	for i := 0; ; i++ {
		key := fmt.Sprintf("%s[%d]", name, i)
		if one, ok := structured[T](s, from, key); ok {
			out = append(out, one)
			continue
		}
		fields := from.below(key)
		if len(fields) == 0 {
			return out
		}
		out = append(out, dotted[T](s, fields, key))
	}
}

// dotted reads a structure whose fields are properties of their own, as init-container.image-name.
func dotted[T any](s *settings, fields values, name string) T {
	tree := map[string]any{}
	for key, value := range fields {
		node := tree
		parts := strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			next, ok := node[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				node[part] = next
			}
			node = next
		}
		var parsed any = value
		if text := strings.TrimSpace(value); strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
			if document, err := yamlx.ParseOne(text); err == nil {
				parsed = yamlx.Simple(document)
			}
		}
		node[parts[len(parts)-1]] = parsed
	}
	var out T
	if err := fill(reflect.ValueOf(&out).Elem(), tree, name); err != nil {
		s.problem("Invalid binding property '%s': %w", name, err)
	}
	return out
}
