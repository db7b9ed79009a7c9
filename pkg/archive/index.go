package archive

import (
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// MaxIndex bounds an index, in bytes.
const MaxIndex = 16 << 20

// ReadIndex reads the index.yml of a package repository: one document of metadata for each package version. Values count
// as they are written, as in package.yml, but for null, which is none; unknown keys are ignored. CodeInvalid says which
// document cannot be read.
func ReadIndex(text string) ([]skipper.PackageMetadata, error) {
	var all []skipper.PackageMetadata
	for literals, err := range yamlx.ListLiterals(text) {
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeInvalid, "index.yml, after %d packages: %w", len(all), err)
		}
		var m skipper.PackageMetadata
		for _, l := range literals {
			set(&m, l.Key, l.Value)
		}
		if !isFileName(m.Name) || !isFileName(m.Version) {
			return nil, skipper.Errorf(skipper.CodeInvalid,
				"index.yml, after %d packages: name %q and version %q must be there and be file names", len(all), m.Name, m.Version)
		}
		all = append(all, m)
	}
	return all, nil
}

// isFileName tells whether a text can be part of the name of a zip: it is where the package is asked for.
func isFileName(text string) bool {
	return text != "" && text != "." && !strings.Contains(text, "..") && !strings.ContainsAny(text, "/\\\x00")
}

// WriteIndex writes an index.yml that ReadIndex reads, and Skipper too.
func WriteIndex(packages []skipper.PackageMetadata) string {
	documents := make([]yamlx.Value, 0, len(packages))
	for _, m := range packages {
		document := yamlx.NewMap()
		for _, field := range []struct {
			key   string
			value *string
		}{
			{"apiVersion", &m.APIVersion},
			{"kind", &m.Kind},
			{"name", &m.Name},
			{"version", &m.Version},
			{"displayName", m.DisplayName},
			{"description", m.Description},
			{"maintainer", m.Maintainer},
			{"tags", m.Tags},
			{"origin", m.Origin},
			{"packageHomeUrl", m.PackageHomeURL},
			{"packageSourceUrl", m.PackageSourceURL},
			{"iconUrl", m.IconURL},
			{"sha256", m.SHA256},
		} {
			if field.value != nil {
				document.Put(field.key, *field.value)
			}
		}
		documents = append(documents, document)
	}
	return yamlx.Dump(documents)
}
