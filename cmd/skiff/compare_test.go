package main_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// walking collects the differences of two folded values.
type walking struct {
	loose    []string // paths that are not compared
	anyOrder bool     // the order of members is not compared
	found    []string
}

func (w *walking) differ(path, format string, args ...any) {
	w.found = append(w.found, path+": "+fmt.Sprintf(format, args...))
}

func (w *walking) walk(a, b any, path string) {
	if slices.Contains(w.loose, path) {
		return
	}
	switch a := a.(type) {
	case object:
		if b, ok := b.(object); ok {
			w.objects(a, b, path)
			return
		}
	case []any:
		if b, ok := b.([]any); ok {
			w.lists(a, b, path)
			return
		}
	}
	if show(a) != show(b) {
		w.differ(path, "recorded %.160s, found %.160s", show(a), show(b))
	}
}

func last(path string) string { return path[strings.LastIndex(path, "/")+1:] }

func (w *walking) objects(a, b object, path string) {
	for _, k := range a.keys {
		if _, ok := b.values[k]; !ok {
			w.differ(path+"/"+k, "missing (recorded %.120s)", show(a.values[k]))
			continue
		}
		w.walk(a.values[k], b.values[k], path+"/"+k)
	}
	if !slices.Contains([]string{"_links", "attributes", "versionInfo"}, last(path)) { // these may hold more
		for _, k := range b.keys {
			if _, ok := a.values[k]; !ok && k != "_links" {
				w.differ(path+"/"+k, "extra (%.120s)", show(b.values[k]))
			}
		}
	}
	x, y := common(a.keys, b), common(b.keys, a)
	if !w.anyOrder && len(x) == len(y) && !slices.Equal(x, y) && !slices.ContainsFunc(x, isDeployment) {
		w.differ(path, "recorded in the order %v, found %v", x, y)
	}
}

// isDeployment knows the id of a deployment. What the reference keeps by deployment is in no order.
func isDeployment(key string) bool { return regexp.MustCompile(`^.+\..+-v\d+$`).MatchString(key) }

// common gives the keys that the other object has too.
func common(keys []string, other object) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		_, ok := other.values[k]
		return !ok
	})
}

func (w *walking) lists(a, b []any, path string) {
	if last(path) == "options" {
		b = options(a, b)
	}
	if len(a) != len(b) {
		w.differ(path, "%d items recorded, %d found", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		w.walk(a[i], b[i], fmt.Sprintf("%s/%d", path, i))
	}
}

// options leaves out what was not recorded: a deployer may have further options in between.
func options(a, b []any) []any {
	recorded := map[string]bool{}
	for _, x := range a {
		recorded[show(member(x, "id"))] = true
	}
	return slices.DeleteFunc(slices.Clone(b), func(x any) bool { return !recorded[show(member(x, "id"))] })
}

// answer is what a server answered, or what was recorded.
type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Text    string            `json:"text"`
}

func (a answer) body() any {
	v, err := decode(a.Body)
	if err != nil {
		return nil
	}
	return v
}

const generic = "Error waiting to get Release from a statemachine"

// errorDifferences holds the rules for recorded errors that skiff may better; false when the plain comparison applies.
func errorDifferences(recorded, got answer) (found []string, applies bool) {
	was, is := recorded.body(), got.body()
	message, _ := member(was, "message").(string)
	exception, now := member(was, "exception"), text(member(is, "message"))
	differ := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	switch {
	case recorded.Status == 500: // a caller's mistake is no error of the server
		if got.Status < 400 || got.Status >= 500 {
			differ("status: a 4xx is due for %.80q, found %d", message, got.Status)
		}
		own := strings.HasPrefix(message, "Package is expected") || strings.HasPrefix(message, "app ")
		if exception == "java.lang.IllegalArgumentException" && now != message && !own {
			differ("message: recorded %q, found %q", message, now)
		}
		if got.Status != 405 && (now == "" || strings.Contains(now, "NullPointer")) {
			differ("message: a sentence is due, found %q", now)
		}
	case message == generic: // the reference hides the reason
		if got.Status != recorded.Status || member(is, "exception") != exception {
			differ("recorded %d %v, found %d %v", recorded.Status, exception, got.Status, member(is, "exception"))
		}
		if now == "" || now == generic {
			differ("message: the real reason is due, found %q", now)
		}
	case strings.HasPrefix(message, "JSON parse error"), strings.HasPrefix(message, "Required request body is missing"):
		begin, _, _ := strings.Cut(message, ":")
		if got.Status != 400 || !strings.HasPrefix(now, begin) {
			differ("recorded 400 %.60q, found %d %.60q", message, got.Status, now)
		}
	default:
		return nil, false
	}
	return append(found, envelopeDifferences(recorded, got)...), true
}

// envelopeDifferences compares what surrounds the words of an error.
func envelopeDifferences(recorded, got answer) []string {
	was, is := recorded.body(), got.body()
	if member(was, "timestamp") == nil || len(got.Body) == 0 {
		return nil // an error of Spring Data REST
	}
	w := walking{}
	for _, k := range []string{"timestamp", "path"} {
		f := newFolding()
		w.walk(f.fold(member(was, k), k), f.fold(member(is, k), k), "/body/"+k)
	}
	if status := show(member(is, "status")); status != strconv.Itoa(got.Status) {
		w.differ("/body/status", "%s in an answer with status %d", status, got.Status)
	}
	if a, b := recorded.Headers["Content-Type"], got.Headers["Content-Type"]; a != b {
		w.differ("header Content-Type", "recorded %q, found %q", a, b)
	}
	return w.found
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// differences compares an answer with a recorded one.
func differences(recorded, got answer, d deviation) []string {
	if recorded.Status >= 400 {
		if _, ok := recorded.body().(object); ok {
			if found, applies := errorDifferences(recorded, got); applies {
				return found
			}
		}
	}
	w, f := walking{loose: d.Loose}, newFolding()
	w.walk(recorded.Status, got.Status, "/status")
	w.walk(f.fold(recorded.body(), ""), f.fold(got.body(), ""), "/body")
	w.walk(f.fold(recorded.Text, ""), f.fold(got.Text, ""), "/text")
	for _, h := range comparedHeaders() {
		was := recorded.Headers[h]
		if h == "Vary" && was != "" { // only the last of three lines was recorded
			was = "Origin | Access-Control-Request-Method | " + was
		}
		w.walk(f.header(h, was), f.header(h, got.Headers[h]), "header "+h)
	}
	return w.found
}

// comparedHeaders are all that were recorded, and some that must not appear where they were not.
func comparedHeaders() []string {
	return []string{
		"Content-Type", "Location", "Etag", "Allow", "Link", "Vary",
		"Accept-Patch", "Retry-After", "Www-Authenticate", "Last-Modified",
	}
}

func (f folding) header(name, value string) any {
	if name == "Allow" { // the reference has no order of its own
		methods := strings.Split(strings.ReplaceAll(value, " ", ""), ",")
		slices.Sort(methods)
		return strings.Join(methods, ",")
	}
	return f.text(value, "")
}
