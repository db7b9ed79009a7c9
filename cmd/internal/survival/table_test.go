package survival

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// row sums the results of one failpoint.
type row struct {
	platform, kind, point            string
	runs, kills, stuck, lost, leaked int
	takenOn, over                    time.Duration
}

func (r *row) add(x result) {
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	r.runs++
	count(&r.kills, x.killed)
	count(&r.stuck, x.stuck != "")
	count(&r.lost, x.lost != "")
	count(&r.leaked, x.leaked != "")
	r.takenOn, r.over = max(r.takenOn, x.takenOn), max(r.over, x.over)
}

// table is Markdown: a sentence with the totals, then a line for each failpoint.
func (r *results) table(took time.Duration) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows, total := map[string]*row{}, row{}
	for _, x := range r.all {
		key := x.platform + x.kind + x.point
		if rows[key] == nil {
			rows[key] = &row{platform: x.platform, kind: x.kind, point: x.point}
		}
		rows[key].add(x)
		total.add(x)
	}
	sorted := make([]*row, 0, len(rows))
	for _, one := range rows {
		sorted = append(sorted, one)
	}
	slices.SortFunc(sorted, func(a, b *row) int {
		return cmp.Or(strings.Compare(a.platform, b.platform), strings.Compare(a.kind, b.kind), strings.Compare(a.point, b.point))
	})
	var out strings.Builder
	fmt.Fprintf(&out, "%d failpoints, %d runs, %d kills in %s: %d stuck, %d lost, %d leaked; "+
		"an operation was taken on after %s at most and had ended after %s at most.\n\n",
		len(rows), total.runs, total.kills, took.Round(time.Second), total.stuck, total.lost, total.leaked,
		shown(total.takenOn), shown(total.over))
	out.WriteString("| Platform | Command | Killed at | Runs | Kills | Stuck | Lost | Leaked | Taken on | Ended |\n" +
		"|---|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, x := range sorted {
		fmt.Fprintf(&out, "| %s | %s | %s | %d | %d | %d | %d | %d | %s | %s |\n", x.platform, x.kind, x.point,
			x.runs, x.kills, x.stuck, x.lost, x.leaked, shown(x.takenOn), shown(x.over))
	}
	return out.String()
}

// shown is a time in a table; nothing when nothing was under way.
func shown(d time.Duration) string {
	if d <= 0 {
		return "–"
	}
	return d.Round(time.Millisecond).String()
}
