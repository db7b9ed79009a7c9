package manifest

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Action says what becomes of an application or of one of its fields.
type Action string

// The actions.
const (
	Added   Action = "added"
	Removed Action = "removed"
	Changed Action = "changed"
)

// Diff is what people are shown of two manifests: all that differs, secrets masked. Compare is what upgrades go by; it
// leaves out instance counts, which are shown here.
type Diff struct {
	Applications []ApplicationDiff `json:"applications"` // by name; those that are equal are left out
}

// ApplicationDiff is what differs in one application. Of one that is added or removed every field is listed.
type ApplicationDiff struct {
	Name   string      `json:"name"`
	Action Action      `json:"action"`
	Fields []FieldDiff `json:"fields"` // in the order of a manifest: head, metadata and properties, each by name
}

// FieldDiff is one field. Old or New is nil where that manifest does not have it. A secret is masked on both sides, also
// when it differs.
type FieldDiff struct {
	Field  string  `json:"field"` // as spec.applicationProperties.server.port
	Action Action  `json:"action"`
	Old    *string `json:"old,omitempty"`
	New    *string `json:"new,omitempty"`
}

// field is a field of an application with its text; null is the text null.
type field struct {
	name, value string
}

// DiffOf tells people what differs between two manifests of applications, of any kind that can be read. A blank one has
// no applications. Errors are of code invalid.
func DiffOf(existing, replacing string) (Diff, error) {
	old, err := fieldsOf(existing)
	if err != nil {
		return Diff{}, err
	}
	next, err := fieldsOf(replacing)
	if err != nil {
		return Diff{}, err
	}
	d := Diff{Applications: []ApplicationDiff{}}
	for _, name := range unionOfNames(old, next) {
		before, was := old[name]
		after, is := next[name]
		a := ApplicationDiff{Name: name, Action: actionOf(was, is), Fields: fieldDiffs(before, after)}
		if len(a.Fields) > 0 || was != is {
			d.Applications = append(d.Applications, a)
		}
	}
	return d, nil
}

func actionOf(was, is bool) Action {
	switch {
	case !was:
		return Added
	case !is:
		return Removed
	default:
		return Changed
	}
}

// unionOfNames lists the names of both, sorted.
func unionOfNames(a, b map[string][]field) []string {
	all := make([]string, 0, len(a)+len(b))
	for name := range a {
		all = append(all, name)
	}
	for name := range b {
		if _, known := a[name]; !known {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// fieldsOf reads the applications of a manifest: their fields by name. Of two with one name the first counts, as in
// Compare.
func fieldsOf(text string) (map[string][]field, error) {
	all := map[string][]field{}
	if strings.TrimSpace(text) == "" {
		return all, nil
	}
	applications, kind, err := Parse(text)
	switch {
	case err != nil:
		return nil, err
	case kind == KindCloudFoundry:
		return cloudFoundryFieldsOf(text)
	case len(applications) == 0:
		return nil, skipper.Errorf(skipper.CodeInvalid, "a manifest of kind '%s' has no applications to compare; "+
			"its kind must be '%s' or '%s'", kind, KindDeployer, KindCloudFoundry)
	}
	for _, a := range applications {
		if _, known := all[a.Name]; !known {
			all[a.Name] = a.fields()
		}
	}
	return all, nil
}

func (a Application) fields() []field {
	all := head(a.APIVersion, a.Kind)
	all = append(all, properties("metadata.", a.Metadata)...)
	all = append(all, spec(a.Resource, a.Version)...)
	all = append(all, properties("spec.applicationProperties.", a.ApplicationProperties)...)
	return append(all, properties("spec.deploymentProperties.", a.DeploymentProperties)...)
}

// cloudFoundryFieldsOf reads applications that have no name: it is that of the release.
func cloudFoundryFieldsOf(text string) (map[string][]field, error) {
	applications, err := ParseCloudFoundry(text)
	if err != nil {
		return nil, err
	}
	last := applications[len(applications)-1] // the one that Skipper pushes
	return map[string][]field{"": last.fields()}, nil
}

func (a CloudFoundryApplication) fields() []field {
	m := a.Manifest
	var manifest []field
	add := func(name, value string, given bool) {
		if given {
			manifest = append(manifest, field{"spec.manifest." + name, value})
		}
	}
	number := func(name string, n *int) {
		if n != nil {
			add(name, strconv.Itoa(*n), true)
		}
	}
	boolean := func(name string, b *bool) {
		if b != nil {
			add(name, strconv.FormatBool(*b), true)
		}
	}
	list := func(name string, items []string) {
		for i, item := range items {
			add(name+"["+strconv.Itoa(i)+"]", item, true)
		}
	}
	add("buildpack", m.Buildpack, m.Buildpack != "")
	add("command", m.Command, m.Command != "")
	add("disk-quota", strconv.Itoa(m.DiskQuota)+"M", m.DiskQuota > 0)
	list("domains", m.Domains)
	add("health-check-http-endpoint", m.HealthCheckHTTPEndpoint, m.HealthCheckHTTPEndpoint != "")
	add("health-check-type", m.HealthCheckType, m.HealthCheckType != "")
	list("hosts", m.Hosts)
	number("instances", m.Instances)
	add("memory", strconv.Itoa(m.Memory)+"M", m.Memory > 0)
	boolean("no-hostname", m.NoHostname)
	boolean("no-route", m.NoRoute)
	boolean("random-route", m.RandomRoute)
	list("services", m.Services)
	add("stack", m.Stack, m.Stack != "")
	add("timeout", strconv.Itoa(m.Timeout), m.Timeout > 0)
	all := append(head(a.APIVersion, KindCloudFoundry), spec(a.Resource, a.Version)...)
	return append(append(all, manifest...), properties("spec.manifest.env.", m.Env)...)
}

func head(apiVersion, kind string) []field {
	return given(field{"apiVersion", apiVersion}, field{"kind", kind})
}

func spec(resource, version string) []field {
	return given(field{"spec.resource", resource}, field{"spec.version", version})
}

// given leaves out fields without a value.
func given(all ...field) []field {
	return slices.DeleteFunc(all, func(f field) bool { return strings.TrimSpace(f.value) == "" })
}

// properties lists properties by name.
func properties(prefix string, all Properties) []field {
	fields := make([]field, 0, len(all))
	for _, p := range all {
		fields = append(fields, field{prefix + p.Name, *orNull(p.Value)})
	}
	slices.SortStableFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return fields
}

// fieldDiffs lists what differs, in the order of the replacing fields, those that go where they stood.
func fieldDiffs(old, next []field) []FieldDiff {
	values := make(map[string]string, len(old))
	for _, f := range old {
		values[f.name] = f.value
	}
	stays := make(map[string]bool, len(next))
	for _, f := range next {
		stays[f.name] = true
	}
	diffs := []FieldDiff{}
	i := 0
	gone := func(until string) {
		for ; i < len(old) && old[i].name != until; i++ {
			if !stays[old[i].name] {
				diffs = append(diffs, FieldDiff{Field: old[i].name, Action: Removed, Old: masked(old[i])})
			}
		}
	}
	for _, f := range next {
		before, was := values[f.name]
		if was {
			gone(f.name)
		}
		switch {
		case !was:
			diffs = append(diffs, FieldDiff{Field: f.name, Action: Added, New: masked(f)})
		case before != f.value:
			diffs = append(diffs, FieldDiff{
				Field: f.name, Action: Changed, Old: masked(field{f.name, before}), New: masked(f),
			})
		}
	}
	gone("")
	return diffs
}

func masked(f field) *string {
	text := Mask(f.name, f.value)
	return &text
}

// Text writes the difference for people, one line for each field: + is added, - removed, ~ changed.
func (d Diff) Text() string {
	var b strings.Builder
	for _, a := range d.Applications {
		b.WriteString(a.Action.sign() + " application")
		if a.Name != "" {
			b.WriteString(" " + shown(a.Name))
		}
		b.WriteByte('\n')
		for _, f := range a.Fields {
			b.WriteString("  " + f.Action.sign() + " " + shown(f.Field) + ": ")
			switch {
			case f.Old != nil && f.New != nil && *f.Old == *f.New:
				b.WriteString(shown(*f.New) + " (another one)") // what differs is masked
			case f.Old != nil && f.New != nil:
				b.WriteString(shown(*f.Old) + " -> " + shown(*f.New))
			case f.New != nil:
				b.WriteString(shown(*f.New))
			case f.Old != nil:
				b.WriteString(shown(*f.Old))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func (a Action) sign() string {
	switch a {
	case Added:
		return "+"
	case Removed:
		return "-"
	case Changed:
	}
	return "~"
}

// shown quotes a text that would not be seen as it is on one line.
func shown(text string) string {
	if text == "" || text != strings.TrimSpace(text) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(text)
	}
	return text
}
