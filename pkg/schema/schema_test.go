package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

func valuesOf(tb testing.TB, text string) *yamlx.Map {
	tb.Helper()
	values, err := yamlx.ParseMap(text)
	require.NoError(tb, err)
	return values
}

func texts(found []Violation) []string {
	all := []string{}
	for _, v := range found {
		all = append(all, v.String())
	}
	return all
}

func TestCheck_SaysWhereValuesDoNotFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schema, values string
		want           []string
	}{
		"all is well":   {`{"required": ["a"], "properties": {"a": {"type": "string"}}}`, "a: x", []string{}},
		"nothing asked": {`{}`, "a: x", []string{}},
		"true":          {`true`, "a: x", []string{}},
		"false":         {`false`, "a: x", []string{"must not be given"}},
		"missing":       {`{"required": ["b", "a"]}`, "", []string{"a must be given", "b must be given"}},
		"unknown key":   {`{"additionalProperties": false}`, "a: 1\nb: 2", []string{"a is not a known key", "b is not a known key"}},
		"an item": {
			`{"properties": {"a": {"items": {"type": "string"}}}}`, "a: [x, 2]", []string{"a.1 must be a text, found a number; put it in quotes"},
		},
		"key names": {`{"propertyNames": {"pattern": "^a"}}`, "b: 1", []string{"b is not an allowed key"}},
		"many keys": {`{"maxProperties": 1}`, "a: 1\nb: 2", []string{"must have at most 1 key, has 2"}},
		"together":  {`{"dependentRequired": {"a": ["b"]}}`, "a: 1", []string{"needs b beside a"}},
		"all of": {
			`{"properties": {"a": {"allOf": [{"minimum": 4}, {"type": "string"}]}}}`, "a: 3",
			[]string{"a must be a text, found a number; put it in quotes", "a must be at least 4"},
		},
		"a reference": {
			`{"$defs": {"port": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/port"}}}`,
			"a: x",
			[]string{"a must be a whole number, found a text"},
		},
		"draft 7": {
			`{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"p": {"type": "integer"}},
			  "properties": {"a": {"$ref": "#/definitions/p"}}}`,
			"a: x",
			[]string{"a must be a whole number, found a text"},
		},
		"an id of its own": {
			`{"$id": "https://example.com/values.json", "properties": {"a": {"$ref": "#/$defs/p"}}, "$defs": {"p": {"const": 1}}}`,
			"a: 2",
			[]string{"a must be 1"},
		},
		"a recursive one": {
			`{"properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}}`,
			"child: {child: {n: x}}",
			[]string{"child.child.n must be a whole number, found a text"},
		},
		"the same by an alias": {
			`{"additionalProperties": {"required": ["n"]}}`, "a: &x {m: 1}\nb: *x", []string{"a.n must be given", "b.n must be given"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := Check([]byte(c.schema), valuesOf(t, c.values))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.want, texts(found)))
		})
	}
}

func TestCheck_SaysWhatEachKeywordWants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, value, want string }{
		"a number":       {`{"type": "string"}`, "1.0", "must be a text, found a number; put it in quotes"},
		"two types":      {`{"type": ["integer", "null"]}`, "x", "must be nothing or a whole number, found a text"},
		"yaml 1.1":       {`{"type": "boolean"}`, "yes", ""},
		"one of":         {`{"enum": ["x", 2]}`, "y", `must be "x" or 2`},
		"only":           {`{"const": "x"}`, "y", `must be "x"`},
		"pattern":        {`{"pattern": "^[a-z]+$"}`, "X1", "must match the pattern ^[a-z]+$"},
		"too small":      {`{"minimum": 1}`, "0", "must be at least 1"},
		"too large":      {`{"maximum": 1.5}`, "2", "must be at most 1.5"},
		"not above":      {`{"exclusiveMinimum": 1}`, "1", "must be above 1"},
		"not below":      {`{"exclusiveMaximum": 1}`, "1", "must be below 1"},
		"no multiple":    {`{"multipleOf": 5}`, "7", "must be a multiple of 5"},
		"large number":   {`{"maximum": 1}`, "123456789012345678901234567890", "must be at most 1"},
		"infinite":       {`{"type": "number"}`, ".inf", "must be a number, found a text"},
		"too short":      {`{"minLength": 3}`, "ä", "must have at least 3 characters, has 1"},
		"too long":       {`{"maxLength": 1}`, "äh", "must have at most 1 character, has 2"},
		"few items":      {`{"minItems": 3}`, "[1]", "must have at least 3 items, has 1"},
		"equal items":    {`{"uniqueItems": true}`, "[1, 2, 1]", "must not have equal items; items 1 and 3 are"},
		"any of":         {`{"anyOf": [{"type": "string"}, {"minimum": 5}]}`, "3", "fits none of the allowed forms"},
		"several of one": {`{"oneOf": [{"minimum": 2}, {"minimum": 1}]}`, "3", "fits more than one of the forms of which it must have exactly one"},
		"not":            {`{"not": {"const": 3}}`, "3", "has a form that is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := `{"properties": {"a": {"properties": {"b.c": ` + c.schema + `}}}}`
			found, err := Check([]byte(text), valuesOf(t, "a: {b.c: "+c.value+"}"))
			require.NoError(t, err)
			want := []string{}
			if c.want != "" {
				want = append(want, "a[b.c] "+c.want)
			}
			require.Empty(t, cmp.Diff(want, texts(found)))
		})
	}
}

func TestCheck_ShowsNoValue(t *testing.T) {
	t.Parallel()
	for _, keyword := range []string{
		`"pattern": "^x$"`, `"const": "x"`, `"enum": ["x"]`, `"type": "integer"`, `"maxLength": 1`, `"not": {}`,
		`"anyOf": [{"const": 1}]`, `"format": "date"`, `"contentMediaType": "application/json"`,
	} {
		for _, draft := range []string{"http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"} {
			text := fmt.Sprintf(`{"$schema": %q, "properties": {"password": {%s}}}`, draft, keyword)
			found, err := Check([]byte(text), valuesOf(t, "password: hunter2"))
			require.NoError(t, err)
			require.NotContains(t, strings.Join(texts(found), "\n"), "hunter2")
		}
	}
}

func TestCheck_TellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	found, err := Check([]byte(`{"properties": {"a": {"required": ["b"]}}}`), valuesOf(t, "a: {}"))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]Violation{{Path: []string{"a", "b"}, Message: "must be given", Missing: "b"}}, found))
}

func TestCheck_RefusesSchemasThatAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "line 1: it is not JSON",
		"{\n\"a\": }":      "line 2: it is not JSON",
		"{} {":             "it is not JSON",
		`[]`:               "it is no JSON Schema: must be ",
		`{"type": "text"}`: "it is no JSON Schema: type ",
		`{"properties": {"a": {"minimum": "1"}}}`: "it is no JSON Schema: properties.a.minimum must be a number",
		`{"pattern": "("}`:                        "the pattern \"(\" cannot be used: error parsing regexp: missing closing )",
		`{"$ref": "#/$defs/a"}`:                   "which is not there",
		`{"$schema": "https://example.com/mine"}`: "https://example.com/mine is not read",
		`{"$dynamicRef": "#a"}`:                   "$dynamicRef is not supported",
		`{"$ref": "http://127.0.0.1:1/x.json"}`:   "nothing outside of the file is read",
		`{"$ref": "other.json#/a"}`:               "nothing outside of the file is read",
		`{"$ref": "/etc/passwd"}`:                 "nothing outside of the file is read",
		`{"multipleOf": 1e-99999999}`:             "the number 1e-99999999 is too large or too exact",
		`{"maximum": 1e99999999}`:                 "the number 1e99999999 is too large or too exact",
	} {
		_, err := Check([]byte(text), valuesOf(t, "a: 1"))
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, skipper.SchemaFile)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestCheck_ReadsNoOtherFile(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other.json")
	require.NoError(t, os.WriteFile(other, []byte(`{"type": "string"}`), 0o600))
	for _, text := range []string{
		`{"properties": {"a": {"$ref": "file://` + other + `"}}}`,
		`{"$schema": "file://` + other + `"}`,
		`{"$id": "file://` + other + `", "properties": {"a": {"$ref": "#/type"}}}`,
	} {
		found, err := Check([]byte(text), valuesOf(t, "a: 1"))
		require.Error(t, err, "%v", found)
	}
}

// wide is a schema of many that apply to the same value.
func wide(keyword, inner string, n int) string {
	return `{"` + keyword + `": [` + strings.TrimSuffix(strings.Repeat(inner+",", n), ",") + `]}`
}

func TestCheck_IsBounded(t *testing.T) {
	t.Parallel()
	doubling := `{"$ref": "#/$defs/d0", "$defs": {`
	for i := range 40 {
		doubling += fmt.Sprintf(`"d%d": {"anyOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling += `"d40": false}}`
	loop := `{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}`
	children := `{"additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, false]}}`
	nested := strings.Repeat("{a: ", 30) + "1" + strings.Repeat("}", 30)
	long := "a: " + strings.Repeat("x", 1_000_000)
	for name, c := range map[string]struct{ schema, values, want string }{
		"size":     {`{"title": "` + strings.Repeat("x", maxBytes) + `"}`, "a: 1", "it has more than 262144 bytes"},
		"depth":    {strings.Repeat(`{"not":`, 50) + "{}" + strings.Repeat("}", 50), "a: 1", "nested deeper than 40"},
		"lists":    {strings.Repeat(`[`, 100_000), "a: 1", "nested deeper than 40"},
		"number":   {wide("allOf", "{}", maxValues), "a: 1", "it has more than 3000 values"},
		"doubling": {doubling, "a: 1", "takes too long"},
		"loop":     {loop, "a: 1", "leads back to where it stands"},
		"children": {children, nested, "takes too long"},
		"texts":    {`{"properties": {"a": ` + wide("allOf", `{"maxLength": 9}`, 1000) + `}}`, long, "takes too long"},
		"pattern":  {`{"pattern": "` + strings.Repeat("x", maxPattern+1) + `"}`, "a: 1", "longer than 1000 characters"},
		"patterns": {wide("allOf", `{"pattern": "(x{900}){1}(y{900}){1}(z{900}){1}"}`, 1), "a: 1", ""},
		"programs": {
			`{"allOf": [` + programs(10) + `]}`, "a: 1", "too large together",
		},
		"matching": {`{"properties": {"a": {"pattern": "(x?){900}y"}}}`, long, "its patterns takes too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Check([]byte(c.schema), valuesOf(t, c.values))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		})
	}
}

// programs are patterns that differ and are large when compiled.
func programs(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`{"pattern": "%d(x{900})(y{900})(z{900})"}`, i))
	}
	return strings.Join(all, ",")
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^x+$"}}}`,
		`{"$id": "x", "$defs": {"a": {"$id": "y", "$anchor": "z"}}, "allOf": [{"$ref": "#z"}]}`,
		`{"$schema": "http://json-schema.org/draft-04/schema#", "id": "#a", "items": [{"$ref": "#a"}]}`,
		`{"if": {"const": 1}, "then": false, "else": {"unevaluatedProperties": false}}`,
		`{"patternProperties": {"^a": {"uniqueItems": true, "contains": {"multipleOf": 0.1}}}}`,
	} {
		f.Add(seed, "a: {b: [1, 1.5, x, null, 2001-01-01]}\nc: &x {d: .nan}\ne: *x\n")
	}
	f.Fuzz(func(t *testing.T, text, yml string) {
		values, err := yamlx.ParseMap(yml)
		if err != nil {
			return
		}
		found, err := Check([]byte(text), values)
		if err != nil && (skipper.CodeOf(err) != skipper.CodeInvalid || found != nil) {
			t.Fatalf("%v, %v", found, err)
		}
		for _, v := range found {
			if v.Message == "" {
				t.Fatalf("a violation that says nothing at %v", v.Path)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	text := []byte(`{"type": "object", "properties": {"spec": {"properties": {"applicationProperties":
		{"additionalProperties": {"type": "string"}}}}}}`)
	for _, n := range []int{20, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var yml strings.Builder
			yml.WriteString("spec:\n  applicationProperties:\n")
			for i := range n {
				fmt.Fprintf(&yml, "    key%d: value\n", i)
			}
			values := valuesOf(b, yml.String())
			for b.Loop() {
				if _, err := Check(text, values); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
