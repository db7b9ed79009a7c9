package config

import (
	"fmt"
	"slices"
	"strings"
)

// maxPlaceholders bounds how deep the default of a placeholder may hold placeholders.
const maxPlaceholders = 8

// resolve replaces the placeholders in a text, or in the texts of a list.
func (l *loader) resolve(raw any) (any, error) {
	switch v := raw.(type) {
	case string:
		return l.replace(v, maxPlaceholders)
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			var err error
			if items[i], err = l.resolve(item); err != nil {
				return nil, err
			}
		}
		return items, nil
	default:
		return raw, nil
	}
}

// replace puts values for ${NAME} and ${NAME:default}. What is not closed stays as it is.
func (l *loader) replace(text string, depth int) (string, error) {
	var b strings.Builder
	for {
		before, after, _ := strings.Cut(text, "${")
		end := closing(after)
		if end < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		value, err := l.lookup(after[:end], depth)
		if err != nil {
			return "", err
		}
		b.WriteString(before)
		b.WriteString(value)
		text = after[end+1:]
	}
}

// closing finds the brace that closes a placeholder whose opening was cut off; -1 without one.
func closing(text string) int {
	open := 1
	for i := range len(text) {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			open++
		case text[i] == '}':
			open--
		}
		if open == 0 {
			return i
		}
	}
	return -1
}

func (l *loader) lookup(placeholder string, depth int) (string, error) {
	name, fallback, hasFallback := strings.Cut(placeholder, ":")
	asVariable := strings.ToUpper(strings.NewReplacer(".", "_", "-", "").Replace(name))
	for _, known := range []string{name, asVariable} {
		if value, ok := l.environ[known]; ok {
			return value, nil
		}
	}
	value, found := l.inTrees(name)
	switch {
	case found && depth > 0:
		return l.replace(value, depth-1)
	case name == "spring.cloud.client.hostname":
		return l.host, nil
	case !hasFallback && !found:
		return "", fmt.Errorf("asks for ${%s}, which is not set: set it, or write ${%s:default}", name, name)
	case depth == 0:
		return "", fmt.Errorf("has placeholders within placeholders, more than %d deep", maxPlaceholders)
	default:
		return l.replace(fallback, depth-1)
	}
}

// inTrees gives the value of another key, as it is written.
func (l *loader) inTrees(name string) (string, bool) {
	for _, tree := range slices.Backward(l.trees) {
		if value := valueAt(tree, splitKey(name)); value != nil {
			text, err := scalar(value)
			return text, err == nil
		}
	}
	return "", false
}
