package templates

import (
	"fmt"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

// dict is a map as templates see it: text keys in Java's order; values are texts and further dicts.
type dict struct {
	entries []any // of type entry
	values  map[string]any
}

type entry struct {
	key   string
	value any
}

// newDict copies values into what templates see: every value that is not a map becomes text.
func newDict(values *yamlx.Map) (*dict, error) {
	d := &dict{values: make(map[string]any, values.Len())}
	keys := make([]string, 0, values.Len())
	for _, e := range values.Entries() {
		key, ok := e.Key.(string)
		if !ok {
			return nil, keyError(e.Key)
		}
		keys = append(keys, key)
		nested, ok := e.Value.(*yamlx.Map)
		if !ok || nested.Set {
			d.values[key] = escapeBackslashes(javaText(e.Value))
			continue
		}
		inner, err := newDict(nested)
		if err != nil {
			return nil, err
		}
		d.values[key] = inner
	}
	for _, key := range hashOrder(keys) {
		d.entries = append(d.entries, entry{key, d.values[key]})
	}
	return d, nil
}

// sub gives the dict under a key, an empty one when there is none: what a dependency's templates see.
func (d *dict) sub(key string) *dict {
	if inner, ok := d.values[key].(*dict); ok {
		return inner
	}
	return &dict{}
}

// String is the text of a map in Java.
func (d *dict) String() string {
	parts := make([]string, len(d.entries))
	for i, e := range d.entries {
		parts[i] = text(e)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// javaText is what Java makes of a value in a text.
func javaText(v yamlx.Value) string {
	switch v := v.(type) {
	case float64:
		return yamlx.FormatFloat(v)
	case time.Time:
		return v.UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
	case *yamlx.List:
		parts := make([]string, len(v.Items))
		for i, item := range v.Items {
			parts[i] = javaText(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *yamlx.Map:
		return javaMapText(v)
	default:
		return yamlx.Text(v)
	}
}

func javaMapText(m *yamlx.Map) string {
	parts := make([]string, m.Len())
	for i, e := range m.Entries() {
		if parts[i] = javaText(e.Key); !m.Set {
			parts[i] += "=" + javaText(e.Value)
		}
	}
	if m.Set {
		return fmt.Sprintf("[%s]", strings.Join(parts, ", "))
	}
	return fmt.Sprintf("{%s}", strings.Join(parts, ", "))
}

// escapeBackslashes doubles each single backslash that starts no escape: most templates put values in double quotes.
func escapeBackslashes(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	const escapes = "\\0abtnvfreN_LP\" \t\n\v\f\r"
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte(text[i])
		if text[i] != '\\' || i > 0 && text[i-1] == '\\' {
			continue
		}
		if i+1 == len(text) || strings.IndexByte(escapes, text[i+1]) < 0 {
			b.WriteByte('\\')
		}
	}
	return b.String()
}
