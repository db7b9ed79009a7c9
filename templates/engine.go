package templates

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/cbroglie/mustache"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

func init() {
	// The switch belongs to the whole process; a missing value must never be an empty one.
	mustache.AllowMissingVariables = false
}

// The limits of rendering one package, all its templates together.
const (
	maxTemplates = 4 << 20   // bytes, names included
	maxOutput    = 16 << 20  // bytes, of what is rendered and of the manifest
	maxSteps     = 5_000_000 // segments written and values looked at: loops in loops that write nothing end, too
)

func tooMuch() error {
	return skipper.Errorf(skipper.CodeInvalid, "it renders to too much: at most %d bytes in %d steps are allowed",
		maxOutput, maxSteps)
}

// parse reads a template. The mustache library checks it beside our own parser, which is the one that counts: where
// jmustache takes what the library refuses, as a tag that is not closed, the template is good.
func parse(data string) ([]segment, error) {
	segments, err := parseTemplate(data)
	if err != nil {
		return nil, err
	}
	checked, err := mustache.ParseStringPartials(data, noPartials{})
	if err != nil {
		return segments, nil //nolint:nilerr // jmustache's dialect is wider than the library's
	}
	return segments, refusePartials(checked.Tags())
}

// refusePartials looks for partials the library sees: it would read a file of the server for them.
func refusePartials(tags []mustache.Tag) error {
	for _, tag := range tags {
		switch tag.Type() {
		case mustache.Partial:
			return partialError(tag.Name())
		case mustache.Section, mustache.InvertedSection:
			if err := refusePartials(tag.Tags()); err != nil {
				return err
			}
		case mustache.Variable, mustache.Invalid:
		}
	}
	return nil
}

type noPartials struct{}

// Get refuses every partial.
func (noPartials) Get(name string) (string, error) { return "", partialError(name) }

func partialError(name string) error {
	return skipper.Errorf(skipper.CodeInvalid, "partials are not supported: {{>%s}}", name)
}

// renderer writes templates with their values.
type renderer struct {
	out     strings.Builder
	steps   int
	trace   *trace            // only to explain an error
	missing map[variable]bool // those without a value; nil: the first one is an error
}

// variable is a place where a value is written.
type variable struct {
	name string
	line int
}

// scope is what a name is looked up in: a value, then those around it.
type scope struct {
	value       any
	parent      *scope
	depth       int // of values around
	index       int // in a loop, from 1
	first, last bool
}

// template writes one template; values is its root.
func (r *renderer) template(data string, values any) error {
	segments, err := parse(data)
	if err != nil {
		return err
	}
	return r.parsed(segments, values)
}

// parsed writes a template that was read.
func (r *renderer) parsed(segments []segment, values any) error {
	if err := r.segments(segments, &scope{value: values}); err != nil {
		return err
	}
	return r.step(0)
}

func (r *renderer) segments(segments []segment, s *scope) error {
	for _, seg := range segments {
		if err := r.step(1 + s.depth); err != nil { // a name may be looked up in every value around
			return err
		}
		if err := r.segment(seg, s); err != nil {
			return err
		}
	}
	return nil
}

// step counts work against the limits.
func (r *renderer) step(n int) error {
	if r.steps += n; r.steps > maxSteps || r.out.Len() > maxOutput {
		return tooMuch()
	}
	return nil
}

func (r *renderer) segment(seg segment, s *scope) error {
	switch seg.kind {
	case textSegment:
		r.write(seg, seg.text)
	case variableSegment, rawSegment:
		return r.variable(seg, s)
	case sectionSegment:
		return r.section(seg, s)
	case invertedSegment:
		if v, err := s.find(seg.name); err != nil || isAbsent(v) {
			return r.segments(seg.body, s)
		}
	case silentSegment:
	}
	return nil
}

// isAbsent says what an inverted section is rendered for.
func isAbsent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

func (r *renderer) variable(seg segment, s *scope) error {
	v, err := s.find(seg.name)
	switch missing := err != nil || v == nil; {
	case missing && r.missing != nil:
		r.missing[variable{seg.name, seg.line}] = true
		r.write(seg, seg.name)
		return nil
	case missing:
		return lineError(seg.line, "no value for {{%s}}; set it in values.yml or in the request's values", seg.name)
	}
	t := text(v)
	if seg.kind == variableSegment {
		t = escaper.Replace(t)
	}
	r.write(seg, t)
	return nil
}

func (r *renderer) write(seg segment, text string) {
	if r.trace != nil {
		r.trace.wrote(seg, r.out.Len(), text)
	}
	r.out.WriteString(text)
}

var escaper = strings.NewReplacer("&", "&amp;", "'", "&#39;", `"`, "&quot;", "<", "&lt;", ">", "&gt;",
	"`", "&#x60;", "=", "&#x3D;")

func (r *renderer) section(seg segment, s *scope) error {
	v, err := s.find(seg.name)
	if err != nil {
		return nil //nolint:nilerr // what is not there is left out
	}
	switch v := v.(type) {
	case nil:
		return nil
	case bool:
		if v {
			return r.segments(seg.body, s)
		}
		return nil
	case []any:
		if err := r.step(len(v)); err != nil {
			return err
		}
		for i, item := range v {
			inner := &scope{value: item, parent: s, depth: s.depth + 1, index: i + 1, first: i == 0, last: i == len(v)-1}
			if err := r.segments(seg.body, inner); err != nil {
				return err
			}
		}
		return nil
	default:
		return r.segments(seg.body, &scope{value: v, parent: s, depth: s.depth + 1, index: s.index, first: s.first, last: s.last})
	}
}

var errMissing = errors.New("missing")

// find looks a name up: the whole of it here and around, then part by part. The first part may be of a value around,
// the others are of the one found.
func (s *scope) find(name string) (any, error) {
	switch name {
	case "-first":
		return s.first, nil
	case "-last":
		return s.last, nil
	case "-index":
		return s.index, nil
	}
	for around := s; around != nil; around = around.parent {
		if v, ok := member(around.value, name); ok {
			return v, nil
		}
	}
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted || name == "." {
		return nil, errMissing
	}
	v, err := s.find(first)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(strings.TrimRight(rest, "."), ".") {
		var ok bool
		if v, ok = member(v, part); !ok {
			return nil, errMissing
		}
	}
	return v, nil
}

// member gives what a value has under a name. Of what Java finds by reflection there is only what templates use.
func member(v any, name string) (any, bool) {
	if name == "." || name == "this" {
		return v, true
	}
	switch v := v.(type) {
	case *dict:
		if inner, ok := v.values[name]; ok {
			return inner, true
		}
		if name == "entrySet" {
			return v.entries, true
		}
	case entry:
		switch name {
		case "key":
			return v.key, true
		case "value":
			return v.value, true
		}
	case []any:
		if name == "size" {
			return len(v), true
		}
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	case string:
		if name == "length" {
			return len(utf16.Encode([]rune(v))), true
		}
	}
	return nil, false
}

// text is what a value looks like where a template names it.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case entry:
		return v.key + "=" + text(v.value)
	case float64:
		return yamlx.FormatFloat(v)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = text(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}
