package edgegap

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

const (
	jsonVariable  = "SPRING_APPLICATION_JSON"
	indexVariable = "INSTANCE_INDEX"
)

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	notVariable  = regexp.MustCompile(`[^A-Za-z0-9]`)
)

// environment gathers the variables of the container: application properties, then those of the deployment properties.
func (r *reader) environment(s *spec, req deployer.Request) {
	seen := map[string]string{} // where a variable came from
	add := func(name, value, from string, hidden bool) {
		r.must(variableName.MatchString(name), "%s makes %q, which is not the name of a variable", from, name)
		r.must(!strings.HasPrefix(name, "ARBITRIUM_"), "%s makes %s, which Edgegap sets itself; choose another name", from, name)
		r.must(len(value) <= edgegap.MaxValueLength, "%s has %d bytes; a variable holds at most %d", from, len(value),
			edgegap.MaxValueLength)
		other, twice := seen[name]
		r.must(!twice, "%s and %s make the same variable %s; rename one", other, from, name)
		seen[name] = from
		s.variables = append(s.variables, edgegap.Variable{Key: name, Value: value, Hidden: hidden})
	}
	if r.choice("properties-as", "env", "env", "json") == "json" {
		if text, ok := asJSON(req.Properties); ok {
			add(jsonVariable, text, "the application properties as JSON", false)
		}
	} else {
		for _, name := range slices.Sorted(maps.Keys(req.Properties)) {
			add(asVariable(name), req.Properties[name], "application property "+strconv.Quote(name), false)
		}
	}
	if req.Indexed {
		seen[indexVariable] = deployer.IndexedKey
	}
	for kind, hidden := range map[string]bool{envPrefix: false, secretEnvPrefix: true} {
		merged := map[string]string{}
		for _, properties := range []map[string]string{r.defaults, r.own} {
			for key, value := range properties {
				if name, ok := strings.CutPrefix(key, kind); ok {
					merged[name] = value
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(merged)) {
			add(name, merged[name], prefix+kind+name, hidden)
		}
	}
	slices.SortFunc(s.variables, func(a, b edgegap.Variable) int { return strings.Compare(a.Key, b.Key) })
}

// asVariable is the name of a property as one of a variable: MY_KEY for my.key.
func asVariable(name string) string {
	name = strings.ToUpper(notVariable.ReplaceAllString(name, "_"))
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

func asJSON(properties map[string]string) (string, bool) {
	if len(properties) == 0 {
		return "", false
	}
	text, err := json.Marshal(properties)
	return string(text), err == nil // a map of texts always marshals
}

// variablesOf are those of one instance.
func (s spec) variablesOf(r deployer.Request, index int) []edgegap.Variable {
	if !r.Indexed {
		return s.variables
	}
	return append(slices.Clone(s.variables), edgegap.Variable{Key: indexVariable, Value: strconv.Itoa(index)})
}
