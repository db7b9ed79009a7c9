package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// object is a JSON object that knows the order of its members.
type object struct {
	keys   []string
	values map[string]any
}

// decode reads JSON into objects, []any, string, json.Number, bool and nil.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := next(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return v, nil
}

func next(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return nextObject(d)
	case json.Delim('['):
		return nextArray(d)
	default:
		return token, nil
	}
}

func nextObject(d *json.Decoder) (any, error) {
	o := object{values: map[string]any{}}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if _, twice := o.values[key]; twice {
			return nil, fmt.Errorf("member %q is there twice", key)
		}
		if o.values[key], err = next(d); err != nil {
			return nil, err
		}
		o.keys = append(o.keys, key)
	}
	_, err := d.Token()
	return o, err
}

func nextArray(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		v, err := next(d)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// show writes a value as compact JSON, for messages and for patterns.
func show(v any) string {
	switch v := v.(type) {
	case object:
		items := make([]string, len(v.keys))
		for i, k := range v.keys {
			items[i] = show(k) + ": " + show(v.values[k])
		}
		return "{" + strings.Join(items, ", ") + "}"
	case []any:
		items := make([]string, len(v))
		for i, x := range v {
			items[i] = show(x)
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // strings, numbers, booleans and nil can be encoded
		return strings.TrimSuffix(b.String(), "\n")
	}
}

// member gives a member of an object; nil when there is none.
func member(v any, key string) any {
	o, _ := v.(object)
	return o.values[key]
}

// at follows a JSON pointer; nil when it leads to nothing.
func at(v any, pointer string) any {
	for part := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		list, ok := v.([]any)
		if !ok {
			v = member(v, part)
			continue
		}
		i, err := strconv.Atoi(part)
		if err != nil || i >= len(list) {
			return nil
		}
		v = list[i]
	}
	return v
}
