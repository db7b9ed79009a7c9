package edgegaptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is everything that was made; it is what a state file holds.
type state struct {
	Organizations []*organization `json:"organizations"`
	// Offset is what Advance added to the clock.
	Offset time.Duration `json:"offset"`
	// Sequence counts what was made, so that ids differ after a restart.
	Sequence int `json:"sequence"`
}

// organization is one customer; nobody sees another's.
type organization struct {
	Name        string                `json:"name"`
	Token       string                `json:"token"`
	Revoked     bool                  `json:"revoked"`
	Apps        []*application        `json:"apps"`
	Deployments []*deployment         `json:"deployments"` // all that ever were, oldest first
	Fleets      []*fleet              `json:"fleets"`
	Storages    []*storage            `json:"storages"`
	Images      map[string][]imageTag `json:"images"`
	Cached      map[string]bool       `json:"cached"` // image at city
}

type application struct {
	Name     string     `json:"name"`
	Active   bool       `json:"is_active"`
	Image    string     `json:"image"`
	Created  time.Time  `json:"created"`
	Updated  time.Time  `json:"updated"`
	Versions []*version `json:"versions"`
}

// version keeps what was sent, with the defaults.
type version struct {
	Fields  map[string]any `json:"fields"`
	Created time.Time      `json:"created"`
	Updated time.Time      `json:"updated"`
}

func (v *version) name() string { return text(v.Fields, "name") }

// image is what is pulled and cached.
func (v *version) image() string {
	return text(v.Fields, "docker_repository") + "/" + text(v.Fields, "docker_image") + ":" + text(v.Fields, "docker_tag")
}

func loadState(options Options) (*state, error) {
	s := &state{Organizations: []*organization{newOrganization(DefaultOrganization, options.Token)}}
	if options.StateFile == "" {
		return s, nil
	}
	content, err := os.ReadFile(options.StateFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("read the state of the fake: %w", err)
	}
	var kept state
	if err := json.Unmarshal(content, &kept); err != nil {
		return nil, fmt.Errorf("the state file %s is not one of this fake: %w", options.StateFile, err)
	}
	if kept.organization(options.Token) == nil {
		kept.Organizations = append(kept.Organizations, s.Organizations[0])
	}
	return &kept, nil
}

func newOrganization(name, token string) *organization {
	return &organization{Name: name, Token: token, Images: map[string][]imageTag{}, Cached: map[string]bool{}}
}

func (s *state) organization(token string) *organization {
	for _, o := range s.Organizations {
		if o.Token == token {
			return o
		}
	}
	return nil
}

// save writes the state file, whole or not at all.
func (f *Fake) save() error {
	if f.options.StateFile == "" {
		return nil
	}
	content, err := json.Marshal(f.state)
	if err != nil {
		return fmt.Errorf("write the state of the fake: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(f.options.StateFile), ".fake-*")
	if err != nil {
		return fmt.Errorf("write the state of the fake: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), f.options.StateFile)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("write the state of the fake: %w", err)
	}
	return nil
}

// AddOrganization makes another customer with a token of its own.
func (f *Fake) AddOrganization(name, token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.organization(token) != nil {
		return fmt.Errorf("the token of organization %s is taken", name)
	}
	f.state.Organizations = append(f.state.Organizations, newOrganization(name, token))
	return f.save()
}

// RevokeToken deletes a token: calls with it get 403 from now on.
func (f *Fake) RevokeToken(token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.state.organization(token)
	if o == nil {
		return errors.New("no organization has this token")
	}
	o.Revoked = true
	return f.save()
}

func (o *organization) app(name string) *application {
	for _, a := range o.Apps {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func (a *application) version(name string) *version {
	for _, v := range a.Versions {
		if v.name() == name {
			return v
		}
	}
	return nil
}

// stamp is a time as the v1 API writes it; nil for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}
