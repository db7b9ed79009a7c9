package manifest

import (
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Parse reads a manifest. The kind is that of its first document that has one, empty when none has. Applications are
// read for KindDeployer and KindBoot; for any other kind there are none, and what to say then is the caller's.
// Errors are of code invalid.
func Parse(text string) (applications []Application, kind string, err error) {
	documents, err := yamlx.Parse(text)
	if err != nil {
		return nil, "", skipper.Errorf(skipper.CodeInvalid, "the manifest is not valid YAML: %w", err)
	}
	return Read(documents)
}

// Read reads the documents of a manifest as Parse does.
func Read(documents []yamlx.Value) (applications []Application, kind string, err error) {
	if kind = kindOf(documents); !isDeployer(kind) {
		return nil, kind, nil
	}
	for i, document := range documents {
		application, err := parseApplication(document, i+1)
		if err != nil {
			return nil, kind, err
		}
		applications = append(applications, application)
	}
	return applications, kind, nil
}

func isDeployer(kind string) bool { return kind == KindDeployer || kind == KindBoot }

func kindOf(documents []yamlx.Value) string {
	for _, document := range documents {
		if m, ok := document.(*yamlx.Map); ok {
			if kind, ok := m.Get("kind"); ok && kind != nil {
				return yamlx.Text(kind)
			}
		}
	}
	return ""
}

func parseApplication(document yamlx.Value, number int) (Application, error) {
	root, ok := document.(*yamlx.Map)
	switch {
	case document == nil:
		return Application{}, skipper.Errorf(skipper.CodeInvalid, "Can't parse manifest, it is empty")
	case !ok:
		return Application{}, skipper.Errorf(skipper.CodeInvalid, "Can't parse manifest, it is not a map.  Manifest = %s",
			strings.TrimSpace(yamlx.Plain(document)))
	}
	r := &reader{document: number}
	metadata, spec := r.mapping(root, "", "metadata"), r.mapping(root, "", "spec")
	a := Application{
		APIVersion:            r.text(root, "", "apiVersion"),
		Kind:                  r.text(root, "", "kind"),
		Metadata:              r.properties(metadata, "metadata"),
		Resource:              r.text(spec, "spec.", "resource"),
		Version:               r.text(spec, "spec.", "version"),
		ApplicationProperties: r.properties(r.mapping(spec, "spec.", "applicationProperties"), "spec.applicationProperties"),
		DeploymentProperties:  r.properties(r.mapping(spec, "spec.", "deploymentProperties"), "spec.deploymentProperties"),
	}
	a.Name, _ = a.Metadata.Get("name")
	switch {
	case r.err != nil:
		return a, r.err
	case !isDeployer(a.Kind):
		return a, skipper.Errorf(skipper.CodeInvalid, "document %d of the manifest is of kind '%s'; all documents "+
			"of a release must be of kind '%s'", number, a.Kind, KindDeployer)
	case a.Name == "":
		return a, skipper.Errorf(skipper.CodeInvalid,
			"SpringCloudDeployerApplicationManifest must define a 'name' property in the metadata")
	default:
		return a, nil
	}
}

// reader takes fields out of a document and keeps the first thing that is wrong.
type reader struct {
	document int
	err      error
}

func (r *reader) fail(field, due string, found yamlx.Value) {
	if r.err == nil {
		r.err = skipper.Errorf(skipper.CodeInvalid, "Can't parse Package's manifest YAML: %s in document %d must be %s, "+
			"found %s", field, r.document, due, yamlx.Describe(found))
	}
}

func (r *reader) mapping(m *yamlx.Map, prefix, key string) *yamlx.Map {
	v, _ := m.Get(key)
	inner, ok := v.(*yamlx.Map)
	if !ok {
		if v != nil {
			r.fail(prefix+key, "keys with values", v)
		}
		return yamlx.NewMap()
	}
	return inner
}

func (r *reader) text(m *yamlx.Map, prefix, key string) string {
	v, _ := m.Get(key)
	if v == nil {
		return ""
	}
	return r.scalar(prefix+key, v)
}

func (r *reader) scalar(field string, v yamlx.Value) string {
	switch v := v.(type) {
	case *yamlx.Map, *yamlx.List:
		r.fail(field, "a text", v)
		return ""
	case []byte:
		return string(v) // a text with control characters stands in the manifest as bytes
	default:
		return yamlx.Text(v)
	}
}

func (r *reader) properties(m *yamlx.Map, field string) Properties {
	properties := make(Properties, 0, m.Len())
	for _, e := range m.Entries() {
		p := Property{Name: r.scalar("a key of "+field, e.Key)}
		if e.Value != nil {
			text := r.scalar(field+"."+p.Name, e.Value)
			p.Value = &text
		}
		properties = append(properties, p)
	}
	return properties
}
