package yamlx

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Dump writes documents as manifests are written: every key and value in double quotes, never folded.
func Dump(documents []Value) string {
	text, _ := DumpWithin(documents, math.MaxInt) // nothing is as long as that
	return text
}

// DumpWithin writes documents as Dump, and says whether the text has at most a number of bytes; a longer one is not
// written to its end.
func DumpWithin(documents []Value, limit int) (text string, ok bool) {
	return dump(documents, representer{quote: true}, emitter{width: noWidth, limit: limit})
}

// Plain writes one document as SnakeYAML's block style: no quotes where none are needed, long lines folded.
func Plain(document Value) string {
	text, _ := dump([]Value{document}, representer{}, emitter{width: 80, limit: math.MaxInt})
	return text
}

func dump(documents []Value, r representer, e emitter) (text string, ok bool) {
	e.indent, e.whitespace, e.indention = -1, true, true
	anchors := 0
	for i, document := range documents {
		r.done = nil
		root := r.represent(document)
		anchors = name(root, anchors)
		e.document(root, i == 0)
	}
	return e.out.String(), e.out.Len() <= e.limit
}

type style byte

const (
	plain style = iota
	singleQuoted
	doubleQuoted
	literal
)

type kind byte

const (
	scalarKind kind = iota
	sequenceKind
	mappingKind
)

// String names a kind for people.
func (k kind) String() string {
	return []string{"scalar", "sequence", "mapping", "alias"}[k]
}

// node is what is to be written: a scalar, the items of a sequence, or keys and values in turn.
type node struct {
	kind   kind
	tag    string
	text   string
	style  style
	flow   bool
	items  []*node
	anchor string // given to what is written more than once

	met, written bool
}

// representer turns values into nodes; equal lists and maps by reference become one node.
type representer struct {
	quote bool
	done  map[Value]*node
}

func (r *representer) represent(v Value) *node {
	if isCollection(v) && r.done[v] != nil {
		return r.done[v]
	}
	switch v := v.(type) {
	case string:
		return r.text(v)
	case nil:
		return r.plainOrQuoted(tagNull, "null")
	case time.Time:
		return &node{tag: string(tagTimestamp), text: formatTime(v)}
	case []byte:
		return binary(v)
	case *List:
		n := r.collection(v, sequenceKind, "!!seq", len(v.Items))
		for _, item := range v.Items {
			n.items = append(n.items, r.represent(item))
		}
		return r.withFlow(n)
	case *Map:
		n := r.collection(v, mappingKind, "!!map", 2*len(v.entries))
		if v.Set {
			n.tag = "!!set"
		}
		for _, e := range v.entries {
			n.items = append(n.items, r.represent(e.Key), r.represent(e.Value))
		}
		return r.withFlow(n)
	default:
		return r.number(v)
	}
}

func (r *representer) collection(v Value, kind kind, tag string, items int) *node {
	n := &node{kind: kind, tag: tag, items: make([]*node, 0, items)}
	if items > 0 {
		if r.done == nil {
			r.done = map[Value]*node{}
		}
		r.done[v] = n
	}
	return n
}

func isCollection(v Value) bool {
	switch v.(type) {
	case *List, *Map:
		return true
	default:
		return false
	}
}

// number represents what is neither text nor a collection; manifests hold it as text.
func (r *representer) number(v Value) *node {
	if r.quote {
		return r.text(Text(v))
	}
	switch v.(type) {
	case bool:
		return &node{tag: string(tagBool), text: Text(v)}
	case int64, *big.Int:
		return &node{tag: string(tagInt), text: Text(v)}
	default:
		return &node{tag: string(tagFloat), text: Text(v)}
	}
}

func (r *representer) plainOrQuoted(t tag, text string) *node {
	if r.quote {
		return &node{tag: string(t), text: text, style: doubleQuoted}
	}
	return &node{tag: string(t), text: text}
}

func (r *representer) text(text string) *node {
	switch {
	case !printable(text):
		return binary([]byte(text))
	case !r.quote && strings.ContainsAny(text, "\n\u0085\u2028\u2029"):
		return &node{tag: string(tagStr), text: text, style: literal}
	default:
		return r.plainOrQuoted(tagStr, text)
	}
}

func binary(b []byte) *node {
	return &node{tag: string(tagBinary), text: base64.StdEncoding.EncodeToString(b), style: literal}
}

// withFlow sets a collection of plain scalars in one pair of brackets; in manifests only times are plain.
func (r *representer) withFlow(n *node) *node {
	n.flow = r.quote
	for _, item := range n.items {
		if item.kind != scalarKind || item.style != plain {
			n.flow = false
		}
	}
	return n
}

func printable(text string) bool {
	for _, c := range text {
		if !isPrintable(c) {
			return false
		}
	}
	return true
}

func isPrintable(c rune) bool {
	return c >= 0x20 && c <= 0x7e || c == '\n' || c == '\r' || c == '\t' || c == 0x85 ||
		c >= 0xa0 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000
}

// name gives anchors to the nodes that are met more than once, numbered on over all documents.
func name(n *node, anchors int) int {
	if n.met {
		if n.anchor == "" {
			anchors++
			n.anchor = fmt.Sprintf("id%03d", anchors)
		}
		return anchors
	}
	n.met = true
	for _, item := range n.items {
		anchors = name(item, anchors)
	}
	return anchors
}
