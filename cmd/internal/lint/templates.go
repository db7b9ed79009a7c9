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
func (l *linter) templates(i *templates.Inspector, u *unit, view templates.View) {
	for _, t := range u.p.Templates {
		l.template(i, u, t, view)
	}
	for _, d := range u.units {
		l.templates(i, d, view.Of(d.p.Metadata.Name))
	}
}

func (l *linter) template(i *templates.Inspector, u *unit, t skipper.Template, view templates.View) {
	file := u.file("templates/" + t.Name)
	found, err := i.Inspect(t.Data, view)
	if err != nil {
		l.seen = false
		l.fail(file, err)
		return
	}
	u.use(found.Tags)
	whole := true
	for _, tag := range found.Tags {
		if !tag.Missing {
			continue
		}
		whole = false
		l.unanswered = true
		if u.declares(tag.Name) {
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
	l.manifest(&source{file: file, text: t.Data}, documents, whole)
}

// unreadable reports a template that renders to no YAML, at the line of the template where that shows.
func (l *linter) unreadable(file string, found templates.Inspection, err error) {
	line, message := 1, err.Error()
	if wrong, ok := err.(*yamlx.Error); ok { //nolint:errorlint // Parse promises the type
		message = wrong.Message
		if wrong.Line > 0 {
			line = found.Line(wrong.Line)
		}
	}
	l.add(Error, file, line, "renders to text that is not valid YAML: "+message)
}

// source is a template as it was written.
type source struct {
	file, text string
	lines      map[string]int // of keys that were looked for: a loop may render an application for each of many values
}

// line finds a key in a template; 1 when it is not there.
func (s *source) line(key string) int {
	if line := s.lines[key]; line > 0 {
		return line
	}
	if s.lines == nil {
		s.lines = map[string]int{}
	}
	s.lines[key] = 1
	if at := regexp.MustCompile(`(?m)^\s*(?:- )?["']?` + regexp.QuoteMeta(key) + `["']?\s*(:)`).FindStringSubmatchIndex(s.text); at != nil {
		s.lines[key] += strings.Count(s.text[:at[2]], "\n")
	}
	return s.lines[key]
}

// manifest checks what a template came to; whole says that no value was missing.
func (l *linter) manifest(s *source, documents []yamlx.Value, whole bool) {
	if len(documents) == 0 {
		l.add(Error, s.file, 1, "renders to nothing; every template must render to an application")
		return
	}
	applications, kind, err := manifest.Read(documents)
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
		if _, err := manifest.ReadCloudFoundry(documents); err != nil {
			l.add(Error, s.file, l.lineOf(s, err), skipper.MessageOf(err))
		}
	}
	for _, a := range applications {
		l.application(s, a, whole)
	}
}

var quotedField = regexp.MustCompile(`spec\.(?:manifest\.)?([\w-]+)|(metadata)|(kind)`)

// lineOf finds the line of the field that an error of the manifest names.
func (l *linter) lineOf(s *source, err error) int {
	match := quotedField.FindStringSubmatch(err.Error())
	if match == nil {
		return 1
	}
	return s.line(match[1] + match[2] + match[3])
}

func (l *linter) application(s *source, a manifest.Application, whole bool) {
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
