package yamlx

import (
	"strings"
)

// constructor turns the pieces of a document into values.
type constructor struct {
	budget *Budget
	done   map[*piece]built // lists and maps with an anchor, so that aliases give the same one again
}

// built is the value of a list or a map with how much it counts.
type built struct {
	value Value
	nodes int
}

func newConstructor(budget *Budget) *constructor { return &constructor{budget: budget} }

func (c *constructor) value(p *piece) (Value, error) {
	line := p.line
	if p.kind == aliasKind {
		name := p.text
		if p = p.target; p.kind != scalarKind {
			if done, whole := c.done[p]; whole {
				return done.value, c.count(line, done.nodes)
			}
			return nil, errorf(line, "alias %s stands inside of what it repeats", name)
		}
	}
	if err := c.count(line, 1+len(p.text)/16); err != nil { // long texts weigh more: aliases repeat them, too
		return nil, err
	}
	if p.kind == scalarKind {
		return c.scalar(p)
	}
	before := c.budget.nodes
	v, err := c.collection(p)
	if err == nil && p.anchored {
		if c.done == nil {
			c.done = map[*piece]built{}
		}
		c.done[p] = built{v, c.budget.nodes - before + 1}
	}
	return v, err
}

func (c *constructor) count(line, n int) error {
	if c.budget.nodes += n; c.budget.nodes > maxNodes {
		return errorf(line, "the text has more values than the limit of %d; what aliases repeat counts each time", maxNodes)
	}
	return nil
}

func (c *constructor) scalar(p *piece) (Value, error) {
	t := tagStr
	switch {
	case p.tag != "":
		t = tag(p.tag)
	case p.plain:
		t = resolve(p.text)
	}
	v, ok := parseScalar(t, p.text)
	switch {
	case ok:
		return v, nil
	case t == tagBool || t == tagInt || t == tagFloat || t == tagTimestamp || t == tagBinary:
		return nil, errorf(p.line, "%q is not a value of type %s", shortened(p.text), t)
	default:
		return nil, unknownTag(p, string(t))
	}
}

// shortened keeps a text from filling a message.
func shortened(text string) string {
	const limit = 60
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func unknownTag(p *piece, tag string) error {
	if name, ok := strings.CutPrefix(tag, "!!"); ok {
		tag = "tag:yaml.org,2002:" + name
	}
	return errorf(p.line, "could not determine a constructor for the tag %s", shortened(tag))
}

func (c *constructor) collection(p *piece) (Value, error) {
	switch {
	case p.kind == sequenceKind && (p.tag == "" || p.tag == "!!seq"):
		return c.list(p)
	case p.kind == sequenceKind && (p.tag == "!!omap" || p.tag == "!!pairs"):
		return c.pairs(p)
	case p.kind == mappingKind && (p.tag == "" || p.tag == "!!map"):
		return c.mapping(p)
	case p.kind == mappingKind && p.tag == "!!set":
		set, err := c.mapping(p)
		if err != nil {
			return nil, err
		}
		set.Set = true
		return set, nil
	default:
		return nil, unknownTag(p, p.tag)
	}
}

func (c *constructor) list(p *piece) (*List, error) {
	list := &List{Items: make([]Value, 0, len(p.items))}
	for _, item := range p.items {
		v, err := c.value(item)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, v)
	}
	return list, nil
}

// pairs reads a list of maps of one key each: !!omap makes a map of it, !!pairs a list of lists.
func (c *constructor) pairs(p *piece) (Value, error) {
	ordered, list := NewMap(), &List{}
	for _, item := range p.items {
		v, err := c.value(item)
		if err != nil {
			return nil, err
		}
		pair, ok := v.(*Map)
		if !ok || pair.Len() != 1 {
			return nil, errorf(item.line, "%s expects items of one key with its value", p.tag)
		}
		entry := pair.Entries()[0]
		if p.tag == "!!omap" {
			ordered.Put(entry.Key, entry.Value)
			continue
		}
		list.Items = append(list.Items, &List{Items: []Value{entry.Key, entry.Value}})
	}
	if p.tag == "!!omap" {
		return ordered, nil
	}
	return list, nil
}

func (c *constructor) mapping(p *piece) (*Map, error) {
	pairs, merges, err := c.pairsOf(p)
	if err != nil {
		return nil, err
	}
	if merges {
		if pairs, err = c.merged(pairs); err != nil {
			return nil, err
		}
	}
	m := &Map{entries: make([]Entry, 0, len(pairs))}
	for _, p := range pairs {
		v, err := c.value(p.value)
		if err != nil {
			return nil, err
		}
		m.put(p.id, Entry{p.key, v})
	}
	return m, nil
}

// pair is a key of a mapping with what stands behind it.
type pair struct {
	key   Value
	id    any // of the key
	value *piece
	merge bool // the key is <<
}

// pairsOf reads the keys of a mapping. Of equal keys the last counts, at the last one's place.
func (c *constructor) pairsOf(p *piece) (pairs []pair, merges bool, err error) {
	pairs = make([]pair, 0, len(p.items)/2)
	var last keyPlaces
	doubled := false
	for i := 0; i < len(p.items); i += 2 {
		next := pair{value: p.items[i+1], merge: isMerge(p.items[i])}
		merges = merges || next.merge
		if !next.merge {
			if next.key, err = c.key(p.items[i]); err != nil {
				return nil, false, err
			}
			next.id = identify(next.key)
			if _, known := last.find(next.id); known {
				doubled = true
			}
			last.set(next.id, len(pairs))
		}
		pairs = append(pairs, next)
	}
	if !doubled {
		return pairs, merges, nil
	}
	kept := pairs[:0]
	for i, p := range pairs {
		if at, _ := last.find(p.id); p.merge || at == i {
			kept = append(kept, p)
		}
	}
	return kept, merges, nil
}

// key reads a key. Telling lists and maps apart takes time that grows with their size, at each level they stand at.
func (c *constructor) key(p *piece) (Value, error) {
	before := c.budget.nodes
	key, err := c.value(p)
	if isCollection(key) {
		if c.budget.keys += c.budget.nodes - before; c.budget.keys > maxKeyWork {
			return nil, errorf(p.line, "the keys of the text that are lists or maps have more than %d values", maxKeyWork)
		}
	}
	return key, err
}

func isMerge(key *piece) bool {
	return key.kind == scalarKind && (key.tag == string(tagMerge) || key.tag == "" && key.plain && key.text == "<<")
}

// merged puts in place of << what it names: its own keys win, and stand where the merged ones stood.
func (c *constructor) merged(pairs []pair) ([]pair, error) {
	m := merger{c: c}
	if err := m.add(pairs, true); err != nil {
		return nil, err
	}
	return m.pairs, nil
}

type merger struct {
	c      *constructor
	pairs  []pair
	places keyPlaces
}

func (m *merger) add(pairs []pair, own bool) error {
	for _, p := range pairs {
		if p.merge {
			if err := m.merge(p.value); err != nil {
				return err
			}
			continue
		}
		place, known := m.places.find(p.id)
		switch {
		case !known:
			m.places.set(p.id, len(m.pairs))
			m.pairs = append(m.pairs, p)
		case own:
			m.pairs[place] = p
		}
	}
	return nil
}

func (m *merger) merge(p *piece) error {
	line := p.line
	if _, err := m.c.value(p); err != nil { // sees to aliases and size
		return err
	}
	if p.kind == aliasKind {
		p = p.target
	}
	sources := []*piece{p}
	if p.kind == sequenceKind {
		sources = p.items
	}
	for _, s := range sources {
		if s.kind == aliasKind {
			s = s.target
		}
		if s.kind != mappingKind {
			return errorf(line, "expected a mapping or list of mappings for merging, but found %s", s.kind)
		}
		pairs, _, err := m.c.pairsOf(s)
		if err != nil {
			return err
		}
		if err := m.add(pairs, false); err != nil {
			return err
		}
	}
	return nil
}
