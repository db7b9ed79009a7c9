package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// delimiter joins the segments of a key inside the package; account names may hold the dot.
const delimiter = "/"

// wildcard stands for the name of an account, a repository or another entry of a map.
const wildcard = "*"

// remainder stands for all that is left of a key, dots included.
const remainder = "**"

// input is all that can be set: the configuration, and Skipper's keys that become part of it after the merge.
type input struct {
	Config `koanf:",squash"`

	Spring struct {
		Datasource datasource `koanf:"datasource"`
	} `koanf:"spring"`
}

// setting is one key in one of its spellings.
type setting struct {
	path    []string     // of the value, as platform local accounts * hostname
	spelled []string     // as it is written; other than path for Skipper's keys
	kind    reflect.Type // of the value
	spring  bool         // the environment variable has no SKIFF_ before it
	millis  bool         // a bare number is milliseconds
}

// settings derives all known keys from the fields of input: skiff's first, then Skipper's names for the same values.
func settings() []setting {
	own := fields(reflect.TypeFor[input](), nil)
	all := slices.Clone(own)
	for _, a := range aliases() {
		ours, theirs := strings.Split(a.ours, "."), strings.Split(a.theirs, ".")
		for _, s := range own {
			if len(s.path) >= len(ours) && slices.Equal(s.path[:len(ours)], ours) {
				s.spelled = slices.Concat(theirs, s.path[len(ours):])
				s.spring, s.millis = true, a.millis
				all = append(all, s)
			}
		}
	}
	return all
}

func fields(t reflect.Type, path []string) []setting {
	switch {
	case t == reflect.TypeFor[Properties]():
		return fields(t.Elem(), slices.Concat(path, []string{remainder}))
	case t.Kind() == reflect.Map:
		return fields(t.Elem(), slices.Concat(path, []string{wildcard}))
	case t.Kind() != reflect.Struct:
		return []setting{{
			path: path, spelled: path, kind: t, spring: path[0] == "spring", millis: path[0] == "maven",
		}}
	}
	var all []setting
	for f := range t.Fields() {
		if name, ok := keyOf(f); ok {
			all = append(all, fields(f.Type, slices.Concat(path, name))...)
		}
	}
	return all
}

// keyOf gives the segments a field adds to a key: none when it is embedded; false when it cannot be set.
func keyOf(f reflect.StructField) ([]string, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("koanf"), ",")
	if name == "" {
		return nil, true
	}
	return []string{name}, name != "-"
}

// leaves flattens a struct to its values by path; nil pointers are left out.
func leaves(v reflect.Value, path []string) map[string]any {
	all := map[string]any{}
	switch {
	case v.Kind() == reflect.Struct:
		for f, value := range v.Fields() {
			if name, ok := keyOf(f); ok {
				maps.Copy(all, leaves(value, slices.Concat(path, name)))
			}
		}
	case v.Kind() == reflect.Map:
		for name, value := range v.Seq2() {
			maps.Copy(all, leaves(value, slices.Concat(path, []string{name.String()})))
		}
	case v.Kind() != reflect.Pointer:
		all[strings.Join(path, delimiter)] = v.Interface()
	case !v.IsNil():
		all[strings.Join(path, delimiter)] = v.Elem().Interface()
	}
	return all
}

// display writes a path as a key for people.
func display(path []string) string {
	segments := make([]string, len(path))
	for i, s := range path {
		segments[i] = s
		if strings.Contains(s, ".") {
			segments[i] = "[" + s + "]"
		}
	}
	return strings.Join(segments, ".")
}

// relaxed is what Spring compares of a name: port-range, portRange and PORT_RANGE are the same.
func relaxed(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
}

// asText writes a value of Properties: what is no single value as JSON, which is YAML too.
func asText(raw any) (any, error) {
	switch raw.(type) {
	case []any, map[string]any:
		text, err := json.Marshal(raw)
		return string(text), because(err, "cannot be read")
	default:
		return raw, nil
	}
}

// convert reads a value of the kind from YAML's scalars and lists, or from text. Errors say what is expected.
func convert(raw any, kind reflect.Type, millis bool) (any, error) {
	if kind.Kind() == reflect.Slice {
		return list(raw)
	}
	text, err := scalar(raw)
	if err != nil {
		return nil, err
	}
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case kind == reflect.TypeFor[time.Duration]():
		return duration(text, millis)
	case kind == reflect.TypeFor[Bytes]():
		return bytesOf(text)
	case kind.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		return n, because(err, "must be a whole number")
	case kind.Kind() == reflect.Bool:
		return boolean(text)
	default:
		return text, nil
	}
}

// because replaces an error whose words are of no use to people, and which may hold a secret.
func because(err error, sentence string) error {
	if err == nil {
		return nil
	}
	return errors.New(sentence)
}

func scalar(raw any) (string, error) {
	switch v := raw.(type) {
	case string:
		return v, nil
	case []any, map[string]any:
		return "", errors.New("must be a single value")
	default:
		return fmt.Sprint(v), nil
	}
}

func list(raw any) ([]string, error) {
	items, ok := raw.([]any)
	if !ok {
		text, err := scalar(raw)
		if err != nil {
			return nil, errors.New("must be a list, or text with commas")
		}
		for part := range strings.SplitSeq(text, ",") {
			items = append(items, part)
		}
	}
	texts := []string{}
	for _, item := range items {
		text, err := scalar(item)
		if err != nil {
			return nil, errors.New("must be a list of single values")
		}
		if text = strings.TrimSpace(text); text != "" {
			texts = append(texts, text)
		}
	}
	return texts, nil
}

func duration(text string, millis bool) (time.Duration, error) {
	unit := time.Second
	if millis {
		unit = time.Millisecond
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * unit, nil
	}
	d, err := time.ParseDuration(text)
	return d, because(err, "must be a time such as 5s, 2m or 1h30m")
}

func boolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "y", "1":
		return true, nil
	case "false", "no", "off", "n", "0":
		return false, nil
	default:
		return false, errors.New("must be true or false")
	}
}
