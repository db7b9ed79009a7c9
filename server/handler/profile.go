package handler

import (
	"context"
	"net/http"
	"strings"

	"github.com/skiff-project/skiff/pkg/hal"
)

// profile describes a resource for its ALPS document and its JSON schema.
type profile struct {
	rel, item string
	fields    []string // as ALPS lists them: scalars only
	types     map[string]string
	summary   []string // fields of the projection summary; nil: the resource has none
	searches  []string
	unpaged   bool
}

func profiles() []profile {
	return []profile{
		{
			rel: "repositories", item: "repository", searches: []string{"findByName"},
			fields: []string{"name", "url", "sourceUrl", "local", "description", "repoOrder"},
			types:  map[string]string{"local": "boolean", "repoOrder": "integer"},
		},
		{
			rel: "deployers", item: "deployer", searches: []string{"findByName"},
			fields: []string{"name", "type", "description"},
		},
		{
			rel: "releases", item: "release", searches: []string{historySearch},
			fields: []string{"name", "version", "platformName"}, types: map[string]string{"version": "integer"},
		},
		{
			rel: "packageMetadata", item: "packageMetadata",
			searches: []string{"findByName", "findByNameContainingIgnoreCase"},
			fields: []string{
				"apiVersion", "origin", "repositoryId", "repositoryName", "kind", "name", "displayName", "version",
				"packageSourceUrl", "packageHomeUrl", "tags", "maintainer", "description", "sha256", "iconUrl",
			},
			types:   map[string]string{"repositoryId": "integer"},
			summary: []string{"name", "id", "version", "description", "iconUrl", "repositoryName"},
		},
		machineProfile("jpaRepositoryActions", "name", "description"),
		machineProfile("jpaRepositoryGuards", "name", "description"),
		machineProfile("jpaRepositoryStates", "name", "initial", "parent"),
		machineProfile("jpaRepositoryStateMachines", "machineId", "state"),
		machineProfile("jpaRepositoryTransitions", "source", "event", "target", "guard", "action"),
	}
}

func machineProfile(rel string, fields ...string) profile {
	return profile{
		rel: rel, item: strings.TrimSuffix(rel, "s"), fields: fields, types: map[string]string{"initial": "boolean"},
		unpaged: true,
	}
}

func (h *Handler) profileRoutes() []route {
	const root = "/api/profile"
	routes := []route{{method: http.MethodGet, path: root, types: jsonTypes(), vary: true, alone: true, serve: h.profileIndex}}
	for _, p := range profiles() {
		routes = append(routes, route{
			method: http.MethodGet, path: root + "/" + p.rel, vary: true, alone: true,
			types: []string{typeALPS, typeSchema, typeJSON}, serve: p.serve,
		})
	}
	return routes
}

func (h *Handler) profileIndex(_ context.Context, r request) (answer, error) {
	index := relationLinks(r.base+"/api/profile", relSelf, "")
	for _, p := range profiles() {
		index.Links.Add(p.rel, hal.Link{Href: r.base + "/api/profile/" + p.rel})
	}
	return ok(index)
}

func (p profile) serve(_ context.Context, r request) (answer, error) {
	if r.mediaType == typeSchema {
		return ok(p.schema())
	}
	return ok(p.alps(r.base + "/api/profile/" + p.rel))
}

type alpsDocument struct {
	ALPS struct {
		Version    string       `json:"version"`
		Descriptor []descriptor `json:"descriptor"`
	} `json:"alps"`
}

type descriptor struct {
	ID         string         `json:"id,omitempty"`
	Href       string         `json:"href,omitempty"`
	Name       string         `json:"name,omitempty"`
	Type       string         `json:"type,omitempty"`
	Doc        *descriptorDoc `json:"doc,omitempty"`
	Descriptor []descriptor   `json:"descriptor,omitzero"`
	RT         string         `json:"rt,omitempty"`
}

type descriptorDoc struct {
	Format string `json:"format"`
	Value  string `json:"value"`
}

func (p profile) alps(href string) alpsDocument {
	parameters := []descriptor{
		documented("page", "The page to return."),
		documented("size", "The size of the page to return."),
		documented("sort", "The sorting criteria to use to calculate the content of the page."),
	}
	if p.unpaged {
		parameters = []descriptor{}
	}
	projection := p.projection()
	var d alpsDocument
	d.ALPS.Version = "1.0"
	d.ALPS.Descriptor = []descriptor{
		{ID: p.representation(), Href: href, Descriptor: semantic(p.fields)},
		p.getter(p.rel, append(parameters, projection...)),
		p.getter(p.item, projection),
	}
	for _, search := range p.searches {
		d.ALPS.Descriptor = append(d.ALPS.Descriptor,
			descriptor{Name: search, Type: "SAFE", Descriptor: semantic([]string{"name"})})
	}
	return d
}

func (p profile) representation() string { return p.item + "-representation" }

func (p profile) getter(rel string, parameters []descriptor) descriptor {
	return descriptor{ID: "get-" + rel, Name: rel, Type: "SAFE", Descriptor: parameters, RT: "#" + p.representation()}
}

// projection describes the parameter of that name; an empty list where there is none.
func (p profile) projection() []descriptor {
	if p.summary == nil {
		return []descriptor{}
	}
	d := documented("projection", "The projection that shall be applied when rendering the response. "+
		"Acceptable values available in nested descriptors.")
	d.Descriptor = []descriptor{{Name: "summary", Type: "SEMANTIC", Descriptor: semantic(p.summary)}}
	return []descriptor{d}
}

func semantic(names []string) []descriptor {
	out := make([]descriptor, 0, len(names))
	for _, name := range names {
		out = append(out, descriptor{Name: name, Type: "SEMANTIC"})
	}
	return out
}

func documented(name, text string) descriptor {
	return descriptor{Name: name, Type: "SEMANTIC", Doc: &descriptorDoc{Format: "TEXT", Value: text}}
}

type schemaDocument struct {
	Title       string                    `json:"title"`
	Properties  map[string]schemaProperty `json:"properties"`
	Definitions struct{}                  `json:"definitions"`
	Type        string                    `json:"type"`
	Schema      string                    `json:"$schema"`
}

type schemaProperty struct {
	Title    string `json:"title"`
	ReadOnly bool   `json:"readOnly"`
	Type     string `json:"type"`
}

func (p profile) schema() schemaDocument {
	properties := map[string]schemaProperty{}
	for _, name := range p.fields {
		property := schemaProperty{Title: titled(name), Type: "string"}
		if t, found := p.types[name]; found {
			property.Type = t
		}
		properties[name] = property
	}
	return schemaDocument{
		Title: titled(p.item), Properties: properties, Type: "object",
		Schema: "http://json-schema.org/draft-04/schema#",
	}
}

// titled makes "Package metadata" of packageMetadata.
func titled(name string) string {
	var out strings.Builder
	for i, c := range name {
		switch {
		case i == 0:
			out.WriteString(strings.ToUpper(string(c)))
		case c >= 'A' && c <= 'Z':
			out.WriteString(" " + strings.ToLower(string(c)))
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}
