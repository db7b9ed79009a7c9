package main_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// What differs from run to run is folded away before a recorded answer and a new one are compared. What skiff betters
// on purpose has rules of its own: see errorDifferences, and testdata/http/deviations.json for single steps.

// pattern is a part of a text that is not compared, and what stands for it.
type pattern struct {
	re   *regexp.Regexp
	with string
}

func patterns() []pattern {
	return []pattern{
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}`), "<time>"}, // its zone is compared
		{regexp.MustCompile(`\{\{workDir\}\}/\d{13}/`), "{{workDir}}/"},         // when it was made
		{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
		{regexp.MustCompile(`(/api/(?:packageMetadata|releases|repositories|package/install)/)\d+`), "$1<id>"},
		{regexp.MustCompile(`(http://[\w.\-]+):\d{5}`), "$1:<port>"},
		{regexp.MustCompile(`Cancelled after \d+ ms`), "Cancelled after <n> ms"},
		{regexp.MustCompile(`sample-app listening on \d+\n`), ""},
		{regexp.MustCompile(`^[1-9]\d*$`), "<number>"},
	}
}

type folding struct{ patterns []pattern }

func newFolding() folding { return folding{patterns()} }

// volatile are numbers that another run chooses differently.
func volatile(key string) bool {
	return slices.Contains([]string{"id", "repositoryId", "port", "pid"}, key)
}

func (f folding) fold(v any, key string) any {
	switch v := v.(type) {
	case object:
		out := object{keys: v.keys, values: map[string]any{}}
		for k, x := range v.values {
			out.values[k] = f.fold(x, k)
		}
		return out
	case []any:
		return f.list(v, key)
	case json.Number:
		if volatile(key) {
			return "<number>"
		}
	case string:
		return f.text(v, key)
	}
	return v
}

func (f folding) list(v []any, key string) []any {
	out := make([]any, len(v))
	for i, x := range v {
		out[i] = f.fold(x, "")
	}
	if key == "dependencies" { // the reference takes them as its file system lists them, skiff by name
		slices.SortFunc(out, func(a, b any) int {
			return strings.Compare(show(at(a, "/metadata/name")), show(at(b, "/metadata/name")))
		})
	}
	return out
}

func (f folding) text(v, key string) any {
	switch {
	case v == "deploying" || v == "deployed": // how fast an application starts is not compared
		return "deploying or deployed"
	case key == "data" && strings.Contains(v, "\n---\n"):
		documents := strings.Split(v, "\n---\n")
		for i, d := range documents {
			documents[i] = strings.TrimRight(d, "\n")
		}
		slices.Sort(documents) // as dependencies
		return strings.Join(documents, "\n---\n")
	case key == "platformStatus":
		if apps, err := decode([]byte(v)); err == nil {
			return f.platformStatus(apps)
		}
	}
	for _, p := range f.patterns {
		if p.with == "<number>" && !volatile(key) {
			continue
		}
		v = p.re.ReplaceAllString(v, p.with)
	}
	return v
}

// platformStatus is JSON in a string. Nothing left is the same as no status: when it was last asked is a matter of
// time.
func (f folding) platformStatus(v any) any {
	apps, ok := v.([]any)
	if !ok || !slices.ContainsFunc(apps, func(a any) bool {
		instances, _ := member(a, "instances").(object)
		return len(instances.keys) > 0
	}) {
		return nil
	}
	out, _ := f.fold(apps, "").([]any)
	slices.SortFunc(out, func(a, b any) int {
		return strings.Compare(show(member(a, "deploymentId")), show(member(b, "deploymentId")))
	})
	return out
}
