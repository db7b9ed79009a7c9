package yamlx

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

func TestParse_ReadsTextAsTheReference(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// Anchors may have nearly any name: what an unquoted {{value}} comes to is lost without a word.
		"a: &lt;X\nb: c":       `{"a":null,"b":"c"}`,
		"a: &lt;Z:-&#x60;@/_0": `{"a":":-&#x60;@/_0"}`,
		"a: &x;y b\nc: *x;y":   `{"a":"b","c":"b"}`,

		"a: b\n  c\n\n  d # e\nf: g":         `{"a":"b c\nd","f":"g"}`,
		"a: b#c\nd: e #f":                    `{"a":"b#c","d":"e"}`,
		"a: b:c\nd: :e\nf: ?g\nh: -i":        `{"a":"b:c","d":":e","f":"?g","h":"-i"}`,
		"a: b\tc\t\nd: e\t# f":               `{"a":"b\tc","d":"e"}`,
		"a: \"b\\\n  c\n\n  d\" # e":         `{"a":"bc\nd"}`,
		`a: "\x41\u00e9\ud83d\ude00\L\/"`:    "",
		`a: "\x41\u00e9\ud83d\ude00\L"`:      "{\"a\":\"Aé😀\\u2028\"}",
		"a: 'it''s\n  \"b\\'":                `{"a":"it's \"b\\"}`,
		"a: >2+\n    x\n   y\n\n  z\n\n":     `{"a":"  x\n y\n\nz\n\n"}`,
		"a: |-\n  x\n   y\n\nb: |+\n  z\n\n": `{"a":"x\n y","b":"z\n\n"}`,
		"a: |\nb: >\n":                       `{"a":"","b":""}`,
		"a: >\n  b\n  c\n\n  d\n   e\n  f":   `{"a":"b c\nd\n e\nf"}`,
		"a: |2 # c\n   b":                    `{"a":" b"}`,

		"{a: [b, c: d, ? e : f, \"g\":h, {}], ? i, k}": `{"a":["b",{"c":"d"},{"e":"f"},{"g":"h"},{}],"i":null,"k":null}`,
		"[a, b,]":                          `["a","b"]`,
		"[a\n,b\n# c\n]":                   `["a","b"]`,
		"a:\n- b\n- c: d\n  e:\n  - f\ng:": `{"a":["b",{"c":"d","e":["f"]}],"g":null}`,
		"- - a\n  - b\n-\n- c":             `[["a","b"],null,"c"]`,
		"? a\n: b\n? c\n":                  `{"a":"b","c":null}`,
		"&a a: &b b\n? *a\n: *b":           `{"a":"b"}`,
		"%YAML 1.1\n%TAG !x! tag:yaml.org,2002:\n--- !x!str 10": `"10"`,
		"!<tag:yaml.org,2002:str> 10":                           `"10"`,
		"! 010":                                                 `8`,
		"a: !!str\nb: !!null x":                                 `{"a":"","b":null}`,
		"a: b\r\nc: d\re: f\u0085g: h":                          `{"a":"b","c":"d","e":"f","g":"h"}`,
		"\ufeffa: \ufeffb":                                      "{\"a\":\"\ufeffb\"}",
		"--- a\n...\n":                                          `"a"`,
		"a: b\n---x: y":                                         `{"---x":"y","a":"b"}`,
		"a:\tb":                                                 "",
		"a: b: c":                                               "",
		"a\nb: c":                                               "",
		"a: 'b' c":                                              "",
		"- a\n b: c":                                            "",
		"a: @b":                                                 "",
		"a: %b":                                                 "",
		"a: [b c: d]]":                                          "",
		"[a, , b]":                                              "",
		"...\na: b":                                             "",
		"a\n...\nb":                                             "",
		"a: \"b\n--- c\"":                                       "",
		`a: "\ud83d"`:                                           "",
		"a: !x!y z":                                             "",
		"%YAML 2.0\n--- a":                                      "",
		"\"" + strings.Repeat("k", 1030) + "\": v": "",
	} {
		documents, err := Parse(text)
		if want == "" {
			require.Error(t, err, "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		require.Len(t, documents, 1, "%q", text)
		got, err := json.Marshal(Simple(documents[0]))
		require.NoError(t, err)
		require.JSONEq(t, want, string(got), "%q", text)
	}
}

func TestParse_NamesTheLineToLookAt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: 1\nb: {c: d\ne: f\n":     "line 2: the { that opens here needs ',' or '}'; found ':'",
		"a: 1\nb: [c,\n  d\n":        "line 2: the [ that opens here is not closed; add ']'",
		"a: 1\nb: \"c\nd: e\n":       "line 2: the quote \" that opens here is not closed",
		"a: 1\nb\nc: d\n":            "line 2: a key is expected here, and no ':' follows it on its line",
		"a: 1\n  b: 2\n":             "line 2: a second ':' makes no key here; put the value in quotes, or the key on a line of its own",
		"a: 1\nb: x: y\n":            "line 2: a second ':' makes no key here; put the value in quotes, or the key on a line of its own",
		"a: 1\nb: 'x' y\n":           "line 2: a value ends here and something follows; put the whole value in quotes; found a text",
		"a:\n  b: 1\n c: 2\n":        "line 3: the keys of a map must begin in one column; found a key",
		"a: 1\nb: @c\n":              "line 2: the character '@' cannot start a value; put the value in quotes",
		"a: 1\nb: *c\n":              "line 2: found undefined alias c",
		"a: 1\nb: \"\\c\"\n":         "line 2: \\c means nothing in double quotes; write \\\\ for a backslash, or use single quotes",
		"a: 1\n---\nb: 2\n...\nc: 3": "line 5: another document must begin with '---'; found a key",
	} {
		_, err := Parse(text)
		require.EqualError(t, err, want, "%q", text)
	}
}

// TestParse_AgreesWithAnotherReader compares with a reader of YAML 1.2 where both must agree: what it writes itself.
func TestParse_AgreesWithAnotherReader(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-z{}\[\],:&*#?|>'"%@!\-\\ ]{0,12}`), rapid.StringMatching(`[a-zé漢😀]{1,8}`))
		leaf := rapid.Custom(func(t *rapid.T) any { return text.Draw(t, "text") })
		list := rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(leaf, 0, 4).Draw(t, "list") })
		value := rapid.MapOfN(text, rapid.OneOf(leaf, list), 0, 6).Draw(t, "map")
		written, err := yaml.Marshal(value)
		require.NoError(t, err)
		var want map[string]any
		require.NoError(t, yaml.Unmarshal(written, &want))
		got, err := ParseOne(string(written))
		require.NoError(t, err, "%s", written)
		require.Equal(t, any(want), Simple(got), "%s", written)
	})
}

func TestBudget_BoundsTextsTogether(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("- a\n", maxNodes/2)
	var budget Budget
	_, err := budget.Parse(text)
	require.NoError(t, err)
	_, err = budget.Parse(text)
	require.ErrorContains(t, err, "more values than the limit of 500000")
	budget = Budget{}
	comment := "#" + strings.Repeat("x", maxCodePoints-1)
	for range 2 {
		_, err = budget.Parse(comment)
		require.NoError(t, err)
	}
	_, err = budget.Parse(comment)
	require.ErrorContains(t, err, "the texts exceed the limit of 8388608 characters together")
}

func TestParse_TakesAValuesFileOfAMegabyte(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"key%d: value\n", "- {name: n%d, value: 1}\n", "k%d: '1'\n"} {
		var text strings.Builder
		for i := 0; text.Len() < 1<<20; i++ {
			text.WriteString(strings.ReplaceAll(line, "%d", strings.Repeat("x", i%7)+string(rune('a'+i%26))))
		}
		_, err := Parse(text.String())
		require.NoError(t, err)
	}
}

func TestDumpWithin_StopsAtItsLimit(t *testing.T) {
	t.Parallel()
	documents, err := Parse("[" + strings.Repeat("a, ", 1000) + "b]")
	require.NoError(t, err)
	whole := Dump(documents)
	text, ok := DumpWithin(documents, len(whole))
	require.True(t, ok)
	require.Equal(t, whole, text)
	text, ok = DumpWithin(documents, 100)
	require.False(t, ok)
	require.Less(t, len(text), 3200)
}

func TestPlaces_FindsTheKeyThatIsNoText(t *testing.T) {
	t.Parallel()
	places, err := ParsePlaces("a:\n  b: 1\n  on: 2\n")
	require.NoError(t, err)
	place, found := places.NoText()
	require.True(t, found)
	require.Equal(t, Place{"on", 3}, place)
	places, err = ParsePlaces("a: {b: [8080: c], '10': d, !!str 5: e}\n")
	require.NoError(t, err)
	_, found = places.NoText()
	require.False(t, found)
}
