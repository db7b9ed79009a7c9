package hal

import (
	"bytes"
)

// MarshalBareIndent writes a value, or a Resource, pretty printed and in the form that Spring gives to a model when
// asked for JSON that is not HAL: fields first, then links as an array in the order of addition; a collection has links
// first and its items as content. Templates are not marked.
func MarshalBareIndent(v any) ([]byte, error) {
	r, ok := v.(Resource)
	if !ok {
		r = Resource{Value: v}
	}
	var out bytes.Buffer
	if err := r.writeBare(&out); err != nil {
		return nil, err
	}
	return format(out.Bytes(), true), nil
}

type bareLink struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// bare gives the links one by one; never nil.
func (l Links) bare() []bareLink {
	links := []bareLink{}
	for _, r := range l.relations {
		for _, link := range r.links {
			links = append(links, bareLink{r.name, link.Href})
		}
	}
	return links
}

func (r Resource) writeBare(out *bytes.Buffer) error {
	out.WriteByte('{')
	first := out.Len()
	if r.Value != nil {
		if err := writeFields(out, r.Value); err != nil {
			return err
		}
	}
	if err := writeMember(out, out.Len() == first, "links", r.Links.bare()); err != nil {
		return err
	}
	if r.Embedded != nil {
		if err := r.Embedded.writeBare(out); err != nil {
			return err
		}
	}
	if r.Page != nil {
		if err := writeMember(out, false, "page", r.Page); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

func (e Embedded) writeBare(out *bytes.Buffer) error {
	out.WriteString(`,"content":[`)
	for i, item := range e.Items {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := item.writeBare(out); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}
