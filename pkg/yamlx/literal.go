package yamlx

import "gopkg.in/yaml.v3"

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
