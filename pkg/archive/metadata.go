package archive

import (
	"strconv"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// parseMetadata reads package.yml. Its values count as they are written: null is the text "null", 1.10 is "1.10".
func parseMetadata(yml, where string) (skipper.PackageMetadata, error) {
	var m skipper.PackageMetadata
	literals, err := yamlx.ParseLiterals(yml)
	if err != nil {
		return m, skipper.Errorf(skipper.CodeInvalid, "Unable to Parse yaml to PackageMetadata type: %s, %w", where, err)
	}
	for _, l := range literals {
		set(&m, l.Key, l.Value)
	}
	if m.Name == "" {
		return m, skipper.Errorf(skipper.CodeInvalid, "%s has no name; add it", where)
	}
	return m, nil
}

// set sets the field of a key; other keys are ignored, as in Skipper.
func set(m *skipper.PackageMetadata, key, value string) {
	texts := map[string]*string{"apiVersion": &m.APIVersion, "kind": &m.Kind, "name": &m.Name, "version": &m.Version}
	optional := map[string]**string{
		"origin": &m.Origin, "repositoryName": &m.RepositoryName, "displayName": &m.DisplayName,
		"packageSourceUrl": &m.PackageSourceURL, "packageHomeUrl": &m.PackageHomeURL, "tags": &m.Tags,
		"maintainer": &m.Maintainer, "description": &m.Description, "sha256": &m.SHA256, "iconUrl": &m.IconURL,
	}
	switch {
	case texts[key] != nil:
		*texts[key] = value
	case optional[key] != nil:
		*optional[key] = &value
	case key == "repositoryId":
		m.RepositoryID = nil
		if id, err := strconv.ParseInt(value, 10, 64); err == nil {
			m.RepositoryID = &id
		}
	}
}
