package manifest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// CloudFoundryApplication is one document of KindCloudFoundry.
type CloudFoundryApplication struct {
	APIVersion string
	Resource   string // spec.resource; a version is only added to maven: and docker: resources
	Version    string // spec.version; empty when the manifest has none
	Manifest   CloudFoundryManifest
}

// CloudFoundryManifest is spec.manifest. Fields that are not given are zero; what holds for them is the platform's.
type CloudFoundryManifest struct {
	Buildpack               string
	Command                 string
	Memory                  int // MB
	DiskQuota               int // MB
	Timeout                 int // seconds
	Instances               *int
	NoHostname              *bool
	NoRoute                 *bool
	RandomRoute             *bool
	HealthCheckType         string // port, process or http
	HealthCheckHTTPEndpoint string
	Stack                   string
	Services                []string
	Domains                 []string
	Hosts                   []string
	Env                     Properties
}

// ParseCloudFoundry reads a manifest all of whose documents are of KindCloudFoundry. As in Skipper, upper and lower case
// of keys do not matter and unknown keys are ignored; a value that Skipper would drop without a word, such as a memory of
// 2048m, is an error that names its field. Errors are of code invalid.
func ParseCloudFoundry(text string) ([]CloudFoundryApplication, error) {
	documents, err := yamlx.Parse(text)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the manifest is not valid YAML: %w", err)
	}
	return ReadCloudFoundry(documents)
}

// ReadCloudFoundry reads the documents of a manifest as ParseCloudFoundry does.
func ReadCloudFoundry(documents []yamlx.Value) ([]CloudFoundryApplication, error) {
	var applications []CloudFoundryApplication
	for i, document := range documents {
		application, err := parseCloudFoundry(document, i+1)
		if err != nil {
			return nil, err
		}
		applications = append(applications, application)
	}
	return applications, nil
}

func parseCloudFoundry(document yamlx.Value, number int) (CloudFoundryApplication, error) {
	root, ok := document.(*yamlx.Map)
	switch {
	case document == nil:
		return CloudFoundryApplication{}, skipper.Errorf(skipper.CodeInvalid, "Can't parse manifest, it is empty")
	case !ok:
		return CloudFoundryApplication{}, skipper.Errorf(skipper.CodeInvalid,
			"document %d of the manifest must have keys with values, found %s", number, yamlx.Describe(document))
	}
	r := &reader{document: number}
	root = lowerKeys(root)
	spec := lowerKeys(r.mapping(root, "", "spec"))
	fields := cloudFoundryFields{r: r, m: lowerKeys(r.mapping(spec, "spec.", "manifest"))}
	a := CloudFoundryApplication{
		APIVersion: r.text(root, "", "apiversion"),
		Resource:   r.text(spec, "spec.", "resource"),
		Version:    r.text(spec, "spec.", "version"),
		Manifest: CloudFoundryManifest{
			Buildpack: fields.text("buildpack"), Command: fields.text("command"), Stack: fields.text("stack"),
			Memory: fields.megabytes("memory"), DiskQuota: fields.megabytes("disk-quota"),
			Timeout: fields.seconds("timeout"), Instances: fields.number("instances"),
			NoHostname: fields.bool("no-hostname"), NoRoute: fields.bool("no-route"), RandomRoute: fields.bool("random-route"),
			HealthCheckType:         fields.oneOf("health-check-type", "port", "process", "http"),
			HealthCheckHTTPEndpoint: fields.text("health-check-http-endpoint"),
			Services:                fields.texts("services"), Domains: fields.texts("domains"), Hosts: fields.texts("hosts"),
			Env: r.properties(r.mapping(fields.m, "spec.manifest.", "env"), "spec.manifest.env"),
		},
	}
	if kind := r.text(root, "", "kind"); r.err == nil && kind != KindCloudFoundry {
		return a, skipper.Errorf(skipper.CodeInvalid, "document %d of the manifest is of kind '%s'; all documents "+
			"of a release must be of kind '%s'", number, kind, KindCloudFoundry)
	}
	if r.err == nil && a.Resource == "" {
		return a, skipper.Errorf(skipper.CodeInvalid, "spec.resource in document %d of the manifest is missing; "+
			"name what is to run, such as maven://org.example:app", number)
	}
	return a, r.err
}

// lowerKeys gives a map with its text keys in lower case; of equal ones the last counts.
func lowerKeys(m *yamlx.Map) *yamlx.Map {
	lower := yamlx.NewMap()
	for _, e := range m.Entries() {
		if key, ok := e.Key.(string); ok {
			lower.Put(strings.ToLower(key), e.Value)
		}
	}
	return lower
}

// cloudFoundryFields takes fields out of spec.manifest.
type cloudFoundryFields struct {
	r *reader
	m *yamlx.Map
}

func (f cloudFoundryFields) text(key string) string { return f.r.text(f.m, "spec.manifest.", key) }

// invalid says what a field must be.
func (f cloudFoundryFields) invalid(key, due, found string) {
	if f.r.err == nil {
		f.r.err = skipper.Errorf(skipper.CodeInvalid, "spec.manifest.%s in document %d of the manifest must be %s, found %q",
			key, f.r.document, due, found)
	}
}

func (f cloudFoundryFields) number(key string) *int {
	text := strings.TrimSpace(f.text(key))
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		f.invalid(key, "a whole number from 0 on", text)
		return nil
	}
	return new(int(n))
}

func (f cloudFoundryFields) seconds(key string) int {
	if n := f.number(key); n != nil {
		return *n
	}
	return 0
}

func (f cloudFoundryFields) bool(key string) *bool {
	switch text := strings.ToLower(strings.TrimSpace(f.text(key))); text {
	case "":
		return nil
	case "true", "false":
		return new(text == "true")
	default:
		f.invalid(key, "true or false", text)
		return nil
	}
}

func (f cloudFoundryFields) oneOf(key string, words ...string) string {
	text := strings.ToLower(f.text(key))
	if text != "" && !slices.Contains(words, text) {
		f.invalid(key, strings.Join(words, ", "), text)
	}
	return text
}

// megabytes reads 1024, 1024M, 1024MB, 1G and 1GB.
func (f cloudFoundryFields) megabytes(key string) int {
	text := strings.TrimSpace(f.text(key))
	if text == "" {
		return 0
	}
	digits, factor := text, 1
	for _, unit := range []struct {
		name   string
		factor int
	}{{"GB", 1024}, {"G", 1024}, {"MB", 1}, {"M", 1}} {
		if rest, ok := strings.CutSuffix(text, unit.name); ok {
			digits, factor = rest, unit.factor
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
	if err != nil || n <= 0 {
		f.invalid(key, "a size such as 1024, 512M or 2G", text)
		return 0
	}
	return int(n) * factor
}

func (f cloudFoundryFields) texts(key string) []string {
	v, _ := f.m.Get(key)
	list, ok := v.(*yamlx.List)
	switch {
	case v == nil:
		return nil
	case !ok:
		f.r.fail("spec.manifest."+key, "a list", v)
		return nil
	}
	all := make([]string, 0, len(list.Items))
	for i, item := range list.Items {
		all = append(all, f.r.scalar("spec.manifest."+key+"["+strconv.Itoa(i)+"]", item))
	}
	return all
}
