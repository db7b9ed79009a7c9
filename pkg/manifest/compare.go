package manifest

import (
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// countKey is left out of comparisons: a scaled application is not a changed one.
const countKey = "spring.cloud.deployer.count"

// Force asks to replace applications that did not change: those named, or all when none is named.
type Force struct {
	On   bool
	Apps []string
}

// Difference is what has to happen to bring a release from one manifest to another.
type Difference struct {
	Changed []string // in both manifests, and not the same; in the order of the existing one
	Forced  []string // replaced because force asks for it; names no application has are kept, as in Skipper
	Added   []string // only in the replacing manifest
	Dropped []string // only in the existing manifest
	Apps    []ApplicationDifference

	replacing []string // all names, in manifest order
}

// ApplicationDifference says what changed in one application of both manifests.
type ApplicationDifference struct {
	Name    string
	Changes []Change
}

// Change is one field that differs; Old or New is nil where a side does not have it.
type Change struct {
	Field    string // as spec.applicationProperties.server.port
	Old, New *string
}

// None says that there is nothing to do.
func (d Difference) None() bool {
	return len(d.Changed)+len(d.Forced)+len(d.Added)+len(d.Dropped) == 0
}

// Replaced lists the applications that are taken from the existing manifest and deployed again: changed and forced.
func (d Difference) Replaced() []string { return slices.Concat(d.Changed, d.Forced) }

// Deploy lists the applications of the replacing manifest that have to be deployed, in its order.
func (d Difference) Deploy() []string {
	var apps []string
	for _, name := range d.replacing {
		if slices.Contains(d.Changed, name) || slices.Contains(d.Forced, name) || slices.Contains(d.Added, name) {
			apps = append(apps, name)
		}
	}
	return apps
}

// Compare tells two manifests apart, application by application, found by name. Applications that only one of them has
// are added or dropped, where Skipper refuses.
func Compare(existing, replacing string, force Force) (Difference, error) {
	old, err := applications(existing, "existing")
	if err != nil {
		return Difference{}, err
	}
	next, err := applications(replacing, "replacing")
	if err != nil {
		return Difference{}, err
	}
	d := Difference{replacing: names(next)}
	for _, a := range old {
		i := slices.Index(d.replacing, a.Name)
		if i < 0 {
			d.Dropped = appendNew(d.Dropped, a.Name)
			continue
		}
		if changes := changesOf(a, next[i]); len(changes) > 0 && !slices.Contains(d.Changed, a.Name) {
			d.Changed = append(d.Changed, a.Name)
			d.Apps = append(d.Apps, ApplicationDifference{a.Name, changes})
		}
	}
	for _, name := range d.replacing {
		if !slices.Contains(names(old), name) {
			d.Added = appendNew(d.Added, name)
		}
	}
	d.Forced = d.forced(old, force)
	return d, nil
}

func applications(text, which string) ([]Application, error) {
	all, kind, err := Parse(text)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0 && kind == "":
		return nil, skipper.Errorf(skipper.CodeInvalid, "the %s manifest has no applications; "+
			"a template of the package must render one", which)
	case len(all) == 0:
		return nil, skipper.Errorf(skipper.CodeInvalid, "No update strategy available for '%s'", kind)
	}
	if which == "existing" {
		return all, nil
	}
	for _, a := range all {
		if a.Resource == "" {
			return nil, skipper.Errorf(skipper.CodeInvalid, "Could not find Resource in replacing release name [null], "+
				"version [%s]. Set spec.resource of application %s.", a.Version, a.Name)
		}
	}
	return all, nil
}

func names(applications []Application) []string {
	all := make([]string, len(applications))
	for i, a := range applications {
		all[i] = a.Name
	}
	return all
}

func appendNew(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

func (d Difference) forced(existing []Application, force Force) []string {
	if !force.On {
		return nil
	}
	asked := force.Apps
	if len(asked) == 0 {
		asked = names(existing)
	}
	var forced []string
	for _, name := range asked {
		if !slices.Contains(d.Changed, name) && !slices.Contains(d.Added, name) && !slices.Contains(d.Dropped, name) {
			forced = appendNew(forced, name)
		}
	}
	return forced
}

func changesOf(old, next Application) []Change {
	var changes []Change
	for _, f := range []struct{ name, old, next string }{
		{"apiVersion", old.APIVersion, next.APIVersion},
		{"kind", old.Kind, next.Kind},
		{"spec.resource", old.Resource, next.Resource},
		{"spec.version", old.Version, next.Version},
	} {
		before, after := strings.TrimSpace(f.old), strings.TrimSpace(f.next)
		if before != after {
			changes = append(changes, Change{f.name, &before, &after})
		}
	}
	return slices.Concat(changes,
		propertyChanges("metadata", old.Metadata, next.Metadata),
		propertyChanges("spec.applicationProperties", old.ApplicationProperties, next.ApplicationProperties),
		propertyChanges("spec.deploymentProperties", old.DeploymentProperties, next.DeploymentProperties))
}

// propertyChanges lists what differs: first what was there, then what is new.
func propertyChanges(field string, old, next Properties) []Change {
	var changes []Change
	for _, p := range old {
		i := next.index(p.Name)
		switch {
		case p.Name == countKey:
		case i < 0:
			changes = append(changes, Change{field + "." + p.Name, orNull(p.Value), nil})
		case !same(p.Value, next[i].Value):
			changes = append(changes, Change{field + "." + p.Name, orNull(p.Value), orNull(next[i].Value)})
		}
	}
	for _, p := range next {
		if p.Name != countKey && old.index(p.Name) < 0 {
			changes = append(changes, Change{field + "." + p.Name, nil, orNull(p.Value)})
		}
	}
	return changes
}

func (p Properties) index(name string) int {
	return slices.IndexFunc(p, func(property Property) bool { return property.Name == name })
}

func same(a, b *string) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// orNull shows a null value as a text; nil is for what is not there.
func orNull(value *string) *string {
	if value == nil {
		null := "null"
		return &null
	}
	return value
}
