package archive

import (
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// ReadIndex reads the index.yml of a package repository: one document of metadata for each package version. Unknown
// keys are ignored. CodeInvalid says which document cannot be read.
func ReadIndex(text string) ([]skipper.PackageMetadata, error) {
	documents, err := yamlx.Parse(text)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the index is not valid YAML: %w", err)
	}
	var out []skipper.PackageMetadata
	for i, d := range documents {
		if d == nil {
			continue
		}
		fields, ok := d.(*yamlx.Map)
		if !ok {
			return nil, skipper.Errorf(skipper.CodeInvalid, "document %d of the index is no map", i+1)
		}
		var m skipper.PackageMetadata
		for _, e := range fields.Entries() {
			if e.Value != nil {
				set(&m, yamlx.Text(e.Key), yamlx.Text(e.Value))
			}
		}
		if m.Name == "" || m.Version == "" {
			return nil, skipper.Errorf(skipper.CodeInvalid, "document %d of the index has no name or no version", i+1)
		}
		out = append(out, m)
	}
	return out, nil
}
