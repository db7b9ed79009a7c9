package hal

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Document is a HAL document that was read: its links, what is embedded, and its own fields, yet to be decoded.
type Document struct {
	Links Links
	Page  *Page // nil when the document is no page

	raw      json.RawMessage
	embedded map[string][]Document
}

// Parse reads a HAL document.
func Parse(body []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(body, &d); err != nil {
		return Document{}, fmt.Errorf("read HAL: %w", err)
	}
	return d, nil
}

// Decode reads the document's own fields into v, as json.Unmarshal does.
func (d Document) Decode(v any) error {
	if err := json.Unmarshal(d.raw, v); err != nil {
		return fmt.Errorf("read HAL: %w", err)
	}
	return nil
}

// Embedded gives the documents embedded under a relation; nil when there are none.
func (d Document) Embedded(rel string) []Document { return d.embedded[rel] }

// UnmarshalJSON keeps the object and reads its links, what is embedded, and its page.
func (d *Document) UnmarshalJSON(b []byte) error {
	*d = Document{raw: bytes.Clone(b)}
	var parts struct {
		Links    Links                      `json:"_links"`
		Embedded map[string]json.RawMessage `json:"_embedded"`
		Page     *Page                      `json:"page"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	d.Links, d.Page = parts.Links, parts.Page
	for rel, raw := range parts.Embedded {
		documents, err := oneOrMany[Document](raw)
		if err != nil {
			return err
		}
		if d.embedded == nil {
			d.embedded = map[string][]Document{}
		}
		d.embedded[rel] = documents
	}
	return nil
}

// eachMember calls do for each member of a JSON object in the order in which they stand.
func eachMember(b []byte, do func(name string, raw json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	opening, err := d.Token()
	if err != nil {
		return err
	}
	if opening == nil { // null
		return nil
	}
	if opening != json.Delim('{') {
		return fmt.Errorf("an object is due, found %v", opening)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := do(fmt.Sprint(name), raw); err != nil {
			return err
		}
	}
	return nil
}
