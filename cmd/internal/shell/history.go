package shell

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	historyLines = 1000
	historyBytes = 1 << 20 // of the file; beyond it only the lines that are remembered stay
	longestLine  = 8 << 10 // that is kept, in bytes
)

// history keeps the lines that were typed, in a file that only its owner reads. Values that look like secrets are not
// in it.
type history struct {
	path  string // empty: nothing is kept
	lines []string
}

// historyPath gives the file in the user's folder for state; empty when there is none.
func historyPath(env func(string) string) string {
	dir := env("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		if dir = env("HOME"); dir == "" {
			return ""
		}
		dir = filepath.Join(dir, ".local", "state")
	}
	return filepath.Join(dir, "skiff", "shell_history")
}

// openHistory reads what is kept. An error says that nothing can be kept; the history works all the same.
func openHistory(path string) (*history, error) {
	h := &history{}
	if path == "" {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return h, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return h, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return h, err
	case !info.Mode().IsRegular():
		return h, &fs.PathError{Op: "open", Path: path, Err: errors.New("it is no file")}
	case info.Mode().Perm()&0o077 != 0:
		if err := f.Chmod(0o600); err != nil {
			return h, err
		}
	}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, historyBytes)
	for scanner.Scan() {
		if line := scanner.Text(); utf8.ValidString(line) && strings.TrimSpace(line) != "" {
			h.remember(line)
		}
	}
	h.path = path
	if info.Size() > historyBytes {
		return h, h.rewrite()
	}
	return h, nil
}

func (h *history) remember(line string) {
	if len(line) > longestLine || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > historyLines {
		h.lines = h.lines[1:]
	}
}

// rewrite keeps only the lines that are remembered.
func (h *history) rewrite() error {
	temporary, err := os.CreateTemp(filepath.Dir(h.path), ".shell_history.*") // for its owner alone
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(strings.Join(h.lines, "\n") + "\n")
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temporary.Name(), h.path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name()) // why it could not be written matters more
	}
	return err
}

// add remembers a line and keeps it, without what looks like a secret, and gives it as it is kept. Shells that run at
// the same time each append theirs.
func (h *history) add(line string) (string, error) {
	line = withoutSecrets(line)
	h.remember(line)
	if h.path == "" || len(line) > longestLine {
		return line, nil
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return line, err
	}
	_, err = f.WriteString(line + "\n")
	if closed := f.Close(); err == nil {
		err = closed
	}
	return line, err
}

var (
	secretName = regexp.MustCompile(`(?i)(pass(word|wd|phrase)?|secret|token|credential|api[-_.]?key|private[-_.]?key|` +
		`access[-_.]?key|authorization)(s|value|hash)?[0-9]*$`)
	secretInURL     = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s"']+@`)
	secretInAddress = regexp.MustCompile(`^((?:--[a-zA-Z-]+=)?)[^/@\s"'=]+@`) // a URL without its scheme
)

const masked = "***"

// withoutSecrets writes *** for the values of a line whose names sound like a secret: of options, of properties, and in
// URLs. A line without any stays as it was written.
func withoutSecrets(line string) string {
	l := lex(line)
	unnamed, changed, out := unnamedSecrets(l.words), false, []string{}
	for i, w := range l.words {
		hidden := secretInURL.ReplaceAllString(withoutPairs(w.text), "${1}"+masked+"@")
		if choosesServer(l.words) {
			hidden = secretInAddress.ReplaceAllString(hidden, "${1}"+masked+"@")
		}
		if unnamed[i] || i > 0 && l.words[i-1].isOption() && secretName.MatchString(l.words[i-1].text) && !w.isOption() {
			hidden = masked
		}
		changed = changed || hidden != w.text
		if w.isOption() {
			out = append(out, hidden)
		} else {
			out = append(out, quoted(hidden))
		}
	}
	if !changed {
		return line
	}
	return strings.Join(out, " ")
}

// choosesServer tells whether a line has the address of a server.
func choosesServer(words []word) bool {
	return begins(words, "skipper", "config") || begins(words, "context", "add")
}

func begins(words []word, noun, verb string) bool {
	return len(words) > 1 && words[0].text == noun && words[1].text == verb
}

// unnamedSecrets gives the places of the words of `skipper config URL USER PASSWORD` behind URL and USER.
func unnamedSecrets(words []word) map[int]bool {
	found := map[int]bool{}
	if !begins(words, "skipper", "config") {
		return found
	}
	known, option := 2, ""
	for i, w := range words[2:] {
		name, _, whole := strings.Cut(w.text, "=")
		isTruth := w.text == "true" || w.text == "false"
		switch {
		case w.isOption():
			if name == "--uri" || name == "--username" {
				known--
			}
			if option = strings.ReplaceAll(strings.ToLower(name), "-", ""); whole {
				option = ""
			}
			continue
		case option != "" && (option != "skipsslvalidation" || isTruth): // its value
		case known > 0:
			known--
		default:
			found[i+2] = true
		}
		option = ""
	}
	return found
}

// withoutPairs hides the values of secrets in key=value,key=value.
func withoutPairs(text string) string {
	parts := strings.Split(text, ",")
	hiding := false
	for i, part := range parts {
		key, _, ok := strings.Cut(part, "=")
		switch {
		case ok && secretName.MatchString(strings.TrimSpace(key)):
			parts[i], hiding = key+"="+masked, true
		case ok:
			hiding = false
		case hiding: // it belongs to the value before it
			parts[i] = masked
		}
	}
	return strings.Join(parts, ",")
}
