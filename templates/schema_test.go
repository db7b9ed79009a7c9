package templates

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func withSchema(p skipper.Package, text string) skipper.Package {
	p.FileHolders = []skipper.FileHolder{{Name: skipper.SchemaFile, Bytes: []byte(text)}}
	return p
}

// withDependency adds a dependency that no schema knows of.
func withDependency(p skipper.Package) skipper.Package {
	p.Dependencies = []skipper.Package{packageOf("dep", "n: {{n}}", "n: x")}
	return p
}

func TestRender_RefusesValuesThatDoNotFitTheSchema(t *testing.T) {
	t.Parallel()
	const known = `{"additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "string"}}}`
	hello := withSchema(packageOf("hello", "a: {{a}}", "a: x"), known)
	outer := withSchema(packageOf("outer", "a: {{a}}", "a: x\ndep: {n: 1}"), known)
	outer.Dependencies = []skipper.Package{withSchema(packageOf("dep", "n: {{n}}", "m: x"),
		`{"properties": {"n": {"type": "integer"}, "m": {"const": "x"}}}`)}
	few := `{"additionalProperties": {"type": "null"}}`
	const words = "the values do not fit values.schema.json of package "
	for name, c := range map[string]struct {
		p               skipper.Package
		overrides, want string
	}{
		"defaults that fit":           {hello, "", ""},
		"overrides that fit":          {hello, "a: y", ""},
		"wrong type":                  {hello, "a: 1", words + "hello: a must be a text, found a number"},
		"unknown and wrong":           {hello, "b: x\na: [1]", words + "hello: a must be a text, found a list; b is not a known key"},
		"schema of the dependency":    {outer, "dep: {n: x}", words + "outer: dep.n must be a whole number, found a text"},
		"defaults of the dependency":  {outer, "dep: {m: y}", words + `outer: dep.m must be "x"`},
		"dependency nobody described": {withDependency(hello), "", ""},
		"its section":                 {withDependency(hello), "dep: {n: 1}", ""},
		"unknown beside dependencies": {outer, "c: {d: 1}", words + "outer: c is not a known key"},
		"many": {
			withSchema(packageOf("p", "", ""), few), "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1}",
			"j must be nothing, found a number; and 2 more",
		},
		"no schema": {
			withSchema(hello, `{"type": 1}`), "", "package hello: values.schema.json: it is no JSON Schema: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Render(c.p, c.overrides)
			_, counted := RenderWithCounts(c.p, c.overrides, nil)
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, counted)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
			require.Contains(t, skipper.MessageOf(err), c.want, "it is shown")
			require.Equal(t, err, counted)
		})
	}
}

func TestViolations_SaysOfWhichPackage(t *testing.T) {
	t.Parallel()
	p := packageOf("outer", "", "")
	inner := withSchema(packageOf("inner", "", "ignored: two levels down"), `{"required": ["b"]}`)
	dep := packageOf("dep", "", "")
	dep.Dependencies = []skipper.Package{inner}
	p.Dependencies = []skipper.Package{dep}
	found, err := Violations(p, "dep: {inner: {c: 1}}")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, []string{"dep", "inner"}, found[0].Package)
	require.Equal(t, "b must be given", found[0].String())
	found, err = Violations(p, "dep: {inner: {b: 1}}")
	require.NoError(t, err)
	require.Empty(t, found)
	_, err = Violations(p, "[")
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
}
