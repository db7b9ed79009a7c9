// Package lint finds what is wrong with a package before a server sees it: every problem, with its file and line. It asks
// no server and judges with the code that servers use.
//
//	problems := lint.Check(content, lint.Options{})
package lint

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Severity says whether a problem stands in the way.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the package cannot be uploaded, or not be installed with its own values
	Warning Severity = "warning" // it can, and yet something is probably not as it was meant
)

// Given stands for the file of values that Options bring.
const Given = "the values given"

// Problem is one thing that is wrong.
type Problem struct {
	File     string   `json:"file"` // from the root of the package, with slashes; or Given
	Line     int      `json:"line"` // from 1; 0: the file as a whole
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
}

// Options say what is checked beside the files.
type Options struct {
	Values string // YAML text of values as a request would give them
	Zip    bool   // the content is that of a zip, whose root folder has a fixed name
}

// Check finds the problems of a package, by file and line.
func Check(content archive.Content, o Options) []Problem {
	l := &linter{overrides: o.Values, applications: map[string]string{}, counts: map[Severity]int{}}
	l.given, _ = yamlx.ParsePlaces(o.Values) // who merges them says what is wrong
	top := l.unit(content.Files, "", 0)
	l.layout(top)
	if o.Zip {
		l.root(content.Root, top)
	}
	if top.described {
		l.values(top)
	}
	if l.seen {
		l.unused(top)
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	return slices.Compact(l.problems)
}

// maxCompared bounds the bytes of values that are read a second time, which is slow, in the whole of a package.
const maxCompared = 256 << 10

// maxProblems bounds how many errors are reported, and how many warnings: a package can have a problem in every line, and
// finding the place of each takes time.
const maxProblems = 100

// linter gathers problems.
type linter struct {
	overrides    string
	given        yamlx.Places // of the overrides
	problems     []Problem
	counts       map[Severity]int
	budget       yamlx.Budget      // for the values of the package and all its dependencies
	applications map[string]string // application → the template that renders it
	unanswered   bool              // a variable has no value, so that nothing can be rendered as a whole
	seen         bool              // all templates could be read, so that it is known which values they use
	compared     int               // bytes of values that were read a second time
}

func (l *linter) add(severity Severity, file string, line int, message string) {
	if l.full(severity) {
		return
	}
	if l.counts[severity]++; l.full(severity) {
		message, line = fmt.Sprintf("there are more problems than can be shown; mend these %d first", maxProblems-1), 0
	}
	l.problems = append(l.problems, Problem{file, line, severity, message})
}

// full says that no more problems of a severity are taken.
func (l *linter) full(severity Severity) bool { return l.counts[severity] == maxProblems }

func (l *linter) failed() bool { return l.counts[Error] > 0 }

var linePrefix = regexp.MustCompile(`^(?:[^:]*: )?line (\d+)[:,] `)

// fail adds an error that names its line, if it does.
func (l *linter) fail(file string, err error) {
	if wrong, ok := errors.AsType[*yamlx.Error](err); ok {
		l.add(Error, file, max(wrong.Line, 1), wrong.Message)
		return
	}
	message, line := strings.TrimPrefix(skipper.MessageOf(err), path.Base(file)+": "), 0
	if match := linePrefix.FindStringSubmatch(message); match != nil {
		if n, err := strconv.Atoi(match[1]); err == nil {
			message, line = message[len(match[0]):], n
		}
	}
	l.add(Error, file, line, message)
}

// unit is the package or one of its dependencies, with its files.
type unit struct {
	dir       string // from the root of the package; empty for the package itself
	depth     int    // 0 for the package itself
	files     map[string][]byte
	p         skipper.Package // as far as it could be read
	described bool            // it has a package.yml that can be read
	metadata  string          // name of package.yml
	lines     map[string]int  // of the keys of package.yml
	defaults  string          // name of values.yml; empty without one
	values    *yamlx.Map      // its own, as far as they could be read
	readable  bool            // they could be
	places    yamlx.Places    // of the values
	declared  property        // what its schema describes
	names     map[string]bool // that its templates use; true: with all that is inside
	usesAll   bool            // a template goes through everything
	units     []*unit
}

func (u *unit) file(name string) string { return path.Join(u.dir, name) }

// list gives the names of the files of a unit, in order.
func (u *unit) list() []string {
	names := make([]string, 0, len(u.files))
	for name := range u.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// maxDepth is deeper than packages may hold each other.
const maxDepth = 10

// unit takes the files of a package apart, as archive does.
func (l *linter) unit(files map[string][]byte, dir string, depth int) *unit {
	u := &unit{
		dir: dir, depth: depth, files: files, values: yamlx.NewMap(), lines: map[string]int{}, names: map[string]bool{},
	}
	nested := map[string]map[string][]byte{}
	for _, name := range u.list() {
		switch lower := strings.ToLower(name); lower {
		case "package.yml", "package.yaml":
			u.metadata = name
		case "values.yml", "values.yaml":
			u.defaults = name
		}
		parts := strings.SplitN(name, "/", 3)
		if len(parts) == 3 && strings.EqualFold(parts[0], "packages") && !strings.HasPrefix(parts[1], ".") {
			folder := parts[0] + "/" + parts[1]
			if nested[folder] == nil {
				nested[folder] = map[string][]byte{}
			}
			nested[folder][parts[2]] = files[name]
		}
	}
	var err error
	u.p, err = archive.Content{Root: dir, Files: files}.Package()
	u.described = u.p.Metadata.Name != "" && (err == nil || u.p.Dependencies != nil)
	if depth == maxDepth || skipper.CodeOf(err) == skipper.CodeTooLarge {
		l.fail(dir, err)
		return u
	}
	for folder, inner := range nested {
		u.units = append(u.units, l.unit(inner, path.Join(dir, folder), depth+1))
	}
	slices.SortFunc(u.units, func(a, b *unit) int { return strings.Compare(a.dir, b.dir) })
	return u
}
