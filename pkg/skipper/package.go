package skipper

// Package is a package with everything in it.
type Package struct {
	Metadata     PackageMetadata `json:"metadata"`
	Templates    []Template      `json:"templates"`    // by name
	Dependencies []Package       `json:"dependencies"` // by name
	ConfigValues *ConfigValues   `json:"configValues"` // nil without a values file
	FileHolders  []FileHolder    `json:"fileHolders"`  // SchemaFile, and files ending in manifest.yml or manifest.yaml
}

// SchemaFile is the file of a package that says which values it takes, as a JSON Schema.
const SchemaFile = "values.schema.json"

// Schema gives the text of the package's SchemaFile; nil without one.
func (p Package) Schema() []byte {
	for _, f := range p.FileHolders {
		if f.Name == SchemaFile {
			return f.Bytes
		}
	}
	return nil
}

// PackageMetadata is what package.yml says, plus where the package is kept.
type PackageMetadata struct {
	ID int64 `json:"-"`

	APIVersion       string  `json:"apiVersion"`
	Origin           *string `json:"origin"`
	RepositoryID     *int64  `json:"repositoryId"` // nil inside dependencies
	RepositoryName   *string `json:"repositoryName"`
	Kind             string  `json:"kind"`
	Name             string  `json:"name"`
	DisplayName      *string `json:"displayName"`
	Version          string  `json:"version"`
	PackageSourceURL *string `json:"packageSourceUrl"`
	PackageHomeURL   *string `json:"packageHomeUrl"`
	Tags             *string `json:"tags"` // comma separated
	Maintainer       *string `json:"maintainer"`
	Description      *string `json:"description"`
	SHA256           *string `json:"sha256"`
	IconURL          *string `json:"iconUrl"`
}

// Template is one template file of a package.
type Template struct {
	Name string `json:"name"` // file name, as log.yml
	Data string `json:"data"` // mustache text
}

// ConfigValues is YAML text with values for templates.
type ConfigValues struct {
	Raw *string `json:"raw"`
}

// Text gives the YAML text; empty when there is none.
func (c *ConfigValues) Text() string {
	if c == nil || c.Raw == nil {
		return ""
	}
	return *c.Raw
}

// FileHolder is one file kept with a package.
type FileHolder struct {
	Bytes []byte `json:"bytes"`
	Name  string `json:"name"`
}

// Repository is a place packages come from.
type Repository struct {
	ID int64 `json:"-"`

	Name        string  `json:"name"`
	URL         string  `json:"url"`
	SourceURL   *string `json:"sourceUrl"`
	Local       bool    `json:"local"` // packages may be uploaded to it
	Description *string `json:"description"`
	RepoOrder   *int    `json:"repoOrder"` // the higher number wins
}

// PackageUse is the newest version of a release that was made from a package and did not fail.
type PackageUse struct {
	PackageID    int64
	RepositoryID int64 // of the package when the version was made; 0: none
	Release      string
	Version      int
	Status       StatusCode
}
