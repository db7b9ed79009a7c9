package templates

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

func TestInspect_FindsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	values, err := yamlx.ParseMap("a: x\nlist: {k: v, l: w}\n")
	require.NoError(t, err)
	found, err := Inspect("a: {{a}}\nb: {{b.c}}\n{{#list.entrySet}}\n- {{key}}: {{{none}}}\n{{/list.entrySet}}\n"+
		"{{#off}}\n{{alone}}\n{{/off}}\n{{^off}}\nd: {{a}}\n{{/off}}\ne: {{f}}\n", values)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(Inspection{
		Tags: []Tag{
			{Name: "a", Line: 1},
			{Name: "b.c", Line: 2, Missing: true},
			{Name: "list.entrySet", Line: 3, Section: true},
			{Name: "key", Line: 4},
			{Name: "none", Line: 4, Missing: true},
			{Name: "off", Line: 6, Section: true},
			{Name: "alone", Line: 7},
			{Name: "off", Line: 9, Section: true},
			{Name: "a", Line: 10},
			{Name: "f", Line: 12, Missing: true},
		},
		Text:  "a: x\nb: b.c\n- k: none\n- l: none\nd: x\ne: f\n",
		Lines: []int{1, 2, 4, 4, 10, 12, 13},
	}, found))
}

func TestInspect_RendersAsRenderDoes(t *testing.T) {
	t.Parallel()
	const values = "a: x\nm: {k: v, l: '<'}\nempty: {}\nflag: false\n"
	for _, template := range []string{
		"a: {{a}}", "a: {{{m.l}}}\n", "{{#m.entrySet}}\n{{key}}: '{{value}}'\n{{/m.entrySet}}\n",
		"{{#m}}\n{{#entrySet}}{{-index}}{{^-last}},{{/-last}}{{/entrySet}}\n{{/m}}", "{{#empty.entrySet}}{{x}}{{/empty.entrySet}}y",
		"{{#flag}}on{{/flag}}", "{{=<% %>=}}\n<%a%>", "{{! note }}\na: b\n", "{{m}}",
	} {
		p := packageOf("p", template, values)
		root, err := Values(p, "")
		require.NoError(t, err)
		found, err := Inspect(template, root)
		require.NoError(t, err)
		want, err := documents(p, root)
		require.NoError(t, err)
		got, err := yamlx.Parse(found.Text)
		require.NoError(t, err)
		require.Equal(t, yamlx.Dump(want), yamlx.Dump(got), template)
	}
}

func TestInspect_StopsAtTheLimits(t *testing.T) {
	t.Parallel()
	_, err := Inspect("{{#a}}", yamlx.NewMap())
	require.ErrorContains(t, err, "line 1: section {{#a}} is not closed")
	keys := yamlx.NewMap()
	for i := range 300 {
		keys.Put(string(rune('a'+i)), "x")
	}
	values := yamlx.NewMap()
	values.Put("m", keys)
	loop := "{{#m.entrySet}}{{#m.entrySet}}{{#m.entrySet}}{{/m.entrySet}}{{/m.entrySet}}{{/m.entrySet}}"
	_, err = Inspect(loop, values)
	require.ErrorContains(t, err, "it renders to too much")
}
