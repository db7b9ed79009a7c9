package yamlx

import (
	"iter"
	"strings"
)

// maxListed bounds the characters of a text that lists things in documents of their own, of which none is large.
const maxListed = 16 << 20

// Literal is a key and a value as they stand in a text, without the quotes: ~ is "~", 010 is "010".
type Literal struct {
	Key, Value string
	Line       int // of the value, from 1
}

// ParseLiterals reads a text that is one mapping of scalars to scalars, whatever its tag.
func ParseLiterals(text string) ([]Literal, error) {
	var budget Budget
	text, err := budget.prepare(text, maxCodePoints)
	if err != nil {
		return nil, err
	}
	composer := newComposer(text, &budget)
	root, ok := composer.next()
	if ok {
		_, another := composer.next()
		ok = !another && root.kind == mappingKind
	}
	switch {
	case composer.err != nil:
		return nil, composer.err
	case !ok:
		return nil, errorf(0, "one document of keys with values is expected")
	}
	for _, item := range root.items {
		if scalar(item) == nil {
			return nil, errorf(item.line, "only keys with plain values can stand here")
		}
	}
	return literals(root, func(*piece) bool { return true }), nil
}

// ListLiterals reads a text of many documents, each a mapping, and gives what stands in one after another. Empty
// documents, and values that are null, a list or a mapping, are left out. An error is the last thing it gives.
func ListLiterals(text string) iter.Seq2[[]Literal, error] {
	return func(yield func([]Literal, error) bool) {
		text, err := new(Budget).prepare(text, maxListed)
		if err != nil {
			yield(nil, err)
			return
		}
		composer := newComposer(text, new(Budget))
		for {
			*composer.budget = Budget{} // each document has the whole of it: none is kept
			root, ok := composer.next()
			switch {
			case !ok && composer.err == nil:
				return
			case !ok:
				yield(nil, composer.err)
				return
			case root.isNull():
				continue
			case root.kind != mappingKind:
				yield(nil, errorf(root.line, "keys with values are expected"))
				return
			}
			if !yield(literals(root, func(value *piece) bool { return !value.isNull() }), nil) {
				return
			}
		}
	}
}

// literals gives the pairs of scalars of a mapping whose value is wanted.
func literals(root *piece, wanted func(*piece) bool) []Literal {
	found := make([]Literal, 0, len(root.items)/2)
	for i := 0; i < len(root.items); i += 2 {
		key, value := scalar(root.items[i]), scalar(root.items[i+1])
		if key != nil && value != nil && wanted(value) {
			// Copies, so that what is kept of them does not keep the whole text.
			found = append(found, Literal{strings.Clone(key.text), strings.Clone(value.text), value.line})
		}
	}
	return found
}

// scalar gives a piece, or what it stands for, if that is a scalar.
func scalar(p *piece) *piece {
	if p.kind == aliasKind {
		p = p.target
	}
	if p.kind != scalarKind {
		return nil
	}
	return p
}
