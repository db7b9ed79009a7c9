package yamlx

import (
	"strconv"
)

// Places knows where the values of a text of one document stand. Its zero value knows nothing.
type Places struct {
	root *piece
	// Twice are the keys that a mapping has more than once, of which the last counts.
	Twice []Place
}

// Place is a key in a text.
type Place struct {
	Key  string
	Line int // from 1
}

// ParsePlaces reads a text that ParseOne takes.
func ParsePlaces(text string) (Places, error) {
	var budget Budget
	text, err := budget.prepare(text, maxCodePoints)
	if err != nil {
		return Places{}, err
	}
	composer := newComposer(text, &budget)
	root, ok := composer.next()
	switch {
	case composer.err != nil:
		return Places{}, composer.err
	case !ok:
		return Places{}, nil
	}
	p := Places{root: root}
	p.look(root)
	return p, nil
}

func (p *Places) look(in *piece) {
	last := map[string]int{}
	for i, inner := range in.items {
		if in.kind == mappingKind && i%2 == 0 {
			id := inner.tag + " " + inner.text
			if inner.kind == scalarKind && !isMerge(inner) && last[id] > 0 {
				p.Twice = append(p.Twice, Place{inner.text, inner.line})
			}
			last[id] = inner.line
			continue
		}
		p.look(inner)
	}
}

// NoText gives the first key that is read as something other than text, as 8080 and on are.
func (p Places) NoText() (Place, bool) {
	if p.root == nil {
		return Place{}, false
	}
	return oddKey(p.root)
}

func oddKey(in *piece) (Place, bool) {
	for i := 0; in.kind == mappingKind && i+1 < len(in.items); i += 2 {
		key := in.items[i]
		isText := key.kind == scalarKind && (key.tag == string(tagStr) || key.tag == "" && (!key.plain || resolve(key.text) == tagStr))
		if !isText && !isMerge(key) && key.kind != aliasKind {
			return Place{key.text, key.line}, true
		}
		if place, found := oddKey(in.items[i+1]); found {
			return place, true
		}
	}
	return Place{}, false
}

// Line gives the line of what a path of keys and indexes leads to; of the nearest thing around it where it leads to
// nothing; 1 in a text without any value.
func (p Places) Line(path ...string) int {
	node, line := p.root, 1
	if node == nil {
		return line
	}
	if line = node.line; node.kind == mappingKind {
		line = 1
	}
	for _, key := range path {
		var next *piece
		for i := 0; node.kind == mappingKind && i+1 < len(node.items); i += 2 {
			if node.items[i].text == key {
				line, next = node.items[i].line, node.items[i+1]
			}
		}
		if i, err := strconv.Atoi(key); err == nil && node.kind == sequenceKind && i >= 0 && i < len(node.items) {
			next = node.items[i]
			line = next.line
		}
		if next == nil {
			return line
		}
		if node = next; node.kind == aliasKind {
			node = node.target
		}
	}
	return line
}

// Has says whether a path of keys leads to something in the text.
func (p Places) Has(path ...string) bool {
	node := p.root
	for _, key := range path {
		var next *piece
		for i := 0; node != nil && node.kind == mappingKind && i+1 < len(node.items); i += 2 {
			if node.items[i].text == key {
				next = node.items[i+1]
			}
		}
		if next == nil {
			return false
		}
		if node = next; node.kind == aliasKind {
			node = node.target
		}
	}
	return node != nil
}

// Scalar reads a text as the value it would be without quotes: 010 is 8, yes is true, ~ is nil.
func Scalar(text string) Value {
	if v, ok := parseScalar(resolve(text), text); ok {
		return v
	}
	return text
}
