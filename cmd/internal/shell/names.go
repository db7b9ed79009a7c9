package shell

import (
	"fmt"
	"time"
)

// namesFresh is how long names that the server gave are taken for those it would give.
const namesFresh = 10 * time.Second

// names remembers shortly what the server knows for a Tab. No answer is remembered too: a second Tab does not wait again.
type names struct {
	clock func() time.Time
	seen  map[string]answer
}

type answer struct {
	names []string
	files bool // it is the path of a file, instead
	at    time.Time
}

func newNames(clock func() time.Time) *names { return &names{clock, map[string]answer{}} }

// forget makes the next question go to the server: a command may have changed what there is.
func (n *names) forget() { clear(n.seen) }

// of gives what may stand at a place of a line with these options and values.
func (n *names) of(place string, given map[string]string, unnamed []string, ask func() ([]string, bool)) answer {
	key := fmt.Sprint(place, given, unnamed)
	known, ok := n.seen[key]
	if !ok || n.clock().Sub(known.at) >= namesFresh {
		known = answer{at: n.clock()}
		known.names, known.files = ask()
		n.seen[key] = known
	}
	return known
}
