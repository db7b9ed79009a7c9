package deployer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

const (
	// JSONVariable is the environment variable that holds all properties of an application.
	JSONVariable = "SPRING_APPLICATION_JSON"
	// PortProperty is the application property of the port that an application listens on.
	PortProperty = "server.port"
	// maxVariable is what Linux takes as one environment variable, less room for its name.
	maxVariable = 128<<10 - 64
)

// Environment is what one instance of an application is told by environment variables, as the reference tells it.
type Environment struct {
	ID, Group  string // of the deployment
	Index      int
	Properties map[string]string // of the application
	Port       int               // where it is to listen; below 1: not known to us
	JSON       bool              // all properties in JSONVariable; else a variable for each, under its raw name
	// AdminUser and AdminPassword are for its management endpoints; both or neither.
	AdminUser, AdminPassword string
}

// GUID is the id of the instance, as its attribute guid has it.
func (e Environment) GUID() string { return InstanceID(e.ID, e.Index) }

// InstanceID is the id of an instance of a deployment, where the platform has none of its own.
func InstanceID(id string, index int) string { return fmt.Sprintf("%s-%d", id, index) }

// Variables are those of the instance, by name. ErrInvalid when an application property named JSONVariable is no JSON
// object: its entries go under the other properties.
func (e Environment) Variables() (map[string]string, error) {
	variables := e.upperCase()
	if !e.JSON {
		maps.Copy(variables, e.Properties)
		maps.Copy(variables, e.generated())
		return variables, nil
	}
	text, err := e.asJSON()
	if err != nil {
		return nil, err
	}
	variables[JSONVariable] = text
	return variables, nil
}

// generated are the properties that every instance gets beside its own.
func (e Environment) generated() map[string]string {
	properties := map[string]string{
		"spring.jmx.default-domain":  e.ID,
		"endpoints.shutdown.enabled": "true",
		"endpoints.jmx.unique-names": "true",
	}
	if own, ok := e.Properties["endpoints.shutdown.enabled"]; ok {
		properties["endpoints.shutdown.enabled"] = own
	}
	if e.Group != "" {
		properties["spring.cloud.application.group"] = e.Group
	}
	if _, fixed := e.Properties[PortProperty]; !fixed {
		properties[PortProperty] = strconv.Itoa(e.Port)
	}
	if e.AdminUser != "" && e.AdminPassword != "" {
		properties["spring.cloud.streamapp.security.admin-user"] = e.AdminUser
		properties["spring.cloud.streamapp.security.admin-password"] = e.AdminPassword
	}
	return properties
}

// upperCase are variables for programs that do not read JSONVariable; Spring Boot knows them as well.
func (e Environment) upperCase() map[string]string {
	index := strconv.Itoa(e.Index)
	variables := map[string]string{
		"INSTANCE_INDEX": index, "SPRING_APPLICATION_INDEX": index, "SPRING_CLOUD_APPLICATION_GUID": e.GUID(),
	}
	if e.Port > 0 {
		variables["SERVER_PORT"] = strconv.Itoa(e.Port)
		variables["PORT"] = variables["SERVER_PORT"]
	}
	return variables
}

// asJSON is one flat object of all properties.
func (e Environment) asJSON() (string, error) {
	object := map[string]any{}
	if own := e.Properties[JSONVariable]; own != "" {
		if err := json.Unmarshal([]byte(own), &object); err != nil {
			return "", Errorf(ErrInvalid, "%s must be a JSON object: %w", JSONVariable, err)
		}
		if object == nil { // it was null
			object = map[string]any{}
		}
	}
	for name, value := range e.Properties {
		if name != JSONVariable {
			object[name] = value
		}
	}
	for name, value := range e.generated() {
		object[name] = value
	}
	index := strconv.Itoa(e.Index)
	for _, name := range []string{"instance.index", "spring.application.index", "spring.cloud.stream.instanceIndex"} {
		object[name] = index
	}
	object["spring.cloud.application.guid"] = e.GUID()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // simple programs look for plain text in it
	if err := encoder.Encode(object); err != nil {
		return "", fmt.Errorf("encode the application properties: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}

// FixedPort is the port the application properties ask for; below 1 the application lets the system choose.
func FixedPort(properties map[string]string) (port int, fixed bool, err error) {
	text, fixed := properties[PortProperty]
	if !fixed {
		return 0, false, nil
	}
	if port, err = strconv.Atoi(text); err != nil || port > 65535 {
		return 0, true, fmt.Errorf("%s is %q; a port number is due", PortProperty, text)
	}
	return port, true, nil
}

// CheckProperties says whether application properties can be passed on by environment variables.
func CheckProperties(properties map[string]string) error {
	if own := properties[JSONVariable]; own != "" {
		var object map[string]any
		if err := json.Unmarshal([]byte(own), &object); err != nil {
			return fmt.Errorf("%s must be a JSON object: %w", JSONVariable, err)
		}
	}
	size := 0
	for name, value := range properties {
		size += len(name) + len(value)
	}
	if size > maxVariable {
		return fmt.Errorf("the application properties have %d bytes; at most %d can be passed on", size, maxVariable)
	}
	return nil
}

// Matches says whether an owner is one that a filter asks for; zero fields of the filter match anything but that of the
// installation, which must be the same.
func (o Owner) Matches(filter Owner) bool {
	return filter.Installation == o.Installation &&
		(filter.Account == "" || filter.Account == o.Account) &&
		(filter.Release == "" || filter.Release == o.Release) &&
		(filter.Version == 0 || filter.Version == o.Version) &&
		(filter.App == "" || filter.App == o.App)
}
