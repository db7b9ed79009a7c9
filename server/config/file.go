package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// readTree takes over a document of the configuration file, in which keys may be nested or dotted.
func (l *loader) readTree(seen layer, tree map[string]any, file string) {
	l.readNode(seen, tree, nil, file)
}

func (l *loader) readNode(seen layer, node any, key []string, file string) {
	tree, ok := node.(map[string]any)
	if !ok || len(tree) == 0 && key != nil {
		if ok {
			node = nil
		}
		l.readKey(seen, key, node, display(key)+" in "+file)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		l.readNode(seen, tree[name], slices.Concat(key, splitKey(name)), file)
	}
}

// valueAt gives the value of a key in a tree; nil when it is not there.
func valueAt(node any, key []string) any {
	if len(key) == 0 {
		return node
	}
	tree, _ := node.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		segments := splitKey(name)
		if len(segments) > len(key) {
			continue
		}
		if _, same := match(key[:len(segments)], segments); same {
			if value := valueAt(tree[name], key[len(segments):]); value != nil {
				return value
			}
		}
	}
	return nil
}

// splitKey splits a dotted key; a segment in brackets keeps its dots, as in accounts.[my.account].hostname.
func splitKey(key string) []string {
	var segments []string
	for _, part := range segment.FindAllStringSubmatch(key, -1) {
		segments = append(segments, part[1]+part[2]) // one of them is empty
	}
	if segments == nil {
		return []string{key}
	}
	return segments
}

var segment = regexp.MustCompile(`\[([^\]]*)\]|([^.\[]+)`)

// readKey takes over one key of the file or of the flags. nil is as good as not there, but may name an account.
func (l *loader) readKey(seen layer, key []string, raw any, at string) {
	if s, path, index, ok := l.findItem(key); ok && raw != nil {
		l.setItem(seen, s, path, index, raw, at)
		return
	}
	s, path, known := l.find(key)
	switch {
	case known && raw != nil:
		l.set(seen, s, path, raw, at)
	case known || raw == nil && l.isGroup(key) || isProfileKey(key):
	case seen.shared || isSprings(key):
		l.ignored = append(l.ignored, display(key))
	default:
		l.problem("%s is no key of skiff (%s); did you mean %s?", display(key), at, l.nearest(key))
	}
}

// isSprings tells the keys of Spring Boot that stand in configurations of Skipper.
func isSprings(key []string) bool {
	roots := []string{"spring", "management", "logging", "maven", "info", "eureka", "security", "debug", "trace"}
	if slices.Contains(roots, relaxed(key[0])) {
		return true
	}
	return len(key) > 1 && relaxed(key[0]) == "server" && slices.Contains(springServer(), relaxed(key[1]))
}

// springServer lists what Spring Boot has below server and skiff has not.
func springServer() []string {
	return []string{
		"compression", "connectiontimeout", "contextpath", "error", "http2", "jetty",
		"maxhttpheadersize", "maxhttprequestheadersize", "netty", "reactive", "serverheader", "servlet", "shutdown", "ssl",
		"tomcat", "undertow", "useforwardheaders",
	}
}

// findItem gives the setting of a list that a key spells with the number of one item.
func (l *loader) findItem(key []string) (setting, []string, int, bool) {
	last := len(key) - 1
	index, err := strconv.Atoi(key[last])
	if err != nil || index < 0 {
		return setting{}, nil, 0, false
	}
	s, path, known := l.find(key[:last])
	return s, path, index, known && s.kind.Kind() == reflect.Slice
}

// find gives the setting that a key spells, and the path of its value.
func (l *loader) find(key []string) (setting, []string, bool) {
	for _, s := range l.settings {
		if names, ok := match(s.spelled, key); ok {
			return s, fill(s.path, names), true
		}
	}
	return setting{}, nil, false
}

// isGroup tells whether keys may stand below this one; when it is the name of an entry, the entry is there from now on.
func (l *loader) isGroup(key []string) bool {
	for _, s := range l.settings {
		below := len(s.spelled) - len(key)
		if below <= 0 {
			continue
		}
		if names, ok := match(s.spelled[:len(key)], key); ok {
			pattern := s.path[:max(0, len(s.path)-below)]
			l.declare(pattern, fill(pattern, names))
			return true
		}
	}
	return false
}

// match compares a key with a spelling and gives what stands for its wildcards.
func match(pattern, key []string) ([]string, bool) {
	if last := len(pattern) - 1; last >= 0 && pattern[last] == remainder && len(key) > len(pattern) {
		key = append(slices.Clone(key[:last]), strings.Join(key[last:], "."))
	}
	if len(pattern) != len(key) {
		return nil, false
	}
	var names []string
	for i, segment := range pattern {
		switch {
		case segment == wildcard || segment == remainder:
			names = append(names, key[i])
		case relaxed(segment) != relaxed(key[i]):
			return nil, false
		}
	}
	return names, true
}

// fill puts names in place of wildcards, from the left.
func fill(pattern, names []string) []string {
	path := slices.Clone(pattern)
	for i, segment := range path {
		if (segment == wildcard || segment == remainder) && len(names) > 0 {
			path[i], names = names[0], names[1:]
		}
	}
	return path
}

// nearest gives the known key that looks most like an unknown one.
func (l *loader) nearest(key []string) string {
	candidates := make([]string, 0, len(l.settings))
	for _, s := range l.settings {
		path := slices.Clone(s.spelled)
		for i, segment := range path {
			if segment == wildcard && i < len(key) {
				path[i] = key[i]
			}
		}
		candidates = append(candidates, display(path))
	}
	return closest(display(key), candidates)
}

// closest gives the candidate with the smallest edit distance, the first of several.
func closest(word string, candidates []string) string {
	return slices.MinFunc(candidates, func(a, b string) int {
		return distance(relaxed(word), relaxed(a)) - distance(relaxed(word), relaxed(b))
	})
}

// distance counts the bytes to insert, remove or replace to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost = 1 + min(previous, row[j], row[j+1])
			}
			previous, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
