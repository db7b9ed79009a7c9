package templates

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

// inspect renders a template of its own.
func inspect(values, template string) (Inspection, error) {
	i, err := NewInspector(packageOf("p", template, values), "")
	if err != nil {
		return Inspection{}, err
	}
	return i.Inspect(template, i.View())
}

func TestInspect_FindsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	found, err := inspect("a: x\nlist: {k: v, l: w}\n", "a: {{a}}\nb: {{b.c}}\n{{#list.entrySet}}\n- {{key}}: {{{none}}}\n"+
		"{{/list.entrySet}}\n{{#off}}\n{{alone}}\n{{/off}}\n{{^off}}\nd: {{a}}\n{{/off}}\ne: {{f}}\n")
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
		Text: "a: x\nb: b.c\n- k: none\n- l: none\nd: x\ne: f\n",
	}, found, cmpopts.IgnoreUnexported(Inspection{})))
	for i, want := range []int{1, 2, 4, 4, 10, 12} {
		require.Equal(t, want, found.Line(i+1))
	}
}

func TestInspect_RendersAsRenderDoes(t *testing.T) {
	t.Parallel()
	const values = "a: x\nm: {k: v, l: '<'}\nempty: {}\nflag: false\n"
	for _, template := range []string{
		"a: {{a}}", "a: {{{m.l}}}\n", "{{#m.entrySet}}\n{{key}}: '{{value}}'\n{{/m.entrySet}}\n",
		"{{#m}}\n{{#entrySet}}{{-index}}{{^-last}},{{/-last}}{{/entrySet}}\n{{/m}}", "{{#empty.entrySet}}{{x}}{{/empty.entrySet}}y",
		"{{#flag}}on{{/flag}}", "{{=<% %>=}}\n<%a%>", "{{! note }}\na: b\n", "{{m}}",
	} {
		found, err := inspect(values, template)
		require.NoError(t, err)
		want, err := Render(packageOf("p", template, values), "")
		require.NoError(t, err)
		got, err := yamlx.Parse(found.Text)
		require.NoError(t, err)
		require.Equal(t, want, yamlx.Dump(got), template)
	}
}

func TestInspect_StopsAtTheLimits(t *testing.T) {
	t.Parallel()
	_, err := inspect("", "{{#a}}")
	require.ErrorContains(t, err, "line 1: section {{#a}} is not closed")
	loop := "{{#m.entrySet}}{{#m.entrySet}}{{#m.entrySet}}{{/m.entrySet}}{{/m.entrySet}}{{/m.entrySet}}"
	_, err = inspect("m: {"+numbered("k%d: v,", 3000)+"}", loop)
	require.ErrorContains(t, err, "it renders to too much")
	_, err = inspect("", repeat("x", maxTemplates+1))
	require.ErrorContains(t, err, "at most 4194304 are allowed")
}

func TestInspect_CountsAllTemplatesTogether(t *testing.T) {
	t.Parallel()
	loop := "{{#m.entrySet}}{{#m.entrySet}}{{#m.entrySet}}{{/m.entrySet}}{{/m.entrySet}}{{/m.entrySet}}"
	i, err := NewInspector(packageOf("p", loop, "m: {"+numbered("k%d: v,", 1300)+"}"), "")
	require.NoError(t, err)
	for n := 0; err == nil; n++ {
		require.Less(t, n, 3)
		_, err = i.Inspect(loop, i.View())
	}
	require.ErrorContains(t, err, "it renders to too much")
}
