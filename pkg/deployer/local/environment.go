package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	maps.Copy(env, upperCase(p, i))
	if p.settings.UseSpringApplicationJSON {
		if env[jsonVariable], err = asJSON(p, i); err != nil {
			return nil, err
		}
	} else {
		maps.Copy(env, p.request.Properties)
		maps.Copy(env, generated(p, i))
	}
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

// generated are the properties that every instance gets beside its own.
func generated(p plan, i instance) map[string]string {
	properties := map[string]string{
		"spring.jmx.default-domain":  p.id,
		"endpoints.shutdown.enabled": "true",
		"endpoints.jmx.unique-names": "true",
	}
	if own, ok := p.request.Properties["endpoints.shutdown.enabled"]; ok {
		properties["endpoints.shutdown.enabled"] = own
	}
	if p.request.Group != "" {
		properties["spring.cloud.application.group"] = p.request.Group
	}
	if _, fixed := p.request.Properties[portProperty]; !fixed {
		properties[portProperty] = strconv.Itoa(i.Port)
	}
	if p.settings.AdminUser != "" && p.settings.AdminPassword != "" {
		properties["spring.cloud.streamapp.security.admin-user"] = p.settings.AdminUser
		properties["spring.cloud.streamapp.security.admin-password"] = p.settings.AdminPassword
	}
	return properties
}

// upperCase are variables for programs that do not read SPRING_APPLICATION_JSON; Spring Boot knows them as well.
func upperCase(p plan, i instance) map[string]string {
	index := strconv.Itoa(i.Index)
	variables := map[string]string{
		"INSTANCE_INDEX": index, "SPRING_APPLICATION_INDEX": index, "SPRING_CLOUD_APPLICATION_GUID": guid(p.id, i),
	}
	if i.Port > 0 {
		variables["SERVER_PORT"] = strconv.Itoa(i.Port)
		variables["PORT"] = variables["SERVER_PORT"]
	}
	return variables
}

// asJSON is one flat object of all properties; an application property of the variable's own name goes under them.
func asJSON(p plan, i instance) (string, error) {
	object := map[string]any{}
	if own := p.request.Properties[jsonVariable]; own != "" {
		if err := json.Unmarshal([]byte(own), &object); err != nil {
			return "", deployer.Errorf(deployer.ErrInvalid, "%s must be a JSON object: %w", jsonVariable, err)
		}
	}
	for name, value := range p.request.Properties {
		if name != jsonVariable {
			object[name] = value
		}
	}
	for name, value := range generated(p, i) {
		object[name] = value
	}
	index := strconv.Itoa(i.Index)
	for _, name := range []string{"instance.index", "spring.application.index", "spring.cloud.stream.instanceIndex"} {
		object[name] = index
	}
	object["spring.cloud.application.guid"] = guid(p.id, i)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // simple programs look for plain text in it
	if err := encoder.Encode(object); err != nil {
		return "", fmt.Errorf("encode the application properties: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}

// guid is the id of an instance, as its attribute guid has it.
func guid(id string, i instance) string { return fmt.Sprintf("%s-%d", id, i.Index) }
