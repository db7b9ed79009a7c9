package yamlx

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is what a YAML node stands for: nil, bool, int64, *big.Int (outside int64), float64, string, time.Time, []byte,
// *List or *Map. An alias gives the same *List or *Map again.
type Value any

// List is a sequence.
type List struct {
	Items []Value
}

// Map is a mapping in the order of its text. Keys may be any value, as in YAML.
type Map struct {
	Set     bool // made by !!set: keys without values
	entries []Entry
	index   map[string]int // identity of the key → place in entries
}

// Entry is one key of a Map with its value.
type Entry struct {
	Key, Value Value
}

// NewMap makes an empty map.
func NewMap() *Map { return &Map{index: map[string]int{}} }

// Entries gives the entries in order. The slice belongs to the map.
func (m *Map) Entries() []Entry { return m.entries }

// Len counts the keys.
func (m *Map) Len() int { return len(m.entries) }

// Get gives the value of a text key; ok is false when there is none.
func (m *Map) Get(key string) (value Value, ok bool) {
	i, ok := m.index[identity(key)]
	if !ok {
		return nil, false
	}
	return m.entries[i].Value, true
}

// Put sets a key; one that is there keeps its place.
func (m *Map) Put(key, value Value) {
	id := identity(key)
	if i, ok := m.index[id]; ok {
		m.entries[i].Value = value
		return
	}
	m.index[id] = len(m.entries)
	m.entries = append(m.entries, Entry{key, value})
}

// Equal says whether two values mean the same; the order of keys does not matter.
func Equal(a, b Value) bool { return identity(a) == identity(b) }

// identity is a text that two values share exactly when they are equal as map keys: 1 and "1" differ.
func identity(v Value) string {
	switch v := v.(type) {
	case string:
		return "s" + strconv.Quote(v)
	case *List:
		parts := make([]string, len(v.Items))
		for i, item := range v.Items {
			parts[i] = identity(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *Map:
		parts := make([]string, len(v.entries))
		for i, e := range v.entries {
			parts[i] = identity(e.Key) + ":" + identity(e.Value)
		}
		slices.Sort(parts)
		return fmt.Sprintf("%t{%s}", v.Set, strings.Join(parts, ","))
	default:
		return fmt.Sprintf("%T:%s", v, Text(v))
	}
}

// Text is the text of a scalar as YAML shows it; empty for lists and maps.
func Text(v Value) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case *big.Int:
		return v.String()
	case float64:
		return formatYAMLFloat(v)
	case string:
		return v
	case time.Time:
		return formatTime(v)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	default:
		return ""
	}
}

// Simple turns a value into what encoding/json would give for it: map[string]any, []any, string, bool, nil; whole
// numbers are int where they fit. Configuration is handed on in this form.
func Simple(v Value) any {
	switch v := v.(type) {
	case *Map:
		simple := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			simple[keyText(e.Key)] = Simple(e.Value)
		}
		return simple
	case *List:
		simple := make([]any, len(v.Items))
		for i, item := range v.Items {
			simple[i] = Simple(item)
		}
		return simple
	case int64:
		return int(v)
	case *big.Int, time.Time, []byte:
		return Text(v)
	default:
		return v
	}
}

// keyText names a key; a list or a map as a key is shown in YAML.
func keyText(key Value) string {
	switch key.(type) {
	case *List, *Map:
		return strings.TrimSpace(Plain(key))
	default:
		return Text(key)
	}
}
