package yamlx

import (
	"slices"
	"strings"
)

// aliasKind is the kind of a piece that stands for another.
const aliasKind kind = mappingKind + 1

// piece is what a text has at one place: a scalar, the items of a sequence, keys and values in turn, or an alias.
type piece struct {
	kind     kind
	plain    bool // a scalar without quotes
	anchored bool
	line     int
	tag      string // as !!int, others in full; empty when none is given
	text     string // of a scalar
	items    []*piece
	target   *piece // of an alias
}

// isNull says that a piece is read as null.
func (p *piece) isNull() bool {
	return p.kind == scalarKind && (p.tag == string(tagNull) || p.tag == "" && p.plain && resolve(p.text) == tagNull)
}

// composer makes pieces of tokens, a document at a time, within limits.
type composer struct {
	scanner *scanner
	budget  *Budget
	tags    map[string]string // what a handle stands for
	anchors map[string]*piece
	aliases int // of lists and maps in the document
	depth   int
	begun   bool
	slab    []piece
	stack   []*piece // items of the collections that are being read
	err     *Error
}

func newComposer(text string, budget *Budget) *composer {
	return &composer{scanner: newScanner(text), budget: budget}
}

// next gives the next document; ok is false behind the last, and when there is an error.
func (c *composer) next() (root *piece, ok bool) {
	c.tags = map[string]string{"!": "!", "!!": "tag:yaml.org,2002:"}
	c.anchors, c.aliases, c.stack = nil, 0, c.stack[:0]
	first := !c.begun
	c.begun = true
	if first && !c.at(tokenDirective, tokenDocumentStart, tokenEnd) { // the first document needs no ---
		return c.node(true, false), c.err == nil
	}
	for !first && c.at(tokenDocumentEnd) {
		c.scanner.take()
	}
	if c.at(tokenEnd) || !c.directives() || !c.expect(tokenDocumentStart, "another document must begin with '---'") {
		return nil, false
	}
	if c.at(tokenDirective, tokenDocumentStart, tokenDocumentEnd, tokenEnd) {
		return c.empty(), c.err == nil
	}
	root = c.node(true, false)
	return root, c.err == nil
}

// at says whether the next token is one of some kinds.
func (c *composer) at(kinds ...tokenKind) bool {
	return slices.Contains(kinds, c.scanner.peek().kind)
}

// took takes the next token if it is of a kind.
func (c *composer) took(kind tokenKind) bool {
	if !c.at(kind) {
		return false
	}
	c.scanner.take()
	return true
}

// expect takes a token of a kind, without which the text is wrong.
func (c *composer) expect(kind tokenKind, remedy string) bool {
	if c.took(kind) {
		return true
	}
	found := c.scanner.peek()
	c.fail(found.line, "%s; found %s", remedy, found)
	return false
}

// fail keeps the first error; what the scanner says comes before what follows from it.
func (c *composer) fail(line int, format string, args ...any) {
	switch {
	case c.err != nil:
	case c.scanner.err != nil:
		c.err = c.scanner.err
	default:
		c.err = errorf(line, format, args...)
	}
}

// directives reads the lines before ---.
func (c *composer) directives() bool {
	version := false
	for c.at(tokenDirective) && c.err == nil {
		t := c.scanner.take()
		switch fields := strings.Fields(t.text); {
		case t.handle == "%YAML" && (version || len(fields) != 1 || !strings.HasPrefix(t.text, "1.")):
			c.fail(t.line, "the text must be of YAML 1; write one %%YAML 1.1, or none")
		case t.handle == "%YAML":
			version = true
		case t.handle == "%TAG" && (len(fields) != 2 || fields[0][0] != '!'):
			c.fail(t.line, "%%TAG needs a handle such as !x! and what it stands for")
		case t.handle == "%TAG":
			if _, known := c.tags[fields[0]]; known && len(fields[0]) > 2 {
				c.fail(t.line, "the handle %s is there twice", fields[0])
			}
			c.tags[fields[0]] = fields[1]
		case t.handle == "%":
			c.fail(t.line, "%% at the start of a line must have a name behind it")
		}
	}
	return c.err == nil
}

// piece makes a piece, and counts it.
func (c *composer) piece(kind kind, line int) *piece {
	if len(c.slab) == 0 {
		c.slab = make([]piece, 128)
	}
	p := &c.slab[0]
	c.slab = c.slab[1:]
	p.kind, p.line = kind, line
	if c.budget.pieces++; c.budget.pieces > maxNodes {
		c.fail(line, "the text has more values than the limit of %d", maxNodes)
	}
	return p
}

// empty makes the piece of a place where nothing stands.
func (c *composer) empty() *piece {
	p := c.piece(scalarKind, c.scanner.peek().line)
	p.plain = true
	return p
}

// node reads what stands at one place. block allows what is set by columns; indentless a list that stands in the column
// of the key before it.
func (c *composer) node(block, indentless bool) *piece {
	if t := c.scanner.peek(); t.kind == tokenAlias {
		return c.alias(c.scanner.take())
	}
	line := c.scanner.peek().line
	anchor, tag, given := c.properties()
	t := c.scanner.peek()
	var p *piece
	switch {
	case t.kind == tokenScalar:
		c.scanner.take()
		p = c.piece(scalarKind, t.line)
		p.plain, p.text = t.plain || tag == "!", t.text
	case t.kind == tokenFlowSequenceStart || block && t.kind == tokenSequenceStart || indentless && t.kind == tokenEntry:
		p = c.piece(sequenceKind, t.line)
	case t.kind == tokenFlowMappingStart || block && t.kind == tokenMappingStart:
		p = c.piece(mappingKind, t.line)
	case given:
		p = c.empty()
		p.line = line
	default:
		c.fail(t.line, "a value is expected; found %s", t)
		return nil
	}
	if tag != "!" {
		p.tag = shortTag(tag)
	}
	if anchor != "" {
		p.anchored = true
		if c.anchors == nil {
			c.anchors = map[string]*piece{}
		}
		c.anchors[anchor] = p
	}
	if p.kind != scalarKind {
		c.collection(p, t.kind)
	}
	return p
}

// shortTag spells the tags of YAML with !!, which stands for their prefix.
func shortTag(tag string) string {
	if name, ok := strings.CutPrefix(tag, "tag:yaml.org,2002:"); ok {
		return "!!" + name
	}
	return tag
}

// properties reads the anchor and the tag of a node, in either order.
func (c *composer) properties() (anchor, tag string, given bool) {
	for c.at(tokenAnchor, tokenTag) {
		if kind := c.scanner.peek().kind; kind == tokenAnchor && anchor != "" || kind == tokenTag && tag != "" {
			break
		}
		given = true
		t := c.scanner.take()
		if t.kind == tokenAnchor {
			anchor = t.text
			continue
		}
		prefix, known := c.tags[t.handle]
		if t.handle != "" && !known {
			c.fail(t.line, "the handle %s of a tag is not known", t.handle)
		}
		tag = prefix + t.text
	}
	return anchor, tag, given
}

func (c *composer) alias(t token) *piece {
	p := c.piece(aliasKind, t.line)
	p.text = t.text
	p.target = c.anchors[t.text]
	switch {
	case p.target == nil:
		c.fail(t.line, "found undefined alias %s", t.text)
	case p.target.kind != scalarKind:
		if c.aliases++; c.aliases > maxAliases {
			c.fail(t.line, "more than %d aliases of lists and maps", maxAliases)
		}
	}
	return p
}

// collection reads the items of a list or a map.
func (c *composer) collection(p *piece, start tokenKind) {
	if c.depth >= maxDepth {
		c.fail(p.line, "nesting depth exceeds %d", maxDepth)
		return
	}
	c.depth++
	from := len(c.stack)
	switch start {
	case tokenSequenceStart:
		c.scanner.take()
		c.blockItems(tokenBlockEnd)
		c.endBlock("the lines of a list must begin with '-' in one column")
	case tokenMappingStart:
		c.scanner.take()
		c.blockPairs()
		c.endBlock("the keys of a map must begin in one column")
	case tokenFlowSequenceStart:
		c.scanner.take()
		c.flowItems(p.line)
	case tokenFlowMappingStart:
		c.scanner.take()
		c.flowPairs(p.line)
	default: // a list in the column of its key
		c.blockItems(tokenKey, tokenValue, tokenBlockEnd)
	}
	p.items = append([]*piece(nil), c.stack[from:]...)
	c.stack = c.stack[:from]
	c.depth--
}

// endBlock takes the end of a block. Something else there is set in a wrong column, or stands behind a whole value.
func (c *composer) endBlock(remedy string) {
	switch c.scanner.peek().kind {
	case tokenScalar, tokenAlias, tokenAnchor, tokenTag, tokenComma, tokenFlowSequenceStart, tokenFlowSequenceEnd,
		tokenFlowMappingStart, tokenFlowMappingEnd:
		remedy = "a value ends here and something follows; put the whole value in quotes"
	default:
	}
	c.expect(tokenBlockEnd, remedy)
}

func (c *composer) push(p *piece) { c.stack = append(c.stack, p) }

// blockItems reads the items of a list that is set by columns; ends are what may stand behind its last '-'.
func (c *composer) blockItems(ends ...tokenKind) {
	for c.err == nil && c.took(tokenEntry) {
		if c.at(tokenEntry) || c.at(ends...) {
			c.push(c.empty())
			continue
		}
		c.push(c.node(true, false))
	}
}

func (c *composer) blockPairs() {
	for c.err == nil && c.took(tokenKey) {
		c.push(c.blockValue())
		if c.took(tokenValue) {
			c.push(c.blockValue())
			continue
		}
		c.push(c.empty())
	}
}

// blockValue reads what stands behind '?' or ':'; it may be nothing.
func (c *composer) blockValue() *piece {
	if c.at(tokenKey, tokenValue, tokenBlockEnd) {
		return c.empty()
	}
	return c.node(true, true)
}

// flowItems reads a list in brackets. A pair in it is a map of its own.
func (c *composer) flowItems(line int) {
	for first := true; c.err == nil && !c.took(tokenFlowSequenceEnd); first = false {
		if !c.goesOn(first, line, "[", "]") || c.took(tokenFlowSequenceEnd) {
			return
		}
		if !c.at(tokenKey) {
			c.push(c.node(false, false))
			continue
		}
		pair := c.piece(mappingKind, c.scanner.take().line)
		if c.depth >= maxDepth {
			c.fail(pair.line, "nesting depth exceeds %d", maxDepth)
			return
		}
		c.depth++
		pair.items = []*piece{c.flowValue(tokenValue, tokenFlowSequenceEnd), c.flowPairValue(tokenFlowSequenceEnd)}
		c.depth--
		c.push(pair)
	}
}

func (c *composer) flowPairs(line int) {
	for first := true; c.err == nil && !c.took(tokenFlowMappingEnd); first = false {
		if !c.goesOn(first, line, "{", "}") || c.took(tokenFlowMappingEnd) {
			return
		}
		if !c.took(tokenKey) {
			c.push(c.node(false, false))
			c.push(c.empty())
			continue
		}
		c.push(c.flowValue(tokenValue, tokenFlowMappingEnd))
		c.push(c.flowPairValue(tokenFlowMappingEnd))
	}
}

// goesOn takes the comma between two items in brackets. Without it the bracket is what is wrong, so its line is named.
func (c *composer) goesOn(first bool, line int, open, shut string) bool {
	switch found := c.scanner.peek(); {
	case found.kind == tokenEnd:
		c.fail(line, "the %s that opens here is not closed; add '%s'", open, shut)
	case !first && !c.took(tokenComma):
		c.fail(line, "the %s that opens here needs ',' or '%s'; found %s", open, shut, found)
	}
	return c.err == nil
}

// flowPairValue reads the value of a pair in brackets.
func (c *composer) flowPairValue(end tokenKind) *piece {
	if !c.took(tokenValue) {
		return c.empty()
	}
	return c.flowValue(tokenComma, end)
}

// flowValue reads what may be there in brackets; ends are what stands there when it is not.
func (c *composer) flowValue(ends ...tokenKind) *piece {
	if c.at(tokenComma) || c.at(ends...) {
		return c.empty()
	}
	return c.node(false, false)
}
