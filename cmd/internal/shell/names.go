package shell

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	namesPatience = time.Second      // the server may take so long to answer a Tab
	namesFresh    = 10 * time.Second // then it is asked again
)

// names asks the server for what can be completed, and remembers it shortly.
type names struct {
	s    *session
	seen map[string]answer
}

type answer struct {
	names []string
	at    time.Time
}

func newNames(s *session) *names { return &names{s: s, seen: map[string]answer{}} }

// forget makes the next question go to the server: a command may have changed what there is.
func (n *names) forget() { clear(n.seen) }

// of gives the values that an option may have, as far as the server answers in time. given are the other options of
// the line.
func (n *names) of(ctx context.Context, option string, given map[string]string) []string {
	switch option {
	case "release-name":
		return n.ask(ctx, "name", "release", "list")
	case "package-name", "name":
		return n.ask(ctx, "name", "package", "list")
	case "package-version":
		return n.ask(ctx, "version", "package", "list", "--name="+given["package-name"])
	case "release-version":
		if given["release-name"] == "" {
			return nil
		}
		return n.ask(ctx, "version", "release", "history", "--release-name="+given["release-name"])
	case "platform-name":
		return n.ask(ctx, "name", "platform", "list")
	case "repo-name":
		return n.ask(ctx, "name", "repo", "list")
	}
	return nil
}

// ask runs a command and gives one field of each thing that it lists.
func (n *names) ask(ctx context.Context, field string, command ...string) []string {
	key := strings.Join(append(command, field), "\x00")
	if known, ok := n.seen[key]; ok && n.s.deps.Clock().Sub(known.at) < namesFresh {
		return known.names
	}
	ctx, cancel := context.WithTimeout(ctx, namesPatience)
	defer cancel()
	out := []string{}
	text, err := n.s.capture(ctx, append(command, "--output=json")...)
	if err == nil {
		out = fields(text, field)
	}
	n.seen[key] = answer{out, n.s.deps.Clock()} // no answer is remembered too: a second Tab does not wait again
	return out
}

// fields gives one field of each object of a list in JSON, each value once.
func fields(text, field string) []string {
	var all []map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil
	}
	out := []string{}
	for _, object := range all {
		value := strings.Trim(string(object[field]), `"`)
		if value != "" && !slices.Contains(out, value) {
			out = append(out, value)
		}
	}
	return out
}
