package yamlx

import (
	"errors"
	"io"
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// The limits: SnakeYAML's own, and one on what aliases may multiply a text to.
const (
	maxCodePoints = 3_145_728
	maxDepth      = 50
	maxAliases    = 50
	maxNodes      = 1_000_000
)

// Parse reads all documents of a text. An empty document is nil. Errors are of type *Error.
func Parse(text string) ([]Value, error) {
	nodes, source, err := read(text)
	if err != nil {
		return nil, err
	}
	documents := make([]Value, 0, len(nodes))
	c := &constructor{source: source}
	for _, node := range nodes {
		v, err := c.document(node)
		if err != nil {
			return nil, err
		}
		documents = append(documents, v)
	}
	return documents, nil
}

// ParseOne reads a text of at most one document; nil when it has none.
func ParseOne(text string) (Value, error) {
	documents, err := Parse(text)
	switch {
	case err != nil:
		return nil, err
	case len(documents) > 1:
		return nil, errorf(0, "one document is expected, found %d", len(documents))
	case len(documents) == 0:
		return nil, nil
	default:
		return documents[0], nil
	}
}

// ParseMap reads a text that is one mapping; an empty one gives an empty map.
func ParseMap(text string) (*Map, error) {
	v, err := ParseOne(text)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return NewMap(), nil
	case *Map:
		return v, nil
	default:
		return nil, errorf(0, "keys with values are expected, found %s", Describe(v))
	}
}

// Describe names the kind of a value for people.
func Describe(v Value) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case *Map:
		return "a map"
	case *List:
		return "a list"
	case string:
		return "a text"
	case bool:
		return "true or false"
	default:
		return "a number or a date"
	}
}

// source is a text as the parser got it.
type source struct {
	lines  []string // only when the text has tabs: SnakeYAML refuses them where the parser does not
	bom    string   // stands for U+FEFF, which the parser refuses and SnakeYAML takes
	hasBOM bool
}

// read parses a text into nodes, one for each document.
func read(text string) ([]*yaml.Node, source, error) {
	text, src, err := prepare(text, maxCodePoints)
	if err != nil {
		return nil, source{}, err
	}
	var nodes []*yaml.Node
	for node, err := range decode(text) {
		if err != nil {
			return nil, src, err
		}
		nodes = append(nodes, node)
	}
	return nodes, src, nil
}

// prepare makes a text readable for the parser, unless it is too long.
func prepare(text string, limit int) (string, source, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !utf8.ValidString(text) {
		return "", source{}, errorf(0, "the text is not UTF-8")
	}
	if utf8.RuneCountInString(text) > limit {
		return "", source{}, errorf(0, "the text exceeds the limit of %d characters", limit)
	}
	src := source{bom: "\ufeff"}
	if strings.Contains(text, "\t") {
		src.lines = splitLines(text)
	}
	if src.hasBOM = strings.Contains(text, "\ufeff"); src.hasBOM {
		src.bom = unusedRune(text)
		text = strings.ReplaceAll(text, "\ufeff", src.bom)
	}
	return text, src, nil
}

// decode gives the documents of a text one after another; an error is the last thing it gives.
func decode(text string) iter.Seq2[*yaml.Node, error] {
	return func(yield func(*yaml.Node, error) bool) {
		decoder := yaml.NewDecoder(strings.NewReader(text))
		for {
			node, err := decodeOne(decoder)
			if errors.Is(err, io.EOF) || !yield(node, err) || err != nil {
				return
			}
		}
	}
}

// decodeOne gives the next document; io.EOF after the last.
func decodeOne(decoder *yaml.Decoder) (root *yaml.Node, err error) {
	// The parser panics on some texts with comments in odd places; for us such a text is only unreadable.
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, errorf(0, "the text cannot be read: %v", p)
		}
	}()
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, parserError(err)
	}
	return document.Content[0], nil
}

// unusedRune finds a character of private use that the text does not have.
func unusedRune(text string) string {
	for r := '\ue000'; ; r++ {
		if !strings.ContainsRune(text, r) {
			return string(r)
		}
	}
}

func splitLines(text string) []string {
	return regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]").Split(text, -1)
}

// tabBefore says that the token at a place is set off by a tab, which YAML 1.1 forbids.
func (s source) tabBefore(line, column int) bool {
	if line < 1 || line > len(s.lines) {
		return false
	}
	before := []rune(s.lines[line-1])
	before = before[:min(column-1, len(before))]
	rest := strings.TrimRight(string(before), " \t")
	return strings.Contains(string(before)[len(rest):], "\t")
}

func (s source) text(node *yaml.Node) string {
	if !s.hasBOM {
		return node.Value
	}
	return strings.ReplaceAll(node.Value, s.bom, "\ufeff")
}
