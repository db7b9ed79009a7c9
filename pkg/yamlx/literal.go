package yamlx

import (
	"iter"

	"gopkg.in/yaml.v3"
)

// maxListed bounds the characters of a text that lists things in documents of their own, of which none is large.
const maxListed = 16 << 20

// Literal is a key and a value as they stand in a text, without the quotes: ~ is "~", 010 is "010".
type Literal struct {
	Key, Value string
}

// ParseLiterals reads a text that is one mapping of scalars to scalars, whatever its tag.
func ParseLiterals(text string) ([]Literal, error) {
	nodes, source, err := read(text)
	if err != nil {
		return nil, err
	}
	if len(nodes) != 1 || nodes[0].Kind != yaml.MappingNode {
		return nil, errorf(0, "one document of keys with values is expected")
	}
	root := nodes[0]
	literals := make([]Literal, 0, len(root.Content)/2)
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		for _, node := range []*yaml.Node{key, value} {
			if node.Kind != yaml.ScalarNode {
				return nil, errorf(node.Line, "only keys with plain values can stand here")
			}
		}
		literals = append(literals, Literal{source.text(key), source.text(value)})
	}
	return literals, nil
}

// ListLiterals reads a text of many documents, each a mapping, and gives what stands in one after another. Empty
// documents, and values that are null, a list or a mapping, are left out. An error is the last thing it gives.
func ListLiterals(text string) iter.Seq2[[]Literal, error] {
	return func(yield func([]Literal, error) bool) {
		text, source, err := prepare(text, maxListed)
		if err != nil {
			yield(nil, err)
			return
		}
		for root, err := range decode(text) {
			if err == nil && root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
				continue
			}
			if err == nil && root.Kind != yaml.MappingNode {
				err = errorf(root.Line, "keys with values are expected")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(source.literals(root), nil) {
				return
			}
		}
	}
}

func (s source) literals(root *yaml.Node) []Literal {
	var literals []Literal
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
			literals = append(literals, Literal{s.text(key), s.text(value)})
		}
	}
	return literals
}
