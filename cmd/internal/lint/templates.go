package lint

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
	"github.com/skiff-project/skiff/templates"
)

// templates checks the templates of a unit and of its dependencies with the values that each of them sees.
func (l *linter) templates(u *unit, values *yamlx.Map) {
	for _, t := range u.p.Templates {
		l.template(u, t, values)
	}
	for _, d := range u.units {
		section, _ := values.Get(d.p.Metadata.Name)
		inner, ok := section.(*yamlx.Map)
		if !ok {
			inner = yamlx.NewMap()
		}
		l.templates(d, inner)
	}
}

func (l *linter) template(u *unit, t skipper.Template, values *yamlx.Map) {
	file := u.file("templates/" + t.Name)
	found, err := templates.Inspect(t.Data, values)
	if err != nil {
		l.seen = false
		l.fail(file, err)
		return
	}
	u.tags = append(u.tags, found.Tags...)
	whole := true
	for _, tag := range found.Tags {
		if !tag.Missing {
			continue
		}
		whole = false
		l.unanswered = true
		if u.declared(tag.Name) {
			l.add(Warning, file, tag.Line, "{{"+tag.Name+"}} has no default value; an install without one is refused")
			continue
		}
		l.add(Error, file, tag.Line, "no value for {{"+tag.Name+"}}; set it in values.yml, or describe it in "+
			skipper.SchemaFile+" when whoever installs is to give it")
	}
	documents, err := yamlx.Parse(found.Text)
	if err != nil {
		l.unreadable(file, found, err)
		return
	}
	l.manifest(source{file, t.Data}, documents, whole)
}

// unreadable reports a template that renders to no YAML, at the line of the template where that shows.
func (l *linter) unreadable(file string, found templates.Inspection, err error) {
	line, message := 1, err.Error()
	if wrong, ok := err.(*yamlx.Error); ok { //nolint:errorlint // Parse promises the type
		message = wrong.Message
		if wrong.Line > 0 && len(found.Lines) > 0 {
			line = found.Lines[min(wrong.Line, len(found.Lines))-1]
		}
	}
	l.add(Error, file, line, "renders to text that is not valid YAML: "+message)
}

// source is a template as it was written.
type source struct{ file, text string }

// line finds a key in a template; 1 when it is not there.
func (s source) line(key string) int {
	pattern := regexp.MustCompile(`^\s*(?:- )?["']?` + regexp.QuoteMeta(key) + `["']?\s*:`)
	for i, line := range strings.Split(s.text, "\n") {
		if pattern.MatchString(line) {
			return i + 1
		}
	}
	return 1
}

// manifest checks what a template came to; whole says that no value was missing.
func (l *linter) manifest(s source, documents []yamlx.Value, whole bool) {
	if len(documents) == 0 {
		l.add(Error, s.file, 1, "renders to nothing; every template must render to an application")
		return
	}
	applications, kind, err := manifest.Parse(yamlx.Dump(documents))
	switch {
	case err != nil:
		l.add(Error, s.file, l.lineOf(s, err), skipper.MessageOf(err))
		return
	case kind == "":
		l.add(Error, s.file, 1, "renders to no kind; add kind: "+manifest.KindDeployer)
		return
	case kind != manifest.KindDeployer && kind != manifest.KindBoot && kind != manifest.KindCloudFoundry:
		l.add(Error, s.file, s.line("kind"), "kind "+kind+" is not known; use "+manifest.KindDeployer)
		return
	case kind == manifest.KindCloudFoundry:
		l.applications[s.file] = s.file
	}
	for _, a := range applications {
		l.application(s, a, whole)
	}
}

var quotedField = regexp.MustCompile(`spec\.(\w+)|(metadata)|(kind)`)

// lineOf finds the line of the field that an error of the manifest names.
func (l *linter) lineOf(s source, err error) int {
	match := quotedField.FindStringSubmatch(err.Error())
	if match == nil {
		return 1
	}
	return s.line(match[1] + match[2] + match[3])
}

func (l *linter) application(s source, a manifest.Application, whole bool) {
	if other := l.applications[a.Name]; other != "" {
		l.add(Error, s.file, s.line("name"), fmt.Sprintf("application %s is rendered by %s, too; names must differ", a.Name, other))
	}
	l.applications[a.Name] = s.file
	if _, err := resource.Parse(a.Resource, a.Version); err != nil && (whole || a.Resource == "") {
		l.add(Error, s.file, s.line("resource"), "spec.resource of application "+a.Name+": "+skipper.MessageOf(err)+
			"; as file:///opt/apps/hello")
	}
	if a.Version == "" {
		l.add(Warning, s.file, s.line("version"), "application "+a.Name+" has no spec.version; Skipper cannot upgrade it")
	}
	if a.APIVersion == "" {
		l.add(Warning, s.file, 1, "application "+a.Name+" has no apiVersion; add apiVersion: skipper.spring.io/v1")
	}
}
