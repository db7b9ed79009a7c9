package yamlx

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestParse_ResolvesAsYAML11(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for text, want := range map[string]Value{
		"yes": true, "Off": false, "y": "y", "~": nil, "": nil, "Null": nil, "nULL": "nULL",
		"10": int64(10), "010": int64(8), "08": "08", "0x1F": int64(31), "-0b101": int64(-5), "+1_000": int64(1000),
		"1:30:00": int64(5400), "8080:80": "8080:80", "123456789012345678901234567890": huge,
		"1.50": 1.5, "1e3": 1000.0, "-.5": "-.5", ".5": 0.5, "1:30.5": 90.5, "-.inf": math.Inf(-1), "1.2.3": "1.2.3",
		"2020-01-02":                     time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC),
		"2020-01-02 03:04:05.678 +01:00": time.Date(2020, 1, 2, 2, 4, 5, 678e6, time.UTC),
		"2001-1-1":                       "2001-1-1",
		`"10"`:                           "10", "!!str 10": "10", "!!float 1": 1.0, "=": "=",
		"!!binary aGVs bG8=": []byte("hello"),
	} {
		got, err := ParseOne(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParse_KeepsOrderAndTheLastOfEqualKeys(t *testing.T) {
	t.Parallel()
	m, err := ParseMap("z: 1\na: 2\n1: x\nz: 3\n\"1\": y\n")
	require.NoError(t, err)
	require.Equal(t, []Entry{{"a", int64(2)}, {int64(1), "x"}, {"z", int64(3)}, {"1", "y"}}, m.Entries())
}

func TestParse_MergesKeys(t *testing.T) {
	t.Parallel()
	m, err := ParseMap("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  own: 0\n  <<: [*a, *b]\n  x: 5\n")
	require.NoError(t, err)
	c, _ := m.Get("c")
	require.Equal(t, "own: 0\nx: 5\ny: 2\nz: 4\n", Plain(c))
}

func TestParse_GivesAliasesTheSameValue(t *testing.T) {
	t.Parallel()
	m, err := ParseMap("a: &a [1]\nb: *a\n")
	require.NoError(t, err)
	a, _ := m.Get("a")
	b, _ := m.Get("b")
	require.Same(t, a, b)
	require.Equal(t, "\"a\": &id001\n- \"1\"\n\"b\": *id001\n", Dump([]Value{m}))
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	laughs := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, c := range []string{"ba", "cb", "dc", "ed"} {
		laughs += c[:1] + ": &" + c[:1] + " [" + strings.Repeat("*"+c[1:]+", ", 10) + "]\n"
	}
	long := "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a, ", 1000) + "]\n"
	for name, c := range map[string]struct {
		text, want string
		line       int
	}{
		"tag":              {"a: 1\nb: !thing x", "could not determine a constructor for the tag !thing", 2},
		"java tag":         {"!!java.util.Date x", "constructor for the tag tag:yaml.org,2002:java.util.Date", 1},
		"merge as a value": {"a: <<", "constructor for the tag tag:yaml.org,2002:merge", 1},
		"merge of text": {
			"a: &a x\nb:\n  <<: *a",
			"expected a mapping or list of mappings for merging, but found scalar", 3,
		},
		"bad int":        {"!!int x", "is not a value of type !!int", 1},
		"tab":            {"a: 1\nb:\tc", "a tab cannot set off a value", 2},
		"other document": {"a: &x 1\n---\nb: *x", "found undefined alias x", 3},
		"inside itself":  {"a: &x [*x]", "stands inside of what it repeats", 1},
		"depth":          {strings.Repeat("[", 51) + strings.Repeat("]", 51), "nesting depth exceeds 50", 1},
		"aliases":        {"a: &a []\nb: [" + strings.Repeat("*a, ", 51) + "]", "more than 50 aliases", 2},
		"laughs":         {laughs + "f: [" + strings.Repeat("*e,", 10) + "]", "what aliases repeat counts each time", 6},
		"long laughs":    {long, "what aliases repeat counts each time", 2},
		"size":           {strings.Repeat("x", maxCodePoints+1), "exceeds the limit of 3145728 characters", 0},
		"not UTF-8":      {"a: 1\nb: \xff", "not UTF-8", 2},
		"control":        {"a: 1\nb: \x01", "control characters are not allowed, found \\x01", 2},
		"not closed":     {"a: 1\nb: [\n", "the [ that opens here is not closed; add ']'", 2},
		"unknown omap":   {"!!omap [a, b]", "!!omap expects items of one key with its value", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(c.text)
			wrong, ok := errors.AsType[*Error](err)
			require.True(t, ok, "%v", err)
			require.Contains(t, wrong.Message, c.want)
			require.Equal(t, c.line, wrong.Line)
		})
	}
}

func TestParse_TakesWhatIsWithinTheLimits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		strings.Repeat("[", 50) + strings.Repeat("]", 50),
		"a: &a []\nb: [" + strings.Repeat("*a, ", 50) + "]",
		strings.Repeat("x", maxCodePoints),
		"a: \"b\tc\" # \t\nd: \"\\uFEFF\ufeff\"\n",
	} {
		_, err := Parse(text)
		require.NoError(t, err)
	}
}

func TestParseOne_TakesOneDocument(t *testing.T) {
	t.Parallel()
	_, err := ParseOne("a: 1\n---\nb: 2\n")
	require.ErrorContains(t, err, "one document is expected, found 2")
	_, err = ParseMap("- a")
	require.ErrorContains(t, err, "keys with values are expected, found a list")
}

func TestParseLiterals_ReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	got, err := ParseLiterals("!!org.X\nversion: 1.10\norigin: ~\nname: 'a''b'\n")
	require.NoError(t, err)
	require.Equal(t, []Literal{{"version", "1.10", 2}, {"origin", "~", 3}, {"name", "a'b", 4}}, got)
	for _, text := range []string{"", "a", "a: [b]", "? {a: b}\n: c", "a: 1\n---\nb: 1"} {
		_, err := ParseLiterals(text)
		require.Error(t, err, text)
	}
}

func TestListLiterals_ReadsOneDocumentAfterAnother(t *testing.T) {
	t.Parallel()
	var got [][]Literal
	text := "# first\n---\n!!org.X\nversion: 1.10\norigin: ~\nname: 'a''b'\nsizes: [1]\n---\n---\nsha256: 'null'\nx:\n"
	for literals, err := range ListLiterals(text) {
		require.NoError(t, err)
		got = append(got, literals)
	}
	require.Equal(t, [][]Literal{{{"version", "1.10", 4}, {"name", "a'b", 6}}, {{"sha256", "null", 10}}}, got)
}

func TestListLiterals_EndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a: 1\n---\n- b\n---\nc: 1", "a: 1\n---\nb: [\n", "a: 1\n---\ntext\n"} {
		var documents, failures int
		for _, err := range ListLiterals(text) {
			documents++
			if err != nil {
				failures++
			}
		}
		require.Equal(t, 2, documents, text)
		require.Equal(t, 1, failures, text)
	}
	for _, err := range ListLiterals("a: \xff") {
		require.ErrorContains(t, err, "not UTF-8")
	}
	for _, err := range ListLiterals("a: 1\n---\nb: 2") {
		require.NoError(t, err)
		break // whoever has enough may go
	}
}

func TestListLiterals_TakesMoreThanAManifestMayHave(t *testing.T) {
	t.Parallel()
	document := "---\nname: " + strings.Repeat("x", 1000) + "\n"
	n := 0
	for _, err := range ListLiterals(strings.Repeat(document, 4000)) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 4000, n)
	for _, err := range ListLiterals("a: " + strings.Repeat("x", 16<<20)) {
		require.ErrorContains(t, err, "exceeds the limit")
	}
}

func TestFormatFloat_IsJavas(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "0.001": 0.001, "1.0E-4": 1e-4, "1234567.125": 1234567.125,
		"1.2345678E7": 12345678, "1.0E10": 1e10, "-1.5E-7": -1.5e-7, "1.7976931348623157E308": math.MaxFloat64,
		"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "1.0E100": 1e100,
	} {
		require.Equal(t, want, FormatFloat(f))
	}
}

func TestSimple_IsWhatJSONWouldGive(t *testing.T) {
	t.Parallel()
	v, err := ParseOne("a: [1, 1.5, yes, ~, x, 2020-01-02]\n8080: {b: c}\n")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]any{
		"a": []any{1, 1.5, true, nil, "x", "2020-01-02T00:00:00Z"}, "8080": map[string]any{"b": "c"},
	}, Simple(v)))
}

func TestDump_LaysOutCollections(t *testing.T) {
	t.Parallel()
	const want = `"spec":
  "emptymap": {
    }
  "emptylist": [
    ]
  "nested":
  - "a": "1"
    "b":
      "c": "d"
  - - "x"
    - "y"
  - {
    }
  - [
    ]
`
	documents, err := Parse("{spec: {emptymap: {}, emptylist: [], nested: [{a: 1, b: {c: d}}, [x, y], {}, []]}}")
	require.NoError(t, err)
	require.Equal(t, want, Dump(documents))
	again, err := Parse(want)
	require.NoError(t, err)
	require.Equal(t, want, Dump(again))
}

func TestDump_SeparatesDocuments(t *testing.T) {
	t.Parallel()
	documents, err := Parse("a: 1\n---\n---\nb: 2\n---\n{}\n---\nx\n")
	require.NoError(t, err)
	require.Equal(t, "\"a\": \"1\"\n--- !!null \"null\"\n---\n\"b\": \"2\"\n--- {\n  }\n--- \"x\"\n", Dump(documents))
	require.Empty(t, Dump(nil))
}

func TestDump_WritesAQuestionMarkBeforeLongKeys(t *testing.T) {
	t.Parallel()
	simple, long := strings.Repeat("k", 122), strings.Repeat("k", 123)
	m := NewMap()
	m.Put(simple, "a")
	m.Put(long, "b")
	require.Equal(t, "\""+simple+"\": \"a\"\n? \""+long+"\"\n: \"b\"\n", Dump([]Value{m}))
}

func TestPlain_QuotesWhereItMust(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"10", "true", "null", "~", "", "1.50", "2017-01-01", "0123", "1e3", "12:30:45", "a: b", "a #b", "- a",
		"*/5 * * * *", "%d", "@x", "[a, b]", "{a: b}", "!x", "&x", "<<", " leading", "trailing ", "it's: x", "a:",
	} {
		require.Equal(t, "'"+strings.ReplaceAll(text, "'", "''")+"'\n", Plain(text))
	}
	for _, text := range []string{
		"a:b", "http://x/y?z=1#frag", "?x", "a, b", `say "hi" it's`, `a\b`, "=", "y", "1.2.0.RELEASE",
		"café 😀", "-Xmx64m",
	} {
		require.Equal(t, text+"\n", Plain(text))
	}
	for text, want := range map[string]string{
		"one\ntwo\n": "|\n  one\n  two\n", "one\ntwo": "|-\n  one\n  two\n", "one\n\n": "|+\n  one\n\n",
		"\x20one\ntwo": "|2-\n   one\n  two\n", "a\tb": "\"a\\tb\"\n", "a\x01": "!!binary |-\n  YQE=\n",
	} {
		require.Equal(t, want, Plain(text))
	}
	for want, v := range map[string]Value{
		"10\n": int64(10), "1.5\n": 1.5, "true\n": true, "null\n": nil, ".inf\n": math.Inf(1),
	} {
		require.Equal(t, want, Plain(v))
	}
}

func TestPlain_FoldsLongText(t *testing.T) {
	t.Parallel()
	words := strings.TrimSpace(strings.Repeat("word ", 30))
	m := NewMap()
	m.Put("plain", words)
	m.Put("quoted", "- "+words)
	m.Put("special", "\t"+words)
	require.Equal(t, `plain: word word word word word word word word word word word word word word word
  word word word word word word word word word word word word word word word
quoted: '- word word word word word word word word word word word word word word word
  word word word word word word word word word word word word word word word'
special: "\tword word word word word word word word word word word word word word\
  \ word word word word word word word word word word word word word word word word"
`, Plain(m))
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb: [x, {c: ~}]\n", "a: &x {b: c}\nd: *x\ne: {<<: *x}\n", "--- |\n text\n---\n!!set {a, b}\n",
		"? [a]\n: \"\\u00e9\\x01\"\n", "a: 2020-01-02\nb: 1_0:30.5\n", "a:\tb\n# c\n", "\ufeffa: \ufeff", "!!omap [a: 1]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range Ambiguities(text) { // whatever the other reader does, it must not panic
			if a.Line < 1 || a.Message == "" {
				t.Fatalf("an ambiguity without a place: %+v", a)
			}
		}
		documents, err := Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("a foreign error: %v", err)
			}
			return
		}
		dumped := Dump(documents)
		again, err := Parse(dumped)
		if err != nil {
			t.Fatalf("%q came to %q, which cannot be read: %v", text, dumped, err)
		}
		if len(again) != len(documents) {
			t.Fatalf("%q has %d documents, what it came to has %d", text, len(documents), len(again))
		}
		for _, document := range documents {
			plain := Plain(document)
			back, err := ParseOne(plain)
			if err != nil || !Equal(back, document) && !strings.Contains(plain, "!!binary") { // texts may become bytes
				t.Fatalf("%q came to %q, which reads differently: %v", text, plain, err)
			}
		}
	})
}
