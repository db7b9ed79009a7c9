package edgegaptest

import (
	"net/http"
	"slices"
	"time"
)

// storage is where logs are kept, without its secret.
type storage struct {
	Name    string `json:"name"`
	Address string `json:"endpoint"`
	Bucket  string `json:"bucket"`
	Format  string `json:"output_format"`
}

func (o *organization) storage(name string) *storage {
	for _, s := range o.Storages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// logStorage reads container_log_storage: true, false or a name; configured is the version's.
func (o *organization) logStorage(wanted, configured string) (string, *reply) {
	refused := refuse(http.StatusBadRequest, "no such endpoint storage - 'container_log_storage'")
	switch wanted {
	case "false":
		return "", nil
	case "true":
		if configured == "" {
			return "", &refused
		}
		return configured, nil
	}
	if o.storage(wanted) == nil {
		return "", &refused
	}
	return wanted, nil
}

func (s *storage) body() map[string]any {
	return map[string]any{"name": s.Name, "endpoint": s.Address, "bucket": s.Bucket, "output_format": s.Format}
}

func (f *Fake) createStorage(call *request) reply {
	members, refused := f.decode(call, []field{
		{name: "name", kind: "string", required: true, min: 1},
		{name: "access_key_id", kind: "string", required: true, min: 1},
		{name: "secret_access_key", kind: "string", required: true, min: 1},
		{name: "endpoint", kind: "string", required: true, min: 1},
		{name: "bucket", kind: "string", required: true, min: 1},
		{name: "output_format", kind: "string", enum: []string{"TEXT", "NDJSON"}},
	})
	if refused != nil {
		return *refused
	}
	s := &storage{
		Name: text(members, "name"), Address: text(members, "endpoint"), Bucket: text(members, "bucket"),
		Format: or(text(members, "output_format"), "TEXT"),
	}
	if call.org.storage(s.Name) != nil {
		return refuse(http.StatusConflict, "Endpoint storage %s already exists", s.Name)
	}
	call.org.Storages = append(call.org.Storages, s)
	return changed(ok(s.body()))
}

func (f *Fake) listStorages(call *request) reply {
	var all []any
	for _, s := range call.org.Storages {
		all = append(all, s.body())
	}
	return f.page(call, "endpoints", all, nil)
}

func (f *Fake) readStorage(call *request) reply {
	if s := call.org.storage(call.params["storage"]); s != nil {
		return ok(s.body())
	}
	return refuse(http.StatusNotFound, "Endpoint storage %.64s not found", call.params["storage"])
}

func (f *Fake) deleteStorage(call *request) reply {
	s := call.org.storage(call.params["storage"])
	if s == nil {
		return refuse(http.StatusNotFound, "Endpoint storage %.64s not found", call.params["storage"])
	}
	call.org.Storages = slices.DeleteFunc(call.org.Storages, func(other *storage) bool { return other == s })
	return changed(reply{status: http.StatusNoContent})
}

// imageTag is an image in Edgegap's own registry.
type imageTag struct {
	Tag    string    `json:"tag"`
	Pushed time.Time `json:"pushed"`
}

// push notes the image of a version that comes from Edgegap's own registry.
func (o *organization) push(v *version, now time.Time) {
	name := text(v.Fields, "docker_image")
	if text(v.Fields, "docker_repository") != "registry.edgegap.com" {
		return
	}
	wanted := text(v.Fields, "docker_tag")
	if !slices.ContainsFunc(o.Images[name], func(t imageTag) bool { return t.Tag == wanted }) {
		o.Images[name] = append(o.Images[name], imageTag{Tag: wanted, Pushed: now})
	}
}

func artifact(tags []string) map[string]any {
	return map[string]any{
		"artifact_deleted": len(tags) == 0, "remaining_tags": tags, "image_hash": "sha256:fake", "size_mb": 120,
	}
}

func (f *Fake) listImageTags(call *request) reply {
	tags, known := call.org.Images[call.params["image"]]
	if !known {
		return refuse(http.StatusNotFound, "Image %.64s not found", call.params["image"])
	}
	var all []any
	for _, t := range tags {
		all = append(all, map[string]any{"tag": t.Tag, "last_push_at": stamp(t.Pushed), "artifact": artifact([]string{t.Tag})})
	}
	return f.page(call, "data", all, nil)
}

func (f *Fake) deleteImageTag(call *request) reply {
	name := call.params["image"]
	at := slices.IndexFunc(call.org.Images[name], func(t imageTag) bool { return t.Tag == call.params["tag"] })
	if at < 0 {
		return refuse(http.StatusNotFound, "Tag %.64s not found", call.params["tag"])
	}
	call.org.Images[name] = slices.Delete(call.org.Images[name], at, at+1)
	remaining := []string{}
	for _, t := range call.org.Images[name] {
		remaining = append(remaining, t.Tag)
	}
	return changed(ok(map[string]any{"artifact": artifact(remaining), "deleted_tag": call.params["tag"]}))
}
