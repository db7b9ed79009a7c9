package edgegap

import (
	_ "embed" // for the table
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// prefix is what the deployment properties of this platform begin with.
const prefix = deployer.PropertyPrefix + "edgegap."

// Keys of deployment properties, without prefix.
const (
	envPrefix       = "env."
	secretEnvPrefix = "secret-env."
)

//go:embed options.txt
var optionTable string

// Options lists the deployment properties in the order of their table.
func (d *Deployer) Options() []skipper.Option { return deployer.ParseOptions(prefix, optionTable) }

// keys are the names in the table, by their relaxed spelling.
func keys() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(optionTable) {
		name, _, _ := strings.Cut(line, " | ")
		out[relaxed(name)] = name
	}
	return out
}

// relaxed is what Spring compares of a name: cpu-units and cpuUnits are the same.
func relaxed(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

var indexedUsers = regexp.MustCompile(`^users\[\d{1,4}\]\.(ipaddresses|geocoordinates)$`)

// canonical gives properties under the names of the table, and one error for each key that is not in it.
func canonical(properties map[string]string) (map[string]string, []error) {
	known, out := keys(), map[string]string{}
	var wrong []error
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		name, value := known[relaxed(key)], strings.TrimSpace(properties[key])
		switch lower := strings.ToLower(key); {
		case strings.HasPrefix(lower, envPrefix):
			name, value = envPrefix+key[len(envPrefix):], properties[key]
		case strings.HasPrefix(lower, secretEnvPrefix), strings.HasPrefix(lower, "secretenv."):
			_, rest, _ := strings.Cut(key, ".")
			name, value = secretEnvPrefix+rest, properties[key]
		case indexedUsers.MatchString(relaxed(key)):
			name = strings.NewReplacer("ipaddresses", "ip-addresses", "geocoordinates", "geo-coordinates").Replace(relaxed(key))
		case strings.HasPrefix(lower, "registry."):
			wrong = append(wrong, fmt.Errorf("%s%s is set for the account (registry), not for an application", prefix, key))
			continue
		}
		if name == "" || name == "env" || name == "secret-env" {
			wrong = append(wrong, fmt.Errorf("%s%s is not known; did you mean %s%s?", prefix, key, prefix, deployer.Nearest(key, slices.Sorted(maps.Values(known)))))
			continue
		}
		if _, twice := out[name]; twice {
			wrong = append(wrong, fmt.Errorf("%s%s is given twice, in two spellings; remove one", prefix, name))
			continue
		}
		out[name] = value
	}
	return out, wrong
}
