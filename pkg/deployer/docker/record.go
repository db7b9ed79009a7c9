package docker

import (
	"encoding/json"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// record is what a handle holds: the intent. What came of it, the containers tell themselves. It holds no properties.
type record struct {
	Platform string `json:"platform"` // always docker: on a local account other handles are those of processes
	Format   int    `json:"format"`
	Hash     string `json:"hash"`
	Count    int    `json:"count"`
	Image    image  `json:"image"`
	// Containers are the ids of those that were made, by index; one that is not there any more was removed by others.
	Containers map[int]string `json:"containers,omitempty"`
	// Failed says by container id why one could not be started.
	Failed map[string]string `json:"failed,omitempty"`
	// Ports are leased, by index.
	Ports map[int]int `json:"ports,omitempty"`
}

const (
	platform     = "docker"
	recordFormat = 1
)

func newRecord(hash string, count int) *record {
	return &record{
		Platform: platform, Format: recordFormat, Hash: hash, Count: count,
		Containers: map[int]string{}, Failed: map[string]string{}, Ports: map[int]int{},
	}
}

// Owns says whether a handle is one of this package.
func Owns(h deployer.Handle) bool {
	var r struct{ Platform string }
	return json.Unmarshal(h.Data, &r) == nil && r.Platform == platform
}

// load reads the record of a handle; nil when it has none.
func load(h deployer.Handle) (*record, error) {
	if h.Data == nil {
		return nil, nil //nolint:nilnil // no record is a common answer: the handle was lost, or nothing was saved yet
	}
	rec := newRecord("", 0)
	if err := json.Unmarshal(h.Data, rec); err != nil || rec.Platform != platform {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the record of %s is not one of the docker platform", h.ID)
	}
	if rec.Format != recordFormat {
		return nil, deployer.Errorf(deployer.ErrInvalid,
			"the record of %s has format %d, this server knows %d: use the server that made it", h.ID, rec.Format, recordFormat)
	}
	return rec, nil
}

// recovered makes a record of what the containers of a deployment tell.
func recovered(found []instance) *record {
	if len(found) == 0 {
		return nil
	}
	rec := newRecord(found[0].hash, 0)
	for _, i := range found {
		rec.Count = max(rec.Count, i.index+1)
	}
	return rec
}

// learn notes which containers there are, and of which image.
func (r *record) learn(found []instance) {
	for _, i := range found {
		r.Containers[i.index] = i.ID
		if i.published > 0 {
			r.Ports[i.index] = i.published
		}
		if r.Image.ID == "" {
			r.Image = image{Name: i.Labels[labelImage], Digest: i.Labels[labelDigest], ID: i.ImageID}
		}
	}
}

// handle puts the record into a handle.
func (r *record) handle(h deployer.Handle) deployer.Handle {
	data, err := json.Marshal(r)
	if err == nil { // numbers and strings always marshal
		h.Data = data
	}
	return h
}
