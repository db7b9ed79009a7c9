package local

import (
	"maps"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// environment is what one instance is told: what it inherits, its properties, and the mark of its owner.
func (d *Deployer) environment(p plan, rec *record, i instance) ([]string, error) {
	inherits, err := p.settings.inherits()
	if err != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "env-vars-to-inherit: %w", err)
	}
	env := map[string]string{}
	for _, variable := range d.Environ {
		if name, value, ok := strings.Cut(variable, "="); ok && inherits.MatchString(name) {
			env[name] = value
		}
	}
	own, err := deployer.Environment{
		ID: p.id, Group: p.request.Group, Index: i.Index, Properties: p.request.Properties, Port: i.Port,
		JSON:      p.settings.UseSpringApplicationJSON,
		AdminUser: p.settings.AdminUser, AdminPassword: p.settings.AdminPassword,
	}.Variables()
	if err != nil {
		return nil, err
	}
	maps.Copy(env, own)
	env[ownerVariable] = mark{
		owner: d.owner(p.request.Owner), id: p.id, index: i.Index, nonce: i.key(), hash: rec.Hash, port: i.Port, dir: rec.Dir,
	}.String()
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list, nil
}

// owner is the owner with the account that this deployer stands for, under which it looks for its marks.
func (d *Deployer) owner(o deployer.Owner) deployer.Owner {
	o.Installation, o.Account = d.Installation, d.Account
	return o
}

// guid is the id of an instance, as its attribute guid has it.
func guid(id string, i instance) string { return deployer.InstanceID(id, i.Index) }
