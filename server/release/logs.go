package release

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// ReadLogs hands chosen lines of the newest version to emit, one at a time; with Follow until the context ends or nothing
// of its applications is left. A version that is deleted has none. CodeNotFound when the release is not known, or the
// instance not one of it.
func (s *Service) ReadLogs(ctx context.Context, name string, q skipper.LogQuery, emit func(skipper.LogLine) error) error {
	rel, err := s.get(ctx, name, 0)
	if err != nil {
		return fmt.Errorf("look for release %q: %w", name, err)
	}
	if rel.Info.Status.StatusCode == skipper.StatusDeleted {
		return nil
	}
	var mu sync.Mutex
	return s.platforms.ReadLogs(ctx, rel, q, func(l skipper.LogLine) error {
		mu.Lock()
		defer mu.Unlock()
		return emit(l)
	})
}

// LogsOf gives chosen lines by deployment id, in the form that Logs has: per instance "stderr:" and "stdout:" on lines of
// their own, each before its text. Of each text the last bytes are given, as many as Logs gives.
func (s *Service) LogsOf(ctx context.Context, name string, q skipper.LogQuery) (skipper.LogInfo, error) {
	q.Follow = false
	texts := map[string]*logText{}
	err := s.ReadLogs(ctx, name, q, func(l skipper.LogLine) error {
		t := texts[l.DeploymentID]
		if t == nil {
			t = &logText{limit: int(s.config.LogLimit)}
			texts[l.DeploymentID] = t
		}
		t.add(l)
		return nil
	})
	info := skipper.LogInfo{Logs: map[string]string{}}
	for id, t := range texts {
		info.Logs[id] = t.end()
	}
	return info, err
}

// logText frames the lines of one deployment; each stream of each instance keeps its last bytes.
type logText struct {
	limit   int
	out     strings.Builder
	section string
	lines   []string
	size    int
}

func (t *logText) add(l skipper.LogLine) {
	if section := l.Instance + " " + l.Stream; section != t.section || t.lines == nil {
		t.flush()
		t.section = section
		t.lines = []string{l.Stream + ":"}
	}
	t.lines = append(t.lines, l.Text)
	for t.size += len(l.Text) + 1; t.size > t.limit && len(t.lines) > 2; {
		t.size -= len(t.lines[1]) + 1
		t.lines = append(t.lines[:1], t.lines[2:]...)
	}
}

func (t *logText) flush() {
	for _, line := range t.lines {
		t.out.WriteString(line + "\n")
	}
	t.lines, t.size = nil, 0
}

func (t *logText) end() string {
	t.flush()
	return t.out.String()
}
