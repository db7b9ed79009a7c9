package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The limits of a schema and of a check with it. The largest ones cost about a second.
const (
	maxBytes    = 256 << 10
	maxDepth    = 40         // of the JSON
	maxValues   = 3_000      // in the JSON, all objects, lists and scalars counted
	maxNumber   = 40         // characters of one number
	maxPattern  = 1_000      // characters of one pattern
	maxProgram  = 20_000     // instructions of all patterns together
	maxMatching = 50_000_000 // instructions times characters of all matches of one check
	maxSteps    = 200_000    // schemas applied to values in one check, each time counted; long texts count more
	maxChain    = 100        // schemas applied to one and the same value by each other
)

// shallow refuses a text that is nested too deep, before anything recursive reads it.
func shallow(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return notJSON(text, err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return wrong("line %d: it is nested deeper than %d", lineAt(text, decoder.InputOffset()), maxDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// notJSON says where a text stops being JSON.
func notJSON(text []byte, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return wrong("line %d: it is not JSON: it ends in the middle; close what is open", lineAt(text, int64(len(text))))
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return wrong("line %d: it is not JSON: %w", lineAt(text, syntax.Offset), err)
	}
	return wrong("line %d: it is not JSON: %w", lineAt(text, int64(len(text))), err)
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(max(offset-1, 0), int64(len(text)))], []byte("\n"))
}

// inspect refuses what the library would take and suffer from, or would look for elsewhere.
func inspect(document any) error {
	left := maxValues
	var walk func(v any) error
	walk = func(v any) error {
		if left--; left < 0 {
			return wrong("it has more than %d values", maxValues)
		}
		switch v := v.(type) {
		case map[string]any:
			if err := references(v); err != nil {
				return err
			}
			for _, inner := range v {
				if err := walk(inner); err != nil {
					return err
				}
			}
		case []any:
			for _, inner := range v {
				if err := walk(inner); err != nil {
					return err
				}
			}
		case json.Number:
			return number(v.String())
		}
		return nil
	}
	return walk(document)
}

func references(object map[string]any) error {
	for _, keyword := range []string{"$dynamicRef", "$recursiveRef"} {
		if _, given := object[keyword]; given {
			return wrong("%s is not supported; use $ref", keyword)
		}
	}
	if target, ok := object["$ref"].(string); ok && !strings.HasPrefix(target, "#") {
		return wrong("$ref to %s: nothing outside of the file is read; put it under $defs and refer to #/$defs/NAME", target)
	}
	return nil
}

// number refuses numbers that are small as a text and enormous in memory, as 1e-9999999.
func number(text string) error {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	size, err := strconv.Atoi(strings.TrimLeft(exponent, "+-"))
	if len(text) > maxNumber || exponent != "" && (err != nil || size > 308) {
		return wrong("the number %.*s is too large or too exact", maxNumber, text)
	}
	return nil
}

// patterns compiles and counts the regular expressions of one schema. Go's take time in proportion to their size and the
// length of the text, so that both together bound it.
type patterns struct {
	known     map[string]*pattern
	program   int
	refused   error // why one of them cannot be used
	steps     int   // that may still be done
	exhausted bool
}

type pattern struct {
	*regexp.Regexp

	program int
	of      *patterns
}

func (p *patterns) compile(text string) (jsonschema.Regexp, error) {
	if known := p.known[text]; known != nil {
		return known, nil
	}
	compiled, err := p.add(text)
	if err != nil {
		p.refused = fmt.Errorf("the pattern %.*q cannot be used: %w", maxPattern, text, err)
		return nil, err
	}
	return compiled, nil
}

func (p *patterns) add(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("it is longer than %d characters", maxPattern)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if p.program += len(program.Inst); p.program > maxProgram {
		return nil, errors.New("the patterns are too large together; repeat less in them")
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	p.known[text] = &pattern{compiled, len(program.Inst), p}
	return p.known[text], nil
}

// MatchString is false once the work of the check is used up.
func (p *pattern) MatchString(text string) bool {
	p.of.steps -= p.program * (len(text) + 1)
	if p.of.steps < 0 {
		p.of.exhausted = true
		return false
	}
	return p.Regexp.MatchString(text)
}

// affordable adds up how often the library would apply a schema to a value, without applying any: branches of branches
// can double that at each level. Each pair of schema and value is counted once and remembered.
func affordable(s *jsonschema.Schema, value any) error {
	m := meter{known: map[pair]int{}}
	switch total := m.cost(s, value, 0); {
	case m.endless:
		return wrong("a $ref leads back to where it stands, or through more than %d schemas for the same value", maxChain)
	case total > maxSteps:
		return wrong("checking the values takes too long; use fewer or simpler alternatives")
	}
	return nil
}

type pair struct {
	schema *jsonschema.Schema
	value  uintptr // where the object or list is in memory; the length of a text; all others are alike here
	kind   reflect.Kind
}

type meter struct {
	known   map[pair]int
	pairs   int
	endless bool
}

// cost is above maxSteps, by any amount, where it is too much; chain counts the schemas before it on the same value.
func (m *meter) cost(s *jsonschema.Schema, value any, chain int) int {
	if s == nil {
		return 0
	}
	if chain > maxChain {
		m.endless = true
		return maxSteps + 1
	}
	key := pairOf(s, value)
	if cost, ok := m.known[key]; ok {
		return cost
	}
	if m.pairs++; m.pairs > maxSteps {
		return maxSteps + 1
	}
	total := 1
	add := func(s *jsonschema.Schema, value any, chain int) {
		if total <= maxSteps {
			total += m.cost(s, value, chain)
		}
	}
	if s.Enum != nil {
		total += len(s.Enum.Values)
	}
	total += len(s.Required)
	for _, inner := range inPlace(s) {
		add(inner, value, chain+1)
	}
	switch value := value.(type) {
	case string:
		total += len(value) / 256
	case map[string]any:
		total += len(value) * (1 + len(s.PatternProperties))
		for name, v := range value {
			add(s.PropertyNames, name, 0)
			for _, inner := range members(s, name) {
				add(inner, v, 0)
			}
		}
	case []any:
		total += len(value)
		for i, v := range value {
			for _, inner := range items(s, i) {
				add(inner, v, 0)
			}
		}
	}
	m.known[key] = total
	return total
}

func pairOf(s *jsonschema.Schema, value any) pair {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Map, reflect.Slice:
		if v.Len() > 0 {
			return pair{s, v.Pointer(), v.Kind()}
		}
		return pair{s, 0, v.Kind()}
	case reflect.String:
		return pair{s, uintptr(v.Len()), v.Kind()}
	default:
		return pair{s, 0, 0}
	}
}

// inPlace lists the schemas that a schema applies to its own value.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}
	all = append(all, s.AllOf...)
	all = append(all, s.AnyOf...)
	all = append(all, s.OneOf...)
	for _, dependent := range s.DependentSchemas {
		all = append(all, dependent)
	}
	for _, dependency := range s.Dependencies {
		if inner, ok := dependency.(*jsonschema.Schema); ok {
			all = append(all, inner)
		}
	}
	return all
}

// members lists the schemas that may be applied to the value of a key.
func members(s *jsonschema.Schema, name string) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Properties[name], s.UnevaluatedProperties}
	for _, inner := range s.PatternProperties {
		all = append(all, inner)
	}
	if inner, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		all = append(all, inner)
	}
	return all
}

// items lists the schemas that may be applied to an item of a list.
func items(s *jsonschema.Schema, i int) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Contains, s.UnevaluatedItems, s.Items2020}
	if i < len(s.PrefixItems) {
		all = append(all, s.PrefixItems[i])
	}
	for _, list := range []any{s.Items, s.AdditionalItems} {
		switch list := list.(type) {
		case *jsonschema.Schema:
			all = append(all, list)
		case []*jsonschema.Schema:
			if i < len(list) {
				all = append(all, list[i])
			}
		}
	}
	return all
}
