package templates

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// generic is the template that Data Flow puts into every package.
const generic = `"apiVersion": "skipper.spring.io/v1"
"kind": "SpringCloudDeployerApplication"
"metadata":
{{#metadata.entrySet}}
  "{{{key}}}": "{{{value}}}"
{{/metadata.entrySet}}
"spec":
  "resource": "{{{spec.resource}}}"
  "resourceMetadata": "{{{spec.resource}}}:jar:metadata:{{{spec.version}}}"
  "version": "{{{spec.version}}}"
  "applicationProperties":
{{#spec.applicationProperties.entrySet}}
    "{{{key}}}": "{{{value}}}"
{{/spec.applicationProperties.entrySet}}
  "deploymentProperties":
{{#spec.deploymentProperties.entrySet}}
    "{{{key}}}": "{{{value}}}"
{{/spec.deploymentProperties.entrySet}}
`

// genericPackage is a package as Data Flow makes them, with some properties.
func genericPackage(name string, properties int) skipper.Package {
	var values strings.Builder
	fmt.Fprintf(&values, "\"metadata\":\n  \"name\": \"%s\"\n\"spec\":\n  \"resource\": \"maven://org.example:%s\"\n"+
		"  \"version\": \"1.0.0\"\n  \"applicationProperties\":\n", name, name)
	for i := range properties {
		fmt.Fprintf(&values, "    \"spring.cloud.stream.bindings.input%d.destination\": \"topic-%d\"\n", i, i)
	}
	values.WriteString("  \"deploymentProperties\":\n    \"spring.cloud.deployer.group\": \"bench\"\n")
	return packageOf(name, generic, values.String())
}

func BenchmarkRender(b *testing.B) {
	group := skipper.Package{Metadata: skipper.PackageMetadata{Name: "group"}}
	for i := range 50 {
		group.Dependencies = append(group.Dependencies, genericPackage(fmt.Sprintf("app%d", i), 20))
	}
	for _, c := range []struct {
		name string
		p    skipper.Package
	}{
		{"20_properties", genericPackage("app", 20)},
		{"2000_properties", genericPackage("app", 2000)},
		{"50_dependencies", group},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := Render(c.p, "")
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkMergeOverrides(b *testing.B) {
	values := genericPackage("app", 200).ConfigValues.Text()
	b.ReportAllocs()
	for b.Loop() {
		_, err := MergeOverrides(values, "spec: {applicationProperties: {log.level: DEBUG}}\n")
		require.NoError(b, err)
	}
}

func BenchmarkYAML(b *testing.B) {
	text, err := Render(genericPackage("app", 2000), "")
	require.NoError(b, err)
	documents, err := yamlx.Parse(text)
	require.NoError(b, err)
	b.Run("Parse", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			_, err := yamlx.Parse(text)
			require.NoError(b, err)
		}
	})
	b.Run("Dump", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			yamlx.Dump(documents)
		}
	})
	b.Run("Plain", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			yamlx.Plain(documents[0])
		}
	})
}
