package edgegaptest

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

type tag struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

func (t tag) body() map[string]any {
	return map[string]any{"name": t.Name, "create_time": stamp(t.Created), "last_updated": stamp(t.Updated)}
}

// checkTag gives what is wrong with a name. A slash would not fit a path, a comma not the container's environment.
func (f *Fake) checkTag(name string) string {
	switch size := utf8.RuneCountInString(name); {
	case size == 0:
		return "is too short"
	case size > f.options.MaxTag:
		return "is too long"
	case strings.ContainsAny(name, ",/"):
		return "holds a comma or a slash"
	}
	return ""
}

// tagged gives the deployment of a call about tags, and the index of the tag it names: -1 for none.
func (f *Fake) tagged(call *request) (*deployment, int, *reply) {
	d, refused := f.find(call, http.StatusNotFound)
	if refused != nil {
		return nil, -1, refused
	}
	at := slices.IndexFunc(d.Tags, func(t tag) bool { return t.Name == call.params["tag"] })
	if call.params["tag"] != "" && at < 0 {
		missing := refuse(http.StatusNotFound, "Tag %.64s not found", call.params["tag"])
		return nil, -1, &missing
	}
	return d, at, nil
}

func (f *Fake) listTags(call *request) reply {
	d, _, refused := f.tagged(call)
	if refused != nil {
		return *refused
	}
	var all []any
	for _, t := range d.Tags {
		all = append(all, t.body())
	}
	return f.page(call, "tags", all, nil)
}

func (f *Fake) readTag(call *request) reply {
	d, at, refused := f.tagged(call)
	if refused != nil {
		return *refused
	}
	return ok(d.Tags[at].body())
}

func (f *Fake) createTag(call *request) reply { return f.writeTag(call) }

func (f *Fake) updateTag(call *request) reply { return f.writeTag(call) }

// writeTag makes a tag, or renames the one the call names.
func (f *Fake) writeTag(call *request) reply {
	d, at, refused := f.tagged(call)
	if refused != nil {
		return *refused
	}
	members, refused := f.decode(call, []field{{name: "name", kind: "string", required: true}})
	if refused != nil {
		return *refused
	}
	name := text(members, "name")
	if wrong := f.checkTag(name); wrong != "" {
		return refuse(http.StatusBadRequest, "%s - 'name'", wrong)
	}
	other := slices.IndexFunc(d.Tags, func(t tag) bool { return t.Name == name })
	if other >= 0 && other != at {
		return refuse(http.StatusConflict, "Tag %s already exists", name)
	}
	if at < 0 {
		d.Tags = append(d.Tags, tag{Name: name, Created: call.now, Updated: call.now})
		at = len(d.Tags) - 1
	}
	d.Tags[at].Name, d.Tags[at].Updated = name, call.now
	return changed(ok(d.Tags[at].body()))
}

func (f *Fake) deleteTag(call *request) reply {
	d, at, refused := f.tagged(call)
	if refused != nil {
		return *refused
	}
	d.Tags = slices.Delete(d.Tags, at, at+1)
	return changed(reply{status: http.StatusNoContent})
}
