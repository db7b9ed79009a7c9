package yamlx

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxCompared bounds the bytes of a text that the second reader is given: it may need a second for a megabyte.
const maxCompared = 256 << 10

// Ambiguity is a place of a text that other readers of YAML read otherwise than Skipper.
type Ambiguity struct {
	Line    int // from 1
	Message string
}

// Ambiguities reads a text of one document that ParseOne takes once more, with gopkg.in/yaml.v3, which knows the scalars of
// YAML 1.2, and tells where the two differ: no is false here and a text there. Keys are not looked at. It knows of none in
// a text that is longer than 256 KiB or cannot be read.
func Ambiguities(text string) []Ambiguity {
	places, err := ParsePlaces(text)
	if err != nil || places.root == nil || len(text) > maxCompared {
		return nil
	}
	var c comparison
	second, err := secondReading(text)
	if err != nil {
		c.add(places.root.line, "other readers of YAML refuse the text: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return c.found
	}
	c.compare(places.root, second)
	return c.found
}

// secondReading is what yaml.v3 makes of a text.
func secondReading(text string) (root *yaml.Node, err error) {
	defer func() { // it panics on some comments in odd places
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: string(tagNull)}, nil
	}
	return document.Content[0], nil
}

// comparison goes through what two readers made of one text.
type comparison struct {
	found []Ambiguity
}

func (c *comparison) add(line int, format string, args ...any) {
	c.found = append(c.found, Ambiguity{line, fmt.Sprintf(format, args...)})
}

func (c *comparison) compare(p *piece, n *yaml.Node) {
	switch {
	case kindOf(n) != p.kind || len(n.Content) != len(p.items):
		c.add(p.line, "other readers of YAML see something else here; write it in another way")
	case p.kind == scalarKind:
		c.scalar(p, n)
	}
	for i := 0; i < min(len(p.items), len(n.Content)); i++ {
		if p.kind == sequenceKind || i%2 == 1 {
			c.compare(p.items[i], n.Content[i])
		}
	}
}

func kindOf(n *yaml.Node) kind {
	switch n.Kind {
	case yaml.SequenceNode:
		return sequenceKind
	case yaml.MappingNode:
		return mappingKind
	case yaml.AliasNode:
		return aliasKind
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	return scalarKind
}

func (c *comparison) scalar(p *piece, n *yaml.Node) {
	switch here, there := resolve(p.text), tag(n.ShortTag()); {
	case p.text != n.Value:
		c.add(p.line, "other readers of YAML read another text here; put it in double quotes, on one line")
	case p.plain && p.tag == "" && here != there:
		v, _ := parseScalar(here, p.text)
		remedy := "put it in quotes"
		if written := Text(v); here != tagStr && written != p.text {
			remedy = "write " + written + ", or " + remedy + " if it is a text"
		}
		c.add(p.line, "%s is %s here, and %s for other readers of YAML; %s", shortened(p.text), here.name(), there.name(), remedy)
	}
}

// name names a type for people.
func (t tag) name() string {
	switch t {
	case tagStr:
		return "a text"
	case tagNull:
		return "nothing"
	case tagBool:
		return "true or false"
	case tagInt, tagFloat:
		return "a number"
	case tagTimestamp:
		return "a date"
	case tagBinary, tagMerge:
	}
	return string(t)
}
