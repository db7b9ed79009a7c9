package lint

import (
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/schema"
	"github.com/skiff-project/skiff/pkg/yamlx"
	"github.com/skiff-project/skiff/templates"
)

// use remembers what the tags of a template name.
func (u *unit) use(tags []templates.Tag) {
	for _, tag := range tags {
		name, loop := strings.CutSuffix(tag.Name, ".entrySet")
		u.usesAll = u.usesAll || tag.Name == "entrySet" || name == "." || name == "this"
		u.names[name] = u.names[name] || loop || !tag.Section
	}
}

// unused warns of default values that no template names.
func (l *linter) unused(u *unit) {
	w := walk{left: maxLookedUp}
	idle, _ := w.idle(u.values, nil, []reader{{u, 0}})
	for _, path := range idle {
		if !l.full(Warning) {
			l.add(Warning, u.file(u.defaults), u.places.Line(path...), schema.PathText(path)+" is used by no template")
		}
	}
	for _, d := range u.units {
		l.unused(d)
	}
}

// maxLookedUp bounds the characters of the names that are looked up for one values.yml. What is left then counts as used.
const maxLookedUp = 20 << 20

// walk goes through the values of a unit.
type walk struct {
	left int
}

// reader is a unit whose templates see a value, and which keys of its path they leave out.
type reader struct {
	u    *unit
	from int
}

// idle lists the paths of values that are not used, the whole of a map where nothing of it is; used says that something is.
func (w *walk) idle(m *yamlx.Map, path []string, readers []reader) (idle [][]string, used bool) {
	for _, e := range m.Entries() {
		if w.left < 0 || len(idle) > maxProblems {
			return idle, true
		}
		at := append(slices.Clone(path), yamlx.Text(e.Key))
		named, inside := w.look(at, readers)
		below, isDependency := w.inner(at, readers)
		value, isMap := e.Value.(*yamlx.Map)
		switch named = named || isDependency; {
		case inside:
			used = true
		case isMap && value.Len() > 0:
			deeper, some := w.idle(value, at, below)
			if !named && !some {
				deeper = [][]string{at}
			}
			idle, used = append(idle, deeper...), used || named || some
		case named:
			used = true
		default:
			idle = append(idle, at)
		}
	}
	return idle, used
}

// look says whether a template may name a value: by its path, or by the end of it in a section; and whether that takes all
// that is inside along, as a loop does.
func (w *walk) look(path []string, readers []reader) (named, inside bool) {
	for _, r := range readers {
		if r.u.usesAll {
			return true, true
		}
		for from := r.from; from < len(path); from++ {
			name := strings.Join(path[from:], ".")
			w.left -= len(name) + 1
			all, ok := r.u.names[name]
			named, inside = named || ok, inside || all
		}
	}
	return named, inside
}

// inner adds the dependencies that see what is under a path.
func (w *walk) inner(path []string, readers []reader) (below []reader, isDependency bool) {
	last := len(path) - 1
	below = readers
	for _, r := range readers {
		if r.from != last {
			continue
		}
		w.left -= len(r.u.units)
		for _, d := range r.u.units {
			if d.p.Metadata.Name == path[last] {
				below, isDependency = append(slices.Clone(below), reader{d, last + 1}), true
			}
		}
	}
	return below, isDependency
}
