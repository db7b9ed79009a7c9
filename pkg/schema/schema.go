// Package schema checks values against the JSON Schema of a package, its values.schema.json. Schemas are foreign: size,
// depth, patterns and the work of a check are bounded, and nothing outside the schema is ever read. It knows nothing of
// packages and releases.
//
//	violations, err := schema.Check(text, values)
package schema

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Violation is one place where values do not fit a schema.
type Violation struct {
	Path    []string // keys and indexes from the root of the values; empty: the values as a whole
	Message string   // what must be there instead, as "must be a text, found a number"; shows no value
	Unknown bool     // the schema knows no such key
	Missing string   // the key that has to be added under Path; empty when that is not what is wrong
}

// String gives the path and the message.
func (v Violation) String() string {
	if len(v.Path) == 0 {
		return v.Message
	}
	return PathText(v.Path) + " " + v.Message
}

// address stands for the file where the library wants a URL.
const address = "skiff:///" + skipper.SchemaFile

// Check tells where values do not fit the JSON Schema in a text, in the order of their paths. A draft that is not named
// is 2020-12. An error, of code invalid, says what is wrong with the schema, or that checking would take too long.
func Check(text []byte, values *yamlx.Map) ([]Violation, error) {
	patterns := &patterns{known: map[string]*pattern{}}
	compiled, err := compile(text, patterns)
	if err != nil {
		return nil, err
	}
	value := plain(values)
	if err := affordable(compiled, value); err != nil {
		return nil, err
	}
	patterns.steps = maxMatching
	err = compiled.Validate(value)
	if patterns.exhausted {
		return nil, wrong("checking its patterns takes too long; use shorter or fewer ones")
	}
	if err == nil {
		return nil, nil
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil, wrong("it cannot be used: %w", err)
	}
	return violations(failed), nil
}

func wrong(format string, args ...any) error {
	return skipper.Errorf(skipper.CodeInvalid, skipper.SchemaFile+": "+format, args...)
}

// compile reads a schema within the limits.
func compile(text []byte, patterns *patterns) (compiled *jsonschema.Schema, err error) {
	// The library panics on some combinations of $id; for us such a schema is only unreadable.
	defer func() {
		if p := recover(); p != nil {
			compiled, err = nil, wrong("it cannot be used: %v", p)
		}
	}()
	if len(text) > maxBytes {
		return nil, wrong("it has more than %d bytes", maxBytes)
	}
	if err := shallow(text); err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, notJSON(text, err)
	}
	if err := inspect(document); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nothing{})
	compiler.UseRegexpEngine(patterns.compile)
	if err := compiler.AddResource(address, document); err != nil {
		return nil, wrong("it cannot be used: %w", err)
	}
	compiled, err = compiler.Compile(address)
	switch {
	case patterns.refused != nil:
		return nil, wrong("%w", patterns.refused)
	case err != nil:
		return nil, notSchema(err)
	}
	return compiled, nil
}

// nothing is the loader of a world without other schemas.
type nothing struct{}

// Load refuses every URL.
func (nothing) Load(url string) (any, error) { return nil, fmt.Errorf("%s is not read", url) }

// notSchema says what is wrong with a document that is JSON and no schema.
func notSchema(err error) error {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if failed, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			if found := violations(failed); len(found) > 0 {
				return wrong("it is no JSON Schema: %s", found[0])
			}
		}
	}
	if unread, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return wrong("%s is not read: a schema must be complete in itself", unread.URL)
	}
	if lost, ok := errors.AsType[*jsonschema.JSONPointerNotFoundError](err); ok {
		return wrong("a $ref leads to %s, which is not there", lost.URL)
	}
	return wrong("it cannot be used: %w", err)
}
