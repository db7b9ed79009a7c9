package lint

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/archive"
)

const (
	description = "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: hello\nversion: 1.0.0\n"
	application = `apiVersion: skipper.spring.io/v1
kind: SpringCloudDeployerApplication
metadata:
  name: hello
spec:
  resource: "file:///opt/{{name}}"
  version: "1.0.0"
`
	cloudFoundry = `apiVersion: skipper.spring.io/v1
kind: CloudFoundryApplication
spec:
  resource: maven://org.example:{{name}}
  version: 1.0.0
  manifest:
    memory: 1G
`
	schemaText = `{"type": "object", "additionalProperties": false, "required": ["name"],
	"properties": {"name": {"type": "string"}}}`
)

// good is a package without problems; files change it, and an empty text takes one away.
func good(files map[string]string) archive.Content {
	all := map[string]string{
		"package.yml": description, "values.yml": "name: hello\n", "values.schema.json": schemaText,
		"templates/hello.yml": application,
	}
	maps.Copy(all, files)
	c := archive.Content{Root: "hello", Files: map[string][]byte{}}
	for name, text := range all {
		if text != "" {
			c.Files[name] = []byte(text)
		}
	}
	return c
}

func lines(problems []Problem) []string {
	all := []string{}
	for _, p := range problems {
		all = append(all, fmt.Sprintf("%s %s:%d %s", p.Severity, p.File, p.Line, p.Message))
	}
	return all
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const dep = "packages/dep/"
	template := func(old, next string) map[string]string {
		return map[string]string{"templates/hello.yml": strings.Replace(application, old, next, 1)}
	}
	for name, c := range map[string]struct {
		files map[string]string
		o     Options
		want  []string
	}{
		"nothing": {},
		"no package.yml": {files: map[string]string{"package.yml": ""}, want: []string{
			"error package.yml:0 there is none; every package needs one",
		}},
		"two of them": {files: map[string]string{"package.yaml": description, "VALUES.yaml": "a: 1"}, want: []string{
			"error VALUES.yaml:0 there is also values.yml; keep one of them",
			"error package.yaml:0 there is also package.yml; keep one of them",
		}},
		"an empty package.yml": {files: map[string]string{"package.yml": "{}"}, want: []string{
			"error package.yml:1 apiVersion is missing; add apiVersion: skipper.spring.io/v1",
			"error package.yml:1 kind is missing; add kind: SkipperPackageMetadata",
			"error package.yml:1 name is missing; add name: hello",
			"error package.yml:1 version is missing; add version: 1.0.0",
		}},
		"a wrong package.yml": {
			files: map[string]string{"package.yml": "apiVersion: v\nkind: k\nname: a/b\nversion: 1.0\ntitle: x\nname: a/b\n"},
			want: []string{
				"error package.yml:4 version is 1.0; a semantic version is due, as 1.0.0",
				"warning package.yml:5 title is not read; the keys are apiVersion, kind, name, version, displayName, description, " +
					"maintainer, tags, origin, packageHomeUrl, packageSourceUrl, iconUrl, sha256, repositoryId, repositoryName",
				"warning package.yml:6 name is there more than once; only the last counts",
				"error package.yml:6 name must be the name of a folder; use letters, digits and dashes",
			},
		},
		"tags as a list": {files: map[string]string{"package.yml": description + "tags: [a]\n"}, want: []string{
			"error package.yml:5 only keys with plain values can stand here",
		}},
		"files that nobody reads": {
			files: map[string]string{
				"Templates/a.yml": "x", "templates/deep/a.yml": "x", "templates/notes.txt": "x", "packages/README.md": "x",
				"Values.Schema.json": "x", "README.md": "x",
			},
			want: []string{
				"warning Templates/a.yml:0 is not read; name the folder templates",
				"warning Values.Schema.json:0 is not read; name it values.schema.json",
				"warning packages/README.md:0 is not read, and Skipper fails on it: packages/ holds one folder for each dependency",
				"warning templates/deep/a.yml:0 is not read: templates stand in templates/ itself, not in a folder of it",
				"warning templates/notes.txt:0 is not read: the name of a template ends in .yml or .yaml",
			},
		},
		"too much text": {
			files: map[string]string{"values.yml": strings.Repeat("#\n", archive.MaxText/2)},
			want:  []string{"error :0 "},
		},
		"not UTF-8": {files: map[string]string{"values.yml": "name: \xff\n"}, want: []string{"error values.yml:0 is not UTF-8"}},
		"no templates": {files: map[string]string{"templates/hello.yml": "", "values.yml": "name: x\n"}, want: []string{
			"error templates:0 the package renders to no application; add a template",
			"warning values.yml:1 name is used by no template",
		}},
		"values that are no YAML": {files: map[string]string{"values.yml": "name: hello\nb: [\n"}, want: []string{"error values.yml:"}},
		"values that are a list":  {files: map[string]string{"values.yml": "- a\n"}, want: []string{"error values.yml:1 values must be keys with values, found a list"}},
		"a key twice": {files: map[string]string{"values.yml": "name: a\nname: b\n"}, want: []string{
			"warning values.yml:2 name is there more than once; only the last counts",
		}},
		"values that are not used": {
			files: map[string]string{
				"values.yml": "name: hello\nother: x\nmap:\n  a: 1\n  b: {c: 2}\nspec:\n  used: 1\n  idle: 2\n  loop: {x: 1, y.z: 2}\n",
				"templates/hello.yml": application + "  applicationProperties:\n    a: '{{spec.used}}'\n" +
					"    {{#spec.loop.entrySet}}\n    {{key}}: '{{value}}'\n    {{/spec.loop.entrySet}}\n",
				"values.schema.json": "{}",
			},
			want: []string{
				"warning values.yml:2 other is used by no template",
				"warning values.yml:3 map is used by no template",
				"warning values.yml:8 spec.idle is used by no template",
			},
		},
		"no schema": {files: map[string]string{"values.schema.json": ""}, want: []string{
			"warning values.schema.json:0 there is none, so that misspelt values are not found",
		}},
		"a schema that is none": {files: map[string]string{"values.schema.json": "{\n\"type\" 1}"}, want: []string{
			"error values.schema.json:2 it is not JSON: invalid character '1' after object key",
		}},
		"values against the schema": {files: map[string]string{"values.yml": "# note\nname: 1\ntitle: x\n"}, want: []string{
			"error values.yml:2 name must be a text, found a number; put it in quotes",
			"error values.yml:3 title is not a known key",
			"warning values.yml:3 title is used by no template",
		}},
		"a value that must be given": {files: map[string]string{"values.yml": "# none\n"}, want: []string{
			"warning templates/hello.yml:6 {{name}} has no default value; an install without one is refused",
			"warning values.yml:1 name has no default value, and must be given",
		}},
		"and is": {files: map[string]string{"values.yml": "# none\n"}, o: Options{Values: "name: x"}},
		"a wrong value that is given": {o: Options{Values: "name: 1\n"}, want: []string{
			"error the values given:0 name must be a text, found a number; put it in quotes",
		}},
		"every missing value": {
			files: template("  version: \"1.0.0\"", "  version: \"{{a}}\"\n  b: {{c.d}}\n  e: {{{name}}}\n"),
			want: []string{
				"error templates/hello.yml:7 no value for {{a}}; set it in values.yml, or describe it in values.schema.json when " +
					"whoever installs is to give it",
				"error templates/hello.yml:8 no value for {{c.d}}; set it in values.yml, or describe it in values.schema.json when " +
					"whoever installs is to give it",
			},
		},
		"a template that cannot be read": {files: template("spec:", "spec: {{#x}}"), want: []string{"error templates/hello.yml:5 "}},
		"two of them that cannot": {
			files: map[string]string{"templates/a.yml": "\n{{/x}}", "templates/b.yml": "{{>x}}"},
			want:  []string{"error templates/a.yml:2 ", "error templates/b.yml:1 "},
		},
		"no YAML comes of it": {
			files: map[string]string{"templates/hello.yml": "{{! note }}\n" + application + "{{#loop.entrySet}}\n{{key}}: {{value}}\n" +
				"{{/loop.entrySet}}\nx: ]\n", "values.yml": "name: hello\nloop: {a: 1, b: 2, c: 3}\n", "values.schema.json": "{}"},
			want: []string{"error templates/hello.yml:12 renders to text that is not valid YAML: "},
		},
		"nothing comes of it": {files: map[string]string{"templates/empty.yml": "# {{name}}\n"}, want: []string{
			"error templates/empty.yml:1 renders to nothing; every template must render to an application",
		}},
		"another kind": {files: template("SpringCloudDeployerApplication", "ConfigMap"), want: []string{
			"error templates/hello.yml:2 kind ConfigMap is not known; use SpringCloudDeployerApplication",
		}},
		"of Cloud Foundry": {files: map[string]string{"templates/hello.yml": cloudFoundry}},
		"of Cloud Foundry, wrong": {
			files: map[string]string{"templates/hello.yml": strings.Replace(cloudFoundry, "1G", "1X", 1)},
			want: []string{
				`error templates/hello.yml:7 spec.manifest.memory in document 1 of the manifest must be a size such as 1024, 512M or 2G, ` +
					`found "1X"`,
			},
		},
		"what others read otherwise": {
			files: map[string]string{"values.yml": "name: 'hello'\nloop: {a: no}\n", "values.schema.json": "{}", "templates/hello.yml": application +
				"# {{#loop.entrySet}}{{/loop.entrySet}}\n"},
			want: []string{"warning values.yml:2 no is true or false here, and a text for other readers of YAML; "},
		},
		"no kind": {files: template("kind: SpringCloudDeployerApplication\n", ""), want: []string{
			"error templates/hello.yml:1 renders to no kind; add kind: SpringCloudDeployerApplication",
		}},
		"no name": {files: template("  name: hello\n", "  type: x\n"), want: []string{"error templates/hello.yml:3 "}},
		"no resource": {files: template("  resource: \"file:///opt/{{name}}\"\n", "  x: {{name}}\n"), want: []string{
			"error templates/hello.yml:1 spec.resource of application hello: Spec resource must not be empty; as file:///opt/apps/hello",
		}},
		"no scheme": {files: template("file://", ""), want: []string{
			"error templates/hello.yml:6 spec.resource of application hello: a scheme (prefix) is required; as file:///opt/apps/hello",
		}},
		"no version": {files: template("  version: \"1.0.0\"\n", ""), want: []string{
			"warning templates/hello.yml:1 application hello has no spec.version; Skipper cannot upgrade it",
		}},
		"properties that are deep": {
			files: template("  version:", "  applicationProperties:\n    a: {b: c}\n  version:"),
			want:  []string{"error templates/hello.yml:"},
		},
		"an application twice": {files: map[string]string{"templates/other.yml": application}, want: []string{
			"error templates/other.yml:4 application hello is rendered by templates/hello.yml, too; names must differ",
		}},
		"a good dependency": {
			files: map[string]string{
				"values.yml": "name: hello\ndep: {n: 1}\n", dep + "package.yml": "name: dep\n", dep + "values.schema.json": "{}",
				dep + "templates/dep.yml": strings.NewReplacer("name: hello", "name: dep", "{{name}}", "{{n}}").Replace(application),
			},
		},
		"dependencies with problems": {
			files: map[string]string{
				"values.yml":       "name: hello\ndep:\n  n: 1\n  m: 2\n",
				dep + "values.yml": "n: 1\no: x\n", dep + "values.schema.json": `{"properties": {"n": {"type": "string"}, "o": {"type": "integer"}}}`,
				dep + "package.yml":              "name: dep\n",
				dep + "templates/dep.yml":        strings.NewReplacer("name: hello", "name: dep", "{{name}}", "{{n}}").Replace(application),
				dep + "packages/deep/values.yml": "a: 1\n", dep + "packages/deep/package.yml": "name: deep\n",
			},
			want: []string{
				"error packages/dep/values.yml:2 o must be a whole number, found a text",
				"warning packages/dep/values.yml:2 o is used by no template",
				"warning packages/dep/packages/deep/values.yml:0 is not read two levels down: its templates see only what the package " +
					"around gives them",
				"warning packages/dep/packages/deep/values.yml:1 a is used by no template",
				"error values.yml:3 n must be a text, found a number; put it in quotes",
				"warning values.yml:4 dep.m is used by no template",
			},
		},
		"dependencies of one name": {
			files: map[string]string{dep + "package.yml": "name: dep\n", "packages/dup/package.yml": "# the same\nname: dep\n"},
			want: []string{
				"error packages/dup/package.yml:2 another dependency has the name dep, so that both get the same values",
			},
		},
		"a dependency without a name": {files: map[string]string{dep + "package.yml": "version: 1\n"}, want: []string{
			"error packages/dep/package.yml:1 name is missing; add name: hello",
		}},
		"a dependency whose values are no map": {
			files: map[string]string{"values.yml": "name: hello\ndep: 1\n", dep + "package.yml": "name: dep\n"},
			want:  []string{"error values.yml:"},
		},
		"the root of a zip": {o: Options{Zip: true}, want: []string{
			"error package.yml:0 the root folder of the zip is hello; it must be hello-1.0.0 ('skiff package zip' makes it so)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := lines(Check(good(c.files), c.o))
			if len(c.want) != len(got) {
				require.Empty(t, cmp.Diff(c.want, got))
			}
			for _, want := range c.want {
				require.True(t, matches(got, want), "%s\nis not in\n%s", want, strings.Join(got, "\n"))
			}
		})
	}
}

// matches finds a line; one that ends in a blank or a colon is only the beginning of it.
func matches(lines []string, want string) bool {
	for _, line := range lines {
		if line == want || strings.HasPrefix(line, want) && strings.ContainsAny(want[len(want)-1:], " :") {
			return true
		}
	}
	return false
}

func TestCheck_EndsOnDeepPackages(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	at := ""
	for range 40 {
		at += "packages/a/"
		files[at+"package.yml"] = "name: a\n"
	}
	got := lines(Check(good(files), Options{}))
	require.NotEmpty(t, got)
	require.Contains(t, strings.Join(got, "\n"), "deeper than 8")
}

// TestCheck_EndsSoonOnHostilePackages has a package for each way in which the work of lint could grow with the square of
// what it reads. Each took from half a minute to hours; the test ends with its time limit when one does again.
func TestCheck_EndsSoonOnHostilePackages(t *testing.T) {
	t.Parallel()
	const n = 20_000
	lines := func(format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	many := map[string]string{}
	for i := range 40 {
		dir := fmt.Sprintf("packages/d%d/", i)
		many[dir+"package.yml"] = fmt.Sprintf("name: d%d\n", i)
		many[dir+"values.yml"] = lines("k%d: 1\n")
	}
	templates := map[string]string{"values.yml": "name: hello\n" + lines("k%d: 1\n"), "values.schema.json": "{}"}
	for i := range 1000 {
		templates[fmt.Sprintf("templates/t%d.yml", i)] = "{{a}}"
	}
	for name, files := range map[string]map[string]string{
		"values that no template uses": {
			"values.yml": "name: hello\nm:\n" + lines("  k%d: 1\n"), "templates/hello.yml": application + lines("# {{#x%d}}{{/x%[1]d}}\n"),
			"values.schema.json": "{}",
		},
		"values that no schema knows": {"values.yml": "name: hello\n" + lines("k%d: 1\n")},
		"variables without a value":   {"templates/hello.yml": application + lines("# {{x%d}}\n")},
		"keys of package.yml":         {"package.yml": description + lines("k%d: 1\n")},
		"applications without resources": {
			"values.yml": "name: hello\nm:\n" + lines("  k%d: 1\n"), "values.schema.json": "{}",
			"templates/hello.yml": strings.Repeat("#\n", n) + "{{#m.entrySet}}\n---\nkind: SpringCloudDeployerApplication\n" +
				"metadata: {name: {{name}}}\n{{/m.entrySet}}\n",
		},
		"dependencies with many values": many,
		"templates with many values":    templates,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := Check(good(files), Options{})
			require.NotEmpty(t, problems)
			require.LessOrEqual(t, len(problems), 2*maxProblems)
			require.Regexp(t, "more problems than can be shown|more values than the limit|renders to too much|k0 is|used by no", fmt.Sprint(problems))
		})
	}
}
