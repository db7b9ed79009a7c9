package kubernetes

import (
	"encoding/json"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// Objects gives what a request becomes, as YAML: for golden files.
func (d *Deployer) Objects(r deployer.Request) (string, error) {
	o, err := d.build(r, "")
	if err != nil {
		return "", err
	}
	var documents []yamlx.Value
	for _, object := range []any{o.service, o.deployment, o.statefulSet} {
		text, err := json.Marshal(object)
		if err != nil || string(text) == "null" {
			continue
		}
		document, err := yamlx.ParseOne(string(text))
		if err != nil {
			return "", err
		}
		documents = append(documents, document)
	}
	text := ""
	for _, d := range documents {
		text += "---\n" + yamlx.Plain(d)
	}
	return text, nil
}
