package archtest

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// file is one Go file with what the rules ask of it.
type file struct {
	name   string // relative to the module
	pkg    string // its folder, relative to the module
	test   bool
	syntax *ast.File
	tags   string // build constraint, may be empty
}

// checker walks a module and gathers what breaks the rules.
type checker struct {
	module   string
	problems []string
}

// check gives all that is wrong with the module in a folder. It reads files itself instead of asking the go command,
// for the test cache sees only what the test reads.
func check(root string) ([]string, error) {
	module, err := moduleName(root)
	if err != nil {
		return nil, err
	}
	files, err := parse(root)
	if err != nil {
		return nil, err
	}
	c := &checker{module: module}
	packages := map[string][]file{}
	for _, f := range files {
		packages[f.pkg] = append(packages[f.pkg], f)
		c.imports(f)
		c.calls(f)
	}
	for pkg, files := range packages {
		c.row(pkg)
		c.comment(pkg, files)
	}
	slices.Sort(c.problems)
	return c.problems, nil
}

var moduleLine = regexp.MustCompile(`(?m)^module (\S+)$`)

func moduleName(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	match := moduleLine.FindSubmatch(text)
	if match == nil {
		return "", fmt.Errorf("go.mod names no module")
	}
	return string(match[1]), nil
}

// parse reads every Go file of the module, whatever its build constraints.
func parse(root string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		switch {
		case entry.IsDir() && skipped(relative):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(relative) != ".go":
			return nil
		}
		f, err := parseFile(name, relative)
		files = append(files, f)
		return err
	})
	return files, err
}

// skipped tells folders that are no part of the module's code; the sample applications are.
func skipped(folder string) bool {
	if folder == "." || folder == "testdata" || folder == "testdata/apps" {
		return false
	}
	base := path.Base(folder)
	return base == "testdata" || path.Dir(folder) == "testdata" || strings.HasPrefix(base, ".") || folder == "bin"
}

func parseFile(name, relative string) (file, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return file{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), relative, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	f := file{name: relative, pkg: path.Dir(relative), syntax: syntax, test: strings.HasSuffix(relative, "_test.go")}
	for line := range strings.Lines(string(text)) {
		if constraint.IsGoBuild(line) {
			f.tags = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "//go:build"))
		}
	}
	return f, nil
}

func (c *checker) add(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// row wants every package to have a place and a name that says something.
func (c *checker) row(pkg string) {
	if _, known := allowed[pkg]; !known {
		c.add("%s: no row says what it may import; add one to rules_test.go and the folder to README.md", pkg)
	}
	if slices.Contains(bannedNames, path.Base(pkg)) {
		c.add("%s: the name says nothing; name it after what it is for", pkg)
	}
}

// comment wants a package comment in one file that is no test.
func (c *checker) comment(pkg string, files []file) {
	if !slices.ContainsFunc(files, func(f file) bool { return !f.test && f.syntax.Doc != nil }) {
		c.add("%s: no package comment; say what it is for and what it must not know", pkg)
	}
}

func (c *checker) imports(f file) {
	for _, spec := range f.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			c.add("%s: import %s cannot be read", f.name, spec.Path.Value)
			continue
		}
		ours, isOurs := strings.CutPrefix(imported, c.module+"/")
		switch {
		case isOurs:
			c.ours(f, ours)
		case strings.Contains(strings.Split(imported, "/")[0], "."):
			c.theirs(f, imported)
		}
	}
}

func (c *checker) ours(f file, imported string) {
	if slices.Contains(testSupport, imported) {
		tag, exception := exceptions[[2]string{f.pkg, imported}]
		if !f.test && !slices.Contains(testSupport, f.pkg) && (!exception || f.tags != tag) {
			c.add("%s: imports %s, which is for tests", f.name, imported)
		}
		return
	}
	if !f.test && !within(imported, allowed[f.pkg]) {
		c.add("%s: %s must not import %s", f.name, f.pkg, imported)
	}
}

func (c *checker) theirs(f file, imported string) {
	if slices.ContainsFunc(testLibraries, func(module string) bool { return below(imported, module) }) {
		if !f.test && !slices.Contains(testSupport, f.pkg) {
			c.add("%s: imports %s, which is for tests", f.name, imported)
		}
		return
	}
	for module, packages := range owners {
		if below(imported, module) {
			if !f.test && !within(f.pkg, packages) {
				c.add("%s: imports %s, which belongs to %s", f.name, imported, strings.Join(packages, ", "))
			}
			return
		}
	}
	c.add("%s: imports %s, which has no owner; add one to rules_test.go", f.name, imported)
}

// calls finds init functions and sleeping.
func (c *checker) calls(f file) {
	for _, declaration := range f.syntax.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if ok && function.Recv == nil && function.Name.Name == "init" && f.name != "templates/engine.go" {
			c.add("%s: has an init function; set up in a constructor", f.name)
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "Sleep" {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" {
			c.add("%s: sleeps; wait for what is expected, with a deadline", f.name)
		}
		return true
	})
}

// within tells whether a package is one of those listed, or in a tree listed as path/...
func within(pkg string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		tree, isTree := strings.CutSuffix(entry, "/...")
		return pkg == entry || isTree && below(pkg, tree)
	})
}

func below(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}
