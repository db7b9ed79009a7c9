package manifest

// The kinds of documents Skipper knows. SpringBootApp is an old name of the first.
const (
	KindDeployer     = "SpringCloudDeployerApplication"
	KindBoot         = "SpringBootApp"
	KindCloudFoundry = "CloudFoundryApplication"
)

// Application is one application of a manifest.
type Application struct {
	APIVersion            string
	Kind                  string
	Name                  string     // metadata.name
	Metadata              Properties // with name
	Resource              string     // spec.resource; empty when the manifest has none
	Version               string     // spec.version; empty when the manifest has none
	ApplicationProperties Properties
	DeploymentProperties  Properties
}

// Properties are keys with text values, in the order of the manifest.
type Properties []Property

// Property is one key; Value is nil where the manifest says null.
type Property struct {
	Name  string
	Value *string
}

// Get gives the value of a key; ok is false when it is not there or null.
func (p Properties) Get(name string) (value string, ok bool) {
	for _, property := range p {
		if property.Name == name && property.Value != nil {
			return *property.Value, true
		}
	}
	return "", false
}

// Map gives the properties as a map; null is the empty text.
func (p Properties) Map() map[string]string {
	m := make(map[string]string, len(p))
	for _, property := range p {
		m[property.Name] = ""
		if property.Value != nil {
			m[property.Name] = *property.Value
		}
	}
	return m
}
