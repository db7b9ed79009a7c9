package skipper

// Platform is an account that releases can be deployed to, as GET /api/deployers shows it.
type Platform struct {
	ID string `json:"-"` // stable for the account's name and type

	Name        string   `json:"name"`
	Type        string   `json:"type"` // local, kubernetes, cloudfoundry, edgegap
	Description string   `json:"description"`
	Options     []Option `json:"options"`
}

// Option describes one deployment property a platform understands, in the form of Spring's configuration metadata.
type Option struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"` // last segment of the id
	Type             *string     `json:"type"` // a Java type name
	Description      *string     `json:"description"`
	ShortDescription *string     `json:"shortDescription"`
	DefaultValue     any         `json:"defaultValue"`
	Hints            OptionHints `json:"hints"`
	Deprecation      any         `json:"deprecation"`
	Deprecated       bool        `json:"deprecated"`
}

// OptionHints are four lists, empty in practice.
type OptionHints struct {
	KeyHints       []any `json:"keyHints"`
	KeyProviders   []any `json:"keyProviders"`
	ValueHints     []any `json:"valueHints"`
	ValueProviders []any `json:"valueProviders"`
}
