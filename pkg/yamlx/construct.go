package yamlx

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// constructor turns the parser's nodes into values.
type constructor struct {
	source  source
	nodes   int // made so far, what aliases repeat included
	aliases int
	depth   int
	done    map[*yaml.Node]Value // lists and maps of the document, so that aliases give the same one again
	sizes   map[*yaml.Node]int   // how many nodes each of them is
	seen    map[*yaml.Node]bool  // nodes with an anchor in the document
}

func (c *constructor) document(node *yaml.Node) (Value, error) {
	c.aliases = 0
	c.done, c.sizes, c.seen = map[*yaml.Node]Value{}, map[*yaml.Node]int{}, map[*yaml.Node]bool{}
	return c.value(node)
}

func (c *constructor) value(node *yaml.Node) (Value, error) {
	line := node.Line
	if node.Kind == yaml.AliasNode {
		target, err := c.target(node)
		if err != nil {
			return nil, err
		}
		node = target
	}
	if v, ok := c.done[node]; ok {
		return v, c.count(line, c.sizes[node])
	}
	if err := c.enter(node, line); err != nil {
		return nil, err
	}
	if node.Kind == yaml.ScalarNode {
		return c.scalar(node)
	}
	before := c.nodes
	c.depth++
	v, err := c.collection(node)
	c.depth--
	if err != nil {
		return nil, err
	}
	c.done[node], c.sizes[node] = v, c.nodes-before+1
	return v, nil
}

// enter counts a node and checks what holds for every kind; line is that of its alias, if it came by one.
func (c *constructor) enter(node *yaml.Node, line int) error {
	if node.Anchor != "" {
		c.seen[node] = true
	}
	if (node.Value != "" || node.Style != 0) && c.source.tabBefore(node.Line, node.Column) {
		return errorf(node.Line, "a tab cannot set off a value; use spaces")
	}
	if node.Kind != yaml.ScalarNode && c.depth >= maxDepth {
		return errorf(node.Line, "nesting depth exceeds %d", maxDepth)
	}
	return c.count(line, 1+len(node.Value)/16) // long texts weigh more: aliases repeat them, too
}

func (c *constructor) count(line, n int) error {
	if c.nodes += n; c.nodes > maxNodes {
		return errorf(line, "the text has more values than the limit of %d; what aliases repeat counts each time", maxNodes)
	}
	return nil
}

// target finds what an alias stands for: something whole of the same document.
func (c *constructor) target(alias *yaml.Node) (*yaml.Node, error) {
	node := alias.Alias
	if !c.seen[node] {
		return nil, errorf(alias.Line, "found undefined alias %s", alias.Value)
	}
	if node.Kind == yaml.ScalarNode {
		return node, nil
	}
	if _, whole := c.done[node]; !whole {
		return nil, errorf(alias.Line, "alias %s stands inside of what it repeats", alias.Value)
	}
	if c.aliases++; c.aliases > maxAliases {
		return nil, errorf(alias.Line, "more than %d aliases of lists and maps", maxAliases)
	}
	return node, nil
}

func (c *constructor) scalar(node *yaml.Node) (Value, error) {
	text := c.source.text(node)
	t := tagStr
	switch {
	case node.Style&yaml.TaggedStyle != 0:
		t = tag(node.Tag)
	case node.Style == 0:
		t = resolve(text)
	}
	v, ok := scalar(t, text)
	switch {
	case ok:
		return v, nil
	case t == tagBool || t == tagInt || t == tagFloat || t == tagTimestamp || t == tagBinary:
		return nil, errorf(node.Line, "%q is not a value of type %s", text, t)
	default:
		return nil, unknownTag(node, string(t))
	}
}

func unknownTag(node *yaml.Node, tag string) error {
	if name, ok := strings.CutPrefix(tag, "!!"); ok {
		tag = "tag:yaml.org,2002:" + name
	}
	return errorf(node.Line, "could not determine a constructor for the tag %s", tag)
}

func (c *constructor) collection(node *yaml.Node) (Value, error) {
	switch {
	case node.Kind == yaml.SequenceNode && node.Tag == "!!seq":
		return c.list(node)
	case node.Kind == yaml.SequenceNode && (node.Tag == "!!omap" || node.Tag == "!!pairs"):
		return c.pairs(node)
	case node.Kind == yaml.MappingNode && node.Tag == "!!map":
		return c.mapping(node)
	case node.Kind == yaml.MappingNode && node.Tag == "!!set":
		set, err := c.mapping(node)
		if err != nil {
			return nil, err
		}
		set.Set = true
		return set, nil
	default:
		return nil, unknownTag(node, node.Tag)
	}
}

func (c *constructor) list(node *yaml.Node) (*List, error) {
	list := &List{Items: make([]Value, 0, len(node.Content))}
	for _, item := range node.Content {
		v, err := c.value(item)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, v)
	}
	return list, nil
}

// pairs reads a list of maps of one key each: !!omap makes a map of it, !!pairs a list of lists.
func (c *constructor) pairs(node *yaml.Node) (Value, error) {
	ordered, list := NewMap(), &List{}
	for _, item := range node.Content {
		v, err := c.value(item)
		if err != nil {
			return nil, err
		}
		pair, ok := v.(*Map)
		if !ok || pair.Len() != 1 {
			return nil, errorf(item.Line, "%s expects items of one key with its value", node.Tag)
		}
		entry := pair.Entries()[0]
		ordered.Put(entry.Key, entry.Value)
		list.Items = append(list.Items, &List{Items: []Value{entry.Key, entry.Value}})
	}
	if node.Tag == "!!omap" {
		return ordered, nil
	}
	return list, nil
}

func (c *constructor) mapping(node *yaml.Node) (*Map, error) {
	pairs, err := c.pairsOf(node)
	if err != nil {
		return nil, err
	}
	if pairs, err = c.merged(pairs); err != nil {
		return nil, err
	}
	m := NewMap()
	for _, p := range pairs {
		v, err := c.value(p.value)
		if err != nil {
			return nil, err
		}
		m.Put(p.key, v)
	}
	return m, nil
}

// pair is a key of a mapping with the node of its value.
type pair struct {
	key   Value
	value *yaml.Node
	merge bool // the key is <<
}

// pairsOf reads the keys of a mapping. Of equal keys the last counts, at the last one's place.
func (c *constructor) pairsOf(node *yaml.Node) ([]pair, error) {
	pairs := make([]pair, 0, len(node.Content)/2)
	last := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		p := pair{value: node.Content[i+1], merge: isMerge(node.Content[i])}
		if !p.merge {
			key, err := c.value(node.Content[i])
			if err != nil {
				return nil, err
			}
			p.key = key
			last[identity(key)] = len(pairs)
		}
		pairs = append(pairs, p)
	}
	kept := pairs[:0]
	for i, p := range pairs {
		if p.merge || last[identity(p.key)] == i {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Tag == "!!merge"
}

// merged puts in place of << what it names: its own keys win, and stand where the merged ones stood.
func (c *constructor) merged(pairs []pair) ([]pair, error) {
	m := merger{c: c, places: map[string]int{}}
	if err := m.add(pairs, true); err != nil {
		return nil, err
	}
	return m.pairs, nil
}

type merger struct {
	c      *constructor
	pairs  []pair
	places map[string]int
}

func (m *merger) add(pairs []pair, own bool) error {
	for _, p := range pairs {
		if p.merge {
			if err := m.merge(p.value); err != nil {
				return err
			}
			continue
		}
		id := identity(p.key)
		place, known := m.places[id]
		switch {
		case !known:
			m.places[id] = len(m.pairs)
			m.pairs = append(m.pairs, p)
		case own:
			m.pairs[place] = p
		}
	}
	return nil
}

func (m *merger) merge(node *yaml.Node) error {
	line := node.Line
	if _, err := m.c.value(node); err != nil { // sees to aliases, depth and size
		return err
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	sources := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		sources = node.Content
	}
	for _, s := range sources {
		if s.Kind == yaml.AliasNode {
			s = s.Alias
		}
		if s.Kind != yaml.MappingNode {
			return errorf(line, "expected a mapping or list of mappings for merging, but found %s", kindName(s))
		}
		pairs, err := m.c.pairsOf(s)
		if err != nil {
			return err
		}
		if err := m.add(pairs, false); err != nil {
			return err
		}
	}
	return nil
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.ScalarNode:
		return "scalar"
	case yaml.SequenceNode:
		return "sequence"
	default:
		return fmt.Sprintf("node of kind %d", node.Kind)
	}
}
