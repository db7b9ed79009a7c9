package yamlx

import (
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestPlaces_KnowTheLinesOfPaths(t *testing.T) {
	t.Parallel()
	p, err := ParsePlaces("# note\na: 1\nb:\n  c: x\n  list:\n  - one\n  - d: two\n  a.b: 3\n  c: y\nalias: &x\n  e: 1\nuse: *x\n")
	require.NoError(t, err)
	for _, c := range []struct {
		line int
		has  bool
		path []string
	}{
		{1, true, nil},
		{2, true, []string{"a"}},
		{9, true, []string{"b", "c"}},
		{6, false, []string{"b", "list", "0"}},
		{7, false, []string{"b", "list", "1", "d"}},
		{8, true, []string{"b", "a.b"}},
		{3, false, []string{"b", "nothing", "deeper"}},
		{2, false, []string{"a", "nothing"}},
		{1, false, []string{"nothing"}},
		{11, true, []string{"use", "e"}},
	} {
		require.Equal(t, c.line, p.Line(c.path...), "%v", c.path)
		require.Equal(t, c.has, p.Has(c.path...), "%v", c.path)
	}
	require.Empty(t, cmp.Diff([]Place{{Key: "c", Line: 9}}, p.Twice))
	none, err := ParsePlaces("# nothing\n")
	require.NoError(t, err)
	require.Equal(t, 1, none.Line("a"))
	require.False(t, none.Has("a"))
	_, err = ParsePlaces("a: [")
	require.Error(t, err)
}

func TestScalar_ReadsATextAsIfItHadNoQuotes(t *testing.T) {
	t.Parallel()
	large, _ := new(big.Int).SetString("123456789012345678901", 10)
	for text, want := range map[string]Value{
		"010": int64(8), "yes": true, "~": nil, "1.0": 1.0, "x": "x", "a: b": "a: b", "[a]": "[a]", "": nil, "# x": "# x",
		"123456789012345678901": large,
	} {
		require.True(t, Equal(want, Scalar(text)), "%q is %v", text, Scalar(text))
	}
}
