package hal

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Resource is an object with links, or a collection of them.
type Resource struct {
	Value    any       // written first, without braces; nil: no fields of its own; must be written as a JSON object
	Embedded *Embedded // nil: no _embedded; without items: an explicit empty array
	Links    Links
	Page     *Page
}

// Embedded are the resources under one relation of _embedded.
type Embedded struct {
	Rel   string
	Items []Resource
}

// Marshal writes any value, or a Resource, without white space.
func Marshal(v any) ([]byte, error) {
	compact, err := encode(v)
	if err != nil {
		return nil, err
	}
	return format(compact, false), nil
}

// MarshalIndent writes any value, or a Resource, pretty printed as Jackson does.
func MarshalIndent(v any) ([]byte, error) {
	compact, err := encode(v)
	if err != nil {
		return nil, err
	}
	return format(compact, true), nil
}

// MarshalJSON writes the fields of the value, then _embedded, _links and page.
func (r Resource) MarshalJSON() ([]byte, error) { return encode(r) }

func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	if err := write(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func write(out *bytes.Buffer, v any) error {
	if r, ok := v.(Resource); ok {
		return r.write(out)
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	out.Truncate(out.Len() - 1) // the encoder ends each value with a line feed
	return nil
}

// write does not go through MarshalJSON for what is embedded: encoding/json would read and copy each level again.
func (r Resource) write(out *bytes.Buffer) error {
	out.WriteByte('{')
	first := out.Len()
	if r.Value != nil {
		if err := writeFields(out, r.Value); err != nil {
			return err
		}
	}
	if r.Embedded != nil {
		if err := r.Embedded.write(out, out.Len() == first); err != nil {
			return err
		}
	}
	if !r.Links.Empty() {
		if err := writeMember(out, out.Len() == first, "_links", r.Links); err != nil {
			return err
		}
	}
	if r.Page != nil {
		if err := writeMember(out, out.Len() == first, "page", r.Page); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// writeFields writes the members of an object without its braces.
func writeFields(out *bytes.Buffer, value any) error {
	fields, err := encode(value)
	if err != nil {
		return err
	}
	if len(fields) < 2 || fields[0] != '{' {
		return fmt.Errorf("write JSON: a resource has to be an object, found %T", value)
	}
	out.Write(fields[1 : len(fields)-1])
	return nil
}

func (e Embedded) write(out *bytes.Buffer, first bool) error {
	items := e.Items
	if items == nil {
		items = []Resource{}
	}
	name, err := encode(e.Rel)
	if err != nil {
		return err
	}
	if !first {
		out.WriteByte(',')
	}
	out.WriteString(`"_embedded":{`)
	out.Write(name)
	out.WriteString(":[")
	for i, item := range items {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := item.write(out); err != nil {
			return err
		}
	}
	out.WriteString("]}")
	return nil
}

func writeMember(out *bytes.Buffer, first bool, name string, value any) error {
	if !first {
		out.WriteByte(',')
	}
	if err := write(out, name); err != nil {
		return err
	}
	out.WriteByte(':')
	return write(out, value)
}
