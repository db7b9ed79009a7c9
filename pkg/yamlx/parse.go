package yamlx

// Parse reads all documents of a text. An empty document is nil. Errors are of type *Error.
func Parse(text string) ([]Value, error) { return new(Budget).Parse(text) }

// ParseOne reads a text of at most one document; nil when it has none.
func ParseOne(text string) (Value, error) { return new(Budget).ParseOne(text) }

// ParseMap reads a text that is one mapping; an empty one gives an empty map.
func ParseMap(text string) (*Map, error) {
	v, err := ParseOne(text)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return NewMap(), nil
	case *Map:
		return v, nil
	default:
		return nil, errorf(0, "keys with values are expected, found %s", Describe(v))
	}
}

// Describe names the kind of a value for people.
func Describe(v Value) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case *Map:
		return "a map"
	case *List:
		return "a list"
	case string:
		return "a text"
	case bool:
		return "true or false"
	default:
		return "a number or a date"
	}
}
