package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const prefix = "SKIFF_"

// variables makes a map of os.Environ; empty variables are as good as not set.
func variables(environ []string) map[string]string {
	all := map[string]string{}
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); value != "" {
			all[name] = value
		}
	}
	return all
}

// readEnviron takes over the variables in Spring's spelling, or those that begin with SKIFF_.
func (l *loader) readEnviron(spring bool) {
	patterns := l.variablePatterns(spring)
	seen := newLayer()
	for _, name := range slices.Sorted(maps.Keys(l.environ)) {
		if strings.HasPrefix(name, prefix) == spring || l.foreign(name) {
			continue
		}
		s, path, known := l.findVariable(patterns, name)
		list, listPath, index, isItem := l.findVariableItem(patterns, name)
		switch {
		case known:
			l.set(seen, s, path, l.environ[name], name)
		case isItem:
			l.setItem(seen, list, listPath, index, l.environ[name], name)
		case !spring:
			l.problem("%s is no variable of skiff; did you mean %s?", name, l.nearestVariable(name))
		case l.isDotted(name):
			l.readKey(seen, splitKey(name), l.environ[name], name)
		case springVariable.MatchString(name) && !isProfileKey(strings.Split(strings.ToLower(name), "_")):
			l.ignored = append(l.ignored, name)
		}
	}
}

// isDotted tells a variable whose name is a key of Spring, as Docker and Kubernetes let one write it.
func (l *loader) isDotted(name string) bool {
	if !strings.Contains(name, ".") {
		return false
	}
	key := splitKey(name)
	_, _, known := l.find(key)
	return isSprings(key) || known && key[0] == "server"
}

// foreign tells variables that are no configuration: those of the command line and of tests, the owner mark that
// applications get, and what Kubernetes says about a service that happens to be named skiff or server.
func (l *loader) foreign(name string) bool {
	if name == "SKIFF_OWNER" || name == jsonVariable || strings.HasPrefix(name, "SKIFF_TEST_") || commandLine.MatchString(name) {
		return true
	}
	_, kubernetes := l.environ["KUBERNETES_SERVICE_HOST"]
	return kubernetes && (serviceVariable.MatchString(name) || serviceURL.MatchString(l.environ[name]))
}

var (
	commandLine     = regexp.MustCompile(`^SKIFF_(URL|CONTEXTS?|USERNAME|PASSWORD|TOKEN|CREDENTIALS_PROVIDER_COMMAND|CA_CERT|CLIENT_(CERT|KEY)|SKIP_SSL_VALIDATION)$`)
	serviceVariable = regexp.MustCompile(`_SERVICE_(HOST|PORT(_.*)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_.*)?$`)
	serviceURL      = regexp.MustCompile(`^(tcp|udp|sctp)://`)
	springVariable  = regexp.MustCompile(`^(SPRING_|MANAGEMENT_|LOGGING_|EUREKA_|` +
		`MAVEN_(LOCAL|REMOTE|OFFLINE|PROXY|(CONNECT|REQUEST)_?TIMEOUT|CHECKSUM|UPDATE|RESOLVE)|` + // MAVEN_HOME is not
		`SERVER_(COMPRESSION|ERROR|HTTP2|MAX_?HTTP|SERVLET|SHUTDOWN|SSL|TOMCAT|USE_?FORWARD)(_|$))`)
	itemVariable = regexp.MustCompile(`^(.+)_(\d{1,4})_?$`)
)

// variablePattern is a setting with the expression that its environment variable matches.
type variablePattern struct {
	setting

	expression *regexp.Regexp
}

// variablePatterns writes the spellings as variables: dots are underscores, dashes are underscores or nothing.
func (l *loader) variablePatterns(spring bool) []variablePattern {
	var all []variablePattern
	for _, s := range l.settings {
		if s.spring == spring {
			expression := variable(s, "_?", `(\[[^\]]+\]|.+?)`)
			all = append(all, variablePattern{s, regexp.MustCompile("^" + expression + "$")})
		}
	}
	return all
}

// variable writes a spelling as a variable, with the given text for a dash and for a name.
func variable(s setting, dash, name string) string {
	segments := make([]string, len(s.spelled))
	for i, segment := range s.spelled {
		segments[i] = strings.ReplaceAll(strings.ToUpper(segment), "-", dash)
		switch segment {
		case wildcard:
			segments[i] = name
		case remainder:
			segments[i] = "(.+)"
		}
	}
	if s.spring {
		return strings.Join(segments, "_")
	}
	return prefix + strings.Join(segments, "_")
}

// findVariable gives the setting that a variable stands for, and the path of its value.
func (l *loader) findVariable(patterns []variablePattern, name string) (setting, []string, bool) {
	name = strings.ReplaceAll(strings.ReplaceAll(name, "_[", "["), "[", "_[") // ACCOUNTS[name]_X is Spring's way
	for _, p := range patterns {
		groups := p.expression.FindStringSubmatch(name)
		if groups == nil {
			continue
		}
		if path, ok := l.fillFromVariable(p.path, groups[1:]); ok {
			return p.setting, path, true
		}
	}
	return setting{}, nil, false
}

// findVariableItem gives the setting of a list that a variable stands for with the number of one item.
func (l *loader) findVariableItem(patterns []variablePattern, name string) (setting, []string, int, bool) {
	parts := itemVariable.FindStringSubmatch(name)
	if parts == nil {
		return setting{}, nil, 0, false
	}
	index, err := strconv.Atoi(parts[2])
	s, path, known := l.findVariable(patterns, parts[1])
	return s, path, index, err == nil && known && s.kind.Kind() == reflect.Slice
}

// fillFromVariable puts names for wildcards: an entry known from elsewhere in its own spelling; a new one, which has no
// underscore, in lower case; what stands in brackets as it is.
func (l *loader) fillFromVariable(pattern, texts []string) ([]string, bool) {
	path := slices.Clone(pattern)
	if last := len(path) - 1; path[last] == remainder && len(texts) == 2 {
		texts = l.partName(strings.Join(path[:last-1], delimiter), texts)
		path[last] = strings.ToLower(texts[1]) // its owner knows where the dots were
	}
	for i, segment := range path {
		if segment != wildcard {
			continue
		}
		text := texts[0]
		texts = texts[1:]
		known := l.names[strings.Join(path[:i], delimiter)]
		same := slices.IndexFunc(known, func(name string) bool { return relaxed(name) == relaxed(text) })
		switch {
		case strings.HasPrefix(text, "["):
			path[i] = strings.Trim(text, "[]")
		case same >= 0:
			path[i] = known[same]
		case strings.Contains(text, "_"):
			return nil, false
		default:
			path[i] = strings.ToLower(text)
		}
	}
	return path, true
}

// partName parts a name from what follows it, where the name is known and has underscores as a variable.
func (l *loader) partName(parent string, texts []string) []string {
	whole := texts[0] + "_" + texts[1]
	for _, name := range l.names[parent] {
		as := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)) + "_"
		if rest, ok := strings.CutPrefix(whole, as); ok && rest != "" {
			return []string{name, rest}
		}
	}
	return texts
}

func (l *loader) nearestVariable(name string) string {
	var candidates []string
	for _, s := range l.settings {
		if !s.spring {
			candidates = append(candidates, strings.Replace(variable(s, "_", "<NAME>"), "(.+)", "<PROPERTY>", 1))
		}
	}
	return closest(name, candidates)
}
