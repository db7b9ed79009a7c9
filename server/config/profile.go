package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// jsonVariable holds settings in Spring's spelling as one JSON object.
const jsonVariable = "SPRING_APPLICATION_JSON"

// active leaves out the documents of a file that are for profiles other than the active ones: local and default, and
// those that the environment or the file names.
func (l *loader) active(trees []map[string]any, file string) []map[string]any {
	profiles := append([]string{"local", "default"}, names(l.environ["SPRING_PROFILES_ACTIVE"])...)
	for _, tree := range trees {
		if len(condition(tree)) == 0 {
			profiles = append(profiles, names(valueAt(tree, []string{"spring", "profiles", "active"}))...)
		}
	}
	return slices.DeleteFunc(trees, func(tree map[string]any) bool {
		wanted := condition(tree)
		if len(wanted) == 0 || slices.ContainsFunc(wanted, func(e string) bool { return holds(e, profiles) }) {
			return false
		}
		l.ignored = append(l.ignored, "what "+file+" says for the profile "+strings.Join(wanted, ", "))
		return true
	})
}

// condition gives the profiles that a document is for, of which one is enough; none: it is for all.
func condition(tree map[string]any) []string {
	activate := []string{"spring", "config", "activate"}
	if platform := names(valueAt(tree, append(activate, "on-cloud-platform"))); len(platform) > 0 {
		return platform
	}
	if profiles := names(valueAt(tree, append(activate, "on-profile"))); len(profiles) > 0 {
		return profiles
	}
	return names(valueAt(tree, []string{"spring", "profiles"}))
}

// names reads a list, or text with commas; none when it is neither.
func names(raw any) []string {
	if raw == nil {
		return nil
	}
	all, err := list(raw)
	if err != nil {
		return nil
	}
	return all
}

// holds evaluates names of profiles with ! & and |; what has parentheses is not understood and does not hold.
func holds(expression string, profiles []string) bool {
	if strings.ContainsAny(expression, "()") {
		return false
	}
	for alternative := range strings.SplitSeq(expression, "|") {
		all := true
		for term := range strings.SplitSeq(alternative, "&") {
			name, negated := strings.CutPrefix(strings.TrimSpace(term), "!")
			all = all && slices.Contains(profiles, strings.TrimSpace(name)) != negated
		}
		if all {
			return true
		}
	}
	return false
}

// isProfileKey tells the keys by which documents are chosen; they are no settings.
func isProfileKey(key []string) bool {
	for _, known := range [][]string{
		{"spring", "profiles"},
		{"spring", "profiles", "active"},
		{"spring", "config", "activate", "on-profile"},
		{"spring", "config", "activate", "on-cloud-platform"},
	} {
		if _, ok := match(known, key); ok {
			return true
		}
	}
	return false
}

// applicationJSON reads the variable that holds settings as JSON.
func (l *loader) applicationJSON() map[string]any {
	text, given := l.environ[jsonVariable]
	if !given {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil || decoder.More() { // the error would show what may be a secret
		l.problem("%s must be one JSON object of settings", jsonVariable)
		return nil
	}
	return tree
}
