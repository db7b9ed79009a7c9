package templates

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// vectorPackage is a package as the vectors spell it.
type vectorPackage struct {
	Name         string             `json:"name"`
	Values       *string            `json:"values"`
	Templates    []skipper.Template `json:"templates"`
	Dependencies []vectorPackage    `json:"dependencies"`
}

func (v vectorPackage) skipper() skipper.Package {
	p := skipper.Package{Metadata: skipper.PackageMetadata{Name: v.Name}, Templates: v.Templates}
	if v.Values != nil {
		p.ConfigValues = &skipper.ConfigValues{Raw: v.Values}
	}
	for _, d := range v.Dependencies {
		p.Dependencies = append(p.Dependencies, d.skipper())
	}
	return p
}

// readVectors reads recorded cases. Their digest is written down: who changes them changes what is proved.
func readVectors(t *testing.T, name, digest string, into any) {
	t.Helper()
	text, err := os.ReadFile("../testdata/manifests/" + name)
	require.NoError(t, err)
	require.Equal(t, digest, fmt.Sprintf("%x", sha256.Sum256(text)))
	require.NoError(t, json.Unmarshal(text, into))
}

func manifestVectors(t *testing.T) []manifestVector {
	t.Helper()
	var cases []manifestVector
	readVectors(t, "manifests.json", "a122ea03a102f4ba8ded715f724cc428a8eca80225d1daad54add861378425c9", &cases)
	require.Len(t, cases, 433)
	return cases
}

func TestRender_GivesTheReferencesBytes(t *testing.T) {
	t.Parallel()
	// Cases that differ, with the reason.
	differ := map[string]string{
		"merge: comment": "overrides that hold only a comment count as none, the reference fails",
		"merge: binary":  "it has a number that is another at every run; see the test for it",
	}
	for _, c := range manifestVectors(t) {
		if differ[c.Name] != "" {
			delete(differ, c.Name)
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got, err := Render(c.Package.skipper(), c.Overrides)
			if c.Manifest == nil {
				require.Error(t, err, "got %q", got)
				require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Empty(t, gocmp.Diff(*c.Manifest, got))
		})
	}
	require.Empty(t, differ, "no such cases")
}

// place is what an error says of where it is: a template or values, a line, and variables.
var place = regexp.MustCompile(`(?s)^(?:template (?P<template>\S+?\.yml)(?: of package (?P<package>\S+?))?(?:,| renders to text that is not ` +
	`valid YAML:)|(?:.*?)(?P<values>values\.yml of package \S+|the values of the request)(?:,| is not valid YAML:| are not valid YAML:))` +
	` line (?P<line>\d+)(?P<variables>[^:]*): (?P<message>.*)$`)

// manifestVector is one case of manifests.json; without a manifest it fails.
type manifestVector struct {
	Name      string        `json:"name"`
	Package   vectorPackage `json:"package"`
	Overrides string        `json:"overrides"`
	Manifest  *string       `json:"manifest"`
}

// TestRender_SaysWhereVectorsAreWrong looks at what is said of every case that fails: the file, the line and the variables
// must be there, and be right.
func TestRender_SaysWhereVectorsAreWrong(t *testing.T) {
	t.Parallel()
	failing := 0
	for _, c := range manifestVectors(t) {
		if c.Manifest != nil || c.Name == "merge: comment" {
			continue
		}
		failing++
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			_, err := Render(c.Package.skipper(), c.Overrides)
			require.Error(t, err)
			if strings.HasPrefix(err.Error(), "Was expecting override values to produce a Map") {
				return // clients know this sentence; there is no line to name
			}
			found := place.FindStringSubmatch(err.Error())
			require.NotNil(t, found, "no file and line in: %s", err)
			line, err := strconv.Atoi(found[place.SubexpIndex("line")])
			require.NoError(t, err)
			text := c.Overrides
			switch {
			case found[place.SubexpIndex("template")] != "":
				text = c.Package.template(found[place.SubexpIndex("package")], found[place.SubexpIndex("template")])
			case strings.HasPrefix(found[place.SubexpIndex("values")], "values.yml"):
				text = *c.Package.Values
			}
			lines := strings.Split(text, "\n")
			require.LessOrEqual(t, line, len(lines))
			at := lines[line-1]
			if strings.Contains(found[place.SubexpIndex("variables")], "behind") {
				at = strings.Join(lines[:line], "\n")
			}
			message := found[place.SubexpIndex("message")]
			names := regexp.MustCompile(`\{\{([^}]+)\}\}`).FindAllStringSubmatch(found[place.SubexpIndex("variables")], -1)
			if strings.HasPrefix(message, "no value for") {
				names = regexp.MustCompile(`no value for \{\{([^}]+)\}\}`).FindAllStringSubmatch(message, 1)
				require.NotEmpty(t, names)
			}
			for _, name := range names {
				require.Regexp(t, `\{\{[{&]?`+regexp.QuoteMeta(name[1])+`\}\}`, at, "%s", found[0])
			}
		})
	}
	require.Equal(t, 66, failing)
}

// template finds a template by its name, in a package by its name; empty means the package itself.
func (v vectorPackage) template(of, name string) string {
	for _, t := range v.Templates {
		if (of == "" || of == v.Name) && t.Name == name {
			return t.Data
		}
	}
	for _, d := range v.Dependencies {
		if text := d.template(cmp.Or(of, "\x00"), name); text != "" {
			return text
		}
	}
	return ""
}

func TestRender_GivesTheReferencesBytesButForAnAddress(t *testing.T) {
	t.Parallel()
	// The reference prints where in its memory the bytes stand, another number at every run: [B@6b6def36. All else of the
	// manifest is the same.
	cases := manifestVectors(t)
	i := slices.IndexFunc(cases, func(c manifestVector) bool { return c.Name == "merge: binary" })
	got, err := Render(cases[i].Package.skipper(), cases[i].Overrides)
	require.NoError(t, err)
	require.Equal(t, regexp.MustCompile(`\[B@[0-9a-f]+`).ReplaceAllString(*cases[i].Manifest, "aGVsbG8&#x3D;"), got)
}

func TestTemplate_RendersAsJmustache(t *testing.T) {
	t.Parallel()
	var vectors struct {
		Context json.RawMessage `json:"context"`
		Cases   []struct {
			Name     string  `json:"name"`
			Template string  `json:"template"`
			Output   *string `json:"output"`
		} `json:"cases"`
	}
	readVectors(t, "mustache.json", "d5808a76195d8e00b135342374d5f9b2eb354a6c8a4b001eed95c7fa99eb586e", &vectors)
	require.Len(t, vectors.Cases, 52)
	context, err := yamlx.ParseMap(string(vectors.Context)) // JSON is YAML, and keeps its order this way
	require.NoError(t, err)
	for _, c := range vectors.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			var r renderer
			err := r.template(c.Template, anyOf(context))
			if c.Output == nil {
				require.Error(t, err)
				require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, *c.Output, r.out.String())
		})
	}
}

// anyOf is what a template sees of values that are not made to text first.
func anyOf(v yamlx.Value) any {
	switch v := v.(type) {
	case *yamlx.Map:
		d := &dict{values: map[string]any{}}
		for _, e := range v.Entries() {
			key, inner := yamlx.Text(e.Key), anyOf(e.Value)
			d.values[key] = inner
			d.entries = append(d.entries, entry{key, inner})
		}
		return d
	case *yamlx.List:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = anyOf(item)
		}
		return items
	default:
		return v
	}
}
