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
	wanted := firstPlaces(slices.Concat(d.Changed, d.Forced, d.Added))
	var apps []string
	for _, name := range d.replacing {
		if _, ok := wanted[name]; ok {
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
	places := firstPlaces(d.replacing)
	changed, dropped, added := set{}, set{}, set{}
	for _, a := range old {
		i, stays := places[a.Name]
		if !stays {
			dropped.addTo(&d.Dropped, a.Name)
			continue
		}
		if changes := changesOf(a, next[i]); len(changes) > 0 && changed.addTo(&d.Changed, a.Name) {
			d.Apps = append(d.Apps, ApplicationDifference{a.Name, changes})
		}
	}
	before := firstPlaces(names(old))
	for _, name := range d.replacing {
		if _, known := before[name]; !known {
			added.addTo(&d.Added, name)
		}
	}
	for _, name := range force.names(old) {
		if !changed[name] && !dropped[name] && !added[name] {
			changed.addTo(&d.Forced, name)
		}
	}
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

// firstPlaces gives where each name stands first: manifests may be long, so names are not looked for one by one.
func firstPlaces(names []string) map[string]int {
	places := make(map[string]int, len(names))
	for i, name := range names {
		if _, known := places[name]; !known {
			places[name] = i
		}
	}
	return places
}

// set has the names that a list has already.
type set map[string]bool

// addTo appends a name to the list unless the set has it, and says whether it did.
func (s set) addTo(list *[]string, name string) bool {
	if s[name] {
		return false
	}
	s[name] = true
	*list = append(*list, name)
	return true
}

// names lists the applications to replace in any case.
func (f Force) names(existing []Application) []string {
	switch {
	case !f.On:
		return nil
	case len(f.Apps) > 0:
		return f.Apps
	default:
		return names(existing)
	}
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
	before, after := firstPlaces(old.names()), firstPlaces(next.names())
	for _, p := range old {
		i, stays := after[p.Name]
		switch {
		case p.Name == countKey:
		case !stays:
			changes = append(changes, Change{field + "." + p.Name, orNull(p.Value), nil})
		case !same(p.Value, next[i].Value):
			changes = append(changes, Change{field + "." + p.Name, orNull(p.Value), orNull(next[i].Value)})
		}
	}
	for _, p := range next {
		if _, known := before[p.Name]; !known && p.Name != countKey {
			changes = append(changes, Change{field + "." + p.Name, nil, orNull(p.Value)})
		}
	}
	return changes
}

func (p Properties) names() []string {
	all := make([]string, len(p))
	for i, property := range p {
		all[i] = property.Name
	}
	return all
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
