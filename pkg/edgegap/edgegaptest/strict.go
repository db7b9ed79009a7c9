package edgegaptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// field is what a member of a JSON object may be.
type field struct {
	name     string
	kind     string // string, bool, int, number, object, array
	required bool
	null     bool
	min, max float64 // of a number, or of the length of a text or an array; max 0 is none
	enum     []string
	fields   []field // of an object; nil takes any
	items    *field  // of an array
}

// decode reads the body of a call strictly: JSON object, known fields, their types, required ones, bounds.
func (f *Fake) decode(call *request, fields []field) (map[string]any, *reply) {
	bad := func(format string, args ...any) (map[string]any, *reply) {
		refused := refuse(http.StatusBadRequest, format, args...)
		return nil, &refused
	}
	kind, _, err := mime.ParseMediaType(call.Header.Get("Content-Type"))
	if !f.options.Lenient && (err != nil || kind != "application/json") {
		return bad("Invalid Content-type, expected JSON data")
	}
	decoder := json.NewDecoder(bytes.NewReader(call.body))
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return bad("Request body is not valid JSON")
	}
	members, is := value.(map[string]any)
	if !is {
		return bad("the body is not of type 'object'")
	}
	if wrong := f.check(members, fields); wrong != "" {
		return bad("%s", wrong)
	}
	return members, nil
}

// check gives what is wrong with an object, in the words of a JSON schema; empty for nothing.
func (f *Fake) check(members map[string]any, fields []field) string {
	known := map[string]bool{}
	for _, member := range fields {
		known[member.name] = true
		value, found := members[member.name]
		switch {
		case !found && member.required:
			return fmt.Sprintf("'%s' is a required property", member.name)
		case !found:
			continue
		}
		if wrong := f.checkValue(value, member); wrong != "" {
			return wrong
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] && !f.options.Lenient {
			return fmt.Sprintf("Additional properties are not allowed ('%s' was unexpected) - '%s'", name, name)
		}
	}
	return ""
}

func (f *Fake) checkValue(value any, want field) string {
	wrong := fmt.Sprintf("not of type '%s' - '%s'", want.kind, want.name)
	size := -1.0
	switch v := value.(type) {
	case nil:
		if want.null {
			return ""
		}
		return wrong
	case string:
		if want.kind != "string" {
			return wrong
		}
		if len(want.enum) > 0 && !slices.Contains(want.enum, v) {
			return fmt.Sprintf("is not one of %s - '%s'", strings.Join(want.enum, ", "), want.name)
		}
		size = float64(utf8.RuneCountInString(v))
	case bool:
		if want.kind != "bool" {
			return wrong
		}
	case float64:
		if want.kind != "number" && (want.kind != "int" || v != math.Trunc(v)) {
			return wrong
		}
		if v < want.min || want.max != 0 && v > want.max {
			return fmt.Sprintf("%v is out of bounds - '%s'", v, want.name)
		}
	case map[string]any:
		if want.kind != "object" {
			return wrong
		}
		if want.fields != nil {
			return f.check(v, want.fields)
		}
	case []any:
		if want.kind != "array" {
			return wrong
		}
		size = float64(len(v))
		for _, item := range v {
			if bad := f.checkValue(item, *want.items); bad != "" {
				return bad
			}
		}
	}
	switch {
	case size >= 0 && size < want.min:
		return fmt.Sprintf("is too short - '%s'", want.name)
	case size >= 0 && want.max != 0 && size > want.max:
		return fmt.Sprintf("is too long - '%s'", want.name)
	}
	return ""
}

// text, number, flag, items and object read a member that was checked; they give the zero value for a missing one.
func text(members map[string]any, name string) string {
	value, _ := members[name].(string)
	return value
}

func number(members map[string]any, name string) int {
	value, _ := members[name].(float64)
	return int(value)
}

func flag(members map[string]any, name string) bool {
	value, _ := members[name].(bool)
	return value
}

func items(members map[string]any, name string) []any {
	value, _ := members[name].([]any)
	return value
}

func object(members map[string]any, name string) map[string]any {
	value, _ := members[name].(map[string]any)
	return value
}

func texts(members map[string]any, name string) []string {
	var all []string
	for _, item := range items(members, name) {
		if s, is := item.(string); is {
			all = append(all, s)
		}
	}
	return all
}

func objects(members map[string]any, name string) []map[string]any {
	var all []map[string]any
	for _, item := range items(members, name) {
		if o, is := item.(map[string]any); is {
			all = append(all, o)
		}
	}
	return all
}
