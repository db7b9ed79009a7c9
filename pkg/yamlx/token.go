package yamlx

// tokenKind says what a token is.
type tokenKind byte

const (
	tokenEnd tokenKind = iota // of the text
	tokenBad                  // the scanner cannot go on; its error says why
	tokenDirective
	tokenDocumentStart
	tokenDocumentEnd
	tokenSequenceStart // of a block, as tokenMappingStart
	tokenMappingStart
	tokenBlockEnd
	tokenFlowSequenceStart
	tokenFlowSequenceEnd
	tokenFlowMappingStart
	tokenFlowMappingEnd
	tokenEntry // - in a block
	tokenComma
	tokenKey
	tokenValue
	tokenAlias
	tokenAnchor
	tokenTag
	tokenScalar
)

// token is the smallest piece of a text that means something.
type token struct {
	kind   tokenKind
	plain  bool   // a scalar without quotes or block indicator
	line   int    // from 1
	handle string // of a tag, as !!; of a directive, its name
	text   string // of a scalar, an anchor or an alias; of a tag or directive, what stands behind the handle
}

// String names a token for people.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the text"
	case tokenDirective:
		return "a directive"
	case tokenDocumentStart:
		return "'---'"
	case tokenDocumentEnd:
		return "'...'"
	case tokenSequenceStart, tokenEntry:
		return "'-'"
	case tokenMappingStart, tokenKey:
		return "a key"
	case tokenBlockEnd:
		return "the end of a block"
	case tokenFlowSequenceStart:
		return "'['"
	case tokenFlowSequenceEnd:
		return "']'"
	case tokenFlowMappingStart:
		return "'{'"
	case tokenFlowMappingEnd:
		return "'}'"
	case tokenComma:
		return "','"
	case tokenValue:
		return "':'"
	case tokenAlias:
		return "an alias"
	case tokenAnchor:
		return "an anchor"
	case tokenTag:
		return "a tag"
	case tokenScalar:
		return "a text"
	case tokenBad:
	}
	return "what cannot be read"
}
