package hal

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Link is one link: a URL, or a URI template.
type Link struct {
	Href      string `json:"href"`
	Templated bool   `json:"templated,omitempty"`
}

// NewLink makes a link; it is templated when the href has a template variable.
func NewLink(href string) Link {
	return Link{Href: href, Templated: strings.Contains(href, "{")}
}

// Links are links by relation, in the order in which the relations were added.
type Links struct {
	relations []relation
}

type relation struct {
	name  string
	links []Link
}

// Add appends links to a relation; a relation with more than one link is written as an array.
func (l *Links) Add(rel string, links ...Link) {
	i := slices.IndexFunc(l.relations, func(r relation) bool { return r.name == rel })
	if i < 0 {
		l.relations = append(l.relations, relation{name: rel, links: slices.Clone(links)})
		return
	}
	l.relations[i].links = append(l.relations[i].links, links...)
}

// Empty says that there is no link at all.
func (l Links) Empty() bool { return len(l.relations) == 0 }

// Relations gives the names of the relations in order.
func (l Links) Relations() []string {
	names := make([]string, 0, len(l.relations))
	for _, r := range l.relations {
		names = append(names, r.name)
	}
	return names
}

// All gives the links of a relation; nil when there is none.
func (l Links) All(rel string) []Link {
	for _, r := range l.relations {
		if r.name == rel {
			return r.links
		}
	}
	return nil
}

// Get gives the first link of a relation and says whether there is one.
func (l Links) Get(rel string) (Link, bool) {
	all := l.All(rel)
	if len(all) == 0 {
		return Link{}, false
	}
	return all[0], true
}

// Header writes the links as the value of a Link header (RFC 8288), one entry per link.
func (l Links) Header() string {
	var entries []string
	for _, r := range l.relations {
		for _, link := range r.links {
			entries = append(entries, "<"+link.Href+`>;rel="`+r.name+`"`)
		}
	}
	return strings.Join(entries, ",")
}

// MarshalJSON writes an object with one member per relation.
func (l Links) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, r := range l.relations {
		var value any = r.links
		if len(r.links) == 1 {
			value = r.links[0]
		}
		if err := writeMember(&out, i == 0, r.name, value); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes; further members of a link are ignored.
func (l *Links) UnmarshalJSON(b []byte) error {
	l.relations = nil
	return eachMember(b, func(rel string, raw json.RawMessage) error {
		links, err := oneOrMany[Link](raw)
		if err == nil && len(links) > 0 {
			l.Add(rel, links...)
		}
		return err
	})
}

// oneOrMany reads an array of T, or a single T, which HAL writes for a relation with one value.
func oneOrMany[T any](raw json.RawMessage) ([]T, error) {
	raw = bytes.TrimSpace(raw)
	if bytes.HasPrefix(raw, []byte("[")) {
		var many []T
		err := json.Unmarshal(raw, &many)
		return many, err
	}
	if bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, err
	}
	return []T{one}, nil
}
