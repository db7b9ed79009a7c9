package templates

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// recorded is an install or upgrade as the reference server answered it.
type recorded struct {
	Name      string          `json:"name"`
	Package   skipper.Package `json:"package"`
	Overrides string          `json:"overrides"`
	Counts    map[string]int  `json:"counts"`
	Manifest  string          `json:"manifest"`
	Previous  *string         `json:"previous"` // values of the release before, for upgrades
	Request   string          `json:"request"`
}

func TestRenderWithCounts_GivesTheRecordedManifests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/recorded.json")
	require.NoError(t, err)
	var cases []recorded
	require.NoError(t, json.Unmarshal(text, &cases))
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got, err := RenderWithCounts(c.Package, c.Overrides, c.Counts)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.Manifest, got))
			if c.Previous != nil {
				merged, err := MergeOverrides(*c.Previous, c.Request)
				require.NoError(t, err)
				require.Equal(t, c.Overrides, merged)
			}
		})
	}
}

// packageOf makes a package of one template; values may be empty.
func packageOf(name, template, values string) skipper.Package {
	return skipper.Package{
		Metadata:     skipper.PackageMetadata{Name: name},
		Templates:    []skipper.Template{{Name: name + ".yml", Data: template}},
		ConfigValues: &skipper.ConfigValues{Raw: &values},
	}
}

func TestRender_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ template, values, overrides, want string }{
		"missing value": {
			template: "a: b\nc: {{spec.foo}}\n",
			want:     "template hello.yml, line 2: no value for {{spec.foo}}; set it in values.yml or in the request's values",
		},
		"partial": {
			template: "{{>x}}",
			want:     "template hello.yml, line 1: partials are not supported: {{>x}}",
		},
		"not closed": {
			template: "\n{{#a}}",
			want:     "template hello.yml, line 2: section {{#a}} is not closed; add {{/a}}",
		},
		"other closed": {
			template: "{{#a}}{{/b}}",
			want:     "template hello.yml, line 1: {{/b}} closes section {{#a}} of line 1",
		},
		"closed, not open": {
			template: "{{/b}}",
			want:     "template hello.yml, line 1: {{/b}} closes a section that is not open",
		},
		"empty tag": {
			template: "{{ }}",
			want:     "template hello.yml, line 1: a tag is empty; put a name into {{}}",
		},
		"bad delimiters": {
			template: "{{=x=}}",
			want:     "template hello.yml, line 1: {{=x=}} must be of the form {{=1 2=}} or {{=12 34=}}",
		},
		"line break": {template: "{{a\nb}}", want: "line break"},
		"not YAML": {
			template: "a: 1\nb: [\nc: d\n",
			want:     "template hello.yml renders to text that is not valid YAML: line 2: the [ that opens here is not closed; add ']'",
		},
		"list": {
			overrides: "- a\n",
			want: "Was expecting override values to produce a Map, " +
				"instead got class = class java.util.ArrayListoverrideValues.getRaw() = - a\n",
		},
		"text": {
			overrides: "just text",
			want: "Was expecting override values to produce a Map, " +
				"instead got class = class java.lang.StringoverrideValues.getRaw() = just text",
		},
		"number":             {overrides: "12345678901", want: "instead got class = class java.lang.Long"},
		"values":             {values: "- a", want: "Config Values that are not a map are not yet supported."},
		"bad request values": {overrides: "a: [", want: "the values of the request are not valid YAML: line 1: "},
		"number as key":      {values: "a: {8080: x}", want: "values.yml of package hello, line 1: the key 8080 is not a text; put it in quotes"},
		"nested deep": {
			template: strings.Repeat("{{#a}}", 65) + strings.Repeat("{{/a}}", 65),
			want:     "sections are nested deeper than 64",
		},
		"large":     {template: strings.Repeat("x", maxTemplate+1), want: "the template is larger than"},
		"unbounded": {template: "{{#a}}{{b}}{{/a}}", values: "a: 1", want: "no value for {{b}}"},
		"endless": {
			template: loops(9), values: "m: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8}",
			want: "it renders to too much",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Render(packageOf("hello", c.template, c.values), c.overrides)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		})
	}
}

// loops is a template of loops in loops that write nothing.
func loops(depth int) string {
	return strings.Repeat("{{#m.entrySet}}", depth) + strings.Repeat("{{/m.entrySet}}", depth)
}

func TestRender_TakesCommentsForNoOverrides(t *testing.T) {
	t.Parallel()
	got, err := Render(packageOf("hello", "a: {{a}}", "a: 1"), "# none\n")
	require.NoError(t, err)
	require.Equal(t, "\"a\": \"1\"\n", got)
}

func TestRender_NamesTheTemplateWhoseTextIsNoYAML(t *testing.T) {
	t.Parallel()
	p := packageOf("hello", "a: 1\nb: 2\n", "")
	p.Templates = append(p.Templates, skipper.Template{Name: "second.yml", Data: "a: 1\nb: c: d\n"})
	_, err := Render(p, "")
	require.ErrorContains(t, err, "template second.yml renders to text that is not valid YAML: line 2: ")
}

const counted = `
metadata: {name: "{{name}}"}
spec:
  deploymentProperties:
    {{#spec.deploymentProperties.entrySet}}
    {{key}}: {{value}}
    {{/spec.deploymentProperties.entrySet}}
`

func TestRenderWithCounts_GoesByTheExactApplication(t *testing.T) {
	t.Parallel()
	group := skipper.Package{Metadata: skipper.PackageMetadata{Name: "group"}, Dependencies: []skipper.Package{
		packageOf("log", counted, "name: log\nspec: {deploymentProperties: {a: b}}"),
		packageOf("log2", counted, "name: other\nspec: {deploymentProperties: {a: b}}"),
		packageOf("none", counted, "name: none\nspec: {deploymentProperties: null}"),
	}}
	got, err := RenderWithCounts(group, "", map[string]int{"log2": 5, "other": 3, "none": 2})
	require.NoError(t, err)
	require.Equal(t, `"metadata":
  "name": "log"
"spec":
  "deploymentProperties":
    "a": "b"
---
"metadata":
  "name": "other"
"spec":
  "deploymentProperties":
    "a": "b"
    "spring.cloud.deployer.count": "3"
---
"metadata":
  "name": "none"
"spec":
  "deploymentProperties": !!null "null"
`, got)
}

func TestMergeOverrides_AddsAndReplaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ previous, next, want string }{
		"blank request":  {"a: 1", " \n", ""},
		"only a comment": {"a: 1", "# x\n", ""},
		"blank before":   {"", "a:   1 # kept as it is\n", "a:   1 # kept as it is\n"},
		"both": {
			"a: {b: 1, c: [1, 2]}\nd: 'x'\n", "a: {c: [2, 3], e: null}\nf: '10'\n",
			"a:\n  b: 1\n  c:\n  - 1\n  - 2\n  - 3\n  e: null\nd: x\nf: '10'\n",
		},
		"quoted": {"a: x\n", "b: 'say \"hi\" #1'\n", "a: x\nb: 'say \"hi\" #1'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := MergeOverrides(c.previous, c.next)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestHashOrder_IsJavas(t *testing.T) {
	t.Parallel()
	got := hashOrder([]string{
		"server.port", "log.level", "flag", "nul", "lst", "m", "regex", "d", "date", "management.metrics.tags.application",
		"spring.cloud.dataflow.stream.name", "spring.cloud.stream.bindings.input.destination",
		"spring.cloud.stream.bindings.input.group",
	})
	require.Equal(t, []string{
		"date", "flag", "nul", "d", "management.metrics.tags.application", "spring.cloud.dataflow.stream.name", "lst", "m",
		"regex", "spring.cloud.stream.bindings.input.group", "server.port", "log.level",
		"spring.cloud.stream.bindings.input.destination",
	}, got)
}

func TestTrim_TakesTagsThatStandAlone(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"a\n{{! one }}\n{{! two }}\nb\n":              "a\nb\n",
		"{{#m}}\n{{/m}}\nb\n":                         "b\n",
		"a\n  {{#m}}\n  {{! c }}\n  x\n  {{/m}}  \nb": "a\n  x\nb",
		"  {{! c }}  ":                                "    ", // the text behind it has no line break
		"{{=<% %>=}}\n<%a%>":                          "1",
		"{{=| |=}}|a| {{a}}":                          "1 {{a}}",
		"{{a}} {{ {{a}} }}":                           "1 {{ 1 }}",
	} {
		var r renderer
		require.NoError(t, r.template(template, &dict{values: map[string]any{"m": &dict{}, "a": "1"}}), template)
		require.Equal(t, want, r.out.String(), template)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("spec:\n  a: {{a}}\n{{#m.entrySet}}\n  {{key}}: \"{{{value}}}\"\n{{/m.entrySet}}\n", "a: 1\nm: {x: y}\n")
	f.Add("{{=<% %>=}}<%#a%>x<%/a%> {{a", "a: [1, {b: c}]")
	f.Add("{{>partial}}{{^a}}{{.}}{{/a}}{{! c }}{{&a}}", "")
	f.Add("{{#-first}}{{a.b.c}}{{/-first}}", "a: {b: {c: &x !!set {d}}}")
	f.Fuzz(func(t *testing.T, template, values string) {
		manifest, err := Render(packageOf("hello", template, values), "")
		if again, err2 := Render(packageOf("hello", template, values), ""); again != manifest || (err == nil) != (err2 == nil) {
			t.Fatalf("%q, then %q; %v, then %v", manifest, again, err, err2)
		}
		if err != nil {
			if skipper.CodeOf(err) != skipper.CodeInvalid {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if manifest == "" {
			t.Fatal("a template came to no document at all")
		}
	})
}

func FuzzMerge(f *testing.F) {
	f.Add("a: {b: 1, c: [1, 2]}\nd: x\n", "a: {c: [2, 3], e: null}\nf: '10'\n")
	f.Add("a: &a {b: c}\nd: *a\n", "a: {<<: {x: y}}\nd: [1]\n")
	f.Add("# nothing\n", "a: !!set {b}\n")
	f.Add("1: a", "on: b")
	f.Fuzz(func(t *testing.T, previous, next string) {
		merged, err := MergeOverrides(previous, next)
		if err != nil {
			if skipper.CodeOf(err) != skipper.CodeInvalid {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		over, err := yamlx.ParseMap(next)
		if err != nil {
			t.Fatalf("%q was merged and cannot be read: %v", next, err)
		}
		got, err := yamlx.ParseMap(merged)
		if err != nil {
			t.Fatalf("%q over %q came to %q, which cannot be read: %v", next, previous, merged, err)
		}
		for _, e := range over.Entries() { // every key that was given is there
			if key, isText := e.Key.(string); isText && !strings.Contains(merged, "!!binary") {
				if _, ok := got.Get(key); !ok {
					t.Fatalf("%q over %q came to %q, without %q", next, previous, merged, key)
				}
			}
		}
		if twice, err := MergeOverrides(merged, next); err == nil && merged != "" && twice != "" {
			again, err := yamlx.ParseMap(twice)
			if err != nil || !yamlx.Equal(again, got) && !strings.Contains(merged, "!!binary") {
				t.Fatalf("%q over %q came to %q, and then to %q: %v", next, previous, merged, twice, err)
			}
		}
	})
}
