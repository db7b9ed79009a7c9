package yamlx

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

func TestAmbiguities_TellsWhereReadersDiffer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Ambiguity{
		"a: no\n": {{1, "no is true or false here, and a text for other readers of YAML; write false, or put it in quotes " +
			"if it is a text"}},
		"a:\n- x\n- 1:30\n": {{3, "1:30 is a number here, and a text for other readers of YAML; write 90, or put it in quotes " +
			"if it is a text"}},
		"a: 0o10\n":                        {{1, "0o10 is a text here, and a number for other readers of YAML; put it in quotes"}},
		"a: 08\n":                          {{1, "08 is a text here, and a number for other readers of YAML; put it in quotes"}},
		"a: 2001-1-1\n":                    {{1, "2001-1-1 is a text here, and a date for other readers of YAML; put it in quotes"}},
		"a: &lt;X\n":                       {{1, "other readers of YAML refuse the text: did not find expected alphabetic or numeric character"}},
		"on: true\nb: 'no'\nc: !!str no\n": nil,
		"a: [1, 1.5, true, ~, null, x, 0x10, 010, 2001-01-01, 1e3, .inf]\nb: &x {c: |\n  d\n}\n": nil,
		"a: &x {b: c}\nd: *x\ne: >\n  f\n  g\n":                                                  nil,
		"":                                                                                       nil,
		"# none\n":                                                                               nil,
		"a: [":                                                                                   nil,
		"a: no # " + strings.Repeat("x", maxCompared): nil,
	} {
		require.Empty(t, cmp.Diff(want, Ambiguities(text), cmpopts.EquateEmpty()), "%.60q", text)
	}
}

func TestSecondReading_IsAnErrorWhereTheReaderPanics(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"#\n  - - {}\n   #\n  :", "a:\n#\n - {\n #\n} "} {
		require.NotPanics(t, func() { Ambiguities(text) })
	}
}
