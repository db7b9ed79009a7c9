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

// Map is a mapping in the order of its text. Keys may be any value, as in YAML. The zero value is an empty map.
type Map struct {
	Set     bool // made by !!set: keys without values
	entries []Entry
	places  keyPlaces // in entries
}

// Entry is one key of a Map with its value.
type Entry struct {
	Key, Value Value
}

// NewMap makes an empty map.
func NewMap() *Map { return new(Map) }

// Entries gives the entries in order. The slice belongs to the map.
func (m *Map) Entries() []Entry { return m.entries }

// Len counts the keys.
func (m *Map) Len() int { return len(m.entries) }

// Get gives the value of a text key; ok is false when there is none.
func (m *Map) Get(key string) (value Value, ok bool) {
	i, ok := m.places.find(key)
	if !ok {
		return nil, false
	}
	return m.entries[i].Value, true
}

// Put sets a key; one that is there keeps its place.
func (m *Map) Put(key, value Value) { m.put(identify(key), Entry{key, value}) }

func (m *Map) put(id any, e Entry) {
	if i, ok := m.places.find(id); ok {
		m.entries[i].Value = e.Value
		return
	}
	m.places.set(id, len(m.entries))
	m.entries = append(m.entries, e)
}

// fewPlaces is up to how many keys looking at each is as good as a Go map.
const fewPlaces = 8

// keyPlaces remembers where keys stand, by what identify gives for them.
type keyPlaces struct {
	few  []placed
	many map[any]int // instead of few when there are more
}

type placed struct {
	id any
	at int
}

func (p *keyPlaces) find(id any) (at int, ok bool) {
	if p.many != nil {
		at, ok = p.many[id]
		return at, ok
	}
	for _, f := range p.few {
		if f.id == id {
			return f.at, true
		}
	}
	return 0, false
}

func (p *keyPlaces) set(id any, at int) {
	switch {
	case p.many != nil:
		p.many[id] = at
		return
	case len(p.few) == fewPlaces:
		p.many = make(map[any]int, 2*fewPlaces)
		for _, f := range p.few {
			p.many[f.id] = f.at
		}
		p.many[id], p.few = at, nil
		return
	}
	for i := range p.few {
		if p.few[i].id == id {
			p.few[i].at = at
			return
		}
	}
	p.few = append(p.few, placed{id, at})
}

// composite identifies a value that Go cannot compare as YAML does.
type composite string

// identify gives what two values share exactly when they are equal as keys: 1 and "1" differ.
func identify(v Value) any {
	switch v.(type) {
	case nil, bool, int64, string:
		return v
	default:
		return composite(identity(v))
	}
}

// Equal says whether two values mean the same; the order of keys does not matter.
func Equal(a, b Value) bool { return identify(a) == identify(b) }

// Union gives the items of a list, and behind them those of another that it does not have. Neither list is changed.
func Union(base, more *List) *List {
	known := make(map[any]bool, len(base.Items))
	for _, item := range base.Items {
		known[identify(item)] = true
	}
	union := &List{Items: slices.Clone(base.Items)}
	for _, item := range more.Items {
		if !known[identify(item)] {
			union.Items = append(union.Items, item)
		}
	}
	return union
}

// identity is a text that two values share exactly when they are equal.
func identity(v Value) string {
	var b strings.Builder
	writeIdentity(&b, v)
	return b.String()
}

func writeIdentity(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case string:
		fmt.Fprintf(b, "s%d:%s", len(v), v)
	case *List:
		b.WriteByte('[')
		for _, item := range v.Items {
			writeIdentity(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case *Map:
		parts := make([]string, len(v.entries))
		for i, e := range v.entries {
			parts[i] = identity(e.Key) + ":" + identity(e.Value)
		}
		slices.Sort(parts)
		fmt.Fprintf(b, "%t{%s}", v.Set, strings.Join(parts, ","))
	default:
		fmt.Fprintf(b, "%T:%s", v, Text(v))
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
