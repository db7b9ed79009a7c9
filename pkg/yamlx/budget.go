package yamlx

import (
	"strings"
	"unicode/utf8"
)

// The limits. Those on one text and one document are SnakeYAML's own; that on values is ours, and bounds what a text
// costs: about 100 MB and half a second. A values file of 1 MiB stays far below it.
const (
	maxCodePoints = 3_145_728 // of one text
	maxDepth      = 50        // of lists and maps in each other
	maxAliases    = 50        // of lists and maps in one document
	maxNodes      = 500_000   // values of all texts of a budget; what aliases repeat, and long texts, count several times
	maxCharacters = 8 << 20   // of all texts of a budget
	maxKeyWork    = 2_000_000 // values that stand in keys which are lists or maps, for each list or map around
)

// Budget bounds what several texts may come to together, so that many are no way around the limits on one. The zero
// value is ready to use.
type Budget struct {
	characters int
	pieces     int // read
	nodes      int // made, what aliases repeat included
	keys       int // work on keys that are lists or maps
}

// Parse reads all documents of a text, within what is left of the budget. An empty document is nil. Errors are of type
// *Error.
func (b *Budget) Parse(text string) ([]Value, error) {
	text, err := b.prepare(text, maxCodePoints)
	if err != nil {
		return nil, err
	}
	var documents []Value
	composer := newComposer(text, b)
	for {
		root, ok := composer.next()
		if !ok {
			break
		}
		v, err := newConstructor(b).value(root)
		if err != nil {
			return nil, err
		}
		documents = append(documents, v)
	}
	if composer.err != nil {
		return nil, composer.err
	}
	return documents, nil
}

// ParseOne reads a text of at most one document; nil when it has none.
func (b *Budget) ParseOne(text string) (Value, error) {
	documents, err := b.Parse(text)
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

// prepare looks at a text before it is read, and takes off the byte order mark it may begin with.
func (b *Budget) prepare(text string, limit int) (string, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if len(text) > utf8.UTFMax*limit {
		return "", tooLong(limit)
	}
	count, line := 0, 1
	for at := 0; at < len(text); count++ {
		if c := text[at]; c < utf8.RuneSelf {
			if c == '\n' {
				line++
			}
			if c < ' ' && !isPrintable(rune(c)) || c == 0x7f {
				return "", errorf(line, "control characters are not allowed, found \\x%02x", c)
			}
			at++
			continue
		}
		c, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case c == utf8.RuneError && size == 1:
			return "", errorf(line, "the text is not UTF-8")
		case !isPrintable(c):
			return "", errorf(line, "control characters are not allowed, found \\u%04x", c)
		}
		at += size
	}
	if count > limit {
		return "", tooLong(limit)
	}
	if b.characters += count; limit == maxCodePoints && b.characters > maxCharacters {
		return "", errorf(0, "the texts exceed the limit of %d characters together", maxCharacters)
	}
	return text, nil
}

func tooLong(limit int) *Error {
	return errorf(0, "the text exceeds the limit of %d characters", limit)
}
