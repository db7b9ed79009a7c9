package archive

import (
	"path"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// The limits of an archive, the same for a folder.
const (
	MaxPacked   = 64 << 20 // bytes of the zip
	MaxUnpacked = 64 << 20 // bytes of all files in it
	MaxEntries  = 10_000
	MaxText     = 16 << 20 // bytes of what is read: package.yml, values, templates and schemas, those of dependencies too
)

// maxDepth bounds how deep packages may hold packages.
const maxDepth = 8

// files are the files of a package by their path from its root folder, with slashes.
type files map[string][]byte

// Read reads the zip of a package. root is the one folder in it, NAME-VERSION. Errors are of code invalid or too large.
// When only a field of package.yml is missing, the package is given along with the error.
func Read(zip []byte, root string) (skipper.Package, error) {
	found, all, err := unzip(zip)
	if err != nil {
		return skipper.Package{}, err
	}
	if found != root {
		return skipper.Package{}, errNotThere()
	}
	return top(all, root)
}

// ReadMetadata reads what the zip of a package says of itself, whatever its root folder is called.
func ReadMetadata(zip []byte) (skipper.PackageMetadata, error) {
	root, all, err := unzip(zip)
	if err != nil {
		return skipper.PackageMetadata{}, err
	}
	p, err := top(all, root)
	return p.Metadata, err
}

// ReadFolder reads a package from a folder.
func ReadFolder(dir string) (skipper.Package, error) {
	all, err := readFolder(dir)
	if err != nil {
		return skipper.Package{}, err
	}
	return top(all, dir)
}

// Content is what a package has in it, read or not.
type Content struct {
	Root  string            // the folder in the zip, or the one that was read
	Files map[string][]byte // by their path from the root, with slashes
}

// Open reads the zip of a package without asking what the files mean.
func Open(zip []byte) (Content, error) {
	root, all, err := unzip(zip)
	return Content{root, all}, err
}

// OpenFolder reads the folder of a package without asking what the files mean, as Write would pack it.
func OpenFolder(dir string) (Content, error) {
	all, err := readFolder(dir)
	return Content{dir, all}, err
}

// Package makes a package of the files, as Read and ReadFolder do.
func (c Content) Package() (skipper.Package, error) { return top(c.Files, c.Root) }

// Write packs the folder of a package. The same files always give the same bytes, whatever their times and modes and
// whatever program packs them: nothing is compressed. The folder in the zip is NAME-VERSION, whatever dir is called.
// Left out is what readers of packages have no use for: names that start with a dot, backups of editors, files that
// desktops leave behind, and the zips beside package.yml.
func Write(dir string) ([]byte, error) {
	all, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	p, err := top(all, dir)
	if err != nil {
		return nil, err
	}
	root := p.Metadata.Name + "-" + p.Metadata.Version
	packed, err := pack(all, root)
	if err != nil {
		return nil, err
	}
	_, err = Read(packed, root) // a name that makes no folder is found here, not by whoever gets the zip
	return packed, err
}

// top builds a package that is not a dependency: what the store needs of it must be there.
func top(all files, where string) (skipper.Package, error) {
	if size := all.textSize(); size > MaxText {
		return skipper.Package{}, tooLarge("%s has %d bytes of YAML and schemas; at most %d are allowed", where, size, MaxText)
	}
	p, err := all.build(where, 1)
	if err != nil {
		return skipper.Package{}, err
	}
	for _, field := range []struct{ name, value string }{
		{"version", p.Metadata.Version}, {"apiVersion", p.Metadata.APIVersion}, {"kind", p.Metadata.Kind},
	} {
		if field.value == "" {
			return p, skipper.Errorf(skipper.CodeInvalid,
				"package.yml in %s has no %s; add it", where, field.name)
		}
	}
	return p, nil
}

// build makes a package of files; where names its folder in messages.
func (f files) build(where string, depth int) (skipper.Package, error) {
	if depth > maxDepth {
		return skipper.Package{}, skipper.Errorf(skipper.CodeInvalid,
			"%s: packages hold each other deeper than %d", where, maxDepth)
	}
	p := skipper.Package{
		Templates: []skipper.Template{}, Dependencies: []skipper.Package{}, FileHolders: []skipper.FileHolder{},
	}
	described := false
	for _, name := range f.names() {
		dir, base := path.Split(name)
		switch lower := strings.ToLower(name); {
		case dir == "templates/":
			if isTemplate(base) {
				p.Templates = append(p.Templates, skipper.Template{Name: base, Data: text(f[name])})
			}
		case dir != "":
		case lower == "package.yml" || lower == "package.yaml":
			metadata, err := parseMetadata(text(f[name]), path.Join(where, name))
			if err != nil {
				return p, err
			}
			p.Metadata, described = metadata, true
		case lower == "values.yml" || lower == "values.yaml":
			raw := text(f[name])
			p.ConfigValues = &skipper.ConfigValues{Raw: &raw}
		case name == skipper.SchemaFile || strings.HasSuffix(name, "manifest.yml") || strings.HasSuffix(name, "manifest.yaml"):
			p.FileHolders = append(p.FileHolders, skipper.FileHolder{Name: name, Bytes: f[name]})
		}
	}
	if !described {
		return p, skipper.Errorf(skipper.CodeInvalid, "%s has no package.yml; every package needs one", where)
	}
	return p, f.addDependencies(&p, where, depth)
}

func (f files) textSize() int {
	size := 0
	for name, content := range f {
		if isTemplate(name) || path.Base(name) == skipper.SchemaFile {
			size += len(content)
		}
	}
	return size
}

func (f files) names() []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func isTemplate(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, "yml") || strings.HasSuffix(name, "yaml"))
}

func (f files) addDependencies(p *skipper.Package, where string, depth int) error {
	nested, folders := map[string]files{}, []string{}
	for _, name := range f.names() {
		parts := strings.SplitN(name, "/", 3)
		if len(parts) < 3 || !strings.EqualFold(parts[0], "packages") || strings.HasPrefix(parts[1], ".") {
			continue
		}
		folder := parts[0] + "/" + parts[1]
		if nested[folder] == nil {
			nested[folder] = files{}
			folders = append(folders, folder)
		}
		nested[folder][parts[2]] = f[name]
	}
	for _, folder := range folders {
		dependency, err := nested[folder].build(path.Join(where, folder), depth+1)
		if err != nil {
			return err
		}
		p.Dependencies = append(p.Dependencies, dependency)
	}
	slices.SortStableFunc(p.Dependencies, func(a, b skipper.Package) int {
		return strings.Compare(a.Metadata.Name, b.Metadata.Name)
	})
	return nil
}

// text reads bytes as UTF-8; what is none becomes a replacement character.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }
